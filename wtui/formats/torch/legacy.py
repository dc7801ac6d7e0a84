"""PyTorch's files before 1.6 (and `_use_new_zipfile_serialization=False` since): pickles, then the storages.

Layout (`torch.serialization._legacy_save`): pickles of a magic number, a version, facts about the machine, the object,
the keys of the storages; then for each key its number of items as a little-endian i64, and the items, little-endian.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.errors import FormatError, WtuiError
from wtui.formats.inert import Machine, Stream
from wtui.formats.torch.archive import Loaded
from wtui.formats.torch.dtypes import QUANTISED
from wtui.formats.torch.tensors import Run, Storage, storage_of
from wtui.model import DTYPE_BITS, Extent

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["MAGIC", "LegacyFile", "is_legacy"]

MAGIC = 0x1950A86A20F9469CFC6C
MAGIC_BYTES = MAGIC.to_bytes(10, "little")
VERSION = 1001

MAX_KEYS = 2_000_000
"""Storages of one file."""


def is_legacy(head: bytes) -> bool:
    """Whether a file begins with the pickle of the magic number."""
    return head[:1] == b"\x80" and MAGIC_BYTES in head[:40]


class LegacyFile:
    """A legacy file, or one inside another file: a tensor that was pickled without torch.save contains one."""

    byteorder = "<"

    def __init__(self, file: Source, number: int, start: int = 0, end: int | None = None) -> None:
        """`number` is the file's in the catalogue. FormatError if it is not what it seems."""
        self.problem = ""
        self._source = file
        self._number = number
        self._machine = Machine(Stream(file, start, end), _class_of_module)
        self._end = file.size if end is None else end
        self._items: dict[str, Run] = {}
        if self._machine.load() != MAGIC or self._machine.load() != VERSION:
            raise FormatError("does not begin like a PyTorch file", file.name)
        self._machine.load()

    def load(self) -> Loaded:
        """The object, once the place of every storage is known."""
        root = self._machine.load()
        called = tuple(self._machine.called)
        types = {s.key: s.dtype for s in map(storage_of, reversed(self._machine.persistent)) if s}
        try:
            keys = self._machine.load()
            if not isinstance(keys, list) or len(keys) > MAX_KEYS:
                raise FormatError("its list of storages is none", self._source.name)
            self._find_storages([str(key) for key in keys], types)
        except WtuiError as error:
            self.problem = f"cut off or damaged behind its description: {error.what}"
        return Loaded(root, called, self)

    def reference(self, value: object) -> Storage | None:
        """The storage that a value refers to."""
        return storage_of(value)

    def storage(self, storage: Storage) -> Run:
        """The bytes of a storage, or of the part of it that files before PyTorch 0.4 mean."""
        run = self._items.get(storage.key)
        if run is None:
            return Run(None, f"the file ends before its storage {storage.key[:60]!r}")
        if storage.view is None or run.extent is None:
            return run
        item = _item(storage.dtype)
        first, length = storage.view[1] * item, storage.view[2] * item
        if first + length > run.extent.length:
            return Run(None, f"its part of storage {storage.key[:60]!r} lies outside of it")
        return Run(Extent(run.extent.file, run.extent.offset + first, length))

    def whole(self, key: str) -> Extent | None:
        """The bytes of the storage that goes by a key."""
        run = self._items.get(key)
        return run.extent if run else None

    def inside(self, offset: int, length: int) -> Extent | None:
        """The bytes at an offset of the pickle: they lie in the same file."""
        return Extent(self._number, offset, length)

    def _find_storages(self, keys: list[str], types: dict[str, str]) -> None:
        """Step from storage to storage: each is preceded by its number of items."""
        at = self._machine.stream.position
        for key in keys:
            item = _item(types.get(key, ""))
            if not item:
                raise FormatError(f"nothing says what storage {key[:60]!r} holds", self._source.name)
            if at + 8 > self._end:
                raise FormatError(f"ends before storage {key[:60]!r}", self._source.name)
            length = int.from_bytes(self._source.read(at, 8), "little") * item
            self._items[key] = Run(Extent(self._number, at + 8, length))
            at += 8 + length


def _class_of_module(reference: object) -> object:
    """Legacy files refer to the class of a module with its source code, which is not looked at."""
    if type(reference) is tuple and len(reference) > 1 and reference[0] == "module":
        return reference[1]
    return None


def _item(dtype: str) -> int:
    """Bytes of an item of a storage, 0 for a type that is not known."""
    return QUANTISED.get(dtype) or DTYPE_BITS.get(dtype, 0) // 8
