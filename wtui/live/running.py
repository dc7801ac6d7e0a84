"""The architecture of a model that is in this process: Keras has built it already, and is asked here.

Nothing is started and nothing is built; what cannot be said of a model is left out. Imports no Keras: the model
brings its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wtui.live.architecture import NOTHING, Architecture, architecture_of, with_shapes
from wtui.live.keras_model import is_keras
from wtui.live.recorded import plain_config
from wtui.live.survey import Surveyed

if TYPE_CHECKING:
    from wtui.live.links import Shape

__all__ = ["RunningSurveyor"]


class RunningSurveyor:
    """What a live model says of itself; of anything else than a Keras model, nothing."""

    def __init__(self, model: object) -> None:
        self._model: Any = model
        self.known: Architecture = _architecture(model) if is_keras(model) else NOTHING

    def complete(self) -> Surveyed:
        """With the output shapes of the layers."""
        if not self.known.layers:
            return Surveyed(NOTHING)
        shapes: dict[str, tuple[Shape, ...]] = {}
        try:
            from wtui.live.shapes import collect

            collect(self._model, "", shapes, 0)
        except Exception as error:  # the caller's own layers may do anything
            return Surveyed(self.known, f"the model cannot say them ({type(error).__name__})")
        return Surveyed(with_shapes(self.known, shapes))

    def kill(self) -> None:
        """There is nothing to end."""


def _architecture(model: Any) -> Architecture:
    """As its configuration says, in which nothing has to be refused: all of it is there and runs."""
    try:
        config = plain_config(model.get_config())
        item = {"class_name": type(model).__name__, "config": config}
        found = architecture_of(item) if isinstance(config, Mapping) else NOTHING
    except Exception:  # layers of the caller's own may have no configuration
        return NOTHING
    layers = tuple(facts._replace(refused="") for facts in found.layers)
    return found._replace(layers=layers, refused={})
