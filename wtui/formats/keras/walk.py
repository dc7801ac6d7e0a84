"""From the groups of a Keras 3 weights file, and the configuration if there is one, to layers with named variables.

Keras walks a model by its attributes and writes every layer once, where it first meets it (keras.saving): the layers of
a model below `layers/` under their class names with counters, all others under the attribute that holds them.
Knows no HDF5 and no files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.formats.keras.config import MAX_DEPTH, LayerConfig, children_of, parse
from wtui.formats.keras.structure import class_of_auto_name, class_of_snake, snake_case
from wtui.formats.keras.table import CONSTANTS
from wtui.formats.keras.tree import Draft, DraftTensor, Remark
from wtui.formats.keras.variables import Named, Saved, always_saves, name_variables, quantisation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wtui.formats.keras.saved import SavedGroup

__all__ = ["Walked", "and_trainable", "walk"]

LAYERS = frozenset({"layers", "_layer_checkpoint_dependencies"})
"""Attributes that hold the layers of a model; the second is what Keras 2.13 calls it."""

MODELS = frozenset({"Functional", "Sequential", "Model"})
"""Classes whose configuration lists their layers; others may mean something else by `layers`."""

_METRICS = frozenset({"metrics", "_metrics", "compiled_metrics", "_compile_metrics", "compiled_loss", "_loss_tracker"})
_SEEDS = frozenset({"seed_generator", "_seed_generator", "random_generator", "_random_generator"})

MAX_ALIASES = 20_000
"""Layers that may be shown at a second place: configurations can nest such references without end."""


class Walked(NamedTuple):
    """What a weights file holds."""

    root: Draft
    optimizers: list[SavedGroup]
    remarks: list[Remark]
    ordered: bool
    """Whether the order is the model's own, or partly that of the attributes that hold the layers."""


class _Layer(NamedTuple):
    """What is known of a layer before its variables are looked at."""

    config: LayerConfig
    """Not `complete` where the file has none; class and name may be known all the same."""
    above: bool | None
    """Whether the layers above it can be trained."""
    guess: str = ""
    """Why the class is a guess; empty when the file says it."""
    group: str = "model"
    """Of its tensors."""
    depth: int = 0


def walk(saved: SavedGroup, config: LayerConfig | None, name: str) -> Walked:
    """All layers of a file; `name` is for a model that has none."""
    walker = _Walk(any(group.label is not None for group in saved.walk()))
    top = config or LayerConfig("", name, {}, complete=False)
    root = walker.layer(saved, _Layer(top._replace(name=top.name or name), True if config else None))
    return Walked(root, walker.optimizers, walker.remarks, walker.ordered)


