"""safetensors: a JSON header with names, dtypes, shapes and offsets, then the values. One file.

Packed weights are unpacked by what `config.json` beside the file says of them; an index beside it is not looked at.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wtui.formats.beside import class_in, configuration
from wtui.formats.names import tree_from_names
from wtui.formats.numbered import alone
from wtui.formats.packed.folder import values_of
from wtui.formats.safe.folder import with_deltas
from wtui.formats.safe.header import MAX_HEADER, Header, cut_off, entries, read_first, read_header
from wtui.model import Catalogue, LayerNode, Notice, TensorEntry
from wtui.storage import file_ref, is_remote

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["catalogue", "preview", "sniff"]

WHOLE = "model.safetensors"
"""What Hugging Face calls the only file of a model, to which the configuration beside it belongs."""


def sniff(probe: Probe) -> bool:
    """A plausible header length, then an opening brace; of a file that ends inside its header, a name behind it."""
    head = probe.head
    if len(head) < 10 or head[8:9] not in b"{ ":
        return False
    length = int.from_bytes(head[:8], "little")
    brace = b"{" if length <= probe.file.size - 8 else b'{"'
    return 2 <= length <= MAX_HEADER and head[8:].lstrip().startswith(brace)


def catalogue(probe: Probe) -> Catalogue:
    """All tensors of one file, in the model's order as far as names or offsets tell it."""
    return _described(probe, read_header(probe.file))


def _described(probe: Probe, header: Header) -> Catalogue:
    tensors, warnings = entries(header, 0)
    lacking = cut_off(tensors, probe.file.size)
    warnings += [Notice("", f"the file {lacking}", explains=True)] if lacking else []
    files = (file_ref(probe.file),)
    keep_order = _order_is_meant(tensors)
    name = os.path.basename(probe.path)
    beside = name == WHOLE and not is_remote(probe.path)  # elsewhere it would be one more request
    config = configuration(probe, "config.json", warnings) if beside else None
    warnings += alone(name)
    tensors = values_of(tensors, probe, files, warnings, config)
    root = LayerNode(name, "", class_in(config or {}), config)
    tensors, facts = with_deltas(tensors, probe, root, warnings)
    ordered = tree_from_names(tensors, ".", root, keep_order=keep_order and not facts)
    metadata = {"config": config or {}, "metadata": header.metadata, "note": header.metadata.get("note", ""), **facts}
    return Catalogue(probe.path, "safetensors", files, ordered, root, metadata, warnings)


def preview(probe: Probe) -> Catalogue | None:
    """The first tensors of a file of very many, in the order of its header; None for a file that opens quickly."""
    header = read_first(probe.file)
    return _described(probe, header) if header is not None else None


def _order_is_meant(tensors: list[TensorEntry]) -> bool:
    """Whether the order of the bytes is more than the writer's sorting by name within each dtype."""
    last: dict[str, str] = {}
    for tensor in tensors:
        if tensor.name < last.get(tensor.dtype, ""):
            return True
        last[tensor.dtype] = tensor.name
    return False
