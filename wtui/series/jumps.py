"""Where weights grew or shrank all at once from one checkpoint to the next: what a finite run can break by.

Seen from the mean of |w| of every matrix, since norms and statistics settle from their first values and biases start at
zero. Standard library only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from wtui.series.record import NUMBERS, WIDTH

if TYPE_CHECKING:
    from wtui.series.record import Record

__all__ = ["JUMP", "Jump", "jump_between", "jump_words"]

JUMP = 10.0
"""Times that the mean of |w| has to grow or shrink to be told: training moves it less from checkpoint to checkpoint."""

ABS_MEAN = NUMBERS.index("abs_mean")
"""Its place among the numbers of a tensor."""


class Jump(NamedTuple):
    """The largest of the jumps between two checkpoints."""

    tensor: str
    ratio: float
    """Of the later mean of |w| to the earlier one."""
    tensors: int
    """Matrices that jumped."""


def jump_between(before: Record, after: Record) -> Jump | None:
    """What jumped between two checkpoints; None if nothing did."""
    places = {t.name: i for i, t in enumerate(before.tensors)} if before.tensors is not after.tensors else None
    found: list[tuple[float, str, float]] = []
    for i, tensor in enumerate(after.tensors):
        j = i if places is None else places.get(tensor.name, -1)
        if j < 0 or tensor.group != "model" or len(tensor.shape) < 2:
            continue
        a, b = before.packed[j * WIDTH + ABS_MEAN], after.packed[i * WIDTH + ABS_MEAN]
        if a > 0 and b > 0 and not 1 / JUMP < b / a < JUMP:
            found.append((abs(math.log(b / a)), tensor.name, b / a))
    if not found:
        return None
    _, name, ratio = max(found)
    return Jump(name, ratio, len(found))


def jump_words(jump: Jump, before: str, after: str) -> str:
    """`step 5000: mean |w| of fc/kernel is 30 times what it was at step 4500 (and 9 more tensors jumped)`."""
    ratio = f"{jump.ratio:,.0f} times" if jump.ratio >= 1 else f"1/{1 / jump.ratio:,.0f} of"
    others = f" (and {jump.tensors - 1} more tensors jumped)" if jump.tensors > 1 else ""
    return f"{after}: mean |w| of {jump.tensor} is {ratio} what it was at {before}{others}"
