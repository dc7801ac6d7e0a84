"""Eight float64 numbers in one register, as a type for numba: what the float32 kernel needs of it and no more.

LLVM vectorises loops by itself, but not one that also counts in a table. Written out in lanes, the arithmetic of such
a loop runs in the shadow of its counting (measured for a whole block: 0.56 instead of 0.65 ns a value). Processors with
narrower registers get the same code in pieces. Knows no statistics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

__all__ = ["LANES", "add", "add_product", "load", "magnitude", "multiply", "spread", "subtract", "total"]

LANES = 8

Generator = Callable[[Any, Any, Any, Any], Any]
"""(context, builder, signature, arguments) -> the value; numba's own types are not annotated."""

_INDEX = ir.IntType(32)
_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_FUSED = ("contract",)
"""A product and a sum may become one instruction, which rounds once."""


class _LanesType(types.Type):  # type: ignore[misc]
    """numba's name for the register."""

    def __init__(self) -> None:
        super().__init__("Lanes")


_LANES = _LanesType()


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    """LLVM's name for it."""

    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, _DOUBLES)


def _instruction(typing: Callable[..., tuple[Any, Generator]]) -> Callable[..., Any]:
    """What a typing function describes, to be called from compiled functions."""
    return cast("Callable[..., Any]", intrinsic(typing))


@_instruction
def spread(context: Any, x: Any) -> tuple[Any, Generator]:
    """The number x in all lanes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        none = ir.Constant(_DOUBLES, ir.Undefined)
        first = builder.insert_element(none, args[0], ir.Constant(_INDEX, 0))
        return builder.shuffle_vector(first, none, ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES))

    return _LANES(types.float64), generate


@_instruction
def load(context: Any, values: Any, start: Any) -> tuple[Any, Generator]:
    """`values[start : start + LANES]` of a contiguous float32 array; the bounds are not checked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        loaded = builder.load(builder.bitcast(builder.gep(array.data, [args[1]]), _FLOATS.as_pointer()))
        loaded.align = 4
        return builder.fpext(loaded, _DOUBLES)

    return _LANES(values, types.intp), generate


@_instruction
def add(context: Any, a: Any, b: Any) -> tuple[Any, Generator]:
    """a + b in every lane."""
    return _LANES(_LANES, _LANES), lambda _context, builder, _signature, args: builder.fadd(*args)


@_instruction
def subtract(context: Any, a: Any, b: Any) -> tuple[Any, Generator]:
    """a - b in every lane."""
    return _LANES(_LANES, _LANES), lambda _context, builder, _signature, args: builder.fsub(*args)


@_instruction
def magnitude(context: Any, a: Any) -> tuple[Any, Generator]:
    """|a| in every lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function_type = ir.FunctionType(_DOUBLES, [_DOUBLES])
        fabs = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.fabs.v{LANES}f64")
        return builder.call(fabs, args)

    return _LANES(_LANES), generate


@_instruction
def multiply(context: Any, a: Any, b: Any) -> tuple[Any, Generator]:
    """a b in every lane."""
    return _LANES(_LANES, _LANES), lambda _context, builder, _signature, args: builder.fmul(*args)


@_instruction
def add_product(context: Any, sums: Any, a: Any, b: Any) -> tuple[Any, Generator]:
    """sums + a b in every lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(args[0], builder.fmul(args[1], args[2], flags=_FUSED), flags=_FUSED)

    return _LANES(_LANES, _LANES, _LANES), generate


@_instruction
def total(context: Any, a: Any) -> tuple[Any, Generator]:
    """The sum of all lanes, from the first to the last."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = builder.extract_element(args[0], ir.Constant(_INDEX, 0))
        for lane in range(1, LANES):
            found = builder.fadd(found, builder.extract_element(args[0], ir.Constant(_INDEX, lane)))
        return found

    return types.float64(_LANES), generate
