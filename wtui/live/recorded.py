"""The configuration of a whole Keras model, as a file or folder holds it. Reads metadata; knows no framework."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from wtui.errors import WtuiError
from wtui.formats import sniff
from wtui.formats.hdf5 import open_hdf5
from wtui.formats.keras.assemble import MAX_JSON, read_json
from wtui.formats.keras_zip import CONFIG, folder_documents
from wtui.formats.probe import Probe
from wtui.formats.protobuf import LEN, blob, fields
from wtui.formats.tf.meta_graph import read_meta_graph
from wtui.formats.tf.objects import parse_saved_objects
from wtui.formats.zipped import read_directory, whole
from wtui.storage import CachedSource

__all__ = ["plain_config", "recorded_config"]

GRAPH, KERAS2_RECORDS = "saved_model.pb", "keras_metadata.pb"

MAX_NESTING = 500
"""Containers inside containers; a model inside a model takes five."""

MAX_OBJECTS = 256 << 20
"""Bytes of an object graph that is read."""


def recorded_config(path: str, format: str | None = None) -> Mapping[str, Any]:
    """The serialised model in the file at `path`, `{}` where there is none that can be read.

    Never raises for what a file holds: whoever opens it for its weights is told what is wrong with it.
    """
    try:
        read = _READERS.get(format or sniff(path))
        if read is None:
            return {}
        probe = Probe(path)
        try:
            config = plain_config(read(probe))
            return config if isinstance(config, dict) else {}
        finally:
            probe.close()
    except WtuiError:
        return {}
    except Exception:  # hostile bytes
        return {}


def plain_config(value: Any, depth: int = 0) -> Any:
    """A configuration with what Keras writes for tuples and shapes as plain lists."""
    if depth > MAX_NESTING:
        return None
    if isinstance(value, dict):
        if value.get("class_name") in ("__tuple__", "TensorShape") and isinstance(value.get("items"), list):
            return plain_config(value["items"], depth + 1)
        return {k: plain_config(v, depth + 1) for k, v in value.items()}
    return [plain_config(v, depth + 1) for v in value] if isinstance(value, list) else value


def _of_archive(probe: Probe) -> Mapping[str, Any]:
    if probe.is_folder:
        return folder_documents(probe).config
    members, _ = read_directory(probe.file)
    return read_json(whole(probe.file, members[CONFIG], MAX_JSON), CONFIG)[0]


def _of_hdf5(probe: Probe) -> Mapping[str, Any]:
    raw = open_hdf5(probe.source, cached=True).attrs.get("model_config")
    return read_json(raw, "model_config")[0] if isinstance(raw, str | bytes) else {}


def _of_shards(probe: Probe) -> Mapping[str, Any]:
    return folder_documents(probe).config if probe.inside(CONFIG) is not None else {}


def _of_saved_model(probe: Probe) -> Mapping[str, Any]:
    """What Keras 2 recorded of the outermost object: beside the graph since TensorFlow 2.5, before that inside it."""
    folder = probe.path if probe.is_folder else os.path.dirname(probe.path)
    records = os.path.join(folder, KERAS2_RECORDS)
    if os.path.isfile(records):
        return _outermost(CachedSource(probe.open(records)))
    source = CachedSource(probe.open(os.path.join(folder, GRAPH)))
    place = next(f for f in fields(source, 0, source.size) if f.number == 2 and f.wire == LEN)
    objects = read_meta_graph(source, place.start, place.stop).objects
    nodes = parse_saved_objects(blob(source, objects, MAX_OBJECTS)) if objects is not None else []
    return read_json(nodes[0].metadata, "metadata")[0] if nodes and nodes[0].metadata else {}


def _outermost(source: CachedSource) -> Mapping[str, Any]:
    """The record of object 0 in a keras_metadata.pb (keras/protobuf/saved_metadata.proto)."""
    for field in fields(source, 0, source.size):
        if field.number == 1 and field.wire == LEN:
            parts = {f.number: f for f in fields(source, field.start, field.stop)}
            if (2 not in parts or parts[2].value == 0) and 5 in parts and parts[5].wire == LEN:
                return read_json(blob(source, parts[5], MAX_JSON), KERAS2_RECORDS)[0]
    return {}


_READERS: Mapping[str, Callable[[Probe], Mapping[str, Any]]] = {
    "keras": _of_archive,
    "keras-h5": _of_hdf5,
    "keras-sharded": _of_shards,
    "saved-model": _of_saved_model,
}
"""Formats that may hold a configuration."""
