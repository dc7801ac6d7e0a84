"""The small JSON files that lie beside weights: configurations, indices. Knows no model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError, WtuiError
from wtui.model import Notice

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["class_in", "configuration", "read_json"]

MAX_JSON = 64 << 20
"""Bytes of a JSON file that are read: the index of a million tensors is about this large."""


def read_json(probe: Probe, name: str) -> dict[str, Any]:
    """A JSON object from beside the weights, `{}` where there is none; FormatError where it is damaged."""
    path = probe.inside(name)
    if path is None:
        return {}
    source = probe.open(path)
    if source.size > MAX_JSON:
        raise FormatError(f"has {source.size:,} bytes, too many to be metadata", path)
    try:
        value = json.loads(source.read(0, source.size))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"is not valid JSON ({str(error)[:100]})", path) from error
    return value if isinstance(value, dict) else {}


def configuration(probe: Probe, name: str, notices: list[Notice]) -> dict[str, Any]:
    """As `read_json`, for a file that the weights can be read without: a damaged one gives a notice and `{}`."""
    try:
        return read_json(probe, name)
    except WtuiError as error:
        notices.append(Notice("", f"{name} beside it {error.what}", lost=True))
        return {}


def class_in(config: dict[str, Any]) -> str:
    """The model's class by the `config.json` of Hugging Face, `""` where it does not say."""
    classes = config.get("architectures")
    return str(classes[0])[:200] if isinstance(classes, list) and classes else ""
