"""Texts of tokens from the tokenizers beside a model, and none from odd ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from wtui.formats.vocabulary import vocabulary

if TYPE_CHECKING:
    from pathlib import Path


def test_a_token_a_line(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[PAD]\n[unused0]\nthe\n")
    expected = ("[PAD]", "[unused0]", "the")
    assert vocabulary(str(tmp_path / "model.safetensors")) == expected
    assert vocabulary(str(tmp_path)) == expected


@pytest.mark.parametrize("vocab", [{"a": 0, "c": 2}, [["a", -1.0], ["b", -2.0], ["c", -3.0]]])
def test_tokenizer_json(tmp_path: Path, vocab: object) -> None:
    document = {"model": {"vocab": vocab}, "added_tokens": [{"id": 3, "content": "<s>"}, {"id": "x"}, 7]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    found = vocabulary(str(tmp_path))
    assert (len(found), found[0], found[2], found[3]) == (4, "a", "c", "<s>")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", "{", '{"model": 3}', '{"model": {"vocab": {"a": 99999999999}}}', '{"model": {"vocab": [1]}}'],
)
def test_odd_tokenizers_give_no_texts(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    assert vocabulary(str(tmp_path)) == ()


def test_no_tokenizer(tmp_path: Path) -> None:
    assert vocabulary(str(tmp_path / "nothing" / "model.h5")) == ()
