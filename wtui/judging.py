"""What a model's numbers mean, while they come in: verdicts, channels, findings. Puts engine and insights together.

A command that examines a model and the scan process behind the browser both keep a `Judge`. Knows no front end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.codecs import LOSSLESS
from wtui.errors import WtuiError
from wtui.insight.anatomy import output_axes
from wtui.insight.evidence import channels_from, plain, rank_from, untouched_from, verdict_from
from wtui.insight.health import Checkup, Extra
from wtui.insight.matrices import matrix_axes
from wtui.insight.roles import axes, holds_experts, is_torch_layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wtui.engine.remembered import Memory
    from wtui.insight.case import Untouched
    from wtui.insight.chart import Subject
    from wtui.insight.types import Finding, Verdict
    from wtui.model import Catalogue
    from wtui.stats.channel_row import ChannelRow
    from wtui.stats.channels import Channels
    from wtui.stats.rank_row import RankRow
    from wtui.stats.row import SummaryRow
    from wtui.stats.summary import Summary
    from wtui.storage import Files

__all__ = ["CHANNELS", "VERDICT", "Judge"]

VERDICT, CHANNELS = "verdict", "channels"
"""Kinds of records that are kept between runs."""

MIN_MEASURED = 64
"""Values from which channels are worth a look."""

MIN_RANK = 48
"""Rows and columns from which a rank can collapse: narrower kernels are of a low rank by their size."""

PRECISION = frozenset({"float16", "bfloat16", "float32", "float64"})
"""Dtypes of which the rounding is known."""

MAYBE_SPARSE = 0.2
"""Share of zeros from which patterns of N in M inputs are looked for."""


class Judge:
    """Everything that is known of one model for judging it. One thread at a time."""

    def __init__(self, catalogue: Catalogue, files: Files) -> None:
        self._catalogue = catalogue
        self._files = files
        self._checkup = Checkup(catalogue)
        self.rows: dict[int, SummaryRow] = {}
        self.verdicts: dict[int, Verdict] = {}
        self.failures: dict[int, str] = {}
        self._channels: dict[int, ChannelRow] = {}
        self._untouched: dict[int, Untouched] = {}
        self._ranks: dict[int, RankRow] = {}

    def keep(self, tensor: int, summary: Summary, row: SummaryRow | None = None) -> Verdict | None:
        """Take in a summary, and judge it while its counts are at hand; `row` is its row, if that was made already."""
        from wtui.insight.verdicts import verdict

        self.rows[tensor] = row or summary.row()
        subject = self._checkup.chart.subjects.get(tensor)
        if subject is None:
            return None
        siblings = [self._catalogue.tensors[i] for i in subject.layer.tensors]
        found = verdict(summary, subject.tensor, subject.layer, self._catalogue.format, siblings)
        self.verdicts[tensor] = found
        return found

    def evidence(self, tensor: int) -> list[Any] | None:
        """What a measured tensor's channels have shown, as plain data; None for one that was not measured."""
        if tensor not in self._channels:
            return None
        found = self._channels[tensor], self._untouched.get(tensor), self._ranks.get(tensor)
        return [None if one is None else plain(one) for one in found]

    def recall(self, tensor: int, row: SummaryRow, verdict: Any, evidence: Any = None) -> None:
        """Take in what an earlier run has found, as plain data; LookupError, TypeError, ValueError for others."""
        found = None if verdict is None else verdict_from(verdict)
        if evidence is not None:
            channels, untouched, rank = evidence
            self._channels[tensor] = channels_from(channels)
            if untouched is not None:
                self._untouched[tensor] = untouched_from(untouched)
            if rank is not None:
                self._ranks[tensor] = rank_from(rank)
        self.rows[tensor] = row
        if found is not None:
            self.verdicts[tensor] = found

    def recall_all(self, memory: Memory) -> list[int]:
        """Take in what an earlier run has found out about the tensors that it has read; these tensors."""
        verdicts, evidence = memory.records(VERDICT), memory.records(CHANNELS)
        found = []
        for tensor in sorted(memory.done):
            try:
                self.recall(tensor, memory.tensors[tensor].row, verdicts[tensor], evidence.get(tensor))
            except (ValueError, TypeError, LookupError):
                continue
            found.append(tensor)
        return found

    def findings(self) -> list[Finding]:
        """What is known so far, the worst first."""
        extra = Extra(self.verdicts, self._channels, self.failures, self._untouched, self._tokens(), self._ranks)
        return self._checkup.findings(self.rows, extra)

    def _tokens(self) -> tuple[str, ...]:
        """The vocabulary beside the model, once there is an embedding that was looked at."""
        if any(self._checkup.chart.subjects[i].part == "embedding" for i in self._channels):
            from wtui.formats.vocabulary import vocabulary

            return vocabulary(self._catalogue.path)
        return ()

    def worth_measuring(self, tensors: Iterable[int]) -> list[int]:
        """Those whose channels a second pass should look at: kernels and embeddings that were read whole."""
        wanted = []
        for tensor in tensors:
            subject, row = self._checkup.chart.subjects.get(tensor), self.rows.get(tensor)
            if subject is None or row is None or subject.part not in ("kernel", "embedding"):
                continue
            if row.total >= MIN_MEASURED and row.seen == row.total and tensor not in self._channels:
                wanted.append(tensor)
        return wanted

    def measure(self, tensor: int, stopped: Callable[[], bool]) -> bool:
        """Look at the channels of a tensor in one more pass; False if `stopped` said so before its end."""
        subject = self._checkup.chart.subjects[tensor]
        try:
            channels = self._measured(subject, self.rows[tensor], stopped)
        except WtuiError as error:
            self.failures[tensor] = error.what
            return True
        if channels is None:
            return False
        try:
            at_limits = self._at_limits(subject, stopped)
        except WtuiError as error:
            self.failures[tensor] = error.what
            return True
        if at_limits is None:
            return False
        self._channels[tensor] = channels.row()._replace(at_limits=at_limits)
        self._look_at_rows(subject, channels)
        self._look_at_rank(subject)
        return True

    def _at_limits(self, subject: Subject, stopped: Callable[[], bool]) -> int | None:
        """Stored integers at the ends of their range; None if `stopped` said so."""
        if subject.tensor.encoding in LOSSLESS:
            return 0  # the verdict has counted them
        from wtui.engine.ends import count_at_ends

        return count_at_ends(subject.tensor, self._catalogue, self._files, stopped)

    def _look_at_rank(self, subject: Subject) -> None:
        """How many rows of a piece of a kernel are independent; not of quantised values, which have none to lose."""
        from wtui.engine.corner import corner_rank

        tensor, layer = subject.tensor, subject.layer
        floats = tensor.dtype in PRECISION and tensor.encoding in LOSSLESS
        if subject.part != "kernel" or not floats or len(tensor.shape) < 2 or tensor.size < MIN_RANK**2:
            return
        axes = matrix_axes(tensor, layer, self._catalogue.format)
        try:
            found = corner_rank(tensor, self._catalogue, self._files, axes, MIN_RANK)
        except WtuiError:
            return  # the second pass has told already why it cannot be read
        if found is not None:
            self._ranks[subject.number] = found

    def _measured(self, subject: Subject, row: SummaryRow, stopped: Callable[[], bool]) -> Channels | None:
        from wtui.engine.measure import measure_channels

        format = self._catalogue.format
        along = output_axes(subject.tensor, subject.layer, format)
        named = axes(subject.tensor, subject.layer, torch_layout=is_torch_layout(format))
        inputs = next((named.index(name) for name in ("in", "state") if name in named), None)
        depthwise = "multiplier" in named  # each output of which has one input
        groups = inputs if row.zeros > MAYBE_SPARSE * row.total and not depthwise else None
        return measure_channels(subject.tensor, self._catalogue, self._files, along, groups, stopped)

    def _look_at_rows(self, subject: Subject, channels: Channels) -> None:
        """Which rows of an embedding, or which experts of a tensor that holds all, are still as initialised."""
        from wtui.insight.embeddings import EXPERTS_APART, untouched_rows

        verdict = self.verdicts.get(subject.number)
        has_rows = subject.part == "embedding" or (subject.part == "kernel" and holds_experts(subject.tensor))
        if has_rows and verdict is not None and verdict.expected is not None:
            apart = 0.0 if subject.part == "embedding" else EXPERTS_APART
            found = untouched_rows(channels, verdict.expected, apart) if verdict.state == "moved" else None
            if found is not None:
                self._untouched[subject.number] = found
