"""Examines a model: reads it in the order that tells most soonest, as far as time allows, and applies the rules.

Headers and completeness cost nothing and come first; then small tensors, which are biases and norms; then a sample of
each large one, if time is short; then all of them, the smallest first; at last what only a second pass can show. Puts
engine and insights together, which do not know each other, and knows no front end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import WtuiError
from wtui.insight.anatomy import output_axes
from wtui.insight.health import Checkup, Extra
from wtui.insight.roles import axes, is_torch_layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wtui.insight.case import Untouched
    from wtui.insight.chart import Subject
    from wtui.insight.types import Finding, Verdict
    from wtui.model import Catalogue
    from wtui.stats.channel_row import ChannelRow
    from wtui.stats.channels import Channels
    from wtui.stats.row import SummaryRow
    from wtui.stats.summary import Summary
    from wtui.storage import Files

    OnProgress = Callable[[int, int], None]

__all__ = ["Examination", "Report"]

SAMPLED_FROM = 8 << 20
"""Bytes from which a tensor is sampled before it is read whole: a sample reads 2 MB of it."""

MIN_MEASURED = 64
"""Values from which channels are worth a look."""

MAYBE_SPARSE = 0.4
"""Share of zeros from which a pattern of two in four is looked for."""


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
    ) -> None:
        """Of some tensors (default: all), for at most about `within` seconds; `on_progress` gets bytes done and all."""
        self._catalogue = catalogue
        self._files = files
        self._checkup = Checkup(catalogue)
        self._deadline = None if within is None else time.monotonic() + within
        self._threads = threads
        self._on_progress = on_progress
        chosen = range(len(catalogue.tensors)) if tensors is None else tensors
        self._owners = {self._owner(i) for i in chosen}
        self._rows: dict[int, SummaryRow] = {}
        self._verdicts: dict[int, Verdict] = {}
        self._channels: dict[int, ChannelRow] = {}
        self._untouched: dict[int, Untouched] = {}
        self._failures: dict[int, str] = {}

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
        whole = [r for i, r in self._rows.items() if r.seen == r.total]
        complete = measured and len(whole) == len(self._owners)
        rows, verdicts, failures = self._rows, self._verdicts, self._failures
        return Report(self.findings(), self._share(readable), complete, rows, verdicts, failures)

    def findings(self) -> list[Finding]:
        """What is known so far, the worst first."""
        extra = Extra(self._verdicts, self._channels, self._failures, self._untouched)
        return self._checkup.findings(self._rows, extra)

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
                self._keep(tensor, sample_tensor(self._catalogue.tensors[tensor], self._catalogue, self._files))
            except WtuiError:
                continue  # the full pass will tell

    def _scan(self, tensors: list[int]) -> None:
        """Read tensors whole that are not yet, in this order."""
        from wtui.engine.scan import Scanner

        wanted = [i for i in tensors if i not in self._rows or self._rows[i].seen < self._rows[i].total]
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
                self._failures[outcome.tensor] = outcome.problem
            else:
                self._keep(outcome.tensor, outcome.summary)

    def _keep(self, tensor: int, summary: Summary) -> None:
        """Take in a summary, and judge it while its counts are at hand."""
        from wtui.insight.verdicts import verdict

        self._rows[tensor] = summary.row()
        subject = self._checkup.chart.subjects.get(tensor)
        if subject is not None:
            siblings = [self._catalogue.tensors[i] for i in subject.layer.tensors]
            entry = subject.tensor
            self._verdicts[tensor] = verdict(summary, entry, subject.layer, self._catalogue.format, siblings)

    def _measure(self, readable: list[int]) -> None:
        """The second pass, over kernels and embeddings."""
        subjects = self._checkup.chart.subjects
        for tensor in readable:
            subject, row = subjects.get(tensor), self._rows.get(tensor)
            if subject is None or row is None or subject.part not in ("kernel", "embedding"):
                continue
            if row.total < MIN_MEASURED or row.seen < row.total:
                continue
            self._check_time()
            try:
                channels = self._channels_of(subject, row)
            except WtuiError as error:
                self._failures[tensor] = error.what
                continue
            if channels is not None:
                self._channels[tensor] = channels.row()
                self._look_at_rows(subject, channels)

    def _channels_of(self, subject: Subject, row: SummaryRow) -> Channels | None:
        from wtui.engine.measure import measure_channels

        format = self._catalogue.format
        along = output_axes(subject.tensor, subject.layer, format)
        named = axes(subject.tensor, subject.layer, torch_layout=is_torch_layout(format))
        groups = named.index("in") if "in" in named and row.zeros > MAYBE_SPARSE * row.total else None
        found = measure_channels(subject.tensor, self._catalogue, self._files, along, groups, self._is_over)
        if found is None:
            raise TimeUp
        return found

    def _is_over(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _look_at_rows(self, subject: Subject, channels: Channels) -> None:
        """Which rows of an embedding are still as initialised."""
        from wtui.insight.embeddings import untouched_rows

        verdict = self._verdicts.get(subject.number)
        if subject.part == "embedding" and verdict is not None and verdict.expected is not None:
            found = untouched_rows(channels, verdict.expected) if verdict.state == "moved" else None
            if found is not None:
                self._untouched[subject.number] = found

    def _share(self, readable: list[int]) -> float:
        """Share of bytes that were read; 1 where there are none."""
        total = sum(self._catalogue.tensors[i].nbytes for i in readable)
        rows = ((self._catalogue.tensors[i].nbytes, self._rows.get(i)) for i in readable)
        done = sum(size * row.seen / row.total for size, row in rows if row is not None and row.total)
        return done / total if total else 1.0
