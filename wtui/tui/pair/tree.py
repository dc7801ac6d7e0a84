"""The layer tree of two models: at the end of every row how much it changed, as a sign and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.comparing.joined import GROUP_OF_A
from wtui.render.change import changed_cell, state_cell
from wtui.render.rows import CLOSED, LEAF, OPEN, layer_row, tensor_row
from wtui.tui.outline import subject_of_layer
from wtui.tui.widgets.layer_tree import LayerTree

if TYPE_CHECKING:
    from wtui.render.spans import Line, StyleName
    from wtui.tui.outline import Subject
    from wtui.tui.pair.results import PairResults

__all__ = ["PairTree"]


class PairTree(LayerTree):
    """Draws the joined tree."""

    results: PairResults | None = None

    def line_at(self, row: int, width: int) -> Line:
        assert self.outline is not None
        subject, depth, fold = self.outline.rows[row]
        catalogue = self.outline.catalogue
        right: tuple[str, StyleName] = ("·", "dim")
        if self.results is not None:
            text, style = self._change(self.results, subject, fold)
            right = " " + text, style
        if subject >= 0:
            return tensor_row(catalogue.tensors[subject], width, depth=depth, right=right)
        state = LEAF if not self.outline.can_open(subject) else OPEN if subject in self.outline.opened else CLOSED
        layer = self.outline.layer(subject)
        return layer_row(layer, catalogue, width, depth=depth, state=state, fold=fold, right=right)

    def _change(self, results: PairResults, subject: Subject, fold: int) -> tuple[str, StyleName]:
        """Of a tensor its state, of a layer the change of all pairs in it, the worst of its states otherwise."""
        assert self.outline is not None
        if fold:
            return self._most(results, subject, fold)
        if subject >= 0:
            return state_cell(results.state(subject), results.change(subject))
        layer = self.outline.layer(subject)
        if layer.path == GROUP_OF_A:
            return state_cell("only A", None)
        if not self.outline.can_open(subject):
            return "", "dim"
        state = results.state_below(subject)
        if state != "changed" and subject != subject_of_layer(0):
            return state_cell(state, None)
        change = results.change(subject)
        if change is None:
            return state_cell("waiting", None)
        return changed_cell(change) if change else state_cell("same", None)

    def _most(self, results: PairResults, first: Subject, fold: int) -> tuple[str, StyleName]:
        """Of a run of alike layers in one row: that of the one that changed most, or the first that is amiss."""
        assert self.outline is not None
        above = self.outline.parent(first)
        assert above is not None
        brothers = self.outline.layer(above).children
        start = brothers.index(self.outline.layer(first))
        run = [self.outline.subject(node) for node in brothers[start : start + fold]]
        amiss = [s for s in run if results.state_below(s) not in ("changed", "same", "waiting")]
        return self._change(results, amiss[0] if amiss else max(run, key=lambda s: results.change(s) or 0.0), 0)
