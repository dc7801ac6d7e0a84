"""The browser on a real pseudo-terminal: first frames, bytes, key latencies, memory. `python -m tests.bench screen`"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.bench import models
from tests.bench.recording import Recording, memory_of
from tests.bench.report import heading, line
from tests.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run"]

HELLO = """
from textual.app import App
from textual.widgets import Footer, Header, Static, Tree

class Hello(App):
    def compose(self):
        tree = Tree("root")
        tree.root.expand()
        tree.root.add_leaf("hello")
        yield Header()
        yield tree
        yield Static("hello world")
        yield Footer()

Hello().run()
"""

H5TUI = ("h5tui", "h5tui==1.0.1")
"""The peer: command and requirement."""

CURSOR_BACKGROUND = "2f62b0"
ALL_KNOWN = 6.0
"""Seconds without news after which nothing more is to come: Keras needs about five to tell output shapes."""
PAIRS = 7


def wtui(path: Path) -> list[str]:
    return [sys.executable, "-m", "wtui", str(path)]


def first_frame(command: Sequence[str], marker: bytes, env: dict[str, str] | None = None) -> tuple[float, int, float]:
    """(seconds to the frame that holds the marker, bytes sent until it settles, MB resident then)"""
    with Recording(command, env=env) as t:
        seconds = t.wait_bytes(marker)
        sent = sum(len(d) for m, d in t.chunks if m <= seconds + 0.03)
        memory = memory_of(t.pid) / 1e6
    return seconds, sent, memory


def pairs(
    a: Sequence[str], marker_a: bytes, b: Sequence[str], marker_b: bytes, times: int = PAIRS
) -> tuple[float, float, float]:
    """Medians of a and of b, and of the ratio a / b taken in turn."""
    first_frame(a, marker_a), first_frame(b, marker_b)
    measured = [(first_frame(a, marker_a)[0], first_frame(b, marker_b)[0]) for _ in range(times)]
    ratio = statistics.median(x / y for x, y in measured)
    return statistics.median(x for x, _ in measured), statistics.median(y for _, y in measured), ratio


def first_frames() -> None:
    heading("first usable frame, 120x40, medians of pairs in turn")
    hello = [sys.executable, "-c", HELLO]
    ours, theirs, ratio = pairs(wtui(models.vgg16()), b"predictions", hello, b"hello world")
    line("vgg16.keras against a Textual hello-world", f"{ours:.2f} s / {theirs:.2f} s", "", None)
    line("  ratio", f"{ratio:.2f}", "at most 1.3", ratio <= 1.3)
    many, few = wtui(models.ten_thousand()), wtui(models.thirty_two())
    a, b, ratio = pairs(many, b"the first", few, b"layers")
    line("10,000 tensors against 32: first rows of the tree", f"{a:.2f} s / {b:.2f} s", "", None)
    line("  ratio", f"{ratio:.2f}", "at most 1.4", ratio <= 1.4)
    a, b, ratio = pairs(many, b"10,000 tensors", few, b"layers")
    line("  all of its rows", f"{a:.2f} s, {ratio:.2f}")
    peer = models.peer(*H5TUI)
    if peer is None:
        line("h5tui cannot be installed", "not measured")
        return
    h5 = models.vgg16(".h5")
    a, b, ratio = pairs(wtui(h5), b"predictions", [peer, str(h5)], b"block5_conv3")
    line("vgg16.h5 against h5tui", f"{a:.2f} s / {b:.2f} s", "no slower", ratio <= 1.0)
    ours_mb, peer_mb = first_frame(wtui(h5), b"predictions")[2], first_frame([peer, str(h5)], b"block5_conv3")[2]
    line("  memory at the first frame", f"{ours_mb:.0f} MB / {peer_mb:.0f} MB", "no more", ours_mb <= peer_mb)


def scanned(text: str) -> bool:
    """Whether the status line says that everything was read."""
    return text.split("\n")[0].rstrip().endswith("all read")


def metadata_read() -> None:
    from wtui.formats import FORMATS
    from wtui.formats.probe import Probe

    heading("bytes read from the file to show the first frame")
    for path in (models.vgg16(), models.vgg16(".h5")):
        probe = Probe(str(path))
        reader = next(f for f in FORMATS if f.reader().sniff(probe)).reader()
        reader.catalogue(probe)
        line(path.name, f"{probe.bytes_read:,}", "under 1,000,000", probe.bytes_read < 1_000_000)


def bytes_on_the_line() -> None:
    heading("bytes sent to the terminal at 120x40 (vgg16.keras)")
    with Terminal(wtui(models.vgg16())) as t:
        t.wait("predictions")
        t.settle(0.05)
        first = t.bytes_sent
        t.wait(scanned)
        t.settle(ALL_KNOWN)
        before = t.bytes_sent
        t.read_until(time.perf_counter() - t.started + 5.0)
        idle = t.bytes_sent - before
        moves = []
        for _ in range(15):
            start = t.bytes_sent
            t.press("\x1b[B")
            t.settle(0.4)
            moves.append(t.bytes_sent - start)
    move = statistics.median(moves)
    line("first frame", f"{first:,}", "at most 30,000", first <= 30_000)
    line("idle for five seconds", f"{idle:,}", "0", idle == 0)
    line("a cursor move that changes the panels (median)", f"{move:,.0f}", "at most 2,500", move <= 2_500)


def key_latency() -> None:
    heading("ten keys a second from just after the first frame, while the scan starts and runs (vgg16.keras)")
    with Recording(wtui(models.vgg16())) as t:
        start = t.wait_bytes(b"predictions") + 0.05
        t.read_until(start)
        pressed = []
        for i in range(40):
            t.read_until(start + i * 0.1)
            pressed.append(t.press("\x1b[B" if (i // 20) % 2 == 0 else "\x1b[A"))
        t.read_until(pressed[-1] + 1.5)
    moves = cursor_moves(t)
    delays = sorted(1000 * (next((m for m in moves if m > p), 9e9) - p) for p in pressed)
    p50, p95 = delays[len(delays) // 2], delays[int(len(delays) * 0.95)]
    line("until the cursor has moved, p50", f"{p50:.0f} ms", "under 50 ms", p50 < 50)
    line("p95", f"{p95:.0f} ms", "under 150 ms", p95 < 150)
    line("max", f"{delays[-1]:.0f} ms", "under 250 ms", delays[-1] < 250)


def cursor_moves(t: Recording) -> list[float]:
    """When the cursor's row changed."""
    moves: list[float] = []
    last = None
    for moment, screen in t.replay():
        rows = [y for y in range(screen.lines) if screen.buffer[y][4].bg == CURSOR_BACKGROUND]
        here = rows[0] if rows else None
        if here is not None and here != last:
            if last is not None:
                moves.append(moment)
            last = here
    return moves


