"""numpy arrays in a pickle: dtype, shape, order and the place of their bytes, without numpy.

Follows what `ndarray.__reduce__`, `ndarray.__reduce_ex__(5)` and `dtype.__reduce__` of numpy write.
"""

from __future__ import annotations

from typing import NamedTuple

from wtui.formats.inert.values import Global, Object, Placed, PlacedText, path_of

__all__ = ["Array", "array_of", "dtype_of", "scalar_of"]

_RECONSTRUCT = frozenset(("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"))
_FROM_BUFFER = frozenset(("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"))
_SCALAR = frozenset(("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"))

_DTYPES = {
    "f8": "float64", "f4": "float32", "f2": "float16", "i8": "int64", "i4": "int32", "i2": "int16", "i1": "int8",
    "u8": "uint64", "u4": "uint32", "u2": "uint16", "u1": "uint8", "b1": "bool", "c8": "complex64", "c16": "complex128",
}  # fmt: skip

_STRUCTS = {
    "float64": "d", "float32": "f", "float16": "e", "int64": "q", "int32": "i", "int16": "h", "int8": "b",
    "uint64": "Q", "uint32": "I", "uint16": "H", "uint8": "B", "bool": "?",
}  # fmt: skip


class Array(NamedTuple):
    """An array by its description."""

    dtype: str
    """A name of `DTYPE_BITS` where it is one."""
    byteorder: str
    shape: tuple[int, ...]
    fortran: bool
    """Whether the first axis is the one that varies fastest."""
    data: Placed | None
    """None: its values are pickled objects, or in none of the places that are looked at."""


def array_of(value: object) -> Array | None:
    """The array that an inert value stands for, None for anything else."""
    if type(value) is not Object or type(value.args) is not tuple:
        return None
    path = path_of(value)
    if path in _RECONSTRUCT:
        state = value.state
        if type(state) is tuple and len(state) == 5:
            _, shape, dtype, fortran, data = state
            return _array(dtype, shape, fortran is True, data)
    elif path in _FROM_BUFFER and len(value.args) == 4:
        data, dtype, shape, order = value.args
        return _array(dtype, shape, order == "F", data)
    return None


def scalar_of(value: object) -> int | float | bool | None:
    """The number behind a pickled numpy scalar, None for anything else."""
    if type(value) is not Object or path_of(value) not in _SCALAR:
        return None
    if type(value.args) is not tuple or len(value.args) != 2:
        return None
    dtype, byteorder = dtype_of(value.args[0])
    code, data = _STRUCTS.get(dtype), value.args[1]
    raw = data.data if isinstance(data, Placed) else None
    if code is None or raw is None:
        return None
    from struct import calcsize, unpack

    found: int | float | bool | None = unpack(byteorder + code, raw)[0] if len(raw) == calcsize(code) else None
    return found


def dtype_of(value: object) -> tuple[str, str]:
    """(name, byte order) of a pickled numpy dtype; `("object", "<")` for what is none."""
    if type(value) is not Object or path_of(value) != "numpy.dtype" or type(value.args) is not tuple or not value.args:
        return "object", "<"
    code = value.args[0]
    order = value.state[1] if type(value.state) is tuple and len(value.state) > 1 else "<"
    byteorder = ">" if order == ">" else "<"
    if isinstance(code, Global):
        return (code.name if code.module == "ml_dtypes" else code.path), byteorder
    if type(value.state) is tuple and len(value.state) > 3 and value.state[3] is not None:
        return "a structure", byteorder
    if not isinstance(code, str):
        return "object", "<"
    return _DTYPES.get(code, "object" if code.startswith("O") else code[:40]), byteorder


def _array(dtype: object, shape: object, fortran: bool, data: object) -> Array | None:
    name, byteorder = dtype_of(dtype)
    if type(shape) is not tuple or not all(type(n) is int for n in shape):
        return None
    if isinstance(data, PlacedText):
        data = data.placed
    return Array(name, byteorder, shape, fortran, data if isinstance(data, Placed) else None)