class _Walk:
    """One walk, with what has been met so far."""

    def __init__(self, labelled: bool) -> None:
        self.labelled = labelled
        """Every layer has its name in the file (Keras 3.6 and later), so a group without one is a list of layers."""
        self.optimizers: list[SavedGroup] = []
        self.remarks: list[Remark] = []
        self.ordered = True
        self._met: dict[tuple[str, str], list[Draft]] = {}
        self._aliases_left = MAX_ALIASES

    def layer(self, saved: SavedGroup | None, layer: _Layer) -> Draft:
        """The draft of one layer and of all below it."""
        config = layer.config
        draft = Draft(_name(saved, config), config.class_name, _shown_config(saved, config))
        trainable = and_trainable(layer.above, config.trainable if config.complete else True)
        if saved is not None and saved.variables:
            self._add_variables(draft, saved, layer, trainable)
        elif self._is_elsewhere(draft, config):
            return draft
        self._met.setdefault((draft.class_name, draft.name), []).append(draft)
        if layer.depth < MAX_DEPTH:
            known = config._replace(class_name=draft.class_name)
            self._add_children(draft, saved, layer._replace(config=known, above=trainable, depth=layer.depth + 1))
        if draft.class_name == "SpectralNormalization":
            _link_wrapped_kernel(draft)
        return draft

    def _is_elsewhere(self, draft: Draft, config: LayerConfig) -> bool:
        """Whether the layer's variables lie with another that is the same; a remark tells if they lie nowhere."""
        known = self._met.get((draft.class_name, draft.name))
        if config.shared and known:
            alike = [other for other in known if _settings(other.config) == _settings(draft.config)] or known
            self._alias(draft, alike[0], "several layers have its name" if len(alike) > 1 else "")
            return True
        if config.complete and always_saves(config.class_name, config.config):
            text = "the configuration names this layer, the file holds no weights for it"
            self.remarks.append(Remark(draft, text, lost=True))
        return False

    def _alias(self, draft: Draft, known: Draft, guess: str) -> None:
        """Fill `draft` with what `known` has: Keras writes a layer once, however many models share it."""
        self._aliases_left -= 1
        if self._aliases_left < 0:
            return
        for tensor in known.tensors:
            copy = DraftTensor(
                tensor.label, tensor.role, tensor.stored, tensor.trainable, tensor.inferred, tensor.group
            )
            copy.alias_of = tensor.alias_of or tensor
            copy.inferred = copy.inferred or guess
            draft.tensors.append(copy)
        for child in known.children:
            made = Draft(child.name, child.class_name, child.config)
            draft.children.append(made)
            self._alias(made, child, guess)

    def _add_variables(self, draft: Draft, saved: SavedGroup, layer: _Layer, trainable: bool | None) -> None:
        ordered = saved.ordered()
        found = [Saved(key, stored.dataset.shape, stored.dataset.dtype) for key, stored in ordered]
        config = layer.config.config if layer.config.complete else None
        named = name_variables(draft.class_name, config, found)
        guess = layer.guess
        if guess and not _from_table(named, found):
            draft.class_name = guess = ""
        for one, (key, stored) in zip(named, ordered, strict=True):
            flag = and_trainable(trainable, one.trainable)
            inferred = one.inferred or ("" if one.name == key else guess)
            group = "state" if one.name in CONSTANTS else layer.group
            draft.tensors.append(DraftTensor(one.name, one.role, stored, flag, inferred, group))
        self._explain(draft, layer.config)

    def _explain(self, draft: Draft, config: LayerConfig) -> None:
        """Say what the bytes of adapted and of packed kernels are."""
        main = next((t for t in draft.tensors if t.role in ("kernel", "embeddings")), None)
        rank = config.config.get("lora_rank")
        if main is not None and rank:
            main.trainable = False
            text = f"LoRA of rank {rank} was merged into it when it was saved; lora_{main.role}_a and _b"
            self.remarks.append(Remark(main, f"{text} are not in the file"))
        if quantisation(config.config) == "int4" or any(t.role.endswith("_zero") for t in draft.tensors):
            for tensor in draft.tensors:
                if tensor.stored.dataset.dtype == "int8" and tensor.role in _PACKED:
                    self.remarks.append(
                        Remark(tensor, "two int4 values in each byte: shape and values are of the bytes")
                    )

    def _add_children(self, draft: Draft, saved: SavedGroup | None, layer: _Layer) -> None:
        """The layers that the layer is known to hold, then whatever else the file has below it."""
        groups = dict(saved.children) if saved else {}
        for held in children_of(layer.config):
            group = _take(groups, held.attribute)
            if group is None and held.attribute == "layers" and layer.depth > 1 and draft.class_name not in MODELS:
                continue
            if held.container:
                draft.children += self._listed(group, held.layers, layer)
            elif group is not None or held.layers[0].complete:
                draft.children.append(self._held(group, held.layers[0], layer))
        for attribute, group in groups.items():
            announced = parse(layer.config.config.get(attribute)) if layer.config.complete else None
            if announced is not None and not group.is_list and not _is_optimizer(attribute):
                self.ordered = False
                draft.children.append(self.layer(group, layer._replace(config=announced, guess="")))
            else:
                draft.children += self._loose(attribute, group, layer)

    def _held(self, group: SavedGroup | None, config: LayerConfig, layer: _Layer) -> Draft:
        """A layer that its holder's class or configuration announces."""
        if not config.class_name and group is not None:
            return self.layer(group, self._unannounced(group, layer, config.name))
        return self.layer(group, layer._replace(config=config, guess=""))

    def _listed(self, container: SavedGroup | None, layers: list[LayerConfig], layer: _Layer) -> list[Draft]:
        """The layers of a list, paired with its groups by class and counter; groups that nobody announced come last."""
        groups = dict(container.children) if container else {}
        used: dict[str, int] = {}
        drafts = []
        for config in layers:
            base = snake_case(config.class_name)
            used[base] = used.get(base, -1) + 1
            group = groups.pop(f"{base}_{used[base]}" if used[base] else base, None)
            drafts.append(self.layer(group, layer._replace(config=config, guess="")))
        for name, group in groups.items():
            surplus = self._loose(name, group, layer, listed=True)
            drafts += surplus
            if group.has_variables:
                text = "the file holds weights for this layer, the configuration does not name it"
                self.remarks += [Remark(draft, text) for draft in surplus]
        return drafts

    def _loose(self, attribute: str, group: SavedGroup, layer: _Layer, listed: bool = False) -> list[Draft]:
        """What a group holds that no configuration announced: a layer, a list of layers, or no layer at all."""
        if layer.depth == 1 and _is_optimizer(attribute):
            self.optimizers.append(group)
            return []
        below = layer._replace(above=None if layer.above else layer.above, depth=layer.depth + 1)
        if _is_state(attribute, group):
            below = below._replace(group="state", above=False)
        if not listed and self._is_list(attribute, group) and layer.depth < MAX_DEPTH:
            self.ordered = self.ordered and (attribute in LAYERS or not group.has_variables)
            found = [self._loose(name, child, below, listed=True) for name, child in group.children.items()]
            return [draft for drafts in found for draft in drafts]
        if listed and group.is_list and self.labelled:
            return self._loose(attribute, group, layer)
        self.ordered = self.ordered and (listed or not group.variables)
        class_name = class_of_snake(attribute) if listed else ""
        if class_name:
            config = LayerConfig(class_name, "", {}, complete=False)
            return [self.layer(group, below._replace(config=config, guess=""))]
        return [self.layer(group, self._unannounced(group, below))]

    def _is_list(self, attribute: str, group: SavedGroup) -> bool:
        if self.labelled or not group.is_list:
            return group.is_list
        return attribute in LAYERS or all(class_of_snake(name) for name in group.children)

    @staticmethod
    def _unannounced(group: SavedGroup, layer: _Layer, name: str = "") -> _Layer:
        """A layer of which only the name is known; names that Keras gives by itself tell the class, as a guess."""
        class_name = class_of_auto_name(group.label or "")
        guess = "class guessed from the layer's name" if class_name else ""
        return layer._replace(config=LayerConfig(class_name, name, {}, complete=False), guess=guess)


