"""Sources of bytes: two verbs, `read_into` and `size`, and counters that make laziness testable.

Local files are read by `preadv` into the caller's buffer and never mapped: a training job that truncates a mapped file
kills its readers with SIGBUS, while a short read is an error that can be told.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from threading import Lock
from typing import Protocol, runtime_checkable

from wtui.errors import StorageError

__all__ = ["BytesSource", "CachedSource", "FileSource", "Source", "StoredFile", "WindowSource", "is_remote"]

METADATA_BLOCK = 4096
"""Bytes of a block of `CachedSource`: metadata lies scattered in small pieces, and weights between them are not wanted
(ResNet50 in HDF5: 1.32 MB of 8 KiB blocks, 0.99 MB in 243 reads of 4 KiB blocks, 0.79 MB in 386 of 2 KiB)."""

METADATA_BLOCKS = 1024
"""Blocks that `CachedSource` keeps: 4 MiB."""


@runtime_checkable
class Source(Protocol):
    """A run of bytes that can be read from anywhere, by any thread."""

    @property
    def name(self) -> str:
        """What to call it in an error: a path, with the member inside it."""

    @property
    def size(self) -> int:
        """Bytes that it holds."""

    @property
    def bytes_read(self) -> int:
        """Bytes asked from the file so far."""

    @property
    def requests(self) -> int:
        """Reads made so far."""

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill `buffer` with the bytes `offset : offset + len(buffer)`; StorageError if they are not all there."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes `offset : offset + length`; StorageError if they are not all there."""

    def close(self) -> None:
        """Let go of the file; reading afterwards is an error."""


class StoredFile(Source, Protocol):
    """A source that is a whole file, with what tells one content of it from another."""

    @property
    def mtime_ns(self) -> int:
        """When it was last written, in nanoseconds since 1970; 0 if nobody says."""

    @property
    def inode(self) -> int:
        """Its inode, or what a server calls its content; 0 if nobody says."""

    @property
    def remote(self) -> bool:
        """Whether it lies behind an address."""


def is_remote(path: str) -> bool:
    """Whether a path that the user gave is an address of a file on another machine."""
    return path.startswith(("https://", "http://", "hf://"))


class _Counted:
    """The counters every source has. Plain integers: an update lost between threads only miscounts."""

    def __init__(self) -> None:
        self.bytes_read = 0
        self.requests = 0

    def _count(self, length: int) -> None:
        self.bytes_read += length
        self.requests += 1


class FileSource(_Counted):
    """A regular file on this machine, opened read-only and without blocking on a FIFO or device."""

    remote = False

    def __init__(self, path: str) -> None:
        super().__init__()
        self.name = path
        self._fd = -1
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        except (OSError, ValueError) as error:
            raise StorageError(_reason(error), path) from error
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._fd)
            self._fd = -1
            raise StorageError("not a regular file", path)
        self.size, self.mtime_ns, self.inode = status.st_size, status.st_mtime_ns, status.st_ino

    def read_into(self, buffer: memoryview, offset: int) -> None:
        _check_range(self, offset, len(buffer))
        done = 0
        while done < len(buffer):
            try:
                got = os.preadv(self._fd, [buffer[done:]], offset + done)
            except OSError as error:
                raise StorageError(f"cannot be read at byte {offset + done:,}: {_reason(error)}", self.name) from error
            if got == 0:
                raise StorageError(f"ends at byte {offset + done:,}; it was longer when it was opened", self.name)
            done += got
        self._count(len(buffer))

    def read(self, offset: int, length: int) -> bytes:
        return _read(self, offset, length)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()


class BytesSource(_Counted):
    """Bytes that are already in memory: a small inflated member, an array of the caller's."""

    def __init__(self, data: bytes | memoryview, name: str = "memory") -> None:
        super().__init__()
        self.name = name
        self._data = memoryview(data).cast("B")
        self.size = len(self._data)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        _check_range(self, offset, len(buffer))
        buffer[:] = self._data[offset : offset + len(buffer)]
        self._count(len(buffer))

    def read(self, offset: int, length: int) -> bytes:
        return _read(self, offset, length)

    def close(self) -> None:
        """Nothing to let go of."""


class WindowSource:
    """The bytes `offset : offset + size` of another source, counted there."""

    def __init__(self, source: Source, offset: int, size: int, name: str = "") -> None:
        if offset < 0 or size < 0 or offset + size > source.size:
            raise StorageError(f"bytes {offset:,} to {offset + size:,} lie outside its {source.size:,}", source.name)
        self.name = name or source.name
        self.size = size
        self._source = source
        self._offset = offset

    @property
    def bytes_read(self) -> int:
        return self._source.bytes_read

    @property
    def requests(self) -> int:
        return self._source.requests

    def read_into(self, buffer: memoryview, offset: int) -> None:
        _check_range(self, offset, len(buffer))
        self._source.read_into(buffer, self._offset + offset)

    def read(self, offset: int, length: int) -> bytes:
        _check_range(self, offset, length)
        return self._source.read(self._offset + offset, length)

    def close(self) -> None:
        self._source.close()


class CachedSource:
    """Another source read in aligned blocks that are kept for a while: for metadata, read in many small pieces."""

    def __init__(self, source: Source, block: int = METADATA_BLOCK, keep: int = METADATA_BLOCKS) -> None:
        self.name = source.name
        self.size = source.size
        self._source = source
        self._block = block
        self._keep = keep
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._lock = Lock()

    @property
    def bytes_read(self) -> int:
        return self._source.bytes_read

    @property
    def requests(self) -> int:
        return self._source.requests

    def read(self, offset: int, length: int) -> bytes:
        _check_range(self, offset, length)
        first, last = offset // self._block, (offset + length - 1) // self._block
        if last - first > 8:
            return self._source.read(offset, length)
        data = self._at(first) if first == last else b"".join(map(self._at, range(first, last + 1)))
        start = offset - first * self._block
        return data[start : start + length]

    def read_into(self, buffer: memoryview, offset: int) -> None:
        buffer[:] = self.read(offset, len(buffer))

    def close(self) -> None:
        self._blocks.clear()
        self._source.close()

    def _at(self, number: int) -> bytes:
        """The block `number`, from the cache or read now."""
        with self._lock:
            data = self._blocks.get(number)
            if data is not None:
                self._blocks.move_to_end(number)
            else:
                start = number * self._block
                data = self._source.read(start, min(self._block, self.size - start))
                self._blocks[number] = data
                if len(self._blocks) > self._keep:
                    self._blocks.popitem(last=False)
            return data


def _read(source: Source, offset: int, length: int) -> bytes:
    _check_range(source, offset, length)
    data = bytearray(length)
    source.read_into(memoryview(data), offset)
    return bytes(data)


def _check_range(source: Source, offset: int, length: int) -> None:
    """Refuse a range outside the source before a byte of memory is taken for it."""
    if offset < 0 or length < 0 or offset + length > source.size:
        message = f"{length:,} bytes at {offset:,} were asked for, but it holds {source.size:,}"
        raise StorageError(message, source.name, "truncated, or not what it seems")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)
