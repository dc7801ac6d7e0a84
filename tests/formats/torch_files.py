"""PyTorch's files written by hand, without PyTorch: a pickle writer that can say anything, and the containers."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wtui.engine.blocks import plan_blocks
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue

__all__ = [
    "ARRAYS", "CONTAINERS", "STORAGES", "Call", "Global", "Pairs", "Pid", "Raw", "Stored", "floats", "legacy_file",
    "linear", "module", "opened", "ordered", "parameter", "pickled", "script", "state_dict", "tensor", "values",
    "zip_file",
]  # fmt: skip

STORAGES = {
    "float64": "DoubleStorage", "float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage",
    "int32": "IntStorage", "int16": "ShortStorage", "int8": "CharStorage", "uint8": "ByteStorage",
    "bool": "BoolStorage", "complex64": "ComplexFloatStorage",
}  # fmt: skip


class Global(NamedTuple):
    """A class or function by name."""

    module: str
    name: str


class Call:
    """A call, with what is set on its result."""

    def __init__(self, callee: Any, args: tuple[Any, ...] = (), state: Any = None) -> None:
        self.callee = callee
        self.args = args
        self.state = state


class Pid(NamedTuple):
    """A persistent reference."""

    id: Any


class Raw:
    """Something that is written as it says itself."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def emit(self) -> bytes:
        """Its opcodes."""
        return self.data


class Stored(NamedTuple):
    """A storage and what it holds."""

    key: str
    data: np.ndarray


def pickled(value: Any, memo: dict[int, int] | None = None) -> bytes:
    """A pickle of protocol 2 of plain data and of the classes above; equal objects are shared, as pickle does it."""
    out = bytearray(b"\x80\x02")
    _Writer(out).write(value)
    return bytes(out + b".")


class _Writer:
    def __init__(self, out: bytearray) -> None:
        self.out = out
        self.memo: dict[int, int] = {}
        self.kept: list[Any] = []

    def write(self, value: Any) -> None:
        if id(value) in self.memo:
            self.out += b"j" + struct.pack("<I", self.memo[id(value)])
            return
        if isinstance(value, Global):
            self.out += f"c{value.module}\n{value.name}\n".encode()
        elif isinstance(value, Raw):
            self.out += value.emit()
        elif isinstance(value, Pid):
            self.write(value.id)
            self.out += b"Q"
        elif isinstance(value, Call):
            self._call(value)
        elif isinstance(value, dict | Pairs):
            self.out += b"}"
            self._remember(value)
            self._items(value.pairs if isinstance(value, Pairs) else list(value.items()))
        elif isinstance(value, tuple):
            self.out += b"("
            for part in value:
                self.write(part)
            self.out += b"t"
        elif isinstance(value, list):
            self.out += b"]"
            self._remember(value)
            self.out += b"("
            for part in value:
                self.write(part)
            self.out += b"e"
        else:
            self._atom(value)

    def _call(self, value: Call) -> None:
        self.write(value.callee)
        self.write(tuple(value.args))
        self.out += b"R"
        self._remember(value)
        if isinstance(value.state, Pairs):
            self._items(value.state.pairs)
        elif value.state is not None:
            self.write(value.state)
            self.out += b"b"

    def _items(self, pairs: Sequence[tuple[Any, Any]]) -> None:
        self.out += b"("
        for key, part in pairs:
            self.write(key)
            self.write(part)
        self.out += b"u"

    def _remember(self, value: Any) -> None:
        self.memo[id(value)] = len(self.memo)
        self.kept.append(value)
        self.out += b"r" + struct.pack("<I", self.memo[id(value)])

    def _atom(self, value: Any) -> None:
        self.out += pickle.dumps(value, 2)[2:-1].replace(b"q\x00", b"") if not isinstance(value, str) else _text(value)


class Pairs:
    """Items of a dictionary whose keys need not be hashable."""

    def __init__(self, items: Sequence[tuple[Any, Any]]) -> None:
        self.pairs = list(items)


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def ordered(items: Mapping[Any, Any]) -> Call:
    """An OrderedDict."""
    return Call(Global("collections", "OrderedDict"), (), Pairs(list(items.items())))


