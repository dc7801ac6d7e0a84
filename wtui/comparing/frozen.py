"""Whether what should be frozen stayed as it was between two models, and whether everything else was trained.

Frozen is what the caller says, by names. Of a layer that is not frozen it is expected that some trainable tensor moved;
not that all did: the gradient of a bias may be zero. Statistics that are no parameters (moving means) and tensors that
the file says are not trainable are not expected to move. Reads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wtui.comparing.selection import not_matched, selector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.insight.changes import TensorChange
    from wtui.insight.compared import Compared

__all__ = ["Expectation", "expect_frozen"]

_STATISTICS = ("moving_mean", "moving_variance", "running_mean", "running_var", "num_batches_tracked")
"""Roles of tensors that a layer updates without a gradient."""


class Expectation(NamedTuple):
    """What became of frozen tensors, and of layers that should have been trained."""

    frozen: tuple[TensorChange, ...]
    """All that were expected to stay as they were."""
    moved: tuple[TensorChange, ...]
    """Those of them that did not: other values, another shape, or gone."""
    unread: tuple[TensorChange, ...]
    """Those of them that could not be read."""
    trained: tuple[str, ...]
    """Paths of the layers that were expected to move."""
    still: tuple[str, ...]
    """Those of them in which nothing did."""

    @property
    def holds(self) -> bool:
        """Whether nothing that is known speaks against it."""
        return not self.moved and not self.still


def expect_frozen(found: Compared, globs: Sequence[str]) -> Expectation:
    """What of tensors whose names in A or B match these patterns moved, and which other layers did not.

    UnknownNameError if nothing matches.
    """
    wanted = selector(globs)
    frozen = [c for c in found.results if any(t is not None and wanted(t.name) for t in (c.a, c.b))]
    if not frozen:
        raise not_matched([found.a, found.b], globs)
    names = {c.name for c in frozen}
    layers: dict[str, list[TensorChange]] = {}
    for change in found.results:
        if change.name not in names and _should_move(change):
            layers.setdefault(change.entry.layer or change.name, []).append(change)
    known = {layer: changes for layer, changes in layers.items() if not any(c.is_unread for c in changes)}
    return Expectation(
        tuple(frozen),
        tuple(c for c in frozen if c.differs(found.tolerance)),
        tuple(c for c in frozen if c.is_unread),
        tuple(layers),
        tuple(layer for layer, changes in known.items() if all(c.is_equal(found.tolerance) for c in changes)),
    )


def _should_move(change: TensorChange) -> bool:
    """Whether training is expected to move it: a pair of floating-point parameters that no file says are frozen."""
    if change.a is None or change.b is None or not change.b.size or change.b.role in _STATISTICS:
        return False
    said = (change.a.trainable, change.b.trainable)
    return False not in said and all("float" in t.dtype for t in (change.a, change.b)) and change.b.alias_of is None
