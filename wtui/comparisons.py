"""Comparing models in Python: `wtui.compare` of files, folders and models in memory.

    found = wtui.compare("before.keras", "after.keras")
    print(found.is_same, found.whole.relative_l2, [c.name for c in found.results if c.differs()])

Opens what is not open yet, and closes it again; everything else is done in `wtui.comparing`.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from wtui.api import Model, open
from wtui.comparing.comparison import Comparison, Opened
from wtui.comparing.report import compared
from wtui.comparing.selection import matching, not_matched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wtui.insight.compared import Compared

__all__ = ["compare"]


def compare(
    a: object,
    b: object,
    *,
    select: Sequence[str] = (),
    everything: bool = False,
    tolerance: float | None = None,
    threads: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Compared:
    """Compare two models tensor by tensor; each an open Model, or whatever `wtui.open` takes. WtuiError as there.

    `select`: only pairs of which either name matches one of these patterns (* ? [...]); UnknownNameError if none does.
    `everything`: also optimizer slots and what else is stored beside the models. `tolerance`: the largest |difference|
    that counts as none. What cannot be read is told in the results. `on_progress` is called with bytes done and all.
    """
    with ExitStack() as stack:
        models = [one if isinstance(one, Model) else stack.enter_context(open(one, threads=threads)) for one in (a, b)]
        chosen = None
        if select:
            chosen = matching(models[0].catalogue, select), matching(models[1].catalogue, select)
            if not any(chosen):
                raise not_matched([m.catalogue for m in models], select)
        sides = [Opened(m.catalogue, m.files) for m in models]
        comparison = Comparison(*sides, chosen=chosen, everything=everything, threads=threads)
        return compared(comparison.run(on_progress), tolerance)
