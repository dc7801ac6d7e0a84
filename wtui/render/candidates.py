"""The models of a folder as a table: name, format, size, when it was written, and what is noted about it. Pure."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.columns import Column, Row, aligned
from wtui.render.spans import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wtui.formats.candidates import Candidate
    from wtui.render.spans import Line

__all__ = ["candidate_lines"]

_COLUMNS = (
    Column("model", right=False),
    Column("format", right=False, keep=3),
    Column("size", keep=4),
    Column("written", right=False, keep=2),
    Column("note", right=False, keep=5, prose=True),
)


def candidate_lines(
    candidates: Sequence[Candidate], folder: str, notes: Mapping[str, str], width: int | None = None
) -> list[Line]:
    """The titles, then a line for each model; paths are shown as they are below `folder`."""
    rows = [Row(_cells(c, folder, notes.get(c.path, ""))) for c in candidates]
    columns = _COLUMNS if notes else _COLUMNS[:-1]
    return aligned(columns, [row._replace(cells=row.cells[: len(columns)]) for row in rows], width)


def _cells(candidate: Candidate, folder: str, note: str) -> tuple[str, ...]:
    name = escape(os.path.relpath(candidate.path, folder))
    written = time.strftime("%Y-%m-%d %H:%M", time.localtime(candidate.mtime))
    return name, candidate.format, numbers.size(candidate.size), written, escape(note)
