"""Which content a model's numbers belong to: a key that changes whenever its files or their description do.

A file is known by its size, its inode and both of its times: mtime, and ctime, which no program can set, so that a
file whose mtime was put back after a change is not taken for the old one. Its path does not matter. Reads no weights.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from wtui.stats.row import QUANTILES, SKETCH_BINS, SummaryRow

if TYPE_CHECKING:
    from wtui.model import Catalogue, FileRef

__all__ = ["STATISTICS", "Identity", "Stamp", "identity_of", "is_settled", "program", "same_files", "stamp_of"]

STATISTICS = 1
"""Goes up whenever the same values may give other numbers: another kernel, another meaning, another codec's result."""

ROOMS = ("codecs", "engine", "formats", "insight", "stats")
"""Packages whose modules have a part in the numbers."""

TICK_NS, SECOND_NS = 50_000_000, 1_000_000_000
"""How fine file times are: a kernel writes them at its clock ticks (up to 10 ms), some file systems in seconds."""


class Stamp(NamedTuple):
    """What tells one content of a file from another."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Identity(NamedTuple):
    """A model's files as they were at one moment, and the key for numbers about them."""

    key: bytes
    stamps: tuple[Stamp, ...]


def identity_of(catalogue: Catalogue) -> Identity | None:
    """The identity of a model's content now; None if its files have changed since it was opened, or are not files."""
    stamps = same_files(catalogue.files)
    if stamps is None:
        return None
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((STATISTICS, SummaryRow._fields, QUANTILES, SKETCH_BINS, program())).encode())
    digest.update(repr([(stamp, ref.member) for stamp, ref in zip(stamps, catalogue.files, strict=True)]).encode())
    digest.update(repr(catalogue.tensors).encode("utf-8", "surrogatepass"))
    layers = [(node.path, node.tensors) for node in catalogue.root.walk()]
    digest.update(repr(layers).encode("utf-8", "surrogatepass"))
    return Identity(digest.digest(), stamps)


def same_files(files: tuple[FileRef, ...]) -> tuple[Stamp, ...] | None:
    """Stamps of these files, None if one of them is not the file that was described (any more), or not on a disk."""
    if not files:
        return None
    stamps: dict[str, Stamp] = {}
    for ref in files:
        stamp = stamps.get(ref.path) or stamp_of(ref.path)
        if stamp is None or ref.array or (stamp.mtime_ns, stamp.inode) != (ref.mtime_ns, ref.inode):
            return None
        if ref.member is None and stamp.size != ref.size:
            return None
        stamps[ref.path] = stamp
    return tuple(stamps[ref.path] for ref in files)


def is_settled(stamps: tuple[Stamp, ...], now_ns: int) -> bool:
    """Whether a change from now on would show in the times: no file was written within the tick that now is."""
    for stamp in stamps:
        tick = TICK_NS if stamp.ctime_ns % SECOND_NS else 2 * SECOND_NS
        if now_ns - stamp.ctime_ns < tick:
            return False
    return True


@cache
def program() -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of every module that has a part in the numbers: another version of any may give others."""
    found = []
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for room in ROOMS:
        for place, _, names in os.walk(os.path.join(folder, room)):
            for name in names:
                stamp = stamp_of(os.path.join(place, name)) if name.endswith(".py") else None
                if stamp is not None:
                    found.append((name, stamp.size, stamp.mtime_ns))
    return tuple(sorted(found))


def stamp_of(path: str) -> Stamp | None:
    """The stamp of a file now, None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
