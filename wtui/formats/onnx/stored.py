"""A tensor of an ONNX file without its values, and its common form, read at once.

Field numbers are those of TensorProto in `onnx.proto` (github.com/onnx/onnx).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import FormatError
from wtui.formats.protobuf import LEN, Field, integers, varint
from wtui.tensors import Extent

if TYPE_CHECKING:
    from wtui.formats.onnx.walk import Walk

__all__ = ["StoredTensor", "plain_tensor", "read_sparse", "read_tensor"]

MAX_AXES = 64
"""Axes of a tensor."""

HEAD = 1024
"""First bytes of one in which all but its values usually stands."""

MAX_PLAIN = 16
"""Fields of a tensor that is taken for a plain one: a bound on what reading it may cost."""

MAX_NAME = 4000
"""Bytes of the name of a plain one."""

TYPED = frozenset((4, 5, 7, 10, 11))
"""The fields `float_data`, `int32_data`, `int64_data`, `double_data` and `uint64_data`."""


class StoredTensor(NamedTuple):
    """A TensorProto, with the places of its values instead of them."""

    name: str
    shape: tuple[int, ...]
    type: int
    """Number of the element type (`TensorProto.DataType`)."""
    raw: Extent | None = None
    """Where `raw_data` lies, in the file itself."""
    typed: tuple[Field, ...] = ()
    """The fields `float_data`, `int32_data`, `int64_data`, `double_data` or `uint64_data`, packed or one by one."""
    text: bool = False
    """Whether it holds strings."""
    external: tuple[tuple[str, str], ...] | None = None
    """Keys and values of `external_data`, where the values are in another file."""
    segmented: bool = False
    sparse: bool = False
    """Whether it stands for the values of a SparseTensorProto, whose dense shape is then `shape`."""


def read_tensor(walk: Walk, field: Field) -> StoredTensor | None:
    """The TensorProto in a field; None where the file's share of tensors or fields ends with it or in it.

    FormatError for more than MAX_AXES axes and for damage.
    """
    walk.charge(tensors=1)
    if walk.is_full:
        return None
    length = field.stop - field.start
    plain = (
        None if walk.cut else plain_tensor(walk.read(field.start, min(length, HEAD)), field.start, length, walk.shapes)
    )
    return plain or _any_tensor(walk, field)


def _any_tensor(walk: Walk, field: Field) -> StoredTensor | None:
    shape: list[int] = []
    tensor = StoredTensor("", (), 0)
    typed: list[Field] = []
    external: list[tuple[str, str]] = []
    for f in walk.fields(field.start, field.stop):
        if f.number == 1:
            shape += integers(walk, f)
        elif f.number == 2:
            tensor = tensor._replace(type=f.value)
        elif f.number == 3:
            tensor = tensor._replace(segmented=True)
        elif f.number in TYPED:
            typed.append(f)
        elif f.number == 6:
            tensor = tensor._replace(text=True)
        elif f.number == 8:
            tensor = tensor._replace(name=walk.text(f))
        elif f.number == 9:
            tensor = tensor._replace(raw=Extent(0, f.start, f.stop - f.start))
        elif f.number == 13:
            external.append(walk.pair(f))
        elif f.number == 14 and f.value == 1:
            tensor = tensor._replace(external=())
    if len(shape) > MAX_AXES:
        raise FormatError(f"describes a tensor of {len(shape):,} axes", walk.name, "damaged?")
    if tensor.external is not None:
        tensor = tensor._replace(external=tuple(external))
    return None if walk.is_exhausted else tensor._replace(shape=tuple(shape), typed=tuple(typed))


def read_sparse(walk: Walk, field: Field) -> StoredTensor | None:
    """The same of the SparseTensorProto in a field."""
    values: StoredTensor | None = StoredTensor("", (), 0)
    shape: list[int] = []
    for f in walk.fields(field.start, field.stop):
        if f.number == 1 and f.wire == LEN:
            values = read_tensor(walk, f)
        elif f.number == 3:
            shape += integers(walk, f)
    if values is None or walk.is_exhausted:
        return None
    return values._replace(shape=tuple(shape[:MAX_AXES]), sparse=True)


def plain_tensor(
    data: bytes, start: int, length: int, shapes: dict[tuple[int, ...], tuple[int, ...]]
) -> StoredTensor | None:
    """The TensorProto in `length` bytes from the byte `start` of the file; None where it is not of the common form.

    A common one has a few fields, each with a number below 16, all but its values in its first bytes, `data`: that is
    what exporters write. All else (damage, too) is left to the reader of messages, which says what is wrong. `shapes`
    are those that came up before: hundreds of thousands of tensors have few of them.
    """
    name, kind, raw, at = "", 0, None, 0
    shape: list[int] = []
    typed: list[Field] = []
    pairs: list[tuple[str, str]] = []
    external = False
    try:
        for _ in range(MAX_PLAIN):
            if at == length:
                axes = tuple(shape)
                beside = tuple(pairs) if external else None
                return StoredTensor(name, shapes.setdefault(axes, axes), kind, raw, tuple(typed), external=beside)
            key = data[at]
            value, begin = varint(data, at + 1)
            at = begin
            if key & 7 == LEN:
                at += value
                if at > length or (at > len(data) and key in (0x42, 0x6A)):
                    return None
            if key == 0x08 and value >> 63 == 0:
                shape.append(value)
            elif key == 0x10:
                kind = value
            elif key == 0x42 and value <= MAX_NAME:
                name = data[begin:at].decode("utf-8", "replace")
            elif key == 0x4A:
                raw = Extent(0, start + begin, value)
            elif key == 0x6A:
                pairs.append(_pair(data[begin:at]))
            elif key == 0x70:
                external = external or value == 1
            elif key >> 3 in TYPED and key & 7 == LEN:
                typed.append(Field(key >> 3, LEN, 0, start + begin, start + at))
            else:
                return None
    except (IndexError, ValueError):
        return None
    return None


def _pair(data: bytes) -> tuple[str, str]:
    """Key and value of a StringStringEntryProto in its common form; ValueError for others."""
    stop = 2 + data[1]
    if data[0] != 0x0A or data[stop] != 0x12 or data[1] > 0x7F or stop + 2 + data[stop + 1] != len(data):
        raise ValueError("an unusual pair")
    return data[2:stop].decode("utf-8", "replace"), data[stop + 2 :].decode("utf-8", "replace")
