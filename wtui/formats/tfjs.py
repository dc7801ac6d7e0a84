"""TensorFlow.js models: a `model.json` with the architecture and the list of weights, and the shards beside it.

Weights lie back to back over all shards of a group, whatever the shards' borders. Source: the TensorFlow.js converter's
`write_weights.py`. Quantised weights stand for `q * scale + min`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import FormatError, WtuiError
from wtui.formats.absent import MAX_POINTER, why_absent
from wtui.formats.names import tree_from_names
from wtui.model import RAW, Catalogue, Extent, FileRef, LayerNode, Notice, Part, TensorEntry, stored_bytes
from wtui.storage import file_ref

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["boxes", "catalogue", "sniff"]

NAMES = ("model.json", "weights_manifest.json")

MAX_JSON = 64 << 20
"""Bytes of a `model.json`."""

MAX_SHARDS = 10_000
MAX_WEIGHTS = 1_000_000
MAX_AXES = 64
MAX_DEPTH = 32

MAX_QUANTISED = 1 << 19
"""Values of a quantised weight that are decoded at once."""

DTYPES = {"float32": "float32", "int32": "int32", "bool": "bool", "complex64": "complex64"}
QUANTISED = {"uint8": "uint8", "uint16": "uint16", "float16": "float16"}
STATISTICS = ("moving_mean", "moving_variance")


class Shard(NamedTuple):
    """A file of weights in its place among the bytes of its group."""

    file: int
    start: int
    """Offset of its first byte in the group."""
    size: int


def sniff(probe: Probe) -> bool:
    """A JSON file with a `weightsManifest`, or a folder with one."""
    name = next((n for n in NAMES if n in probe.names), "") if probe.is_folder else probe.path
    if not name.endswith(".json"):
        return False
    file = probe.open(os.path.join(probe.path, name) if probe.is_folder else name)
    if file.size > MAX_JSON:
        return False
    data = file.read(0, file.size)
    return b'"weightsManifest"' in data or (data.lstrip().startswith(b"[") and b'"paths"' in data)


def catalogue(probe: Probe) -> Catalogue:
    """Every weight of the manifest; FormatError if there is none."""
    found = _read(probe)
    listing = _Listing(probe)
    for group in _list(found["weightsManifest"]):
        if isinstance(group, dict):
            listing.add_group(group)
    if not listing.tensors:
        raise FormatError("lists no weights", probe.path)
    root = LayerNode(os.path.basename(os.path.abspath(probe.path)), "")
    layers = dict(_layers(found.get("modelTopology")))
    tensors = [_described(t, layers) for t in listing.tensors.values()]
    ordered = tree_from_names(tensors, "/", root, keep_order=True)
    for node in root.walk():
        config = layers.get(node.name, {})
        node.class_name = str(config.get("class_name", ""))
        inner = config.get("config")
        node.config = inner if isinstance(inner, dict) else {}
    kept = ("format", "generatedBy", "convertedBy", "userDefinedMetadata", "signature")
    metadata = {key: found[key] for key in kept if key in found}
    title = f"TF.js {found.get('format', 'weights')}"[:60]
    return Catalogue(probe.path, title, listing.files, ordered, root, metadata, listing.notices)


def _read(probe: Probe) -> dict[str, Any]:
    """The object in the JSON file, an older list of groups put into one."""
    path = probe.path
    if probe.is_folder:
        path = os.path.join(path, next((n for n in NAMES if n in probe.names), NAMES[0]))
    file = probe.open(path)
    if file.size > MAX_JSON:
        raise FormatError(f"has {file.size:,} bytes, more than a model.json has", path)
    try:
        found = json.loads(file.read(0, file.size))
    except (ValueError, RecursionError) as error:
        raise FormatError("is not valid JSON", path) from error
    if isinstance(found, list):
        found = {"weightsManifest": found}
    if not isinstance(found, dict) or "weightsManifest" not in found:
        raise FormatError("has no weightsManifest", path)
    return found


class _Listing:
    """Weights and the shards they lie in."""

    def __init__(self, probe: Probe) -> None:
        self.files: list[FileRef] = []
        self.tensors: dict[str, TensorEntry] = {}
        self.notices: list[Notice] = []
        self._probe = probe

    def add_group(self, group: dict[str, Any]) -> None:
        """Take in the weights of a group. What lies behind a gap of unknown size is listed with its reason."""
        shards, missing = self._shards([str(p) for p in _list(group.get("paths"))])
        at, lost = 0, ""
        for weight in _list(group.get("weights"))[:MAX_WEIGHTS]:
            entry = _entry(weight)
            if entry is None:
                self.notices.append(Notice("", "a weight whose description cannot be understood", lost=True))
                lost = lost or "it follows a weight of unknown size"
                continue
            size = stored_bytes(entry.dtype, entry.shape)
            if lost or size is None:
                problem = entry.problem or lost
                lost = lost or f"it follows {entry.name}, whose size is not known"
                entry = entry._replace(problem=problem)
            else:
                entry = _placed(entry, at, size, shards, missing)
                at += size
            self._take(entry)

    def _take(self, entry: TensorEntry) -> None:
        if entry.name in self.tensors:
            self.notices.append(Notice(entry.name, "stands in the manifest twice; the last one counts"))
        self.tensors[entry.name] = entry

    def _shards(self, names: list[str]) -> tuple[list[Shard], str]:
        """The shards up to the first one that is missing, and which that is."""
        shards: list[Shard] = []
        at = 0
        for name in names[:MAX_SHARDS]:
            path = self._probe.inside(name)
            try:
                if path is None:
                    raise FormatError("is missing, or outside the model's folder")
                file = self._probe.open(path)
                absent = why_absent(file.size, file.read(0, min(file.size, MAX_POINTER))) if file.size else ""
                if absent:
                    raise FormatError(absent)
            except WtuiError as error:
                self.notices.append(Notice("", f"the shard {name[:200]!r} {error.what}", lost=True))
                return shards, f"the shard {name[:200]!r} is missing"
            shards.append(Shard(len(self.files), at, file.size))
            self.files.append(file_ref(file))
            at += file.size
        return shards, ""


def _entry(weight: Any) -> TensorEntry | None:
    """What the manifest says of a weight, None if that makes no sense."""
    if not isinstance(weight, dict):
        return None
    name, shape, dtype = weight.get("name"), weight.get("shape"), weight.get("dtype")
    is_shape = isinstance(shape, list) and len(shape) <= MAX_AXES and all(type(n) is int and n >= 0 for n in shape)
    if not isinstance(name, str) or not isinstance(shape, list) or not is_shape or not isinstance(dtype, str):
        return None
    entry = TensorEntry(name, "", name.rpartition("/")[2], tuple(shape), DTYPES.get(dtype, dtype), ())
    quantisation = weight.get("quantization")
    if not isinstance(quantisation, dict):
        return entry if dtype in DTYPES else entry._replace(problem=f"values of type {dtype} cannot be decoded")
    stored = QUANTISED.get(str(quantisation.get("dtype")))
    if stored is None:
        return entry._replace(dtype="unknown", problem="quantised in a way that is not known")
    if stored == "float16":
        return entry._replace(dtype=stored)
    scale, minimum = quantisation.get("scale"), quantisation.get("min")
    if not isinstance(scale, int | float) or not isinstance(minimum, int | float):
        return entry._replace(dtype=stored, problem="quantised without a scale")
    arguments = (("scales", (float(scale),)), ("minimum", float(minimum)), ("axis", None))
    return entry._replace(dtype=stored, encoding="affine", encoding_args=arguments)


def _placed(entry: TensorEntry, start: int, size: int, shards: list[Shard], missing: str) -> TensorEntry:
    """The entry with its bytes `start : start + size` of the group, which may lie in several shards."""
    end = shards[-1].start + shards[-1].size if shards else 0
    if start + size > end:
        lacking = start + size - max(end, start)
        problem = missing or f"{lacking:,} of its {size:,} bytes lie behind the end of the last shard"
        return entry._replace(problem=entry.problem or problem)
    pieces = []
    for shard in shards:
        first, last = max(start, shard.start), min(start + size, shard.start + shard.size)
        if first < last:
            pieces.append((first - start, Extent(shard.file, first - shard.start, last - first)))
    if entry.encoding == RAW:
        return entry._replace(parts=tuple(Part(extent) for _, extent in pieces))
    width = size // (prod(entry.shape) or 1)
    if any(offset % width for offset, _ in pieces):
        return entry._replace(problem="a border between shards cuts one of its values")
    return entry._replace(parts=tuple(_boxed(entry.shape, width, pieces)))


def _boxed(shape: tuple[int, ...], width: int, pieces: list[tuple[int, Extent]]) -> Iterator[Part]:
    """Pieces of a tensor's bytes as boxes of at most MAX_QUANTISED values of `width` bytes."""
    for offset, (file, start, length) in pieces:
        at = offset // width
        for origin, box in boxes(shape, at, at + length // width, MAX_QUANTISED):
            size = prod(box) * width
            yield Part(Extent(file, start, size), origin, box)
            start += size


def boxes(
    shape: tuple[int, ...], start: int, stop: int, most: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(origin, shape) of the fewest boxes of at most `most` values that are the values `start:stop` in C order."""
    while start < stop:
        origin, rest = [], start
        for axis in range(len(shape)):
            i, rest = divmod(rest, prod(shape[axis + 1 :]))
            origin.append(i)
        axis, inside = len(shape) - 1, 1
        room = min(stop - start, most)
        while axis > 0 and origin[axis] == 0 and inside * shape[axis] <= room:
            inside *= shape[axis]
            axis -= 1
        if axis < 0:
            yield (), ()
            return
        count = min(shape[axis] - origin[axis], max(room // inside, 1))
        yield tuple(origin), (*(1 for _ in range(axis)), count, *shape[axis + 1 :])
        start += count * inside


def _layers(topology: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and description of every Keras layer of a topology; nothing for graph models, whose layers have no names."""
    stack = [(topology.get("model_config") if isinstance(topology, dict) else None, 0)]
    while stack:
        found, depth = stack.pop()
        inner = found.get("config") if isinstance(found, dict) else None
        if not isinstance(found, dict) or depth > MAX_DEPTH:
            continue
        if isinstance(inner, list):
            inner = {"layers": inner}
        if not isinstance(inner, dict):
            continue
        if isinstance(inner.get("name"), str):
            yield inner["name"], {"class_name": found.get("class_name", ""), "config": inner}
        stack += [(layer, depth + 1) for layer in (*_list(inner.get("layers")), inner.get("layer"))]


def _described(tensor: TensorEntry, layers: dict[str, dict[str, Any]]) -> TensorEntry:
    """The entry with what its layer's configuration says of being trainable."""
    owners = [layers[part] for part in tensor.name.split("/")[:-1] if part in layers]
    if not owners:
        return tensor
    is_trained = all(owner["config"].get("trainable", True) is True for owner in owners)
    return tensor._replace(trainable=is_trained and tensor.role not in STATISTICS)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
