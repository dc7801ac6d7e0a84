"""Packed and quantised weights as the values they stand for, whatever kind of file they lie in.

Takes the tensors of a catalogue as a file lists them, and gives as many in the same order: packed words become the
weight that they hold, under its usual name; scales, zero points and the like are put beside the model. What is not
certain stays as it is, with a problem: statistics of packed words would be no statistics of weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wtui.formats.packed import bnb, foreign, scaled, words
from wtui.formats.packed.module import Module

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.formats.packed.module import Outcome, Reader
    from wtui.model import TensorEntry

__all__ = ["CONFIGURATIONS", "settings_of", "unpacked"]

CONFIGURATIONS = ("quantize_config.json", "quant_config.json")
"""Files beside the weights that say how they are packed, where `config.json` does not (AutoGPTQ, AutoAWQ)."""

_HANDLERS: dict[str, Callable[[Module], Outcome]] = {
    "qweight": words.unpack,
    "weight_packed": scaled.compressed,
    "weight_scale": scaled.scaled_weight,
    "weight_scale_inv": scaled.scaled_weight,
    "SCB": scaled.int8_rows,
    "bitsandbytes__nf4": bnb.unpack,
    "bitsandbytes__fp4": bnb.unpack,
    "blocks": scaled.mxfp4,
    **dict.fromkeys(foreign.SCHEMES, foreign.unpack),
}
"""Role of a tensor that shows that a module is packed -> what makes its tensors anew."""


def settings_of(config: Mapping[str, Any], beside: Iterable[Mapping[str, Any]] = ()) -> Mapping[str, Any]:
    """How the weights are packed, as `config.json` says (`quantization_config`), or a file of CONFIGURATIONS does."""
    inner = config.get("text_config")
    for place in (config, inner if isinstance(inner, Mapping) else {}):
        for key in ("quantization_config", "compression_config"):
            found = place.get(key)
            if isinstance(found, Mapping):
                return found
    return next((found for found in beside if found), {})


def unpacked(
    tensors: Sequence[TensorEntry], settings: Callable[[], Mapping[str, Any]], read: Reader
) -> list[TensorEntry]:
    """The same number of tensors in the same order.

    `settings` are asked for if any are packed; `read` gives the bytes of small tensors that describe others.
    """
    tensors = list(tensors)
    keys = {role: _trigger(role) for role in {t.role for t in tensors}}
    triggers = [(i, keys[t.role]) for i, t in enumerate(tensors) if keys[t.role]] if any(keys.values()) else []
    if not triggers:
        return tensors
    said = settings()
    numbers = {t.name: i for i, t in enumerate(tensors)}
    for number, key in triggers:
        module = Module(tensors, numbers, tensors[number], said, read)
        for index, entry in _HANDLERS[key](module).items():
            tensors[index] = entry
    return _renamed(tensors, numbers)


def _renamed(tensors: list[TensorEntry], numbers: Mapping[str, int]) -> list[TensorEntry]:
    """The tensors, aliases of those that have another name now called so."""
    for number, tensor in enumerate(tensors):
        if tensor.alias_of is not None and tensor.alias_of in numbers:
            tensors[number] = tensor._replace(alias_of=tensors[numbers[tensor.alias_of]].name)
    return tensors


def _trigger(role: str) -> str:
    """The key of the handler for a tensor of this role, `""` for most."""
    if role in _HANDLERS:
        return role
    return "blocks" if role.endswith("_blocks") else ""
