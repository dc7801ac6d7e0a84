"""Orbax checkpoints: a folder whose `_METADATA` lists a tree of arrays, each a zarr array, usually inside OCDBT.

The path may be the item itself, a step that holds it, or the folder of all steps, of which the last is taken. Inside
OCDBT nothing but the tree can be told without tensorstore.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import FormatError, WtuiError
from wtui.formats.jax_tree import assemble, group_of, trainable
from wtui.formats.zarr import NEEDS, Listing, parse_array, parse_json, read_json
from wtui.model import Catalogue, LayerNode, Notice, TensorEntry
from wtui.storage.arrays import is_tensorstore_here, list_ocdbt, read_ocdbt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wtui.formats.probe import Probe

__all__ = ["catalogue", "sniff"]

TREE, MANIFEST, STEP, STRINGS = "_METADATA", "manifest.ocdbt", "_CHECKPOINT_METADATA", "_strings.json"

ITEMS = ("default", "state", "params", "model")
"""Items of a step, the ones with weights first."""

MAX_ARRAYS = 1_000_000

MAX_KEY_PARTS = 64

META_FILES = {"zarr": ".zarray", "zarr3": "zarr.json"}


class Saved(NamedTuple):
    """A leaf of the tree that was saved."""

    path: tuple[str, ...]
    kind: str
    """`jax.Array`, `np.ndarray`, `scalar`, `string`, ..."""
    shape: tuple[int, ...]
    """As written by one process, which may be a part of the whole; `()` where the metadata do not say."""

    @property
    def stored_as(self) -> str:
        """The name of its array."""
        return ".".join(self.path)


def sniff(probe: Probe) -> bool:
    """A folder with Orbax's metadata, or of steps that have such."""
    return probe.is_folder and _find_item(probe.path, probe.names) is not None


def catalogue(probe: Probe) -> Catalogue:
    """Every array of the item; FormatError if there is none."""
    item = _find_item(probe.path, probe.names)
    if item is None:
        raise FormatError("is no Orbax checkpoint", probe.path)
    folder, notices = item
    names = set(os.listdir(folder))
    saved, tree = _saved(probe, folder, names)
    listing = Listing(folder, os.path.join(folder, MANIFEST) if MANIFEST in names else "")
    if MANIFEST in names:
        _list_ocdbt(listing, folder, saved)
    else:
        _list_folders(probe, listing, folder, saved)
    if not listing.tensors:
        raise FormatError("holds no arrays", probe.path)
    notices += listing.notices
    root = LayerNode(os.path.basename(os.path.abspath(probe.path)), "")
    ordered = assemble(listing.tensors, root, notices, keep_order=False)
    metadata = {"item": os.path.relpath(folder, probe.path), **tree, **_strings(probe, folder, names)}
    kind = f"{'OCDBT, ' if MANIFEST in names else ''}zarr {listing.versions()}".rstrip()
    return Catalogue(probe.path, f"Orbax ({kind})", listing.files, ordered, root, metadata, notices, listing.locate)


def _find_item(folder: str, names: frozenset[str], depth: int = 0) -> tuple[str, list[Notice]] | None:
    """The folder of the item with the weights, and what was passed over; None if there is none."""
    if TREE in names or (MANIFEST in names and depth == 0):
        return folder, []
    if STEP in names:
        inner = [n for n in (*ITEMS, *sorted(names)) if os.path.isfile(os.path.join(folder, n, TREE))]
        others = sorted(set(inner[1:]) - {inner[0]}) if inner else []
        notices = [Notice("", f"the item {inner[0]} is shown; there are also {', '.join(others)}")] if others else []
        return (os.path.join(folder, inner[0]), notices) if inner else None
    steps = sorted((int(n), n) for n in names if n.isdecimal() and len(n) < 12)
    for _, name in reversed(steps) if depth == 0 else ():
        try:
            below = frozenset(os.listdir(os.path.join(folder, name)))
        except OSError:
            continue
        found = _find_item(os.path.join(folder, name), below, 1)
        if found is not None:
            told = [Notice("", f"step {name} is shown, the last of {len(steps):,}")] if len(steps) > 1 else []
            return found[0], [*told, *found[1]]
    return None


def _saved(probe: Probe, folder: str, names: set[str]) -> tuple[list[Saved], dict[str, Any]]:
    """The leaves that the metadata list, and what they say of the whole; no leaves where there are no metadata."""
    if TREE not in names:
        return [], {}
    found = read_json(probe.open(os.path.join(folder, TREE)))
    leaves = found.get("tree_metadata")
    saved = list(_leaves(leaves)) if isinstance(leaves, dict) else []
    kept = ("use_ocdbt", "use_zarr3", "custom_metadata")
    return saved, {key: found[key] for key in kept if found.get(key) is not None}


