"""Two models as one tree: what is in it, where, and what becomes of each tensor."""

from __future__ import annotations

from tests.builders import catalogue_of
from wtui.comparing.joined import GROUP_OF_A, Joined
from wtui.comparing.protocol import PairRow
from wtui.comparing.states import by_change, relative, state_of
from wtui.insight.pairing import pair_models
from wtui.model import Catalogue
from wtui.stats.difference import Difference

A = catalogue_of([
    ("conv", "Conv2D", [("kernel", (3, 3, 1, 8)), ("bias", (8,)), ("scale", (8,))]),
    ("gone", "Dense", [("kernel", (70, 5)), ("bias", (5,))]),
    ("head", "Dense", [("kernel", (20, 4))]),
])  # fmt: skip
B = catalogue_of([
    ("conv", "Conv2D", [("kernel", (3, 3, 1, 8)), ("bias", (8,))]),
    ("pool", "MaxPooling2D", []),
    ("fresh", "Dense", [("weight_of_its_own", (9, 9))]),
    ("head", "Dense", [("kernel", (20, 6))]),
])  # fmt: skip


def joined(a: Catalogue = A, b: Catalogue = B) -> Joined:
    return Joined(a, b, pair_models(a, b))


def names(found: Joined) -> list[str]:
    return [found.catalogue.tensors[i].name for i in found.numbers]


def test_b_comes_first_in_its_own_order_and_keeps_its_numbers() -> None:
    found = joined()
    assert found.catalogue.tensors[: len(B.tensors)] == B.tensors
    assert names(found) == [
        "conv/kernel", "conv/bias", "conv/scale", "fresh/weight_of_its_own", "head/kernel", "gone/kernel", "gone/bias",
    ]  # fmt: skip
    assert [node.name for node in found.catalogue.root.children] == ["conv", "pool", "fresh", "head", GROUP_OF_A]
    group = found.catalogue.root.children[-1]
    assert [(node.name, node.class_name) for node in group.children] == [("gone", "Dense")]


def test_every_tensor_has_its_state() -> None:
    found = joined()
    state = {found.catalogue.tensors[i].name: state_of(found, i, None) for i in found.numbers}
    assert state == {
        "conv/kernel": "waiting", "conv/bias": "waiting", "conv/scale": "only A", "fresh/weight_of_its_own": "only B",
        "head/kernel": "shape", "gone/kernel": "only A", "gone/bias": "only A",
    }  # fmt: skip
    for number in found.numbers:
        a, b = found.a_of(number), found.b_of(number)
        assert (a is None, b is None) == (state_of(found, number, None) == "only B", number in found.only_a)
        name = found.catalogue.tensors[number].name
        assert a is None or A.tensors[a].name == name
        assert b is None or B.tensors[b].name == name


def test_before_the_pairing_there_is_b_alone() -> None:
    found = Joined(A, B)
    assert found.catalogue is B
    assert {state_of(found, i, None) for i in found.numbers} == {"waiting"}


def test_the_same_model_twice_needs_no_other_tree() -> None:
    found = joined(B, B)
    assert found.catalogue is B
    assert not found.only_a
    assert not found.only_b
    assert len(found.pairs) == len(B.tensors)


def test_what_is_stored_beside_the_model_is_left_out() -> None:
    slots = [t._replace(group="optimizer") if t.name.startswith("gone") else t for t in A.tensors]
    beside = Catalogue(A.path, A.format, A.files, slots, A.root)
    found = joined(beside, beside)
    assert found.beside == 4
    assert [node.name for node in found.catalogue.root.children] == ["conv", "head"]
    assert not any(name.startswith("gone") for name in names(found))


def test_order_of_change() -> None:
    def row(number: int, square: float, *, changed: int = 1, broken: int = 0) -> PairRow:
        sums = (0.0, 0.0, square, 4.0 if number != 3 else 0.0, 4.0, 4.0)
        found = Difference(
            pairs=9, total=9, changed=changed, different_bits=changed, left_out=broken, left_out_differ=broken,
            broken=broken, max_abs=1.0, sums=sums,
        )  # fmt: skip
        return PairRow(number, None, None, found.row())

    rows = [row(0, 1.0), row(1, 0.0, changed=0), row(2, 2.0), row(3, 1.0), row(4, 0.1, broken=1), row(5, 1.0)]
    assert by_change(rows) == [4, 2, 0, 5, 3]
    assert (relative(0, 0), relative(1, 0), relative(1, 4)) == (0, float("inf"), 0.5)


def test_texts_are_listed_and_never_compared() -> None:
    texts = [t._replace(dtype="string") if t.name == "conv/bias" else t for t in B.tensors]
    found = joined(B, Catalogue(B.path, B.format, B.files, texts, B.root))
    states = {found.catalogue.tensors[i].name: state_of(found, i, None) for i in found.numbers}
    assert states["conv/bias"] == "text"
    assert states["conv/kernel"] == "waiting"
