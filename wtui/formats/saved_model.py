"""SavedModel: a folder with a graph, the objects it was made from, and a checkpoint of their variables.

Written by Keras 2 (`model.save`), Keras 3 (`model.export`), `tf.saved_model.save` and Estimators. Classes and trainable
flags are told where the writer recorded them. The path may be the folder or the `saved_model.pb` in it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import FormatError, WtuiError
from wtui.formats.protobuf import LEN, blob, fields
from wtui.formats.tf.bundle import Bundle, read_bundle
from wtui.formats.tf.constants import CONSTANTS, read_graph
from wtui.formats.tf.dtypes import OPAQUE
from wtui.formats.tf.keras2 import layers_of_file, layers_of_objects, plant
from wtui.formats.tf.listing import OBJECT_GRAPH, Listing, by_names, by_objects, entries_of, missing_notices
from wtui.formats.tf.meta_graph import MetaGraph, read_meta_graph
from wtui.formats.tf.naming import METRIC, name_optimizers
from wtui.formats.tf.objects import ObjectNode, parse_object_graph, parse_saved_objects
from wtui.formats.tf.survey import VARIABLE_VALUE, Place, Survey, survey
from wtui.formats.tf.tree import Branch, hang, hang_on
from wtui.formats.tf_graph import name_classes
from wtui.model import Catalogue, LayerNode, Notice
from wtui.storage import CachedSource, StoredFile, file_ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wtui.formats.probe import Probe
    from wtui.formats.tf.keras2 import KerasLayer
    from wtui.model import TensorEntry
    from wtui.storage import Source

__all__ = ["catalogue", "sniff"]

GRAPH, TEXT_GRAPH = "saved_model.pb", "saved_model.pbtxt"
KERAS = "keras_metadata.pb"
VARIABLES = "variables/variables"

MAX_OBJECTS = 256 << 20
"""Bytes of an object graph that is read."""

MAX_GRAPHS = 16
"""Graphs of one model that are looked at: one for serving, perhaps one for training."""

SERVE = "serve"
"""The tag of the graph for serving."""

INITIALISER = "/Initializer/"
"""The scope in which TensorFlow 1 keeps the values that variables begin with."""

MAX_ASSETS = 10_000
"""Files of assets that are listed."""

ALL = "_all_variables"
"""The list that Keras 3 exports beside `variables`, with a copy of every variable."""


def sniff(probe: Probe) -> bool:
    """A folder with a graph, or a file that begins like one: a version, then one large message."""
    if probe.is_folder:
        return GRAPH in probe.names or TEXT_GRAPH in probe.names
    if not probe.is_file or not probe.head.startswith(b"\x08\x01\x12"):
        return False
    try:
        outer = list(fields(probe.source, 0, probe.file.size))
        inner = next(fields(probe.source, outer[1].start, outer[1].stop), None)
        return all(f.number == 2 for f in outer[1:]) and inner is not None and (inner.number, inner.wire) == (1, LEN)
    except WtuiError:
        return False


def catalogue(probe: Probe) -> Catalogue:
    """The layers of the model; FormatError if its graph cannot be read."""
    folder = probe.path if probe.is_folder else os.path.dirname(probe.path)
    file = _graph_file(probe, folder)
    source = CachedSource(file)
    notices: list[Notice] = []
    meta = _meta_graph(source, notices)
    name = os.path.basename(os.path.abspath(folder))
    bundle = _bundle(probe, folder, notices)
    described = _variables(probe, folder, source, meta, bundle, name, notices)
    files = [*(bundle.files if bundle else ()), file_ref(file)]
    tensors = _with_constants(source, meta, described, len(files) - 1, notices)
    version = f" of TensorFlow {meta.version}" if meta.version else ""
    facts = {"assets": _assets(folder, meta), "signatures": meta.signatures, "tags": list(meta.tags)}
    metadata = {"tensorflow_version": meta.version, **{key: value for key, value in facts.items() if value}}
    title = f"SavedModel{version}{described.writer}"
    return Catalogue(probe.path, title, files, tensors, described.root, metadata, notices)


class _Described(NamedTuple):
    """The variables of a model, before they are hung into its tree."""

    root: LayerNode
    listing: Listing
    owners: list[LayerNode] | None = None
    """The layer of each tensor where layers are recorded; None: by the scopes in the names."""
    writer: str = ""
    ordered: bool = True


def _graph_file(probe: Probe, folder: str) -> StoredFile:
    if not probe.is_folder:
        return probe.file
    path = os.path.join(folder, GRAPH)
    if not os.path.isfile(path):
        raise FormatError(f"its graph is written as text ({TEXT_GRAPH}), which wtui does not read", folder)
    return probe.open(path)


def _meta_graph(source: Source, notices: list[Notice]) -> MetaGraph:
    """The graph for serving, or the first if none is."""
    places = [f for f in fields(source, 0, source.size) if f.number == 2 and f.wire == LEN]
    if not places:
        raise FormatError("holds no graph", source.name)
    found = [read_meta_graph(source, place.start, place.stop) for place in places[:MAX_GRAPHS]]
    chosen = next((meta for meta in found if SERVE in meta.tags), found[0])
    if len(places) > 1:
        tags = ", ".join("/".join(meta.tags) or "none" for meta in found)
        notices.append(Notice("", f"it holds {len(places)} graphs (tags: {tags}); this is the one for serving"))
    return chosen


def _bundle(probe: Probe, folder: str, notices: list[Notice]) -> Bundle | None:
    """The checkpoint of the variables; None with a notice where it is there and cannot be read."""
    prefix = os.path.join(folder, VARIABLES)
    if not os.path.isfile(f"{prefix}.index"):
        return None
    try:
        bundle = read_bundle(probe.open(f"{prefix}.index"), prefix)
    except WtuiError as error:
        notices.append(Notice("", f"its variables cannot be read: {error}", lost=True))
        return None
    notices += [*bundle.find_files(), *bundle.overlaps()]
    return bundle


def _variables(
    probe: Probe, folder: str, source: Source, meta: MetaGraph, bundle: Bundle | None, name: str, notices: list[Notice]
) -> _Described:
    """Names, layers and trainability, from as much as is recorded and can be read."""
    nodes: list[ObjectNode] = []
    try:
        nodes = _objects(source, meta, bundle, notices)
    except WtuiError as error:
        notices.append(
            Notice("", f"its objects cannot be read, so that layers are told by names alone: {error}", lost=True)
        )
    if bundle is None:
        count = sum(node.variable is not None for node in nodes)
        if count:
            notices.append(
                Notice("", f"it has {count:,} variables, but its folder 'variables' holds none of them", lost=True)
            )
        return _Described(LayerNode(name, ""), Listing([], [], []))
    if not nodes:
        listing = by_names(bundle, meta.order, meta.trained)
        return _Described(LayerNode(name, ""), listing, ordered=bool(meta.order))
    walked = survey(nodes, is_model=True)
    notices += _drop_copies(walked, bundle)
    layers = _keras_layers(probe, folder, nodes, notices)
    if any(layer.identifier != METRIC for layer in layers.values()):
        return _keras2(walked, layers, bundle, name, notices)
    listing = by_objects(bundle, walked)
    notices += listing.notices
    return _Described(LayerNode(name, ""), listing)


def _objects(source: Source, meta: MetaGraph, bundle: Bundle | None, notices: list[Notice]) -> list[ObjectNode]:
    """The objects of the graph, with what the checkpoint says of the same ones; empty for an Estimator's."""
    saved: list[ObjectNode] = []
    if meta.objects is not None:
        saved = parse_saved_objects(blob(source, meta.objects, MAX_OBJECTS))
    if bundle is None or OBJECT_GRAPH not in bundle.tensors:
        return saved if bundle is None else []
    stored = parse_object_graph(bundle.string(OBJECT_GRAPH))
    alike = all(
        saved_node.variable is None or a.full_name in ("", saved_node.variable.name)
        for saved_node, node in zip(saved, stored, strict=False)
        for a in node.attributes
        if a.name == VARIABLE_VALUE
    )
    if not alike or len(stored) > len(saved):
        if saved:
            notices.append(Notice("", "graph and variables are of different models; what is trained stays open"))
        return stored
    for node, other in zip(stored, saved, strict=False):
        other.attributes, other.slots = node.attributes, node.slots or other.slots
    return saved


