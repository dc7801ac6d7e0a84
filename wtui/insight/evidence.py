"""Verdicts and measurements as plain data, for keeping them between runs; what is judged from them is judged anew.

Standard library only.
"""

from __future__ import annotations

from typing import Any

from wtui.insight.case import Untouched
from wtui.insight.types import Fans, Initial, Verdict
from wtui.stats.channel_row import ChannelRow
from wtui.stats.rank_row import RankRow

__all__ = ["channels_from", "plain", "rank_from", "untouched_from", "verdict_from"]


def plain(evidence: Verdict | ChannelRow | Untouched | RankRow) -> list[Any]:
    """Nested lists of numbers and texts."""
    return list(evidence)


def verdict_from(data: Any) -> Verdict:
    """The other way round; ValueError, TypeError, LookupError for anything else."""
    verdict = Verdict(*data)
    return verdict._replace(
        names=tuple(verdict.names),
        expected=None if verdict.expected is None else Initial(*verdict.expected),
        fans=None if verdict.fans is None else Fans(*verdict.fans),
        evidence=tuple((str(name), float(value)) for name, value in verdict.evidence),
    )


def channels_from(data: Any) -> ChannelRow:
    """The other way round; ValueError, TypeError, LookupError for anything else."""
    row = ChannelRow(*data)
    return row._replace(dead_at=tuple(row.dead_at), weak_at=tuple(row.weak_at), low_at=tuple(row.low_at))


def untouched_from(data: Any) -> Untouched:
    """The other way round; ValueError, TypeError, LookupError for anything else."""
    found = Untouched(*data)
    return found._replace(first=tuple(found.first))


def rank_from(data: Any) -> RankRow:
    """The other way round; ValueError, TypeError, LookupError for anything else."""
    return RankRow(*map(int, data))
