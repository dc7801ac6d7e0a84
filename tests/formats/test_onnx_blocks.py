"""ONNX weights with scales for blocks: what the operators' definitions make of the same integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.formats.fuzzing import check_mutations
from tests.formats.onnx_files import graph, integer, message, model, node, tensor, text
from wtui.engine.blocks import plan_blocks
from wtui.formats import open_catalogue
from wtui.formats.packed import module
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue

FLOAT, UINT8, INT8, HALF, UINT4, INT4 = 1, 2, 3, 10, 21, 22


def number(name: str, value: int) -> bytes:
    return message(5, text(1, name) + integer(3, value) + integer(20, 2))


def halves(numbers: np.ndarray) -> bytes:
    """Integers of four bits, two to a byte, the first in the lower half."""
    flat = numbers.reshape(-1).astype(np.int64) & 15
    return (flat[0::2] | flat[1::2] << 4).astype(np.uint8).tobytes()


def opened(path: Path, nodes: list[bytes], tensors: list[bytes]) -> Catalogue:
    path.write_bytes(model(graph(nodes, tensors)))
    return open_catalogue(str(path))


def values(found: Catalogue, name: str) -> np.ndarray:
    return plan_blocks(found[name], found, Files(found.files)).array()


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize(("axis", "shape"), [(0, (6, 8)), (1, (6, 8)), (-1, (3, 4, 8)), (1, (3, 4, 8)), (1, (6, 6))])
@pytest.mark.parametrize("code", [UINT4, INT8])
def test_blocks_along_an_axis(
    tmp_path: Path, axis: int, shape: tuple[int, ...], code: int, zeros: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.rows_of, "__defaults__", (16,))
    rng, size = np.random.default_rng(0), 2
    low, high = (0, 16) if code == UINT4 else (-128, 128)
    q = rng.integers(low, high, shape)
    grid = list(shape)
    grid[axis] = -(-shape[axis] // size)
    scale = rng.random(grid).astype(np.float32)
    zero = rng.integers(low, high, grid) if zeros else np.zeros(grid, np.int64)
    pack = halves if code == UINT4 else lambda a: a.astype(np.int8).tobytes()
    tensors = [tensor("w", shape, code, pack(q)), tensor("s", tuple(grid), raw=scale.tobytes())]
    tensors += [tensor("z", tuple(grid), code, pack(zero))] if zeros else []
    inputs = ["w", "s", "z"] if zeros else ["w", "s"]
    nodes = [
        node("DequantizeLinear", inputs, ["d"], "dq", number("axis", axis) + number("block_size", size)),
        node("MatMul", ["x", "d"], ["y"], "dense"),
    ]
    found = opened(tmp_path / "a.onnx", nodes, tensors)
    wide = [np.repeat(a, size, axis)[tuple(map(slice, shape))] for a in (scale, zero)]
    expected = (q - wide[1]).astype(np.float32) * wide[0]
    if code == UINT4 and zeros and grid[-1] % 2:
        assert found["w"].encoding == "raw"  # lines of zero points end inside a byte
        return
    assert (found["w"].encoding, found["w"].shape) == ("scaled", shape)
    np.testing.assert_array_equal(values(found, "w"), expected)


def n_bits(
    outputs: int, inputs: int, size: int, bits: int = 4, zeros: str = "", more: Any = ()
) -> tuple[list[bytes], list[bytes], np.ndarray]:
    """The nodes and tensors of a MatMulNBits, and the weights (outputs, inputs) that it multiplies with."""
    rng, blocks = np.random.default_rng(1), -(-inputs // size)
    q = rng.integers(0, 1 << bits, (outputs, blocks * size))
    scale = rng.random((outputs, blocks)).astype(np.float16)
    zero = np.full((outputs, blocks), 1 << bits - 1, np.float64)
    data = halves(q) if bits == 4 else q.astype(np.uint8).tobytes()
    tensors = [
        tensor("l.w", (outputs, blocks, size * bits // 8), UINT8, data),
        tensor("l.s", (outputs * blocks,), HALF, scale.tobytes()),
    ]
    if zeros == "packed":
        zero = rng.integers(0, 1 << bits, (outputs, blocks)).astype(np.float64)
        tensors.append(tensor("l.z", (outputs * blocks // 2,), UINT8, halves(zero)))
    elif zeros == "floats":
        zero = rng.random((outputs, blocks)).astype(np.float16).astype(np.float64)
        tensors.append(tensor("l.z", (outputs, blocks), HALF, zero.astype(np.float16).tobytes()))
    named = {"K": inputs, "N": outputs, "bits": bits, "block_size": size}
    attributes = b"".join(number(k, v) for k, v in named.items())
    given = ["x", "l.w", "l.s", *(["l.z"] if zeros else []), *more]
    wide = [np.repeat(a, size, 1)[:, :inputs] for a in (scale.astype(np.float32), zero.astype(np.float32))]
    expected = (q[:, :inputs].astype(np.float32) - wide[1]) * wide[0]
    return [node("MatMulNBits", given, ["y"], "l", attributes)], tensors, expected


@pytest.mark.parametrize(
    ("outputs", "inputs", "size", "bits", "zeros"),
    [(6, 64, 16, 4, ""), (6, 64, 16, 4, "packed"), (5, 40, 16, 4, ""), (6, 64, 32, 4, "floats"), (3, 32, 16, 8, "")],
)
def test_matrices_of_a_few_bits(
    tmp_path: Path, outputs: int, inputs: int, size: int, bits: int, zeros: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.rows_of, "__defaults__", (100,))
    nodes, tensors, expected = n_bits(outputs, inputs, size, bits, zeros)
    found = opened(tmp_path / "a.onnx", nodes, tensors)
    entry = found["l.w"]
    assert (entry.dtype, entry.shape, entry.problem) == (f"uint{bits}", (outputs, inputs), "")
    np.testing.assert_allclose(values(found, "l.w"), expected, rtol=1e-6)
    assert found.totals().parameters == outputs * inputs


def test_packed_integers_that_are_not_understood_are_no_values(tmp_path: Path) -> None:
    nodes, tensors, _ = n_bits(6, 64, 16, more=["", "order"])
    order = tensor("order", (64,), 6, np.arange(64, dtype="i4").tobytes())
    for found in (
        opened(tmp_path / "a.onnx", nodes, [*tensors, order]),
        opened(tmp_path / "a.onnx", n_bits(6, 64, 16)[0], tensors[:1]),
        opened(tmp_path / "a.onnx", n_bits(7, 64, 16)[0], tensors),
    ):
        assert "packed integers, which are no values" in found["l.w"].problem
        assert found.warnings


def test_damage_ends_in_wtui_errors(tmp_path: Path) -> None:
    nodes, tensors, _ = n_bits(4, 32, 16, zeros="packed")
    assert check_mutations(tmp_path / "a.onnx", model(graph(nodes, tensors)), 500, "onnx") > 100


@pytest.mark.parametrize("axis", [0, 1])
def test_the_reference_gives_the_same(tmp_path: Path, axis: int) -> None:
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    h, rng = onnx.helper, np.random.default_rng(2)
    q = rng.integers(-128, 128, (4, 6)).astype(np.int8)
    scale = rng.random((2, 6) if axis == 0 else (4, 3)).astype(np.float32)
    zero = rng.integers(-128, 128, scale.shape).astype(np.int8)
    tensors = [onnx.numpy_helper.from_array(a, n) for n, a in (("w", q), ("s", scale), ("z", zero))]
    nodes = [h.make_node("DequantizeLinear", ["w", "s", "z"], ["y"], axis=axis, block_size=2)]
    out = [h.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [4, 6])]
    made = h.make_model(h.make_graph(nodes, "g", [], out, tensors), opset_imports=[h.make_opsetid("", 21)])
    onnx.save(made, tmp_path / "a.onnx")
    (expected,) = reference.ReferenceEvaluator(made).run(None, {})
    found = open_catalogue(str(tmp_path / "a.onnx"))
    np.testing.assert_array_equal(values(found, "w"), expected)
