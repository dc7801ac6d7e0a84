"""Arrays that only a library can read, as sources of bytes: zarr chunks, perhaps inside OCDBT, through tensorstore.

The bytes of such an array are its chunks one after the other, each in C order and as large as the first one, so that a
chunk is one range. tensorstore is an extra: it is imported when the first byte, or the first key, is asked for.
"""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from itertools import product
from math import prod
from threading import Lock
from typing import TYPE_CHECKING, Any

from wtui.errors import StorageError
from wtui.storage.source import _check_range, _Counted, _read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from wtui.model import FileRef

__all__ = ["ArraySource", "chunk_origins", "describe_array", "is_tensorstore_here", "list_ocdbt", "read_ocdbt"]

MAX_CHUNK = 1 << 31
"""Bytes of a decoded chunk: it is decoded whole, and checkpoints are often written in one chunk an array."""

AT_ONCE = 1000
"""Keys that are asked for at the same time."""

MAX_KEYS = 1_000_000


def is_tensorstore_here() -> bool:
    """Whether tensorstore can be imported; does not import it."""
    return find_spec("tensorstore") is not None


def list_ocdbt(folder: str) -> list[str]:
    """The keys of the OCDBT database in a folder; StorageError if it cannot be read."""
    store = _open_ocdbt(folder)
    keys = _result(store.list(), folder)[:MAX_KEYS]
    return [key.decode("utf-8", "replace") for key in keys]


def read_ocdbt(folder: str, keys: Sequence[str]) -> dict[str, bytes]:
    """The values of keys of the OCDBT database in a folder, without those that it does not hold."""
    store = _open_ocdbt(folder)
    found: dict[str, bytes] = {}
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        futures = [store.read(key) for key in some]
        for key, future in zip(some, futures, strict=True):
            answer = _result(future, folder)
            if answer.state == "value":
                found[key] = bytes(answer.value)
    return found


def describe_array(
    folder: str, array: str, driver: str, shape: Sequence[int], chunk: Sequence[int], *, ocdbt: bool
) -> str:
    """What `FileRef.array` says of an array: where it is, and how it is cut."""
    base = os.path.abspath(folder) + "/"
    below = f"{array}/" if array else ""
    store: dict[str, Any] = {"driver": "file", "path": base if ocdbt else base + below}
    if ocdbt:
        store = {"driver": "ocdbt", "base": store, "path": below}
    return json.dumps({"spec": {"driver": driver, "kvstore": store}, "shape": list(shape), "chunk": list(chunk)})


def chunk_origins(shape: Iterable[int], chunk: Iterable[int]) -> Iterable[tuple[int, ...]]:
    """Where the chunks of an array begin, in the order of their bytes in an ArraySource."""
    return product(*(range(0, n, c) for n, c in zip(shape, chunk, strict=True)))


class ArraySource(_Counted):
    """The chunks of an array one after the other; StorageError for whatever tensorstore does not like."""

    def __init__(self, ref: FileRef) -> None:
        super().__init__()
        self.name = ref.path
        self.size = ref.size
        described = json.loads(ref.array)
        self._spec = described["spec"]
        self._shape: tuple[int, ...] = tuple(described["shape"])
        self._chunk: tuple[int, ...] = tuple(described["chunk"])
        self._grid = tuple(-(-n // c) for n, c in zip(self._shape, self._chunk, strict=True))
        count = prod(self._grid)
        self._chunk_bytes = ref.size // count if count else 0
        self._lock = Lock()
        self._array: Any = None

    def read_into(self, buffer: memoryview, offset: int) -> None:
        _check_range(self, offset, len(buffer))
        done = 0
        while done < len(buffer):
            number, start = divmod(offset + done, self._chunk_bytes)
            data = self._decoded(number)[start : start + len(buffer) - done]
            buffer[done : done + len(data)] = data
            done += len(data)
        self._count(len(buffer))

    def read(self, offset: int, length: int) -> bytes:
        number, start = divmod(offset, self._chunk_bytes or 1)
        if start or length != self._chunk_bytes:
            return _read(self, offset, length)
        _check_range(self, offset, length)
        self._count(length)
        return bytes(self._decoded(number))

    def close(self) -> None:
        self._array = None

    def _decoded(self, number: int) -> memoryview:
        """The bytes of a chunk in C order; where it sticks out over the array's edge, zeros."""
        import numpy as np

        if self._chunk_bytes > MAX_CHUNK:
            message = f"a chunk of {self._chunk_bytes:,} bytes; at most {MAX_CHUNK:,} are decoded at once"
            raise StorageError(message, self.name)
        box = []
        for n, c, g in zip(reversed(self._shape), reversed(self._chunk), reversed(self._grid), strict=True):
            number, i = divmod(number, g)
            box.append(slice(i * c, min((i + 1) * c, n)))
        values = np.asarray(_result(self._opened()[tuple(reversed(box))].read(), self.name))
        if values.shape != self._chunk:
            whole = np.zeros(self._chunk, values.dtype)
            whole[tuple(slice(n) for n in values.shape)] = values
            values = whole
        data: NDArray[np.uint8] = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        if len(data) != self._chunk_bytes:
            raise StorageError(f"a chunk decodes to {len(data):,} bytes instead of {self._chunk_bytes:,}", self.name)
        return data.data

    def _opened(self) -> Any:
        with self._lock:
            if self._array is None:
                array = _result(_import().open(self._spec, open=True, read=True), self.name)
                if tuple(array.shape) != self._shape:
                    raise StorageError("has changed since it was opened", self.name, "open it again")
                self._array = array
            return self._array


def _open_ocdbt(folder: str) -> Any:
    spec = {"driver": "ocdbt", "base": {"driver": "file", "path": os.path.abspath(folder) + "/"}}
    return _result(_import().KvStore.open(spec), folder)


def _import() -> Any:
    try:
        import tensorstore
    except ImportError:
        raise StorageError("needs tensorstore", hint="pip install 'wtui[orbax]'") from None
    return tensorstore


def _result(future: Any, path: str) -> Any:
    """What a future brings; tensorstore raises errors of many types, whose first sentence says enough."""
    try:
        return future.result()
    except Exception as error:
        message = str(error).split("\n")[0].split(" [")[0][:200] or type(error).__name__
        raise StorageError(f"tensorstore cannot read it: {message}", path) from error
