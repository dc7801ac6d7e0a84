"""Small TensorFlow Lite files, written with the FlatBuffers code that TensorFlow generates from the schema."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Given", "schema", "write"]


class Given(NamedTuple):
    """A tensor to be written."""

    name: str
    shape: Sequence[int]
    kind: str = "FLOAT32"
    data: bytes = b""
    scales: Sequence[float] = ()
    points: Sequence[int] = ()
    axis: int = 0
    buffer: int | None = None
    """Share the buffer of this number instead of having one."""
    sparse: bool = False
    block: int = 0


Op = tuple[str, Sequence[int], Sequence[int]]
Graph = tuple[str, Sequence[Given], Sequence[Op]]


def write(path: Path, graphs: Sequence[Graph], far: bytes = b"") -> Path:
    """A model of (name, tensors, operations) for each graph; `far` is put behind it as the last tensor's buffer."""
    model = schema.ModelT()
    model.version, model.description = 3, "made by hand"
    model.buffers, model.subgraphs, model.operatorCodes = [schema.BufferT()], [], []
    codes: dict[str, int] = {}
    for name, tensors, operations in graphs:
        graph = schema.SubGraphT()
        graph.name = name
        graph.tensors = [_tensor(model, given) for given in tensors]
        graph.operators = [_operator(model, codes, op) for op in operations]
        graph.inputs, graph.outputs = [0], [len(tensors) - 1]
        model.subgraphs.append(graph)
    if far:
        model.buffers.append(schema.BufferT())
        model.buffers[-1].offset, model.buffers[-1].size = 12345, len(far)
        model.subgraphs[-1].tensors[-1].buffer = len(model.buffers) - 1
        model.buffers[-1].offset = (len(_packed(model)) + 63) // 64 * 64
    data = _packed(model)
    path.write_bytes(data.ljust((len(data) + 63) // 64 * 64, b"\0") + far if far else data)
    return path


def _packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(model: Any, given: Given) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape = given.name, list(given.shape)
    tensor.type = getattr(schema.TensorType, given.kind)
    tensor.buffer = given.buffer or 0
    if given.data:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(given.data, np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    if given.scales or given.block:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = list(given.scales) or None
        tensor.quantization.zeroPoint = list(given.points) or None
        tensor.quantization.quantizedDimension = given.axis
    if given.block:
        tensor.quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
        tensor.quantization.details = schema.BlockwiseQuantizationT()
        tensor.quantization.details.blockSize = given.block
    if given.sparse:
        tensor.sparsity = schema.SparsityParametersT()
        tensor.sparsity.traversalOrder = [0]
    return tensor


def _operator(model: Any, codes: dict[str, int], op: Op) -> Any:
    name, inputs, outputs = op
    if name not in codes:
        code = schema.OperatorCodeT()
        builtin = getattr(schema.BuiltinOperator, name, schema.BuiltinOperator.CUSTOM)
        code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, 127)
        code.customCode = name if builtin == schema.BuiltinOperator.CUSTOM else None
        codes[name] = len(model.operatorCodes)
        model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = codes[name], list(inputs), list(outputs)
    return operator
