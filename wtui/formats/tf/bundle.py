"""TensorBundle: TensorFlow's checkpoints of the second version, an index of tensors and files with their bytes.

`PREFIX.index` is a sorted table of names and places, `PREFIX.data-00000-of-00003` hold the values
(tensorflow/core/protobuf/tensor_bundle.proto). Knows where a tensor lies, not what it is for.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

from wtui.errors import FormatError, StorageError, WtuiError
from wtui.formats.absent import MAX_POINTER, why_absent
from wtui.formats.boxes import cut
from wtui.formats.protobuf import varint
from wtui.formats.tf.dtypes import OPAQUE, dtype_name
from wtui.formats.tf.entries import BundleEntry, read_entry, read_header
from wtui.formats.tf.sstable import entries
from wtui.model import DTYPE_BITS, RAW, Extent, FileRef, Notice, Part, TensorEntry
from wtui.storage import FileSource, file_ref

if TYPE_CHECKING:
    from wtui.formats.tf.slices import Box
    from wtui.storage import Source

__all__ = ["Bundle", "BundleEntry", "read_bundle"]

MAX_TENSORS = 1_000_000
"""Tensors of one index; the largest published checkpoints have some thousands."""

INTEGERS = ("int", "uint", "bool")
"""Dtypes of counters, which are single integers."""

MAX_STRING = 64 << 20
"""Bytes of a string that is read: an object graph has about 100 bytes a variable."""

NAMED = 5
"""Tensors that a notice names."""


class Bundle:
    """The index of a checkpoint, and the files that it names as far as they are there."""

    def __init__(self, prefix: str, shards: int, big_endian: bool, tensors: dict[str, BundleEntry]) -> None:
        self.prefix = prefix
        self.shards = shards
        self.byteorder = ">" if big_endian else "<"
        self.tensors = tensors
        """By key, in the order of the index: the alphabet's."""
        self.pieces: dict[bytes, BundleEntry] = {}
        self.files: list[FileRef] = []
        self.missing: dict[int, str] = {}
        """Why a file of values cannot be read, by its number."""
        self._numbers: dict[int, int] = {}

    def data_path(self, shard: int) -> str:
        """Where the values of a shard should lie."""
        return f"{self.prefix}.data-{shard:05d}-of-{self.shards:05d}"

    def find_files(self) -> list[Notice]:
        """Look for the files that the index needs; what is wrong with them."""
        needed = {e.shard for e in (*self.tensors.values(), *self.pieces.values()) if not e.slices}
        for shard in sorted(needed):
            path = self.data_path(shard)
            try:
                ref = _look_at(path)
            except StorageError as error:
                what = error.what.replace("no such file or directory", "is missing")
                self.missing[shard] = f"{path.rpartition('/')[2]} {what}"
                continue
            self._numbers[shard] = len(self.files)
            self.files.append(ref)
        return [Notice("", f"{reason}: its tensors cannot be read", lost=True) for reason in self.missing.values()]

    def overlaps(self) -> list[Notice]:
        """Notices on tensors that claim bytes of others, which nothing that TensorFlow writes does."""
        stored = [(e.shard, e.offset, e.size, str(k)) for k, e in self.tensors.items() if not e.slices and e.size]
        stored += [(e.shard, e.offset, e.size, f"a piece {k[1:60]!r}") for k, e in self.pieces.items() if e.size]
        pairs: list[str] = []
        shard, end, owner = -1, 0, ""
        for at, offset, size, name in sorted(stored):
            if at != shard:
                shard, end = at, 0
            if offset < end:
                pairs.append(f"{name} with {owner}")
            if offset + size > end:
                end, owner = offset + size, name
        if not pairs:
            return []
        named = ", ".join(pairs[:NAMED]) + (", ..." if len(pairs) > NAMED else "")
        return [Notice("", f"{len(pairs):,} tensors share bytes with others, which nothing writes: {named}")]

    def tensor(
        self, key: str, name: str, role: str = "", group: str = "model", trainable: bool | None = None
    ) -> TensorEntry:
        """The tensor stored under `key` as an entry called `name`; what is no weight of a model is its state."""
        entry = self.tensors[key]
        dtype = dtype_name(entry.dtype)
        problem = _opaque(entry, dtype)
        parts: tuple[Part, ...] = ()
        if not problem:
            try:
                parts = self._parts(key, entry, DTYPE_BITS.get(dtype, 8))
            except FormatError as error:
                problem = error.what
        counter = not entry.shape and dtype.startswith(INTEGERS)
        padded = DTYPE_BITS.get(dtype, 8) < 8
        return TensorEntry(
            name,
            name.rpartition("/")[0],
            role or name.rpartition("/")[2],
            entry.shape,
            dtype,
            parts,
            "padded" if padded else RAW,
            byteorder=self.byteorder,
            trainable=trainable,
            group="state" if group == "model" and (counter or dtype in OPAQUE) else group,
            problem=problem,
        )

    def _parts(self, name: str, entry: BundleEntry, bits: int) -> tuple[Part, ...]:
        if not entry.slices and bits >= 8:
            return (Part(self._extent(entry)),)
        bits = max(bits, 8)
        if not entry.slices:
            if entry.size != prod(entry.shape):
                raise FormatError(f"the file holds {entry.size:,} bytes for {prod(entry.shape):,} values")
            return tuple(cut(self._extent(entry), (0,) * len(entry.shape), entry.shape, bits))
        boxes = [self._piece(name, entry, box) for box in entry.slices]
        if sum(prod(box.lengths) for box, _ in boxes) != prod(entry.shape) or _overlap([box for box, _ in boxes]):
            raise FormatError(f"its {len(boxes)} pieces do not make up its shape")
        boxes.sort(key=lambda piece: piece[0].starts)
        if all(box.lengths[1:] == entry.shape[1:] for box, _ in boxes):
            return tuple(Part(extent) for _, extent in boxes)
        return tuple(part for box, extent in boxes for part in cut(extent, box.starts, box.lengths, bits))

    def _piece(self, name: str, entry: BundleEntry, box: Box) -> tuple[Box, Extent]:
        """A piece with its real lengths, and where it lies; FormatError if it is not what it should be."""
        stored = self.pieces.get(box.key(name))
        real = box.within(entry.shape)
        if real is None:
            raise FormatError(f"a piece of it lies outside its shape {list(entry.shape)}")
        if stored is None:
            raise FormatError(f"its piece at {list(box.starts)} is not in the index")
        bits = max(DTYPE_BITS.get(dtype_name(entry.dtype), 8), 8)
        if stored.dtype != entry.dtype or stored.size * 8 != prod(real.lengths) * bits:
            raise FormatError(f"its piece at {list(box.starts)} has not the size that its shape needs")
        return real, self._extent(stored)

    def _extent(self, entry: BundleEntry) -> Extent:
        if entry.shard in self.missing:
            raise FormatError(self.missing[entry.shard])
        return Extent(self._numbers[entry.shard], entry.offset, entry.size)

    def string(self, key: str) -> bytes:
        """The text of a scalar string tensor; FormatError or StorageError if it cannot be had."""
        entry = self.tensors[key]
        if entry.slices or prod(entry.shape) != 1 or entry.size > MAX_STRING:
            raise FormatError(f"{key} is not a single text")
        source = FileSource(self.data_path(entry.shard))
        try:
            data = source.read(entry.offset, entry.size)
            length, at = varint(data, 0)
        except (IndexError, ValueError):
            raise FormatError(f"{key} is damaged", self.prefix) from None
        finally:
            source.close()
        if at + 4 + length != len(data):
            raise FormatError(f"{key} is damaged", self.prefix)
        return data[at + 4 :]


