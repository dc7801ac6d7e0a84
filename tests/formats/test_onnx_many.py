"""ONNX files of very many tensors: the short way to read a small one, names that all are the same, and the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.onnx_files import graph, initializer, integer, message, model, node, packed, tensor, text
from wtui.formats import open_catalogue
from wtui.formats.onnx import stored, walk
from wtui.formats.protobuf import Field
from wtui.storage import BytesSource

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue

HEAD = 200
"""First bytes of a tensor that the short way sees."""

BEFORE = 5
"""Bytes in front of the tensor in its file."""

FIELDS = st.one_of(
    st.integers(0, 300).map(lambda n: integer(1, n)),
    st.just(integer(1, (1 << 64) - 3)),
    st.lists(st.integers(0, 300), max_size=3).map(lambda many: packed(1, many)),
    st.integers(0, 30).map(lambda kind: integer(2, kind)),
    st.text(max_size=200).map(lambda name: text(8, name)),
    st.binary(max_size=150).map(lambda raw: message(9, raw)),
    st.tuples(st.sampled_from((4, 5, 7, 10, 11)), st.binary(max_size=9)).map(lambda f: message(*f)),
    st.sampled_from((1, 0, 2)).map(lambda where: integer(14, where)),
    st.tuples(st.text(max_size=140), st.text(max_size=140)).map(lambda p: message(13, text(1, p[0]) + text(2, p[1]))),
    st.just(message(13, b"")),
    st.just(message(13, text(2, "value") + text(1, "key"))),
    st.just(message(6, b"a text") + message(3, integer(1, 0)) + text(12, "documentation")),
)


@given(st.lists(FIELDS, max_size=20))
def test_the_short_way_gives_what_the_long_way_gives(fields: list[bytes]) -> None:
    data = b"".join(fields)
    source = BytesSource(bytes(BEFORE) + data)
    short = stored.plain_tensor(data[:HEAD], BEFORE, len(data), {})
    long = stored._any_tensor(walk.Walk(source), Field(5, 2, 0, BEFORE, BEFORE + len(data)))
    assert short is None or short == long


@given(st.binary(max_size=60))
def test_the_short_way_leaves_damage_to_the_long_one(data: bytes) -> None:
    short = stored.plain_tensor(data, 0, len(data), {})
    if short is not None:
        assert short == stored._any_tensor(walk.Walk(BytesSource(data)), Field(5, 2, 0, 0, len(data)))


def test_what_exporters_write_goes_the_short_way() -> None:
    beside = {"location": "a.bin", "offset": "4096", "length": "24"}
    for data in (tensor("a.weight", (2, 3), raw=bytes(24)), tensor("b", (2, 3), external=beside), tensor("c")):
        assert stored.plain_tensor(data, 0, len(data), {}) is not None


def opened(path: Path, tensors: list[bytes]) -> Catalogue:
    path.write_bytes(model(graph([], tensors)))
    return open_catalogue(str(path))


def test_tensors_without_names_are_numbered_on(tmp_path: Path) -> None:
    """Looking for a free number anew for each took minutes for as many."""
    found = opened(tmp_path / "a.onnx", [tensor("", (1,), raw=bytes(4))] * 30_000)
    assert [t.name for t in found.tensors[:3]] == ["unnamed", "unnamed#2", "unnamed#3"]
    assert found.tensors[-1].name == "unnamed#30000"


@pytest.mark.parametrize("limit", ["MAX_OUTLINE", "MAX_TENSORS"])
def test_a_file_beyond_the_limits_is_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(walk, limit, 400)
    found = opened(tmp_path / "a.onnx", [initializer(f"w{i}", 2)[1] for i in range(1000)])
    assert len(found.tensors) in (399, 400)  # the name of the graph is one of its fields
    assert [w.lost for w in found.warnings] == [True]
    assert all(t.shape == (2,) and not t.problem for t in found.tensors)


def test_tensors_are_listed_where_nodes_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes stand before the tensors that they take."""
    monkeypatch.setattr(walk, "MAX_FIELDS", 2000)
    tensors = [initializer(f"l{i}.weight", 2, 3000)[1] for i in range(500)]
    nodes = [node("MatMul", ["x", f"l{i}.weight"], ["x"]) for i in range(500)]
    path = tmp_path / "a.onnx"
    path.write_bytes(model(graph(nodes, tensors)))
    found = open_catalogue(str(path))
    assert [t.shape for t in found.tensors] == [(2, 3000)] * 500
    assert sum(t.role == "kernel" for t in found.tensors) > 100
    assert [w.lost for w in found.warnings] == [True]


def test_a_file_at_the_limit_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MAX_TENSORS", 400)
    found = opened(tmp_path / "a.onnx", [initializer(f"w{i}", 2)[1] for i in range(400)])
    assert (len(found.tensors), found.warnings) == (400, ())
