"""What a comparison says in sentences: remarkable things are said, and nothing that the numbers do not carry."""

from __future__ import annotations

from typing import Any

from tests.comparing.test_joined import A, B, joined
from wtui.comparing.protocol import PairRow
from wtui.comparing.reading import Seen, models_reading, paired_by, tensor_reading
from wtui.model import Catalogue
from wtui.stats.difference import Difference

KERNEL = 0
"""conv/kernel, a pair by name."""


def said(dtypes: tuple[str, str] = ("float32", "float32"), channels: Any = None, **numbers: Any) -> str:
    """The reading of one pair of 2,000 values with these numbers."""
    facts = {"pairs": 2000, "total": 2000, "changed": 0, "different_bits": 0} | numbers
    models = [
        Catalogue(c.path, c.format, c.files, [c.tensors[0]._replace(dtype=dtype), *c.tensors[1:]], c.root)
        for c, dtype in zip((A, B), dtypes, strict=True)
    ]
    found = joined(*models)
    row = PairRow(KERNEL, None, None, Difference(**facts).row(channels=channels))
    return " | ".join(r.text for r in tensor_reading(found, KERNEL, "changed", row))


def sums(square: float, a: float, b: float, product: float) -> tuple[float, ...]:
    return (0.0, 1.0, square, a, b, product)


def test_equal_in_every_sense() -> None:
    assert said() == "identical, bit by bit"
    assert said(different_bits=3) == (
        "every value is equal; some bits differ (the sign of a zero, or the bits of a NaN)"
    )
    assert said(("float32", "float16")) == "every value is the same, float32 in A, float16 in B"
    rounded = said(("float32", "float16"), changed=9, different_bits=9, rounded_equal=2000, sums=sums(1, 100, 100, 99))
    assert "the same but for rounding" in rounded
    assert said(pairs=0, total=0) == "both are empty: one of their axes is 0"


def test_moved_scaled_turned_and_unrelated() -> None:
    base = {"changed": 500, "different_bits": 500, "max_abs": 1.0}
    moved = said(**base, sums=sums(1.0, 100.0, 101.0, 100.0))
    assert moved.startswith("moved by 10.0 % of A's L2 norm; 25 % of the values differ")
    assert "about 2 times A" in said(**base, sums=sums(100.0, 100.0, 400.0, 200.0))
    assert "points the other way" in said(**base, sums=sums(400.0, 100.0, 100.0, -100.0))
    assert "two random tensors" in said(**base, sums=sums(199.0, 100.0, 100.0, 0.5))
    assert "A is all 0, B is not; 25 %" in said(**base, sums=sums(9.0, 0.0, 9.0, 0.0))


def test_broken_values_come_first_and_are_counted_in_words() -> None:
    text = said(changed=2, different_bits=2, left_out=2, left_out_differ=2, broken=1, mended=1)
    assert text.startswith("1 value that is finite in A is NaN or infinite in B | 1 value that is finite in B")
    all_gone = said(changed=2000, different_bits=2000, left_out=2000, left_out_differ=2000, broken=2000)
    assert all_gone == "2,000 values that are finite in A are NaN or infinite in B"


def test_models_that_are_not_read_yet_are_not_judged() -> None:
    found = joined()
    states = dict.fromkeys(found.numbers, "waiting")
    text = " | ".join(r.text for r in models_reading(Seen(found, states, [], {}, False)))  # type: ignore[arg-type]
    assert "so far 0 of 7 pairs are compared" in text
    assert "same:" not in text
    assert "differ" not in text


def test_how_a_pair_was_made() -> None:
    assert paired_by("name", "") == "paired by same name"
    assert paired_by("name", "transposed 1 0") == "paired by same name; B holds A transposed 1 0"
