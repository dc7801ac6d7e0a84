"""The document of the rules is that of the code, and names every rule with counts that were measured."""

from __future__ import annotations

from pathlib import Path

import pytest

import wtui.insight
from tests.cli.conftest import run  # noqa: F401
from wtui.errors import UnknownNameError
from wtui.insight.explaining import document, explained, rule_named, summary_text
from wtui.insight.rules import RULES

HERE = Path(wtui.insight.__file__).parent


def test_the_document_is_that_of_the_code() -> None:
    written = (HERE / "RULES.md").read_text(encoding="utf-8")
    assert written == document(), "run `python -m wtui.insight.explaining`"
    assert all(f"## `{rule.id}`" in written for rule in RULES)
    assert summary_text() in written


def test_every_rule_says_what_was_measured() -> None:
    for rule in RULES:
        told = dict(explained(rule))
        assert told["finds"] == rule.what
        assert told["line"] == rule.threshold
        assert "findings on healthy models" in told["measured"]
    assert "planted “NaN”" in dict(explained(rule_named("nan")))["measured"]
    assert "healthy twins “experts used unevenly”" in dict(explained(rule_named("unused-experts")))["measured"]


def test_a_fault_of_every_rule_was_planted() -> None:
    alone = [r.id for r in RULES if "no fault of this kind was planted" in dict(explained(r))["measured"]]
    assert alone == []


def test_an_unknown_rule_names_its_neighbours() -> None:
    with pytest.raises(UnknownNameError, match="dead-channels"):
        rule_named("dead-chanels")


def test_the_command_explains(run) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    done = run("check", "--explain")
    assert done.code == 0
    assert all(rule.id in done.out for rule in RULES)
    one = run("check", "--explain", "never-trained")
    assert "line" in one.out
    assert "measured" in one.out
    document = run("check", "--explain", "--json").document
    assert [r["rule"] for r in document["rules"]] == [r.id for r in RULES]
    assert run("check", "--explain", "nonsense").code == 2
    assert run("check", "--explain", "nan", "--ascii").out.isascii()
