"""`--format`: every command that opens a model reads it as told, and says what it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wtui.demo

if TYPE_CHECKING:
    from tests.cli.conftest import Run

MODEL = Path(wtui.demo.__file__).parent / "models" / "colleague.h5"
COMMANDS = ("ls", "stats", "check", "plot", "diff")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_format_is_forced(run: Run, command: str) -> None:
    paths = (MODEL, MODEL) if command == "diff" else (MODEL,)
    plain, forced = (run(command, *paths, "--json", *more) for more in ((), ("--format", "hdf5")))
    assert plain.code == forced.code == 0
    if command in ("ls", "stats"):
        assert plain.document["format"].startswith("Keras")
        assert forced.document["format"].startswith("HDF5")
    if command != "diff":
        assert str(plain.document) != str(forced.document), "the tensors have other names"


@pytest.mark.parametrize("command", [*COMMANDS, "summary", "activations", "spectrum", None])
def test_a_format_that_nobody_knows(run: Run, command: str | None) -> None:
    paths = (MODEL, MODEL) if command == "diff" else (MODEL,)
    done = run(*([command] if command else []), *paths, "--format", "nothing")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "unknown format 'nothing' (known: keras, keras-h5, " in done.err


@pytest.mark.parametrize("command", ["ls", "stats", "check"])
def test_a_format_that_it_is_not(run: Run, command: str) -> None:
    done = run(command, MODEL, "--format", "onnx")
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith(f"wtui: {MODEL}: ")
    assert done.err.count("\n") == 1