def _keras_layers(probe: Probe, folder: str, nodes: list[ObjectNode], notices: list[Notice]) -> dict[int, KerasLayer]:
    path = os.path.join(folder, KERAS)
    if not os.path.isfile(path):
        return layers_of_objects(nodes)
    try:
        return layers_of_file(CachedSource(probe.open(path)))
    except WtuiError as error:
        notices.append(Notice("", f"{KERAS} cannot be read, so that classes of layers are missing: {error}", lost=True))
        return {}


def _keras2(
    walked: Survey, layers: Mapping[int, KerasLayer], bundle: Bundle, name: str, notices: list[Notice]
) -> _Described:
    """The tree as Keras 2 recorded it, with metrics and optimizers behind it."""
    tree = plant(walked, layers, name)
    missing: list[str] = []
    there = [(v, owner) for v, owner in zip(tree.variables, tree.owners, strict=True) if v.key in bundle.tensors]
    missing += [v.name for v in tree.variables if v.key not in bundle.tensors]
    tensors = entries_of(bundle, [v for v, _ in there], missing)
    branches = [Branch("metrics", "", entries_of(bundle, tree.metrics, missing))] if tree.metrics else []
    for optimizer in name_optimizers(walked):
        variables = entries_of(bundle, optimizer.variables, missing)
        branches.append(Branch(optimizer.path, optimizer.class_name, variables))
    notices += missing_notices(missing)
    return _Described(tree.root, Listing(tensors, branches, []), [owner for _, owner in there], ", Keras 2")


