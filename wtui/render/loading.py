"""The text of `wtui diff --structure`: what keeps the weights of A from loading into B, and what would help. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.render import numbers
from wtui.render.spans import Line, StyleName, escape, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.insight.loading import Fitting, Structure

__all__ = ["structure_lines"]

LISTED = 20
"""Tensors that are listed of each kind in a terminal."""


def structure_lines(found: Structure, width: int | None = None) -> list[Line]:
    """What is missing, unexpected or does not fit, and under which other names things are; then the answer."""
    missing = [f"{t.name}  {numbers.shape(t.shape)}" for t in found.missing]
    unexpected = [f"{t.name}  {numbers.shape(t.shape)}" for t in found.unexpected]
    mismatched = [
        f"{_names(f)}  {numbers.shape(f.a.shape)} in A, {numbers.shape(f.b.shape)} in B" for f in found.mismatched
    ]
    renamed = [f"{_names(f)}  paired by {f.paired_by}" for f in found.renamed]
    lines = _listed("missing: B has them, A does not", "error", missing, width)
    lines += _listed("unexpected: A has them, B does not", "error", unexpected, width)
    lines += _listed("mismatched: other shapes", "error", mismatched, width)
    lines += _listed("other names", "warning", renamed, width)
    for line in _answer(found):
        lines += wrap(line, width, 2) if width else [line]
    return lines


def _answer(found: Structure) -> list[Line]:
    """Whether A loads, and if not, why and what would help."""
    n = len(found.fitting)
    if found.loads:
        return [[("A loads into B as it is", "good"), (f": {n:,} tensors, same names and shapes", "")]]
    if not n:
        return [[("A does not load into B", "error"), (": no tensor of A fits one of B", "")]]
    fixes = _fixes(found)
    kinds = [(len(found.missing), "missing"), (len(found.unexpected), "unexpected")]
    kinds += [(len(found.mismatched), "of other shapes")]
    wrong = ", ".join(f"{count:,} {what}" for count, what in kinds if count)
    if found.would_load:
        head: Line = [("A does not load into B as it is", "warning"), (f"; all {n:,} tensors would fit with:", "")]
    else:
        head = [("A does not load into B", "error"), (f": {wrong}; {n:,} fit", "")]
        head += [(", with:", "")] if fixes else []
    lines: list[Line] = [[("  ", ""), (escape(fix), "bold")] for fix in fixes]
    return [head, *lines]


def _fixes(found: Structure) -> list[str]:
    """What would have to be done to A's tensors."""
    fixes = []
    if found.taken_off:
        fixes.append(f"`{found.taken_off}` taken off A's names")
    if found.put_before:
        fixes.append(f"`{found.put_before}` put before A's names")
    if found.renamed:
        fixes.append(f"{len(found.renamed):,} tensors renamed (see above)")
    return fixes + [f"axes {text}: {n:,} tensor{'' if n == 1 else 's'}" for text, n in found.transposes]


def _names(fitting: Fitting) -> str:
    return fitting.b.name if fitting.a.name == fitting.b.name else f"{fitting.a.name} → {fitting.b.name}"


def _listed(title: str, style: StyleName, texts: Sequence[str], width: int | None) -> list[Line]:
    if not texts:
        return []
    shown = texts if width is None else texts[:LISTED]
    lines: list[Line] = [[(title, style), (f": {len(texts):,}", "")]]
    lines += [[(f"  {escape(text)}", "")] for text in shown]
    if len(shown) < len(texts):
        lines.append([(f"  … and {len(texts) - len(shown):,} more (all of them in a pipe, or with --json)", "dim")])
    return [*lines, []]
