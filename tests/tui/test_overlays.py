"""Texts over the panes: what a file records, in few lines; all keys, in any width."""

from __future__ import annotations

import time

from wtui.render.spans import line_width, plain
from wtui.tui.keys import SCREEN_KEYS, groups
from wtui.tui.overlays import MAX_INFO_LINES, help_lines, info_lines

CONFIG = {
    "name": "conv1",
    "kernel_size": [3, 3],
    "activation": "relu",
    "kernel_initializer": {
        "module": "keras.initializers",
        "class_name": "GlorotUniform",
        "config": {"seed": None},
        "registered_name": None,
    },
    "build_config": {"input_shape": [None, 224, 224, 3]},
    "layers": [{"class_name": "Dense", "config": {"name": "a" * 40, "units": 3, "activation": "b" * 40}}],
}


def test_short_things_stand_in_one_line() -> None:
    assert [plain(line) for line in info_lines(CONFIG)] == [
        'name: "conv1"',
        "kernel_size: [3, 3]",
        'activation: "relu"',
        "kernel_initializer: GlorotUniform(seed: null)",
        "build_config: {input_shape: [null, 224, 224, 3]}",
        "layers:",
        "  0: Dense",
        f'    name: "{"a" * 40}"',
        "    units: 3",
        f'    activation: "{"b" * 40}"',
    ]


def test_text_of_the_file_is_escaped() -> None:
    lines = info_lines({"\x1b[31m": "\x1b]0;x\x07\n", "class": {"class_name": "\x1b", "config": {}}})
    assert not any("\x1b" in plain(line) or "\n" in plain(line) for line in lines)


def test_what_is_huge_or_deep_takes_no_time() -> None:
    deep: dict[str, object] = {}
    for _ in range(20_000):
        deep = {"x": deep}
    wide = {str(i): {str(j): list(range(1000)) for j in range(10)} for i in range(1000)}
    started = time.process_time()
    assert len(info_lines({"deep": deep, "wide": wide})) == MAX_INFO_LINES
    assert time.process_time() - started < 5
    for _ in range(20_000):  # so that it is not let go level by level, deeper than the interpreter allows
        deep = deep.pop("x")  # type: ignore[assignment]


def test_no_key_is_cut_off() -> None:
    for width in (50, 70, 110):
        lines = help_lines(groups(SCREEN_KEYS), width)
        assert max(map(line_width, lines)) <= width
        text = " ".join(" ".join(plain(line).split()) for line in lines)
        assert "s and S choose the column to sort by" in text


def test_nothing_recorded_is_said() -> None:
    assert plain(info_lines({})[0]) == "the file records nothing about this"
