"""Packed weights: the values they stand for, whole and in pieces, and what is listed but shown as no values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from tests.formats import packed_files as files
from wtui.errors import CodecError
from wtui.formats.packed import bnb, module, words

if TYPE_CHECKING:
    from pathlib import Path

WEIGHT = f"{files.NAME}.weight"

SCHEMES: dict[str, Callable[[], files.Packed]] = {
    "gptq": files.gptq,
    "gptq-v2": lambda: files.gptq(version="gptq_v2"),
    "gptq-act-order": lambda: files.gptq(act_order=True),
    "gptq-without-g-idx": lambda: files.gptq(g_idx=False),
    "gptq-8-bits": lambda: files.gptq(bits=8),
    "gptq-2-bits": lambda: files.gptq(bits=2),
    "gptq-last-group-short": lambda: files.gptq(inputs=160, group=64),
    "gptq-one-group": lambda: files.gptq(group=256),
    "awq": files.awq,
    "compressed-4": files.compressed,
    "compressed-8": lambda: files.compressed(bits=8),
    "compressed-zero-points": lambda: files.compressed(zeros=True),
    "compressed-8-zero-points": lambda: files.compressed(bits=8, zeros=True),
    "compressed-rows": lambda: files.compressed(group=0),
    "compressed-padded": lambda: files.compressed(outputs=5, inputs=27, group=0),
    "fp8-blocks": files.fp8_blocks,
    "fp8-small-blocks": lambda: files.fp8_blocks(50, 70, 32),
    "fp8-rows": lambda: files.rows_of_bytes("float8_e4m3fn", "row"),
    "fp8-whole": lambda: files.rows_of_bytes("float8_e4m3fn", "whole"),
    "fp8-e5m2": lambda: files.rows_of_bytes("float8_e5m2", "row"),
    "int8-rows": lambda: files.rows_of_bytes("int8", "row"),
    "int8-whole": lambda: files.rows_of_bytes("int8", "whole"),
    "nvfp4": files.nvfp4,
    "nvfp4-multiplied": lambda: files.nvfp4(divide=False),
    "bnb-int8": files.bnb_int8,
    "nf4": files.bnb_4bit,
    "nf4-single": lambda: files.bnb_4bit(nested=False),
    "fp4": lambda: files.bnb_4bit(kind="fp4"),
    "nf4-odd": lambda: files.bnb_4bit(outputs=6, inputs=35),
}


@pytest.fixture(params=SCHEMES)
def packed(request: pytest.FixtureRequest) -> files.Packed:
    """A module of every scheme."""
    return SCHEMES[request.param]()


@pytest.fixture(params=["whole", "pieces"])
def _pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode in one piece, or in as many as there can be."""
    if request.param == "pieces":
        for place in (words, bnb):
            monkeypatch.setattr(place, "PIECE", 100)
        monkeypatch.setattr(module.rows_of, "__defaults__", (100,))


@pytest.mark.usefixtures("_pieces")
def test_values_are_those_stood_for(packed: files.Packed, tmp_path: Path) -> None:
    with wtui.open(files.write(tmp_path, packed)) as model:
        tensor = model[WEIGHT]
        assert tensor.shape == packed.values.shape
        assert tensor.problem == ""
        values = tensor.array()
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, packed.values, rtol=3e-7, atol=0)
        summary = tensor.summary()
        assert summary.total == packed.values.size
        np.testing.assert_allclose(summary.mean, packed.values.mean(dtype=np.float64), rtol=1e-6, atol=1e-9)
        at = summary.row().min_at
        assert at is not None
        assert values[tuple(at.index)] == values.min()


def test_the_model_is_counted_by_its_weights(packed: files.Packed, tmp_path: Path) -> None:
    with wtui.open(files.write(tmp_path, packed)) as model:
        assert model.totals.parameters == packed.values.size + 8
        assert {t.group for t in model.other_tensors} == {"quantisation"}
        assert len(model.tensors) + len(model.other_tensors) == len(packed.tensors) + 1
        assert not model.warnings
        for tensor in model.other_tensors:
            assert tensor.array().shape == tensor.shape


