"""wtui: a terminal browser for the weights inside neural-network model files.

    with wtui.open("vgg16.keras") as model:
        print(model["fc1/kernel"].summary().std)

Names are imported when they are first used, so that `import wtui` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wtui.api import Layer, Model, ScanResult, Tensor, browse, open
    from wtui.comparisons import compare
    from wtui.errors import WtuiError
    from wtui.insight.compared import Compared
    from wtui.stats.summary import Summary

__all__ = [
    "Compared",
    "Layer",
    "Model",
    "ScanResult",
    "Summary",
    "Tensor",
    "WtuiError",
    "__version__",
    "browse",
    "compare",
    "open",
]

__version__ = "0.1.0"

_HOMES = {
    "Compared": "insight.compared",
    "Layer": "api",
    "Model": "api",
    "ScanResult": "api",
    "Tensor": "api",
    "browse": "api",
    "compare": "comparisons",
    "open": "api",
    "Summary": "stats.summary",
    "WtuiError": "errors",
}
"""Module below `wtui` that each public name comes from."""


_MODULES = ("keras",)
"""Modules that are used by their name, and import a framework."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES and name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"wtui.{name}")
    value = globals()[name] = getattr(import_module(f"wtui.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})
