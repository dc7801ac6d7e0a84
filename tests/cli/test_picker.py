"""Choosing a model: which files and folders are candidates, and the list on the screen."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.builders import write_safetensors
from tests.cli.conftest import DEMO
from wtui.__main__ import main
from wtui.cli import browse
from wtui.formats.candidates import Candidate, find_models, models_inside
from wtui.render.candidates import candidate_lines
from wtui.render.spans import plain
from wtui.tui.picker import PickerApp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.cli.conftest import Run
    from wtui.series.protocol import OpenRun

MODEL = (DEMO / "healthy.keras").read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Models among other things; `old.keras` is the oldest."""
    (tmp_path / "old.keras").write_bytes(MODEL)
    os.utime(tmp_path / "old.keras", (1_000_000_000, 1_000_000_000))
    (tmp_path / "without_suffix").write_bytes(MODEL)
    (tmp_path / "words.keras").write_text("no model, whatever its name")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / ".hidden.keras").write_bytes(MODEL)
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "first.keras").write_bytes(MODEL)
    (tmp_path / "runs" / "second.keras").write_bytes(MODEL)
    (tmp_path / "runs" / "deeper").mkdir()
    (tmp_path / "runs" / "deeper" / "third.keras").write_bytes(MODEL)
    hub = tmp_path / "hub"
    hub.mkdir()
    for i in (1, 2):
        write_safetensors(hub / f"model-0000{i}-of-00002.safetensors", {f"t{i}": np.zeros(4, np.float32)})
    (hub / "model.safetensors.index.json").write_text(
        '{"weight_map": {"t1": "model-00001-of-00002.safetensors", "t2": "model-00002-of-00002.safetensors"}}'
    )
    return tmp_path


def names(found: Sequence[Candidate], folder: Path) -> list[str]:
    return sorted(os.path.relpath(c.path, folder) for c in found)


def test_candidates_are_models_by_content(folder: Path) -> None:
    found = find_models(str(folder))
    assert names(found, folder) == ["hub", "old.keras", "runs/first.keras", "runs/second.keras", "without_suffix"]
    assert found[-1].path == str(folder / "old.keras")
    by_path = {c.path: c for c in found}
    assert by_path[str(folder / "old.keras")][1:3] == ("keras", len(MODEL))
    assert by_path[str(folder / "hub")].format == "safetensors-sharded"
    assert names(find_models(str(folder), depth=0), folder) == ["old.keras", "without_suffix"]
    assert find_models(str(folder / "missing")) == []


@pytest.mark.parametrize(
    ("files", "listed"),
    [
        (["m_00000.weights.h5", "m_00001.weights.h5", "m.weights.json"], ["m.weights.json"]),
        (["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"], ["m-00001-of-00002.gguf"]),
        (["m-1.index", "m-1.data-00000-of-00001", "m-1.meta", "m-2.index", "checkpoint"], ["m-1.index", "m-2.index"]),
        (["checkpoint", "alone.keras"], ["alone.keras", "checkpoint"]),
    ],
)
def test_parts_of_a_model_are_no_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], listed: list[str]
) -> None:
    monkeypatch.setattr("wtui.formats.candidates.sniff", lambda path: "anything")
    for name in files:
        (tmp_path / name).write_bytes(b"")
    assert names(find_models(str(tmp_path)), tmp_path) == listed


def test_a_folder_that_is_a_model_offers_no_choice(folder: Path) -> None:
    assert models_inside(str(folder / "hub")) == []
    assert models_inside(str(folder / "old.keras")) == []
    assert len(models_inside(str(folder / "runs"))) == 3


def test_lines_for_terminals_and_pipes(folder: Path) -> None:
    found = [
        Candidate(str(folder / "b\x1b.keras"), "keras", 553_518_952, 0.0),
        Candidate(str(folder / "runs/a.h5"), "keras-h5", 1000, 86400.0),
    ]
    notes = {found[1].path: "a note that is\n" + "longer than there is room for " * 9}
    lines = [plain(line) for line in candidate_lines(found, str(folder), notes)]
    assert lines[0].split() == ["model", "format", "size", "written", "note"]
    assert lines[1].startswith("b\\x1b.keras  keras     553.5 MB  19")
    assert "that is\\x0alonger" in lines[2]
    fitted = [plain(line) for line in candidate_lines(found, str(folder), notes, 80)]
    assert max(map(len, fitted)) == 80
    assert fitted[2].endswith("…")


def press(app: PickerApp, *keys: str) -> str | None:
    """What the list returns after these keys."""

    async def run() -> None:
        async with app.run_test(size=(80, 12)) as pilot:
            await pilot.press(*keys)

    asyncio.run(run())
    return app.return_value


def test_the_list_on_the_screen(folder: Path) -> None:
    found = find_models(str(folder))
    assert press(PickerApp(str(folder), found, {}), "down", "down", "up", "enter") == found[1].path
    assert press(PickerApp(str(folder), found, {}), "q") is None


