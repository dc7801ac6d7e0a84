"""How numbers are written down: plain JSON, which nothing can be executed from, with a checksum.

Python's own form of JSON, in which NaN and infinities have names. Floats are written so that they come back exactly.
Knows the fields of a row, not where it is kept.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from wtui.stats.row import At, Sketch, SummaryRow

if TYPE_CHECKING:
    from wtui.stats.summary import Summary

__all__ = ["Remembered", "body", "content", "is_sound", "remembered", "row_body", "row_from"]

MOMENTS = 7
"""Numbers in `wtui.stats.moments.Moments`."""

_PLACES = tuple(SummaryRow._fields.index(f"{what}_at") for what in ("min", "max", "nan", "inf"))
_QUANTILES, _SKETCH = (SummaryRow._fields.index(name) for name in ("quantiles", "sketch"))


class Remembered(NamedTuple):
    """A tensor's numbers from an earlier run: what is shown, and its moments, from which layers are put together."""

    row: SummaryRow
    moments: tuple[float, ...]
    """The fields of `Moments`, the first and the last are integers."""

    def summary(self) -> Summary:
        """The summary without its distribution, which has to be read again when somebody asks for it."""
        from wtui.stats.moments import Moments
        from wtui.stats.summary import Summary

        n, mean, m2, m3, m4, abs_sum, exponent = self.moments
        row = self.row
        return Summary(
            seen=row.seen,
            total=row.total,
            nan=row.nan,
            posinf=row.posinf,
            neginf=row.neginf,
            zeros=row.zeros,
            min=row.min,
            max=row.max,
            min_at=row.min_at,
            max_at=row.max_at,
            nan_at=row.nan_at,
            inf_at=row.inf_at,
            moments=Moments(int(n), mean, m2, m3, m4, abs_sum, int(exponent)),
            counts=None,
        )


def remembered(summary: Summary, row: SummaryRow) -> list[Any]:
    """A tensor's numbers as plain data."""
    return [row_body(row), list(summary.moments)]


def recall(data: Any) -> Remembered:
    """The other way round; ValueError, TypeError, LookupError for anything else."""
    row, moments = data
    if len(moments) != MOMENTS:
        raise ValueError("moments")
    return Remembered(row_from(row), tuple(moments))


def row_body(row: SummaryRow) -> list[Any]:
    """A row as plain data."""
    return list(row)


def row_from(data: Any) -> SummaryRow:
    """The other way round; ValueError, TypeError, LookupError for anything else."""
    fields = list(data)
    for place in _PLACES:
        if fields[place] is not None:
            name, index = fields[place]
            fields[place] = At(name, tuple(index))
    fields[_QUANTILES] = tuple(fields[_QUANTILES])
    lo, hi, counts, below, above = fields[_SKETCH]
    fields[_SKETCH] = Sketch(lo, hi, tuple(counts), below, above)
    return SummaryRow(*fields)


def body(data: Any) -> str:
    """Plain data as text with its checksum in front."""
    text = json.dumps(data, separators=(",", ":"))
    return f"{crc32(text.encode()):08x}{text}"


def content(text: str) -> Any:
    """The data of a text that `body` made; ValueError if it is damaged."""
    if not is_sound(text):
        raise ValueError("damaged")
    return json.loads(text[8:])


def is_sound(text: str) -> bool:
    """Whether a text that `body` made is as it was made."""
    try:
        return int(text[:8], 16) == crc32(text[8:].encode())
    except ValueError:
        return False
