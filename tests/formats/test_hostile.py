"""Files that mean harm, in every format: cut off anywhere, pipes and devices and links in a circle in place of a file.

And what no reader may do while it looks at any of them, seen by an audit hook of the interpreter: write, ask a server,
start a program.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.formats.fuzzing import check_opens_or_refuses
from tests.formats.test_damage import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable

CUTS = 150
"""Lengths to which each file is cut, its first bytes all among them."""

WATCHED = """
import os, sys
from pathlib import Path
from tests.formats.fuzzing import check_opens_or_refuses, mutate
from tests.formats.test_damage import SMALL
import wtui.codecs, wtui.engine.blocks, h5py
opened, damaged = (Path(p) for p in sys.argv[2:])
watching, seen = False, set()
FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove", "os.rename",
    "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.link", "os.symlink", "pickle.find_class", "shutil.", "pty.",
    "ctypes.dlopen", "urllib.", "webbrowser.")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

def hook(event, arguments):
    if not watching:
        return
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        if not str(arguments[0]).endswith((".pyc", ".nbi", ".nbc")) and "__pycache__" not in str(arguments[0]):
            seen.add(f"open {arguments[0]} {arguments[2]:o}")
    if event.startswith(FORBIDDEN):
        seen.add(f"{event} {arguments!r}"[:200])

whole = damaged.read_bytes()
check_opens_or_refuses(opened)  # what is imported on first use is imported now
sys.addaudithook(hook)
watching = True
open(os.devnull, "w").close()
watching = False
assert len(seen) == 1, "the hook sees what is written"
seen.clear()
for seed in range(60):
    damaged.write_bytes(whole if seed == 0 else mutate(whole, seed))
    watching = True
    check_opens_or_refuses(opened, sys.argv[1] if seed % 2 else None)
    watching = False
print(*sorted(seen), sep="\\n")
"""


@pytest.mark.parametrize("name", SMALL)
def test_cut_off_anywhere(name: str, tmp_path: Path) -> None:
    opened, damaged = SMALL[name](tmp_path)
    whole = damaged.read_bytes()
    lengths = {*range(min(64, len(whole))), *range(64, len(whole), max(1, len(whole) // CUTS))}
    for length in sorted(lengths):
        damaged.write_bytes(whole[:length])
        check_opens_or_refuses(opened, name if length % 2 else None)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def terminal(path: Path) -> None:
    path.symlink_to("/dev/tty")


def circle(path: Path) -> None:
    path.symlink_to(path)


def nowhere(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("put", [pipe, device, terminal, circle, nowhere, folder])
@pytest.mark.parametrize("name", SMALL)
def test_what_is_no_file(name: str, put: Callable[[Path], None], tmp_path: Path) -> None:
    opened, damaged = SMALL[name](tmp_path)
    damaged.unlink()
    put(damaged)
    for format in (None, name):
        found = check_opens_or_refuses(opened, format)
        assert found is None or opened != damaged


@pytest.mark.parametrize("name", SMALL)
def test_looking_changes_nothing_and_starts_nothing(name: str, tmp_path: Path) -> None:
    opened, damaged = SMALL[name](tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p != damaged}
    run = [sys.executable, "-c", WATCHED, name, str(opened), str(damaged)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == ""
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p != damaged}
