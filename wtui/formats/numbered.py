"""Shards that are numbered in their names (`model-00002-of-00005.safetensors`): which ones the others speak of.

Looks at names alone. Knows no format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from wtui.model import Notice

__all__ = ["alone", "missing_numbers"]

_NUMBERED = re.compile(r"-(\d{5})-of-(\d{5})\.\w+$")

MAX_SHARDS = 10_000
MAX_NOTICES = 50
"""Missing shards that are told."""


def missing_numbers(shards: Iterable[str]) -> list[Notice]:
    """Notices on shards that the names of the others count and that are not among them."""
    numbers = [m for m in map(_NUMBERED.search, shards) if m]
    if not numbers:
        return []
    count = max(int(m[2]) for m in numbers)
    missing = sorted(set(range(1, min(count, MAX_SHARDS) + 1)) - {int(m[1]) for m in numbers})
    return [Notice("", f"shard {n} of {count} is missing", lost=True) for n in missing[:MAX_NOTICES]]


def alone(name: str) -> list[Notice]:
    """A notice on a shard that was opened by itself."""
    found = _NUMBERED.search(name)
    if found is None or int(found[2]) < 2:
        return []
    return [Notice("", f"this is shard {int(found[1])} of {int(found[2])}: open the folder for the whole model")]
