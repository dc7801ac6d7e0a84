"""Damaged files for every reader: seeded mutations, and the check that nothing but a WtuiError leaves a reader."""

from __future__ import annotations

import random
import resource
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wtui.engine.blocks import Buffer, plan_blocks
from wtui.errors import WtuiError
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from wtui.model import Catalogue

__all__ = ["check_mutations", "check_opens_or_refuses", "mutate"]

MAX_SECONDS = 2
"""Processor time of one case; wall time would depend on the machine's other work."""

MAX_GROWTH = 300 << 20
"""Bytes of resident memory by which one case may raise the process's peak."""

MAX_DECODED = 1 << 20
"""Bytes of a tensor that is decoded after a damaged file was opened."""

BLOW_UPS = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, 1 << 60, (1 << 63) - 1, (1 << 64) - 1)
"""What lengths, counts and offsets are overwritten with."""


class _TooLong(BaseException):
    """Not an Exception, so that no reader can turn it into an error of its own."""


def mutate(data: bytes, seed: int) -> bytes:
    """The file cut off, spliced, with bits and bytes changed, or with a number replaced by an absurd one."""
    rng = random.Random(seed)
    changed = bytearray(data)
    if not changed:
        return b""
    kind = rng.choice(("cut", "splice", "insert", "number", "number", "number", "bits", "bits", "bits"))
    # Most of a weight file is weights; half of the damage goes to its first kilobytes, where readers look.
    reach = len(changed) if rng.random() < 0.5 else min(len(changed), 2048)
    at = rng.randrange(reach)
    if kind == "cut":
        return bytes(changed[:at])
    if kind == "splice":
        size, start = rng.choice((4, 16, 64, 512)), rng.randrange(len(changed))
        changed[at : at + size] = changed[start : start + size]
    elif kind == "insert":
        changed[at:at] = rng.randbytes(rng.choice((1, 8, 100)))
    elif kind == "number":
        size = rng.choice((1, 2, 4, 8))
        value = rng.choice(BLOW_UPS) & ((1 << 8 * size) - 1)
        changed[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))
    else:
        for _ in range(rng.choice((1, 1, 2, 8))):
            changed[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def check_opens_or_refuses(path: Path | str, format: str | None = None) -> Catalogue | None:
    """Open and decode what may be damaged; None if it was refused. Fails on any error but a WtuiError, on a case that
    takes MAX_SECONDS of processor time, and on one that takes MAX_GROWTH of memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with _at_most(MAX_SECONDS):
        catalogue = _open(str(path), format)
        if catalogue is not None:
            _decode_some(catalogue)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < MAX_GROWTH, f"{path} took {grown:,} KiB"
    return catalogue


def check_mutations(path: Path, data: bytes, count: int, format: str | None = None, first: int = 0) -> int:
    """Write `count` mutations of `data` to `path`, one after the other, and check each; how many could be opened."""
    opened = 0
    for seed in range(first, first + count):
        path.write_bytes(mutate(data, seed))
        try:
            opened += check_opens_or_refuses(path, format) is not None
        except BaseException as error:
            raise AssertionError(f"mutation {seed}: {type(error).__name__}: {error}") from error
    return opened


def _open(path: str, format: str | None) -> Catalogue | None:
    try:
        return open_catalogue(path, format)
    except WtuiError as error:
        told = str(error)
    assert "\n" not in told
    return None


def _decode_some(catalogue: Catalogue) -> None:
    """The first unit of every small tensor that claims to be readable."""
    files, buffer = Files(catalogue.files), Buffer()
    try:
        for entry in catalogue.tensors:
            if entry.problem or entry.nbytes > MAX_DECODED:
                continue
            try:
                plan = plan_blocks(entry, catalogue, files)
                for _, values in plan.blocks(0, buffer) if plan.units else ():
                    assert len(values)
            except WtuiError:
                pass
    finally:
        files.close()


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        raise _TooLong(f"took {seconds} s of processor time")

    previous = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)
