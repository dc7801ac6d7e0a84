"""Parts of tensors: gates of recurrent layers, fused q, k and v, heads, against numpy's slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from tests.insight.helpers import KERAS, TORCH, entry, node
from wtui.engine import slices
from wtui.errors import UsageError
from wtui.insight.anatomy import anatomy, output_axes
from wtui.insight.heads import part_views, what_parts
from wtui.insight.initialisers import candidates
from wtui.insight.matrices import matrix_axes
from wtui.render.parts import anatomy_lines, part_lines
from wtui.render.spans import plain

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(2)


def test_gates_of_keras_lie_along_the_last_axis() -> None:
    views = part_views(entry("kernel", (8, 48), "lstm/lstm_cell"), node("LSTMCell", None, "lstm/lstm_cell"), KERAS)
    assert [v.name for v in views] == ["i", "f", "c", "o"]
    assert [(v.axis, v.start, v.stop) for v in views] == [(1, 0, 12), (1, 12, 24), (1, 24, 36), (1, 36, 48)]
    assert what_parts(views) == "gate"
    views = part_views(entry("bias", (2, 30), "gru/gru_cell"), node("GRUCell", None, "gru/gru_cell"), KERAS)
    assert [(v.name, v.axis) for v in views] == [("z", 1), ("r", 1), ("h", 1)]


def test_heads_of_an_output_projection_lie_along_its_inputs() -> None:
    config = {"num_attention_heads": 4, "num_key_value_heads": 2}
    layer = "model.layers.0.self_attn"

    def views(part: str, shape: tuple[int, ...]) -> Any:
        path = f"{layer}.{part}_proj"
        tensor = entry("weight", shape, path)._replace(name=f"{path}.weight")
        return part_views(tensor, node("", None, path), TORCH, config)

    assert [(v.axis, v.stop - v.start) for v in views("q", (32, 64))] == [(0, 8)] * 4
    assert [(v.axis, v.stop - v.start) for v in views("k", (16, 64))] == [(0, 8)] * 2
    assert [(v.axis, v.stop - v.start) for v in views("o", (64, 32))] == [(1, 8)] * 4
    assert what_parts(views("q", (32, 64))) == "head"
    assert views("q", (33, 64)) == ()


@pytest.mark.parametrize("shape", [(), (0, 48), (7,)])
def test_what_has_no_parts(shape: tuple[int, ...]) -> None:
    assert part_views(entry("kernel", shape, "lstm/lstm_cell"), node("LSTMCell", None, "lstm/lstm_cell"), KERAS) == ()


def test_experts_in_one_tensor() -> None:
    path = "model.layers.0.mlp.experts"
    tensor = entry("gate_up_proj", (8, 64, 32), path)._replace(name=f"{path}.gate_up_proj")
    views = part_views(tensor, node("", None, path), TORCH)
    assert [(v.name, v.axis, v.start, v.stop) for v in views[:2]] == [("expert 0", 0, 0, 1), ("expert 1", 0, 1, 2)]
    assert (len(views), what_parts(views)) == (8, "expert")
    assert part_views(tensor._replace(shape=(64, 32)), node("", None, path), TORCH) == ()


def test_fused_in_another_order_is_not_cut_into_thirds() -> None:
    path = "transformer.h.0.self_attention.query_key_value"
    tensor = entry("weight", (96, 32), path)._replace(name=f"{path}.weight")
    assert part_views(tensor, node("", None, path), TORCH) == ()


def test_numbers_of_parts_are_numpys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "encoder.self_attn.in_proj_weight"
    values = RNG.normal(0, [[1.0], [2.0], [3.0]] @ np.ones((1, 16 * 16)), (3, 256)).reshape(48, 16).astype(np.float32)
    values[20, 3] = np.nan
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {name: values})
    with wtui.open(path) as model:
        parts = model.tensor(name).parts()
        assert list(parts) == ["q", "k", "v"]
        for i, summary in enumerate(parts.values()):
            part = values[16 * i : 16 * i + 16].astype(np.float64)
            assert summary.total == part.size
            assert summary.std == pytest.approx(np.nanstd(part))
            assert float(summary.max) == np.nanmax(part)
        assert parts["k"].nan == 1
        monkeypatch.setattr(slices, "HELD", 10)
        with pytest.raises(UsageError, match="not cut into parts"):
            model.tensor(name).parts()


def test_what_a_tensor_is_comes_with_how_that_is_known() -> None:
    def said(role: str, shape: tuple[int, ...], class_name: str) -> str:
        known = anatomy(entry(role, shape), node(class_name), KERAS)
        return " ".join(" ".join(plain(line) for line in anatomy_lines(known, 40)).split())

    assert said("kernel", (8, 4), "Dense") == "dense kernel recorded: the file names its class, Dense"
    assert "inferred: from its name and shape" in said("kernel", (8, 4), "")
    assert "unknown" in said("thing", (8,), "")


def test_lines_of_parts_name_what_is_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    values = np.full((12, 4), np.nan, np.float32)
    values[4:] = 1
    write_safetensors(path, {"a.self_attn.in_proj_weight": values})
    with wtui.open(path) as model:
        rows = [(n, s.row()) for n, s in model.tensor("a.self_attn.in_proj_weight").parts().items()]
    for width in (38, 60):
        lines = [plain(line) for line in part_lines(rows, "part", width)]
        assert "16 not finite" in lines[1]
        assert "1.000" in lines[2]


@pytest.mark.parametrize(
    ("name", "shape", "axes", "fans", "channels"),
    [
        ("model.layers.0.mlp.experts.gate_up_proj", (8, 64, 32), ("expert", "in", "out"), (64, 32), (0, 1)),
        ("blk.0.ffn_up_exps.weight", (8, 64, 32), ("expert", "out", "in"), (32, 64), (0, 1)),
    ],
)
def test_a_tensor_of_experts_is_no_convolution(
    name: str, shape: tuple[int, ...], axes: tuple[str, ...], fans: tuple[int, int], channels: tuple[int, int]
) -> None:
    path, _, role = name.rpartition(".")
    tensor, layer = entry(role, shape, path)._replace(name=name), node("", None, path)
    known = anatomy(tensor, layer, TORCH)
    assert known.axes == axes
    assert "convolution" not in known.role.value
    assert known.fans is not None
    assert known.fans[:2] == fans
    assert output_axes(tensor, layer, TORCH) == channels
    assert candidates(tensor, layer, TORCH)[0].name == "N(0, 0.02)"
    assert matrix_axes(tensor, layer, TORCH).said == "8 matrices of 64 × 32, one for each expert"


def test_experts_that_were_never_used_are_found_in_one_tensor(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(0, 0.02, (16, 48, 40))
    values[[i for i in range(16) if i not in (3, 9)]] *= 1.6
    arrays = {"model.layers.0.mlp.experts.gate_up_proj": values.astype(np.float32)}
    path = tmp_path / "model.safetensors"
    write_safetensors(path, arrays)
    with wtui.open(path, cache=False) as model:
        (one,) = [f for f in model.findings() if f.rule == "unused-experts"]
    assert one.message.startswith("experts 3, 9 were never used: they fit the initialiser, 14 others moved")
    assert one.evidence == {"unused": 2, "experts": 16}
    values *= rng.uniform(0.9, 1.1, (16, 1, 1)) / values.std(axis=(1, 2), keepdims=True) * 0.02
    write_safetensors(path, {name: values.astype(np.float32) for name in arrays})
    with wtui.open(path, cache=False) as model:
        assert [f.rule for f in model.findings() if f.severity != "info"] == []
