"""Whatever a program holds as a model, opened: chooses by the object's type who understands it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wtui.live.memory import InMemory

__all__ = ["open_object"]


def open_object(model: object) -> InMemory:
    """A model in memory as a catalogue; reads no values. UsageError for an object that holds no array."""
    from wtui.live.keras_model import is_keras, open_keras
    from wtui.live.torch_model import is_torch_module, open_torch

    if is_keras(model):
        return open_keras(model)
    if is_torch_module(model):
        return open_torch(model)
    from wtui.live.containers import open_container

    return open_container(model)