def search_answers() -> None:
    heading("a search through 10,000 tensors, from the last key to the number of matches")
    delays = []
    with Terminal(wtui(models.ten_thousand())) as t:
        t.wait("10,000 tensors")
        t.wait(scanned, 60)
        t.settle(1.0)
        for i in range(10):
            t.press("/")
            t.wait("enter keeps it")
            pressed = t.press(f"{1900 + i}.self_attn.v")
            t.wait(f"layers.{1900 + i}.self_attn.v_proj")
            delays.append(1000 * (t.chunks[-1][0] - pressed))
            t.press("\x1b")
            t.wait(lambda text: "match" not in text)
    median = statistics.median(delays)
    line("median of ten", f"{median:.0f} ms", "within 100 ms", median < 100)


def panels_after_the_last_key() -> None:
    heading("panels complete after the last key, the scan being done (vgg16.keras)")
    delays = []
    with Terminal(wtui(models.vgg16())) as t:
        t.wait(scanned)
        t.settle(ALL_KNOWN)
        for _ in range(20):
            pressed = t.press("\x1b[B")
            delays.append(1000 * (t.settle(0.6) - pressed))
    delays.sort()
    p95 = delays[int(len(delays) * 0.95)]
    line("p50", f"{delays[len(delays) // 2]:.0f} ms")
    line("p95", f"{p95:.0f} ms", "under 250 ms", p95 < 250)


