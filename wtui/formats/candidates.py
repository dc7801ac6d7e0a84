"""The models in a folder, found by a cheap look at the first bytes of each file.

For a user who has not said which one to open. Reads no weights and describes nothing; a file that cannot be read is
no candidate.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from wtui.errors import FormatError, WtuiError
from wtui.formats import FORMATS, sniff

__all__ = ["Candidate", "find_models", "models_inside"]

MAX_LOOKS = 1000
"""Files whose first bytes are looked at, those with a known suffix first: a home folder must not take seconds."""

MAX_FOLDERS = 200
"""Folders below the given one that are looked into."""

_PARTS = (
    (re.compile(r"-\d{5}-of-\d{5}\.\w+$"), ".index.json"),
    (re.compile(r"_\d{5}\.weights\.h5$"), ".weights.json"),
    (re.compile(r"\.data-\d{5}-of-\d{5}$|\.meta$|^checkpoint$"), ".index"),
)
"""Names of files that are a part of a model, and how the name of the file ends that stands for the whole."""

_LATER = re.compile(r"-(?!00001)\d{5}-of-\d{5}\.\w+$")
"""Names of shards behind the first, which stands for all where there is no index."""


class Candidate(NamedTuple):
    """A file or folder that seems to be a model."""

    path: str
    format: str
    """Name of its reader in `wtui.formats.FORMATS`."""
    size: int
    """Bytes of the file, or of the files in the folder."""
    mtime: float
    """When it was last written, in seconds since 1970."""


def find_models(folder: str, depth: int = 1) -> list[Candidate]:
    """The models in a folder and in folders up to `depth` below it, the newest first; `[]` if it cannot be listed."""
    found = _in_folder(folder, depth, [MAX_LOOKS, MAX_FOLDERS])
    return sorted(found, key=lambda c: (-c.mtime, c.path))


def models_inside(path: str) -> list[Candidate]:
    """The models to choose from where `path` is a folder and no model itself, the newest first; `[]` otherwise."""
    if not os.path.isdir(path):
        return []
    try:
        sniff(path)
    except FormatError:
        return find_models(path)
    return []


def _in_folder(folder: str, depth: int, budget: list[int]) -> list[Candidate]:
    """Models of one folder and below; `budget` counts down the looks and folders that are left."""
    files, folders = _entries(folder)
    parts = [part for part, end in _PARTS if any(name.endswith(end) for name in files)]
    found: list[Candidate] = []
    for name in sorted(files, key=lambda n: (not n.lower().endswith(_suffixes()), n)):
        if _LATER.search(name) or any(part.search(name) for part in parts) or budget[0] <= 0:
            continue
        budget[0] -= 1
        found += _look(os.path.join(folder, name), files[name])
    for name in sorted(folders) if depth > 0 else ():
        if budget[1] <= 0:
            break
        budget[1] -= 1
        path = os.path.join(folder, name)
        inside = _in_folder(path, depth - 1, budget)
        whole = _look(path, None) if len(inside) <= 1 else []
        found += whole or inside
    return found


def _suffixes() -> tuple[str, ...]:
    return tuple({suffix for format in FORMATS for suffix in format.suffixes})


def _entries(folder: str) -> tuple[dict[str, os.stat_result], list[str]]:
    """Regular files with their status, and folders, without hidden ones; links are followed."""
    files: dict[str, os.stat_result] = {}
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif entry.is_file():
                    files[entry.name] = entry.stat()
    except OSError:
        pass
    return files, folders


def _look(path: str, status: os.stat_result | None) -> list[Candidate]:
    """The file (or, without a status, the folder) as a candidate, if it is one."""
    try:
        format = sniff(path)
    except WtuiError:
        return []
    if status is not None:
        return [Candidate(path, format, status.st_size, status.st_mtime)]
    inside = _entries(path)[0].values()
    newest = max((s.st_mtime for s in inside), default=0.0)
    return [Candidate(path, format, sum(s.st_size for s in inside), newest)]