def test_experts_in_one_tensor(tmp_path: Path) -> None:
    packed = files.mxfp4()
    with wtui.open(files.write(tmp_path, packed)) as model:
        tensor = model[files.NAME]
        assert (tensor.shape, tensor.dtype) == ((3, 10, 64), "float4_e2m1fn")
        np.testing.assert_array_equal(tensor.array(), packed.values)


def test_zero_points_are_integers(tmp_path: Path) -> None:
    packed = files.awq()
    with wtui.open(files.write(tmp_path / "awq", packed)) as model:
        scales = packed.tensors["scales"].astype(np.float32)
        zeros = model[f"{files.NAME}.qzeros"].array().astype(np.float32)
        assert zeros.shape == scales.shape
        first = model[WEIGHT].array()[:, 0] / scales[0] + zeros[0]
        assert set(np.round(first).astype(int)) <= set(range(16))
        np.testing.assert_allclose(first, np.round(first), atol=1e-4)
    with wtui.open(files.write(tmp_path / "ct", files.compressed(zeros=True))) as model:
        zeros = model[f"{files.NAME}.weight_zero_point"].array().astype(int)
        assert zeros.shape == (40, 4)
        assert (zeros.min(), zeros.max()) == (-8, 7)


def test_a_view_reads_only_its_pieces(tmp_path: Path) -> None:
    from wtui.engine.region import read_box

    packed = files.gptq()
    with wtui.open(files.write(tmp_path, packed)) as model:
        entry = model[WEIGHT].entry
        box = read_box(entry, model.catalogue, model._opened.files, (3, 70), (20, 141))
        np.testing.assert_allclose(box, packed.values[3:20, 70:141], rtol=3e-7)


