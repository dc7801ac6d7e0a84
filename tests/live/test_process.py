"""The process in which Keras runs: no GPU, silent, ended whatever happens, and one plain sentence when it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import wtui
from wtui.live.process import FrameworkError, FrameworkProcess, environment
from wtui.live.protocol import Build, ShapesOf

DEMO = Path(wtui.__file__).parent / "demo" / "models"

NOTHING = ShapesOf(())
"""A task that is done once Keras is imported."""

TIMEOUT = 60.0


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    """Whether a process ends within a while."""
    end = time.monotonic() + TIMEOUT
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def environment_of(pid: int) -> dict[str, str]:
    """The environment that a process was started with, once it is ours no more."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        found = dict(entry.decode().partition("=")[::2] for entry in entries if entry)
        if "KERAS_BACKEND" in found:
            return found
    raise AssertionError("it was never started")


def test_it_sees_no_gpu_unless_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with FrameworkProcess(NOTHING) as process:
        found = environment_of(process.pid)
    assert found["CUDA_VISIBLE_DEVICES"] == found["HIP_VISIBLE_DEVICES"] == "-1"
    assert found["JAX_PLATFORMS"] == "cpu"
    gpu = environment("gpu")
    assert gpu["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert gpu["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def test_it_ends_when_it_is_killed_and_that_is_no_error() -> None:
    process = FrameworkProcess(NOTHING)
    process.kill()
    assert list(process) == []
    assert not alive(process.pid)
    process.kill()


def test_it_ends_when_its_time_is_up() -> None:
    process = FrameworkProcess(NOTHING, limit=0.1)
    with pytest.raises(FrameworkError, match=r"took longer than 0\.1 s and was stopped \(--time-limit raises it\)"):
        list(process)
    assert not alive(process.pid)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGKILL, r"killed by the system \(out of memory\? try a smaller --batch\)"),
        (signal.SIGSEGV, r"crashed \(SIGSEGV\)"),
    ],
)
def test_its_death_is_one_sentence(number: signal.Signals, said: str) -> None:
    process = FrameworkProcess(NOTHING)
    os.kill(process.pid, number)
    with pytest.raises(FrameworkError, match=said) as caught:
        list(process)
    assert "\n" not in str(caught.value)


def test_it_ends_with_whoever_started_it() -> None:
    code = (
        "import os\nfrom wtui.live.process import FrameworkProcess\nfrom wtui.live.protocol import ShapesOf\n"
        "process = FrameworkProcess(ShapesOf((('', 'x'),) * 100))\nprint(process.pid, flush=True)\nos._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert gone(int(done.stdout))


def shadow(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """Let processes run this code when they start."""
    (folder / "sitecustomize.py").write_text(code)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))


def test_tensorflow_that_is_missing_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shadow(monkeypatch, tmp_path, "import sys\nsys.modules['tensorflow'] = sys.modules['keras'] = None\n")
    with pytest.raises(FrameworkError, match=r"^keras is not installed \(pip install tensorflow\)$"):
        list(FrameworkProcess(NOTHING))


def test_tensorflow_that_is_broken_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorflow").mkdir()
    code = "print('noise')\nraise ImportError('libcudart.so.12: not found')\n"
    (tmp_path / "tensorflow" / "__init__.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(FrameworkError, match=r"^tensorflow cannot be imported: libcudart.so.12: not found"):
        list(FrameworkProcess(Build("VGG16", "none", str(tmp_path / "x.keras"))))


@pytest.mark.parametrize("command", ["ls", "stats", "check"])
def test_files_are_read_where_no_framework_can_be_imported(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = dict.fromkeys(("tensorflow", "keras", "tf_keras", "torch", "jax"))
    shadow(monkeypatch, tmp_path, f"import sys\nsys.modules.update({blocked})\n")
    for name in ("healthy.keras", "colleague.h5"):
        arguments = [sys.executable, "-m", "wtui", command, str(DEMO / name)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
