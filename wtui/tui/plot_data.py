"""Which tensors a depth plot shows, and where the selected one stands among them. Knows the model, draws nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wtui.insight.roles import FAMILIES, family
from wtui.render.depth import METRICS, Metric, depth_points

if TYPE_CHECKING:
    from wtui.model import TensorEntry
    from wtui.render.plots import DepthPoint
    from wtui.tui.outline import Outline, Subject
    from wtui.tui.results import Results

__all__ = ["DepthData", "DepthView"]

AUTO = "auto"
ALL = "all"


class DepthView(NamedTuple):
    """What a depth plot shows."""

    metric: Metric
    family: str
    points: tuple[DepthPoint, ...]
    members: int
    """Tensors of the family, read or not."""
    current: int | None
    """Number of the selected tensor along the depth, None if it is not among them."""


class DepthData:
    """The families of one model, and the choice of metric and family."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._members: dict[str, list[tuple[int, TensorEntry]]] = {}
        self._family: dict[int, str] = {}
        for index, tensor in enumerate(outline.catalogue.tensors):
            if (tensor.counted or tensor.group == "derived") and tensor.size:
                kind = family(tensor, outline.layer(index))
                self._family[index] = kind
                self._members.setdefault(kind, []).append((index, tensor))
        self._choices = [AUTO, *(f for f in FAMILIES if f in self._members), ALL]
        self._choice = 0
        self._metric = 0

    @property
    def choice(self) -> str:
        """`auto` (the family of what is selected), a family, or `all`."""
        return self._choices[self._choice]

    def next_family(self) -> None:
        """The next choice of family."""
        self._choice = (self._choice + 1) % len(self._choices)

    def next_metric(self, step: int) -> None:
        """The next or previous metric."""
        self._metric = (self._metric + step) % len(METRICS)

    def family_of(self, subject: Subject) -> str:
        """The family of a tensor, or of the largest tensor in a layer; where there is none, the model's main one."""
        kinds = (
            [self._family.get(subject, "")]
            if subject >= 0
            else [
                self._family.get(i, "")
                for i in sorted(
                    self._outline.layer(subject).tensors, key=lambda i: -self._outline.catalogue.tensors[i].size
                )
            ]
        )
        known = [k for k in kinds if k]
        return known[0] if known else next((f for f in FAMILIES if f in self._members), ALL)

    def view(self, subject: Subject, results: Results) -> DepthView:
        """The plot for what is selected now."""
        kind = self.choice if self.choice != AUTO else self.family_of(subject)
        members = self._members.get(kind)
        if members is None:
            members = sorted(pair for group in self._members.values() for pair in group)
        metric = METRICS[self._metric]
        here = self._current(subject, kind)
        current = next((n for n, (i, _) in enumerate(members, 1) if i == here), None)
        return DepthView(metric, kind, depth_points(metric, members, results.rows), len(members), current)

    def _current(self, subject: Subject, kind: str) -> int | None:
        """The tensor to mark: the selected one, or the layer's own of the family shown."""
        if subject >= 0:
            return subject
        own = self._outline.layer(subject).tensors
        return next((i for i in own if kind in (ALL, self._family.get(i))), None)
