"""Which tensors a depth plot shows, and where the selected one stands among them. Knows the model, draws nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.insight.anatomy import kind_of
from wtui.insight.roles import FAMILIES, family
from wtui.render.depth import METRICS, Metric, depth_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.model import TensorEntry
    from wtui.render.plots import DepthPoint
    from wtui.tui.outline import Outline, Subject

__all__ = ["DepthData", "DepthView"]

AUTO = "auto"
ALL = "all"
OTHER = "other"


class DepthView(NamedTuple):
    """What a depth plot shows."""

    metric: Metric
    kind: str
    points: tuple[DepthPoint, ...]
    members: int
    """Tensors of that kind, read or not."""
    current: int | None
    """Number of the selected tensor along the depth, None if it is not among them."""


class DepthData:
    """The kinds of tensors of one model, never mixed unless asked for, and the choice of metric and kind."""

    metrics: Sequence[Metric] = METRICS

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._members: dict[str, list[tuple[int, TensorEntry]]] = {}
        self._kind: dict[int, str] = {}
        self._order: dict[str, int] = {}
        self._known: dict[tuple[str, int, str], str] = {}
        for index, tensor in enumerate(outline.catalogue.tensors):
            if (tensor.counted or tensor.group == "derived") and tensor.size and self.belongs(index):
                kind = self._known_kind(index, tensor)
                self._kind[index] = kind
                self._members.setdefault(kind, []).append((index, tensor))
        self._kinds = sorted(self._members, key=self._order.__getitem__)
        self._choices = [AUTO, *self._kinds, ALL]
        self._choice = 0
        self._metric = 0

    def _known_kind(self, index: int, tensor: TensorEntry) -> str:
        """The kind of a tensor; those whose names differ by numbers alone are looked at once."""
        node = self._outline.layer(index)
        key = re.sub(r"\d+", "#", tensor.name), len(tensor.shape), node.class_name
        if key not in self._known:
            kind = self._known[key] = kind_of(tensor, node)
            self._order.setdefault(kind, FAMILIES.index(family(tensor, node) or OTHER))
        return self._known[key]

    def belongs(self, tensor: int) -> bool:
        """Whether a tensor has a place along the depth."""
        return True

    @property
    def choice(self) -> str:
        """`auto` (the kind of what is selected), a kind, or `all`."""
        return self._choices[self._choice]

    def next_kind(self) -> None:
        """The next choice of kind."""
        self._choice = (self._choice + 1) % len(self._choices)

    def next_metric(self, step: int) -> None:
        """The next or previous metric."""
        self._metric = (self._metric + step) % len(self.metrics)

    def kind_of(self, subject: Subject) -> str:
        """That of a tensor, or of the largest tensor in a layer; where there is none, the model's main one."""
        kinds = (
            [self._kind.get(subject, "")]
            if subject >= 0
            else [
                self._kind.get(i, "")
                for i in sorted(
                    self._outline.layer(subject).tensors, key=lambda i: -self._outline.catalogue.tensors[i].size
                )
            ]
        )
        known = [k for k in kinds if k]
        return known[0] if known else next(iter(self._kinds), ALL)

    def view(self, subject: Subject, results: Any) -> DepthView:
        """The plot for what is selected now."""
        kind = self.choice if self.choice != AUTO else self.kind_of(subject)
        members = self._members.get(kind)
        if members is None:
            members = sorted(pair for group in self._members.values() for pair in group)
        metric = self.metrics[self._metric]
        here = self._current(subject, kind)
        current = next((n for n, (i, _) in enumerate(members, 1) if i == here), None)
        return DepthView(metric, kind, self.points(metric, members, results), len(members), current)

    def points(
        self, metric: Metric, members: Sequence[tuple[int, TensorEntry]], results: Any
    ) -> tuple[DepthPoint, ...]:
        """A point for each tensor that is read; `results` are a `wtui.tui.results.Results`."""
        return depth_points(metric, members, results.rows)

    def members(self, kind: str) -> tuple[int, ...]:
        """The tensors of a kind, by their index, in depth order."""
        return tuple(index for index, _ in self._members.get(kind, ()))

    def _current(self, subject: Subject, kind: str) -> int | None:
        """The tensor to mark: the selected one, or the layer's own of the kind shown."""
        if subject >= 0:
            return subject
        own = self._outline.layer(subject).tensors
        return next((i for i in own if kind in (ALL, self._kind.get(i))), None)
