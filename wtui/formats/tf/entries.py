"""The records of a TensorBundle: what its index says of the whole, and of every tensor.

From tensorflow/core/protobuf/tensor_bundle.proto. Knows no files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import FormatError
from wtui.formats.protobuf import FIXED32, LEN, Field, message, signed, varint
from wtui.formats.tf.slices import parse_slice

if TYPE_CHECKING:
    from wtui.formats.tf.slices import Box

__all__ = ["BundleEntry", "read_entry", "read_header"]

MAX_SHARDS = 100_000
"""Files of one checkpoint."""

MAX_RANK = 254
"""Axes of a tensor: TensorFlow's own limit."""


class BundleEntry(NamedTuple):
    """What the index says of a tensor, or of a piece of one."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc32c: int
    """Masked; 0 where it is not recorded."""
    slices: tuple[Box, ...]
    """Of a partitioned variable, which has no bytes of its own."""


def read_header(data: bytes, name: str) -> tuple[int, bool]:
    """Number of data files, and whether values are big-endian; FormatError for a table of the first version."""
    found: dict[int, Field] = {f.number: f for f in message(data)}
    if 1 in found and found[1].wire == LEN:
        raise FormatError(
            "is a TensorFlow checkpoint of version 1 (one file, written before 2017), which wtui does not read",
            name,
            "convert it: " + V1_TO_V2,
        )
    shards = found[1].value if 1 in found else 0
    if shards > MAX_SHARDS:
        raise FormatError(f"claims to consist of {shards:,} files", name)
    return shards, 2 in found and found[2].value == 1


V1_TO_V2 = (
    'python -c "import sys, tensorflow as tf; r = tf.train.load_checkpoint(sys.argv[1]); '
    "n = sorted(r.get_variable_to_shape_map()); "
    "tf.raw_ops.SaveV2(prefix=sys.argv[2], tensor_names=n, shape_and_slices=[''] * len(n), "
    'tensors=[r.get_tensor(x) for x in n])" OLD NEW'
)
"""What turns a checkpoint of the first version into one of the second, where TensorFlow is installed."""


def read_entry(data: bytes, shapes: dict[bytes, tuple[int, ...]]) -> BundleEntry:
    """A BundleEntryProto; what is absent is 0. `shapes` are those that were met before.

    Read without detours: an index has as many of these as tensors.
    """
    found = [0] * 8
    shape: tuple[int, ...] = ()
    slices: list[Box] = []
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == FIXED32:
            value, at = int.from_bytes(data[at : at + 4], "little"), at + 4
        else:
            value, at = varint(data, at)
        if wire == LEN:
            body = data[at : at + value]
            at += value
            if number == 2:
                known = shapes.get(body)
                shape = shapes[body] = _shape(body) if known is None else known
            elif number == 7:
                slices.append(parse_slice(body))
        elif number < len(found):
            found[number] = value
    if at > len(data):
        raise ValueError("a field leads out of it")
    _, dtype, _, shard, offset, size, crc32c, _ = found
    if shard > MAX_SHARDS or max(offset, size) >> 63:
        raise ValueError("its place is impossible")
    return BundleEntry(dtype, shape, shard, offset, size, crc32c, tuple(slices))


def _shape(data: bytes) -> tuple[int, ...]:
    """A TensorShapeProto."""
    dims: list[int] = []
    for field in message(data):
        if field.number == 2 and field.wire == LEN:
            size = next((f.value for f in message(data, field.start, field.stop) if f.number == 1), 0)
            dims.append(signed(size))
    if len(dims) > MAX_RANK:
        raise FormatError(f"a shape of {len(dims):,} axes")
    return tuple(dims)