_PACKED = frozenset({"kernel", "embeddings", "reverse_embeddings"})


def and_trainable(above: bool | None, own: bool | None) -> bool | None:
    """Both must be trainable; one that is not decides, whatever the other is."""
    if above is False or own is False:
        return False
    return None if above is None or own is None else True


def _name(saved: SavedGroup | None, config: LayerConfig) -> str:
    label = saved.label if saved else None
    return label or config.name or (saved.name if saved else "") or snake_case(config.class_name) or "layer"


def _shown_config(saved: SavedGroup | None, config: LayerConfig) -> Mapping[str, Any]:
    """The configuration to show: where there is none, at least the attribute that holds the layer."""
    if config.config or not saved or not saved.path:
        return config.own
    return {"saved_at": saved.path}


def _settings(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """The plain values of a configuration; objects in it carry numbers of their own."""
    return {k: v for k, v in (config or {}).items() if isinstance(v, (str, int, float, bool))}


def _from_table(named: list[Named], found: list[Saved]) -> bool:
    """Whether the class's line of the table fits what the file holds."""
    return all(one.name != saved.key or not saved.key.isdecimal() for one, saved in zip(named, found, strict=True))


def _take(groups: dict[str, SavedGroup], attribute: str) -> SavedGroup | None:
    """Take the group of an attribute out of `groups`, under whichever name some version of Keras writes it."""
    names = [attribute, f"_{attribute}"] if attribute not in LAYERS else [attribute, "_layer_checkpoint_dependencies"]
    for name in names:
        if name in groups:
            return groups.pop(name)
    return None


def _is_optimizer(attribute: str) -> bool:
    return attribute == "optimizer" or attribute.endswith("_optimizer")


def _is_state(attribute: str, group: SavedGroup) -> bool:
    """Whether a group holds metrics or random seeds, which Keras does not count among a model's weights."""
    if attribute in _METRICS or attribute in _SEEDS:
        return True
    scalars = bool(group.variables) and all(s.dataset.shape == () for s in group.variables.values())
    return scalars and attribute.endswith(("_tracker", "_metric")) and not group.children


def _link_wrapped_kernel(draft: Draft) -> None:
    """Spectral normalisation shares the kernel of the layer that it wraps; Keras writes it at both places."""
    own = next((t for t in draft.tensors if t.label == "kernel"), None)
    wrapped = [t for child in draft.children for t in child.tensors]
    original = next((t for t in wrapped if t.label in ("kernel", "embeddings", "depthwise_kernel")), None)
    if own is not None and original is not None and original.stored.dataset.shape == own.stored.dataset.shape:
        own.alias_of, own.trainable = original, original.trainable
