"""A model in several safetensors files: a Hugging Face folder, or its `model.safetensors.index.json`.

The index only says which file holds which name; shapes and offsets come from every shard's own header.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from wtui.errors import FormatError, StorageError
from wtui.formats.beside import class_in, configuration, read_json
from wtui.formats.names import tree_from_names
from wtui.formats.numbered import missing_numbers
from wtui.formats.packed.folder import values_of
from wtui.formats.safe.folder import with_deltas
from wtui.formats.safe.header import cut_off, entries, read_header
from wtui.model import Catalogue, FileRef, LayerNode, Notice, TensorEntry
from wtui.storage import file_ref

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["catalogue", "sniff"]

INDEX_SUFFIX = ".safetensors.index.json"
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.safetensors$")


def sniff(probe: Probe) -> bool:
    """An index file, a folder with one, or a folder of shards; files that are each a model of their own are none."""
    if probe.is_folder:
        loose = _loose_shards(probe)
        return bool(_index_name(probe)) or len(loose) == 1 or (bool(loose) and all(map(_SHARD.search, loose)))
    return probe.path.endswith(INDEX_SUFFIX)


def catalogue(probe: Probe) -> Catalogue:
    """The union of the shards; whatever the index names and no shard holds, and the reverse, becomes a notice."""
    index = _index_name(probe)
    weight_map = _weight_map(probe, index) if index else {}
    shards = sorted(set(weight_map.values())) if index else _loose_shards(probe)
    tensors, files, warnings = _read_shards(probe, shards)
    warnings += missing_numbers(shards) if not index else []
    held = {t.name for t in tensors}
    for name in weight_map:
        if name not in held:
            warnings.append(
                Notice(name, f"the index says it is in {weight_map[name]}, which does not hold it", lost=True)
            )
    for name in held - weight_map.keys() if index else ():
        warnings.append(Notice(name, "a shard holds it, the index does not name it"))
    config = configuration(probe, "config.json", warnings)
    tensors = values_of(tensors, probe, files, warnings, config)
    name = os.path.basename(os.path.abspath(probe.path if probe.is_folder else os.path.dirname(probe.path)))
    root = LayerNode(name, "", class_in(config), config)
    tensors, facts = with_deltas(tensors, probe, root, warnings)
    ordered = tree_from_names(tensors, ".", root)
    title = f"safetensors, {len(files)} shards" if len(files) != 1 else "safetensors"
    return Catalogue(
        probe.path, title, files, ordered, root, {"config": config, "note": config.get("note", ""), **facts}, warnings
    )


def _index_name(probe: Probe) -> str:
    """The index file's name, `""` for a folder without one."""
    if not probe.is_folder:
        return os.path.basename(probe.path)
    found = sorted(n for n in probe.names if n.endswith(INDEX_SUFFIX))
    return next((n for n in found if n == "model" + INDEX_SUFFIX), found[0] if found else "")


def _loose_shards(probe: Probe) -> list[str]:
    """Safetensors files of a folder without an index."""
    return sorted(n for n in probe.names if n.endswith(".safetensors"))


def _weight_map(probe: Probe, index: str) -> dict[str, str]:
    weights = read_json(probe, index).get("weight_map")
    if not isinstance(weights, dict) or not all(isinstance(v, str) for v in weights.values()):
        raise FormatError("has no weight_map of tensor names to files", os.path.join(probe.path, index))
    return weights


def _read_shards(probe: Probe, shards: list[str]) -> tuple[list[TensorEntry], list[FileRef], list[Notice]]:
    """Entries of all shards that can be read; the others become notices."""
    tensors: list[TensorEntry] = []
    files: list[FileRef] = []
    warnings: list[Notice] = []
    seen: set[str] = set()
    probe.prefetch(shards)
    for shard in shards:
        path = probe.inside(shard)
        try:
            if path is None:
                raise StorageError("is missing, or lies outside the folder", shard)
            source = probe.open(path)
            header = read_header(source)
        except (StorageError, FormatError) as error:
            warnings.append(Notice("", f"shard {shard} {error.what}", lost=True))
            continue
        found, notices = entries(header, len(files))
        lacking = cut_off(found, source.size)
        warnings += [Notice("", f"shard {shard} {lacking}", explains=True)] if lacking else []
        files.append(file_ref(source))
        warnings += notices
        warnings += [Notice(t.name, f"stands in {shard} again") for t in found if t.name in seen]
        tensors += [t for t in found if t.name not in seen]
        seen.update(t.name for t in found)
    if not files:
        raise FormatError(warnings[0].message if warnings else "names no shards", probe.path)
    return tensors, files, warnings
