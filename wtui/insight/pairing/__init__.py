"""Which tensors of two models stand for each other: by name, by name but for a prefix, in the other framework's words,
by layer and role, by content, by shape and order; the surest first. Every pair carries what it was made by.

Reads headers only, unless the caller offers what small tensors hold. Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.insight.pairing.layouts import Member, convention_of, fitting_layouts
from wtui.insight.pairing.names import PrefixPair, framework_key, literal_key, prefix_pair, stripped
from wtui.insight.pairing.order import by_content, by_order, units_of
from wtui.insight.pairing.rotary import heads_interleaved
from wtui.insight.pairing.types import HOWS, How, Pair, Pairing, Prefixes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wtui.insight.pairing.names import Key
    from wtui.insight.pairing.order import Content, Unit
    from wtui.model import Catalogue, LayerNode
    from wtui.stats.layout import Layout

__all__ = ["HOWS", "How", "Pair", "Pairing", "Prefixes", "pair_models"]

MAX_PREFIXES = 8
"""Prefixes that are stripped one after the other: parts of a model may have one each."""

NO_PREFIX = PrefixPair((), ())

TWO_BIASES = (
    "torch adds two biases (bias_ih, bias_hh) in a recurrent layer where Keras may have one, their sum: "
    "these are not compared"
)


def pair_models(
    a: Catalogue, b: Catalogue, content_a: Content | None = None, content_b: Content | None = None
) -> Pairing:
    """Pair the tensors of two models; with `content_a` and `content_b` also by what small tensors hold."""
    pairer = _Pairer(a, b)
    pairer.by_name()
    pairer.by_literal_name()
    pairer.by_words()
    pairer.by_layer_and_role()
    if content_a is not None and content_b is not None:
        pairer.by_units(lambda u, v: by_content(u, v, content_a, content_b), "content")
    pairer.by_units(by_order, "shape and order")
    return pairer.pairing()


class _Pairer:
    """Two models and what is left of them to be paired."""

    def __init__(self, a: Catalogue, b: Catalogue) -> None:
        self._a, self._b = a, b
        self._nodes_a, self._nodes_b = _owners(a), _owners(b)
        self._left_a = dict.fromkeys(range(len(a.tensors)))
        self._left_b = dict.fromkeys(range(len(b.tensors)))
        self._pairs: list[Pair] = []
        self._prefixes: dict[Prefixes, int] = {}
        self._conventions = convention_of(a.format), convention_of(b.format)
        self._words_a: dict[int, Key] = {}
        self._words_b: dict[int, Key] = {}

    def by_name(self) -> None:
        """The same name, whatever the shapes."""
        names = {t.name: i for i, t in enumerate(self._a.tensors)}
        for j, tensor in enumerate(self._b.tensors):
            i = names.get(tensor.name)
            if i is not None:
                self._join(i, j, "name", self._layouts(i, j))

    def by_literal_name(self) -> None:
        """The same name but for prefixes and wrappers."""
        a, b = self._a.tensors, self._b.tensors
        keys_a = _unique((literal_key(a[i]), i) for i in self._left_a)
        self._by_key(keys_a, _unique((literal_key(b[j]), j) for j in self._left_b), "prefix")

    def by_words(self) -> None:
        """The same layer and role in the words that frameworks share, but for prefixes."""
        self._words_a = {i: framework_key(self._a.tensors[i], self._a.format) for i in self._left_a}
        self._words_b = {j: framework_key(self._b.tensors[j], self._b.format) for j in self._left_b}
        keys_a, keys_b = (_unique((k, i) for i, k in words.items()) for words in (self._words_a, self._words_b))
        self._by_key(keys_a, keys_b, "words")

    def by_layer_and_role(self) -> None:
        """The last parts of the layer's path and the role, where both models have them once. After `by_words`."""
        for parts in (3, 2):
            ends_a = _unique((self._words_a[i][-parts:], i) for i in self._left_a)
            ends_b = _unique((self._words_b[j][-parts:], j) for j in self._left_b)
            for key, i in ends_a.items():
                j = ends_b.get(key)
                layouts = self._layouts(i, j) if j is not None and len(key) > 1 else ()
                if j is not None and layouts:
                    self._join(i, j, "layer and role", layouts)

    def by_units(self, rule: Callable[[list[Unit], list[Unit]], Iterable[tuple[Unit, Unit]]], how: How) -> None:
        """Layers that a rule brings together, all their tensors at once."""
        units_a, units_b = units_of(self._a, self._left_a), units_of(self._b, self._left_b)
        for unit_a, unit_b in list(rule(units_a, units_b)):
            fitting = [self._layouts(i, j) for i, j in zip(unit_a.tensors, unit_b.tensors, strict=True)]
            if all(fitting):
                for i, j, layouts in zip(unit_a.tensors, unit_b.tensors, fitting, strict=True):
                    self._join(i, j, how, layouts)

    def pairing(self) -> Pairing:
        """What came of it."""
        paired_a, paired_b = {p.a for p in self._pairs}, {p.b for p in self._pairs}
        alone_a, alone_b = _alone(self._a, self._left_a, paired_a), _alone(self._b, self._left_b, paired_b)
        roles = {c.tensors[i].role for c, alone in ((self._a, alone_a), (self._b, alone_b)) for i in alone}
        notes = (TWO_BIASES,) if any(r.startswith("bias_hh") for r in roles) and "bias" in roles else ()
        prefixes = sorted(self._prefixes, key=lambda p: -self._prefixes[p])
        return Pairing(tuple(sorted(self._pairs, key=lambda p: p.b)), alone_a, alone_b, tuple(prefixes), notes)

    def _by_key(self, keys_a: dict[Key, int], keys_b: dict[Key, int], how: How) -> None:
        """Equal keys, first as they are, then without the prefix that brings most together, and so on."""
        for round in range(MAX_PREFIXES):
            found = prefix_pair(list(keys_a), keys_b) if round else NO_PREFIX
            if found is None or not keys_a or not keys_b:
                return
            joined = self._join_by(keys_a, keys_b, found, how)
            if joined and found != NO_PREFIX:
                prefixes = Prefixes(".".join(found.a), ".".join(found.b))
                self._prefixes[prefixes] = self._prefixes.get(prefixes, 0) + joined
            if not joined and round:
                return

    def _join_by(self, keys_a: dict[Key, int], keys_b: dict[Key, int], found: PrefixPair, how: How) -> int:
        """Join all whose keys are the same without these prefixes; how many."""
        joined = 0
        for key, i in list(keys_a.items()):
            rest = stripped(key, found.a) if found.a else key
            other = (*found.b, *rest) if rest is not None else ()
            j = keys_b.get(other)
            if j is None:
                continue
            layouts = self._layouts(i, j)
            if layouts or len(other) > 2:
                self._join(i, j, how, layouts)
                del keys_a[key], keys_b[other]
                joined += 1
        return joined

    def _join(self, i: int, j: int, how: How, layouts: tuple[Layout, ...]) -> None:
        self._pairs.append(Pair(i, j, how, layouts))
        del self._left_a[i], self._left_b[j]

    def _layouts(self, i: int, j: int) -> tuple[Layout, ...]:
        one, other = self._a.tensors[i], self._b.tensors[j]
        a = Member(one, self._nodes_a[i], self._conventions[0], heads_interleaved(self._a, one))
        return fitting_layouts(
            a, Member(other, self._nodes_b[j], self._conventions[1], heads_interleaved(self._b, other))
        )


def _unique(pairs: Iterable[tuple[Key, int]]) -> dict[Key, int]:
    """Tensors by the keys that only one of them has."""
    found: dict[Key, int] = {}
    twice: set[Key] = set()
    for key, i in pairs:
        if found.setdefault(key, i) != i:
            twice.add(key)
    for key in twice:
        del found[key]
    return found


def _owners(catalogue: Catalogue) -> list[LayerNode]:
    """The layer that owns each tensor."""
    found = [catalogue.root] * len(catalogue.tensors)
    for node in catalogue.root.walk():
        for i in node.tensors:
            found[i] = node
    return found


def _alone(catalogue: Catalogue, left: Iterable[int], paired: set[int]) -> tuple[int, ...]:
    """Those without a partner, but for second names of tensors that have one."""
    found = []
    for i in left:
        alias = catalogue.tensors[i].alias_of
        if alias is None or catalogue.index(alias) not in paired:
            found.append(i)
    return tuple(found)
