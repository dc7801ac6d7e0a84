"""Datatype and dataspace messages (sections IV.A.2.d and IV.A.2.b): what one value is, and how many there are.

Knows how to name a type as numpy and ml_dtypes would; reads no values.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from wtui.formats.hdf5.space import Cursor, Space

__all__ = ["Dataspace", "Datatype", "read_dataspace", "read_datatype"]

MAX_NESTING = 8
"""Datatypes within datatypes (arrays of compounds of ...)."""

MAX_MEMBERS = 1 << 12
"""Members of a compound type or values of an enumeration that are looked at."""

FIXED, FLOAT, TIME, STRING, BITFIELD, OPAQUE, COMPOUND, REFERENCE, ENUM, VLEN, ARRAY, COMPLEX = range(12)
"""Classes of datatypes."""

CLASS_NAMES = (
    "integer", "float", "time", "string", "bitfield", "opaque", "compound", "reference", "enum", "vlen", "array",
    "complex",
)  # fmt: skip

_FLOATS = {
    (8, 63, 52, 11, 0, 52, 1023): "float64",
    (4, 31, 23, 8, 0, 23, 127): "float32",
    (2, 15, 10, 5, 0, 10, 15): "float16",
    (2, 15, 7, 8, 0, 7, 127): "bfloat16",
    (1, 7, 3, 4, 0, 3, 7): "float8_e4m3fn",
    (1, 7, 2, 5, 0, 2, 15): "float8_e5m2",
}
"""(bytes, bit of the sign, first bit and bits of the exponent, of the mantissa, bias): name. The four-bit exponent is
that of the OCP 8-bit specification, which HDF5 2.0 cites for its predefined type: no infinities."""


class Datatype(NamedTuple):
    """What one value is."""

    name: str
    """A key of model.DTYPE_BITS where there is one, else the class (`string`, `opaque`, `compound`, ...)."""
    size: int
    """Bytes of one value in the file, at least 1."""
    kind: int
    """Class of the datatype: FIXED, FLOAT, ..."""
    byteorder: str = "<"
    padding: int = 0
    """Of strings: 0 ended by NUL, 1 padded with NULs, 2 padded with spaces."""
    vlen_string: bool = False
    base: Datatype | None = None
    """Of enumerations, arrays and variable-length sequences."""
    dims: tuple[int, ...] = ()
    """Of arrays."""


class Dataspace(NamedTuple):
    """How many values there are; `shape` is None where there is no value at all (the null dataspace)."""

    shape: tuple[int, ...] | None
    max_shape: tuple[int, ...]
    """As `shape`; UNLIMITED for axes that may grow without limit."""

    @property
    def values(self) -> int:
        """Number of values."""
        return 0 if self.shape is None else prod(self.shape)


UNLIMITED = -1
"""Marks an axis without limit in `Dataspace.max_shape`."""


def read_dataspace(space: Space, body: bytes, address: int) -> Dataspace:
    """The dataspace message `body`."""
    fields = Cursor(space, body, address)
    version, rank, flags = fields.uint(1), fields.uint(1), fields.uint(1)
    if version not in (1, 2) or rank > 32:
        raise fields.error(f"dataspace of version {version} with {rank} axes")
    kind = fields.uint(1) if version == 2 else 1
    fields.skip(5 if version == 1 else 0)
    if kind == 2:
        return Dataspace(None, ())
    shape = tuple([fields.length() for _ in range(rank)])
    if not flags & 1:
        return Dataspace(shape, shape)
    infinite = (1 << (8 * space.lengths)) - 1
    limits = [fields.length() for _ in range(rank)]
    return Dataspace(shape, tuple([UNLIMITED if n == infinite else n for n in limits]))


def read_datatype(space: Space, body: bytes, address: int) -> Datatype:
    """The datatype message `body`; the same bytes give the same object."""
    known = space.memo.get(body)
    if not isinstance(known, Datatype):
        known = space.memo[body] = _parse(Cursor(space, body, address), MAX_NESTING)
    return known


def _parse(fields: Cursor, depth: int) -> Datatype:
    """The datatype at the cursor, which ends behind it."""
    version, kind = divmod(fields.uint(1), 16)
    flags, size = fields.uint(3), fields.uint(4)
    if not 1 <= version <= 5 or kind > COMPLEX or size == 0 or depth == 0:
        raise fields.error(f"datatype of version {version}, class {kind}, {size} bytes")
    order = ">" if flags & 1 else "<"
    if kind in (FIXED, BITFIELD):
        return _fixed(fields, kind, flags, size, order)
    if kind == FLOAT:
        return _float(fields, flags, size, order)
    if kind == COMPOUND:
        return _compound(fields, version, flags & 0xFFFF, size, depth)
    if kind in (ENUM, VLEN, ARRAY, COMPLEX):
        return _derived(fields, version, kind, flags, size, depth)
    if kind == OPAQUE:
        fields.skip(flags & 0xFF)
    elif kind == TIME:
        fields.skip(2)
    return Datatype(CLASS_NAMES[kind], size, kind, order if kind == TIME else "<", flags & 15 if kind == STRING else 0)


def _fixed(fields: Cursor, kind: int, flags: int, size: int, order: str) -> Datatype:
    """An integer, or a bit field of whole bytes, which is read as an unsigned integer."""
    first, bits = fields.uint(2), fields.uint(2)
    sign = "int" if kind == FIXED and flags & 8 else "uint"
    whole = size in (1, 2, 4, 8) and first == 0 and bits == 8 * size
    name = f"{sign}{bits}" if whole else f"{sign} of {bits} bits in {size} bytes"
    return Datatype(name, size, kind, order)


def _float(fields: Cursor, flags: int, size: int, order: str) -> Datatype:
    fields.skip(4)
    exponent, exponent_bits, mantissa, mantissa_bits = fields.take(4)
    key = (size, flags >> 8 & 0xFF, exponent, exponent_bits, mantissa, mantissa_bits, fields.uint(4))
    vax = flags & 0x40
    name = _FLOATS.get(key, "") if flags & 0x30 == 0x20 and not vax else ""
    return Datatype(name or f"float of {8 * size} bits", size, FLOAT, order)


def _derived(fields: Cursor, version: int, kind: int, flags: int, size: int, depth: int) -> Datatype:
    """A type that is made of another: an enumeration, a sequence or string of any length, an array, a complex one."""
    if kind == ARRAY:
        dims = _array_dims(fields, version)
        base = _parse(fields, depth - 1)
        if prod(dims) * base.size != size:
            raise fields.error("an array type of another size than its values")
        return Datatype("array", size, ARRAY, base.byteorder, base=base, dims=dims)
    base = _parse(fields, depth - 1)
    if kind == VLEN:
        text = flags & 15 == 1
        return Datatype("string" if text else "vlen", size, VLEN, "<", vlen_string=text, base=base)
    if kind == COMPLEX:
        return _complex(base, size) or Datatype("complex", size, COMPLEX)
    if base.size != size or base.kind != FIXED:
        raise fields.error("an enumeration of what is no integer")
    name = "bool" if _is_bool(fields, version, flags & 0xFFFF, size) else base.name
    return Datatype(name, size, ENUM, base.byteorder, base=base)


def _array_dims(fields: Cursor, version: int) -> tuple[int, ...]:
    rank = fields.uint(1)
    if rank > 32:
        raise fields.error(f"an array type of {rank} axes")
    fields.skip(3 if version < 3 else 0)
    dims = tuple([fields.uint(4) for _ in range(rank)])
    fields.skip(4 * rank if version < 3 else 0)
    return dims


def _is_bool(fields: Cursor, version: int, members: int, size: int) -> bool:
    """Whether an enumeration is FALSE = 0, TRUE = 1 in one byte, as numpy's booleans are written; passes over it."""
    names = _names(fields, version, members)
    values = fields.take(members * size)
    return size == 1 and dict(zip(names, values, strict=True)) == {b"FALSE": 0, b"TRUE": 1}


