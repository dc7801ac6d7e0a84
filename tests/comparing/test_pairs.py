"""Which tensors are taken for the same, and by what: names, words of frameworks, order, content; layouts of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from tests.comparing.oracle import check
from tests.formats.gguf_files import Tensor, gguf_bytes
from wtui.formats import open_catalogue
from wtui.insight.pairing import Prefixes, pair_models

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Array = np.ndarray[Any, Any]
    Arrays = Mapping[str, Array]

HEADS, KV_HEADS, WIDTH, INNER, TOKENS = 8, 2, 64, 160, 100
PARTS = {
    "input_layernorm": ("attn_norm", (WIDTH,)),
    "mlp.down_proj": ("ffn_down", (WIDTH, INNER)),
    "mlp.gate_proj": ("ffn_gate", (INNER, WIDTH)),
    "mlp.up_proj": ("ffn_up", (INNER, WIDTH)),
    "post_attention_layernorm": ("ffn_norm", (WIDTH,)),
    "self_attn.k_proj": ("attn_k", (WIDTH // HEADS * KV_HEADS, WIDTH)),
    "self_attn.o_proj": ("attn_output", (WIDTH, WIDTH)),
    "self_attn.q_proj": ("attn_q", (WIDTH, WIDTH)),
    "self_attn.v_proj": ("attn_v", (WIDTH // HEADS * KV_HEADS, WIDTH)),
}
"""Of a block: Hugging Face's names in the order of its files, GGUF's, and shapes."""

OUTSIDE = {
    "model.embed_tokens": ("token_embd", (TOKENS, WIDTH)),
    "model.norm": ("output_norm", (WIDTH,)),
    "lm_head": ("output", (TOKENS, WIDTH)),
}
LLAMA = {
    **OUTSIDE,
    **{f"model.layers.{i}.{h}": (f"blk.{i}.{g}", shape) for i in range(3) for h, (g, shape) in PARTS.items()},
}


def permuted(weights: Array, heads: int) -> Array:
    """What llama.cpp's converter does with queries and keys of Llama."""
    rows = weights.shape[0]
    return weights.reshape(heads, 2, rows // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def llama(folder: Path, permute: bool = True) -> tuple[Path, Path, Arrays, Arrays]:
    """One model as Hugging Face and as GGUF store it, and the values in both."""
    rng = np.random.default_rng(41)
    hugging = {f"{name}.weight": rng.normal(size=shape).astype(np.float32) for name, (_, shape) in LLAMA.items()}
    ggml = {}
    for name, (other, _) in LLAMA.items():
        values = hugging[f"{name}.weight"]
        heads = {"q_proj": HEADS, "k_proj": KV_HEADS}.get(name.split(".")[-1], 0)
        ggml[f"{other}.weight"] = permuted(values, heads) if heads and permute else values
    metadata = {
        "general.architecture": ("string", "llama"),
        "llama.attention.head_count": ("uint32", HEADS),
        "llama.attention.head_count_kv": ("uint32", KV_HEADS),
    }
    path = folder / "model.gguf"
    tensors = [Tensor(name, v.shape, 0, v.tobytes()) for name, v in ggml.items()]
    path.write_bytes(gguf_bytes(metadata, tensors))
    return write_safetensors(folder / "model.safetensors", dict(sorted(hugging.items()))), path, hugging, ggml


def test_a_gguf_file_and_what_it_was_made_from_are_identical(tmp_path: Path) -> None:
    safe, gguf, *_ = llama(tmp_path)
    for one, other in ((safe, gguf), (gguf, safe)):
        found = wtui.compare(one, other)
        assert found.is_same
        assert {c.paired_by for c in found.results} == {"words"}
        assert len(found.results) == len(LLAMA)
        turned = {c.name for c in found.results if c.layout and not c.layout.is_plain}
        assert len(turned) == 6
        assert all("q" in name or "k" in name for name in turned)
    assert found.prefixes == (Prefixes("", "model"),)


def test_rows_that_were_not_interleaved_are_seen_by_a_sample(tmp_path: Path) -> None:
    safe, gguf, *_ = llama(tmp_path, permute=False)
    assert wtui.compare(safe, gguf).is_same


def test_rows_of_queries_are_compared_where_they_belong(tmp_path: Path) -> None:
    _, gguf, hugging, ggml = llama(tmp_path)
    name = "model.layers.1.self_attn.q_proj.weight"
    moved = {
        n: v + np.float32(0.5) * (np.arange(len(v)) % 3 == 0)[:, None] if n == name else v for n, v in hugging.items()
    }
    changed = write_safetensors(tmp_path / "b.safetensors", {n: v.astype(np.float32) for n, v in moved.items()})
    found = wtui.compare(changed, gguf)
    [change] = [c for c in found.results if not c.is_equal()]
    assert change.name == "blk.1.attn_q.weight"
    assert change.row is not None
    assert change.row.max_at is not None
    assert change.row.max_at_a is not None
    a, b = permuted(moved[name].astype(np.float32), HEADS), ggml[change.name]
    check(change.row, a, b)
    assert a[change.row.max_at.index] == moved[name].astype(np.float32)[change.row.max_at_a.index]
    assert change.row.channels_changed == sum(i % 3 == 0 for i in range(WIDTH))


def test_two_gguf_files_are_compared_as_they_are(tmp_path: Path) -> None:
    _, gguf, *_ = llama(tmp_path)
    found = wtui.compare(gguf, gguf)
    assert found.is_same
    assert {(c.paired_by, c.layout.is_plain if c.layout else None) for c in found.results} == {("name", True)}


def test_pairs_by_shape_that_look_unrelated_are_doubted(tmp_path: Path) -> None:
    rng = np.random.default_rng(42)
    a, b = ({f"{p}{i}.weight": rng.normal(size=(40, 40)).astype(np.float32) for i in range(3)} for p in "ab")
    paths = [write_safetensors(tmp_path / f"{i}.safetensors", v) for i, v in enumerate((a, b))]
    found = wtui.compare(*paths)
    assert {c.paired_by for c in found.results} == {"shape and order"}
    assert any("3 are as different as tensors that have nothing in common" in note for note in found.notes)
    near = write_safetensors(tmp_path / "c.safetensors", {n.replace("a", "c"): v + 1 for n, v in a.items()})
    assert wtui.compare(paths[0], near).notes == ()


def test_layers_left_out_of_one_model_do_not_shift_the_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(43)
    sizes = [(4, 5), (6, 7), (4, 5), (8, 9), (4, 5)]
    a = {f"a{i}.weight": rng.normal(size=s).astype(np.float32) for i, s in enumerate(sizes)}
    b = {f"b{i}.weight": a[f"a{i}.weight"] + 1 for i in (0, 1, 3, 4)}
    one, two = (open_catalogue(str(write_safetensors(tmp_path / f"{i}.safetensors", v))) for i, v in enumerate((a, b)))
    pairing = pair_models(one, two)
    names = {(one.tensors[p.a].name[1:], two.tensors[p.b].name[1:]) for p in pairing.pairs}
    assert {("1.weight", "1.weight"), ("3.weight", "3.weight"), ("0.weight", "0.weight")} <= names
    assert len(pairing.pairs) == 4
    assert len(pairing.only_a) == 1


def test_what_wrappers_add_to_names_is_seen_through(tmp_path: Path) -> None:
    a = {"block.0.weight": np.ones((2, 3), np.float32), "head.weight": np.ones((5, 2), np.float32)}
    b = {"block.0._checkpoint_wrapped_module.weight": a["block.0.weight"], "_orig_mod.head.weight": a["head.weight"]}
    paths = [write_safetensors(tmp_path / f"{i}.safetensors", v) for i, v in enumerate((a, b))]
    assert wtui.compare(*paths).is_same


@pytest.mark.parametrize("shape", [(), (0,), (1,), (1, 1), (0, 3), (3, 0)])
def test_odd_shapes_pair_with_themselves(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "a.safetensors", {"w.weight": np.ones(shape, np.float32)})
    found = wtui.compare(path, path)
    assert found.is_same
    assert found.results[0].row is not None
    assert found.results[0].row.total == np.prod(shape)
