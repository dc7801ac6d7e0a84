"""How far the weights moved from one checkpoint to the next: one pass over the values of both, kept between runs.

This is the one number over time that summaries cannot give, so it is read when somebody asks for it.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.cache import Notes
from wtui.errors import StorageError
from wtui.series.signature import is_quiet, signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from wtui.series.signature import Signature
    from wtui.storage.pace import Pace

__all__ = ["Change", "Changes", "relative"]

KIND = "change 1"
"""Of notes; another number when changes are made in another way."""


class Change(NamedTuple):
    """Two checkpoints, tensor by tensor, by the later one's names."""

    norms: Mapping[str, tuple[float, float]]
    """L2 norm of the difference, and of the earlier values; both of the pairs that are finite in both."""


def relative(change: Change, tensors: Iterable[str]) -> float:
    """Relative L2 change of these tensors taken together: infinite from all 0, NaN where nothing was compared."""
    known = [change.norms[t] for t in tensors if t in change.norms]
    if not known:
        return math.nan
    moved, before = math.hypot(*(d for d, _ in known)), math.hypot(*(a for _, a in known))
    if before:
        return moved / before
    return math.inf if moved else 0.0


class Changes:
    """Compares checkpoints of a run. One thread uses it."""

    def __init__(self, *, threads: int | None = None, cache: bool = True, pace: Pace | None = None) -> None:
        self._threads = threads
        self._notes = Notes(KIND, cache)
        self._pace = pace

    def recall(self, before: str, after: str) -> Change | None:
        """What an earlier run has found of the very same two; None if that is nothing."""
        kept = self._notes.recall(_about(before, after))
        try:
            if kept is not None and kept[0] == _both(signature(before), signature(after)):
                return Change({name: (float(d), float(a)) for name, d, a in kept[1]})
        except (ValueError, TypeError, LookupError):
            pass
        return None

    def read(self, before: str, after: str, on_progress: Callable[[int, int], None] = lambda d, t: None) -> Change:
        """Compare two checkpoints; WtuiError if one of them cannot be opened, or has changed meanwhile."""
        found = signature(before), signature(after)
        change = self._compare(before, after, on_progress)
        if (signature(before), signature(after)) != found or None in found:
            raise StorageError("was written while it was compared", after)
        if all(f is not None and is_quiet(f) for f in found):
            rows = [[name, *norms] for name, norms in change.norms.items()]
            self._notes.keep(_about(before, after), [_both(*found), rows])
        return change

    def close(self) -> None:
        """Close the cache."""
        self._notes.close()

    def _compare(self, before: str, after: str, on_progress: Callable[[int, int], None]) -> Change:
        from wtui.comparing.comparison import Comparison, Opened
        from wtui.formats import open_catalogue
        from wtui.storage import Files

        opener = self._pace.open if self._pace else None
        catalogues = open_catalogue(before), open_catalogue(after)
        a, b = (Opened(c, Files(c.files, opener)) for c in catalogues)
        norms: dict[str, tuple[float, float]] = {}
        try:
            for result in Comparison(a, b, threads=self._threads).scan(on_progress):
                row = result.row
                if row is not None:
                    moved = row.l2_b if not row.l2_a else row.relative_l2 * row.l2_a
                    norms[b.catalogue.tensors[result.pair.b].name] = moved, row.l2_a
        finally:
            a.files.close()
            b.files.close()
        order = {t.name: i for i, t in enumerate(b.catalogue.tensors)}
        return Change(dict(sorted(norms.items(), key=lambda item: order[item[0]])))


def _about(before: str, after: str) -> str:
    return repr((os.path.realpath(before), os.path.realpath(after)))


def _both(before: Signature | None, after: Signature | None) -> list[Any]:
    """Both signatures as they come out of the cache."""
    return [[[path, list(stamp)] for path, stamp in found or ()] for found in (before, after)]
