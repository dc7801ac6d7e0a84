"""The installed command in a real pseudo-terminal: `python -m tests.e2e [COMMAND]`, by default `wtui` from the PATH.

Opens the demo, moves, searches, looks at tables and plots, and leaves; then the same browser on a file that is gone.
"""

from __future__ import annotations

import shutil
import sys

from tests.terminal import Terminal

DOWN, RIGHT, ESCAPE = "\x1b[B", "\x1b[C", "\x1b"


def main() -> None:
    """Run every step; AssertionError, with what the screen shows, at the first one that fails."""
    command = shutil.which(sys.argv[1] if len(sys.argv) > 1 else "wtui")
    assert command, "wtui is not on the PATH"
    walk_through_the_demo(command, 120, 40)
    walk_through_the_demo(command, 80, 24)
    look_at_the_run(command)
    refuse_what_is_not_there(command)
    print("end to end: ok")


def walk_through_the_demo(command: str, columns: int, rows: int) -> None:
    """First frame, move, search, quit."""
    with Terminal([command, "demo"], columns, rows) as t:
        t.wait("healthy.keras")
        t.press("/healthy\r") if "search" in t.text else choose(t, "healthy.keras")
        t.wait("conv1", 60)
        t.press(DOWN + RIGHT)
        t.wait("kernel")
        t.press(DOWN)
        t.wait("values, all read", 60)
        assert "skewness" in t.text
        t.press("/hidden kern")
        t.wait("hidden/kernel")
        t.press("\r")
        t.press("t")
        t.wait("8 tensors by")
        t.press(ESCAPE)
        t.wait("Layers")
        t.press("q")
        assert t.finish() == 0
    print(f"  demo at {columns}x{rows}: ok")


def look_at_the_run(command: str) -> None:
    """A run opens on its first fault; a checkpoint opens on the same tensor, and the one before; idle sends nothing."""
    with Terminal([command, "demo"], 120, 40) as t:
        t.wait("digits-run")
        choose(t, "digits-run")
        t.wait("last good: epoch 4", 60)
        t.wait("1 without a finite number", 60)
        t.press("\r")
        t.wait("epoch 5  6 of 6", 60)
        t.press("<")
        t.wait("epoch 4  5 of 6", 60)
        t.wait("values, all read", 60)
        t.press(ESCAPE)
        t.wait("last good: epoch 4")
        t.settle(1.0)
        sent = t.bytes_sent
        t.settle(3.0)
        assert t.bytes_sent == sent
        t.press("q")
        assert t.finish() == 0
    print("  the demo's run: ok")


def choose(t: Terminal, name: str) -> None:
    """Move down the list of models until the cursor is on `name`, and open it."""
    for _ in range(20):
        if name in current_row(t):
            break
        t.press(DOWN)
        t.settle(0.2)
    t.press("\r")


def current_row(t: Terminal) -> str:
    """The text of the highlighted row."""
    for y in range(t.screen.lines):
        if any(t.screen.buffer[y][x].bg not in ("default", "") for x in range(2, 30)):
            return t.screen.display[y]
    return ""


def refuse_what_is_not_there(command: str) -> None:
    """One line on the terminal, exit code 2."""
    with Terminal([command, "ls", "/no/such/model.keras"]) as t:
        assert t.finish() == 2
        assert "no such file" in t.text
    print("  a missing file: ok")


if __name__ == "__main__":
    main()
