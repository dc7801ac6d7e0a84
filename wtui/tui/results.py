"""What is known so far: numbers of tensors and layers, failures, distributions, progress. Data only, no widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.engine.protocol import (
    Distribution,
    Failed,
    Finished,
    Found,
    Judged,
    LayerSummary,
    Parts,
    Progress,
    Recalled,
    Sampled,
    Scanned,
    Spectrum,
)

if TYPE_CHECKING:
    from wtui.engine.protocol import Subject
    from wtui.insight.types import Finding, Verdict
    from wtui.stats.row import SummaryRow

__all__ = ["Results", "sparkline"]

SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 5
"""Columns of the small histogram in the tree."""


class Results:
    """Filled from the scan process's answers; every entry is kept under the subject it is about."""

    def __init__(self) -> None:
        self.rows: dict[int, SummaryRow] = {}
        """Exact numbers by tensor."""
        self.samples: dict[int, SummaryRow] = {}
        self.failures: dict[int, str] = {}
        self.layers: dict[Subject, LayerSummary] = {}
        self.distributions: dict[Subject, Distribution] = {}
        self.sparklines: dict[int, str] = {}
        self.verdicts: dict[int, Verdict] = {}
        self.parts: dict[int, Parts] = {}
        self.spectra: dict[int, Spectrum] = {}
        self.found: Found | None = None
        self.progress: Progress | None = None
        self.finished: Finished | None = None
        self.version = 0
        """Goes up with every tensor that is done: what was drawn from an older one is out of date."""

    def take(self, answer: object) -> set[Subject]:
        """Keep an answer; the subjects of which something new is known."""
        match answer:
            case Scanned(rows):
                self.rows.update(rows)
                self.sparklines.update((i, sparkline(row)) for i, row in rows)
                self.version += 1
                return {i for i, _ in rows}
            case Recalled(rows, layers, complete):
                self.layers.update((layer.subject, layer) for layer in layers)
                if complete:
                    self.finished = Finished(0.0, recalled=True)
                return self.take(Scanned(rows)) | {layer.subject for layer in layers}
            case Sampled(tensor, row):
                self.samples[tensor] = row
                return {tensor}
            case Failed(tensor, message):
                self.failures[tensor] = message
                return {tensor}
            case LayerSummary(subject):
                self.layers[subject] = answer
                return {subject}
            case Distribution(subject):
                self.distributions[subject] = answer
                return {subject}
            case Judged(verdicts):
                self.verdicts.update(verdicts)
                return {i for i, _ in verdicts}
            case Parts(tensor):
                self.parts[tensor] = answer
                return {tensor}
            case Spectrum(tensor):
                self.spectra[tensor] = answer
            case Found():
                self.found = answer
            case Progress():
                self.progress = answer
            case Finished():
                self.finished = self.finished or answer
        return set()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far, the worst first."""
        return self.found.findings if self.found is not None else ()

    def row(self, tensor: int) -> SummaryRow | None:
        """The exact numbers of a tensor, or a sample's."""
        return self.rows.get(tensor) or self.samples.get(tensor)

    def row_of(self, subject: Subject) -> SummaryRow | None:
        """The numbers of a tensor or layer, as far as they are known."""
        if subject >= 0:
            return self.row(subject)
        layer = self.layers.get(subject)
        return layer.row if layer else None


def sparkline(row: SummaryRow) -> str:
    """The shape of a distribution in SPARK_WIDTH columns; empty for constant or absent values."""
    counts = row.sketch.counts
    if not counts or max(counts) <= 0 or row.std == 0:
        return ""
    n = len(counts)
    cells = [sum(counts[i * n // SPARK_WIDTH : (i + 1) * n // SPARK_WIDTH]) for i in range(SPARK_WIDTH)]
    top = max(cells)
    return "".join(SPARKS[min(7, int(8 * c / top))] if c else " " for c in cells)
