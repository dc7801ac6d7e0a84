"""Keras models and weights in one HDF5 file: `.weights.h5` of Keras 3, and the `.h5` files of Keras 1, 2 and 3.

Which of the layouts it is, is told by the groups and attributes at the root, never by the file's name.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from wtui.errors import WtuiError
from wtui.formats.hdf5 import open_hdf5
from wtui.formats.keras.assemble import Documents, build, keras3_catalogue, read_json
from wtui.formats.keras.config import parse, summary
from wtui.formats.keras.legacy import Legacy, is_legacy, optimizer_draft, weights_group
from wtui.formats.keras.saved import looks_saved_by_keras3, read_saved
from wtui.formats.keras.tree import Origin
from wtui.model import Notice
from wtui.storage import file_ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wtui.formats.hdf5 import Group
    from wtui.formats.probe import Probe
    from wtui.model import Catalogue, FileRef

__all__ = ["catalogue", "sniff"]

SHARD_DIGITS = 5
"""Digits by which Keras numbers shards: `model_00003.weights.h5`."""

_DOCUMENTS = ("model_config", "training_config")
"""Attributes that are read as JSON; other texts are kept as they are: people leave notes there."""


def sniff(probe: Probe) -> bool:
    """Whether it is HDF5 that Keras wrote; any other is left to the reader of HDF5."""
    if not probe.is_file:
        return False
    try:
        root = open_hdf5(probe.source, cached=True)
        return is_legacy(root) or looks_saved_by_keras3(root)
    except WtuiError:
        return False


def catalogue(probe: Probe) -> Catalogue:
    """The layers of the file, with their weights."""
    root = open_hdf5(probe.source, cached=True)
    origin = Origin(probe.path, 0, 0, probe.file.size)
    files = (file_ref(probe.file),)
    name = os.path.basename(probe.path).split(".")[0]
    group = weights_group(root)
    if group is not None:
        return _legacy(probe.path, name, files, root, group, origin)
    documents = Documents({}, {}, _other_shards(probe))
    return keras3_catalogue(probe.path, name, files, read_saved(root, origin), documents, {})


def _other_shards(probe: Probe) -> tuple[Notice, ...]:
    """A word on the rest of the model, if the file is only one of its shards."""
    name = os.path.basename(probe.path).removesuffix(".weights.h5")
    stem, _, number = name.rpartition("_")
    if len(number) != SHARD_DIGITS or not number.isdecimal() or probe.inside(f"{stem}.weights.json") is None:
        return ()
    return (Notice("", f"this is one of several shards: open {stem}.weights.json for the whole model"),)


def _legacy(path: str, name: str, files: tuple[FileRef, ...], root: Group, group: Group, origin: Origin) -> Catalogue:
    """A whole model, or its weights alone."""
    config, notices = _document(root, "model_config")
    training, more = _document(root, "training_config")
    model = parse(config)
    legacy = Legacy(group, origin, model, name)
    optimizer = optimizer_draft(root, origin, training)
    if optimizer is not None:
        legacy.root.children.append(optimizer)
    facts = {k: v for k in ("keras_version", "backend") if (v := _text(root, k) or _text(group, k))}
    notes = {k: v for k in root.attrs if k not in (*facts, *_DOCUMENTS) and (v := _text(root, k))}
    version = facts.get("keras_version", "1")
    title = f"Keras {version} (HDF5)" if model else f"Keras {version} weights (HDF5)"
    metadata = {**facts, **notes, **summary(model), **({"training_config": training} if training else {})}
    return build(path, title, files, legacy.root, metadata, legacy.remarks, (*notices, *more))


def _document(root: Group, attribute: str) -> tuple[Mapping[str, Any], tuple[Notice, ...]]:
    """A JSON object in an attribute; empty where there is none."""
    raw = root.attrs.get(attribute)
    if not isinstance(raw, (str, bytes)):
        return {}, ()
    return read_json(raw, attribute)


def _text(group: Group, attribute: str) -> str:
    value = group.attrs.get(attribute)
    value = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    return value if isinstance(value, str) else ""
