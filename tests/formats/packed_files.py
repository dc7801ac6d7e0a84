"""Quantised weights packed as their formats' specifications say, by plain numpy, and the values that they stand for.

Written for the tests: nothing of wtui is used. Every function gives the tensors of one module, the model's
quantization_config, and the weight as (outputs, inputs) in float32.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import ml_dtypes
import numpy as np

from tests.builders import write_safetensors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAME = "model.layers.0.mlp.up_proj"

FP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
"""What the patterns of float4 e2m1 stand for (OCP Microscaling specification, table 5)."""


class Packed(NamedTuple):
    """A module and what it stands for."""

    tensors: dict[str, NDArray[Any]]
    config: dict[str, Any]
    values: NDArray[np.float32]


def write(folder: Path, packed: Packed, *, config: bool = True) -> Path:
    """A safetensors file of the module and a norm, with config.json beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"{NAME}{k if k.startswith('_') else '.' + k}": v for k, v in packed.tensors.items()}
    tensors["model.norm.weight"] = np.ones(8, np.float32)
    if config:
        document = {"architectures": ["LlamaForCausalLM"], "quantization_config": packed.config}
        (folder / "config.json").write_text(json.dumps(document))
    return write_safetensors(folder / "model.safetensors", tensors)


def words(values: NDArray[np.integer], bits: int, axis: int) -> NDArray[np.int32]:
    """Unsigned integers packed along an axis into 32-bit words, the first in the lowest bits; padded with zeros."""
    per_word = 32 // bits
    moved = np.moveaxis(np.asarray(values, np.uint64), axis, 0)
    pad = -len(moved) % per_word
    moved = np.concatenate([moved, np.zeros((pad, *moved.shape[1:]), np.uint64)])
    packed = np.zeros((len(moved) // per_word, *moved.shape[1:]), np.uint64)
    for place in range(per_word):
        packed |= moved[place::per_word] << np.uint64(place * bits)
    return np.ascontiguousarray(np.moveaxis(packed.astype(np.uint32), 0, axis)).view(np.int32)


def gptq(
    inputs: int = 256,
    outputs: int = 48,
    bits: int = 4,
    group: int = 64,
    *,
    version: str = "gptq",
    act_order: bool = False,
    g_idx: bool = True,
    seed: int = 0,
) -> Packed:
    """AutoGPTQ: w[i, o] = (q - z[g[i], o]) s[g[i], o]; q packed along the inputs, z (less one in v1) along outputs."""
    rng = np.random.default_rng(seed)
    groups = -(-inputs // group)
    q = rng.integers(0, 1 << bits, (inputs, outputs))
    z = rng.integers(0, 1 << bits, (groups, outputs))
    s = rng.uniform(0.001, 0.1, (groups, outputs)).astype(np.float16)
    of = np.arange(inputs) // group
    if act_order:
        of = rng.permutation(of)
    stored = (z - 1) % (1 << bits) if version == "gptq" else z
    tensors = {"qweight": words(q, bits, 0), "qzeros": words(stored, bits, 1), "scales": s}
    if g_idx:
        tensors["g_idx"] = of.astype(np.int32)
    config = {
        "quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": act_order, "checkpoint_format": version,
    }  # fmt: skip
    return Packed(tensors, config, ((q - z[of]).astype(np.float32) * s[of].astype(np.float32)).T)


def awq(inputs: int = 256, outputs: int = 64, group: int = 64, seed: int = 0) -> Packed:
    """AutoAWQ, GEMM: outputs 0 2 4 6 1 3 5 7 of eight in the nibbles of a word, from the lowest up."""
    rng = np.random.default_rng(seed)
    q = rng.integers(0, 16, (inputs, outputs))
    z = rng.integers(0, 16, (inputs // group, outputs))
    s = rng.uniform(0.001, 0.1, (inputs // group, outputs)).astype(np.float16)
    order = [0, 2, 4, 6, 1, 3, 5, 7]

    def packed(values: NDArray[np.integer]) -> NDArray[np.int32]:
        eights = values.reshape(len(values), -1, 8)[:, :, order]
        return words(eights.reshape(len(values), -1), 4, 1)

    of = np.arange(inputs) // group
    values = (q - z[of]).astype(np.float32) * s[of].astype(np.float32)
    config = {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm", "zero_point": True}
    return Packed({"qweight": packed(q), "qzeros": packed(z), "scales": s}, config, values.T)


def compressed(
    outputs: int = 40, inputs: int = 128, bits: int = 4, group: int = 32, *, zeros: bool = False, seed: int = 0
) -> Packed:
    """compressed-tensors, pack-quantized: q + 2^(bits-1) packed along the inputs; zero points along the outputs."""
    rng = np.random.default_rng(seed)
    half = 1 << bits - 1
    group = group or inputs
    q = rng.integers(-half, half, (outputs, inputs))
    s = rng.uniform(0.001, 0.1, (outputs, inputs // group)).astype(ml_dtypes.bfloat16)
    z = rng.integers(-half, half, s.shape) if zeros else np.zeros(s.shape, np.int64)
    tensors: dict[str, NDArray[Any]] = {
        "weight_packed": words(q + half, bits, 1),
        "weight_scale": s,
        "weight_shape": np.array([outputs, inputs], np.int64),
    }
    if zeros:
        tensors["weight_zero_point"] = words(z + half, bits, 0)
    of = np.arange(inputs) // group
    weights = {"num_bits": bits, "type": "int", "symmetric": not zeros, "group_size": group, "strategy": "group"}
    groups = {"group_0": {"weights": weights}}
    config = {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": groups}
    return Packed(tensors, config, (q - z[:, of]).astype(np.float32) * s.astype(np.float32)[:, of])


def fp8_blocks(outputs: int = 300, inputs: int = 200, block: int = 128, seed: int = 0) -> Packed:
    """DeepSeek-V3: fp8 times the `weight_scale_inv` of its block of 128 x 128."""
    rng = np.random.default_rng(seed)
    q = rng.normal(0, 60, (outputs, inputs)).astype(ml_dtypes.float8_e4m3fn)
    s = rng.uniform(1e-4, 1e-3, (-(-outputs // block), -(-inputs // block))).astype(np.float32)
    rows, columns = np.arange(outputs) // block, np.arange(inputs) // block
    config = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [block, block]}
    return Packed({"weight": q, "weight_scale_inv": s}, config, q.astype(np.float32) * s[rows][:, columns])


def rows_of_bytes(dtype: str, scales: str, outputs: int = 24, inputs: int = 50, seed: int = 0) -> Packed:
    """int-quantized and float-quantized: 8-bit values times a scale for each output (`row`) or for all (`whole`)."""
    rng = np.random.default_rng(seed)
    q = rng.normal(0, 30, (outputs, inputs)).astype(getattr(ml_dtypes, dtype, None) or np.dtype(dtype))
    s = rng.uniform(0.001, 0.1, (outputs, 1) if scales == "row" else (1,)).astype(np.float32)
    kind = "int-quantized" if dtype == "int8" else "float-quantized"
    return Packed(
        {"weight": q, "weight_scale": s, "input_scale": np.ones(1, np.float32)},
        {"quant_method": "compressed-tensors", "format": kind},
        q.astype(np.float32) * s.reshape(-1, 1),
    )


def nvfp4(outputs: int = 20, inputs: int = 64, *, divide: bool = True, seed: int = 0) -> Packed:
    """NVFP4: pairs of e2m1, the first low, times the fp8 scale of 16 of them; over (or times) the tensor's scale."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 16, (outputs, inputs))
    s = rng.uniform(0.5, 200, (outputs, inputs // 16)).astype(ml_dtypes.float8_e4m3fn)
    whole = np.array([1500.0 if divide else 0.0007], np.float32)
    scales = s.astype(np.float32) / whole if divide else s.astype(np.float32) * whole
    packed = (codes[:, 0::2] | codes[:, 1::2] << 4).astype(np.uint8)
    names = ("weight_packed", "weight_global_scale") if divide else ("weight", "weight_scale_2")
    tensors = {names[0]: packed, "weight_scale": s, names[1]: whole}
    values = FP4[codes] * scales[:, np.arange(inputs) // 16]
    return Packed(tensors, {"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}, values)


def mxfp4(experts: int = 3, outputs: int = 10, inputs: int = 64, seed: int = 0) -> Packed:
    """gpt-oss: `_blocks` (experts, outputs, blocks, 16), the first value low; `_scales` are exponents plus 127."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 16, (experts, outputs, inputs))
    exponents = rng.integers(110, 140, (experts, outputs, inputs // 32)).astype(np.uint8)
    packed = (codes[..., 0::2] | codes[..., 1::2] << 4).astype(np.uint8).reshape(experts, outputs, inputs // 32, 16)
    scales = np.ldexp(np.float32(1), exponents.astype(np.int32) - 127).astype(np.float32)
    values = FP4[codes] * np.repeat(scales, 32, axis=2)
    return Packed({"_blocks": packed, "_scales": exponents}, {"quant_method": "mxfp4"}, values)


def bnb_int8(outputs: int = 12, inputs: int = 33, *, form: int = 0, seed: int = 0) -> Packed:
    """LLM.int8: rows times SCB / 127."""
    rng = np.random.default_rng(seed)
    q = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    s = rng.uniform(0.1, 2, outputs).astype(np.float32)
    tensors = {"weight": q, "SCB": s, "weight_format": np.array(form, np.uint8)}
    return Packed(tensors, {"quant_method": "bitsandbytes", "load_in_8bit": True}, q * (s / np.float32(127))[:, None])


def bnb_4bit(outputs: int = 24, inputs: int = 96, *, nested: bool = True, kind: str = "nf4", seed: int = 0) -> Packed:
    """bitsandbytes: indices, the first of two in the upper half, times the scale of 64; scales perhaps indices too."""
    rng = np.random.default_rng(seed)
    table = np.sort(rng.uniform(-1, 1, 16)).astype(np.float32)
    count, blocks = outputs * inputs, -(-outputs * inputs // 64)
    index = rng.integers(0, 16, count)
    state = {"quant_type": kind, "blocksize": 64, "dtype": "bfloat16", "shape": [outputs, inputs]}
    tensors: dict[str, NDArray[Any]] = {
        "weight": (index[0::2] << 4 | index[1::2]).astype(np.uint8).reshape(-1, 1),
        "weight.quant_map": table,
    }
    if nested:
        state |= {"nested_blocksize": 8, "nested_dtype": "float32", "nested_offset": 0.25}
        codes = rng.integers(0, 256, blocks).astype(np.uint8)
        inner = np.sort(rng.uniform(-1, 1, 256)).astype(np.float32)
        outer = rng.uniform(0.1, 1, -(-blocks // 8)).astype(np.float32)
        scales = inner[codes] * outer[np.arange(blocks) // 8] + np.float32(0.25)
        tensors |= {"weight.absmax": codes, "weight.nested_absmax": outer, "weight.nested_quant_map": inner}
    else:
        scales = rng.uniform(0.1, 1, blocks).astype(np.float32)
        tensors["weight.absmax"] = scales
    text = json.dumps(state).encode()
    tensors[f"weight.quant_state.bitsandbytes__{kind}"] = np.frombuffer(text, np.uint8)
    values = table[index] * scales[np.arange(count) // 64]
    return Packed(tensors, {"quant_method": "bitsandbytes", "load_in_4bit": True}, values.reshape(outputs, inputs))