NOT_VALUES: dict[str, tuple[files.Packed, bool, str]] = {
    "no configuration": (files.gptq(), False, "without a configuration"),
    "marlin": (files.gptq(version="marlin"), True, "gptq of format marlin"),
    "gemv": (files.awq()._replace(config={"quant_method": "awq", "version": "gemv"}), True, "AWQ of version gemv"),
    "no scales": (files.gptq()._replace(tensors={"qweight": files.gptq().tensors["qweight"]}), True, "missing"),
    "turing": (files.bnb_int8(form=2), True, "one kind of GPU"),
    "hqq": (files.gptq()._replace(tensors={"W_q": np.ones((8, 8), np.uint8)}), True, "HQQ"),
    "quanto": (
        files.gptq()._replace(tensors={"w._data": np.ones((8, 8), np.int8), "w._scale": np.ones((8, 1), "f")}),
        True, "Quanto",
    ),
    "state": (
        files.bnb_4bit()._replace(
            tensors={**files.bnb_4bit().tensors, "weight.quant_state.bitsandbytes__nf4": np.ones(9, np.uint8)}
        ), True, "cannot be understood",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_VALUES)
def test_what_is_not_certain_has_no_statistics(case: str, tmp_path: Path) -> None:
    packed, config, reason = NOT_VALUES[case]
    with wtui.open(files.write(tmp_path, packed, config=config)) as model:
        found = [t for t in model.tensors if t.problem]
        assert found
        assert all(t.problem.startswith("packed, not values: ") and reason in t.problem for t in found)
        assert all(w.lost for w in model.warnings)
        for tensor in found:
            with pytest.raises(CodecError, match="packed, not values"):
                tensor.summary()
        assert model["model.norm.weight"].array().tolist() == [1.0] * 8


def test_configurations_of_the_packing_programs(tmp_path: Path) -> None:
    packed = files.gptq()
    path = files.write(tmp_path, packed, config=False)
    (tmp_path / "quantize_config.json").write_text(json.dumps({"bits": 4, "group_size": 64, "desc_act": False}))
    with wtui.open(path) as model:
        np.testing.assert_allclose(model[WEIGHT].array(), packed.values, rtol=3e-7)


def test_scales_in_another_shard(tmp_path: Path) -> None:
    packed = files.fp8_blocks()
    names = [f"{files.NAME}.{k}" for k in packed.tensors]
    for number, (name, array) in enumerate(zip(names, packed.tensors.values(), strict=True), 1):
        write_safetensors(tmp_path / f"model-{number:05d}-of-00002.safetensors", {name: array})
    shards = {name: f"model-{n:05d}-of-00002.safetensors" for n, name in enumerate(names, 1)}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    with wtui.open(tmp_path) as model:
        np.testing.assert_allclose(model[WEIGHT].array(), packed.values, rtol=3e-7)
        assert not model.warnings


def test_groups_outside_the_scales_are_an_error(tmp_path: Path) -> None:
    packed = files.gptq()
    packed.tensors["g_idx"][5] = 77
    with wtui.open(files.write(tmp_path, packed)) as model, pytest.raises(CodecError, match="no scale"):
        model[WEIGHT].array()


def test_a_weight_that_is_there_keeps_its_name(tmp_path: Path) -> None:
    packed = files.gptq()
    packed.tensors["weight"] = np.zeros((2, 2), np.float32)
    with wtui.open(files.write(tmp_path, packed)) as model:
        assert model[WEIGHT].array().tolist() == [[0, 0], [0, 0]]
        np.testing.assert_allclose(model[f"{files.NAME}.qweight"].array(), packed.values, rtol=3e-7)


def test_plain_tensors_of_such_names_stay_as_they_are(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {
        "a.weight": np.ones((4, 4), np.float32), "a.weight_scale": np.ones(1, np.float32),
        "b.codes": np.arange(4, dtype=np.int32), "x_blocks": np.ones((2, 3), np.float32), "B": np.ones(3, np.int32),
    }  # fmt: skip
    with wtui.open(write_safetensors(tmp_path / "m.safetensors", arrays)) as model:
        assert not model.warnings
        assert not model.other_tensors
        for name, array in arrays.items():
            np.testing.assert_array_equal(model[name].array(), array)


@pytest.mark.parametrize("scheme", ["gptq", "awq", "compressed-zero-points", "nf4"])
def test_in_pytorch_files(scheme: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    packed = SCHEMES[scheme]()
    state = {
        f"{files.NAME}.{k}": torch.from_numpy(v.copy()) if v.dtype.name != "bfloat16" else
        torch.from_numpy(v.view(np.int16).copy()).view(torch.bfloat16) for k, v in packed.tensors.items()
    }  # fmt: skip
    torch.save(state, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": packed.config}))
    for path in (tmp_path, tmp_path / "pytorch_model.bin"):
        with wtui.open(path) as model:
            assert not model.warnings
            np.testing.assert_allclose(model[WEIGHT].array(), packed.values, rtol=3e-7)
            assert model.totals.parameters == packed.values.size


def test_rounding_is_no_pruning(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    weights = rng.standard_t(4, (128, 64, 64))  # groups, inputs of a group, outputs
    scales = (np.abs(weights).max(1) / 7).astype(np.float16)
    q = np.clip(np.round(weights / scales[:, None]) + 8, 0, 15).astype(int).reshape(-1, 64)
    packed = files.gptq(inputs=len(q), outputs=64, group=64)
    eights = np.full(scales.shape, 7)
    packed.tensors.update(qweight=files.words(q, 4, 0), qzeros=files.words(eights, 4, 1), scales=scales)
    with wtui.open(files.write(tmp_path, packed)) as model:
        row = model[WEIGHT].summary().row()
        assert row.zeros > 0.2 * row.total
        assert [f for f in model.findings() if f.severity != "info" or f.rule in ("sparse", "few-values")] == []
    with wtui.open(files.write(tmp_path, files.fp8_blocks())) as model:
        assert not [f for f in model.findings() if f.rule == "few-values"]
