"""Weights with scales beside them: compressed-tensors, fp8 with block scales, NVFP4, MXFP4, LLM.int8.

Codec: `wtui.codecs.scaled`. Which values a scale belongs to follows from the shapes, or from the block size in the
configuration; where it does not, the weight is not shown as values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from struct import unpack
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.formats.packed.module import BESIDE, MAX_PIECES, Module, extent_of, lines, pieces_of, rows_of
from wtui.model import DTYPE_BITS, Extent, Part, TensorEntry

if TYPE_CHECKING:
    from wtui.formats.packed.module import Outcome

__all__ = ["compressed", "int8_rows", "mxfp4", "scaled_weight"]

FLOATS = ("float32", "bfloat16", "float16", "float8_e4m3fn")
BLOCK = 128, 128
"""Rows and columns of a block of fp8 weights where the configuration names none (DeepSeek-V3's)."""

PACKED_BITS = (4, 8, 2)
WORD = 32


class Grid(NamedTuple):
    """The blocks of values that have a scale each."""

    rows: int
    columns: int
    per_row: int
    """Blocks beside each other."""


class Stored(NamedTuple):
    """How a weight is kept."""

    weight: TensorEntry
    shape: tuple[int, ...]
    dtype: str
    row_bytes: int
    scales: TensorEntry
    grid: Grid
    offset: int = 0
    zeros: TensorEntry | None = None
    packed_zeros: bool = False
    whole: TensorEntry | None = None
    """One scale for the whole tensor, besides."""
    divide: bool = False
    """Whether it divides."""
    scale_kind: str = ""
    """Of the scales, where not their dtype."""
    divisor: int = 1


def compressed(module: Module) -> Outcome:
    """compressed-tensors' `weight_packed`: integers in 32-bit words along the inputs, or pairs of 4-bit floats."""
    packed, scales = module.get("weight_packed"), module.get("weight_scale")
    if packed is None or scales is None or len(packed.shape) < 2:
        return module.not_values("scales are missing beside it", module.shown_by)
    if module.has("weight_g_idx"):
        return module.not_values("its columns are in another order (g_idx)", packed)
    if packed.dtype == "uint8":
        return _pairs_of_floats(module, packed, scales, module.get("weight_global_scale"), divide=True)
    shape = _shape(module, packed)
    bits = _bits(module, packed, shape) if shape else 0
    grid = _grid(scales.shape, shape, module.settings) if shape else None
    if packed.dtype != "int32" or grid is None or not bits or scales.dtype not in FLOATS:
        return module.not_values("its shape and scales do not fit each other", packed)
    zeros = module.get("weight_zero_point")
    packed_zeros = zeros is not None and zeros.dtype == "int32"
    if zeros is not None and not _zeros_fit(zeros, shape, scales, bits):
        return module.not_values("its zero points do not fit it", packed, zeros)
    row_bytes = extent_of(packed).length // max(prod(shape[:-1]), 1)
    stored = Stored(packed, shape, f"uint{bits}", row_bytes, scales, grid, 1 << bits - 1, zeros, packed_zeros)
    found = _outcome(module, stored, f"int{bits}", f"compressed-tensors, {bits} bits", module.get("weight_shape"))
    return {**found, **_readable_zeros(module, stored, bits)} if packed_zeros else found


def scaled_weight(module: Module) -> Outcome:
    """`weight` of 8 bits with `weight_scale` or `weight_scale_inv` (which multiplies as well, whatever its name)."""
    weight, scales = module.get("weight"), module.get(module.shown_by.role)
    if weight is None or scales is None or not weight.shape:
        return {}
    second = module.get("weight_scale_2")
    if weight.dtype == "uint8" and scales.dtype == "float8_e4m3fn":
        return _pairs_of_floats(module, weight, scales, second, divide=False)
    if not (weight.dtype == "int8" or weight.dtype.startswith("float8_")):
        return {}
    grid = _grid(scales.shape, weight.shape, module.settings)
    kind = "e8m0" if scales.dtype == "uint8" else ""
    if grid is None or not (scales.dtype in FLOATS or scales.dtype == "float8_e8m0fnu" or kind):
        return module.not_values("it is not known which values its scales belong to", weight)
    zeros = module.get("weight_zero_point")
    if zeros is not None and (zeros.dtype != "int8" or prod(zeros.shape) != prod(scales.shape)):
        return module.not_values("its zero points do not fit it", weight)
    row_bytes = weight.shape[-1]
    stored = Stored(weight, weight.shape, weight.dtype, row_bytes, scales, grid, 0, zeros, scale_kind=kind)
    what = "integers" if weight.dtype == "int8" else "fp8"
    return _outcome(module, stored, weight.dtype, f"{what} with scales for {_words(grid, weight.shape)}")


def int8_rows(module: Module) -> Outcome:
    """bitsandbytes' LLM.int8: rows of integers, each times its largest absolute value / 127."""
    weight, scales = module.get("weight"), module.get("SCB")
    if weight is None or scales is None or weight.dtype != "int8" or scales.dtype not in FLOATS:
        return {}
    form = module.get("weight_format")
    if scales.shape != weight.shape[:1] or len(weight.shape) != 2 or any(module.small(form)):
        return module.not_values("LLM.int8 in an order for one kind of GPU", weight)
    grid = Grid(1, weight.shape[1], 1)
    stored = Stored(weight, weight.shape, "int8", weight.shape[1], scales, grid, divisor=127)
    return _outcome(module, stored, "int8", "bitsandbytes int8, a scale for each row", form)


def mxfp4(module: Module) -> Outcome:
    """MXFP4 as gpt-oss keeps it: `X_blocks` of (..., blocks, 16) bytes, `X_scales` of one exponent a block."""
    role = module.shown_by.role.removesuffix("_blocks")
    blocks, scales = module.get(f"{role}_blocks"), module.get(f"{role}_scales")
    if blocks is None or scales is None or blocks.dtype != "uint8" or scales.dtype != "uint8":
        return {}
    if len(blocks.shape) < 3 or blocks.shape[-1] != 16 or scales.shape != blocks.shape[:-1]:
        return module.not_values("MXFP4 whose scales do not fit it", blocks)
    per_row = blocks.shape[-2]
    shape = (*blocks.shape[:-2], per_row * 32)
    flat = scales._replace(shape=(prod(shape[:-1]), per_row))
    grid = Grid(1, 32, per_row)
    stored = Stored(blocks, shape, "float4_e2m1fn", per_row * 16, flat, grid, scale_kind="e8m0")
    found = dict(_outcome(module, stored, "float4_e2m1fn", "MXFP4, blocks of 32", name=role))
    return {**found, **module.replaced(scales, scales._replace(group=BESIDE))}


def _pairs_of_floats(
    module: Module, packed: TensorEntry, scales: TensorEntry, whole: TensorEntry | None, *, divide: bool
) -> Outcome:
    """4-bit floats, two to a byte, the first in the lower half: NVFP4 (blocks of 16) and MXFP4 (of 32)."""
    shape = (*packed.shape[:-1], packed.shape[-1] * 2)
    per_row = scales.shape[-1] if len(scales.shape) == len(shape) else 0
    mx = scales.dtype in ("uint8", "float8_e8m0fnu")
    block = 32 if mx else 16
    if scales.shape[:-1] != shape[:-1] or per_row * block != shape[-1]:
        return module.not_values("its scales do not fit it", packed)
    if not mx and (whole is None or whole.dtype != "float32" or whole.size != 1 or scales.dtype != "float8_e4m3fn"):
        return module.not_values("NVFP4 without a scale for the whole tensor", packed)
    grid = Grid(1, block, per_row)
    stored = Stored(
        packed, shape, "float4_e2m1fn", packed.shape[-1], scales, grid, whole=None if mx else whole, divide=divide,
        scale_kind="e8m0" if mx else "",
    )  # fmt: skip
    return _outcome(module, stored, "float4_e2m1fn", f"{'MX' if mx else 'NV'}FP4, blocks of {block}")


def _outcome(
    module: Module, stored: Stored, dtype: str, about: str, *beside: TensorEntry | None, name: str = "weight"
) -> Outcome:
    """The weight as values."""
    if pieces_of(stored.shape, stored.row_bytes) > MAX_PIECES:
        return module.not_values("it is cut into too many small matrices", stored.weight)
    arguments: dict[str, Any] = {
        "about": about, "stored": stored.dtype, "offset": stored.offset, "row_bytes": stored.row_bytes,
        "row_block": stored.grid.rows, "column_block": stored.grid.columns, "scale_columns": stored.grid.per_row,
        "scales": stored.scale_kind or stored.scales.dtype, "divisor": stored.divisor,
    }  # fmt: skip
    if stored.zeros is not None:
        arguments["zeros"] = "packed" if stored.packed_zeros else stored.zeros.dtype
    if stored.whole is not None:
        arguments["whole"] = "divide" if stored.divide else "multiply"
    called = module.free_name(name, stored.weight)
    entry = stored.weight._replace(
        name=called, role=name, shape=stored.shape, dtype=dtype, parts=tuple(_parts(stored)), encoding="scaled",
        encoding_args=tuple(arguments.items()),
    )  # fmt: skip
    scales = stored.scales if stored.scales.name in (f"{module.prefix}{s}" for s in _SCALES) else None
    activations = [module.get(name) for name in _ACTIVATIONS]
    return module.replaced(stored.weight, entry, scales, stored.zeros, stored.whole, *activations, *beside)


_SCALES = ("weight_scale", "weight_scale_inv", "SCB")
_ACTIVATIONS = ("input_scale", "input_zero_point", "input_global_scale", "output_scale")
"""What belongs to the values that flow through the layer."""


def _parts(stored: Stored) -> Iterator[Part]:
    """Runs of whole rows with the scales of the blocks that they touch."""
    extent, scales = extent_of(stored.weight), extent_of(stored.scales)
    line = stored.grid.per_row * DTYPE_BITS[stored.scales.dtype] // 8
    for rows in rows_of(stored.shape, stored.row_bytes):
        first, last = rows.first // stored.grid.rows, (rows.first + rows.number - 1) // stored.grid.rows
        beside = [Extent(scales.file, scales.offset + first * line, (last - first + 1) * line)]
        if stored.zeros is not None and stored.packed_zeros:
            per_word = WORD // DTYPE_BITS[stored.dtype]
            low, high = first // per_word, last // per_word
            beside.append(lines(stored.zeros, low, high - low + 1))
        elif stored.zeros is not None:
            zeros, size = extent_of(stored.zeros), stored.grid.per_row * DTYPE_BITS[stored.zeros.dtype] // 8
            beside.append(Extent(zeros.file, zeros.offset + first * size, (last - first + 1) * size))
        if stored.whole is not None:
            beside.append(extent_of(stored.whole))
        place = Extent(extent.file, extent.offset + rows.first * stored.row_bytes, rows.number * stored.row_bytes)
        yield Part(place, rows.origin if len(stored.shape) > 1 else (0,), rows.shape, 0, tuple(beside))


def _shape(module: Module, packed: TensorEntry) -> tuple[int, ...]:
    """The shape that `weight_shape` holds, `()` if it is not there or does not fit."""
    noted = module.get("weight_shape")
    raw = module.small(noted)
    if noted is None or noted.dtype not in ("int64", "int32") or not raw:
        return ()
    shape = unpack(f"<{noted.size}{'q' if noted.dtype == 'int64' else 'i'}", raw)
    return shape if len(shape) == len(packed.shape) and shape[:-1] == packed.shape[:-1] and shape[-1] > 0 else ()


def _bits(module: Module, packed: TensorEntry, shape: tuple[int, ...]) -> int:
    """Bits of a value: those of the configuration if it names just one width, else what the words' number allows."""
    groups = _mapping(module.settings.get("config_groups")).values()
    said = [_mapping(_mapping(group).get("weights")).get("num_bits") for group in groups]
    fitting = [b for b in PACKED_BITS if packed.shape[-1] in (-(-shape[-1] * b // WORD), -(-shape[-1] // WORD) * b)]
    wanted = [b for b in fitting if b in said] or fitting
    return wanted[0] if len(wanted) == 1 else 0


def _zeros_fit(zeros: TensorEntry, shape: tuple[int, ...], scales: TensorEntry, bits: int) -> bool:
    """Whether there is one for each scale, in bytes or packed along the rows."""
    if zeros.dtype == "int8":
        return zeros.shape == scales.shape
    words = -(-shape[0] // (WORD // bits))
    padded = -(-shape[0] // WORD) * bits
    return len(shape) == 2 and zeros.shape in ((words, scales.shape[-1]), (padded, scales.shape[-1]))


def _readable_zeros(module: Module, stored: Stored, bits: int) -> Outcome:
    """Zero points that lie packed along the rows, as integers."""
    assert stored.zeros is not None
    rows, columns = stored.shape[0], stored.grid.per_row
    words = -(-rows // (WORD // bits))
    part = Part(lines(stored.zeros, 0, words), (0, 0), (rows, columns))
    arguments = (("bits", bits), ("offset", 1 << bits - 1))
    entry = stored.zeros._replace(
        dtype=f"int{bits}", shape=(rows, columns), parts=(part,), encoding="packed-rows", encoding_args=arguments,
        group=BESIDE,
    )  # fmt: skip
    return module.replaced(stored.zeros, entry)


def _grid(scales: tuple[int, ...], shape: tuple[int, ...], settings: Mapping[str, Any]) -> Grid | None:
    """The blocks that scales of this shape belong to; None where that is not certain."""
    rows, columns = prod(shape[:-1]), shape[-1]
    if prod(scales) == 1:
        return Grid(max(rows, 1), max(columns, 1), 1)
    if len(shape) == 3 and len(scales) == 3 and scales[0] == shape[0]:
        inner = _grid(scales[1:], shape[1:], settings)
        return inner if inner is not None and shape[1] % inner.rows == 0 else None
    if scales in ((rows,), (rows, 1)) and len(shape) > 1:
        return Grid(1, max(columns, 1), 1)
    if len(scales) != 2 or len(shape) != 2:
        return None
    said = settings.get("weight_block_size")
    known = isinstance(said, list) and len(said) == 2 and all(type(n) is int and n > 0 for n in said)
    height, width = said if isinstance(said, list) and known else BLOCK
    if (-(-rows // height), -(-columns // width)) == scales and (known or scales[0] != rows):
        return Grid(height, width, scales[1])
    if scales[0] == rows and columns % scales[1] == 0:
        return Grid(1, columns // scales[1], scales[1])
    return None


def _words(grid: Grid, shape: tuple[int, ...]) -> str:
    """What has a scale: `rows`, `blocks of 128x128`."""
    if grid.per_row == 1 and grid.columns >= shape[-1]:
        return "each row" if grid.rows == 1 else "the whole tensor"
    return f"blocks of {grid.rows}x{grid.columns}" if grid.rows > 1 else f"groups of {grid.columns}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
