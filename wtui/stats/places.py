"""Where extremes, NaN and infinities are: block numbers and positions in blocks, not yet indices of a tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from wtui.dtypes import patterns_of
from wtui.stats.kinds import kind_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WHATS", "Place", "Places", "What", "locate"]

What = Literal["min", "max", "nan", "inf"]

WHATS: tuple[What, ...] = ("min", "max", "nan", "inf")
"""In the order of the fields of `Places`."""


class Place(NamedTuple):
    """A block and a position in it."""

    block: int
    position: int | None
    """None: not known until the block is read again, see `locate`."""


class Places(NamedTuple):
    """The first of each that is known of; None where there is none."""

    min: Place | None = None
    max: Place | None = None
    nan: Place | None = None
    inf: Place | None = None


def locate(data: NDArray[np.generic], dtype: str, what: What, byteorder: str = "<") -> int | None:
    """The first position of a block's own lowest or highest finite value, NaN or infinity; None if there is none.

    data: (n,) as for `Accumulator.add`. A block that holds a tensor's minimum has it as its own.
    """
    kind = kind_of(dtype)
    patterns = patterns_of(data, dtype, byteorder)
    values = kind.table[patterns] if kind.narrow else patterns.view(kind.native)
    if what in ("nan", "inf"):
        wanted = np.isnan(values) if what == "nan" else np.isinf(values)
        return int(np.argmax(wanted)) if wanted.any() else None
    finite = values if kind.whole else values[np.isfinite(values)]
    if not len(finite):
        return None
    return int(np.argmax(values == (finite.min() if what == "min" else finite.max())))
