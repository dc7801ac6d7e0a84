"""`wtui cache` and `--no-cache`."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from wtui.cache.identity import TICK_NS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


@pytest.fixture
def model(tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that may be cached, and an empty cache in `cache`."""
    monkeypatch.setenv("WTUI_CACHE", "1")
    monkeypatch.setenv("WTUI_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "model.safetensors"
    shutil.copy(small, path)
    while time.time_ns() - os.stat(path).st_ctime_ns <= TICK_NS:
        pass
    return path


def test_it_says_where_and_how_large(run: Run, model: Path) -> None:
    place = model.parent / "cache" / "statistics.sqlite"
    assert run("cache").out.splitlines() == [str(place), "0 B of at most 256.0 MB: 0 records of 0 models"]
    assert not place.exists()
    assert run("stats", model).code == 0
    size = os.path.getsize(place)
    document = run("cache", "--json").document
    assert document == {
        "schema": 1, "path": str(place), "bytes": size, "limit": 256_000_000, "models": 1, "records": 9,
        "problem": None, "freed": 0,
    }  # fmt: skip
    assert run("cache", "clear", "--json").document["freed"] == size
    assert not place.exists()


def test_the_same_table_with_and_without(run: Run, model: Path) -> None:
    first, cached, without = run("stats", model), run("stats", model), run("stats", model, "--no-cache")
    assert first == cached == without
    for arguments in (("--json",), ("--csv",), ("--json", "--select", "*.weight")):
        outputs = {run("stats", model, *arguments, *more) for more in ((), (), ("--no-cache",))}
        assert len(outputs) == 1
        assert outputs.pop().code == 0


def test_depth_plots_come_from_it(run: Run, model: Path) -> None:
    run("stats", model)
    arguments = ("plot", model, "--kind", "depth", "--metric", "std", "--json")
    assert run(*arguments) == run(*arguments, "--no-cache")


def test_without_a_cache_nothing_is_written(run: Run, model: Path) -> None:
    assert run("stats", model, "--no-cache").code == 0
    assert not (model.parent / "cache").exists()


def test_what_cannot_be_used_or_removed_is_said(run: Run, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WTUI_CACHE", "0")
    assert "not used: switched off by WTUI_CACHE" in run("cache").out
    monkeypatch.setenv("WTUI_CACHE", "1")
    monkeypatch.setenv("WTUI_CACHE_DIR", str(model))
    assert f"not used: {model} is no folder" in run("cache").out
    monkeypatch.setenv("WTUI_CACHE_DIR", str(model.parent / "cache"))
    (model.parent / "cache" / "statistics.sqlite").mkdir(parents=True)
    failed = run("cache", "clear")
    assert (failed.code, failed.out) == (2, "")
    assert "cannot be removed" in failed.err


def test_bad_usage_is_one_line(run: Run) -> None:
    failed = run("cache", "burn")
    assert failed.code == 2
    assert failed.err.count("\n") == 1
