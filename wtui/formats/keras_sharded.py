"""Weights that Keras 3 spread over several files: `X.weights.json` and the shards that it names.

The map from groups to shards is only a list of files to open; what is in them is read from them. One group may span
several shards.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError, WtuiError
from wtui.formats.absent import MAX_POINTER, why_absent
from wtui.formats.hdf5 import open_hdf5
from wtui.formats.keras.assemble import MAX_JSON, Documents, keras3_catalogue, read_json
from wtui.formats.keras.saved import SavedGroup, read_saved
from wtui.formats.keras.tree import Origin
from wtui.formats.keras_zip import CONFIG, folder_documents
from wtui.model import FileRef, Notice
from wtui.storage import CachedSource, file_ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wtui.formats.probe import Probe
    from wtui.model import Catalogue

__all__ = ["catalogue", "sniff"]

SUFFIX = ".weights.json"
FOLDER_MAP = "model.weights.json"
"""The map in a folder that holds a whole model."""

MAX_SHARDS = 10_000
"""Files that are opened for one model."""


def sniff(probe: Probe) -> bool:
    """A map of groups to HDF5 files, or a folder with one."""
    if probe.is_folder:
        return FOLDER_MAP in probe.names
    return probe.path.endswith(SUFFIX) and probe.head.lstrip().startswith(b"{")


def catalogue(probe: Probe) -> Catalogue:
    """The union of the shards; shards that are missing and groups that no shard holds become notices."""
    name = FOLDER_MAP if probe.is_folder else os.path.basename(probe.path)
    path = probe.inside(name)
    if path is None:
        raise FormatError(f"holds no {name}", probe.path)
    file = probe.open(path)
    if file.size > MAX_JSON:
        raise FormatError(f"{name} has {file.size:,} bytes, more than the {MAX_JSON:,} that are read", probe.path)
    index, told = read_json(file.read(0, file.size), name)
    weight_map = _weight_map(index)
    if not weight_map:
        raise FormatError(f"{name} names no shards", probe.path, told[0].message if told else "")
    saved, files, notices = _read(probe, weight_map)
    documents = folder_documents(probe) if probe.is_folder or _has_config(probe, name) else Documents({}, {})
    documents = documents._replace(notices=(*documents.notices, *told, *notices))
    extra = {"shards": [os.path.basename(f.path) for f in files], **_total_size(index)}
    return keras3_catalogue(probe.path, name.removesuffix(SUFFIX), files, saved, documents, extra)


def _has_config(probe: Probe, name: str) -> bool:
    """Whether the map is that of a whole model, whose configuration lies beside it."""
    return name == FOLDER_MAP and probe.inside(CONFIG) is not None


def _weight_map(index: Mapping[str, Any]) -> dict[str, list[str]]:
    """Group -> names of the shards that hold it, without whatever is malformed."""
    found = index.get("weight_map")
    shards: dict[str, list[str]] = {}
    for group, names in found.items() if isinstance(found, dict) else ():
        listed = names if isinstance(names, list) else [names]
        shards[group] = [n for n in listed if isinstance(n, str)]
    return {group: names for group, names in shards.items() if names}


def _total_size(index: Mapping[str, Any]) -> dict[str, Any]:
    metadata = index.get("metadata")
    return {"total_size": metadata["total_size"]} if isinstance(metadata, dict) and "total_size" in metadata else {}


def _read(probe: Probe, weight_map: dict[str, list[str]]) -> tuple[SavedGroup, list[FileRef], list[Notice]]:
    """All shards, merged."""
    saved = SavedGroup("", "")
    files: list[FileRef] = []
    notices: list[Notice] = []
    shards = sorted({name for names in weight_map.values() for name in names})
    if len(shards) > MAX_SHARDS:
        raise FormatError(f"names {len(shards):,} shards, more than the {MAX_SHARDS:,} that are opened", probe.path)
    for name in shards:
        path = probe.inside(name)
        if path is None:
            notices.append(Notice("", f"the shard {name!r} is missing", lost=True))
            continue
        file = probe.open(path)
        absent = why_absent(file.size, file.read(0, min(file.size, MAX_POINTER)))
        if absent:
            notices.append(Notice("", f"the shard {name!r} {absent}", lost=True))
            continue
        try:
            read_saved(open_hdf5(CachedSource(file), cached=True), Origin(path, len(files), 0, file.size), saved)
        except WtuiError as error:
            notices.append(Notice("", f"a shard cannot be read: {error}", lost=True))
            continue
        files.append(file_ref(file))
    held = {f"/{group.path}/vars".replace("//", "/") for group in saved.walk() if group.variables}
    lost = [group for group in weight_map if group not in held]
    notices += [Notice("", f"{group} is in none of the shards that could be read", lost=True) for group in lost]
    return saved, files, notices
