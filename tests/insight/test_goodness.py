"""Distributions and tests of fit against scipy, and the rate of false rejections against its promise."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from scipy import stats

from tests.stats.helpers import summarise
from wtui.insight import goodness
from wtui.insight.distributions import Distribution, distribution
from wtui.insight.goodness import fit, ks_critical, ks_distance, ks_p

KINDS = {
    "uniform": stats.uniform(-1, 2),
    "normal": stats.norm(),
    "truncated": stats.truncnorm(-2, 2),
}


def draw(kind: str, n: int, seed: int) -> np.ndarray:
    return np.asarray(KINDS[kind].rvs(n, random_state=seed), np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_distributions_equal_scipys(kind: str) -> None:
    ours, theirs = Distribution(kind, 0.3, 0.1), KINDS[kind]
    x = np.linspace(-1.5, 1.5, 1001)
    np.testing.assert_allclose(ours.cdf(x), theirs.cdf((x - 0.1) / 0.3), atol=2e-8)
    assert ours.std == pytest.approx(0.3 * theirs.std())
    assert ours.kurtosis == pytest.approx(theirs.stats("k"), abs=1e-9)
    assert ours.mass_within(0.2) == pytest.approx(theirs.cdf(2 / 3) - theirs.cdf(-2 / 3))
    values = draw(kind, 50, 1).astype(np.float64)
    expected = theirs.logpdf(values).sum() - 50 * np.log(0.3)
    assert ours.log_likelihood(50, float((0.3**2 * values**2).sum())) == pytest.approx(expected)


def test_density_at_the_edge() -> None:
    for kind in ("uniform", "truncated"):
        ours, theirs = Distribution(kind, 1.0), KINDS[kind]
        assert ours.density_at_limit == pytest.approx(theirs.pdf(ours.limit) * ours.std)
    assert Distribution("normal", 1.0).limit == inf


@pytest.mark.parametrize("scale", [0.0, -1.0, inf, float("nan")])
def test_there_is_no_distribution_without_spread(scale: float) -> None:
    assert distribution("uniform", scale) is None
    assert distribution("constant", 1.0) is None


@pytest.mark.parametrize("kind", KINDS)
def test_ks_equals_scipys_to_one_value(kind: str) -> None:
    values = draw(kind, 3000, 5)
    distance = ks_distance(summarise(values).distribution(), Distribution(kind, 1.0))
    theirs = stats.kstest(values.astype(np.float64), KINDS[kind].cdf, method="asymp")
    assert distance == pytest.approx(theirs.statistic, abs=1.1 / 3000)
    assert ks_p(theirs.statistic, 3000) == pytest.approx(theirs.pvalue, abs=0.01)


@pytest.mark.parametrize("p", [0.2, 0.01, 1e-4])
def test_critical_distance_has_its_p_value(p: float) -> None:
    assert ks_p(ks_critical(1000, p), 1000) == pytest.approx(p, rel=0.01)


def test_kurtosis_spreads_are_those_of_their_distributions() -> None:
    for kind, spread in (
        ("uniform", goodness.UNIFORM_KURTOSIS_SPREAD),
        ("truncated", goodness.TRUNCATED_KURTOSIS_SPREAD),
    ):
        theirs = KINDS[kind]
        m4, m6, m8 = (theirs.moment(k) / theirs.var() ** (k / 2) for k in (4, 6, 8))
        assert spread == pytest.approx((m8 - 4 * m4 * m6 + 4 * m4**3 - m4**2) ** 0.5, abs=0.001)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [256, 4000])
def test_the_true_distribution_is_rarely_rejected(kind: str, n: int) -> None:
    """At p < 0.01 in each of five tests, about 5 % of the draws are; at p < 1e-4 none of 300."""
    wanted = Distribution(kind, 1.0)
    found = []
    for seed in range(300):
        summary = summarise(draw(kind, n, seed))
        found.append(fit(summary, summary.distribution(), wanted, "float32").p)
    assert np.mean(np.array(found) < 0.01) < 0.09
    assert min(found) > 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_rounding_to_16_bits_is_not_a_rejection(kind: str) -> None:
    import ml_dtypes

    for dtype in (np.float16, ml_dtypes.bfloat16):
        values = draw(kind, 50_000, 2).astype(dtype)
        summary = summarise(values, np.dtype(dtype).name)
        assert fit(summary, summary.distribution(), Distribution(kind, 1.0), np.dtype(dtype).name).p > 1e-4


def test_a_value_beyond_the_limit_is_a_rejection() -> None:
    values = draw("uniform", 5000, 1)
    values[17] = 1.001
    summary = summarise(values)
    assert fit(summary, summary.distribution(), Distribution("uniform", 1.0), "float32").range_p == 0


@pytest.mark.parametrize("kind", KINDS)
def test_another_spread_is_rejected(kind: str) -> None:
    values = draw(kind, 20_000, 1)
    summary = summarise(values)
    for factor in (0.9, 1.1):
        assert fit(summary, summary.distribution(), Distribution(kind, factor), "float32").p < 1e-6


def test_the_distance_is_left_out_where_it_changes_nothing() -> None:
    summary = summarise(draw("normal", 5000, 1))
    one = fit(summary, summary.distribution(), Distribution("normal", 2.0), "float32", hopeless=1e-5)
    assert np.isnan(one.ks)
    assert one.p < 1e-5
