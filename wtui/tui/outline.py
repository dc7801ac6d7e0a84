"""The rows of the layer tree: which are visible, how they open and close, where a name is found.

A row is data, not a widget; only open layers have rows for what is in them, so a model of 200,000 tensors opens at
once. Knows the model, draws nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wtui.model import Catalogue, LayerNode

__all__ = ["Outline", "Row", "Subject", "alike_runs", "subject_of_layer"]

Subject = int
"""What is selected: a tensor's index in `Catalogue.tensors`, or -(1 + position) of a layer in `root.walk()` order."""


def subject_of_layer(position: int) -> Subject:
    """The subject of the layer at `position` in depth order; the root is at 0."""
    return -1 - position


class Row(NamedTuple):
    """A visible row: a layer, a tensor, or a fold that stands for a run of alike layers."""

    subject: Subject
    depth: int
    fold: int = 0
    """Number of alike layers that the row stands for; 0 for an ordinary row."""


MIN_RUN = 4
"""Alike neighbours from which on a run can be folded into one row."""


class Outline:
    """The visible rows of a catalogue's tree."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.layers: list[LayerNode] = []
        """All layers in depth order, the root first."""
        self._position: dict[int, int] = {}
        self._by_path: dict[str, int] | None = None
        self._owner: list[int] = [0] * len(catalogue.tensors)
        self._parent: list[int] = []
        self.rows: list[Row] = []
        self.opened: set[Subject] = set()
        self.folding = False
        self._index()
        self.open(subject_of_layer(0))

    def _index(self) -> None:
        layers, parents, owner = self.layers, self._parent, self._owner
        stack = [(self.catalogue.root, -1)]
        while stack:
            node, parent = stack.pop()
            position = len(layers)
            layers.append(node)
            parents.append(parent)
            for tensor in node.tensors:
                owner[tensor] = position
            stack.extend([(child, position) for child in reversed(node.children)])
        self._position = {id(node): position for position, node in enumerate(layers)}

    def layer(self, subject: Subject) -> LayerNode:
        """The layer that is the subject, or that owns the tensor that is."""
        return self.layers[self._owner[subject] if subject >= 0 else -1 - subject]

    def subject(self, node: LayerNode) -> Subject:
        """The subject of a layer of this tree."""
        return subject_of_layer(self._position[id(node)])

    def subject_at(self, path: str) -> Subject:
        """The layer at a path; the root where there is none."""
        if self._by_path is None:
            self._by_path = {node.path: position for position, node in enumerate(self.layers)}
        return subject_of_layer(self._by_path.get(path, 0))

    def parent(self, subject: Subject) -> Subject | None:
        """The layer above; None for the root."""
        if subject >= 0:
            return subject_of_layer(self._owner[subject])
        above = self._parent[-1 - subject]
        return None if above < 0 else subject_of_layer(above)

    def can_open(self, subject: Subject) -> bool:
        """Whether something is below it."""
        return subject < 0 and bool(self.layer(subject).children or self.layer(subject).tensors)

    def open(self, subject: Subject) -> None:
        """Show what is below a layer, and in it where that is a single layer; nothing happens for an open one."""
        if subject not in self.opened and self.can_open(subject):
            self.opened.add(subject)
            node = self.layer(subject)
            while len(node.children) == 1 and not node.tensors:
                [node] = node.children
                self.opened.add(self.subject(node))
            self._rebuild()

    def close(self, subject: Subject) -> None:
        """Hide what is below a layer."""
        if subject in self.opened:
            self.opened.remove(subject)
            self._rebuild()

    def open_all(self, subjects: Iterable[Subject]) -> None:
        """Open several layers at once."""
        self.opened.update(s for s in subjects if self.can_open(s))
        self._rebuild()

    def reveal(self, subject: Subject) -> int:
        """Open every layer above the subject; the row on which it now is."""
        above = self.parent(subject)
        chain: set[Subject] = set()
        while above is not None:
            chain.add(above)
            above = self.parent(above)
        if not chain <= self.opened:
            self.opened |= chain
            self._rebuild()
        row = self.row_of(subject)
        if row is None and self.folding:
            self.folding = False
            self._rebuild()
            row = self.row_of(subject)
        return row or 0

    def take_over(self, other: Outline, subject: Subject) -> Subject:
        """Open what is open in another tree of the same names; the subject that is called here as `subject` there."""
        self.folding = other.folding
        here = (self.subject_at(other.layer(s).path) for s in other.opened)
        self.open_all(here)
        layer = self.subject_at(other.layer(subject).path)
        if subject < 0:
            return layer
        name = other.catalogue.tensors[subject].name
        return next((i for i in self.layer(layer).tensors if self.catalogue.tensors[i].name == name), layer)

    def row_of(self, subject: Subject) -> int | None:
        """The row on which the subject stands, None if it is hidden."""
        return next((i for i, row in enumerate(self.rows) if row.subject == subject), None)

    def sibling(self, subject: Subject, step: int) -> Subject | None:
        """The tensor or layer at the same place in the next (1) or previous (-1) block; None at the end.

        A block is the layer, at or above the subject, that has the most brothers named like it but for numbers:
        `blocks.3.attn.q.weight` follows `blocks.2.attn.q.weight`, `conv2/kernel` follows `conv1/kernel`.
        """
        inside = [] if subject < 0 else [self.catalogue.tensors[subject].label]
        node = self.layer(subject)
        best: tuple[int, LayerNode, list[LayerNode], list[str]] | None = None
        while (above := self.parent(self.subject(node))) is not None:
            pattern = _pattern(node.name)
            brothers = [c for c in self.layer(above).children if _pattern(c.name) == pattern]
            if len(brothers) > 1 and (best is None or len(brothers) > best[0]):
                best = (len(brothers), node, brothers, list(inside))
            inside.insert(0, node.name)
            node = self.layer(above)
        if best is None:
            return None
        _, node, brothers, inside = best
        start, stop = brothers.index(node) + step, len(brothers) if step > 0 else -1
        found = (self._descend(brothers[i], inside) for i in range(start, stop, step))
        return next((s for s in found if s is not None), None)

    def _descend(self, node: LayerNode, inside: list[str]) -> Subject | None:
        for i, name in enumerate(inside):
            child = next((c for c in node.children if c.name == name), None)
            if child is None:
                tensors = (t for t in node.tensors if self.catalogue.tensors[t].label == name)
                return next(tensors, None) if i == len(inside) - 1 else None
            node = child
        return self.subject(node)

    def toggle_folding(self) -> None:
        """Fold runs of alike layers into one row each, or show them all."""
        self.folding = not self.folding
        self._rebuild()

    def _rebuild(self) -> None:
        rows: list[Row] = []
        stack: list[Row] = [Row(subject_of_layer(0), 0)]
        while stack:
            row = stack.pop()
            rows.append(row)
            if row.subject in self.opened and not row.fold:
                stack.extend(reversed(self._below(row)))
        self.rows = rows

    def _below(self, row: Row) -> list[Row]:
        node, depth = self.layer(row.subject), row.depth + 1
        below = [Row(tensor, depth) for tensor in node.tensors]
        if not self.folding:
            return below + [Row(self.subject(child), depth) for child in node.children]
        for start, length in alike_runs(node.children, self.catalogue):
            first = self.subject(node.children[start])
            below.append(Row(first, depth, length if length >= MIN_RUN else 0))
            if length < MIN_RUN:
                below += [Row(self.subject(c), depth) for c in node.children[start + 1 : start + length]]
        return below


def _pattern(name: str) -> str:
    """The name with every number left open."""
    return re.sub(r"\d+", "#", name)


def alike_runs(nodes: list[LayerNode], catalogue: Catalogue) -> list[tuple[int, int]]:
    """Runs (start, length) of neighbours that hold the same tensors by name, shape and dtype below them."""
    runs: list[tuple[int, int]] = []
    last: object = None
    for i, node in enumerate(nodes):
        signature = _signature(node, catalogue)
        if runs and signature and signature == last:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((i, 1))
        last = signature
    return runs


def _signature(node: LayerNode, catalogue: Catalogue) -> tuple[object, ...]:
    """What makes two layers alike: the tensors below them, without the layer's own name."""
    cut = len(node.path)
    tensors = [catalogue.tensors[i] for i in node.all_tensors()]
    return (node.class_name, *((t.name[cut:], t.shape, t.dtype) for t in tensors)) if tensors else ()
