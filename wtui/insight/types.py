"""What the insights are told in: plain tuples that any process can unpickle and any front end can show.

Standard library only, and cheap to import: the browser's drawing process gets verdicts from its scan process and never
loads numpy. Computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

__all__ = [
    "NO_VERDICT",
    "SEVERITIES",
    "Evidence",
    "Fans",
    "Finding",
    "GateView",
    "How",
    "Initial",
    "Reading",
    "Said",
    "Severity",
    "State",
    "Style",
    "Verdict",
]

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""The worst first."""

How = Literal["recorded", "inferred", "unknown"]
"""Whether a file says something, it follows from names and shapes, or neither."""

Style = Literal["error", "warning", "good", "plain", "dim"]
"""How a sentence is to be shown; a hint, since the sentence itself says what it means."""

State = Literal["initial", "moved", "open", "none"]
"""Of a tensor: as it was initialised; changed since; it cannot be told; nothing to tell (no values, no floats)."""

Evidence = Mapping[str, float | int | str | None]
"""Plain numbers by name, ready for JSON."""


class Said(NamedTuple):
    """A statement, how it is known, and why."""

    value: str
    """`""` where it is unknown."""
    how: How
    why: str = ""


class Fans(NamedTuple):
    """Connections into and out of one unit, by the rule of the framework that initialised the tensor."""

    fan_in: int
    fan_out: int
    rule: str
    """Whose rule: `Keras` or `torch`."""


class GateView(NamedTuple):
    """The part `start : stop` along `axis` of a recurrent layer's tensor that belongs to one gate."""

    name: str
    axis: int
    start: int
    stop: int


class Initial(NamedTuple):
    """An initialiser with the numbers it has for one shape.

    `how` is recorded where the file's configuration names it, inferred where it is the default of the tensor's class,
    and unknown where it is only a common one.

    `kind` says what `scale` is: `uniform` on centre ± scale; `normal` of standard deviation scale; `truncated`, a
    normal of standard deviation scale cut off at ± 2 of them; `orthogonal` with gain scale; `constant`, all values
    being the centre; `identity` with gain scale; `forget`, an LSTM's bias that is 1 for the forget gate and else 0.
    """

    name: str
    kind: str
    scale: float
    centre: float = 0.0
    how: How = "unknown"


class Verdict(NamedTuple):
    """What the values of one tensor, taken alone, say about its initialisation and training."""

    state: State
    sentence: str
    """One plain sentence."""
    names: tuple[str, ...] = ()
    """Initialisers that the values cannot be told from; one of them is the true one if `state` is `initial`."""
    expected: Initial | None = None
    """The initialiser that the file records, or that the values fit, or that the class has by default."""
    fans: Fans | None = None
    shape: str = ""
    """Of the distribution: uniform, normal, truncated normal, bell-shaped, heavy-tailed, skewed, bimodal, discrete or
    constant; `""` for a few values."""
    resolution: float = 0.0
    """The smallest change, in units of the initial standard deviation, that would have been noticed; 0: any."""
    evidence: tuple[tuple[str, float], ...] = ()
    """The numbers that the verdict rests on, by name."""
    at_limits: int = 0
    """Integer dtypes: values at the ends of the dtype's range."""
    denormal: int = 0
    """Floating-point dtypes: values other than 0 below the smallest normal number."""
    negligible: int = 0
    """Values with |x| below a thousandth of the mean of |x| (see `marginal.NEGLIGIBLE`)."""


NO_VERDICT = Verdict("none", "nothing was read of it")


class Finding(NamedTuple):
    """Something that a rule found, with the numbers that make it true."""

    severity: Severity
    rule: str
    """Id of the rule: `nan`, `dead-channels`, ..."""
    layer: str
    """Path of the layer, `""` for the model."""
    tensor: str
    """Name of the tensor, `""` where the finding is about a layer or the model."""
    message: str
    """One plain sentence."""
    evidence: Evidence
    advice: str = ""
    """What to do about it."""


class Reading(NamedTuple):
    """A sentence about a tensor."""

    style: Style
    text: str
