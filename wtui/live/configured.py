"""What the configuration of one Keras layer says about it, in a few words: activation, initialisers, regularisers.

Data in, text out; whatever does not have the expected form is left out. Knows no file and no framework.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["activation_of", "initialisers_of", "regularisers_of", "squashing_of"]

_SHOWN = (
    "stddev",
    "mean",
    "minval",
    "maxval",
    "value",
    "gain",
    "scale",
    "mode",
    "distribution",
    "l1",
    "l2",
    "rate",
    "factor",
)
"""Settings of initialisers and regularisers that are worth a word, where they are set."""

_DEFAULTS = {"mean": 0.0, "gain": 1.0, "l1": 0.0}
"""Values that say nothing."""

_RECTIFIERS = frozenset({"relu", "relu6", "relu_6"})
_SIGMOIDS = frozenset({"sigmoid", "hard_sigmoid"})
_ACTIVATION_CLASSES = {"relu": "relu", "softmax": "softmax"}
"""Layer classes that are nothing but an activation."""

_RECURRENT = ("lstm", "gru", "rnn")
"""Classes whose activation is not the last thing that happens to their output."""


def activation_of(config: Mapping[str, Any]) -> str:
    """`relu`, `tanh, sigmoid` (of a recurrent layer), `LeakyReLU`; `""` where none is recorded."""
    names = [_name(config.get(key)) for key in ("activation", "recurrent_activation", "inner_activation")]
    inner = _inside(config)
    if not any(names) and inner is not None:
        return activation_of(inner)
    return ", ".join(name for name in names if name)


def initialisers_of(config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(`kernel`, `GlorotUniform`), ... in the configuration's order."""
    found = _named(config, "_initializer", "_init")
    if isinstance(config.get("init"), str):
        found = (("kernel", config["init"]), *found)
    inner = _inside(config)
    return found if found or inner is None else initialisers_of(inner)


def regularisers_of(config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(`kernel`, `L2(l2=0.0005)`), ...: those that are set."""
    found = _named(config, "_regularizer")
    inner = _inside(config)
    return found if found or inner is None else regularisers_of(inner)


def squashing_of(class_name: str, config: Mapping[str, Any]) -> str:
    """What a layer's outputs went through last: `relu`, `sigmoid`, `tanh`, `softmax`, or `""` for anything else."""
    lower = class_name.lower()
    if any(word in lower for word in _RECURRENT):
        return ""
    name = _ACTIVATION_CLASSES.get(lower) or _name(config.get("activation")).lower()
    if lower == "relu" and any(config.get(key) for key in ("negative_slope", "threshold")):
        return ""
    if name in _RECTIFIERS:
        return "relu"
    return "sigmoid" if name in _SIGMOIDS else name if name in ("tanh", "softmax") else ""


def _inside(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The configuration of the layer that a wrapper wraps."""
    layer = config.get("layer")
    inner = layer.get("config") if isinstance(layer, Mapping) else None
    return inner if isinstance(inner, Mapping) else None


def _named(config: Mapping[str, Any], *endings: str) -> tuple[tuple[str, str], ...]:
    """(what, object) of all keys with one of these endings whose value is set."""
    found: Iterator[tuple[str, str]] = (
        (key.removesuffix(ending), text)
        for key, value in config.items()
        for ending in endings
        if isinstance(key, str) and key.endswith(ending) and (text := _object(value))
    )
    return tuple(found)


def _name(value: object) -> str:
    """The name of an activation, however it is recorded."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        return ""
    if value.get("class_name") == "function":
        inner = value.get("config")
        return inner if isinstance(inner, str) else ""
    return _object(value)


def _object(value: object) -> str:
    """`TruncatedNormal(stddev=0.02)`; `""` for what is no object."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping) or not isinstance(value.get("class_name"), str):
        return ""
    name = value["class_name"].rpartition(">")[2]
    config = value.get("config")
    settings = config if isinstance(config, Mapping) else {}
    shown = [f"{k}={_short(settings[k])}" for k in _SHOWN if _is_telling(k, settings.get(k))]
    return f"{name}({', '.join(shown)})" if shown else name


def _is_telling(key: str, value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool) and value != _DEFAULTS.get(key)


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:40]
