"""What a pairing of two models is told in: plain tuples that any process can unpickle. Computes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from wtui.stats.layout import Layout

__all__ = ["HOWS", "How", "Pair", "Pairing", "Prefixes"]

How = Literal["name", "prefix", "words", "layer and role", "content", "shape and order"]
"""What two tensors were taken for a pair by."""

HOWS: dict[How, str] = {
    "name": "same name",
    "prefix": "same name but for a prefix",
    "words": "same name in the words of the other framework",
    "layer and role": "same layer name and role, and no other tensor has them",
    "content": "small tensors of both layers hold the same values",
    "shape and order": "same shapes at the same place in the order of layers",
}
"""In words, the surest first."""


class Pair(NamedTuple):
    """Two tensors that stand for each other."""

    a: int
    """Index in A's `Catalogue.tensors`."""
    b: int
    how: How
    layouts: tuple[Layout, ...]
    """How B's values may lie among A's, the likeliest first; none: the shapes do not fit each other."""


class Prefixes(NamedTuple):
    """What names of one model begin with that those of the other do not."""

    a: str
    b: str


class Pairing(NamedTuple):
    """Which tensors of two models stand for each other, and which stand alone."""

    pairs: tuple[Pair, ...]
    """In B's order."""
    only_a: tuple[int, ...]
    only_b: tuple[int, ...]
    prefixes: tuple[Prefixes, ...]
    """Those that were stripped, the one that brought most pairs first."""
    notes: tuple[str, ...]
    """What a reader should know, in sentences."""