def _drop_copies(walked: Survey, bundle: Bundle) -> list[Notice]:
    """Take away the second copy that Keras 3 exports of every variable, where name, shape and checksum agree."""
    every = next((place for place in walked.root.children if place.attribute == ALL), None)
    if every is None:
        return []
    others = {_identity(walked, p, bundle) for p in walked.root.walk() if p.parent is not every}
    kept = [p for p in every.children if _identity(walked, p, bundle) not in others]
    dropped = [p for p in every.children if p not in kept]
    every.children = kept
    if not dropped:
        return []
    size = sum(bundle.tensors[_key(walked, p)].size for p in dropped if _key(walked, p) in bundle.tensors)
    told = f"Keras 3 exported {len(dropped):,} variables twice ({size:,} bytes more on disk); each is shown once"
    return [Notice("", told)]


def _identity(walked: Survey, place: Place, bundle: Bundle) -> tuple[object, ...] | None:
    """What two copies of a variable share; None for what is no variable."""
    for attribute in walked.nodes[place.node].attributes:
        entry = bundle.tensors.get(attribute.key)
        if attribute.name == VARIABLE_VALUE and entry is not None:
            return attribute.full_name, entry.dtype, entry.shape, entry.size, entry.crc32c
    return None


def _key(walked: Survey, place: Place) -> str:
    return next((a.key for a in walked.nodes[place.node].attributes), "")


def _with_constants(
    source: Source, meta: MetaGraph, described: _Described, file: int, notices: list[Notice]
) -> list[TensorEntry]:
    """All tensors in depth order. Constants are the model where it has no variables, and stand apart where it has."""
    root, listing = described.root, described.listing
    frozen = not any(t.dtype not in OPAQUE for t in listing.tensors)
    found = None
    try:
        found = read_graph(source, meta.graph, file, functions=frozen) if meta.graph is not None else None
    except WtuiError as error:
        notices.append(Notice("", f"the constants of its graph cannot be read: {error}", lost=True))
    branches = list(listing.branches)
    notices += found.notices if found is not None else ()
    if found is not None and frozen:
        tensors = hang(root, [*listing.tensors, *found.weights], branches)
        name_classes(root, found.classes)
        return tensors
    if found is not None:
        arrays = [t for t in found.weights if INITIALISER not in t.name]
        held = [t._replace(name=f"{CONSTANTS}/{t.name}", group="state", trainable=False) for t in arrays]
        branches = [*([Branch(CONSTANTS, "", held)] if held else []), *branches]
    if described.owners is not None:
        return hang_on(root, listing.tensors, described.owners, branches)
    return hang(root, listing.tensors, branches, keep_order=described.ordered)


def _assets(folder: str, meta: MetaGraph) -> list[str]:
    """Files that the graph names, and whatever else lies beside them."""
    found = dict.fromkeys(meta.assets)
    for name in ("assets", "assets.extra"):
        for above, folders, files in os.walk(os.path.join(folder, name)):
            folders.sort()
            place = os.path.relpath(above, os.path.join(folder, name))
            found.update(dict.fromkeys(os.path.normpath(os.path.join(place, file)) for file in sorted(files)))
            if len(found) > MAX_ASSETS:
                break
    return list(found)[:MAX_ASSETS]
