"""Models built and saved: one of keras.applications, or from a configuration.

Runs in the process of `wtui.live.child` alone.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from wtui.live.protocol import Built, Failed, Said

if TYPE_CHECKING:
    from wtui.live.child import Say
    from wtui.live.protocol import Build, BuildFrom

__all__ = ["build", "build_from"]

SEED = 0
"""Of the initial weights: the same model is the same every time."""

NEAREST = 3
"""Names that an error about an unknown one suggests."""


def build(task: Build, say: Say) -> None:
    """Build, give it weights, save it; Failed for an unknown name and for weights that cannot be had."""
    import keras

    makers = {name: make for name, make in vars(keras.applications).items() if name[0].isupper() and callable(make)}
    name = next((n for n in makers if n.lower() == task.name.lower()), "")
    if not name:
        say(_unknown(task.name, list(makers)))
        return
    say(Said(f"building {name}"))
    keras.utils.set_random_seed(SEED)
    try:
        model = makers[name](weights="imagenet" if task.weights == "imagenet" else None)
        if task.weights not in ("none", "imagenet"):
            model.load_weights(task.weights)
    except Exception as error:
        say(_no_weights(name, task.weights, error) if task.weights != "none" else _failed(name, error))
        return
    say(Said(f"saving {name}"))
    model.save(task.target)
    say(Built(task.target))


def build_from(task: BuildFrom, say: Say) -> None:
    """Build from a configuration and save; Failed for one that Keras does not take, or that names no input."""
    from wtui.live.shapes import from_config

    try:
        model = from_config(json.loads(task.config))
    except Exception as error:
        say(Failed(f"Keras cannot build it: {_first_line(error)}"))
        return
    if not model.built:
        say(Failed("the configuration does not say what its input is, so that its weights have no shapes yet"))
        return
    model.save(task.target)
    say(Built(task.target))


def _unknown(wanted: str, names: list[str]) -> Failed:
    from difflib import get_close_matches

    by_lower = {name.lower(): name for name in names}
    near = [by_lower[n] for n in get_close_matches(wanted.lower(), by_lower, n=NEAREST, cutoff=0.3)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(names))}"
    return Failed(f"keras.applications has no {wanted!r}", hint)


def _no_weights(name: str, weights: str, error: Exception) -> Failed:
    """Why the weights are not there, and where to put them."""
    if weights != "imagenet":
        return Failed(f"the weights of {weights} do not fit {name}: {_first_line(error)}")
    url = re.search(r"https?://\S+\.h5", str(error))
    reason = re.search(r"\] ([^>\]]+)>?$", _first_line(error))
    what = f"the ImageNet weights of {name} could not be downloaded ({reason[1] if reason else _first_line(error)})"
    place = f"put {url[0]} into ~/.keras/models" if url else "put them into ~/.keras/models"
    return Failed(what, f"{place}, or give --weights none or a FILE")


def _failed(name: str, error: Exception) -> Failed:
    return Failed(f"{name} cannot be built: {_first_line(error)}")


def _first_line(error: Any) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
