"""One tensor as data: what it is called, what it is, and in which bytes of which files its values lie.

Knows no format and no tree, opens no file, imports only the standard library: the first frame stands on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

__all__ = [
    "BLOCK_DTYPES",
    "DTYPE_BITS",
    "NO_NUMBERS",
    "RAW",
    "Extent",
    "FileRef",
    "Member",
    "Part",
    "TensorEntry",
    "stored_bytes",
]

DTYPE_BITS: Mapping[str, int] = {
    "float64": 64, "float32": 32, "float16": 16, "bfloat16": 16,
    "int64": 64, "int32": 32, "int16": 16, "int8": 8,
    "uint64": 64, "uint32": 32, "uint16": 16, "uint8": 8, "bool": 8,
    "float8_e4m3fn": 8, "float8_e5m2": 8, "float8_e4m3fnuz": 8, "float8_e5m2fnuz": 8,
    "float8_e4m3b11fnuz": 8, "float8_e8m0fnu": 8, "float8_e3m4": 8, "float8_e4m3": 8,
    "float6_e2m3fn": 6, "float6_e3m2fn": 6, "float4_e2m1fn": 4,
    "int4": 4, "uint4": 4, "int2": 2, "uint2": 2, "complex64": 64, "complex128": 128,
}  # fmt: skip
"""Bits of one value of each dtype that wtui can describe; the names are those of numpy and ml_dtypes."""

BLOCK_DTYPES: Mapping[str, tuple[int, int]] = {
    "Q1_0": (128, 18), "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34),
    "Q8_1": (32, 36), "Q2_K": (256, 84), "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176),
    "Q6_K": (256, 210), "Q8_K": (256, 292), "IQ1_S": (256, 50), "IQ1_M": (256, 56), "IQ2_XXS": (256, 66),
    "IQ2_XS": (256, 74), "IQ2_S": (256, 82), "IQ3_XXS": (256, 98), "IQ3_S": (256, 110), "IQ4_NL": (32, 18),
    "IQ4_XS": (256, 136), "TQ1_0": (256, 54), "TQ2_0": (256, 66), "MXFP4": (32, 17), "NVFP4": (64, 36),
}  # fmt: skip
"""Types whose values share scales in blocks: (values, bytes) of a block; the names are those of the GGML library."""

NO_NUMBERS = frozenset({"string", "resource", "variant"})
"""Dtypes that have no numbers: what is listed of them is all there is to show, and nothing is lost."""

RAW = "raw"
"""The encoding of values that lie in the file as they are in memory, one after the other."""


class Member(NamedTuple):
    """A deflated member of a zip file, which has to be inflated before anything inside it can be addressed."""

    name: str
    offset: int
    """Where its compressed bytes start in the file."""
    compressed: int
    """How many compressed bytes there are."""


class FileRef(NamedTuple):
    """One file that holds weights, with what identifies its content, so that a changed file is noticed."""

    path: str
    size: int
    """Bytes that extents may address: of the file, or of the inflated member."""
    mtime_ns: int = 0
    inode: int = 0
    member: Member | None = None
    array: str = ""
    """What `wtui.storage.arrays` has to know to read an array through a library; the path is then that of a file
    which changes with it."""
    remote: bool = False
    """Whether the path is an address that was opened as one; whatever else looks like one is a path on the disk."""


class Extent(NamedTuple):
    """The bytes `offset : offset + length` of `Catalogue.files[file]`."""

    file: int
    offset: int
    length: int


class Part(NamedTuple):
    """One stored piece of a tensor: values in C order, whole or a box of the tensor."""

    extent: Extent
    origin: tuple[int, ...] = ()
    """Index of the piece's first value in the tensor; `()` when the piece is the whole tensor."""
    shape: tuple[int, ...] | None = None
    """Shape of the stored piece, which may stick out over the tensor's edge (HDF5 chunks); None: the whole tensor."""
    skipped_filters: int = 0
    """Bit i set: filter i of the tensor's encoding was not applied to this piece (HDF5's filter mask)."""
    beside: tuple[Extent, ...] = ()
    """Further bytes that the piece's values come from (scales, zero points, the other factor of a product); the codec
    gets them behind those of `extent`."""


COUNTERS = frozenset(("num_batches_tracked", "position_ids"))
"""Buffers of PyTorch's modules that lie among the weights in its files, by role."""


class TensorEntry(NamedTuple):
    """One tensor: what it is called, what it is, and where its bytes lie."""

    name: str
    """Unique in the catalogue, as the format's users would write it (`block1_conv1/kernel`)."""
    layer: str
    """Path of the layer that owns it (`block1_conv1`), `""` for the model itself."""
    role: str
    """kernel, bias, gamma, moving_mean, embedding, ...; the last part of the name where nothing better is known."""
    shape: tuple[int, ...]
    dtype: str
    """Of the values, a key of DTYPE_BITS, or another name for what wtui lists but cannot decode."""
    parts: tuple[Part, ...] | None
    """Where the values lie; None: ask `Catalogue.locate`, the table of pieces is only read when needed."""
    encoding: str = RAW
    """How the bytes hold the values: `raw`, or the name of a codec."""
    encoding_args: tuple[tuple[str, Any], ...] = ()
    """What the codec has to know, as (name, value) pairs of plain data."""
    byteorder: str = "<"
    strides: tuple[int, ...] | None = None
    """In values, not bytes; None: C order."""
    trainable: bool | None = None
    """None: the file does not say."""
    alias_of: str | None = None
    """Name of the tensor that owns the same bytes; an alias adds nothing to totals."""
    group: str = "model"
    """`model`, `optimizer` (slots, iteration counters), `quantisation` (scales, zero points), `derived` (made of
    others and nowhere in the file) or `state`; only `model` counts in totals."""
    inferred: str = ""
    """Why the role is a guess (`by rank`, ...); empty when the file or the layer's class says so."""
    problem: str = ""
    """Why the values cannot be read; empty when they can."""

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the values in the tensor's own dtype, rounded up for dtypes below a byte."""
        return stored_bytes(self.dtype, self.shape) or 0

    @property
    def label(self) -> str:
        """The name below its layer (`kernel`); the whole name where it does not begin with its layer's path."""
        below = self.name.removeprefix(self.layer) if self.layer else ""
        return (below.lstrip("/.") or self.name) if below.startswith(("/", ".")) else self.name

    @property
    def counted(self) -> bool:
        """Whether the tensor's parameters belong to the model's totals, and its values to those of its layer."""
        if self.group != "model" or self.alias_of is not None:
            return False
        return self.role not in COUNTERS or not self.is_counter

    @property
    def is_counter(self) -> bool:
        """Whether it holds whole numbers that no training moves: 0 to 511 say nothing of the weights beside them."""
        return self.role in COUNTERS and "int" in self.dtype


def stored_bytes(dtype: str, shape: Sequence[int]) -> int | None:
    """Bytes of `shape` values of `dtype`, without gaps, or None for a dtype that wtui does not know."""
    bits = DTYPE_BITS.get(dtype)
    if bits is not None:
        return (prod(shape) * bits + 7) // 8
    if dtype in BLOCK_DTYPES:
        values, size = BLOCK_DTYPES[dtype]
        return -(-prod(shape) // values) * size
    return None
