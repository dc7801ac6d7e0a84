"""GPTQ and AWQ: `qweight`, `qzeros`, `scales` and, for GPTQ, `g_idx`. The codec is `wtui.codecs.grouped`.

The two are told apart by their shapes. What GPTQ's zero points mean depends on the version that the configuration
names; without any it is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.formats.packed.module import BESIDE, PIECE, Module, extent_of, lines
from wtui.model import Extent, Part, TensorEntry

if TYPE_CHECKING:
    from wtui.formats.packed.module import Outcome

__all__ = ["unpack"]

BITS = (2, 4, 8)
FLOATS = ("float16", "bfloat16", "float32")
GEMM = ("", "gemm", "exllama", "ipex")
"""Names of AWQ's versions that keep weights in the same way."""
SHIFTS = {"gptq": 1, "gptq_v2": 0}
"""What is added to stored zero points, by `checkpoint_format`."""


class _Stored(NamedTuple):
    """The tensors of a module."""

    weight: TensorEntry
    zeros: TensorEntry
    scales: TensorEntry
    groups: TensorEntry | None


def unpack(module: Module) -> Outcome:
    """The weight of (outputs, inputs) that the words stand for, or why it is not known."""
    parts = [module.get(name) for name in ("qweight", "qzeros", "scales")]
    weight, zeros, scales = parts
    if module.shown_by.dtype not in ("int32", "uint32"):
        return {}
    if weight is None or zeros is None or scales is None or scales.dtype not in FLOATS:
        return module.not_values("scales or zero points are missing beside it", module.shown_by)
    if any(len(t.shape) != 2 for t in (weight, zeros, scales)) or zeros.shape[0] != scales.shape[0]:
        return module.not_values("its shape is that of no known scheme", weight, zeros)
    stored = _Stored(weight, zeros, scales, module.get("g_idx"))
    outputs = scales.shape[1]
    if weight.shape[1] == outputs:
        return _gptq(module, stored)
    if weight.shape[1] * 8 == outputs == zeros.shape[1] * 8:
        return _awq(module, stored)
    return module.not_values("its shape is that of no known scheme", weight, zeros)


def _gptq(module: Module, stored: _Stored) -> Outcome:
    weight, zeros, scales, groups = stored
    outputs = scales.shape[1]
    bits, odd = divmod(zeros.shape[1] * 32, max(outputs, 1))
    if odd or bits not in BITS:
        return module.not_values(f"{bits} bits" if not odd else "bits of an odd number", weight, zeros)
    inputs = weight.shape[0] * 32 // bits
    shift = _shift(module.settings)
    if isinstance(shift, str):
        return module.not_values(shift, weight, zeros)
    if groups is not None and (groups.shape != (inputs,) or groups.dtype != "int32"):
        return module.not_values("its g_idx does not fit its inputs", weight, zeros)
    group = _group_size(module.settings.get("group_size"), inputs, scales.shape[0])
    if not group:
        return module.not_values("its number of groups does not fit its inputs", weight, zeros)
    scattered = groups is not None and module.settings.get("desc_act") is not False
    arguments = {"bits": bits, "group": group, "shift": shift, "scales": scales.dtype, "all_groups": scattered}
    about = f"GPTQ, {bits} bits, groups of {group}" + (" in any order" if scattered else "")
    entry = _entry(module, stored, (outputs, inputs), "gptq", bits, arguments, about)
    raw_zeros = zeros._replace(dtype=f"uint{bits}", shape=scales.shape, group=BESIDE)
    return {**module.replaced(weight, entry, zeros, scales, groups), **module.replaced(zeros, raw_zeros)}


def _awq(module: Module, stored: _Stored) -> Outcome:
    weight, zeros, scales, _ = stored
    version = str(module.settings.get("version", "")).lower()
    inputs, outputs = weight.shape[0], scales.shape[1]
    group = _group_size(module.settings.get("group_size", module.settings.get("q_group_size")), inputs, scales.shape[0])
    if version not in GEMM:
        return module.not_values(f"AWQ of version {version}", weight, zeros)
    if not group:
        return module.not_values("its number of groups does not fit its inputs", weight, zeros)
    arguments = {"bits": 4, "group": group, "scales": scales.dtype, "all_groups": False}
    about = f"AWQ, 4 bits, groups of {group}"
    entry = _entry(module, stored, (outputs, inputs), "awq", 4, arguments, about)
    whole = Part(extent_of(zeros), (0, 0), scales.shape)
    raw_zeros = zeros._replace(dtype="uint4", shape=scales.shape, encoding="awq-zeros", parts=(whole,), group=BESIDE)
    return {**module.replaced(weight, entry, zeros, scales), **module.replaced(zeros, raw_zeros)}


def _shift(settings: Any) -> int | str:
    """What is added to stored zero points, or why that is not known."""
    if not settings:
        return "GPTQ without a configuration (config.json) that says what its zero points mean"
    method = str(settings.get("quant_method", "gptq")).lower()
    form = str(settings.get("checkpoint_format", "gptq")).lower()
    if method not in ("gptq", "auto-round", "intel/auto-round") or form not in SHIFTS:
        return f"{method} of format {form}"
    if method != "gptq" and "checkpoint_format" not in settings:
        return f"{method} without a format that says what its zero points mean"
    return SHIFTS[form]


def _group_size(said: object, inputs: int, groups: int) -> int:
    """Inputs of a group, 0 where that many groups do not make the inputs."""
    if isinstance(said, int) and said > 0 and -(-inputs // said) == groups:
        return said
    return inputs // groups if groups and inputs % groups == 0 else 0


def _entry(
    module: Module,
    stored: _Stored,
    shape: tuple[int, int],
    encoding: str,
    bits: int,
    arguments: dict[str, Any],
    about: str,
) -> TensorEntry:
    name = module.free_name("weight", stored.weight)
    parts = tuple(_parts(stored, shape, bits, arguments))
    return stored.weight._replace(
        name=name, role="weight", shape=shape, dtype=f"uint{bits}", parts=parts, encoding=encoding,
        encoding_args=(("about", about), *arguments.items()),
    )  # fmt: skip


def _parts(stored: _Stored, shape: tuple[int, int], bits: int, arguments: dict[str, Any]) -> list[Part]:
    """Lines of words, each with the scales and zero points of the groups that its inputs belong to."""
    outputs, inputs = shape
    rows = stored.weight.shape[0]
    per_row = inputs // rows if rows else 1
    step = max(1, PIECE // max(extent_of(stored.weight).length // max(rows, 1), 1))
    group = int(arguments["group"])
    found = []
    for first in range(0, rows, step):
        count = min(step, rows - first)
        start, stop = first * per_row, (first + count) * per_row
        low, high = (
            (0, stored.scales.shape[0]) if arguments["all_groups"] else (start // group, (stop - 1) // group + 1)
        )
        beside: tuple[Extent, ...] = (lines(stored.scales, low, high - low), lines(stored.zeros, low, high - low))
        if stored.groups is not None and stored.weight.shape[1] == outputs:
            beside = (*beside, lines(stored.groups, start, stop - start))
        found.append(Part(lines(stored.weight, first, count), (0, start), (outputs, stop - start), 0, beside))
    return found
