"""Whole-model and weights-only `.h5` files as Keras 1 and 2 wrote them, and Keras 3 still can.

One group per layer of the model, in the order of the attribute `layer_names`; in it the attribute `weight_names`, whose
entries are paths of datasets and say to which inner layer a variable belongs (`bi/forward_lstm/lstm_cell/kernel:0`).
Keras 1 before 1.0 numbered both (`nb_layers`, `layer_0`, `param_0`). Knows no zip and no Keras 3 paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wtui.formats.hdf5 import Dataset, Group
from wtui.formats.keras.config import MAX_DEPTH, LayerConfig, children_of, layers_of
from wtui.formats.keras.optimizer import OPTIMIZER, slot_role
from wtui.formats.keras.structure import CELL_OF, is_keras_class
from wtui.formats.keras.tree import Draft, DraftTensor, Origin, Remark, Stored
from wtui.formats.keras.variables import Saved, always_saves, name_variables, quantisation, trained_by_default
from wtui.formats.keras.walk import and_trainable

__all__ = ["Legacy", "is_legacy", "names_in", "optimizer_draft", "weights_group"]

TOP_LEVEL = "top_level_model_weights"
"""The group of variables that belong to the model itself and to none of its layers."""

MAX_NAME_PARTS = 100_000
"""Attributes over which one list of names may be spread; Keras splits them at 64 kB."""

_SAME_NAMES = (
    "of its variables have the names of others: those of a layer that two models share, or of two layers of the same "
    "name; the file does not say which, and both are counted"
)

_KERAS1_ROLES = {
    "W": "kernel", "b": "bias", "gamma": "gamma", "beta": "beta", "running_mean": "moving_mean",
    "running_std": "moving_variance", "embeddings": "embeddings",
}  # fmt: skip
"""What Keras 1 wrote behind a layer's name and `_`. Its `running_std` holds the variance."""


def names_in(group: Group, attribute: str) -> list[str] | None:
    """A list of names, put together where Keras had to split it; None if there is none."""
    found = group.attrs.get(attribute)
    if found is not None:
        return _strings(found)
    if f"{attribute}0" not in group.attrs:
        return None
    names: list[str] = []
    for part in range(MAX_NAME_PARTS):
        value = group.attrs.get(f"{attribute}{part}")
        if value is None:
            break
        names += _strings(value)
    return names


def _strings(value: object) -> list[str]:
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, bytes):
            item = item.decode("utf-8", "backslashreplace")
        if isinstance(item, str) and item:
            found.append(item)
    return found


def weights_group(root: Group) -> Group | None:
    """The group that holds the layers: the root of a weights-only file; None if the file is of another layout."""
    whole = root.get("model_weights")
    for group in (whole, root):
        if isinstance(group, Group) and (names_in(group, "layer_names") is not None or "nb_layers" in group.attrs):
            return group
    return None


def is_legacy(root: Group) -> bool:
    """Whether it is a file of this layout."""
    return weights_group(root) is not None


