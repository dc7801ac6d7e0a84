"""Tiny TensorFlow files, made by hand from the specifications, so that readers are tried without the framework.

Protocol buffers are written by three functions; tables, bundles, object graphs and graphs stand on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "DTYPES",
    "bundle",
    "compressed",
    "constant",
    "graph",
    "message",
    "object_graph",
    "saved_model",
    "table",
    "varint",
]

MAGIC = bytes.fromhex("57fb808b247547db")
DTYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int64": 9, "bool": 10, "float16": 19}


def varint(value: int) -> bytes:
    """An unsigned integer, or a negative one as 64 bits."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(*pairs: tuple[int, int | str | bytes]) -> bytes:
    """A message of (field number, value): integers as varints, texts and bytes with their length."""
    out = b""
    for number, value in pairs:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def fixed32(number: int, value: int) -> bytes:
    """A field of four bytes."""
    return varint(number << 3 | 5) + value.to_bytes(4, "little")


def shape_message(shape: Sequence[int]) -> bytes:
    return message(*((2, message((1, n)) if n else b"") for n in shape))


def table(entries: Iterable[tuple[bytes, bytes]], per_block: int = 4, compression: int = 0) -> bytes:
    """A sorted table with `per_block` entries a block; compression 1 is snappy."""
    entries = list(entries)
    out, index = b"", []
    for start in range(0, len(entries), per_block):
        piece = entries[start : start + per_block]
        data = _stored(_block(piece), compression)
        index.append((piece[-1][0], varint(len(out)) + varint(len(data) - 5)))
        out += data
    handles = b""
    for block in (_block([]), _block(index)):
        data = _stored(block, 0)
        handles += varint(len(out)) + varint(len(data) - 5)
        out += data
    return out + handles.ljust(40, b"\0") + MAGIC


def _block(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Keys as differences to the one before, a restart point at the first entry alone."""
    out, last = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return out + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")


def _stored(block: bytes, compression: int) -> bytes:
    data = compressed(block) if compression else block
    return data + bytes([compression]) + _masked(data + bytes([compression])).to_bytes(4, "little")


def compressed(data: bytes) -> bytes:
    """A snappy block: literals, and copies of what came within the last 2,000 bytes."""
    out, at, literal = varint(len(data)), 0, 0
    while at < len(data):
        length, offset = _longest(data, at)
        if length < 4:
            at += 1
            continue
        out += _literal(data[literal:at]) + bytes([(length - 1) << 2 | 2]) + offset.to_bytes(2, "little")
        at += length
        literal = at
    return out + _literal(data[literal:])


def _longest(data: bytes, at: int) -> tuple[int, int]:
    """Length and distance of the longest repetition, which may reach into itself."""
    best, distance = 0, 0
    start = data.find(data[at : at + 4], max(0, at - 2000), at + 3)
    while 0 <= start < at:
        length = 0
        while length < 64 and at + length < len(data) and data[start + length] == data[at + length]:
            length += 1
        if length > best:
            best, distance = length, at - start
        start = data.find(data[at : at + 4], start + 1, at + 3)
    return best, distance


def _literal(data: bytes) -> bytes:
    if not data:
        return b""
    if len(data) <= 60:
        return bytes([(len(data) - 1) << 2]) + data
    return bytes([61 << 2]) + (len(data) - 1).to_bytes(2, "little") + data


def _crc_table() -> list[int]:
    found = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        found.append(n)
    return found


_CRC = _crc_table()


def _masked(data: bytes) -> int:
    """The checksum of a block: crc32c, rotated and shifted as LevelDB does."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def bundle(
    prefix: Path,
    tensors: Mapping[str, NDArray[np.generic] | bytes],
    *,
    shards: int = 1,
    byteorder: str = "<",
    compression: int = 0,
    extra: Mapping[bytes, bytes] | None = None,
) -> Path:
    """A checkpoint of arrays and of texts (bytes), dealt out to `shards` files in turn; the path of its index."""
    files = [b""] * shards
    header = message((1, shards), *([(2, 1)] if byteorder == ">" else []), (3, message((1, 1))))
    entries = {b"": header, **(extra or {})}
    for i, (name, value) in enumerate(tensors.items()):
        shard = i % shards
        if isinstance(value, bytes):
            dtype, shape = 7, b""
            data = varint(len(value)) + _masked(varint(len(value))).to_bytes(4, "little") + value
        else:
            dtype, shape = DTYPES[str(value.dtype)], shape_message(value.shape)
            data = value.astype(value.dtype.newbyteorder(byteorder)).tobytes()
        place = message((1, dtype), (2, shape), (3, shard), (4, len(files[shard])), (5, len(data)))
        entries[name.encode()] = place + fixed32(6, _masked(data))
        files[shard] += data
    prefix.parent.mkdir(parents=True, exist_ok=True)
    for shard, data in enumerate(files):
        Path(f"{prefix}.data-{shard:05d}-of-{shards:05d}").write_bytes(data)
    index = Path(f"{prefix}.index")
    index.write_bytes(table(sorted(entries.items()), compression=compression))
    return index


def object_graph(nodes: Sequence[tuple[Mapping[str, int], str, str]]) -> bytes:
    """An object graph of (children by attribute, full name and key of the variable or two empty texts)."""
    out = b""
    for children, full_name, key in nodes:
        node = message(*((1, message((1, child), (2, name))) for name, child in children.items()))
        if key:
            node += message((2, message((1, "VARIABLE_VALUE"), (2, full_name), (3, key))))
        out += message((1, node))
    return out


def constant(
    name: str, dtype: int, shape: Sequence[int], content: bytes = b"", values: Sequence[tuple[int, int | bytes]] = ()
) -> bytes:
    """A NodeDef that holds a value: as bytes, or in fields of TensorProto (number, value)."""
    tensor = message((1, dtype), (2, shape_message(shape)), *([(4, content)] if content else []), *values)
    value = message((1, "value"), (2, message((8, tensor))))
    return message((1, name), (2, "Const"), (5, message((1, "dtype"), (2, message((6, dtype))))), (5, value))


def operation(name: str, op: str, *inputs: str) -> bytes:
    """A NodeDef without a value."""
    return message((1, name), (2, op), *((3, i) for i in inputs))


def graph(nodes: Iterable[bytes], functions: Mapping[str, Sequence[bytes]] | None = None) -> bytes:
    """A GraphDef, with functions by name."""
    library = b""
    for name, body in (functions or {}).items():
        library += message((1, message((1, message((1, name))), *((3, node) for node in body))))
    nodes = [(1, node) for node in nodes]
    return message(*nodes, *([(2, library)] if library else []), (4, message((1, 1000))))


def saved_model(
    folder: Path,
    objects: Sequence[tuple[Mapping[str, int], Mapping[int, bytes | str]]],
    graph_def: bytes = b"",
    tags: Sequence[str] = ("serve",),
) -> Path:
    """The `saved_model.pb` of a folder: objects as (children, further fields of SavedObject by number)."""
    nodes = b""
    for children, further in objects:
        node = message(*((1, message((1, child), (2, name))) for name, child in children.items()), *further.items())
        nodes += message((1, node))
    info = message(*((4, tag) for tag in tags), (5, "2.99.0"))
    meta = message((1, info), (2, graph_def), *([(7, nodes)] if objects else []))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "saved_model.pb"
    path.write_bytes(message((1, 1), (2, meta)))
    return path
