"""What the outputs of a model's layers say, for the one input that they were seen on. Pure; standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from wtui.insight.types import SEVERITIES, Evidence, Finding, Severity

if TYPE_CHECKING:
    from wtui.live.protocol import OutputRow

__all__ = ["FOR_THIS_INPUT", "remarks"]

FOR_THIS_INPUT = "on this input"
"""Ends every sentence: another input may give another."""

MANY_DEAD, SOME_DEAD = 0.5, 0.1
"""Share of rectified channels that are 0 throughout, from which it is a warning, or worth a word."""

MOST_SATURATED = 0.5
"""Share of values in the flat parts of a sigmoid or tanh from which little gradient comes through."""

GROWN, SHRUNK = 1e3, 1e-3
"""How many times the input's root mean square an output's may be: beyond, the signal explodes or vanishes."""

COLLAPSED = 1e-3
"""Spread across samples, relative to that of all values, below which every sample gives the same output."""

LISTED = 6


def remarks(outputs: Sequence[OutputRow], inputs_rms: float | None = None) -> list[Finding]:
    """Findings, the worst first, then in the order in which layers ran; `inputs_rms` is of what the model was given."""
    found = [*_not_finite(outputs), *_dead(outputs), *_saturated(outputs), *_collapsed(outputs)]
    if inputs_rms is not None:
        found += _scaled(outputs, inputs_rms)
    order = {row.layer: i for i, row in reversed(list(enumerate(outputs)))}
    return sorted(found, key=lambda f: (SEVERITIES.index(f.severity), order.get(f.layer, 0)))


def _finding(severity: Severity, rule: str, row: OutputRow, what: str, evidence: Evidence, advice: str = "") -> Finding:
    return Finding(severity, rule, row.layer, "", f"{what} {FOR_THIS_INPUT}", evidence, advice)


def _not_finite(outputs: Sequence[OutputRow]) -> Iterator[Finding]:
    """The first layer that gives NaN or infinity; those behind it only pass it on."""
    for row in outputs:
        bad = row.row.seen - row.row.finite
        if bad:
            kinds = [f"{n:,} {kind}" for n, kind in ((row.row.nan, "NaN"), (bad - row.row.nan, "infinite")) if n]
            what = f"the first output that is not finite: {', '.join(kinds)},"
            numbers = {"nan": row.row.nan, "infinite": bad - row.row.nan}
            yield _finding("error", "output-not-finite", row, what, numbers, "look at this layer's weights")
            return


def _dead(outputs: Sequence[OutputRow]) -> Iterator[Finding]:
    """Rectified channels that are 0 for every sample and at every place."""
    for row in outputs:
        if not row.dead or not row.channels:
            continue
        share = row.dead / row.channels
        if share < SOME_DEAD:
            continue
        severity: Severity = "warning" if share >= MANY_DEAD else "info"
        listed = ", ".join(map(str, row.dead_at[:LISTED])) + (", ..." if row.dead > LISTED else "")
        what = f"{row.dead:,} of {row.channels:,} rectified units are 0 throughout ({listed})"
        numbers = {"dead": row.dead, "units": row.channels, "first": row.dead_at[0]}
        advice = "a learning rate that was too high kills units; a few are normal" if severity == "warning" else ""
        yield _finding(severity, "dead-units", row, what, numbers, advice)


def _saturated(outputs: Sequence[OutputRow]) -> Iterator[Finding]:
    """Sigmoids and tanhs inside the model whose values lie where they are flat; at its end that is a sure answer."""
    for row in outputs[:-1]:
        if row.saturated is not None and row.saturated >= MOST_SATURATED:
            what = f"{row.saturated:.0%} of the {row.squashing} outputs are saturated"
            advice = "little gradient comes through: smaller weights, or a norm before it"
            yield _finding("warning", "saturated-units", row, what, {"share": row.saturated}, advice)


def _collapsed(outputs: Sequence[OutputRow]) -> Iterator[Finding]:
    """The first layer whose output is the same for every sample, though the one before it is not."""
    for row in outputs:
        constant = row.row.std == 0 and row.row.finite > 1
        if constant or (row.spread is not None and row.spread < COLLAPSED):
            what = "one and the same value everywhere" if constant else "every sample gives the same output"
            numbers = {"std": row.row.std, "spread": row.spread}
            yield _finding(
                "warning", "collapsed-output", row, what, numbers, "what comes behind cannot tell them apart"
            )
            return


def _scaled(outputs: Sequence[OutputRow], inputs_rms: float) -> Iterator[Finding]:
    """The first layers at which the signal is a thousand times larger or smaller than what came in."""
    if not inputs_rms > 0:
        return
    inner = [row for row in outputs[:-1] if row.squashing != "softmax" and row.row.rms > 0 and isfinite(row.row.rms)]
    grown = next((row for row in inner if row.row.rms > GROWN * inputs_rms), None)
    shrunk = next((row for row in inner if row.row.rms < SHRUNK * inputs_rms), None)
    for rule, row, word in (("exploding-signal", grown, "larger"), ("vanishing-signal", shrunk, "smaller")):
        if row is not None:
            times = row.row.rms / inputs_rms
            what = f"the signal is {max(times, 1 / times):,.0f} times {word} than the input"
            numbers = {"rms": row.row.rms, "input_rms": inputs_rms}
            yield _finding("warning", rule, row, what, numbers, "check the scale of the initial weights, or add norms")
