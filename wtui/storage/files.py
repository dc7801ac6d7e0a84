"""The files of one catalogue, opened on first use and shared by all threads that read from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

from wtui.errors import StorageError
from wtui.model import FileRef, Member
from wtui.storage.source import FileSource, Source, StoredFile

__all__ = ["Files", "file_ref"]

Opener = Callable[[FileRef], Source]


def file_ref(source: StoredFile, member: Member | None = None, size: int | None = None) -> FileRef:
    """The identity of an open file, or of a member of it that inflates to `size` bytes."""
    size = source.size if size is None else size
    return FileRef(source.name, size, source.mtime_ns, source.inode, member, remote=source.remote)


class Files:
    """Sources for the files of a catalogue, by position; each is opened once, when something is first read from it."""

    def __init__(self, refs: Sequence[FileRef], opener: Opener | None = None) -> None:
        self._refs = refs
        self._opener = opener or open_ref
        self._sources: dict[int, Source] = {}
        self._lock = Lock()

    def __getitem__(self, number: int) -> Source:
        """The source of file `number`; StorageError when it is gone or no longer the file that was described."""
        source = self._sources.get(number)
        if source is None:
            with self._lock:
                source = self._sources.get(number)
                if source is None:
                    source = self._sources[number] = self._opener(self._refs[number])
        return source

    @property
    def bytes_read(self) -> int:
        """Bytes asked from all files so far."""
        return sum(s.bytes_read for s in self._sources.values())

    @property
    def requests(self) -> int:
        """Reads made on all files so far."""
        return sum(s.requests for s in self._sources.values())

    def close(self) -> None:
        """Close what was opened."""
        with self._lock:
            for source in self._sources.values():
                source.close()
            self._sources.clear()


def open_ref(ref: FileRef) -> Source:
    """Open the file that `ref` describes; StorageError if its size, mtime or inode say that it was replaced since."""
    source = _open_file(ref)
    changed = (source.mtime_ns, source.inode) != (ref.mtime_ns, ref.inode) and ref.mtime_ns
    if changed or (ref.member is None and not ref.array and source.size != ref.size):
        source.close()
        raise StorageError("has changed since it was opened", ref.path, "open it again")
    if ref.array:
        from wtui.storage.arrays import ArraySource

        source.close()
        return ArraySource(ref)
    if ref.member is None:
        return source
    from wtui.storage.inflate import InflatedSource

    return InflatedSource(source, ref.member, ref.size)


def _open_file(ref: FileRef) -> StoredFile:
    if not ref.remote:
        return FileSource(ref.path)
    from wtui.storage.remote import RemoteSource

    return RemoteSource(ref.path)
