"""The tensors of one packed module, found by name, and what handlers make of them. Knows no scheme."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from wtui.errors import WtuiError
from wtui.model import RAW, Extent, TensorEntry, stored_bytes

__all__ = ["BESIDE", "MAX_PIECES", "PIECE", "Module", "Outcome", "Reader", "Rows", "pieces_of", "rows_of"]

Reader = Callable[[Extent], bytes]
"""Gives the bytes of an extent; WtuiError if they cannot be had."""

Outcome = Mapping[int, TensorEntry]
"""Entries anew, by their place in the list."""

BESIDE = "quantisation"
"""The group of scales, zero points and the like."""

PIECE = 1 << 20
"""Bytes of packed values that are decoded at once: 8 MB of floats for 4-bit integers."""

MAX_PIECES = 1 << 16
"""Runs of rows of one tensor; real ones have some hundreds, one of many tiny experts perhaps thousands."""

MAX_SMALL = 1 << 16
"""Bytes of a tensor that describes another one: a shape, a text."""


class Module:
    """One module, around the tensor that shows that it is packed."""

    def __init__(
        self,
        tensors: Sequence[TensorEntry],
        numbers: Mapping[str, int],
        shown_by: TensorEntry,
        settings: Mapping[str, Any],
        read: Reader,
    ) -> None:
        self._tensors = tensors
        self._numbers = numbers
        self._read = read
        self.shown_by = shown_by
        self.settings = settings
        """How the model is packed, as its configuration says; empty where there is none."""
        self.prefix = shown_by.name[: len(shown_by.name) - len(shown_by.role)]
        """What the names of its tensors begin with."""

    def get(self, name: str, prefix: str | None = None) -> TensorEntry | None:
        """The tensor of this name in the module, if there is one that is stored whole and plainly."""
        number = self._numbers.get((self.prefix if prefix is None else prefix) + name)
        if number is None:
            return None
        tensor = self._tensors[number]
        return tensor if tensor.size and whole(tensor) is not None and tensor.byteorder == "<" else None

    def has(self, name: str) -> bool:
        """Whether the module has a tensor of this name, in whatever state."""
        return self.prefix + name in self._numbers

    def small(self, tensor: TensorEntry | None) -> bytes:
        """The bytes of a tensor that describes another one, `b""` if they cannot be had."""
        extent = whole(tensor) if tensor is not None else None
        if extent is None or extent.length > MAX_SMALL:
            return b""
        try:
            return self._read(extent)
        except WtuiError:
            return b""

    def replaced(self, old: TensorEntry, new: TensorEntry, *beside: TensorEntry | None) -> Outcome:
        """A weight in the place of what holds it, and the tensors that belong to it put beside the model."""
        found = {self._numbers[old.name]: new}
        for tensor in beside:
            if tensor is not None:
                found[self._numbers[tensor.name]] = tensor._replace(group=BESIDE)
        return found

    def not_values(self, reason: str, *tensors: TensorEntry | None) -> Outcome:
        """The tensors with the reason why they are not shown as values."""
        problem = f"packed, not values: {reason}"
        return {self._numbers[t.name]: t._replace(problem=problem) for t in tensors if t is not None and not t.problem}

    def free_name(self, name: str, of: TensorEntry) -> str:
        """The name of a weight in the module, if no other tensor has it, else the name of what holds it."""
        wanted = self.prefix + name
        return of.name if wanted in self._numbers and wanted != of.name else wanted


def pieces_of(shape: tuple[int, ...], row_bytes: int, piece: int = PIECE) -> int:
    """How many runs `rows_of` gives."""
    return prod(shape[:-2]) * -(-(shape[-2] if len(shape) > 1 else 1) // max(1, piece // max(row_bytes, 1)))


class Rows(NamedTuple):
    """Some rows of a tensor, the axes before the last taken together."""

    first: int
    number: int
    origin: tuple[int, ...]
    shape: tuple[int, ...]


def whole(tensor: TensorEntry) -> Extent | None:
    """The one run of bytes in which a tensor's raw values lie, None for any other tensor."""
    if tensor.encoding != RAW or tensor.problem or tensor.parts is None or len(tensor.parts) != 1 or tensor.strides:
        return None
    part = tensor.parts[0]
    plain = part.shape is None and not part.beside
    return part.extent if plain and part.extent.length == stored_bytes(tensor.dtype, tensor.shape) else None


def extent_of(tensor: TensorEntry) -> Extent:
    """As `whole`, of a tensor that is known to be one."""
    extent = whole(tensor)
    assert extent is not None
    return extent


def lines(tensor: TensorEntry, first: int, count: int) -> Extent:
    """The bytes of some of a tensor's lines: of its indices along the first axis."""
    extent = extent_of(tensor)
    size = extent.length // max(tensor.shape[0] if tensor.shape else 1, 1)
    return Extent(extent.file, extent.offset + first * size, count * size)


def rows_of(shape: tuple[int, ...], row_bytes: int, piece: int = PIECE) -> Iterator[Rows]:
    """The rows of a tensor in runs of at most `piece` bytes, none across an index of the axes before the last two."""
    inner = shape[-2] if len(shape) > 1 else 1
    step = max(1, piece // max(row_bytes, 1))
    outer = shape[:-2]
    for number in range(prod(outer)):
        place, rest = [], number
        for length in reversed(outer):
            rest, index = divmod(rest, length)
            place.append(index)
        lead = tuple(reversed(place))
        for start in range(0, inner, step):
            count = min(step, inner - start)
            yield Rows(number * inner + start, count, (*lead, start, 0), (*(1 for _ in lead), count, shape[-1]))
