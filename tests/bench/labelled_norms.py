"""Faults of norms, planted in the labelled set: statistics that cannot be, or never moved, channels switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.bench.labelled_faults import Planted, Site

if TYPE_CHECKING:
    from tests.bench.labelled_faults import Fault
    from wtui.insight.chart import Unit

__all__ = ["NORM_FAULTS"]


def zero_variance(site: Site) -> Planted | None:
    """Moving variances of nothing."""
    units = _norms(site, "variance")
    if not units:
        return None
    variance = units[int(site.rng.integers(len(units)))].part("variance")
    assert variance is not None
    site.model.write(variance.tensor, np.zeros(variance.tensor.shape))
    return Planted("zero variance", ("zero-variance",), variance.tensor.name)


def switched_off(site: Site) -> Planted | None:
    """A norm whose scale is nothing in most channels."""
    units = [u for u in _norms(site, "scale") if next(u.parts("scale")).tensor.size >= 8]
    if not units:
        return None
    scale = units[int(site.rng.integers(len(units)))].part("scale")
    assert scale is not None
    values = site.model.read(scale.tensor)
    values[: int(0.6 * len(values)) + 1] = 0.0
    site.model.write(scale.tensor, values)
    return Planted("norm switched off", ("norm-off",), scale.tensor.name)


def negative_variance(site: Site) -> Planted | None:
    """One channel's moving variance with the wrong sign."""
    units = _norms(site, "variance")
    if not units:
        return None
    variance = units[int(site.rng.integers(len(units)))].part("variance")
    assert variance is not None
    values = site.model.read(variance.tensor)
    values[int(site.rng.integers(len(values)))] *= -1
    site.model.write(variance.tensor, values)
    return Planted("negative variance", ("negative-variance",), variance.tensor.name)


def stale_statistics(site: Site) -> Planted | None:
    """Moving statistics as initialised."""
    units = _norms(site, "mean", "variance")
    if not units:
        return None
    unit = units[int(site.rng.integers(len(units)))]
    mean, variance = unit.part("mean"), unit.part("variance")
    assert mean is not None
    assert variance is not None
    site.model.write(mean.tensor, np.zeros(mean.tensor.shape))
    site.model.write(variance.tensor, np.ones(variance.tensor.shape))
    return Planted("stale statistics", ("stale-statistics",), variance.tensor.name)


def stuck_norm(site: Site) -> Planted | None:
    """Scale 1 and shift 0 in one of three norms or more."""
    units = _norms(site, "scale", "shift")
    if len(units) < 3:
        return None
    unit = units[int(site.rng.integers(len(units)))]
    scale, shift = unit.part("scale"), unit.part("shift")
    assert scale is not None
    assert shift is not None
    site.model.write(scale.tensor, np.ones(scale.tensor.shape))
    site.model.write(shift.tensor, np.zeros(shift.tensor.shape))
    return Planted("norm never trained", ("norm-stuck",), scale.tensor.name)


def _norms(site: Site, *parts: str) -> list[Unit]:
    return [u for u in site.model.chart.units if all(u.part(p) is not None for p in parts)]  # type: ignore[arg-type]


NORM_FAULTS: tuple[Fault, ...] = (zero_variance, switched_off, negative_variance, stale_statistics, stuck_norm)
