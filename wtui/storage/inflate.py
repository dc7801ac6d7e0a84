"""Deflated zip members as sources: inflated once into an unnamed temporary file, then read from anywhere.

A deflate stream cannot be entered in the middle, so the first read pays for the whole. Bombs are refused by arithmetic
before the first byte is written, and by counting while writing.
"""

from __future__ import annotations

import os
import tempfile
import zlib
from threading import Lock
from typing import TYPE_CHECKING

from wtui.errors import StorageError
from wtui.storage.source import Source, _check_range, _Counted, _read

if TYPE_CHECKING:
    from wtui.model import Member

__all__ = ["InflatedSource", "inflate_start"]

STEP = 1 << 20
"""Compressed bytes read at a time."""

START = 1 << 12
"""Compressed bytes read at a time where only the start is wanted."""

MAX_RATIO = 1032
"""No deflate stream can expand more than this (a match of 258 bytes costs at least two bits)."""

IN_MEMORY = 8 << 20
"""Up to this many inflated bytes are kept in memory; more go to a file without a name."""


def inflate_start(source: Source, member: Member, length: int) -> bytes:
    """The first `length` inflated bytes of a zip member, fewer where it is shorter; StorageError if it is damaged."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    out = b""
    at, end = member.offset, min(member.offset + member.compressed, source.size)
    try:
        while len(out) < length and not inflater.eof and (at < end or inflater.unconsumed_tail):
            data = inflater.unconsumed_tail or source.read(at, min(START, end - at))
            at += 0 if inflater.unconsumed_tail else len(data)
            out += inflater.decompress(data, length - len(out))
    except zlib.error as error:
        raise StorageError(f"cannot be inflated: {error}", f"{source.name}[{member.name}]") from error
    return out


class InflatedSource(_Counted):
    """The `size` inflated bytes of a zip member; StorageError if it holds fewer, more, or cannot be inflated."""

    def __init__(self, source: Source, member: Member, size: int) -> None:
        super().__init__()
        self.name = f"{source.name}[{member.name}]"
        self.size = size
        self._source = source
        self._member = member
        self._lock = Lock()
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None
        if member.offset < 0 or member.offset + member.compressed > source.size:
            raise StorageError("its compressed bytes lie outside the file", self.name, "truncated download?")
        if size > member.compressed * MAX_RATIO + 64:
            message = f"claims to inflate from {member.compressed:,} to {size:,} bytes, which deflate cannot do"
            raise StorageError(message, self.name)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        _check_range(self, offset, len(buffer))
        with self._lock:
            file = self._file = self._file or self._inflate()
            file.seek(offset)
            got = file.readinto(buffer)
        if got != len(buffer):
            raise StorageError("its temporary copy is shorter than it was", self.name)
        self._count(len(buffer))

    def read(self, offset: int, length: int) -> bytes:
        return _read(self, offset, length)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
        self._source.close()

    def _inflate(self) -> tempfile.SpooledTemporaryFile[bytes]:
        """The whole member, inflated; the temporary file has no name and goes with the process."""
        self._refuse_if_no_room()
        out: tempfile.SpooledTemporaryFile[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        try:
            self._inflate_to(out)
        except (zlib.error, OSError) as error:
            out.close()
            raise StorageError(f"cannot be inflated: {error}", self.name) from error
        except StorageError:
            out.close()
            raise
        return out

    def _inflate_to(self, out: tempfile.SpooledTemporaryFile[bytes]) -> None:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        at, end, done = self._member.offset, self._member.offset + self._member.compressed, 0
        pending = b""
        while not inflater.eof and (pending or at < end):
            if not pending:
                pending = self._source.read(at, min(STEP, end - at))
                at += len(pending)
            data = inflater.decompress(pending, STEP)
            pending = inflater.unconsumed_tail
            done += out.write(data)
            if done > self.size:
                raise StorageError(f"inflates to more than the {self.size:,} bytes it claims", self.name)
            if not data and not pending and at >= end:
                break
        done += out.write(inflater.flush())
        if done != self.size:
            raise StorageError(f"inflates to {done:,} bytes instead of {self.size:,}", self.name)

    def _refuse_if_no_room(self) -> None:
        if self.size <= IN_MEMORY:
            return
        room = os.statvfs(tempfile.gettempdir())
        free = room.f_bavail * room.f_frsize
        if self.size > free:
            hint = f"unpack it, or set TMPDIR to a place with {self.size / 1e9:.1f} GB"
            raise StorageError(
                f"is compressed, and there is no room to inflate its {self.size:,} bytes", self.name, hint
            )
