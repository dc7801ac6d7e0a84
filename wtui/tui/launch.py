"""Starting the browser: opens the model beside the import of Textual; says what is wrong before a screen is drawn."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

from wtui.errors import UsageError
from wtui.render.terminal import has_terminal

if TYPE_CHECKING:
    from wtui.live.passing import Settings
    from wtui.series.protocol import OpenRun
    from wtui.tui.jobs import Opening

__all__ = ["browse_object", "browse_pair", "browse_path", "browse_run"]

WAIT = 0.3
"""Seconds that an error may take to come up as a plain message; a model that takes longer opens on the screen."""


def browse_path(path: str | os.PathLike[str], format: str | None = None, given: Settings | None = None) -> int:
    """Browse one model until the user leaves; the exit code. WtuiError if it cannot be, or without a terminal.

    `given` is what its layers are given when their outputs are asked for.
    """
    if os.fspath(path).startswith("keras:") and not has_terminal():
        raise _no_terminal(os.fspath(path))  # before Keras builds something that nobody sees
    gc.disable()  # until the first frame: importing and building makes much, and nothing of it is garbage
    opening = _opening(os.fspath(path), format)
    opening.settings = given
    try:
        if not has_terminal():
            opening.wait()
            raise opening.error or _no_terminal(os.fspath(path))
        return _run(opening)
    finally:
        opening.close()
        gc.enable()


def _no_terminal(path: str) -> UsageError:
    return UsageError("there is no terminal to browse in", path, "wtui ls PATH, wtui stats PATH")


def browse_pair(a: str, b: str, format: str | None = None) -> int:
    """Browse two models as one tree until the user leaves; the exit code. WtuiError as for `browse_path`."""
    from wtui.tui.pair.opening import OpeningBoth

    gc.disable()  # as in `browse_path`
    opening = OpeningBoth(a, b, format, scan=has_terminal())
    try:
        if not has_terminal():
            opening.wait()
            hint = "wtui diff A B"
            raise opening.error or UsageError("there is no terminal to browse in", opening.path, hint)
        return _run(opening)
    finally:
        opening.close()
        gc.enable()


def _opening(path: str, format: str | None) -> Opening:
    """The model being opened, which Keras may have to build first."""
    if path.startswith("keras:"):
        from wtui.tui.built import OpeningApplication

        return OpeningApplication(path)
    from wtui.tui.jobs import Opening

    return Opening(path, format, scan=has_terminal())


def browse_run(opened: OpenRun) -> int:
    """Browse a run of checkpoints until the user leaves; the exit code. UsageError without a terminal."""
    if not has_terminal():
        raise UsageError("there is no terminal to browse in", opened.folder, "wtui check PATH")
    from wtui.tui.run_opening import OpeningRun

    gc.disable()  # as in `browse_path`
    opening = OpeningRun(opened)
    try:
        return _run(opening)
    finally:
        opening.close()
        gc.enable()


def browse_object(model: object) -> None:
    """Browse a model in this process's memory until the user leaves. WtuiError as for `browse_path`."""
    from wtui.tui.guest import OpeningObject, as_guest

    opening = OpeningObject(model)
    try:
        if not has_terminal():
            hint = "print(wtui.open(model).report()) needs none"
            raise UsageError("there is no terminal to browse in", opening.path, hint)
        with as_guest():
            gc.disable()
            _run(opening)
    finally:
        opening.close()


def _run(opening: Opening) -> int:
    """Draw until the user leaves; the exit code."""
    from wtui.tui.app import WtuiApp

    opening.wait_for_rows(WAIT)
    if opening.error is not None:
        raise opening.error
    app = WtuiApp(opening)
    app.run()
    if opening.error is not None:
        raise opening.error
    return app.return_code or 0
