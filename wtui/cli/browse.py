"""What comes before the browser: which model is meant, and whether there is a terminal to show it in.

The screen itself is handed in, since the command line does not know the browser.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from wtui.cli.status import Exit
from wtui.errors import UsageError, WtuiError
from wtui.render.terminal import has_terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wtui.formats.candidates import Candidate
    from wtui.live.passing import Settings
    from wtui.series.members import Run
    from wtui.series.protocol import OpenRun

__all__ = ["Screen", "browse", "browse_several", "compare", "demo"]


class Screen(Protocol):
    """What draws."""

    def show(self, path: str, format: str | None, given: Settings | None = None) -> int:
        """Browse one model until the user leaves; the exit code. WtuiError if it cannot be opened.

        `given` is what its layers are given when their outputs are asked for.
        """

    def show_run(self, opened: OpenRun) -> int:
        """Browse a run of checkpoints until the user leaves; the exit code."""

    def compare(self, a: str, b: str, format: str | None) -> int:
        """Browse two models as one tree until the user leaves, as `show`."""

    def pick(self, folder: str, candidates: Sequence[Candidate], notes: Mapping[str, str]) -> str | None:
        """Let the user choose one of the models in a folder; its path, None for none."""


def browse(path: str, format: str | None, screen: Screen, given: Settings | None = None) -> int:
    """Browse a model, a run of checkpoints, or one of the models in a folder; the exit code."""
    if format is None and os.path.isdir(path):
        from wtui.series.members import run_in

        run = run_in(path)
        if run is not None:
            return _browse_run(run, screen)
        from wtui.formats.candidates import models_inside

        found = models_inside(path)
        if len(found) > 1:
            return _choose(path, found, {}, screen)
        if found:
            path = found[0].path
    return screen.show(path, format, given)


def browse_several(paths: Sequence[str], screen: Screen) -> int:
    """Browse these checkpoints as a run; the exit code."""
    from wtui.series.members import run_of

    return _browse_run(run_of(paths), screen)


def _browse_run(run: Run, screen: Screen) -> int:
    from wtui.series.protocol import OpenRun

    return screen.show_run(OpenRun(run, run.folder))


def compare(a: str, b: str, format: str | None, screen: Screen) -> int:
    """Browse two models as one tree; the exit code."""
    return screen.compare(_only_model(a, format), _only_model(b, format), format)


def _only_model(path: str, format: str | None) -> str:
    """The path, or that of the one model in a folder; UsageError for a folder with several."""
    if format is not None or not os.path.isdir(path):
        return path
    from wtui.formats.candidates import models_inside

    found = models_inside(path)
    if len(found) > 1:
        raise UsageError("there are several models in this folder: name one", path)
    return found[0].path if found else path


def here(screen: Screen) -> int:
    """Browse one of the models in this folder, for a user who named none."""
    from wtui.formats.candidates import find_models
    from wtui.series.members import run_in

    run = run_in(".")
    if run is not None:
        return _browse_run(run, screen)
    found = find_models(".")
    if not found:
        raise UsageError("there is no model in this folder", hint="name one: wtui PATH, or try wtui demo")
    return _choose(".", found, {}, screen)


def demo(screen: Screen) -> int:
    """Browse one of the models that come with wtui."""
    from wtui.demo import folder
    from wtui.formats.candidates import find_models

    found = sorted(find_models(folder()), key=lambda c: c.path)
    return _choose(folder(), found, {c.path: _note(c.path) for c in found}, screen)


def _choose(folder: str, found: Sequence[Candidate], notes: Mapping[str, str], screen: Screen) -> int:
    """Let the user choose and browse that; without a terminal, list what there is. A run of checkpoints is one line."""
    found, runs = _with_runs(folder, found)
    if notes:
        notes = {**notes, **{path: notes.get(run.members[-1].path, "") for path, run in runs.items()}}
    if has_terminal():
        path = screen.pick(folder, found, notes)
        if path in runs:
            return _browse_run(runs[path], screen)
        return Exit.DONE if path is None else screen.show(path, None)
    from wtui.cli import output
    from wtui.render.candidates import candidate_lines

    output.write_lines(candidate_lines(found, folder, notes))
    raise UsageError(
        "several models, and no terminal to choose in", folder, "wtui PATH browses one, wtui ls PATH lists it"
    )


def _with_runs(folder: str, found: Sequence[Candidate]) -> tuple[list[Candidate], dict[str, Run]]:
    """The candidates, those of a folder below that is a run as one; and the runs by path of their folder."""
    from wtui.formats.candidates import Candidate
    from wtui.series.members import run_in

    beside = {os.path.dirname(c.path) for c in found} - {folder}
    runs = {place: run for place in sorted(beside) if (run := run_in(place)) is not None}
    shown: dict[str, Candidate] = {}
    for candidate in found:
        place = os.path.dirname(candidate.path)
        if place not in runs:
            shown[candidate.path] = candidate
            continue
        known = shown.get(place) or Candidate(place, f"{len(runs[place].members)} checkpoints", 0, 0.0)
        newest = max(known.mtime, candidate.mtime)
        shown[place] = known._replace(size=known.size + candidate.size, mtime=newest)
    return list(shown.values()), runs


def _note(path: str) -> str:
    """What is noted in the file about the model."""
    from wtui.formats import open_catalogue

    try:
        return str(open_catalogue(path).metadata.get("note", ""))
    except WtuiError:
        return ""