def scanning_memory() -> None:
    heading("memory of all processes (PSS) while the whole model is scanned")
    rest, more = memory_while_scanning(models.vgg16(), "predictions")
    line("at the first frame of vgg16.keras (553 MB)", f"{rest:.0f} MB")
    line("more while scanning it", f"{more:.0f} MB", "under 180 MB", more < 180)
    large = statistics.median(memory_while_scanning(models.ten_times(), "copy0")[1] for _ in range(3))
    line(
        "more while scanning ten times as much (5.5 GB), median of 3",
        f"{large:.0f} MB",
        "no more (by 10 %)",
        large <= 1.1 * more,
    )


def memory_while_scanning(path: Path, marker: str) -> tuple[float, float]:
    """(MB at the first frame, MB more at the highest point of the scan)"""
    with Terminal(wtui(path)) as t:
        t.wait(marker)
        rest = peak = memory_of(t.pid)
        while not scanned(t.text):
            t.read(0.02)
            peak = max(peak, memory_of(t.pid))
    return rest / 1e6, (peak - rest) / 1e6


def first_start_ever() -> None:
    heading("first start ever: no compiled kernels on disk")
    with tempfile.TemporaryDirectory() as cache:
        env = {"NUMBA_CACHE_DIR": cache}
        with Terminal(wtui(models.vgg16()), env=env) as t:
            frame = t.wait("predictions")
            t.press("/fc1/k\r")
            number = t.wait("skewness") - frame
            exact = t.wait("102,760,448 values, all read") - frame
    line("numbers for the selected tensor after the first frame", f"{number:.2f} s", "within 0.5 s", number < 0.5)
    line("exact numbers for fc1/kernel, 411 MB", f"{exact:.2f} s", "within 4 s", exact < 4)


def fc1_in_the_browser() -> None:
    heading("full statistics of fc1 (411 MB) in the browser, from the key to exact numbers")
    seconds = statistics.median(fc1_in_wtui() for _ in range(3))
    line("wtui, from the first frame on, its scan process starting", f"{seconds:.2f} s")
    peer = models.peer(*H5TUI)
    if peer is not None:
        theirs = statistics.median(fc1_in_h5tui(peer) for _ in range(3))
        line("h5tui, mean, var, std, norm, min, max; the screen stands still", f"{theirs:.2f} s")
        line("  ratio", f"{seconds / theirs:.2f}", "under 0.5", seconds < 0.5 * theirs)


def fc1_in_wtui() -> float:
    """Seconds from the keys that select the kernel to its exact numbers."""
    with Terminal(wtui(models.vgg16())) as t:
        t.wait("predictions")
        pressed = t.press("/fc1/k\r")
        return t.wait("102,760,448 values, all read") - pressed


def fc1_in_h5tui(peer: str) -> float:
    """Seconds from the key for its summary, the kernel being selected, to the numbers."""
    with Terminal([peer, str(models.vgg16(".h5"))]) as t:
        for keys, shown in (("l", "block1_conv2"), ("j" * 18, "Path: /model_weights"), ("ll", "fc1/fc1")):
            t.press(keys)
            t.wait(shown)
            t.settle(0.5)
        t.press("j")
        t.wait("25088 × 4096")
        t.settle(0.5)
        t.press("A")  # of so many values it wants to be asked twice
        t.settle(0.5)
        pressed = t.press("A")
        return t.wait("L2 norm") - pressed


def run() -> None:
    """Measure everything that a person would notice."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its bytecode
    models.vgg16(), models.vgg16(".h5"), models.ten_thousand(), models.thirty_two()
    for measure in (
        first_frames,
        metadata_read,
        bytes_on_the_line,
        key_latency,
        search_answers,
        panels_after_the_last_key,
        scanning_memory,
        first_start_ever,
        fc1_in_the_browser,
    ):
        measure()