def read_bundle(source: Source, prefix: str) -> Bundle:
    """The bundle whose index is `source`; FormatError if it is damaged, or of the first version."""
    table = entries(source)
    first = next(table, None)
    if first is None or first[0] != b"":
        raise FormatError("is a table, but not the index of a TensorFlow checkpoint", source.name)
    shards, big_endian = read_header(first[1], source.name)
    bundle = Bundle(prefix, shards, big_endian, {})
    shapes: dict[bytes, tuple[int, ...]] = {}
    for key, value in table:
        if len(bundle.tensors) + len(bundle.pieces) >= MAX_TENSORS:
            raise FormatError(f"names more than {MAX_TENSORS:,} tensors", source.name)
        try:
            entry = read_entry(value, shapes)
        except (IndexError, ValueError, WtuiError) as error:
            raise FormatError(f"its entry {key[:80]!r} is damaged", source.name, str(error)) from error
        if key.startswith(b"\x00"):
            bundle.pieces[key] = entry
        else:
            bundle.tensors[key.decode("utf-8", "replace")] = entry
    return bundle


def _look_at(path: str) -> FileRef:
    """The identity of a file of values; StorageError if it is not there or stands for one that is elsewhere."""
    source = FileSource(path)
    try:
        absent = why_absent(source.size, source.read(0, min(source.size, MAX_POINTER))) if source.size else ""
        if absent:
            raise StorageError(absent, path)
        return file_ref(source)
    finally:
        source.close()


def _opaque(entry: BundleEntry, dtype: str) -> str:
    """Why the values are no numbers, or `""`."""
    if dtype == "string":
        count = prod(entry.shape)
        return "holds a text" if count == 1 else f"holds {count:,} texts"
    return f"holds a {dtype}, which has no values to show" if dtype in OPAQUE else ""


def _overlap(boxes: list[Box]) -> bool:
    """Whether two boxes share a value. Boxes that are cut along the first axis alone, the usual ones, are compared with
    their neighbours only, and so are thousands of others: the count of values was compared before."""
    boxes = sorted(boxes, key=lambda box: box.starts)
    if len(boxes) > 64:
        return any(_share(a, b) for a, b in pairwise(boxes))
    return any(_share(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def _share(a: Box, b: Box) -> bool:
    pairs = zip(a.starts, a.lengths, b.starts, b.lengths, strict=True)
    return all(s < t + m and t < s + n for s, n, t, m in pairs)
