"""The cells that are sent show the same screen as the output they stand for, and are fewer."""

from __future__ import annotations

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st

from wtui.tui.cells import Cells

WIDTH, HEIGHT = 24, 6


def screen_after(*outputs: str) -> pyte.Screen:
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream = pyte.Stream(screen)
    for output in outputs:
        stream.feed(output)
    return screen


def content(screen: pyte.Screen) -> list[list[tuple[object, ...]]]:
    """Every cell's text and colours."""
    return [
        [
            (c.data, c.fg, c.bg, c.bold, c.italics, c.underscore, c.reverse)
            for c in (screen.buffer[y][x] for x in range(WIDTH))
        ]
        for y in range(HEIGHT)
    ]


COLOURS = st.sampled_from(["", "1", "31", "38;2;10;20;30", "48;2;1;2;3", "1;38;5;99;48;2;9;9;9", "3;97;104", "4", "7"])
TEXT = st.text(st.sampled_from("abc xyz 01│─▁█漢字é"), min_size=1, max_size=10)


@st.composite
def frames(draw: st.DrawFn) -> str:
    """Output as Textual writes it: a move, then runs of styled text, never past the right edge."""
    out = []
    for _ in range(draw(st.integers(1, 5))):
        row, column = draw(st.integers(1, HEIGHT)), draw(st.integers(1, WIDTH - 12))
        out.append(f"\x1b[{row};{column}H")
        left = WIDTH - column + 1
        for _ in range(draw(st.integers(1, 3))):
            text = draw(TEXT)
            width = sum(2 if c in "漢字" else 1 for c in text)
            if width > left:
                break
            left -= width
            colours = draw(COLOURS)
            out.append(f"\x1b[{colours}m{text}\x1b[0m" if colours else text)
    return "".join(out)


@settings(max_examples=300, deadline=None)
@given(st.lists(frames(), min_size=1, max_size=5))
def test_shows_what_the_whole_output_would_show(outputs: list[str]) -> None:
    cells = Cells(WIDTH, HEIGHT)
    cells.cleared()
    sent = [cells.update(output) for output in outputs]
    # A wide character that is half overwritten is repaired differently by every terminal; Textual never does it.
    if not any(c in "漢字" for output in outputs for c in output):
        assert content(screen_after(*sent)) == content(screen_after(*outputs))


def test_wide_characters_keep_their_place() -> None:
    cells = Cells(WIDTH, HEIGHT)
    cells.cleared()
    outputs = ["\x1b[1;1H漢字 ab", "\x1b[1;1H漢字 cb", "\x1b[1;1H漢漢 cb"]
    sent = [cells.update(output) for output in outputs]
    assert screen_after(*sent).display == screen_after(*outputs).display
    assert "漢" not in sent[1]


def test_nothing_is_sent_twice() -> None:
    cells = Cells(WIDTH, HEIGHT)
    frame = "\x1b[2;1H\x1b[31mhello\x1b[0m world"
    first = cells.update(frame)
    assert "hello" in first
    assert cells.update(frame) == ""


def test_only_the_changed_word_is_sent() -> None:
    cells = Cells(WIDTH, HEIGHT)
    cells.update("\x1b[1;1Habcdefghijklmnop")
    assert cells.update("\x1b[1;1HabcdefghijklmnoX") == "\x1b[1;16HX"


def test_other_sequences_pass_in_their_place() -> None:
    cells = Cells(WIDTH, HEIGHT)
    out = cells.update("\x1b[?2026h\x1b[1;1Ha\x1b[?2026l\x1b[?25l\x1b]0;title\x07")
    assert out == "\x1b[?2026h\x1b[1;1Ha\x1b[?2026l\x1b[?25l\x1b]0;title\x07"


def test_after_forgetting_everything_is_sent_again() -> None:
    cells = Cells(WIDTH, HEIGHT)
    frame = "\x1b[1;1Hhello"
    cells.update(frame)
    cells.forget()
    assert "hello" in cells.update(frame)


def test_blanks_on_a_cleared_screen_cost_nothing() -> None:
    cells = Cells(WIDTH, HEIGHT)
    assert cells.update("\x1b[?1049h\x1b[1;1H" + " " * WIDTH) == "\x1b[?1049h\x1b[2J"


def test_text_outside_the_screen_is_dropped() -> None:
    cells = Cells(WIDTH, HEIGHT)
    assert cells.update(f"\x1b[{HEIGHT + 1};1Hbelow") == ""
