"""Runs the command in this process, and small models for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from wtui.__main__ import main
from wtui.cli import output

if TYPE_CHECKING:
    Arrays = dict[str, np.ndarray]

DEMO = Path(wtui.__file__).parent / "demo" / "models"


class Result(NamedTuple):
    """What a run of the command left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """stdout as strict JSON: NaN and Infinity are no JSON."""
        return json.loads(self.out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call `wtui` with these arguments."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return Result(int(code), captured.out, captured.err)

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Pretend that stdout is a terminal of so many columns, without colours."""

    def set_width(columns: int) -> None:
        monkeypatch.setattr(output, "is_terminal", lambda: True)
        monkeypatch.setattr(output, "terminal_size", lambda: (columns, 24))
        monkeypatch.setenv("NO_COLOR", "1")

    return set_width


@pytest.fixture(scope="session")
def arrays() -> Arrays:
    """Values by tensor name: usual ones, NaN and infinities, constants, integers, one value, none."""
    rng = np.random.default_rng(21)
    broken = rng.normal(size=(4, 5)).astype(np.float32)
    broken[1, 2], broken[3, 3], broken[0, 4], broken[2, 0] = np.nan, np.nan, np.inf, -np.inf
    return {
        "dense.weight": rng.normal(0.1, 0.5, (40, 30)).astype(np.float32),
        "dense.bias": rng.uniform(-1, 1, 40).astype(np.float16),
        "broken.weight": broken,
        "constant": np.full((3, 3), 0.25, np.float32),
        "codes": rng.integers(-128, 128, 500).astype(np.int8),
        "large": rng.normal(-3, 1, (300, 400)).astype(np.float32),
        "scalar": np.array(2.5, np.float64),
        "empty": np.zeros((0, 4), np.float32),
    }


@pytest.fixture(scope="session")
def small(arrays: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A safetensors file of these arrays."""
    return write_safetensors(tmp_path_factory.mktemp("cli") / "small.safetensors", arrays)


@pytest.fixture(scope="session")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that ends in the middle of its last tensor."""
    values = {name: np.full((10, 10), i, np.float32) for i, name in enumerate(("first", "last"))}
    path = write_safetensors(tmp_path_factory.mktemp("cut") / "cut.safetensors", values)
    path.write_bytes(path.read_bytes()[:-100])
    return path
