"""What the browser and its scan process say to each other: plain tuples, pickled over two pipes.

Both ends are this program; nothing that comes from a weight file is ever unpickled. Every answer carries the subject
it is about, so that a late one cannot land on another panel. Standard library only: the first frame imports this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wtui.model import FileRef
    from wtui.stats.row import SummaryRow
    from wtui.stats.spectrum_row import SpectrumRow

__all__ = [
    "AskHistogram",
    "AskParts",
    "AskPicture",
    "AskSpectrum",
    "AskValues",
    "Distribution",
    "Failed",
    "Finished",
    "Found",
    "GoneWrong",
    "Judged",
    "LayerSummary",
    "Look",
    "Open",
    "Opened",
    "Parts",
    "Picture",
    "Progress",
    "Recalled",
    "Sampled",
    "Scanned",
    "Spectrum",
    "SpectrumShare",
    "Stop",
    "Values",
]

Subject = int
"""A tensor's index in `Catalogue.tensors`, or -(1 + position) of a layer in `root.walk()` order."""


class Open(NamedTuple):
    """Open this path in the scan process."""

    path: str
    format: str | None


class Look(NamedTuple):
    """The user looks at `subject` now and sees the tensors `visible`: scan them first, in this order."""

    subject: Subject
    visible: tuple[int, ...] = ()


class AskHistogram(NamedTuple):
    """Count the values of `subject` in `bins` equal bins over [low, high]; None: the 0.1 % or 99.9 % quantile."""

    subject: Subject
    bins: int
    low: float | None = None
    high: float | None = None


class AskValues(NamedTuple):
    """Read the box `start : stop` of a tensor."""

    tensor: int
    start: tuple[int, ...]
    stop: tuple[int, ...]


class AskPicture(NamedTuple):
    """Reduce a tensor to a picture: `matrix` (axes before `axis` are rows), or `channels` (norms along `axis`)."""

    tensor: int
    kind: str
    axis: int
    rows: int
    columns: int


class AskParts(NamedTuple):
    """Summarise the parts of a tensor: gates, q, k and v, heads."""

    tensor: int


class AskSpectrum(NamedTuple):
    """Measure the spectra of these tensors in this order, and nothing that was asked for before; () stops."""

    tensors: tuple[int, ...]


class Stop(NamedTuple):
    """End the scan process."""


class Opened(NamedTuple):
    """What the scan process has opened; subjects mean the same on both sides only if these files are the same."""

    files: tuple[FileRef, ...]


class Recalled(NamedTuple):
    """What is known from an earlier run, of files that have not changed since."""

    rows: tuple[tuple[int, SummaryRow], ...]
    layers: tuple[LayerSummary, ...]
    complete: bool
    """Whether that is every tensor that can be read: there is nothing to scan."""


class Scanned(NamedTuple):
    """Exact numbers of tensors that are done."""

    rows: tuple[tuple[int, SummaryRow], ...]


class Failed(NamedTuple):
    """A tensor that cannot be read, and why."""

    tensor: int
    message: str


class Sampled(NamedTuple):
    """Numbers of a tensor of which only a part was read; `row.seen < row.total`."""

    tensor: int
    row: SummaryRow


class LayerSummary(NamedTuple):
    """The tensors below a layer taken together, as far as they are scanned."""

    subject: Subject
    row: SummaryRow
    tensors_done: int
    tensors: int


class Distribution(NamedTuple):
    """Values counted in equal bins over [low, high]."""

    subject: Subject
    asked: tuple[int, float | None, float | None]
    """The question's bins, low and high."""
    low: float
    high: float
    counts: tuple[float, ...]
    below: float
    above: float
    seen: int
    """Values counted, inside and outside the bins."""
    total: int
    """Values there are; more than seen: a sample, or a layer that is not scanned whole."""
    curve: tuple[float, ...] = ()
    """Counts in the same bins that the values would have had as they were initialised."""
    curve_of: str = ""
    """The initialiser's name."""


class Picture(NamedTuple):
    """Cells of a matrix in C order, or norms of channels in one row; or why there are none."""

    asked: AskPicture
    shape: tuple[int, int]
    """Cells."""
    size: tuple[int, int]
    """Values, rows and columns, that the cells stand for."""
    mean: tuple[float, ...] = ()
    abs_mean: tuple[float, ...] = ()
    abs_max: tuple[float, ...] = ()
    problem: str = ""


class Parts(NamedTuple):
    """Numbers of the parts of a tensor by their names, or why there are none."""

    tensor: int
    rows: tuple[tuple[str, SummaryRow], ...]
    problem: str = ""


class SpectrumShare(NamedTuple):
    """How far the spectrum of a tensor is."""

    tensor: int
    share: float


class Spectrum(NamedTuple):
    """The spectrum of a tensor, or why there is none."""

    tensor: int
    row: SpectrumRow | None
    said: str = ""
    """How the tensor is seen as a matrix."""
    problem: str = ""


class Values(NamedTuple):
    """The values of a box in C order, or why they cannot be read."""

    tensor: int
    start: tuple[int, ...]
    stop: tuple[int, ...]
    values: tuple[float | int, ...]
    problem: str = ""


class Judged(NamedTuple):
    """What the values of tensors say of their history, by tensor: a `wtui.insight.types.Verdict` each."""

    verdicts: tuple[tuple[int, Any], ...]


class Found(NamedTuple):
    """All findings so far (`wtui.insight.types.Finding`), the worst first."""

    findings: tuple[Any, ...]
    read: float
    """Share of the bytes of all readable tensors that they rest on."""
    complete: bool
    """Whether everything was read and measured."""


class Progress(NamedTuple):
    """How far the scan of the whole model is."""

    done: int
    """Bytes."""
    total: int
    """Bytes."""
    bytes_per_second: float
    on_demand: bool = False
    """Whether the rest is read only when it is looked at."""


class Finished(NamedTuple):
    """Every tensor is scanned or has failed."""

    seconds: float
    recalled: bool = False
    """Whether everything was known from an earlier run and nothing was read."""


class GoneWrong(NamedTuple):
    """The scan process cannot go on, and why."""

    message: str
