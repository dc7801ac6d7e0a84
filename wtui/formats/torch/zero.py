"""How DeepSpeed's ZeRO lays the float32 copies of parameters, and the optimizer's slots, over its ranks.

Stages 1 and 2: the parameters of a group one after the other, padded, cut into one run for each rank. Stage 3: every
parameter is cut into as many equal pieces as there are ranks; a rank's run holds its pieces one after the other.
Source of the layouts: `deepspeed/utils/zero_to_fp32.py`. Knows runs and shapes, no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from wtui.formats.torch.pieces import Run1D, take

if TYPE_CHECKING:
    from wtui.model import Extent

__all__ = ["Layout", "RankRuns", "Shapes"]

Shapes = Mapping[str, tuple[int, ...]]
RankRuns = Sequence[Sequence[Run1D]]
"""The runs of every rank: for each rank one for each group."""

ALIGNMENT = 2
"""Runs are padded to a multiple of this times the number of ranks (stages 1 and 2)."""


class Layout(NamedTuple):
    """What was laid out, and over how many ranks."""

    stage: int
    groups: tuple[Shapes, ...]
    """Shapes of the parameters by name, group by group."""
    ranks: int

    def fits(self, runs: RankRuns) -> bool:
        """Whether runs of all ranks are there and hold as many values as the shapes need, with padding."""
        if len(runs) != self.ranks or not self.ranks:
            return False
        if self.stage == 3:
            need = sum(-(-prod(s) // self.ranks) for g in self.groups for s in g.values())
            return all(sum(run.values for run in rank) == need for rank in runs)
        if any(len(rank) != len(self.groups) for rank in runs):
            return False
        step = ALIGNMENT * self.ranks
        for number, shapes in enumerate(self.groups):
            need = sum(prod(s) for s in shapes.values())
            have = sum(rank[number].values for rank in runs)
            if -(-need // step) != -(-have // step):
                return False
        return True

    def places(self, runs: RankRuns) -> dict[str, list[Extent]]:
        """The extents of every parameter's values, in order; `runs` must fit."""
        return dict(self._equal_pieces(runs) if self.stage == 3 else self._one_after_the_other(runs))

    def _one_after_the_other(self, runs: RankRuns) -> Iterable[tuple[str, list[Extent]]]:
        for number, shapes in enumerate(self.groups):
            whole = [rank[number] for rank in runs]
            at = 0
            for name, shape in shapes.items():
                yield name, take(whole, at, prod(shape))[0]
                at += prod(shape)

    def _equal_pieces(self, runs: RankRuns) -> Iterable[tuple[str, list[Extent]]]:
        at = 0
        for shapes in self.groups:
            for name, shape in shapes.items():
                left = prod(shape)
                piece = -(-left // self.ranks)
                found: list[Extent] = []
                for rank in runs:
                    extents, got = take(rank, at, min(piece, left))
                    found += extents
                    left -= got
                yield name, found
                at += piece
