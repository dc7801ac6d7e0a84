"""From a symmetric band matrix to a tridiagonal one, by threads that run one behind the other.

Making a column tridiagonal fills in what has to be chased to the end of the band; the next column may follow a block
behind. A thread takes a few columns at a time over a few blocks, which then lie in its processor's cache, and waits
where the columns before are not far enough. Knows threads and the order of the work; the work is in `symmetric_loops`.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import numpy as np

from wtui.stats.strips import processors
from wtui.stats.symmetric_loops import chase

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["tridiagonalise"]

COLUMNS = 4
"""Columns that are chased together: the more, the longer the next thread waits at the start."""

BLOCKS = 4
"""Blocks along the band that they are chased over in one turn: 16 steps of some 6 µs each."""

LAG = -(-COLUMNS // BLOCKS)
"""Turns that columns must be ahead of those behind them."""

MAX_THREADS = 4
"""At 4,096 rows and a width of 80 there are 14 turns for a group of columns at first: more threads would wait."""

ASK_EVERY = 0.05
"""Seconds between two questions whether to stop."""


def tridiagonalise(
    band: NDArray[np.float64],
    width: int,
    progress: Callable[[float], bool] = lambda share: False,
    threads: int | None = None,
) -> bool:
    """Make a symmetric band matrix an orthogonally similar tridiagonal one, in place; the same whatever the threads.

    `band` is (n, 2 * width), `band[j, d]` being the element (j + d, j) for d = 0 ... width, zeros behind. `progress` is
    given the share that is done and says whether to stop. -> whether it came to its end
    """
    if progress(0.0):
        return False
    columns = _Columns(band, width)
    threads = threads or min(processors(), MAX_THREADS)
    with ThreadPoolExecutor(threads, "tridiagonal") as pool:
        runs = [pool.submit(columns.run, i, threads) for i in range(threads)]
        try:
            while wait(runs, ASK_EVERY).not_done:
                if progress(columns.share):
                    return False
        finally:
            columns.stop()
    for run in runs:
        run.result()
    return True


class _Columns:
    """How far each group of columns is, shared by the threads."""

    def __init__(self, band: NDArray[np.float64], width: int) -> None:
        self._band, self._width = band, width
        self._groups = -(-len(band) // COLUMNS)
        self._turns: list[float] = [0] * self._groups
        self._ended = 0
        self._changed = threading.Condition()
        self._stopped = False

    @property
    def share(self) -> float:
        """Of the work that is done: a column has as many steps as there are blocks below it."""
        return 1 - (1 - self._ended / self._groups) ** 2

    def stop(self) -> None:
        """Let the threads end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def run(self, first: int, every: int) -> None:
        """Chase each `every`-th group of columns, from the group `first` on."""
        try:
            reflectors, factors = np.zeros((COLUMNS, 2, self._width)), np.zeros(COLUMNS)
            for group in range(first, self._groups, every):
                if not self._chase(group, reflectors, factors):
                    return
        except BaseException:
            self.stop()  # nobody may wait for this thread
            raise

    def _chase(self, group: int, reflectors: NDArray[np.float64], factors: NDArray[np.float64]) -> bool:
        """A group to the end of the band; False when told to stop."""
        column = group * COLUMNS
        count = min(COLUMNS, len(self._band) - column)
        blocks = -(-(len(self._band) - column) // self._width)
        turns = -(-(blocks + count) // BLOCKS)
        for turn in range(turns):
            if group and not self._wait_for(group - 1, turn + LAG):
                return False
            chase(self._band, self._width, column, count, turn * BLOCKS, (turn + 1) * BLOCKS, reflectors, factors)
            self._tell(group, turn + 1)
        self._tell(group, np.inf)
        return not self._stopped

    def _wait_for(self, group: int, turn: int) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._turns[group] > turn)
            return not self._stopped

    def _tell(self, group: int, turns: float) -> None:
        with self._changed:
            self._turns[group] = turns
            self._ended += turns == np.inf
            self._changed.notify_all()