def test_the_whole_note_of_the_model_under_the_cursor_is_shown(folder: Path) -> None:
    found = find_models(str(folder))
    notes = {found[1].path: "planted: " + "so much to say " * 9 + "in the end"}

    async def run() -> None:
        app = PickerApp(str(folder), found, notes)
        async with app.run_test(size=(80, 16)) as pilot:
            await pilot.pause()
            assert "in the end" not in screen_of(app)
            await pilot.press("down")
            await pilot.pause()
            assert "in the end" in screen_of(app)

    asyncio.run(run())


def screen_of(app: PickerApp) -> str:
    """What the terminal shows."""
    return "\n".join("".join(s.text for s in strip) for strip in app.screen._compositor.render_strips())


class Recorder:
    """A screen that only remembers what it was asked for."""

    def __init__(self, choice: int | None) -> None:
        self.choice = choice
        self.shown: list[tuple[str, str | None]] = []
        self.offered: list[tuple[list[str], list[str]]] = []
        self.runs: list[list[str]] = []

    def show(self, path: str, format: str | None, given: object = None) -> int:
        self.shown.append((path, format))
        return 0

    def show_run(self, opened: OpenRun) -> int:
        assert opened.run is not None
        self.runs.append([m.name for m in opened.run.members])
        return 0

    def pick(self, folder: str, candidates: Sequence[Candidate], notes: Mapping[str, str]) -> str | None:
        self.offered.append(([c.path for c in candidates], list(notes.values())))
        return None if self.choice is None else candidates[self.choice].path


@pytest.fixture
def in_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "has_terminal", lambda: True)


@pytest.mark.usefixtures("in_terminal")
def test_what_is_chosen_is_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    screen = Recorder(-1)
    assert browse.here(screen) == 0
    assert screen.shown == [("./old.keras", None)]
    assert browse.browse(str(folder / "runs"), None, screen) == 0
    assert len(screen.offered[1][0]) == 3
    nothing = Recorder(None)
    assert browse.here(nothing) == 0
    assert nothing.shown == []


@pytest.mark.usefixtures("in_terminal")
def test_where_there_is_no_choice_nothing_is_asked(folder: Path) -> None:
    screen = Recorder(None)
    browse.browse(str(folder / "old.keras"), None, screen)
    browse.browse(str(folder / "hub"), None, screen)
    browse.browse(str(folder / "runs" / "deeper"), None, screen)
    browse.browse(str(folder / "runs"), "keras", screen)
    assert screen.offered == []
    assert [p for p, _ in screen.shown] == [
        str(folder / name) for name in ("old.keras", "hub", "runs/deeper/third.keras", "runs")
    ]  # fmt: skip
    assert screen.shown[-1][1] == "keras"


@pytest.mark.usefixtures("in_terminal")
def test_the_demo_offers_every_model_with_its_note() -> None:
    screen = Recorder(0)
    assert browse.demo(screen) == 0
    ((paths, notes),) = screen.offered
    assert paths == sorted(paths)
    shown = ["adapter", "colleague.h5", "digits-run", "faulty.keras", "healthy.keras", "tiny-lm"]
    assert [os.path.basename(p) for p in paths] == shown
    assert all(notes)
    assert [p for p, _ in screen.shown] == paths[:1]


EPOCHS = [f"epoch-{n}.keras" for n in range(6)]


@pytest.mark.usefixtures("in_terminal")
def test_a_folder_of_checkpoints_is_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Recorder(2)
    browse.demo(screen)
    browse.browse(str(DEMO / "digits-run"), None, screen)
    monkeypatch.chdir(DEMO / "digits-run")
    browse.here(screen)
    assert screen.runs == [EPOCHS] * 3
    assert screen.shown == []


def test_three_paths_and_more_are_a_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Recorder(None)
    monkeypatch.setattr("wtui.__main__.Browser", lambda: screen)
    paths = [str(DEMO / "digits-run" / name) for name in EPOCHS]
    assert main([paths[2], paths[0], paths[4]]) == 0
    assert screen.runs == [[EPOCHS[0], EPOCHS[2], EPOCHS[4]]]
    assert run(paths[0], paths[1], paths[0]).code == 2
    assert run(*paths[:3], "--format", "keras").code == 2


def test_a_run_needs_a_terminal(run: Run) -> None:
    result = run(DEMO / "digits-run")
    assert result.code == 2
    assert "there is no terminal to browse in (wtui check PATH)" in result.err


def test_arguments_reach_the_browser(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Recorder(None)
    monkeypatch.setattr("wtui.__main__.Browser", lambda: screen)
    assert main(["model.keras"]) == main(["--format", "keras", "model.keras"]) == main(["--", "model.keras"]) == 0
    assert screen.shown == [("model.keras", None), ("model.keras", "keras"), ("model.keras", None)]
    assert run("model.keras").out == ""
