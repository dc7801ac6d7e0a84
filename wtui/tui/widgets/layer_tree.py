"""The layer tree at the left: layers in depth order, tensors inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from wtui.render.rows import CLOSED, LEAF, OPEN, layer_row, tensor_row
from wtui.tui.keys import TREE_KEYS
from wtui.tui.widgets.lines import RowsPane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wtui.live.architecture import LayerFacts
    from wtui.render.spans import Line, StyleName
    from wtui.tui.outline import Outline, Subject

__all__ = ["LayerTree"]

OPEN_ALL_LIMIT = 2000
"""Rows beyond which `*` opens one level only: nobody reads them, and they take time."""


ROW_WIDTH, ROOMY = 56, 84
"""Columns of a layer's row, and of a tree from which on there is room for its output shape and connections behind."""


class LayerTree(RowsPane):
    """Draws an `Outline` and moves in it; says by `Selected` where the cursor is."""

    BINDINGS = TREE_KEYS

    class Selected(Message):
        """The cursor came to rest on a subject."""

        def __init__(self, subject: Subject) -> None:
            super().__init__()
            self.subject = subject

    def __init__(self, outline: Outline | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self.outline = outline
        self.sparklines: dict[int, str] = {}
        """A small histogram for each tensor that was scanned."""
        self.marks: dict[Subject, tuple[str, StyleName]] = {}
        """A sign behind the name of a subject that something was found about."""
        self.facts: Mapping[Subject, LayerFacts] = {}
        """Where layers stand in the model: output shapes, activation, what they take."""
        self.entitle("Layers")

    @property
    def subject(self) -> Subject:
        """What the cursor is on."""
        if self.outline is None or not self.outline.rows:
            return -1
        return self.outline.rows[min(self.cursor, len(self.outline.rows) - 1)].subject

    def show(self, outline: Outline) -> None:
        """Draw another tree, with the cursor and the open layers of the one before as far as it has them."""
        below = row = 0
        if self.outline is not None and self.outline.rows:
            below = self.cursor - self.top
            row = outline.reveal(outline.take_over(self.outline, self.subject))
        self.outline = outline
        self.cursor = row
        self.top = max(0, row - below)
        self._say_where()
        self.refresh()

    def line_count(self) -> int:
        return len(self.outline.rows) if self.outline else 0

    def line_at(self, row: int, width: int) -> Line:
        assert self.outline is not None
        subject, depth, fold = self.outline.rows[row]
        mark = self.marks.get(subject)
        catalogue = self.outline.catalogue
        room = ROW_WIDTH if self.facts and width >= ROOMY else width
        if subject >= 0:
            sparkline = self.sparklines.get(subject, "")
            return tensor_row(catalogue.tensors[subject], room, depth=depth, sparkline=sparkline, mark=mark)
        state = LEAF if not self.outline.can_open(subject) else OPEN if subject in self.outline.opened else CLOSED
        line = layer_row(self.outline.layer(subject), catalogue, room, depth=depth, state=state, fold=fold, mark=mark)
        return line if fold or room == width else [*line, *self._aside(subject, width - room)]

    def _aside(self, subject: Subject, width: int) -> Line:
        """Where a layer stands in the model."""
        from wtui.render.architecture import aside

        facts = self.facts.get(subject)
        return [] if facts is None else aside(facts, width)

    def cursor_moved(self) -> None:
        self._say_where()
        self.post_message(self.Selected(self.subject))

    def go_to(self, subject: Subject) -> None:
        """Put the cursor on a subject, opening what hides it."""
        if self.outline is not None:
            self._changed(self.outline.reveal(subject))

    def action_open(self) -> None:
        """Open a closed layer; from an open one, step to what is in it."""
        if self.outline is None:
            return
        if self.subject in self.outline.opened:
            self.move_cursor(self.cursor + 1)
        else:
            self.outline.open(self.subject)
            self._changed(self.cursor)

    def action_close(self) -> None:
        """Close an open layer; from anything else, step out to the layer around it."""
        if self.outline is None:
            return
        parent = self.outline.parent(self.subject)
        if self.subject in self.outline.opened and parent is not None:
            self.outline.close(self.subject)
            self._changed(self.cursor)
        elif parent is not None:
            self.move_cursor(self.outline.row_of(parent) or 0)

    def action_toggle_open(self) -> None:
        """Open or close the layer."""
        if self.outline is None:
            return
        if self.subject in self.outline.opened:
            self.outline.close(self.subject)
        else:
            self.outline.open(self.subject)
        self._changed(self.cursor)

    def action_open_all(self) -> None:
        """Open everything, or of a large model one level more."""
        if self.outline is None:
            return
        everything = len(self.outline.layers) + len(self.outline.catalogue.tensors)
        layers = range(len(self.outline.layers))
        subjects = [-1 - p for p in layers] if everything <= OPEN_ALL_LIMIT else [r.subject for r in self.outline.rows]
        here = self.subject
        self.outline.open_all(subjects)
        self._changed(self.outline.row_of(here) or 0)

    def action_fold(self) -> None:
        """Fold runs of alike blocks, or show them all."""
        if self.outline is not None:
            here = self.subject
            self.outline.toggle_folding()
            self._changed(self.outline.row_of(here) or 0)

    def action_sibling(self, step: int) -> None:
        """To the same tensor or layer in the next or previous block."""
        if self.outline is not None:
            found = self.outline.sibling(self.subject, step)
            if found is not None:
                self.go_to(found)

    def _changed(self, row: int) -> None:
        """Redraw after rows came or went, with the cursor on `row`."""
        before = self.subject if self.cursor < self.line_count() else None
        self.refresh()
        self.move_cursor(row)
        self._say_where()
        if self.subject != before:
            self.post_message(self.Selected(self.subject))

    def _say_where(self) -> None:
        total = self.line_count()
        self.entitle(subtitle=f"{self.cursor + 1}/{total}" if total > self.size.height else "")
