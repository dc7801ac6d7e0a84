"""What came of a comparison, as plain data that outlives the files of both models. Reads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.insight.changes import TensorChange
from wtui.insight.compared import Compared

if TYPE_CHECKING:
    from wtui.comparing.comparison import Comparison, PairResult

__all__ = ["compared"]

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
    """Whether pairs that nothing but shapes brought together look as if they did not belong together; folded norms."""
    rows = [r.row for r in comparison.results.values() if r.pair.how == "shape and order" and r.row is not None]
    unlike = sum(row.pairs >= MANY and abs(row.cosine) < UNRELATED for row in rows)
    notes = []
    if unlike:
        many = f"of the pairs made by shape and order, {unlike:,}"
        notes.append(f"{many} are as different as tensors that have nothing in common")
    sides = (comparison.a, comparison.only_a, comparison.b), (comparison.b, comparison.only_b, comparison.a)
    for model, alone, other in sides:
        roles = {model.catalogue.tensors[i].role for i in alone}
        if other.catalogue.format.startswith(CONVERTED) and roles & {"moving_mean", "running_mean"}:
            notes.append("converters fold batch norms into the kernels before them, which then differ")
    return notes


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
