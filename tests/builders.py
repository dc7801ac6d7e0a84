"""Tiny weight files and catalogues for tests, written without the frameworks where that is easy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wtui.model import Catalogue, LayerNode, TensorEntry

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SAFETENSORS_DTYPES", "catalogue_of", "write_safetensors"]

SAFETENSORS_DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "bool": "BOOL",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
}  # fmt: skip


def write_safetensors(
    path: Path, tensors: Mapping[str, NDArray[np.generic]], metadata: Mapping[str, str] | None = None
) -> Path:
    """A safetensors file with the tensors in the given order."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    offset, blobs = 0, []
    for name, array in tensors.items():
        blob = array.tobytes()
        dtype = SAFETENSORS_DTYPES[str(array.dtype)]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))
    return path


def catalogue_of(layers: Sequence[tuple[str, str, Sequence[tuple[str, tuple[int, ...]]]]]) -> Catalogue:
    """A catalogue without files: (layer path, class, [(tensor label, shape)]) in depth order, float32."""
    root = LayerNode("model", "", "Sequential")
    nodes = {"": root}
    tensors: list[TensorEntry] = []
    for path, class_name, members in layers:
        above, _, name = path.rpartition("/")
        node = LayerNode(name, path, class_name)
        nodes[path] = node
        nodes[above].children.append(node)
        for label, shape in members:
            node.tensors.append(len(tensors))
            entry = TensorEntry(f"{path}/{label}", path, label, shape, "float32", None, trainable=True)
            tensors.append(entry)
    return Catalogue("model", "Keras 3", (), tensors, root)
