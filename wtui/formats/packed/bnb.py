"""bitsandbytes' 4-bit weights: bytes, with a table, scales and a description beside them. Codec: `blockwise`.

The description (`quant_state.bitsandbytes__nf4`) is a short JSON text inside a tensor; it alone knows the shape.
"""

from __future__ import annotations

import json
from math import prod
from typing import TYPE_CHECKING, Any

from wtui.formats.packed.module import PIECE, Module, extent_of, lines
from wtui.model import Extent, Part, TensorEntry

if TYPE_CHECKING:
    from wtui.formats.packed.module import Outcome

__all__ = ["unpack"]


def unpack(module: Module) -> Outcome:
    """The weight in the shape that its description names, or why it is not known."""
    kind = module.shown_by.role.removeprefix("bitsandbytes__")
    base = module.shown_by.name.removesuffix(f".quant_state.{module.shown_by.role}")
    weight = module.get("", base)
    if weight is None or weight.dtype != "uint8":
        return {}
    names = ("absmax", "quant_map", "nested_absmax", "nested_quant_map")
    absmax, table, outer, outer_table = (module.get(f".{name}", base) for name in names)
    state = _state(module.small(module.shown_by))
    beside = (module.shown_by, absmax, table, outer, outer_table)
    if state is None or absmax is None or table is None or table.shape != (16,) or table.dtype != "float32":
        return module.not_values(f"{kind} whose description cannot be understood", weight)
    shape, block = state["shape"], state["blocksize"]
    blocks = -(-prod(shape) // block)
    nested = outer is not None and outer_table is not None
    if extent_of(weight).length != (prod(shape) + 1) // 2 or absmax.shape != (blocks,):
        return module.not_values(f"{kind} whose scales do not fit it", weight)
    if absmax.dtype != ("uint8" if nested else "float32") or (nested and not state["nested_blocksize"]):
        return module.not_values(f"{kind} with scales of type {absmax.dtype}", weight)
    arguments = {
        "about": f"bitsandbytes {kind}, blocks of {block}" + (", double quantised" if nested else ""),
        "block": block, "scales": absmax.dtype, "nested_block": state["nested_blocksize"] if nested else 0,
        "nested_offset": state["nested_offset"],
    }  # fmt: skip
    further = (extent_of(outer_table), extent_of(outer)) if outer and outer_table else ()
    parts = tuple(_parts(weight, shape, block, absmax, extent_of(table), further))
    entry = weight._replace(
        shape=shape, dtype="uint4", parts=parts, encoding="bnb-4bit", encoding_args=tuple(arguments.items())
    )
    return module.replaced(weight, entry, *beside)


def _state(text: bytes) -> dict[str, Any] | None:
    """The description, its numbers checked; None if it is none."""
    try:
        found = json.loads(text)
        shape = tuple(int(n) for n in found["shape"])
        block, nested = int(found["blocksize"]), int(found.get("nested_blocksize") or 0)
        offset = float(found.get("nested_offset") or 0.0)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    if not shape or min(shape) <= 0 or block <= 0 or nested < 0:
        return None
    return {"shape": shape, "blocksize": block, "nested_blocksize": nested, "nested_offset": offset}


def _parts(
    weight: TensorEntry,
    shape: tuple[int, ...],
    block: int,
    absmax: TensorEntry,
    table: Extent,
    further: tuple[Extent, ...],
) -> list[Part]:
    """Rows whose values begin at whole bytes, with the scales of the blocks that they touch."""
    run = prod(shape[1:])
    step = max(2, PIECE * 2 // run // 2 * 2)
    extent = extent_of(weight)
    found = []
    for first in range(0, shape[0], step):
        count = min(step, shape[0] - first)
        start, stop = first * run, (first + count) * run
        piece = Extent(extent.file, extent.offset + start // 2, (stop + 1) // 2 - start // 2)
        scales = lines(absmax, start // block, (stop - 1) // block - start // block + 1)
        origin, box = (first, *(0 for _ in shape[1:])), (count, *shape[1:])
        found.append(Part(piece, origin, box, 0, (table, scales, *further)))
    return found
