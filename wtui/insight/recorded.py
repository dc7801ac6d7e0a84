"""The initialiser that a Keras configuration records for a variable, whatever version of Keras wrote it.

A configuration is data from a file: what does not have the expected form is not an initialiser. Formulas are those of
`keras.initializers` (3.x) and, for the uncorrected truncated normal, of Keras before 2.2.3. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, sqrt
from typing import Any

from wtui.insight.types import Fans, How, Initial

__all__ = ["initialisers_of", "recorded"]

CUT_CORRECTION = 0.87962566103423978
"""Standard deviation of a standard normal cut off at 2: Keras divides by it."""

_KEYS = {
    "recurrent_kernel": ("recurrent_initializer", "inner_init"),
    "depthwise_kernel": ("depthwise_initializer",),
    "pointwise_kernel": ("pointwise_initializer",),
    "embeddings": ("embeddings_initializer", "init"),
    "kernel": ("kernel_initializer", "depthwise_initializer", "init"),
}
"""Role -> keys of the configuration, those of Keras 3 and 2 before those of Keras 1; others: role + `_initializer`."""

_SCALED = {
    "glorot": (1.0, "fan_avg"),
    "xavier": (1.0, "fan_avg"),
    "he": (2.0, "fan_in"),
    "kaiming": (2.0, "fan_in"),
    "lecun": (1.0, "fan_in"),
}
"""Name -> scale and mode of its VarianceScaling."""


def recorded(role: str, config: Mapping[str, Any], fans: Fans | None) -> tuple[Initial, ...]:
    """What `config` says of the variable `role`; two where its words meant different things to versions of Keras."""
    for key in _KEYS.get(role, (f"{role}_initializer",)):
        if config.get(key) is not None:
            return initialisers_of(config[key], fans, "recorded")
    return ()


def initialisers_of(value: object, fans: Fans | None, how: How = "unknown") -> tuple[Initial, ...]:
    """From a name (`he_normal`) or a serialised initialiser; `()` for one that is not known."""
    config: Mapping[str, Any] = {}
    name = value
    if isinstance(value, Mapping):
        name, inner = value.get("class_name"), value.get("config")
        config = inner if isinstance(inner, Mapping) else {}
    if not isinstance(name, str):
        return ()
    plain = name.rpartition(">")[2].replace("_", "").lower().removesuffix("v2")
    found = _scaled(plain, config, fans) or _fixed(plain, config)
    return tuple(i._replace(how=how) for i in found if isfinite(i.scale) and isfinite(i.centre))


def _scaled(plain: str, config: Mapping[str, Any], fans: Fans | None) -> tuple[Initial, ...]:
    """Initialisers whose spread follows from the fans."""
    if fans is None:
        return ()
    for prefix, (scale, mode) in _SCALED.items():
        for kind in ("uniform", "normal"):
            if plain == prefix + kind:
                label = f"{'glorot' if prefix == 'xavier' else 'he' if prefix == 'kaiming' else prefix}_{kind}"
                form = "truncated_normal" if kind == "normal" else kind
                return _variance_scaling(label, scale, mode, form, fans)
    if plain != "variancescaling":
        return ()
    scale, mode = _number(config, "scale", 1.0), str(config.get("mode", "fan_in"))
    form = str(config.get("distribution", "truncated_normal"))
    return _variance_scaling(_label(scale, mode, form), scale, mode, form, fans, form == "normal")


def _variance_scaling(
    name: str, scale: float, mode: str, form: str, fans: Fans, ambiguous: bool = False
) -> tuple[Initial, ...]:
    """`keras.initializers.VarianceScaling`; `ambiguous`: written when truncation was not yet corrected for."""
    width = {"fan_in": fans.fan_in, "fan_out": fans.fan_out, "fan_avg": (fans.fan_in + fans.fan_out) / 2}.get(mode)
    if width is None or not scale > 0:
        return ()
    variance = scale / max(1.0, width)
    if form == "uniform":
        return (Initial(name, "uniform", sqrt(3 * variance)),)
    if form == "untruncated_normal":
        return (Initial(name, "normal", sqrt(variance)),)
    corrected = Initial(name, "truncated", sqrt(variance) / CUT_CORRECTION)
    early = Initial(f"{name} of early Keras", "truncated", sqrt(variance))
    return (corrected, early) if ambiguous else (corrected,)


def _label(scale: float, mode: str, form: str) -> str:
    """The usual name of a variance scaling (`he_normal`), or its own with its settings."""
    kind = "uniform" if form == "uniform" else "normal"
    for prefix, known in _SCALED.items():
        if known == (scale, mode) and form != "untruncated_normal":
            return f"{prefix}_{kind}"
    return f"variance_scaling({scale:g}, {mode}, {form})"


def _fixed(plain: str, config: Mapping[str, Any]) -> tuple[Initial, ...]:
    """Initialisers whose spread is in the configuration."""
    mean = _number(config, "mean", 0.0)
    if plain in ("randomuniform", "uniform"):
        low, high = _number(config, "minval", -0.05), _number(config, "maxval", 0.05)
        return (Initial(f"random_uniform({low:g}, {high:g})", "uniform", (high - low) / 2, (low + high) / 2),)
    if plain in ("randomnormal", "normal"):
        std = _number(config, "stddev", 0.05)
        return (Initial(f"random_normal({std:g})", "normal", std, mean),)
    if plain == "truncatednormal":
        std = _number(config, "stddev", 0.05)
        return (Initial(f"truncated_normal({std:g})", "truncated", std, mean),)
    if plain in ("orthogonal", "orthogonalinitializer"):
        return (Initial("orthogonal", "orthogonal", _number(config, "gain", 1.0)),)
    if plain in ("identity", "identityinitializer"):
        return (Initial("identity", "identity", _number(config, "gain", 1.0)),)
    constants = {"zeros": 0.0, "zero": 0.0, "ones": 1.0, "one": 1.0}
    if plain in constants:
        return (Initial("zeros" if constants[plain] == 0 else "ones", "constant", 0.0, constants[plain]),)
    if plain == "constant" and isinstance(config.get("value", 0.0), int | float):
        value = _number(config, "value", 0.0)
        return (Initial(f"constant({value:g})", "constant", 0.0, value),)
    return ()


def _number(config: Mapping[str, Any], key: str, default: float) -> float:
    """A number of the configuration; the default where it is absent or something else."""
    value = config.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default
