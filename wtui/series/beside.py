"""What programs write beside checkpoints and say the order by: a trainer's state, TensorFlow's `checkpoint` file.

Small text files of others: whatever is in them is judged, nothing is believed for its form. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["MAX_TEXT", "TRAINER_STATE", "tensorflow_order", "trainer_state"]

MAX_TEXT = 16 << 20
"""Bytes of a text file beside the checkpoints that are read; a log of more is no log."""

TRAINER_STATE = "trainer_state.json"

_STATE_PATH = re.compile(r'^all_model_checkpoint_paths:\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)


def trainer_state(path: str) -> Mapping[str, Any]:
    """What a trainer has written beside the weights, in a checkpoint's folder or a run's; `{}` if there is nothing."""
    try:
        place = os.path.join(path, TRAINER_STATE)
        if os.path.getsize(place) > MAX_TEXT:
            return {}
        with open(place, encoding="utf-8", errors="replace") as file:
            state = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return state if isinstance(state, Mapping) else {}


def tensorflow_order(folder: str) -> dict[str, int]:
    """Prefixes of checkpoints in the order of TensorFlow's state file, `{}` without one. Paths may be stale."""
    try:
        path = os.path.join(folder, "checkpoint")
        if os.path.getsize(path) > MAX_TEXT:
            return {}
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return {}
    return {os.path.basename(p): i for i, p in enumerate(_STATE_PATH.findall(text))}