def _names(fields: Cursor, version: int, members: int) -> list[bytes]:
    if members > MAX_MEMBERS:
        raise fields.error(f"a datatype of {members:,} members")
    names = []
    for _ in range(members):
        start = fields.at
        names.append(fields.name())
        if version < 3:
            fields.align(start)
    return names


def _compound(fields: Cursor, version: int, members: int, size: int, depth: int) -> Datatype:
    """A record; a pair of floats called r and i is a complex number, as h5py writes it."""
    found: list[tuple[bytes, int, Datatype]] = []
    for _ in range(members):
        if len(found) >= MAX_MEMBERS:
            raise fields.error("a datatype of unreasonably many members")
        start = fields.at
        name = fields.name()
        if version < 3:
            fields.align(start)
        offset = fields.uint(4 if version < 3 else (size.bit_length() + 7) // 8)
        fields.skip(28 if version == 1 else 0)
        found.append((name, offset, _parse(fields, depth - 1)))
    if len(found) == 2 and found[0][2] == found[1][2]:
        base = found[0][2]
        if [f[:2] for f in found] == [(b"r", 0), (b"i", base.size)]:
            return _complex(base, size) or Datatype("compound", size, COMPOUND)
    return Datatype("compound", size, COMPOUND)


def _complex(base: Datatype, size: int) -> Datatype | None:
    """A complex number of two values of `base`, if it is one that numpy has."""
    name = {"float32": "complex64", "float64": "complex128"}.get(base.name)
    return Datatype(name, size, COMPLEX, base.byteorder, base=base) if name and size == 2 * base.size else None
