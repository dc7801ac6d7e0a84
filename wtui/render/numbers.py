"""Numbers as people read them: counts, bytes (always powers of 1000), shapes, and values to a stated precision.

Imports nothing but the standard library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["cosine", "count", "duration", "percent", "shape", "short_count", "size", "value"]


def count(n: int) -> str:
    """`138,357,544`."""
    return f"{n:,}"


def short_count(n: int) -> str:
    """At most six columns: `999`, `36.9 K`, `138.4 M`, `7.2 B`."""
    if n < 1000:
        return str(n)
    scaled = float(n)
    for unit in ("K", "M", "B", "T"):
        scaled /= 1000
        if scaled < 999.5:
            return f"{scaled:.{1 if scaled < 99.95 or unit != 'K' else 0}f} {unit}"
    return f"{scaled:.0f} T"


def size(n: int) -> str:
    """Bytes in powers of 1000: `553.4 MB`, `12 B`."""
    if n < 1000:
        return f"{n} B"
    scaled = float(n)
    for unit in ("kB", "MB", "GB", "TB"):
        scaled /= 1000
        if scaled < 999.95:
            return f"{scaled:.1f} {unit}"
    return f"{scaled:.1f} PB"


def shape(axes: Sequence[int]) -> str:
    """`3×3×512×512`; `scalar` for none."""
    return "×".join(map(str, axes)) if axes else "scalar"


def value(x: float | int | None, digits: int = 6) -> str:
    """A value to `digits` significant digits; `–` for what is undefined (None, NaN)."""
    if x is None or (isinstance(x, float) and math.isnan(x)):
        return "–"
    if isinstance(x, int):
        return f"{x:,}"
    if math.isinf(x):
        return "∞" if x > 0 else "-∞"
    if x == 0:
        return "0"
    magnitude = abs(x)
    if 1e-4 <= magnitude < 10**digits:
        decimals = max(0, digits - 1 - math.floor(math.log10(magnitude)))
        return f"{x:.{min(decimals, 8)}f}"
    return f"{x:.{max(digits - 3, 1)}e}"


NEAR_ONE = 1e-3
"""Below this distance from 1 a cosine is told by it."""


def cosine(x: float, digits: int = 4) -> str:
    """`0.9123`; near 1 what is missing: `1 - 3.2e-09`."""
    missing = 1 - x
    return f"1 - {missing:.1e}" if 0 < missing < NEAR_ONE else value(x, digits)


def percent(part: float, whole: float) -> str:
    """`0.4 %`; a part that is not nothing never reads 0 %, one that is not all never reads 100 %."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if part and share < 0.1:
        return "<0.1 %"
    if part != whole and share > 99.9:
        return ">99.9 %"
    return f"{share:.1f} %".replace(".0 %", " %")


def duration(seconds: float) -> str:
    """`3 s`, `2 min`, `1.5 h`."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
