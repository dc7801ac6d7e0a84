"""The browser while Keras runs beside it: key latencies, and how its own memory grows. `python -m tests.bench live`"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench import models
from tests.bench.recording import Recording
from tests.bench.report import heading, line
from tests.bench.screen import cursor_moves, scanned, wtui
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["run"]

BATCH = 64
"""Samples for VGG16: the pass takes many seconds, during which keys are pressed."""

KEYS, EVERY = 40, 0.1
"""Keys, and seconds between two."""

ALLOWED = 20e6
"""Bytes that the drawing process may grow by."""


def run() -> None:
    """Measure what a person would notice of the other process."""
    keys_while_shapes_are_worked_out()
    keys_while_layers_run()
    memory_of_the_drawing_process()


def keys_while_shapes_are_worked_out() -> None:
    heading("ten keys a second in the tree from when Keras is started for output shapes (vgg16.keras)")
    with Recording(wtui(models.vgg16())) as t:
        t.wait_bytes(b"all read")
        start = t.chunks[-1][0] + 1.0  # it is started a second after the scan
        pressed = press(t, start)
    tell(pressed, cursor_moves(t))


def keys_while_layers_run() -> None:
    heading(f"ten keys a second in the table of layer outputs while VGG16 runs on {BATCH} samples (vgg16.keras)")
    with Recording([*wtui(models.vgg16()), "--batch", str(BATCH)]) as t:
        t.wait_bytes(b"all read")
        t.read_until(t.chunks[-1][0] + 1.0)
        t.press("a")
        t.wait_bytes(b"block1_pool", timeout=120.0)
        pressed = press(t, t.chunks[-1][0] + 0.1)
    tell(pressed, cursor_moves(t))


def memory_of_the_drawing_process() -> None:
    heading("memory of the drawing process alone (vgg16.keras)")
    with Terminal(wtui(models.vgg16())) as t:
        t.wait(scanned, timeout=60.0)
        t.settle(1.0)
        before = own_memory(t.pid)
        t.press("a")
        t.wait("outputs in", timeout=180.0)
        for _ in range(22):
            t.press("\x1b[B")
            t.settle(0.2)
        after = own_memory(t.pid)
    grown = after - before
    line("before Keras runs", f"{before / 1e6:.0f} MB")
    line("more after all layers were looked at", f"{grown / 1e6:.1f} MB", "under 20 MB", grown < ALLOWED)


def press(t: Recording, start: float) -> list[float]:
    """Down and up, ten a second from `start`; when each was pressed."""
    t.read_until(start)
    pressed = []
    for i in range(KEYS):
        t.read_until(start + i * EVERY)
        pressed.append(t.press("\x1b[B" if i % 2 == 0 else "\x1b[A"))
    t.read_until(pressed[-1] + 1.5)
    return pressed


def tell(pressed: Sequence[float], moves: Sequence[float]) -> None:
    """The delays until the cursor has moved, against what the browser promises at any time."""
    delays = sorted(1000 * (next((m for m in moves if m > p), 9e9) - p) for p in pressed)
    p50, p95 = delays[len(delays) // 2], delays[int(len(delays) * 0.95)]
    line("until the cursor has moved, p50", f"{p50:.0f} ms", "under 50 ms", p50 < 50)
    line("p95", f"{p95:.0f} ms", "under 150 ms", p95 < 150)
    line("max", f"{delays[-1]:.0f} ms", "under 250 ms", delays[-1] < 250)


def own_memory(pid: int) -> int:
    """Resident bytes of one process (PSS)."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(row.split()[1]) * 1024 for row in file if row.startswith("Pss:"))
