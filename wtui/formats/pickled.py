"""Pickles of arrays and tensors that were not written by torch.save: `.pkl`, PaddlePaddle's `.pdparams`.

Read inertly. Protocols 4 and 5 keep the bytes of numpy arrays as they are, so that arrays have extents; protocol 2
keeps them as text. Tensors of PyTorch contain a legacy PyTorch file each.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wtui.errors import FormatError, WtuiError
from wtui.formats.inert import Items, Machine, Object, Placed, Stream, path_of
from wtui.formats.torch.describe import danger_notice, describe
from wtui.formats.torch.draft import Draft
from wtui.formats.torch.legacy import LegacyFile, is_legacy
from wtui.formats.torch.sections import read_sections
from wtui.formats.torch.tensors import EMBEDDED, Run, Storage, Tensors, storage_of
from wtui.formats.torch.visit import Visitor
from wtui.model import Catalogue, Extent
from wtui.storage import file_ref

if TYPE_CHECKING:
    from wtui.formats.probe import Probe
    from wtui.storage import Source

__all__ = ["catalogue", "sniff"]

SUFFIXES = (".pkl", ".pickle", ".p", ".pdparams", ".pdopt")
PROTOCOLS = (2, 3, 4, 5)
_OLD_OPENINGS = b"(]}cd"
"""First opcodes of containers and objects in protocols 0 and 1, which have no header."""

_PADDLE_KEY = "StructuredToParameterName@@"


def sniff(probe: Probe) -> bool:
    """The header of protocols 2 to 5; without one, a known suffix and an opcode that can begin a pickle."""
    head = probe.head
    if len(head) < 2 or is_legacy(head) or probe.file.read(probe.file.size - 1, 1) != b".":
        return False
    if head[0] == 0x80 and head[1] in PROTOCOLS:
        return True
    return probe.suffix in SUFFIXES and head[:1] in _OLD_OPENINGS


def catalogue(probe: Probe) -> Catalogue:
    """Everything in the pickle that is an array or a tensor; FormatError if it cannot be understood."""
    machine = Machine(Stream(probe.file))
    value = _value(machine, probe.path)
    paddle = isinstance(value, Items) and _PADDLE_KEY in value.strings()
    visitor, tensors = Visitor(), Tensors(_PickleFile(probe.file))
    root = Draft(os.path.basename(probe.path))
    sections = read_sections(value, root, visitor, tensors)
    protocol = probe.head[1] if probe.head[0] == 0x80 else 0
    title = f"{'PaddlePaddle, pickle' if paddle else 'pickle'} of protocol {protocol}"
    metadata = {"checkpoint": sections.facts}
    return describe(probe.path, title, [file_ref(probe.file)], root, visitor, metadata, danger_notice(machine.called))


def _value(machine: Machine, path: str) -> object:
    """The pickle's value. joblib's files are pickles with arrays between the opcodes, which are no opcodes."""
    try:
        return machine.load()
    except FormatError as error:
        if any(g.module.startswith("joblib.") for g in machine.called):
            what = "was written by joblib, which puts arrays where a pickle has opcodes"
            raise FormatError(what, path, "load it with joblib and save it with pickle") from error
        raise


class _PickleFile:
    """Where a pickle's own bytes lie, and those of the PyTorch files inside it."""

    byteorder = "<"

    def __init__(self, file: Source) -> None:
        self._file = file
        self._runs: dict[int, tuple[Storage, Run] | None] = {}

    def whole(self, key: str) -> Extent | None:
        """None: every storage is in a file of its own."""
        return None

    def inside(self, offset: int, length: int) -> Extent | None:
        """Bytes of the pickle itself."""
        return Extent(0, offset, length)

    def reference(self, value: object) -> Storage | None:
        """The storage in the legacy PyTorch file that a pickled tensor carries along."""
        if type(value) is not Object or path_of(value) != EMBEDDED:
            return None
        if id(value) not in self._runs:
            self._runs[id(value)] = self._embedded(value)
        found = self._runs[id(value)]
        return found[0]._replace(key=str(id(value))) if found else None

    def storage(self, storage: Storage) -> Run:
        """The bytes of a storage that `reference` gave."""
        found = self._runs.get(int(storage.key))
        return found[1] if found else Run(None, "its storage is in no place that is known")

    def _embedded(self, value: Object) -> tuple[Storage, Run] | None:
        data = value.args[0] if type(value.args) is tuple and value.args else None
        if not isinstance(data, Placed) or not data.verbatim or data.offset < 0:
            return None
        try:
            inner = LegacyFile(self._file, 0, data.offset, data.offset + data.length)
            storage = storage_of(inner.load().root)
        except WtuiError:
            return None
        return (storage, inner.storage(storage)) if storage else None