def _leaves(tree: dict[str, Any]) -> Iterator[Saved]:
    """The leaves of the tree in the metadata's order, without those that cannot be understood."""
    for leaf in list(tree.values())[:MAX_ARRAYS]:
        try:
            path = tuple(str(part["key"]) for part in leaf["key_metadata"])
            value = leaf["value_metadata"]
            shape = tuple(int(n) for n in value.get("write_shape") or ())
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if 0 < len(path) <= MAX_KEY_PARTS:
            yield Saved(path, str(value.get("value_type", "")), shape)


def _list_ocdbt(listing: Listing, folder: str, saved: list[Saved]) -> None:
    """The arrays of an OCDBT database, by their own metadata if tensorstore is there, else by the tree alone."""
    by_name = {s.stored_as: s for s in saved}
    if not is_tensorstore_here():
        listing.notices.append(Notice("", f"{NEEDS}; shapes are those of one written piece", lost=True))
        listing.tensors += [_entry(s)._replace(shape=s.shape, problem=NEEDS) for s in saved if s.kind != "string"]
        return
    keys = _array_keys(folder, by_name)
    values = read_ocdbt(folder, list(keys))
    manifest = os.path.join(folder, MANIFEST)
    for key, name in keys.items():
        if key not in values:
            continue
        leaf = by_name.pop(name, None) or Saved(tuple(name.split(".")), "", ())
        try:
            meta = parse_array(parse_json(values[key], key), key)
        except WtuiError as error:
            listing.notices.append(Notice("", f"{name}: {error.what}", lost=True))
            continue
        if meta is not None:
            listing.add("/".join(leaf.path), name, meta, manifest, _entry(leaf))
    _tell_missing(listing, by_name)


def _array_keys(folder: str, by_name: dict[str, Saved]) -> dict[str, str]:
    """Key of the metadata -> name of the array, for all arrays that the tree or the database itself names."""
    if by_name:
        return {f"{n}/{meta}": n for n, s in by_name.items() if s.kind != "string" for meta in META_FILES.values()}
    suffixes = tuple(f"/{meta}" for meta in META_FILES.values())
    keys = [k for k in list_ocdbt(folder) if k.endswith(suffixes)]
    return {k: k.rpartition("/")[0] for k in keys[:MAX_ARRAYS]}


def _list_folders(probe: Probe, listing: Listing, folder: str, saved: list[Saved]) -> None:
    """Arrays that each have a folder of their own."""
    by_name = {s.stored_as: s for s in saved}
    for name, leaf in list(by_name.items()):
        if "/" in name or name in (".", "..") or leaf.kind == "string":
            continue
        for file in META_FILES.values():
            path = os.path.join(folder, name, file)
            if not os.path.isfile(path):
                continue
            try:
                meta = parse_array(read_json(probe.open(path)), path)
            except WtuiError as error:
                listing.notices.append(Notice("", f"{name}: {error.what}", lost=True))
                continue
            if meta is not None:
                listing.add("/".join(leaf.path), name, meta, path, _entry(leaf))
                by_name.pop(name, None)
    _tell_missing(listing, by_name)


def _tell_missing(listing: Listing, left: dict[str, Saved]) -> None:
    """Leaves of the tree whose arrays are not there stay in the listing."""
    for leaf in left.values():
        if leaf.kind not in ("string", "None", "Dict", "List", "Tuple"):
            listing.tensors.append(_entry(leaf)._replace(shape=leaf.shape, problem="the checkpoint does not hold it"))


def _entry(leaf: Saved) -> TensorEntry:
    """What the tree says of a tensor; where its values lie is filled in later."""
    group = "state" if leaf.kind == "scalar" and group_of(leaf.path) == "model" else group_of(leaf.path)
    name = "/".join(leaf.path)
    return TensorEntry(name, "", leaf.path[-1], (), "unknown", (), trainable=trainable(leaf.path), group=group)


def _strings(probe: Probe, folder: str, names: set[str]) -> dict[str, Any]:
    """Texts that were saved beside the arrays."""
    if STRINGS not in names:
        return {}
    try:
        return {"texts": read_json(probe.open(os.path.join(folder, STRINGS)))}
    except WtuiError:
        return {}
