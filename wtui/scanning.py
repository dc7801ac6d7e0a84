"""The scan process of the browser (`python -m wtui.scanning`): numbers from the engine, meaning from the insights."""

from __future__ import annotations

import time
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from wtui.engine.child import one_model, serve
from wtui.engine.protocol import Found, Judged
from wtui.insight.evidence import plain
from wtui.judging import CHANNELS, VERDICT, Judge
from wtui.parts import PartsDesk
from wtui.spectra import SpectrumDesk

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.engine.desks import Desk
    from wtui.engine.known import Known
    from wtui.engine.protocol import Distribution
    from wtui.stats.summary import Summary

__all__ = ["JudgeDesk", "desks", "main"]

FINDINGS_EVERY = 1.0
"""Seconds between two rounds of all rules while the scan goes on."""

FINDINGS_SHARE = 0.1
"""Share of the time that may go into them: with 10,000 tensors a round takes a third of a second."""


class JudgeDesk:
    """Verdicts as tensors come in, findings now and then, and the second pass over channels once all are read."""

    def __init__(self, known: Known, wake: Callable[[], None]) -> None:
        self._known = known
        self._wake = wake
        self._judge = Judge(known.catalogue, known.files)
        self._verdicts: list[tuple[int, Any]] = []
        self._next_round = time.perf_counter() + FINDINGS_EVERY
        self._news = True
        self._measuring: Thread | None = None
        self._measured: SimpleQueue[bool] = SimpleQueue()
        self._complete = False
        self._stopped = False
        known.expected = self._expected
        self._recall()

    def keep(self, tensor: int, summary: Summary | None, problem: str) -> None:
        if summary is None:
            self._judge.failures[tensor] = problem
        elif tensor not in self._judge.rows:
            verdict = self._judge.keep(tensor, summary, self._known.rows[tensor])
            self._known.memory.keep_record(VERDICT, tensor, None if verdict is None else plain(verdict))
            if verdict is not None:
                self._verdicts += [(i, verdict) for i in self._known.with_aliases([tensor])]
        self._news = True

    def take(self, question: Any) -> bool:
        return False

    @property
    def due(self) -> bool:
        return self._news or not self._measured.empty()

    def answers(self) -> list[Any]:
        answers: list[Any] = []
        if self._verdicts:
            answers.append(Judged(tuple(self._verdicts)))
            self._verdicts = []
        if not self._measured.empty():
            self._complete = self._measured.get()
            self._news = True
        if self._news and (not self._known.waiting or time.perf_counter() >= self._next_round):
            answers.append(self._found())
        return answers

    def close(self) -> None:
        self._stopped = True

    def _recall(self) -> None:
        """Take in what an earlier run has found out about the tensors that it has read."""
        for tensor in self._judge.recall_all(self._known.memory):
            verdict = self._judge.verdicts.get(tensor)
            if verdict is not None:
                self._verdicts += [(i, verdict) for i in self._known.with_aliases([tensor])]

    def _found(self) -> Found:
        """All findings so far; when every tensor is read, the channels are next."""
        started, self._news = time.perf_counter(), False
        if not self._known.waiting and self._measuring is None:
            self._measuring = Thread(target=self._measure, daemon=True)
            self._measuring.start()
        findings = tuple(self._judge.findings())
        ended = time.perf_counter()
        self._next_round = ended + max(FINDINGS_EVERY, (ended - started) / FINDINGS_SHARE)
        return Found(findings, self._share(), self._complete)

    def _measure(self) -> None:
        """The second pass, in a thread of its own; the findings wait for its end."""
        for tensor in self._judge.worth_measuring(sorted(self._judge.rows)):
            if not self._judge.measure(tensor, lambda: self._stopped):
                return
            measured = self._judge.evidence(tensor)
            if measured is not None:
                self._known.memory.keep_record(CHANNELS, tensor, measured)
        self._measured.put(not self._judge.failures)
        self._wake()

    def _expected(self, subject: int, answer: Distribution) -> Distribution:
        """The answer with the counts that the initialiser would have given; without them where there is none."""
        verdict = self._judge.verdicts.get(self._known.owner(subject)) if subject >= 0 else None
        if verdict is None or verdict.expected is None or not answer.counts:
            return answer
        from wtui.insight.distributions import distribution
        from wtui.stats.distribution import edges_between

        initial = distribution(verdict.expected.kind, verdict.expected.scale, verdict.expected.centre)
        if initial is None:
            return answer
        shares = initial.cdf(edges_between(answer.low, answer.high, len(answer.counts)))
        counts = tuple((answer.seen * (shares[1:] - shares[:-1])).tolist())
        return answer._replace(curve=counts, curve_of=verdict.expected.name)

    def _share(self) -> float:
        """Share of bytes that were read; 1 where there are none."""
        tensors = self._known.catalogue.tensors
        waiting = sum(tensors[i].nbytes for i in self._known.waiting)
        done = sum(tensors[i].nbytes for i in self._judge.rows)
        return done / (done + waiting) if done + waiting else 1.0


def desks(known: Known, wake: Callable[[], None]) -> list[Desk]:
    """What a session has beside the engine's own desks."""
    return [JudgeDesk(known, wake), SpectrumDesk(known, wake), PartsDesk(known, wake)]


def main() -> None:
    """Serve the browser that started this process."""
    serve(one_model(desks, needs=(VERDICT,)))


if __name__ == "__main__":
    main()
