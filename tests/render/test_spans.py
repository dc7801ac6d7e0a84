"""Text from files is shown, never interpreted; lines fit the width they are made for."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtui.render import numbers
from wtui.render.spans import Line, clip, clip_inside, escape, line_width, pad, plain, text_width, wrap


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("conv1/kernel", "conv1/kernel"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\r\t", "two\\x0alines\\x0d\\x09"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\x9b31m", "\\x9b31m"),
        ("lone \ud800", "lone \\ud800"),
        ("Größe 漢字 é", "Größe 漢字 é"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
        ("\U000e0041tag", "\\U000e0041tag"),
    ],
)
def test_escape(text: str, shown: str) -> None:
    assert escape(text) == shown


@given(st.text())
def test_escaped_text_has_nothing_to_interpret(text: str) -> None:
    for character in escape(text):
        assert character.isprintable()
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs")


@given(st.text(st.characters(categories=["L", "N", "P", "S"])), st.integers(0, 40))
def test_clip_and_pad_keep_the_width(text: str, width: int) -> None:
    assert text_width(clip(text, width)) <= width
    assert text_width(clip_inside(text, width)) <= width
    if width:
        assert text_width(pad(text, width)) == width


@pytest.mark.parametrize(
    ("n", "shown"),
    [
        (0, "0"), (999, "999"), (1792, "1.8 K"), (36928, "36.9 K"), (138357544, "138.4 M"), (999_600_000, "1.0 B"),
        (295168, "295 K"),
    ],
)  # fmt: skip
def test_short_count(n: int, shown: str) -> None:
    assert numbers.short_count(n) == shown
    assert len(shown) <= 7


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (0.0, "0"), (-0.00108189, "-0.00108189"), (0.28699666, "0.286997"), (7.1883354e-05, "7.188e-05"),
        (12345.678, "12345.7"), (1e9, "1.000e+09"), (float("nan"), "–"), (None, "–"), (float("-inf"), "-∞"), (7, "7"),
        (-1.5, "-1.50000"), (123456.7, "123457"),
    ],
)  # fmt: skip
def test_value(x: float | None, shown: str) -> None:
    assert numbers.value(x) == shown


@pytest.mark.parametrize(("n", "shown"), [(0, "0 B"), (999, "999 B"), (6912, "6.9 kB"), (553430176, "553.4 MB")])
def test_size(n: int, shown: str) -> None:
    assert numbers.size(n) == shown


def test_percent_never_rounds_to_nothing_or_all() -> None:
    assert numbers.percent(1, 10**9) == "<0.1 %"
    assert numbers.percent(10**9 - 1, 10**9) == ">99.9 %"
    assert numbers.percent(0, 5) == "0 %"
    assert numbers.percent(5, 5) == "100 %"
    assert numbers.percent(1, 8) == "12.5 %"


@given(
    st.lists(st.tuples(st.text(st.sampled_from("ab c漢")), st.sampled_from(["", "dim"])), max_size=5),
    st.integers(8, 30),
    st.integers(0, 4),
)
def test_wrap_keeps_every_letter_and_the_width(line: Line, width: int, indent: int) -> None:
    lines = wrap(line, width, indent)
    letters = "".join(text for text, _ in line).replace(" ", "")
    assert "".join(text for part in lines for text, _ in part).replace(" ", "") == letters
    for part in lines:
        assert line_width(part) <= max(width, indent + 8)


def test_wrap_breaks_at_spaces() -> None:
    assert [plain(part) for part in wrap([("one two ", "dim"), ("three four", "")], 9, 2)] == [
        "one two",
        "  three",
        "  four",
    ]


def test_long_names_keep_both_ends() -> None:
    names = [f"If_0_else_branch__Inline_0__encoder.{i}" for i in range(3)]
    assert [clip_inside(name, 20) for name in names] == [f"If_0_e…_0__encoder.{i}" for i in range(3)]
    assert clip_inside("short", 20) == "short"
    assert clip_inside("in very few columns", 8) == "in very…"
