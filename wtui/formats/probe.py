"""What a format sees before it decides whether a path is its own: kind, size, first bytes, names in a folder.

Knows no format. Everything is read lazily and through `wtui.storage`, which counts it.
"""

from __future__ import annotations

import os
from functools import cached_property

from wtui.errors import StorageError
from wtui.storage import CachedSource, FileSource

__all__ = ["Probe"]

HEAD = 512
"""Bytes of the head that sniffing may look at without further reads."""

MAX_NAMES = 100_000
"""More names than this in one folder are not listed."""


class Probe:
    """A path that may be a model: a file, a folder, or the prefix of a checkpoint's files."""

    def __init__(self, path: str) -> None:
        """StorageError if nothing is there, or if it is neither a regular file nor a folder."""
        self.path = path
        self._files: dict[str, FileSource] = {}
        self.is_folder = os.path.isdir(path)
        self.is_file = not self.is_folder and os.path.exists(path)
        if not self.is_folder and not self.is_file and not self._is_prefix():
            raise StorageError(_missing(path), path, _similar(path))

    @cached_property
    def file(self) -> FileSource:
        """The file itself, opened; its counters tell how much the reader took. StorageError for folders."""
        return self.open(self.path)

    @cached_property
    def source(self) -> CachedSource:
        """The file through a cache of small blocks, for metadata that is read in many small pieces."""
        return CachedSource(self.file)

    @cached_property
    def head(self) -> bytes:
        """The first bytes of the file (at most HEAD); empty for folders and prefixes."""
        return self.file.read(0, min(HEAD, self.file.size)) if self.is_file else b""

    @cached_property
    def names(self) -> frozenset[str]:
        """Names in the folder; empty for files."""
        if not self.is_folder:
            return frozenset()
        try:
            with os.scandir(self.path) as entries:
                return frozenset(e.name for e, _ in zip(entries, range(MAX_NAMES), strict=False))
        except OSError as error:
            raise StorageError((error.strerror or "cannot be listed").lower(), self.path) from error

    @property
    def suffix(self) -> str:
        """The lower-case suffix of the name, with its dot."""
        return os.path.splitext(self.path)[1].lower()

    def open(self, path: str) -> FileSource:
        """Another file of the same model (a shard, a neighbour), opened once and closed with the probe."""
        if path not in self._files:
            self._files[path] = FileSource(path)
        return self._files[path]

    def inside(self, name: str) -> str | None:
        """The path of `name` in the folder (or beside the file), None if it would lead out of it or is no file.

        Links are followed, since hubs keep their files behind them; names that climb out are not.
        """
        folder = self.path if self.is_folder else os.path.dirname(self.path)
        if os.path.isabs(name) or "\0" in name or ".." in name.replace("\\", "/").split("/"):
            return None
        path = os.path.join(folder, name)
        return path if os.path.isfile(path) else None

    @property
    def bytes_read(self) -> int:
        """Bytes read so far, from all files that were opened through the probe."""
        return sum(f.bytes_read for f in self._files.values())

    def close(self) -> None:
        """Close every file that was opened."""
        for file in self._files.values():
            file.close()

    def _is_prefix(self) -> bool:
        """Whether `path.index` exists: TensorFlow checkpoints are named by their prefix."""
        return os.path.isfile(self.path + ".index")


def _missing(path: str) -> str:
    if os.path.islink(path):
        return "is a link to something that is not there"
    return "no such file or folder"


def _similar(path: str) -> str:
    """A hint that names what lies in the same folder under a similar name."""
    from difflib import get_close_matches

    folder, name = os.path.split(path)
    try:
        near = get_close_matches(name, os.listdir(folder or "."), n=2, cutoff=0.6)
    except (OSError, ValueError):
        return ""
    return f"did you mean {' or '.join(os.path.join(folder, n) for n in near)}?" if near else ""
