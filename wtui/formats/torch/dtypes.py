"""The names that PyTorch gives to types of values and of storages, as wtui's names. Knows nothing else."""

from __future__ import annotations

from wtui.formats.inert import Global

__all__ = ["QUANTISED", "dtype_name", "storage_dtype"]

_SAME = frozenset((
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16",
    "uint8", "bool", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
    "float8_e8m0fnu",
))  # fmt: skip
"""Types that are called the same. torch.int4 and the like are not among them: they take a byte, and have no values."""

_SHORT = {
    "double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32", "short": "int16",
    "cfloat": "complex64", "cdouble": "complex128",
}  # fmt: skip

_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128", "UntypedStorage": "uint8",
    "QInt8Storage": "qint8", "QUInt8Storage": "quint8", "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2", "QUInt2x4Storage": "quint2x4",
}  # fmt: skip

QUANTISED = {"qint8": 1, "quint8": 1, "qint32": 4, "quint4x2": 1, "quint2x4": 1}
"""Quantised types and the bytes of an item of their storages, which may hold several values."""


def dtype_name(value: object) -> str:
    """wtui's name of a pickled torch.dtype; `torch.<name>` for those that it does not decode, `""` for what is none."""
    if type(value) is not Global or value.module != "torch":
        return ""
    name = _SHORT.get(value.name, value.name)
    return name if name in _SAME else f"torch.{name}"[:80]


def storage_dtype(value: object) -> str:
    """The type of a storage class's items, `""` for what is no storage class. Untyped storages hold bytes."""
    return _STORAGES.get(value.name, "") if type(value) is Global and value.module.startswith("torch") else ""
