"""A model in several PyTorch files: `pytorch_model.bin.index.json` and its shards, or the folder that they lie in.

The index only says which file holds which name; everything else comes from each shard's own pickle.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from wtui.errors import FormatError, StorageError, WtuiError
from wtui.formats.numbered import missing_numbers
from wtui.formats.packed.folder import values_of
from wtui.formats.safe.folder import hang_deltas
from wtui.formats.torch.describe import finish_with_optimizers
from wtui.formats.torch.draft import Draft
from wtui.formats.torch.folder import class_in_config, folder_name, read_json
from wtui.formats.torch.sections import read_sections
from wtui.formats.torch.tensors import Tensors
from wtui.formats.torch.visit import Visitor
from wtui.formats.torch_file import open_file
from wtui.model import Catalogue, FileRef, Notice

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from wtui.formats.probe import Probe

__all__ = ["catalogue", "sniff"]

INDEX_SUFFIX = ".bin.index.json"
_LOOSE = re.compile(r"^(pytorch_model|model|diffusion_pytorch_model|adapter_model)(-\d{5}-of-\d{5})?\.bin$")

MAX_SHARDS = 10_000
MAX_NOTICES = 50
"""Names that the index and the shards do not agree on and that are told one by one; more are counted."""


def sniff(probe: Probe) -> bool:
    """A folder with an index or with files that are called as Hugging Face calls them, or an index itself."""
    if probe.is_folder:
        return any(name.endswith(INDEX_SUFFIX) or _LOOSE.match(name) for name in probe.names)
    return probe.path.endswith(INDEX_SUFFIX)


def catalogue(probe: Probe) -> Catalogue:
    """The union of the shards; what is missing, or what the index and the shards do not agree on, is told."""
    index = _index_name(probe)
    weight_map = _weight_map(probe, index) if index else {}
    shards = sorted(set(weight_map.values())) if index else sorted(n for n in probe.names if _LOOSE.match(n))
    config = read_json(probe, "config.json")
    root = Draft(folder_name(probe), None, class_in_config(config))
    visitor, files = Visitor(), list[FileRef]()
    warnings = [
        *(missing_numbers(shards) if not index else ()),
        *_read(probe, shards[:MAX_SHARDS], root, visitor, files),
    ]
    if not files:
        raise FormatError(warnings[0].message if warnings else "names no shards", probe.path)
    done = finish_with_optimizers(root, visitor)
    held = {t.name for t in done.tensors}
    warnings += _disagreements(weight_map, held) if index else []
    tensors = values_of(done.tensors, probe, files, warnings, config)
    tensors, facts = hang_deltas(tensors, probe, done.root, warnings)
    warnings += [Notice("", n) for n in visitor.notices]
    title = f"PyTorch, {len(shards)} shards" if len(shards) != 1 else "PyTorch"
    return Catalogue(
        probe.path, title, files, tensors, done.root, {"config": config, **facts}, [*warnings, *done.notices]
    )


def _index_name(probe: Probe) -> str:
    """The index file's name, `""` for a folder without one."""
    if not probe.is_folder:
        return os.path.basename(probe.path)
    found = sorted(n for n in probe.names if n.endswith(INDEX_SUFFIX))
    return next((n for n in found if n == "pytorch_model" + INDEX_SUFFIX), found[0] if found else "")


def _weight_map(probe: Probe, index: str) -> Mapping[str, str]:
    weights = read_json(probe, index).get("weight_map")
    if not isinstance(weights, dict) or not all(isinstance(v, str) for v in weights.values()):
        raise FormatError("has no weight_map of tensor names to files", os.path.join(probe.path, index))
    return weights


def _read(probe: Probe, shards: Collection[str], root: Draft, visitor: Visitor, files: list[FileRef]) -> list[Notice]:
    """Visit every shard that can be read; the others become notices."""
    warnings: list[Notice] = []
    probe.prefetch(shards)
    for shard in shards:
        path = probe.inside(shard)
        try:
            if path is None:
                raise StorageError("is missing, or lies outside the folder", shard)
            opened = open_file(probe.open(path), files)
        except WtuiError as error:
            warnings.append(Notice("", f"shard {shard} {error.what}", lost=True))
            continue
        warnings += [Notice("", f"{shard}: {n.message}", n.lost) for n in opened.notices]
        read_sections(opened.loaded.root, root, visitor, Tensors(opened.loaded.places))
    return warnings


def _disagreements(weight_map: Mapping[str, str], held: set[str]) -> list[Notice]:
    """Notices on names that only the index or only the shards know."""
    lost = [n for n in weight_map if n not in held]
    extra = [n for n in held if n not in weight_map]
    text = "the index says it is in {}, which does not hold it"
    found = [Notice(n, text.format(weight_map[n]), lost=True) for n in lost[:MAX_NOTICES]]
    found += [Notice(n, "a shard holds it, the index does not name it") for n in sorted(extra)[:MAX_NOTICES]]
    more = max(len(lost) - MAX_NOTICES, 0) + max(len(extra) - MAX_NOTICES, 0)
    if more:
        text = f"the index and the shards disagree on {more:,} more names"
        found.append(Notice("", text, lost=len(lost) > MAX_NOTICES))
    return found
