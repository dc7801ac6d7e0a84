"""What PyTorch's folders have in common: JSON beside the weights, files that may be missing, names of the whole."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["class_in_config", "folder_name", "read_json", "read_text"]

MAX_JSON = 64 << 20
"""Bytes of a JSON file that are read: the index of a million tensors is about this large."""

MAX_TEXT = 1 << 12
"""Bytes of a text file that names another file."""


def read_json(probe: Probe, name: str) -> dict[str, Any]:
    """A JSON object from the folder, `{}` where there is none; FormatError where it is damaged or too large."""
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


def read_text(probe: Probe, name: str) -> str:
    """The first line of a short text file in the folder, `""` where there is none."""
    path = probe.inside(name)
    if path is None:
        return ""
    source = probe.open(path)
    text = source.read(0, min(source.size, MAX_TEXT)).decode("utf-8", "replace").strip()
    return text.splitlines()[0] if text else ""


def folder_name(probe: Probe) -> str:
    """What to call the model: the folder's own name."""
    folder = probe.path if probe.is_folder else os.path.dirname(probe.path)
    return os.path.basename(os.path.abspath(folder))


def class_in_config(config: dict[str, Any]) -> str:
    """The model's class by the `config.json` of Hugging Face, `""` where it does not say."""
    classes = config.get("architectures")
    return str(classes[0])[:200] if isinstance(classes, list) and classes else ""
