"""TensorFlow's numbers for dtypes (tensorflow/core/framework/types.proto) as the names that wtui uses."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DT_BOOL", "DT_INT64", "DT_STRING", "OPAQUE", "REFERENCE", "dtype_name", "is_weight_dtype"]

DT_STRING, DT_INT64, DT_BOOL = 7, 9, 10

REFERENCE = 100
"""Added to a dtype's number where a graph of TensorFlow 1 means the variable and not its value."""

DTYPES: Mapping[int, str] = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64",
    9: "int64", 10: "bool", 11: "int8", 12: "uint8", 13: "int32", 14: "bfloat16", 15: "int16", 16: "uint16",
    17: "uint16", 18: "complex128", 19: "float16", 20: "resource", 21: "variant", 22: "uint32", 23: "uint64",
    24: "float8_e5m2", 25: "float8_e4m3fn", 26: "float8_e4m3fnuz", 27: "float8_e4m3b11fnuz", 28: "float8_e5m2fnuz",
    29: "int4", 30: "uint4", 31: "int2", 32: "uint2",
}  # fmt: skip
"""11 to 16 are the quantised types of TensorFlow 1 (qint8, ...), whose scales stand elsewhere in the graph. Those of
less than a byte take one each."""

OPAQUE = frozenset({"string", "resource", "variant"})
"""Types whose values are no numbers."""

_WEIGHTS = frozenset({1, 2, 11, 12, 13, 14, 15, 16, 19, 24, 25, 26, 27, 28, 29, 30, 6, 8, 18})


def dtype_name(number: int) -> str:
    """`float32` for 1, ...; `DT_99` for a number that is none."""
    number = number - REFERENCE if number > REFERENCE else number
    return DTYPES.get(number, f"DT_{number}")


def is_weight_dtype(number: int) -> bool:
    """Whether constants of this dtype can be weights: shapes, axes and texts are not."""
    return number in _WEIGHTS
