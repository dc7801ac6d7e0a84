"""What came of a comparison, as plain data that outlives the files of both models. Reads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.insight.changes import TensorChange
from wtui.insight.compared import Compared

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wtui.comparing.comparison import Comparison, PairResult
    from wtui.insight.pairing.types import How
    from wtui.model import Catalogue
    from wtui.stats.difference_row import DifferenceRow

__all__ = ["compared", "doubts", "folded_norms", "looks_unrelated"]

MANY = 1000
"""Values from which on a cosine near 0 says something."""

UNRELATED = 0.1
"""Cosines of tensors that have nothing in common are smaller: 0.03 is their standard deviation at MANY values."""

CONVERTED = ("TFLite", "ONNX")
"""Formats whose writers optimise a model for use."""


def compared(comparison: Comparison, tolerance: float | None = None) -> Compared:
    """All that a comparison found that was run; `tolerance`: the largest |difference| that counts as none."""
    whole = comparison.whole
    return Compared(
        a=comparison.a.catalogue,
        b=comparison.b.catalogue,
        results=tuple(_changes(comparison)),
        layers=tuple(comparison.layers()),
        whole=whole.row if whole else None,
        prefixes=comparison.pairing.prefixes,
        notes=(*comparison.pairing.notes, *_doubts(comparison)),
        beside=comparison.beside,
        tolerance=tolerance,
        lost=_lost(comparison),
    )


def _doubts(comparison: Comparison) -> list[str]:
    """What a reader should know before believing the numbers."""
    unlike = doubts((r.pair.how, r.row) for r in comparison.results.values() if r.row)
    a, b = comparison.a.catalogue, comparison.b.catalogue
    return unlike + folded_norms(a, comparison.only_a, b, comparison.only_b)


def looks_unrelated(row: DifferenceRow) -> bool:
    """Whether both tensors are as different as two that have nothing in common."""
    return row.pairs >= MANY and abs(row.cosine) < UNRELATED


def doubts(rows: Iterable[tuple[How, DifferenceRow]]) -> list[str]:
    """Whether pairs that nothing but shapes brought together look as if they did not belong together."""
    unlike = sum(looks_unrelated(row) for how, row in rows if how == "shape and order")
    if not unlike:
        return []
    return [f"of the pairs made by shape and order, {unlike:,} are as different as tensors that have nothing in common"]


def folded_norms(a: Catalogue, only_a: Iterable[int], b: Catalogue, only_b: Iterable[int]) -> list[str]:
    """Whether one model has batch norms where the other's converter has folded them."""
    for model, alone, other in ((a, only_a, b), (b, only_b, a)):
        roles = {model.tensors[i].role for i in alone}
        if other.format.startswith(CONVERTED) and roles & {"moving_mean", "running_mean"}:
            return ["converters fold batch norms into the kernels before them, which then differ"]
    return []


def _changes(comparison: Comparison) -> list[TensorChange]:
    tensors_a, tensors_b = comparison.a.catalogue.tensors, comparison.b.catalogue.tensors
    by_b = {j: _pair(comparison, result) for j, result in comparison.results.items()}
    by_b |= {j: TensorChange(None, tensors_b[j]) for j in comparison.only_b}
    return [by_b[j] for j in sorted(by_b)] + [TensorChange(tensors_a[i], None) for i in comparison.only_a]


def _pair(comparison: Comparison, result: PairResult) -> TensorChange:
    pair = result.pair
    a, b = comparison.a.catalogue.tensors[pair.a], comparison.b.catalogue.tensors[pair.b]
    return TensorChange(a, b, pair.how, result.layout, result.row, result.problem, bool(pair.layouts))


def _lost(comparison: Comparison) -> bool:
    """Whether a notice tells of something lost, in a file as a whole or among the tensors compared."""
    sides = (
        (comparison.a.catalogue, {p.a for p in comparison.pairs} | set(comparison.only_a)),
        (comparison.b.catalogue, {p.b for p in comparison.pairs} | set(comparison.only_b)),
    )
    for catalogue, compared in sides:
        lost = {n.tensor for n in catalogue.warnings if n.lost}
        if "" in lost or (lost and any(catalogue.tensors[i].name in lost for i in compared)):
            return True
    return False
