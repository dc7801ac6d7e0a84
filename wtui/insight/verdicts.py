"""The verdict on one tensor: which initialiser its values fit, whether they have moved, and what cannot be told.

`verdict` needs the counts of a Summary and no second read. It looks at one tensor alone: what the rest of its layer
says is added by `wtui.insight.training`. A verdict "as initialised" is only given where a change of a few percent would
have been noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from typing import TYPE_CHECKING, NamedTuple

from wtui.codecs import LOSSLESS
from wtui.insight import wording
from wtui.insight.distributions import Distribution, distribution
from wtui.insight.exact import EXACT_KINDS, fits_exactly
from wtui.insight.goodness import ROUNDING, Fit, fit
from wtui.insight.initialisers import candidates, fans_of
from wtui.insight.marginal import marginals
from wtui.insight.shapes import shape_of
from wtui.insight.types import NO_VERDICT, Initial, State, Verdict

if TYPE_CHECKING:
    from wtui.model import LayerNode, TensorEntry
    from wtui.stats.distribution import Runs
    from wtui.stats.summary import Summary

__all__ = ["NOTICEABLE", "resolution", "verdict"]

P_LIMIT = 1e-5
"""p-value below which one of the five tests rejects an initialiser. A model has hundreds of tensors, so that a false
rejection must be rarer than one in a thousand; the likelihood tells initialisers apart long before."""

LOG_ODDS = log(1000)
"""An initialiser under which the values are a thousand times less likely than under another one is not named."""

NOTICEABLE = 0.02
"""The smallest change, in initial standard deviations, that must have been noticeable for a tensor to be called as
initialised. Training moves few weights a lot rather than all a little: in the labelled set a kernel of 320 weights that
had moved by 13 % of its standard deviation passed as uniform, where 4 % would have shown if spread evenly."""

MIN_VALUES = 16
"""Fewer values fit almost anything."""

MIN_UNKNOWN = 10_000
"""Values from which a uniform or normal shape of unknown spread is more than chance."""


class Fitted(NamedTuple):
    """An initialiser that the values were compared with."""

    initial: Initial
    wanted: Distribution
    fit: Fit


def verdict(
    summary: Summary, tensor: TensorEntry, layer: LayerNode, format: str, siblings: Sequence[TensorEntry] = ()
) -> Verdict:
    """What the values of a tensor say, from a summary with its counts; never raises for odd values.

    `format` is `Catalogue.format`; `siblings` are the tensors of the same layer.
    """
    nothing = _nothing_to_tell(summary, tensor)
    if nothing:
        return NO_VERDICT._replace(sentence=nothing)
    runs = summary.distribution()
    marks = marginals(summary, runs, tensor)
    base = Verdict("none", "", shape=shape_of(summary, runs), fans=fans_of(tensor, layer, format), **marks)
    reason = _no_initialiser(tensor)
    if reason:
        return base._replace(sentence=wording.shape_only(summary, base.shape, reason))
    found = candidates(tensor, layer, format, siblings)
    if not found:
        return base._replace(sentence=wording.shape_only(summary, base.shape, "no initialiser is known for it"))
    return _judged(summary, runs, tensor, base, found)


def resolution(wanted: Distribution, n: int, dtype: str = "float32") -> float:
    """The smallest change that n values would show, in standard deviations of the initial distribution.

    The change is taken as independent of the values. It widens the variance by its square, which shows at five
    standard errors; and it pushes values over the edge of a bounded support, of which three are enough: with density d
    at both edges and a change of s, 2 n d s E[max(0, z)] = 0.8 n d s values are beyond.
    """
    by_variance = sqrt(5 * sqrt((wanted.kurtosis + 2) / n))
    edge = wanted.density_at_limit
    by_range = max(3 / (0.8 * n * edge), 4 * ROUNDING.get(dtype, 0.0)) if edge else by_variance
    return min(by_variance, by_range)


def _nothing_to_tell(summary: Summary, tensor: TensorEntry) -> str:
    if summary.total == 0:
        return "it has no values: one of its axes is 0"
    if not summary.seen:
        return "nothing was read of it"
    if not summary.finite:
        return "no value is finite: there is nothing to compare"
    if summary.counts is None:
        return "its distribution was not kept"
    return ""


def _no_initialiser(tensor: TensorEntry) -> str:
    """Why values say nothing of an initialiser; `""` if they may."""
    if tensor.group != "model":
        return "it belongs to the optimizer" if tensor.group == "optimizer" else "it is no weight"
    if tensor.dtype not in ROUNDING:
        return f"values of type {tensor.dtype} are not as they were initialised"
    return "" if tensor.encoding in LOSSLESS else "its values were quantised"


def _judged(summary: Summary, runs: Runs, tensor: TensorEntry, base: Verdict, found: Sequence[Initial]) -> Verdict:
    """Compare with every candidate, the exact ones first."""
    n = summary.finite
    expected = found[0]
    for one in found:
        exactly = one.kind in EXACT_KINDS and fits_exactly(one, summary, tensor.shape, tensor.dtype)
        if exactly and (one.kind != "orthogonal" or _normal_enough(summary, runs, tensor.dtype)):
            return _exact(summary, base, one, expected)
    if base.shape == "constant":
        text = wording.constant(summary, expected)
        return base._replace(state="moved", sentence=text, expected=expected)
    fitted = _fitted(summary, runs, tensor.dtype, found)
    named = _named(fitted)
    if not named and n >= MIN_UNKNOWN and expected.how == "unknown":
        named = _unknown(summary, runs, tensor.dtype)
    if not named or n < MIN_VALUES:
        return _rejected(summary, tensor, base, fitted, expected)
    return _fits(summary, tensor, base, named, expected)


def _normal_enough(summary: Summary, runs: Runs, dtype: str) -> bool:
    """Whether the values may be those of an orthogonal matrix: nearly normal, with lighter tails where it is small."""
    wanted = distribution("normal", summary.std)
    if wanted is None or summary.finite < MIN_VALUES:
        return wanted is not None
    found = fit(summary, runs, wanted, dtype)
    return found.ks_p >= P_LIMIT and (found.kurtosis_z < 0 or found.p >= P_LIMIT)


def _exact(summary: Summary, base: Verdict, one: Initial, expected: Initial) -> Verdict:
    """As an exact initialiser makes it.

    A kernel of which nothing says that it was orthogonal may as well have been kept at norm 1 in every channel.
    """
    evidence = (("l2", summary.l2), ("min", float(summary.min)), ("max", float(summary.max)))
    state: State = "open" if one.kind == "orthogonal" and one.how == "unknown" else "initial"
    text = wording.exactly(one, expected, state)
    return base._replace(state=state, sentence=text, names=(one.name,), expected=one, evidence=evidence)


def _fitted(summary: Summary, runs: Runs, dtype: str, found: Sequence[Initial]) -> list[Fitted]:
    """Candidates that draw values, compared; only if there are two values at least."""
    drawn = [(one, distribution(one.kind, one.scale, one.centre)) for one in found]
    if summary.finite < 4:
        return []
    return [
        Fitted(one, wanted, fit(summary, runs, wanted, dtype, hopeless=0.0 if one is found[0] else P_LIMIT))
        for one, wanted in drawn
        if wanted is not None
    ]


def _named(fitted: Sequence[Fitted]) -> list[Fitted]:
    """Those that pass every test and are not far less likely than the likeliest; a recorded one that passes, alone."""
    passing = [f for f in fitted if f.fit.p >= P_LIMIT]
    sure = [f for f in passing if f.initial.how == "recorded"]
    if sure:
        return sure[:1]
    best = max((f.fit.log_likelihood for f in passing), default=0.0)
    likely = [f for f in passing if f.fit.log_likelihood >= best - LOG_ODDS]
    return sorted(likely, key=lambda f: -f.fit.log_likelihood)


def _unknown(summary: Summary, runs: Runs, dtype: str) -> list[Fitted]:
    """A uniform or a normal distribution about zero with a spread that no rule gives.

    Training leaves no edges as sharp as those of a uniform; a normal shape it may leave.
    """
    n = summary.finite
    limit = max(abs(float(summary.min)), abs(float(summary.max))) * (n + 1) / n
    for kind, scale in (("uniform", limit), ("normal", sqrt(summary.variance + summary.mean**2))):
        wanted = distribution(kind, scale)
        if wanted is not None:
            one = Initial(f"a {kind} distribution that no rule gives", kind, scale)
            measured = Fitted(one, wanted, fit(summary, runs, wanted, dtype, hopeless=P_LIMIT))
            if measured.fit.p >= P_LIMIT:
                return [measured]
    return []


def _fits(summary: Summary, tensor: TensorEntry, base: Verdict, named: Sequence[Fitted], expected: Initial) -> Verdict:
    """The values fit: as initialised, or too blunt a comparison to say so."""
    first = named[0]
    n = summary.finite
    finest = resolution(first.wanted, n, tensor.dtype)
    whole = summary.seen == summary.total
    state: State = "initial" if finest <= NOTICEABLE and whole else "open"
    names = tuple(f.initial.name for f in named)
    text = wording.fits(summary, names, first.initial, expected, finest, state)
    return base._replace(
        state=state, sentence=text, names=names, expected=first.initial, resolution=finest, evidence=_evidence(first)
    )


def _rejected(
    summary: Summary, tensor: TensorEntry, base: Verdict, fitted: Sequence[Fitted], expected: Initial
) -> Verdict:
    """The values fit nothing: they moved, if something is known of what they were."""
    if summary.finite < MIN_VALUES and expected.kind not in EXACT_KINDS:
        text = wording.too_few(summary)
        return base._replace(state="open", sentence=text, expected=expected)
    text = wording.moved(summary, expected, base.shape, tensor)
    against = next((f for f in fitted if f.initial is expected), None)
    evidence = _evidence(against) if against else ()
    return base._replace(state="moved", sentence=text, expected=expected, evidence=evidence)


def _evidence(one: Fitted) -> tuple[tuple[str, float], ...]:
    f = one.fit
    return (
        ("ks", f.ks),
        ("ks_p", f.ks_p),
        ("std_z", f.std_z),
        ("mean_z", f.mean_z),
        ("kurtosis_z", f.kurtosis_z),
        ("largest", f.largest),
        ("range_p", f.range_p),
        ("initial_std", one.wanted.std),
        ("limit", one.wanted.limit),
    )
