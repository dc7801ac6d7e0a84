"""What stands between the weights in one file and the model that they are for, as plain data. Computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wtui.insight.pairing.types import How
    from wtui.model import TensorEntry

__all__ = ["Fitting", "Structure"]


class Fitting(NamedTuple):
    """Two tensors that stand for each other, by their names and shapes in A and in B."""

    a: TensorEntry
    b: TensorEntry
    paired_by: How
    transpose: str
    """How A's axes would have to be laid onto B's, `""` for as they are; also where no order of them fits."""
    fits: bool
    """Whether they hold as many values, in axes that can be laid onto each other."""

    @property
    def loads(self) -> bool:
        """Whether name and shape are the same and nothing has to be turned."""
        return self.a.name == self.b.name and self.a.shape == self.b.shape and not self.transpose


class Structure(NamedTuple):
    """What stands between the weights of A and the tensors of B."""

    loads: bool
    """Whether A loads into B as it is."""
    fitting: tuple[Fitting, ...]
    """Those that both have, in B's order, whose shapes are the same or can be turned into each other."""
    mismatched: tuple[Fitting, ...]
    """Those that both have, with shapes that do not fit."""
    missing: tuple[TensorEntry, ...]
    """Only B has them."""
    unexpected: tuple[TensorEntry, ...]
    """Only A has them."""
    taken_off: str
    """What would have to be taken off the beginning of A's names, `""` for nothing."""
    put_before: str
    """What would have to be put before A's names, `""` for nothing."""
    renamed: tuple[Fitting, ...]
    """Those whose names differ in more than that."""
    transposes: tuple[tuple[str, int], ...]
    """Transposes that would be needed, and of how many tensors."""

    @property
    def would_load(self) -> bool:
        """Whether A would load once names and axes are changed as said."""
        return bool(self.fitting) and not (self.mismatched or self.missing or self.unexpected)
