"""Layers that no name brings together: paired by what their small tensors hold, or by shapes and their order.

A layer is known by the roles and sizes of its tensors, which layouts do not change. Standard library only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from wtui.insight.pairing.names import common_role

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from wtui.model import Catalogue, TensorEntry

__all__ = ["Content", "Unit", "by_content", "by_order", "units_of"]

Content = Callable[[int], bytes | None]
"""What a tensor's values are, whatever the layout they are stored in; None where that is not cheap, or says nothing."""

MAX_ALIGNED = 2000
"""Layers whose orders are aligned by the longest common subsequence, which takes time that grows with the square."""


class Unit(NamedTuple):
    """A layer's tensors that are not paired yet."""

    signature: tuple[tuple[str, int], ...]
    """Their common roles and sizes."""
    tensors: tuple[int, ...]
    """In the order of the signature."""


def units_of(catalogue: Catalogue, left: Container[int]) -> list[Unit]:
    """The layers that own tensors that are left, in depth order; counters and the like are no part of them."""
    found = []
    for node in catalogue.root.walk():
        known = [(_signed(catalogue.tensors[i]), i) for i in node.tensors if i in left]
        known = [pair for pair in known if pair[0][1] > 0]
        if known:
            known.sort()
            found.append(Unit(tuple(s for s, _ in known), tuple(i for _, i in known)))
    return found


def by_content(
    a: Sequence[Unit], b: Sequence[Unit], content_a: Content, content_b: Content
) -> Iterator[tuple[Unit, Unit]]:
    """Layers of one signature that hold the same values, if no other layer does."""
    shared = {u.signature for u in a} & {u.signature for u in b}
    known_a = _by_content(a, shared, content_a)
    known_b = _by_content(b, shared, content_b)
    for key, unit in known_a.items():
        other = known_b.get(key)
        if unit is not None and other is not None:
            yield unit, other


def by_order(a: Sequence[Unit], b: Sequence[Unit]) -> Iterator[tuple[Unit, Unit]]:
    """Layers of one signature: the first with the first and so on where both models have as many of them; else those
    that the longest common subsequence of both orders has in common."""
    count_a, count_b = (Counter(u.signature for u in units) for units in (a, b))
    even = {s for s, n in count_a.items() if count_b[s] == n}
    waiting: dict[object, list[Unit]] = {}
    for unit in reversed(b):
        waiting.setdefault(unit.signature, []).append(unit)
    for unit in a:
        if unit.signature in even:
            yield unit, waiting[unit.signature].pop()
    rest_a = [u for u in a if u.signature not in even and count_b[u.signature]]
    rest_b = [u for u in b if u.signature not in even and count_a[u.signature]]
    yield from _aligned(rest_a, rest_b)


def _aligned(a: Sequence[Unit], b: Sequence[Unit]) -> Iterator[tuple[Unit, Unit]]:
    """Common beginning and end, and what is alike between them if that is little."""
    shorter = min(len(a), len(b))
    head = next((i for i in range(shorter) if a[i].signature != b[i].signature), shorter)
    shorter -= head
    tail = next((i for i in range(shorter) if a[-1 - i].signature != b[-1 - i].signature), shorter)
    yield from zip(a[:head], b[:head], strict=True)
    yield from zip(a[len(a) - tail :], b[len(b) - tail :], strict=True)
    a, b = a[head : len(a) - tail], b[head : len(b) - tail]
    if max(len(a), len(b)) > MAX_ALIGNED:
        return
    matcher = SequenceMatcher(None, [u.signature for u in a], [u.signature for u in b], autojunk=False)
    for at_a, at_b, size in matcher.get_matching_blocks():
        yield from zip(a[at_a : at_a + size], b[at_b : at_b + size], strict=True)


def _by_content(
    units: Iterable[Unit], shared: set[tuple[tuple[str, int], ...]], content: Content
) -> dict[object, Unit | None]:
    """Layers by what they hold; None under what several hold."""
    found: dict[object, Unit | None] = {}
    for unit in units:
        held = tuple(content(i) for i in unit.tensors) if unit.signature in shared else ()
        if any(h is not None for h in held):
            key = (unit.signature, held)
            found[key] = None if key in found else unit
    return found


def _signed(tensor: TensorEntry) -> tuple[str, int]:
    """Role and size; size 0 for what no other framework has, such as torch's counters."""
    auxiliary = tensor.group != "model" or tensor.alias_of is not None or tensor.role == "num_batches_tracked"
    return common_role(tensor.role), 0 if auxiliary else tensor.size
