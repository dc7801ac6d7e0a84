"""Integers at the ends of their range where scales hide them, against numpy on the integers as they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import write_safetensors
from wtui.checking import Examination
from wtui.engine import ends
from wtui.engine.ends import count_at_ends
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.insight.types import Finding


def quantised(path: Path, values: np.ndarray, share: float) -> tuple[Path, np.ndarray]:
    """A file of one int8 kernel with a scale for each row, from a share of its largest value; and the integers."""
    scale = (np.abs(values).max(axis=1, keepdims=True) * share / 127).astype(np.float32)
    integers = np.clip(np.round(values / scale), -128, 127).astype(np.int8)
    return write_safetensors(path, {"up.weight": integers, "up.weight_scale": scale}), integers


def found(path: Path) -> list[Finding]:
    """What is found in a file."""
    catalogue = open_catalogue(str(path))
    files = Files(catalogue.files)
    try:
        return [f for f in Examination(catalogue, files).run().findings if f.severity != "info"]
    finally:
        files.close()


@pytest.mark.parametrize("chunk", [100, 1 << 20])
def test_they_are_counted_as_they_were_written(tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "CHUNK", chunk)
    values = np.random.default_rng(1).normal(size=(48, 64))
    path, integers = quantised(tmp_path / "model.safetensors", values, 0.4)
    catalogue = open_catalogue(str(path))
    files = Files(catalogue.files)
    tensor = catalogue["up.weight"]
    expected = int(np.count_nonzero(np.isin(integers, (-128, -127, 127))))
    assert expected > 200
    assert count_at_ends(tensor, catalogue, files) == expected
    assert count_at_ends(tensor, catalogue, files, lambda: True) is None
    assert count_at_ends(catalogue["up.weight_scale"], catalogue, files) == 0
    files.close()


@pytest.mark.parametrize("columns", [8, 64, 256])
def test_one_at_the_end_of_each_row_is_no_fault_and_many_are(tmp_path: Path, columns: int) -> None:
    values = np.random.default_rng(2).normal(size=(64, columns))
    assert found(quantised(tmp_path / "model.safetensors", values, 1.0)[0]) == []
    (one,) = found(quantised(tmp_path / "model.safetensors", values, 0.3)[0])
    assert (one.rule, one.tensor, one.severity) == ("saturated", "up.weight", "warning")
