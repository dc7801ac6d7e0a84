"""A file behind an address as a source: blocks of it are kept, and what is missing is asked for in one range.

What a request is and whether its answer can be believed is `wtui.storage.http`'s. A file is read this way only where
the user has named an address: no name inside a file leads here.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from email.utils import parsedate_to_datetime
from threading import Lock

from wtui.errors import StorageError
from wtui.storage import http
from wtui.storage.source import _check_range, _Counted, _read

__all__ = ["RemoteSource", "list_remote"]

BLOCK = 1 << 16
"""Bytes of a kept block. The metadata of a ResNet50 in HDF5 lies in 69 of 1,572 such blocks."""

FIRST = 1 << 18
"""Bytes of the first request, which also brings the size: the whole of most headers, and of small files."""

AHEAD = 4
"""Blocks that a request brings at least: a request costs tens of milliseconds, a block a few."""

KEEP = 512
"""Blocks that are kept: 32 MiB."""

LARGE = 1 << 20
"""Bytes from which on a read is a request of its own and is not kept: weights, which are read once."""

ATTEMPTS = 2
"""Connections break; a second one is tried at once, a third is not."""


class RemoteSource(_Counted):
    """The bytes of a file behind an address; StorageError where the server does not give them.

    `bytes_read` and `requests` count what was asked from the server.
    """

    remote = True

    def __init__(self, path: str) -> None:
        super().__init__()
        self.name = path
        self._address = http.resolve(path)
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._lock = Lock()
        self.size = -1
        answer = self._ask(0, FIRST)
        self.size, self._tag = answer.size, answer.tag
        self.inode = int.from_bytes(hashlib.blake2b(answer.tag.encode(), digest_size=7).digest()) if answer.tag else 0
        self.mtime_ns = _nanoseconds(answer.modified)
        self._keep(0, answer.data)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        _check_range(self, offset, len(buffer))
        if not buffer:
            return
        if len(buffer) >= LARGE:
            buffer[:] = self._ask(offset, offset + len(buffer)).data
            return
        first, last = offset // BLOCK, (offset + len(buffer) - 1) // BLOCK
        data = b"".join(self._some_blocks(first, last))
        start = offset - first * BLOCK
        buffer[:] = data[start : start + len(buffer)]

    def read(self, offset: int, length: int) -> bytes:
        return _read(self, offset, length)

    def close(self) -> None:
        self._blocks.clear()

    def _some_blocks(self, first: int, last: int) -> list[bytes]:
        """The blocks `first` to `last`; those that are missing come with one request, from the first to the last."""
        with self._lock:
            missing = [n for n in range(first, last + 1) if n not in self._blocks]
            if missing:
                stop = missing[-1] + 1
                while stop < missing[0] + AHEAD and stop * BLOCK < self.size and stop not in self._blocks:
                    stop += 1
                self._keep(missing[0], self._ask(missing[0] * BLOCK, min(stop * BLOCK, self.size)).data)
            found = []
            for number in range(first, last + 1):
                self._blocks.move_to_end(number)
                found.append(self._blocks[number])
            while len(self._blocks) > KEEP:
                self._blocks.popitem(last=False)
            return found

    def _keep(self, first: int, data: bytes) -> None:
        """Cut what was read from the block `first` on into blocks."""
        for start in range(0, len(data), BLOCK):
            self._blocks[first + start // BLOCK] = data[start : start + BLOCK]

    def _ask(self, start: int, stop: int) -> http.Answer:
        """A range from the server, whose file must still be the one that was opened."""
        for attempt in range(ATTEMPTS):
            self._count(stop - start)
            try:
                answer = http.ask(self._address, start, stop, self.name)
                break
            except StorageError:
                if attempt + 1 == ATTEMPTS or self.size < 0:
                    raise
        if self.size >= 0 and (answer.size != self.size or (answer.tag and self._tag and answer.tag != self._tag)):
            raise StorageError("has changed on the server since it was opened", self.name, "open it again")
        return answer


def list_remote(path: str) -> frozenset[str] | None:
    """Names in the folder behind an address; None if it is a file. Only hubs can be asked, servers cannot."""
    return http.list_hub(path) if path.startswith("hf://") else None


def _nanoseconds(modified: str) -> int:
    """A Last-Modified as a time since 1970; 0 if there is none."""
    try:
        return int(parsedate_to_datetime(modified).timestamp()) * 1_000_000_000
    except (ValueError, TypeError, OverflowError):
        return 0
