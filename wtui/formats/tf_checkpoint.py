"""Checkpoints of TensorFlow: those of objects (TensorFlow 2) and those of names (TensorFlow 1, Estimator).

The path is a folder, the prefix that `save` was given, the `.index` or a data file, or the `checkpoint` text file that
names the latest one. Knows where the files lie; `wtui.formats.tf` knows what is in them.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import StorageError, WtuiError
from wtui.formats.names import natural_key
from wtui.formats.tf.bundle import Bundle, read_bundle
from wtui.formats.tf.listing import OBJECT_GRAPH, Listing, by_names, by_objects
from wtui.formats.tf.meta_graph import MetaGraph, read_meta_graph
from wtui.formats.tf.objects import parse_object_graph
from wtui.formats.tf.sstable import MAGIC, is_table
from wtui.formats.tf.survey import survey
from wtui.formats.tf.tree import hang
from wtui.model import Catalogue, LayerNode, Notice
from wtui.storage import CachedSource, FileSource

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["catalogue", "read_state", "sniff"]

STATE_FILE = "checkpoint"
INDEX, META = ".index", ".meta"
_BESIDE = re.compile(r"\.(data-\d{5}-of-\d{5}|meta)$")
"""Files beside an index."""

_STATED = re.compile(r'^\s*(model_checkpoint_path|all_model_checkpoint_paths)\s*:\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)

MAX_STATE = 1 << 20
"""Bytes of a state file that are read: it names the checkpoints that are kept, usually five."""

OTHERS = 5
"""Other checkpoints of a folder that a notice names."""


class _Chosen(NamedTuple):
    """The checkpoint that is meant, and what should be said of the choice."""

    prefix: str
    notices: list[Notice]


def sniff(probe: Probe) -> bool:
    """A table of tensors, or whatever leads to one."""
    if probe.is_folder:
        return _has_state(probe) or any(
            _is_index(os.path.join(probe.path, n)) for n in probe.names if n.endswith(INDEX)
        )
    if not probe.is_file or _BESIDE.search(probe.path):
        return os.path.isfile(_BESIDE.sub("", probe.path) + INDEX)
    return is_table(probe.file) or (
        _is_text(probe.head) and _STATED.search(probe.head.decode("utf-8", "replace")) is not None
    )


def catalogue(probe: Probe) -> Catalogue:
    """The layers of the checkpoint; FormatError or StorageError if its index cannot be read."""
    prefix, notices = _choose(probe)
    index = probe.file if probe.is_file and is_table(probe.file) else probe.open(prefix + INDEX)
    bundle = read_bundle(index, prefix)
    notices += [*bundle.find_files(), *bundle.overlaps()]
    listing, kind, facts = _list(probe, bundle, notices)
    bundle.tensors.clear()  # a long listing is not held twice
    root = LayerNode(os.path.basename(prefix) or os.path.basename(os.path.abspath(os.path.dirname(prefix))), "")
    tensors = hang(root, listing.tensors, listing.branches, keep_order=facts.pop("ordered", True))
    metadata = {"prefix": prefix, "shards": bundle.shards, **facts}
    told = (*notices, *listing.notices)
    return Catalogue(probe.path, f"TensorFlow {kind} checkpoint", bundle.files, tensors, root, metadata, told)


def _list(probe: Probe, bundle: Bundle, notices: list[Notice]) -> tuple[Listing, str, dict[str, Any]]:
    """The tensors, what kind of checkpoint it is, and what is known about it; a damaged object graph is a notice."""
    if OBJECT_GRAPH in bundle.tensors:
        try:
            nodes = parse_object_graph(bundle.string(OBJECT_GRAPH))
            return by_objects(bundle, survey(nodes)), "object", {"objects": len(nodes)}
        except WtuiError as error:
            notices.append(
                Notice("", f"its object graph cannot be read, so that tensors are called by key: {error}", lost=True)
            )
    meta = _program(probe, bundle.prefix, notices)
    if meta is None:
        return by_names(bundle), "name-based", {"ordered": False}
    listing = by_names(bundle, meta.order, meta.trained)
    return listing, "name-based", {"ordered": bool(meta.order), "tensorflow_version": meta.version}


def _program(probe: Probe, prefix: str, notices: list[Notice]) -> MetaGraph | None:
    """The graph that TensorFlow 1 saves beside the variables, which knows their order and what is trained."""
    if not os.path.isfile(prefix + META):
        return None
    source = CachedSource(probe.open(prefix + META))
    try:
        return read_meta_graph(source, 0, source.size)
    except WtuiError as error:
        notices.append(Notice("", f"the graph beside it ({META}) cannot be read: {error.what}", lost=True))
        return None


def _choose(probe: Probe) -> _Chosen:
    """The prefix of the checkpoint that the path means."""
    if probe.is_folder:
        return _from_folder(probe, probe.path)
    if not probe.is_file:
        return _Chosen(probe.path, [])
    if _BESIDE.search(probe.path):
        return _Chosen(_BESIDE.sub("", probe.path), [])
    if is_table(probe.file):
        return _Chosen(probe.path.removesuffix(INDEX), [])
    return _from_folder(probe, os.path.dirname(probe.path), os.path.basename(probe.path))


def _from_folder(probe: Probe, folder: str, state_name: str = STATE_FILE) -> _Chosen:
    """The latest checkpoint of a folder: as its state file says, else the one that comes last."""
    prefixes = _prefixes(folder)
    notices: list[Notice] = []
    stated = read_state(os.path.join(folder, state_name))
    prefix = ""
    if stated:
        prefix = next((p for p in _places(folder, stated[0]) if os.path.isfile(p + INDEX)), "")
        if not prefix:
            notices.append(Notice("", f"the file {state_name!r} names {stated[0]!r}, which is not there", lost=True))
    if not prefix and not prefixes:
        raise StorageError("holds no checkpoint" if not stated else f"names {stated[0]!r}, which is not there", folder)
    prefix = prefix or prefixes[-1]
    others = [os.path.basename(p) or "(no name)" for p in prefixes if os.path.abspath(p) != os.path.abspath(prefix)]
    if others:
        named = ", ".join(others[-OTHERS:])
        notices.append(Notice("", f"this is {os.path.basename(prefix)}; beside it lie {len(others)} others: {named}"))
    return _Chosen(prefix, notices)


def read_state(path: str) -> list[str]:
    """The checkpoints that a state file names, the latest first; `[]` if there is none or it names none."""
    if not os.path.isfile(path):
        return []
    source = FileSource(path)
    try:
        text = source.read(0, min(source.size, MAX_STATE)).decode("utf-8", "replace")
    finally:
        source.close()
    found = sorted(_STATED.findall(text), key=lambda pair: pair[0] != "model_checkpoint_path")
    return [re.sub(r"\\(.)", r"\1", path) for _, path in found]


def _places(folder: str, stated: str) -> list[str]:
    """Where a stated checkpoint may lie: below the folder as it says; beside the file if it was moved since. A path of
    another machine never leads out of the folder."""
    beside = os.path.join(folder, os.path.basename(stated))
    if os.path.isabs(stated) or ".." in stated.split("/"):
        return [beside]
    return [os.path.join(folder, stated), beside]


def _prefixes(folder: str) -> list[str]:
    """Prefixes of all checkpoints in a folder, later ones last: `ckpt-10` follows `ckpt-9`."""
    try:
        names = os.listdir(folder or ".")
    except OSError as error:
        raise StorageError((error.strerror or "cannot be listed").lower(), folder) from error
    found = [os.path.join(folder, n.removesuffix(INDEX)) for n in names if n.endswith(INDEX)]
    return sorted((p for p in found if _is_index(p + INDEX)), key=natural_key)


def _is_index(path: str) -> bool:
    """Whether a file ends like a table."""
    try:
        with open(path, "rb") as file:
            file.seek(-len(MAGIC), os.SEEK_END)
            return file.read() == MAGIC
    except OSError:
        return False


def _has_state(probe: Probe) -> bool:
    return STATE_FILE in probe.names and bool(read_state(os.path.join(probe.path, STATE_FILE)))


def _is_text(head: bytes) -> bool:
    return bool(head) and b"\0" not in head