class Legacy:
    """The layers of one file as drafts."""

    def __init__(self, group: Group, origin: Origin, config: LayerConfig | None, name: str) -> None:
        """`name` is for a model that the file does not name."""
        self.remarks: list[Remark] = []
        self._origin = origin
        self._group = group
        self._names: dict[str, Draft] = {}
        self._children: dict[int, dict[str, Draft]] = {}
        self._made: dict[int, tuple[LayerConfig | None, bool | None]] = {}
        """Configuration of each draft, and whether it and all above it can be trained."""
        self.root = Draft(
            config.name or name if config else name, config.class_name if config else "", config.own if config else None
        )
        self._made[id(self.root)] = (config, config.trainable if config else None)
        self._add_layers(config)
        self._add_top_level()

    def _add_layers(self, config: LayerConfig | None) -> None:
        """The layers in the configuration's order, then those that only the file has."""
        configs = (layers_of(config) if config else None) or []
        held = dict(self._layer_groups(configs))
        for layer in configs:
            draft = self._add(self.root, layer.name, layer, 0)
            if layer.name in held:
                self._place(draft, held.pop(layer.name))
        for name, group in held.items():
            draft = self._add(self.root, name, None, 0)
            self._place(draft, group)
            if configs and draft.all_tensors():
                text = "the file holds weights for this layer, the configuration does not name it"
                self.remarks.append(Remark(draft, text))
        self._tell_of_missing(self.root)

    def _layer_groups(self, configs: list[LayerConfig]) -> Iterator[tuple[str, Group]]:
        """(name, group) of every layer in the file's order."""
        names = names_in(self._group, "layer_names")
        if names is None:
            count = self._group.attrs.get("nb_layers")
            names = [f"layer_{i}" for i in range(min(count if isinstance(count, int) else 0, len(self._group.keys())))]
            if len(configs) == len(names):
                pairs = zip([c.name for c in configs], names, strict=True)
                yield from ((n or group, g) for n, group in pairs if isinstance(g := self._group.get(group), Group))
                return
        for name in names:
            group = self._group.get(name)
            if isinstance(group, Group):
                yield name, group
            else:
                self.remarks.append(
                    Remark(self.root, f"the file names a layer {name!r} and does not hold it", lost=True)
                )

    def _add(self, parent: Draft, name: str, config: LayerConfig | None, depth: int) -> Draft:
        """A new layer below `parent`, with the layers that its configuration says it has."""
        draft = Draft(name or "layer", config.class_name if config else "", config.own if config else None)
        parent.children.append(draft)
        self._children.setdefault(id(parent), {}).setdefault(draft.name, draft)
        above = self._made[id(parent)][1]
        self._made[id(draft)] = (config, and_trainable(above, config.trainable if config else above and None))
        for inner in (layers_of(config) or ()) if config and depth < MAX_DEPTH else ():
            self._add(draft, inner.name, inner, depth + 1)
        return draft

    def _place(self, draft: Draft, group: Group) -> None:
        """Hang the variables of one layer's group where their names say they belong."""
        names = names_in(group, "weight_names")
        if names is None:
            self._place_numbered(draft, group)
            return
        below = _by_name(draft)
        again = 0
        for name in names:
            dataset = group.get(name)
            if isinstance(dataset, Dataset):
                owners, label = _split(name, draft.name)
                self._append(self._owner(draft, owners, below), label, dataset)
                again += self._names.setdefault(name, draft) is not draft
            else:
                self.remarks.append(
                    Remark(draft, f"the file names a variable {name!r} and does not hold it", lost=True)
                )
        if again:
            self.remarks.append(Remark(draft, f"{again} {_SAME_NAMES}"))

    def _place_numbered(self, draft: Draft, group: Group) -> None:
        """Variables without names (Keras 1): `param_0`, `param_1`, ..."""
        found = [(i, group.get(f"param_{i}")) for i in range(len(group.keys()))]
        held = [(str(i), d) for i, d in found if isinstance(d, Dataset)]
        saved = [Saved(key, d.shape, d.dtype) for key, d in held]
        trainable = self._made[id(draft)][1]
        for named, (_, dataset) in zip(name_variables(draft.class_name, None, saved), held, strict=True):
            flag = and_trainable(trainable, named.trainable)
            stored = Stored(dataset, self._origin)
            draft.tensors.append(DraftTensor(named.name, named.role, stored, flag, named.inferred))

    def _owner(self, draft: Draft, owners: list[str], below: Mapping[str, Draft]) -> Draft:
        """The layer inside `draft` that a path of names leads to; layers that no configuration names are made.

        `below`: all layers inside it, since Keras leaves the names of the models between them out.
        """
        for depth, name in enumerate(owners[:MAX_DEPTH]):
            found = self._children.get(id(draft), {}).get(name) or (below.get(name) if depth == 0 else None)
            draft = found or self._add(draft, name, self._inner_config(draft, name), depth)
        return draft

    def _inner_config(self, draft: Draft, name: str) -> LayerConfig | None:
        """What the layer's own configuration says of a layer inside it: of the cell, of the wrapped layer."""
        config = self._made[id(draft)][0]
        if config is None:
            return None
        held = [layer for one in children_of(config) for layer in one.layers]
        for layer in held:
            if name in (layer.name, f"backward_{layer.name}"):
                return layer._replace(name=name)
        return held[0]._replace(name=name) if len(held) == 1 and config.class_name in CELL_OF else None

    def _append(self, draft: Draft, label: str, dataset: Dataset) -> None:
        config, trainable = self._made[id(draft)]
        role = _KERAS1_ROLES.get(label, label)
        own = False if dataset.dtype.startswith(("int", "uint")) else _trained(config, role)
        draft.tensors.append(DraftTensor(label, role, Stored(dataset, self._origin), and_trainable(trainable, own)))

    def _add_top_level(self) -> None:
        """Variables of the model itself."""
        group = self._group.get(TOP_LEVEL)
        for name in (names_in(group, "weight_names") or ()) if isinstance(group, Group) else ():
            dataset = group.get(name) if isinstance(group, Group) else None
            if isinstance(dataset, Dataset):
                label = _split(name, "")[1]
                trainable = False if self._made[id(self.root)][1] is False else None
                self.root.tensors.append(DraftTensor(label, label, Stored(dataset, self._origin), trainable))

    def _tell_of_missing(self, draft: Draft) -> None:
        for child in draft.children:
            config = self._made[id(child)][0]
            if config and config.complete and not child.tensors and always_saves(config.class_name, config.config):
                text = "the configuration names this layer, the file holds no weights for it"
                self.remarks.append(Remark(child, text, lost=True))
            self._tell_of_missing(child)


