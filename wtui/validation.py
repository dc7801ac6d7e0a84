"""Whether the bytes of tensors can be what a file says they are: extents inside their files, sizes that fit shapes.

Everything that a reader describes goes through this once, so that nothing behind it has to ask again. Reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from os.path import basename

from wtui.tensors import DTYPE_BITS, RAW, FileRef, TensorEntry, stored_bytes

__all__ = ["checked"]


def checked(tensors: Iterable[TensorEntry], files: Sequence[FileRef]) -> Iterator[TensorEntry]:
    """The entries; one that does not hold comes without parts and with its `problem`."""
    sizes = [file.size for file in files]
    known: dict[tuple[tuple[int, ...], str], int] = {}
    for t in tensors:
        parts = t.parts
        if parts is not None and len(parts) == 1 and t.encoding == RAW and not t.problem and t.strides is None:
            file, offset, length = parts[0].extent
            key = (t.shape, t.dtype)
            expected = known.get(key) or known.setdefault(key, _plain_bytes(*key))
            if length == expected and 0 <= file < len(sizes) and 0 <= offset <= sizes[file] - length:
                yield t
                continue
        yield _one_checked(t, files)


def _plain_bytes(shape: tuple[int, ...], dtype: str) -> int:
    """Bytes of raw values, -1 where there is no value or more to be said."""
    bits = DTYPE_BITS.get(dtype)
    whole = bits is not None and min(shape, default=1) > 0 and prod(shape) * bits % 8 == 0
    return prod(shape) * (bits or 0) // 8 if whole else -1


def _one_checked(t: TensorEntry, files: Sequence[FileRef]) -> TensorEntry:
    """The entry itself, or the same without parts and with the reason why its bytes cannot be what it says."""
    problem = t.problem or _shape_problem(t) or _extent_problem(t, files)
    return t if not problem else t._replace(problem=problem, parts=())


def _shape_problem(t: TensorEntry) -> str:
    if any(n < 0 for n in t.shape):
        return f"shape {list(t.shape)} has a negative axis"
    if t.size >= 1 << 60:
        return f"shape {list(t.shape)} has more values than any file can hold"
    if t.encoding == RAW and t.dtype not in DTYPE_BITS:
        return f"values of type {t.dtype} cannot be decoded"
    return ""


def _extent_problem(t: TensorEntry, files: Sequence[FileRef]) -> str:
    """Why the extents are impossible, or `""`. All arithmetic is on Python integers: nothing can overflow."""
    if t.parts is None:
        return ""
    stored = 0
    for part in t.parts:
        for file, offset, length in (part.extent, *part.beside):
            if not 0 <= file < len(files) or offset < 0 or length < 0:
                return "its place in the file is impossible"
            if offset + length > files[file].size:
                missing = min(offset + length - files[file].size, length)
                share = f"all of its {length:,}" if missing == length else f"{missing:,} of its {length:,}"
                return f"{share} bytes lie behind the end of {basename(files[file].path)}"
        stored += part.extent.length
    if t.encoding == RAW and t.strides is None and t.parts:
        expected = stored_bytes(t.dtype, t.shape)
        if expected is not None and stored != expected:
            return f"the file holds {stored:,} bytes, but {t.dtype} {list(t.shape)} needs {expected:,}"
    if t.encoding == RAW and not t.parts and t.size:
        return "the file holds no bytes for it"
    if t.strides is not None and t.size:
        return _stride_problem(t, t.strides, stored)
    return ""


def _stride_problem(t: TensorEntry, strides: tuple[int, ...], stored: int) -> str:
    """Why a view with these strides (in values) would leave its `stored` bytes, or `""`."""
    if len(strides) != len(t.shape) or any(s < 0 for s in strides):
        return f"strides {list(strides)} do not fit shape {list(t.shape)}"
    last = sum((n - 1) * s for n, s in zip(t.shape, strides, strict=True))
    if (last + 1) * DTYPE_BITS.get(t.dtype, 8) > stored * 8:
        return f"strides {list(strides)} lead out of the {stored:,} bytes that the file holds for it"
    return ""