def tensor(
    stored: Stored,
    shape: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    offset: int = 0,
    grad: bool = False,
    numel: int | None = None,
    extra: tuple[Any, ...] = (),
    kind: str = "",
) -> Call:
    """`_rebuild_tensor_v2` of a view of a storage: by default the storage's whole array."""
    data = stored.data
    shape = data.shape if shape is None else tuple(shape)
    if strides is None:
        strides = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
    name = kind or STORAGES[str(data.dtype.newbyteorder("="))]
    reference = Pid(
        ("storage", Global("torch", name), stored.key, "cpu", data.size if numel is None else numel, *extra)
    )
    args = (reference, offset, shape, tuple(strides), grad, ordered({}))
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), args)


def parameter(inner: Call, grad: bool = True) -> Call:
    """A torch.nn.Parameter."""
    return Call(Global("torch._utils", "_rebuild_parameter"), (inner, grad, ordered({})))


def module(
    name: str,
    parameters: Mapping[str, Any] = {},
    buffers: Mapping[str, Any] = {},
    modules: Mapping[str, Any] = {},
    **attributes: Any,
) -> Call:
    """An instance of a torch.nn.Module, as pickle writes it."""
    held = {"_parameters": dict(parameters), "_buffers": dict(buffers), "_modules": dict(modules)}
    path, _, last = name.rpartition(".")
    new = Global("copyreg", "__newobj__")
    return Call(new, (Global(path, last),), {"training": True, **held, **attributes})


def script(name: str, **attributes: Any) -> Call:
    """An instance of a TorchScript class."""
    return Call(Global(f"__torch__.{name.rpartition('.')[0]}", name.rpartition(".")[2]), (), attributes)


def state_dict(arrays: Mapping[str, np.ndarray]) -> tuple[Call, list[Stored]]:
    """A state dict of whole arrays, and their storages."""
    stores = [Stored(str(i), array) for i, array in enumerate(arrays.values())]
    return ordered({name: tensor(s) for name, s in zip(arrays, stores, strict=True)}), stores


def zip_file(
    value: Any,
    stores: Sequence[Stored] = (),
    method: int = zipfile.ZIP_STORED,
    records: Mapping[str, bytes] = {},
    prefix: str = "archive",
) -> bytes:
    """What torch.save writes since 1.6."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(f"{prefix}/data.pkl", value if isinstance(value, bytes) else pickled(value))
        for name, data in {"byteorder": b"little", **records, "version": b"3\n"}.items():
            archive.writestr(f"{prefix}/{name}", data)
        for stored in stores:
            archive.writestr(f"{prefix}/data/{stored.key}", stored.data.tobytes())
    return out.getvalue()


def legacy_file(value: Any, stores: Sequence[Stored] = ()) -> bytes:
    """What torch.save wrote before."""
    facts = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    out = b"".join(pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, facts))
    ordered_stores = sorted(stores, key=lambda s: s.key)
    out += pickled(value) + pickled([s.key for s in ordered_stores])
    for stored in ordered_stores:
        out += struct.pack("<q", stored.data.size) + stored.data.tobytes()
    return out


def values(catalogue: Catalogue) -> dict[str, np.ndarray]:
    """All tensors that can be read, by name."""
    files = Files(catalogue.files)
    try:
        return {t.name: plan_blocks(t, catalogue, files).array() for t in catalogue.tensors if not t.problem}
    finally:
        files.close()


RNG = np.random.default_rng(5)
ARRAYS: dict[str, np.ndarray] = {
    "conv.weight": RNG.standard_normal((4, 3, 3, 3)).astype("f4"),
    "conv.bias": RNG.standard_normal(4).astype("f4"),
    "norm.weight": RNG.standard_normal(4).astype("f2"),
    "norm.num_batches_tracked": np.array(7),
    "head.weight": RNG.standard_normal((2, 4)),
    "head.mask": RNG.random((2, 4)) < 0.5,
    "empty": np.zeros((0, 3), "f4"),
}
CONTAINERS = {"zip": zip_file, "legacy": legacy_file}


def opened(path: Path, data: bytes) -> Catalogue:
    """The catalogue of a file of these bytes."""
    path.write_bytes(data)
    return open_catalogue(str(path))


def floats(key: str, *shape: int) -> Stored:
    """A storage that counts."""
    return Stored(key, np.arange(np.prod(shape), dtype="f4").reshape(shape))


def linear(name: str, key: int, *shape: int, grad: bool = True) -> tuple[Call, list[Stored]]:
    """A layer of a weight and a bias, of a class of this name, and its storages."""
    stores = [floats(f"{key}", *shape), floats(f"{key + 1}", shape[0])]
    held = {"weight": parameter(tensor(stores[0]), grad), "bias": parameter(tensor(stores[1]), grad)}
    return module(name, held, in_features=shape[1], out_features=shape[0]), stores
