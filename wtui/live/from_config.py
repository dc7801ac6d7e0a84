"""A Keras configuration without weights (`config.json`, what `model.to_json()` gives) as a model file to open.

Built by Keras in a process of its own and saved to a temporary file, as architectures by name are: names and shapes are
then those of its own files. Layers that would run code are refused before Keras sees them.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

from wtui.live.applications import BuiltFile
from wtui.live.process import FrameworkError, FrameworkProcess
from wtui.live.protocol import BuildFrom, Built
from wtui.live.refusal import is_model, pieces, refusals

__all__ = ["TIME_LIMIT", "build_from_config", "keras_config"]

MAX_BYTES = 64 << 20
"""Of a configuration: those of the largest models have a few MB."""

TIME_LIMIT = 300.0
"""Seconds after which Keras is stopped."""


def keras_config(path: str) -> dict[str, Any] | None:
    """The configuration that a file is; None for anything else."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > MAX_BYTES:
            return None
        with open(path, "rb") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and is_model(found) else None


def build_from_config(config: dict[str, Any], path: str, limit: float = TIME_LIMIT) -> BuiltFile:
    """The model with weights as Keras initialises them, saved; FrameworkError if Keras cannot or may not build it.

    `path` is where the configuration came from.
    """
    refused = refusals(config)
    if refused:
        layer, why = next(iter(refused.items()))
        raise FrameworkError(f"{layer or 'the model'} {why}, and is not built", path)
    [piece] = pieces(config, {})
    file = BuiltFile(tempfile.mkdtemp(prefix=f"wtui-built-{os.getpid()}-"), "model")
    try:
        for message in FrameworkProcess(BuildFrom(json.dumps(piece.config), file.path), device="cpu", limit=limit):
            if isinstance(message, Built):
                return file
        raise FrameworkError("stopped")
    except BaseException:
        file.close()
        raise
