"""GGUF, the format of llama.cpp and of GGML: one file, or shards named `-00001-of-00003.gguf`.

Numbers and halves are listed as they lie in the file; GGML's block-quantised types go to the codec `gguf-blocks`, in
pieces of whole rows. Metadata is kept without long arrays, such as vocabularies, which are not even read.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError, WtuiError
from wtui.formats.absent import MAX_POINTER, why_absent
from wtui.formats.gguf.header import MAGIC, Header, TensorInfo, read_header
from wtui.formats.gguf.order import depth_key, role
from wtui.formats.gguf.pieces import cut
from wtui.formats.names import tree_from_names
from wtui.model import BLOCK_DTYPES, Catalogue, Extent, FileRef, LayerNode, Notice, Part, TensorEntry, stored_bytes
from wtui.storage import CachedSource, file_ref

if TYPE_CHECKING:
    from wtui.formats.probe import Probe
    from wtui.storage import StoredFile

__all__ = ["catalogue", "sniff"]

ENCODING = "gguf-blocks"

TYPES = {
    0: "float32", 1: "float16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K",
    11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS",
    19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "int8", 25: "int16", 26: "int32",
    27: "int64", 28: "float64", 29: "IQ1_M", 30: "bfloat16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4",
    41: "Q1_0",
}  # fmt: skip
"""Number of a GGML type (`enum ggml_type`) -> dtype."""

DROPPED = {
    4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8", 36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8",
    38: "IQ4_NL_8_8",
}  # fmt: skip
"""Types that GGML gave up."""

ALIGNMENT = 32
"""Bytes, where `general.alignment` does not say otherwise."""

MAX_ALIGNMENT = 1 << 20

MAX_SHARDS = 10_000

MAX_BLOCKS = 10_000

_BLOCK = re.compile(r"^blk\.(\d{1,5})\.")
_SHARD = re.compile(r"^(.*)-(\d{5})-of-(\d{5})\.gguf$")


def sniff(probe: Probe) -> bool:
    """The magic, or a folder whose GGUF files are one model."""
    if probe.is_folder:
        return bool(_of_folder(probe.names))
    return probe.head.startswith(MAGIC)


def catalogue(probe: Probe) -> Catalogue:
    """All tensors of the file and of its other shards, in order of depth."""
    listing = _Listing()
    names = _of_folder(probe.names) if probe.is_folder else _shards(os.path.basename(probe.path))
    for name in names:
        path = probe.path if name == os.path.basename(probe.path) else probe.inside(name)
        listing.add_shard(probe, name, path)
    if not listing.files:
        raise FormatError(listing.warnings[0].message if listing.warnings else "holds no GGUF file", probe.path)
    listing.check_counts(len(names))
    listing.check_blocks()
    listing.check_overlaps()
    metadata = listing.metadata
    architecture = str(metadata.get("general.architecture", ""))
    general = {k: v for k, v in metadata.items() if not k.startswith("tokenizer.")}
    root = LayerNode(_title(probe, metadata), "", architecture, general)
    tensors = sorted(listing.tensors, key=lambda t: depth_key(t.name))
    ordered = tree_from_names(tensors, ".", root, keep_order=True)
    shards = f", {len(names)} shards" if len(names) > 1 else ""
    blocks = listing.blocks

    def locate(entry: TensorEntry) -> tuple[Part, ...]:
        return cut(blocks[entry.name], entry.shape, entry.dtype)

    title = f"GGUF v{listing.version}{shards}"
    return Catalogue(probe.path, title, listing.files, ordered, root, metadata, listing.warnings, locate)


class _Listing:
    """What the shards that were read so far hold."""

    def __init__(self) -> None:
        self.version = 0
        self.metadata: dict[str, Any] = {}
        self.files: list[FileRef] = []
        self.tensors: list[TensorEntry] = []
        self.warnings: list[Notice] = []
        self.blocks: dict[str, Extent] = {}
        """Where the blocks of quantised tensors lie."""
        self._names: set[str] = set()
        self._spans: list[tuple[int, int, int, str]] = []

    def add_shard(self, probe: Probe, name: str, path: str | None) -> None:
        """Take in a file; one that cannot be read becomes a notice, unless it is the one that was asked for."""
        if path is None:
            self.warnings.append(Notice("", f"the shard {name} is missing", lost=True))
            return
        try:
            file = probe.open(path)
            absent = why_absent(file.size, file.read(0, min(file.size, MAX_POINTER)))
            if absent:
                raise FormatError(absent, path)
            header = read_header(CachedSource(file))
        except WtuiError as error:
            if path == probe.path:
                raise
            self.warnings.append(Notice("", f"the shard {name} {error.what}", lost=True))
            return
        self.version = self.version or header.version
        for key, value in header.metadata.items():
            self.metadata.setdefault(key, value)
        self._add_tensors(header, file, name)
        self.files.append(file_ref(file))

    def check_counts(self, shards: int) -> None:
        """Compare with the numbers of shards and tensors that the first shard was written for."""
        for key, found, what in (
            ("split.count", shards, "shards"),
            ("split.tensors.count", len(self.tensors), "tensors"),
        ):
            expected = self.metadata.get(key)
            if isinstance(expected, int) and expected > 0 and expected != found:
                message = f"was written with {expected:,} {what}; {found:,} are here"
                self.warnings.append(Notice("", message, lost=found < expected))

    def check_blocks(self) -> None:
        """Tell of blocks that the metadata count and no tensor belongs to; a shard or a save may be missing."""
        count = self.metadata.get(f"{self.metadata.get('general.architecture')}.block_count")
        found = {int(m[1]) for m in map(_BLOCK.match, self._names) if m}
        if not isinstance(count, int) or not found or count > MAX_BLOCKS:
            return
        missing = [i for i in range(count) if i not in found]
        if missing:
            named = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
            message = f"{len(missing):,} of its {count:,} blocks have no tensors: {named}"
            self.warnings.append(Notice("", message, lost=True))

    def check_overlaps(self) -> None:
        """Tell of tensors that share bytes."""
        last, end, owner = -1, 0, ""
        for file, start, stop, name in sorted(self._spans):
            if file == last and start < end and start < stop:
                self.warnings.append(Notice(name, f"its bytes overlap those of {owner}"))
            if file != last or stop > end:
                last, end, owner = file, stop, name
        self._spans.clear()

    def _add_tensors(self, header: Header, file: StoredFile, shard: str) -> None:
        start = self._data_start(header)
        for info in header.tensors:
            if info.name in self._names:
                self.warnings.append(Notice(info.name, f"stands in {shard} once more, which is not listed"))
                continue
            entry, extent = _entry(info, start, len(self.files), header.byteorder, file.size)
            self._names.add(info.name)
            self._spans.append((extent.file, extent.offset, extent.offset + extent.length, info.name))
            if entry.parts is None:
                self.blocks[info.name] = extent
            self.tensors.append(entry)

    def _data_start(self, header: Header) -> int:
        """Offset of the tensors' data: the end of the head, aligned."""
        alignment = header.metadata.get("general.alignment", ALIGNMENT)
        if not isinstance(alignment, int) or not 0 < alignment <= MAX_ALIGNMENT:
            self.warnings.append(Notice("", f"its alignment of {alignment!r} is impossible; {ALIGNMENT} is assumed"))
            alignment = ALIGNMENT
        return -(-header.end // alignment) * alignment


def _entry(info: TensorInfo, start: int, file: int, byteorder: str, size: int) -> tuple[TensorEntry, Extent]:
    """The entry of a tensor and where its bytes lie; `size` is that of its file."""
    dtype = TYPES.get(info.type) or DROPPED.get(info.type) or f"GGML type {info.type}"
    extent = Extent(file, start + info.offset, stored_bytes(dtype, info.shape) or 0)
    entry = TensorEntry(info.name, "", role(info.name), info.shape, dtype, (Part(extent),), byteorder=byteorder)
    if dtype not in BLOCK_DTYPES:
        problem = f"values of type {dtype} cannot be decoded" if info.type not in TYPES else ""
        return entry._replace(parts=() if problem else entry.parts, problem=problem), extent
    problem = _block_problem(info.shape, dtype, extent, size)
    return entry._replace(parts=() if problem else None, encoding=ENCODING, problem=problem), extent


def _block_problem(shape: tuple[int, ...], dtype: str, extent: Extent, size: int) -> str:
    """Why blocks of this shape cannot lie there, or `""`."""
    values, _ = BLOCK_DTYPES[dtype]
    if not shape or shape[-1] % values:
        return f"rows of {shape[-1] if shape else 1:,} values are not whole blocks of {values} ({dtype})"
    missing = extent.offset + extent.length - size
    if missing > 0 and extent.length:
        missing = min(missing, extent.length)
        return f"{missing:,} of its {extent.length:,} bytes lie behind the end of the file"
    return ""


def _title(probe: Probe, metadata: dict[str, Any]) -> str:
    name = metadata.get("general.name")
    return name if isinstance(name, str) and name else os.path.basename(os.path.abspath(probe.path))


def _shards(name: str) -> list[str]:
    """The names of all shards of a model, by the name of one of them; that name alone if it is no shard's."""
    match = _SHARD.match(name)
    if not match:
        return [name]
    count = int(match[3])
    if not 0 < int(match[2]) <= count <= MAX_SHARDS:
        return [name]
    return [f"{match[1]}-{i:05}-of-{match[3]}.gguf" for i in range(1, count + 1)]


def _of_folder(names: frozenset[str]) -> list[str]:
    """The GGUF files of a folder if they are one model, else none."""
    found = {n for n in names if n.lower().endswith(".gguf")}
    models = {tuple(_shards(n)) for n in found}
    return list(models.pop()) if len(models) == 1 else []
