"""What wtui and the process in which a framework runs say to each other: plain tuples, pickled over two pipes.

Both ends are this program. The process does one task, says how it goes, and ends. Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wtui.live.links import Shape
    from wtui.stats.row import SummaryRow

__all__ = [
    "Bins",
    "Build",
    "BuildFrom",
    "Built",
    "Done",
    "Failed",
    "Forward",
    "InputUsed",
    "Maps",
    "OutputRow",
    "Said",
    "Shapes",
    "ShapesOf",
    "Task",
    "Unseen",
]


class ShapesOf(NamedTuple):
    """Work out the output shapes of models, without their weights."""

    pieces: tuple[tuple[str, str], ...]
    """(path of the model, its configuration as JSON); nothing in it may run code (see `wtui.live.refusal`)."""


class Build(NamedTuple):
    """Build one of keras.applications and save it."""

    name: str
    weights: str
    """`none`, `imagenet`, or the path of a weight file."""
    target: str
    """A `.keras` file that is not there yet."""


class BuildFrom(NamedTuple):
    """Build a model from its configuration and save it."""

    config: str
    """As JSON; nothing in it may run code."""
    target: str
    """A `.keras` file that is not there yet."""


class Forward(NamedTuple):
    """Run a model once and describe what its layers give."""

    path: str
    format: str | None
    config: str
    """The model's configuration as JSON; nothing in it may run code."""
    input: str | None
    """A `.npy` or `.npz` file; None: random values."""
    batch: int
    seed: int


Task = ShapesOf | Build | BuildFrom | Forward


class Said(NamedTuple):
    """How it goes, in a few words."""

    text: str


class Shapes(NamedTuple):
    """Output shapes by path, and why those of some models could not be had."""

    shapes: tuple[tuple[str, tuple[Shape, ...]], ...]
    problems: tuple[tuple[str, str], ...]


class Built(NamedTuple):
    """A model is built and saved."""

    target: str


class InputUsed(NamedTuple):
    """One input of a forward pass."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    source: str
    """`random: standard normal`, `digits.npy`, ..."""
    rms: float
    """Root of the mean of x^2; NaN for what is no number."""


class Bins(NamedTuple):
    """Values counted in equal bins over [low, high], the 0.1 % and the 99.9 % quantile."""

    low: float
    high: float
    counts: tuple[float, ...]
    below: float
    above: float


class Maps(NamedTuple):
    """What the first channels of the first sample look like, made small enough for a terminal."""

    channels: int
    rows: int
    columns: int
    of: tuple[int, int, int]
    """Channels, rows and columns that there are."""
    scale: float
    """What a cell of 127 stands for."""
    cells: bytes
    """Signed bytes, channel by channel in C order; -128 stands for a value that is not finite."""


class OutputRow(NamedTuple):
    """One output of one call of a layer, for the input that was given."""

    layer: str
    """Path of the layer."""
    class_name: str
    call: int
    """0 for the first call of the layer, 1 for the second, ..."""
    output: int
    """Which of the call's outputs it is."""
    shape: tuple[int, ...]
    dtype: str
    squashing: str
    """What the values went through last: `relu`, `sigmoid`, `tanh`, `softmax`, or `""`."""
    row: SummaryRow
    bins: Bins
    channels: int
    """Along the channel axis; 0 where there is none."""
    dead: int | None
    """Channels that are 0 for every sample and place, of a rectified output; None for any other."""
    dead_at: tuple[int, ...]
    """The first of them."""
    saturated: float | None
    """Share of the values at which a sigmoid or tanh is nearly flat; None for any other output."""
    spread: float | None
    """Mean standard deviation of a value across samples, in standard deviations of all values; None for one sample."""
    mean_abs: bytes
    """float32 by channel: mean |x|; empty where there are too many channels."""
    active: bytes
    """float32 by channel: share of values above 0."""
    maps: Maps | None


class Unseen(NamedTuple):
    """A layer whose output cannot be described, and why."""

    layer: str
    why: str


class Done(NamedTuple):
    """The forward pass is over."""

    seconds: float
    """Without loading the framework and the model."""


class Failed(NamedTuple):
    """The task cannot be done, why, and what to do about it."""

    what: str
    hint: str = ""
