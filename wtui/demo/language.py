"""Writes the demo's language model and adapter in the layout of Hugging Face: numpy alone, nothing is trained.

Both are as their frameworks initialise them, from a fixed seed. What was planted is said in a note, which lies in the
configuration beside the weights and is shown on the screen.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_adapter", "write_tiny_lm"]

SEED = 11
VOCABULARY, HIDDEN, INNER, BLOCKS = 512, 48, 128, 4
SHARD_OF_BLOCK = (1, 2, 2, 3)
CUT_SHARD, LEFT = 2, 0.6
"""The shard that is cut off, and the share of its bytes that is left."""
RANK, ALPHA = 4, 8
TARGETS = ("q_proj", "v_proj")
DTYPES = {"bfloat16": "BF16", "float32": "F32"}

Tensors = dict[str, NDArray[np.generic]]


def write_tiny_lm(models: Path) -> None:
    """A Llama of 135,000 parameters in bfloat16, in three shards with an index; the second shard is cut off."""
    folder = _fresh(models / "tiny-lm")
    shards: dict[int, Tensors] = {1: {}, 2: {}, 3: {}}
    for name, shard, values in _weights(np.random.default_rng(SEED)):
        shards[shard][name] = values.astype(ml_dtypes.bfloat16)
    index: dict[str, str] = {}
    for number, tensors in shards.items():
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_safetensors(folder / name, tensors)
        index |= dict.fromkeys(tensors, name)
    size = sum(v.nbytes for tensors in shards.values() for v in tensors.values())
    document = {"metadata": {"total_size": size}, "weight_map": dict(sorted(index.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(document, indent=1) + "\n")
    place = folder / f"model-{CUT_SHARD:05d}-of-{len(shards):05d}.safetensors"
    data = place.read_bytes()
    place.write_bytes(data[: int(len(data) * LEFT)])
    note = (
        f"a small language model as it is initialised, never trained; planted: shard {CUT_SHARD} of {len(shards)} "
        f"ends after {LEFT:.0%} of its bytes, as when a download stops"
    )
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16",
        "vocab_size": VOCABULARY, "hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": BLOCKS,
        "num_attention_heads": 4, "num_key_value_heads": 4, "initializer_range": 0.02, "tie_word_embeddings": True,
        "note": note,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def write_adapter(models: Path) -> None:
    """A LoRA adapter for that model; its second matrices are still zero, as before the first step of training."""
    folder = _fresh(models / "adapter")
    rng = np.random.default_rng(SEED)
    tensors: Tensors = {}
    for block in range(BLOCKS):
        for target in TARGETS:
            name = f"base_model.model.model.layers.{block}.self_attn.{target}"
            limit = 1 / np.sqrt(HIDDEN)
            tensors[f"{name}.lora_A.weight"] = rng.uniform(-limit, limit, (RANK, HIDDEN)).astype(np.float32)
            tensors[f"{name}.lora_B.weight"] = np.zeros((HIDDEN, RANK), np.float32)
    write_safetensors(folder / "adapter_model.safetensors", tensors)
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "tiny-lm", "r": RANK,
        "lora_alpha": ALPHA, "lora_dropout": 0.0, "bias": "none", "target_modules": list(TARGETS),
        "note": "planted: every B is still zero, so the adapter changes nothing; was it saved before training?",
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n")


def write_safetensors(path: Path, tensors: Mapping[str, NDArray[np.generic]]) -> None:
    """A safetensors file: length of the header, header, values (https://github.com/huggingface/safetensors)."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, values in tensors.items():
        place = [at, at + values.nbytes]
        header[name] = {"dtype": DTYPES[str(values.dtype)], "shape": list(values.shape), "data_offsets": place}
        at += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(v.tobytes() for v in tensors.values()))


def _weights(rng: np.random.Generator) -> Iterator[tuple[str, int, NDArray[np.float32]]]:
    """Name, shard and values of every tensor, in the model's order."""

    def normal(*shape: int) -> NDArray[np.float32]:
        return rng.normal(0, 0.02, shape).astype(np.float32)

    yield "model.embed_tokens.weight", 1, normal(VOCABULARY, HIDDEN)
    ones = np.ones(HIDDEN, np.float32)
    for block, shard in enumerate(SHARD_OF_BLOCK):
        prefix = f"model.layers.{block}"
        yield f"{prefix}.input_layernorm.weight", shard, ones
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            yield f"{prefix}.self_attn.{name}.weight", shard, normal(HIDDEN, HIDDEN)
        yield f"{prefix}.post_attention_layernorm.weight", shard, ones
        for name in ("gate_proj", "up_proj"):
            yield f"{prefix}.mlp.{name}.weight", shard, normal(INNER, HIDDEN)
        yield f"{prefix}.mlp.down_proj.weight", shard, normal(HIDDEN, INNER)
    yield "model.norm.weight", SHARD_OF_BLOCK[-1], ones


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
