"""What a comparison says in plain sentences: of a tensor, of two models, the most remarkable first. Pure."""

from __future__ import annotations

from collections import Counter
from math import inf, isnan
from typing import TYPE_CHECKING, NamedTuple

from wtui.comparing.report import doubts, folded_norms, looks_unrelated
from wtui.insight.pairing.types import HOWS
from wtui.insight.types import Reading
from wtui.render.change import amount
from wtui.render.numbers import percent, shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wtui.comparing.joined import Joined
    from wtui.comparing.protocol import PairRow
    from wtui.comparing.states import State
    from wtui.insight.pairing.types import How
    from wtui.insight.types import Style
    from wtui.stats.difference_row import DifferenceRow

__all__ = ["Seen", "models_reading", "paired_by", "tensor_reading"]

LISTED = 5
"""Layers or names that are listed; the others are counted."""

SAME_DIRECTION = 0.9999
"""Cosine above which B is as good as a multiple of A."""

FEW_CHANNELS = 0.1
"""Share of channels up to which it is worth saying that half of the change is in them."""


class Seen(NamedTuple):
    """What is known of all tensors together."""

    joined: Joined
    states: Mapping[int, State]
    layers: Sequence[tuple[str, float]]
    """Paths of the layers with pairs of their own, and their relative L2 change; as far as they are read."""
    rows: Mapping[int, DifferenceRow]
    """Of the pairs that are read."""
    done: bool


def paired_by(how: How, layout: str) -> str:
    """`paired by same name; B holds A transposed 3 2 0 1`."""
    return f"paired by {HOWS[how]}" + (f"; B holds A {layout}" if layout else "")


def tensor_reading(joined: Joined, number: int, state: State, found: PairRow | None) -> list[Reading]:
    """What is to be said of one tensor."""
    if state == "waiting":
        return [Reading("dim", "comparing …" if joined.pairing else "pairing …")]
    if state == "failed":
        return [Reading("error", f"not compared: {found.problem if found else ''}")]
    if state == "text":
        return [Reading("plain", "no numbers (text or the like): listed, not compared")]
    if state == "alias":
        return [Reading("plain", f"another name of {joined.catalogue.tensors[number].alias_of}, which is compared")]
    if state in ("only A", "only B"):
        here, there = state[-1], "B" if state[-1] == "A" else "A"
        return [Reading("warning", f"only in {here}: nothing in {there} stands for it")]
    if state == "shape":
        pair = joined.pairs[number]
        a, b = joined.a.tensors[pair.a].shape, joined.b.tensors[pair.b].shape
        return [Reading("warning", f"shapes do not fit: {shape(a)} in A, {shape(b)} in B; no value can be compared")]
    assert found is not None
    assert found.row is not None
    pair = joined.pairs[number]
    dtypes = joined.a.tensors[pair.a].dtype, joined.b.tensors[pair.b].dtype
    return _pair_reading(found.row, pair.how, *dtypes)


def _pair_reading(row: DifferenceRow, how: How, dtype_a: str, dtype_b: str) -> list[Reading]:
    if not row.total:
        return [Reading("plain", "both are empty: one of their axes is 0")]
    if row.identical:
        alike = dtype_a == dtype_b
        text = "identical, bit by bit" if alike else f"every value is the same, {dtype_a} in A, {dtype_b} in B"
        return [Reading("good", text)]
    if row.unchanged:
        return [Reading("good", "every value is equal; some bits differ (the sign of a zero, or the bits of a NaN)")]
    said = [*_broken(row)]
    if _is_rounded(row):
        return [*said, Reading("good", f"the same but for rounding: {dtype_a} in A, {dtype_b} in B")]
    if row.pairs == row.left_out:
        return said
    how_much = (
        f"moved by {amount(row.relative_l2)} of A's L2 norm" if row.relative_l2 != inf else "A is all 0, B is not"
    )
    every = row.changed == row.pairs
    which = "every value differs" if every else f"{percent(row.changed, row.pairs)} of the values differ"
    said.append(Reading("plain", f"{how_much}; {which}"))
    return [*said, *_direction(row, how), *_channels(row)]


def _is_rounded(row: DifferenceRow) -> bool:
    """Whether values differ, but none once the wider dtype is rounded to the narrower one."""
    return row.rounded_equal is not None and row.rounded_equal == row.pairs and not row.unchanged


def _broken(row: DifferenceRow) -> list[Reading]:
    """Values that are finite in one of both only."""
    said = []
    ways: tuple[tuple[Style, int, str, str], ...] = (("error", row.broken, "A", "B"), ("warning", row.mended, "B", "A"))
    for style, n, here, there in ways:
        if n:
            which = "1 value that is" if n == 1 else f"{n:,} values that are"
            verb = "is" if n == 1 else "are"
            said.append(Reading(style, f"{which} finite in {here} {verb} NaN or infinite in {there}"))
    return said


def _direction(row: DifferenceRow, how: How) -> list[Reading]:
    """Whether it is scaled, turned around, or unlike."""
    if isnan(row.cosine) or not row.l2_a or row.relative_l2 < 0.001:
        return []
    scale = row.l2_b / row.l2_a
    if row.cosine > SAME_DIRECTION and abs(scale - 1) > 0.001:
        return [Reading("plain", f"scaled rather than changed: B is about {scale:.4g} times A")]
    if looks_unrelated(row):
        if how == "shape and order":
            return [Reading("warning", "nothing in common (cosine near 0): perhaps these two are no pair")]
        return [Reading("plain", "nothing of A is left in B: as far apart as two random tensors (cosine near 0)")]
    return [Reading("plain", "turned around: B points the other way (cosine below -0.9)")] if row.cosine < -0.9 else []


