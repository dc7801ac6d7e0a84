"""NO_COLOR: no colour reaches the terminal, and the cursor is still there, on a real pseudo-terminal."""

from __future__ import annotations

import re
import sys

from tests.cli.conftest import DEMO
from tests.terminal import Terminal

COLOURS = re.compile(rb"\x1b\[[0-9;]*?(?<![0-9])(3[0-8]|4[0-8]|9[0-7]|10[0-7])(?=[;m])[0-9;]*m")


def reversed_rows(t: Terminal) -> list[str]:
    """The rows of the tree that are reversed: where the cursor is."""
    return [t.screen.display[y] for y in range(t.screen.lines) if t.screen.buffer[y][3].reverse]


def test_without_colours_everything_is_told_by_other_means() -> None:
    command = [sys.executable, "-m", "wtui", str(DEMO / "faulty.keras")]
    with Terminal(command, 100, 30, env={"NO_COLOR": "1"}) as t:
        t.wait("all read", 60)
        t.wait("norm ✗")
        t.press("\x1b[B")
        t.wait(lambda text: ["conv1" in row for row in reversed_rows(t)] == [True])
        sent = b"".join(data for _, data in t.chunks)
        assert not COLOURS.search(sent), COLOURS.search(sent)
        t.press("q")
        assert t.finish() == 0
