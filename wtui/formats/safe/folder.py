"""What `adapter_config.json` beside safetensors says of them: of what model they change which weights, and by what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.formats.beside import configuration
from wtui.formats.safe.adapters import CONFIGURATION, about, deltas

if TYPE_CHECKING:
    from wtui.formats.probe import Probe
    from wtui.model import LayerNode, Notice, TensorEntry

__all__ = ["hang_deltas", "with_deltas"]


def with_deltas(
    tensors: list[TensorEntry], probe: Probe, root: LayerNode, notices: list[Notice]
) -> tuple[list[TensorEntry], dict[str, Any]]:
    """The tensors and the changes that pairs of them make, and what is to be told of the adapter; nothing for none.

    The root learns its class and configuration.
    """
    if not any("lora" in t.name for t in tensors):
        return tensors, {}
    config = configuration(probe, CONFIGURATION, notices)
    changes = deltas(tensors, config)
    if not changes:
        return tensors, {}
    root.class_name = "LoRA adapter"
    root.config = config or root.config
    note = {"note": config["note"]} if "note" in config else {}
    return [*tensors, *changes], {"adapter": config, "about": about(config, changes), **note}


def hang_deltas(
    tensors: list[TensorEntry], probe: Probe, root: LayerNode, notices: list[Notice]
) -> tuple[list[TensorEntry], dict[str, Any]]:
    """As `with_deltas`, for tensors that hang in a tree already: each change joins the layer that it changes."""
    count = len(tensors)
    tensors, facts = with_deltas(tensors, probe, root, notices)
    layers = {node.path: node for node in root.walk()} if facts else {}
    for number in range(count, len(tensors)):
        layer = layers.get(tensors[number].layer, root)
        tensors[number] = tensors[number]._replace(layer=layer.path)
        layer.tensors = [*layer.tensors, number]
    return tensors, facts
