"""N:M sparsity in kernels of the labelled set: planted along the inputs, and zeros that are no such pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.bench.labelled_faults import Planted, Site
from wtui.insight.roles import axes, is_torch_layout

if TYPE_CHECKING:
    from wtui.insight.chart import Subject

__all__ = ["PATTERNS", "no_pattern", "pattern"]

PATTERNS = ((1, 2), (2, 4), (1, 4), (4, 8), (2, 8), (8, 16))
MIN_GROUPS = 96
"""Groups from which a pattern is no chance at any of these sizes."""


def _sites(site: Site, of: int) -> list[tuple[Subject, int]]:
    """Kernels with their axis of inputs, where there are groups enough."""
    torch = is_torch_layout(site.model.catalogue.format)
    found = []
    for subject in site.kernels(MIN_GROUPS * of):
        named = axes(subject.tensor, subject.layer, torch_layout=torch)
        inputs = next((named.index(name) for name in ("in", "state") if name in named), None)
        if inputs is not None and "multiplier" not in named and subject.tensor.shape[inputs] >= of:
            found.append((subject, inputs))
    return found


def pattern(site: Site) -> Planted | None:
    """All but the largest N of every M neighbouring inputs cleared."""
    kept, of = PATTERNS[int(site.rng.integers(len(PATTERNS)))]
    sites = _sites(site, of)
    if not sites:
        return None
    subject, inputs = sites[int(site.rng.integers(len(sites)))]
    values = np.moveaxis(site.model.read(subject.tensor), inputs, -1).copy()
    groups = values[..., : values.shape[-1] // of * of]
    shape = groups.shape
    cut = groups.reshape(*shape[:-1], -1, of)
    np.put_along_axis(cut, np.argsort(np.abs(cut), axis=-1)[..., : of - kept], 0.0, axis=-1)
    values[..., : shape[-1]] = cut.reshape(shape)
    site.model.write(subject.tensor, np.moveaxis(values, -1, inputs))
    evidence = (("kept", kept), ("of", of))
    return Planted(f"pruned {kept}:{of} along the inputs", ("sparse",), subject.tensor.name, evidence=evidence)


def no_pattern(site: Site) -> Planted | None:
    """As many zeros, at random places, in whole inputs, or along the outputs: the rule may speak, of no pattern."""
    kept, of = PATTERNS[int(site.rng.integers(len(PATTERNS)))]
    sites = _sites(site, of)
    if not sites:
        return None
    subject, inputs = sites[int(site.rng.integers(len(sites)))]
    values = np.moveaxis(site.model.read(subject.tensor), inputs, -1).copy()
    share, kind = 1 - kept / of, int(site.rng.integers(2))
    if kind:
        values[..., site.rng.permutation(values.shape[-1])[: round(share * values.shape[-1])]] = 0.0
    else:
        values[np.abs(values) < np.quantile(np.abs(values), share)] = 0.0
    site.model.write(subject.tensor, np.moveaxis(values, -1, inputs))
    name = f"zeros {'in whole inputs' if kind else 'where |w| is small'}: no N:M pattern"
    return Planted(name, ("sparse",), subject.tensor.name, evidence=(("of", 0),), healthy=True)