def _by_name(draft: Draft) -> dict[str, Draft]:
    """All layers below `draft`; of those with the same name the one that is least deep."""
    found: dict[str, Draft] = {}
    queue = list(draft.children)
    for child in queue:
        found.setdefault(child.name, child)
        queue += child.children
    return found


def _split(name: str, layer: str) -> tuple[list[str], str]:
    """The layers between `layer` and the variable, and the variable's own name."""
    name = name.rstrip("/").rsplit(":", 1)[0] if name.rpartition(":")[2].isdecimal() else name.rstrip("/")
    padded = f"/{name}"
    at = padded.find(f"/{layer}/") if layer else -1
    if at >= 0:
        padded = padded[at + len(layer) + 1 :]
    elif layer and name.startswith(f"{layer}_") and "/" not in name:
        return [], name[len(layer) + 1 :]
    *owners, label = [part for part in padded.split("/") if part] or [name]
    return owners, label


def _trained(config: LayerConfig | None, role: str) -> bool | None:
    """Whether the layer's class trains a variable of that name; None for classes that are not Keras's."""
    if config is None:
        return False if trained_by_default("", role) is False else None
    if config.config.get("lora_rank") and role in ("kernel", "embeddings"):
        return False
    inner = [layer for held in children_of(config) for layer in held.layers]
    for class_name in (config.class_name, *(layer.class_name for layer in inner)):
        known = trained_by_default(class_name, role, quantisation(config.config))
        if known is not None:
            return known
    return True if is_keras_class(config.class_name) else None


def optimizer_draft(root: Group, origin: Origin, training: Mapping[str, Any]) -> Draft | None:
    """The optimizer's variables, which have names here; None if the file has none."""
    group = root.get("optimizer_weights")
    names = names_in(group, "weight_names") if isinstance(group, Group) else None
    if not names or not isinstance(group, Group):
        return None
    described = training.get("optimizer_config")
    described = described if isinstance(described, Mapping) else {}
    config, class_name = described.get("config"), described.get("class_name")
    draft = Draft(
        OPTIMIZER, class_name if isinstance(class_name, str) else "", config if isinstance(config, Mapping) else None
    )
    for name in names:
        dataset = group.get(name)
        if isinstance(dataset, Dataset):
            label = name.rsplit(":", 1)[0] if name.rpartition(":")[2].isdecimal() else name
            stored = Stored(dataset, origin)
            draft.tensors.append(DraftTensor(label, slot_role(name), stored, False, "", OPTIMIZER))
    return draft
