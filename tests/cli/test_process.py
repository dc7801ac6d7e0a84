"""The command as a process of its own: imports, pipes, signals, locales."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import write_safetensors
from tests.cli.conftest import DEMO

if TYPE_CHECKING:
    from pathlib import Path

MODEL = DEMO / "healthy.keras"
HEAVY = {"numpy", "textual", "rich", "tensorflow", "keras", "plotext", "numba", "h5py", "pyfive", "ml_dtypes"}


def wtui(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run `python -m wtui` to its end."""
    command = [sys.executable, "-m", "wtui", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False, timeout=60)


def modules_of(*arguments: object) -> set[str]:
    """Top-level modules that the process has imported when the command ends."""
    script = (
        "import sys\nfrom wtui.__main__ import main\ncode = main(sys.argv[1:])\n"
        "print(*{m.partition('.')[0] for m in sys.modules}, file=sys.stderr)\nsys.exit(code)"
    )
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["ls", MODEL], ["ls", MODEL, "--json"], ["ls", DEMO / "colleague.h5", "--csv"]])
def test_ls_imports_nothing_heavy(arguments: list[object]) -> None:
    assert not modules_of(*arguments) & HEAVY


def test_stats_imports_no_screen_and_no_framework() -> None:
    assert not modules_of("stats", MODEL, "--json") & (HEAVY - {"numpy", "numba", "ml_dtypes"})


def test_module_and_errors() -> None:
    done = wtui("ls", MODEL)
    assert done.returncode == 0
    assert done.stderr == b""
    assert "Total params: 3,658 (14.6 kB)" in done.stdout.decode()
    assert wtui().returncode == 2
    assert wtui("ls", MODEL, "--nothing").returncode == 2


def test_locales_without_unicode_get_ascii() -> None:
    done = wtui("ls", MODEL, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert b"3x3x8x16" in done.stdout


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    values = {f"layer{i}.weight": np.zeros(1, np.float32) for i in range(5000)}
    path = write_safetensors(tmp_path / "many.safetensors", values)
    process = subprocess.Popen(
        [sys.executable, "-m", "wtui", "ls", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 0
    process.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "wtui", "ls", MODEL], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"No space left" in done.stderr


def test_an_interrupt_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    """A file of which reading takes long: sparse, and interrupted as soon as the scan has begun."""
    path = tmp_path / "huge.safetensors"
    count = 1 << 32
    header = f'{{"t": {{"dtype": "U8", "shape": [{count}], "data_offsets": [0, {count}]}}}}'.encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + count)
    script = (
        "import os, signal, sys\nfrom wtui.__main__ import main\n"
        "from wtui.engine.summaries import Summaries\nscan = Summaries.scan\n"
        "def interrupted(self, tensors, on_progress):\n"
        "    return scan(self, tensors, lambda done, total: os.kill(os.getpid(), signal.SIGINT))\n"
        "Summaries.scan = interrupted\nsys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "stats", str(path), "--threads", "1"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 130
    assert (done.stdout, done.stderr) == (b"", b"")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
