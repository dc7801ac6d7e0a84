"""What tells one content of a checkpoint from another without opening it: the stamps of all files that belong to it.

Knows paths, no format. Standard library only.
"""

from __future__ import annotations

import os
import time

from wtui.cache import Stamp, is_settled, stamp_of

__all__ = ["Signature", "is_quiet", "signature"]

Signature = tuple[tuple[str, Stamp], ...]
"""Paths of files and their stamps, sorted by path."""

MAX_FILES = 4096
"""Files of one checkpoint's folder that are looked at: a zarr array may have a million chunks."""


def signature(path: str) -> Signature | None:
    """The signature of a file, of all files below a folder, or of a TensorFlow checkpoint given by its `.index`.

    None if there is nothing, or something vanishes meanwhile.
    """
    found = []
    for place in _files(path):
        stamp = stamp_of(place)
        if stamp is None:
            return None
        found.append((place, stamp))
    return tuple(sorted(found)) or None


def is_quiet(found: Signature) -> bool:
    """Whether a change from now on would show in another signature: nothing was written within the last tick."""
    return is_settled(tuple(stamp for _, stamp in found), time.time_ns())


def _files(path: str) -> list[str]:
    if os.path.isdir(path):
        found: list[str] = []
        for place, folders, names in os.walk(path):
            folders.sort()
            found += [os.path.join(place, name) for name in sorted(names)]
            if len(found) >= MAX_FILES:
                break
        return found[:MAX_FILES]
    prefix = path.removesuffix(".index")
    if prefix == path and os.path.exists(path):
        return [path]
    folder, start = os.path.split(prefix)
    try:
        return [os.path.join(folder, n) for n in os.listdir(folder or ".") if n.startswith(start + ".")]
    except OSError:
        return []
