"""What a format sees before it decides whether a path is its own: kind, size, first bytes, names in a folder.

Knows no format. Everything is read lazily and through `wtui.storage`, which counts it.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from wtui.errors import StorageError
from wtui.storage import CachedSource, FileSource, is_remote

if TYPE_CHECKING:
    from collections.abc import Collection

    from wtui.storage import StoredFile

__all__ = ["Probe"]

HEAD = 512
"""Bytes of the head that sniffing may look at without further reads."""

MAX_REMOTE = 1000
"""Files of one model that a server is asked for: the largest have a few hundred shards."""

AT_ONCE = 8
"""Files that are opened on a server at the same time."""

MAX_NAMES = 100_000
"""More names than this in one folder are not listed."""


class Probe:
    """A path or address that may be a model: a file, a folder, or the prefix of a checkpoint's files."""

    def __init__(self, path: str) -> None:
        """StorageError if nothing is there, or if it is neither a regular file nor a folder."""
        self.path = path
        self._files: dict[str, StoredFile] = {}
        self._asked = 0
        self._remote = is_remote(path)
        """Whether the user named an address: only then, and only beside it, anything is asked from a server."""
        if self._remote:
            from wtui.storage.remote import list_remote

            self._listed = list_remote(path)
            self.is_folder = self._listed is not None
            self.is_file = not self.is_folder and self.file.size >= 0
            return
        self.is_folder = os.path.isdir(path)
        self.is_file = not self.is_folder and os.path.exists(path)
        if not self.is_folder and not self.is_file and not self._is_prefix():
            raise StorageError(_missing(path), path, _similar(path))

    @cached_property
    def file(self) -> StoredFile:
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
        if self._remote:
            return self._listed or frozenset()
        try:
            with os.scandir(self.path) as entries:
                return frozenset(e.name for e, _ in zip(entries, range(MAX_NAMES), strict=False))
        except OSError as error:
            raise StorageError((error.strerror or "cannot be listed").lower(), self.path) from error

    @property
    def suffix(self) -> str:
        """The lower-case suffix of the name, with its dot."""
        return os.path.splitext(_bare(self.path) if self._remote else self.path)[1].lower()

    def open(self, path: str) -> StoredFile:
        """Another file of the same model (a shard, a neighbour), opened once and closed with the probe."""
        if path not in self._files:
            if self._remote and path.startswith(self._folder):
                from wtui.storage.remote import RemoteSource

                self._asked += 1
                if self._asked > MAX_REMOTE:
                    raise StorageError(f"names more than {MAX_REMOTE:,} files, which are not all asked for", self.path)
                self._files[path] = RemoteSource(path)
            else:
                self._files[path] = FileSource(path)
        return self._files[path]

    @property
    def _folder(self) -> str:
        """The folder that it is, or that it lies in."""
        if self._remote:
            return self.path.rstrip("/") + "/" if self.is_folder else _bare(self.path).rpartition("/")[0] + "/"
        return self.path if self.is_folder else os.path.dirname(self.path)

    def inside(self, name: str) -> str | None:
        """The path of `name` in the folder (or beside the file), None if it would lead out of it or is no file.

        Links are followed, since hubs keep their files behind them; names that climb out are not.
        """
        if os.path.isabs(name) or "\0" in name or ".." in name.replace("\\", "/").split("/"):
            return None
        if self._remote:
            return self._inside_remote(name)
        path = os.path.join(self._folder, name)
        return path if os.path.isfile(path) else None

    def prefetch(self, names: Collection[str]) -> None:
        """Open files that will be asked for, several at a time where each costs a way to a server; tells no errors."""
        if self._remote and len(names) > 1:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(self.inside, names))

    def _inside_remote(self, name: str) -> str | None:
        if self.is_folder and "/" not in name and name not in self.names:
            return None
        if not self.path.startswith("hf://"):
            from urllib.parse import quote

            name = quote(name)  # no query, no host and no fragment can be in it
        path = self._folder + name
        try:
            self.open(path)
        except StorageError:
            return None
        return path

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


def _bare(address: str) -> str:
    """An address without what follows `?` or `#`."""
    return address.partition("#")[0].partition("?")[0]


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
