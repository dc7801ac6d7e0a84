"""Examines a model: reads it in the order that tells most soonest, as far as time allows, and applies the rules.

Headers and completeness cost nothing and come first; then small tensors, which are biases and norms; then a sample of
each large one, if time is short; then all of them, the smallest first; at last what only a second pass can show. Puts
engine and insights together, which do not know each other, and knows no front end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from wtui.cache import NO_SHELF
from wtui.engine.remembered import Memory
from wtui.errors import WtuiError
from wtui.insight.evidence import plain
from wtui.judging import CHANNELS, VERDICT, Judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wtui.cache import Shelf
    from wtui.insight.types import Finding, Verdict
    from wtui.model import Catalogue
    from wtui.stats.row import SummaryRow
    from wtui.stats.summary import Summary
    from wtui.storage import Files

    OnProgress = Callable[[int, int], None]

__all__ = ["Examination", "Report"]

SAMPLED_FROM = 8 << 20
"""Bytes from which a tensor is sampled before it is read whole: a sample reads 2 MB of it."""


class Report(NamedTuple):
    """What an examination found, and how much of the model it rests on."""

    findings: list[Finding]
    """The worst first."""
    read: float
    """Share of the bytes of all readable tensors that were read."""
    complete: bool
    """Whether everything was read and measured that can be; False as well where a tensor cannot be read."""
    rows: dict[int, SummaryRow]
    verdicts: dict[int, Verdict]
    failures: dict[int, str]


class TimeUp(Exception):
    """The time is over; raised and caught here alone."""


class Examination:
    """One model being examined. One thread runs it."""

    def __init__(
        self,
        catalogue: Catalogue,
        files: Files,
        tensors: Iterable[int] | None = None,
        within: float | None = None,
        threads: int | None = None,
        on_progress: OnProgress = lambda done, total: None,
        shelf: Shelf = NO_SHELF,
    ) -> None:
        """Of some tensors (default: all), for at most about `within` seconds; `on_progress` gets bytes done and all.

        What the shelf knows is not read again; what is found is kept there.
        """
        self._catalogue = catalogue
        self._files = files
        self._judge = Judge(catalogue, files)
        self._memory = Memory(catalogue, shelf, needs=(VERDICT,))
        self._judge.recall_all(self._memory)
        self._deadline = None if within is None else time.monotonic() + within
        self._threads = threads
        self._on_progress = on_progress
        chosen = range(len(catalogue.tensors)) if tensors is None else tensors
        self._owners = {self._owner(i) for i in chosen}

    def run(self) -> Report:
        """Read, judge, and report; never raises for what a file holds."""
        readable = [i for i in self._owners if not self._catalogue.tensors[i].problem]
        readable.sort(key=lambda i: self._catalogue.tensors[i].nbytes)
        measured = False
        try:
            if self._deadline is not None:
                self._sample(readable)
            self._scan(readable)
            self._measure(readable)
            measured = True
        except TimeUp:
            pass
        self._memory.flush()
        whole = [r for i, r in self._judge.rows.items() if r.seen == r.total]
        complete = measured and len(whole) == len(self._owners)
        judge = self._judge
        return Report(judge.findings(), self._share(readable), complete, judge.rows, judge.verdicts, judge.failures)

    def _owner(self, tensor: int) -> int:
        alias = self._catalogue.tensors[tensor].alias_of
        return tensor if alias is None else self._catalogue.index(alias)

    def _check_time(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise TimeUp

    def _sample(self, readable: list[int]) -> None:
        """Small tensors whole, then a few blocks of each large one."""
        small = [i for i in readable if self._catalogue.tensors[i].nbytes < SAMPLED_FROM]
        self._scan(small)
        from wtui.engine.sample import sample_tensor

        for tensor in readable[len(small) :]:
            self._check_time()
            try:
                self._judge.keep(tensor, sample_tensor(self._catalogue.tensors[tensor], self._catalogue, self._files))
            except WtuiError:
                continue  # the full pass will tell

    def _scan(self, tensors: list[int]) -> None:
        """Read tensors whole that are not yet, in this order."""
        from wtui.engine.scan import Scanner

        wanted = [
            i for i in tensors if i not in self._judge.rows or self._judge.rows[i].seen < self._judge.rows[i].total
        ]
        if not wanted:
            return
        total = sum(self._catalogue.tensors[i].nbytes for i in self._owners)
        before = total - sum(self._catalogue.tensors[i].nbytes for i in wanted)
        scanner = Scanner(self._catalogue, self._files, wanted, self._threads)

        def tick() -> None:
            self._on_progress(before + scanner.bytes_done, total)
            self._check_time()

        for outcome in scanner.outcomes(tick):
            if outcome.summary is None:
                self._judge.failures[outcome.tensor] = outcome.problem
            else:
                self._keep(outcome.tensor, outcome.summary)

    def _keep(self, tensor: int, summary: Summary) -> None:
        """Take in a tensor that was read whole."""
        verdict = self._judge.keep(tensor, summary)
        self._memory.keep_tensor(tensor, summary, self._judge.rows[tensor])
        self._memory.keep_record(VERDICT, tensor, None if verdict is None else plain(verdict))

    def _measure(self, readable: list[int]) -> None:
        """The second pass, over kernels and embeddings."""
        for tensor in self._judge.worth_measuring(readable):
            self._check_time()
            if not self._judge.measure(tensor, self._is_over):
                raise TimeUp
            measured = self._judge.evidence(tensor)
            if measured is not None:
                self._memory.keep_record(CHANNELS, tensor, measured)

    def _is_over(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _share(self, readable: list[int]) -> float:
        """Share of bytes that were read; 1 where there are none."""
        total = sum(self._catalogue.tensors[i].nbytes for i in readable)
        rows = ((self._catalogue.tensors[i].nbytes, self._judge.rows.get(i)) for i in readable)
        done = sum(size * row.seen / row.total for size, row in rows if row is not None and row.total)
        return done / total if total else 1.0
