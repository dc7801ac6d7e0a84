"""NumPy's format for one array: a header that is a Python literal, then the values.

Source: NumPy Enhancement Proposal 1 (versions 1 to 3). The header is searched for its three entries and never
evaluated; arrays of objects are pickles and are listed, not read.
"""

from __future__ import annotations

import os
import re
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import FormatError
from wtui.model import DTYPE_BITS, Catalogue, Extent, LayerNode, Notice, Part, TensorEntry
from wtui.storage import file_ref

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["MAGIC", "MAX_HEADER", "ArrayHeader", "catalogue", "entry", "parse_header", "sniff"]

MAGIC = b"\x93NUMPY"

MAX_HEADER = 1 << 16
"""Bytes of a header that is read; those of plain arrays have about a hundred."""

MAX_AXES = 64
"""Axes of an array: NumPy allows as many."""

_KINDS = {"f": "float", "i": "int", "u": "uint", "c": "complex"}

_LISTED = {
    "O": "Python objects (a pickle)",
    "U": "texts",
    "S": "texts",
    "M": "dates",
    "m": "time spans",
    "V": "records",
}
"""Kinds of values that are listed but not decoded."""

_DESCR = re.compile(r"""['"]descr['"]\s*:\s*(?:['"]([^'"]{1,40})['"]|([\[(]))""")
_FORTRAN = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)""")
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([\dL,\s]*)\)""")

BFLOAT16_NOTICE = "stored as values of two bytes without a type, which is how bfloat16 is saved; read as such"


class ArrayHeader(NamedTuple):
    """What the header of an array says."""

    version: str
    shape: tuple[int, ...]
    dtype: str
    """A key of DTYPE_BITS, or what else the values are."""
    byteorder: str
    fortran: bool
    start: int
    """Offset of the first value."""
    problem: str
    """Why the values cannot be decoded, or `""`."""
    is_guess: bool = False
    """Whether the dtype is a guess."""


def sniff(probe: Probe) -> bool:
    """The magic."""
    return probe.head.startswith(MAGIC)


def catalogue(probe: Probe) -> Catalogue:
    """The array as a model of one tensor, called as the file is; FormatError if the header is damaged."""
    file = probe.file
    header = parse_header(file.read(0, min(MAX_HEADER, file.size)), file.name)
    name = os.path.splitext(os.path.basename(probe.path))[0]
    root = LayerNode(os.path.basename(probe.path), "")
    root.tensors.append(0)
    tensor = entry(name, header, 0)
    notices = [Notice(name, BFLOAT16_NOTICE)] if header.is_guess else []
    title = f"NumPy array (npy {header.version})"
    return Catalogue(probe.path, title, (file_ref(file),), (tensor,), root, warnings=notices)


def entry(name: str, header: ArrayHeader, file: int, offset: int = 0, layer: str = "", role: str = "") -> TensorEntry:
    """The entry of an array whose header lies at `offset` of a file."""
    bits = DTYPE_BITS.get(header.dtype, 0)
    part = Part(Extent(file, offset + header.start, prod(header.shape) * bits // 8))
    strides = None
    if header.fortran and len(header.shape) > 1:
        strides = tuple(prod(header.shape[:axis]) for axis in range(len(header.shape)))
    return TensorEntry(
        name,
        layer,
        role or name,
        header.shape,
        header.dtype,
        () if header.problem else (part,),
        byteorder=header.byteorder,
        strides=strides,
        problem=header.problem,
    )


def parse_header(data: bytes, path: str) -> ArrayHeader:
    """The header at the start of an array's bytes, of which `data` may be the beginning; FormatError if damaged."""
    if len(data) < 12 or not data.startswith(MAGIC):
        raise FormatError("is no NumPy array", path, "cut off?")
    major, minor = data[6], data[7]
    if major not in (1, 2, 3):
        raise FormatError(f"is a NumPy array of version {major}.{minor}; wtui reads 1 to 3", path)
    width = 2 if major == 1 else 4
    start = 8 + width + int.from_bytes(data[8 : 8 + width], "little")
    if start > len(data):
        raise FormatError(f"ends inside its header ({start:,} bytes), or has too large a one", path, "cut off?")
    text = data[8 + width : start].decode("utf-8" if major == 3 else "latin-1", "replace")
    descr, fortran, shape = _DESCR.search(text), _FORTRAN.search(text), _SHAPE.search(text)
    if not descr or not fortran or not shape:
        raise FormatError("its header does not say type, order and shape", path, "damaged?")
    axes = [n.strip().rstrip("L") for n in shape[1].split(",") if n.strip()]
    if len(axes) > MAX_AXES or not all(n.isdecimal() and len(n) <= 20 for n in axes):
        raise FormatError("its header has an impossible shape", path, "damaged?")
    dtype, byteorder, problem, is_guess = _dtype(descr[1] or "")
    numbers = tuple(map(int, axes))
    is_fortran = fortran[1] == "True"
    return ArrayHeader(f"{major}.{minor}", numbers, dtype, byteorder, is_fortran, start, problem, is_guess)


def _dtype(descr: str) -> tuple[str, str, str, bool]:
    """(dtype, byte order, problem, whether it is a guess) of NumPy's short name; `""` stands for records."""
    order = descr[:1] if descr[:1] in "<>|=" else ""
    kind, size = descr[len(order) :][:1] or "V", descr[len(order) + 1 :]
    byteorder = ">" if order == ">" else "<"
    if kind == "b" and size == "1":
        return "bool", byteorder, "", False
    if kind in _KINDS and size.isdecimal() and len(size) < 4:
        dtype = f"{_KINDS[kind]}{int(size) * 8}"
        return dtype, byteorder, "" if dtype in DTYPE_BITS else f"values of type {dtype} cannot be decoded", False
    if kind == "V" and size == "2":
        return "bfloat16", byteorder, "", True
    what = _LISTED.get(kind, f"values of NumPy's type {descr!r}")
    return ("object" if kind == "O" else descr or "records"), byteorder, f"holds {what}, which are not read", False