def _channels(row: DifferenceRow) -> list[Reading]:
    """Whether the change is in few output channels."""
    still = row.channels - row.channels_changed
    said = []
    if row.channels > 1 and still:
        said.append(Reading("plain", f"{still:,} of {row.channels:,} output channels did not move"))
    if row.channels >= 10 and 0 < row.half_in <= FEW_CHANNELS * row.channels:
        said.append(Reading("plain", f"half of the change is in {row.half_in:,} of {row.channels:,} output channels"))
    return said


def models_reading(seen: Seen) -> list[Reading]:
    """What is to be said of both models: broken, identical or moved and where, what only one has, how it was paired."""
    joined = seen.joined
    if joined.pairing is None:
        return [Reading("dim", "pairing the tensors of both …")]
    if not joined.pairs:
        text = "nothing in common: no tensor of A stands for one of B. Both can be looked at, not compared"
        return [Reading("warning", text)]
    states = Counter(seen.states.values())
    lone = states["only A"] + states["only B"] + states["shape"] + states["failed"]
    rounded = sum(map(_is_rounded, seen.rows.values()))
    said = [_whole(states, lone, rounded, seen.done), *_moved(seen)]
    for state, what in (
        ("broken", "NaN or infinite in one only"), ("failed", "not readable"), ("shape", "with other shapes"),
        ("only A", "only in A"), ("only B", "only in B"),
    ):  # fmt: skip
        said += _names(seen, state, what)  # type: ignore[arg-type]
    order = {"error": 0, "warning": 1}
    return [*sorted(said, key=lambda r: order.get(r.style, 2)), *_pairing(seen)]


def _whole(states: Counter[State], lone: int, rounded: int, done: bool) -> Reading:
    """Identical or not, as far as it is known."""
    read = states["same"] + states["changed"] + states["broken"]
    if not done:
        return Reading("dim", f"so far {read:,} of {read + states['waiting']:,} pairs are compared")
    differ = states["changed"] + states["broken"]
    if not differ and read:
        rest = ", but not every tensor could be compared" if lone else ""
        pairs = f"all {read:,} pairs hold" if read > 1 else "the one pair holds"
        return Reading("plain" if lone else "good", f"the same: {pairs} equal values{rest}")
    if differ == rounded and not states["broken"]:
        return Reading("good", f"the same but for rounding: {rounded:,} of {read:,} pairs differ by no more than that")
    if differ == read:
        return Reading("plain", f"all {read:,} pairs differ" if read > 1 else "the one pair differs")
    return Reading("plain", f"{differ:,} of {read:,} pairs differ, {states['same']:,} are the same")


def _moved(seen: Seen) -> list[Reading]:
    """Which layers moved most, and how many did not."""
    ranked = sorted((x for x in seen.layers if x[1] > 0), key=lambda x: -x[1])
    still = sum(x[1] == 0 for x in seen.layers)
    said = []
    if ranked:
        listed = ", ".join(f"{path or 'the model itself'} ({amount(x)})" for path, x in ranked[:LISTED])
        said.append(Reading("plain", f"moved most: {listed}"))
    if still and ranked:
        said.append(Reading("plain", f"{still:,} of {len(seen.layers):,} layers did not move"))
    return said


def _names(seen: Seen, state: State, what: str) -> list[Reading]:
    """Tensors in a state, the first of them by name."""
    found = [n for n, s in seen.states.items() if s == state]
    if not found:
        return []
    names = ", ".join(seen.joined.catalogue.tensors[n].name for n in found[:LISTED])
    more = f" and {len(found) - LISTED:,} more" if len(found) > LISTED else ""
    style: Style = "error" if state in ("broken", "failed") else "warning"
    tensors = "tensor" if len(found) == 1 else "tensors"
    return [Reading(style, f"{len(found):,} {tensors} {what}: {names}{more}")]


def _pairing(seen: Seen) -> list[Reading]:
    """How tensors were brought together."""
    joined = seen.joined
    assert joined.pairing is not None
    hows = Counter(p.how for p in joined.pairs.values())
    said = [Reading("dim", "paired: " + "; ".join(f"{n:,} by {HOWS[how]}" for how, n in hows.most_common()))]
    for prefixes in joined.pairing.prefixes[:LISTED]:
        begin = [f"those of {side} begin with `{p}`" for side, p in zip("AB", prefixes, strict=True) if p]
        said.append(Reading("dim", f"names but for a prefix: {', '.join(begin)}"))
    said += [Reading("plain", note) for note in joined.pairing.notes]
    pairs = joined.pairs
    notes = folded_norms(joined.a, joined.only_a.values(), joined.b, joined.only_b)
    said += [Reading("plain", note) for note in notes]
    said += [Reading("warning", doubt) for doubt in doubts((pairs[n].how, row) for n, row in seen.rows.items())]
    if joined.beside:
        said.append(Reading("dim", f"{joined.beside:,} tensors stored beside the models (optimizer) are left out"))
    return said
