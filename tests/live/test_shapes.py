"""Output shapes equal those of `model.summary()`: of published architectures and of the generated zoo."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

keras = pytest.importorskip("keras")

from keras.src.utils.summary_utils import format_layer_shape  # noqa: E402

from tests.formats.keras_zoo import ZOO, made  # noqa: E402
from wtui.live.architecture import Architecture, architecture_of, with_shapes  # noqa: E402
from wtui.live.process import FrameworkProcess  # noqa: E402
from wtui.live.protocol import Shapes, ShapesOf  # noqa: E402
from wtui.live.recorded import plain_config, recorded_config  # noqa: E402
from wtui.live.refusal import pieces, refusals  # noqa: E402
from wtui.render.architecture import shapes_text  # noqa: E402

APPLICATIONS = ("VGG16", "ResNet50", "MobileNetV2", "EfficientNetB0", "DenseNet121", "NASNetMobile")

OWN_CODE = ("subclassed", "backbone", "custom_layer", "lambda_layer")
"""Models of the zoo that bring classes or functions of their own."""


MARKUP = re.compile(r"\[(?:color\(\d+\)|/)\]")


def layers_of(model: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every layer and operation that a summary with expanded models lists, by its path."""
    for layer in getattr(model, "operations", None) or model.layers:
        path = f"{above}{layer.name}"
        yield path, layer
        if hasattr(layer, "layers"):
            yield from layers_of(layer, f"{path}/")


def expected(model: Any) -> dict[str, str]:
    """The column `Output Shape` of the summary, without its colours and the brackets around several shapes."""
    return {path: MARKUP.sub("", format_layer_shape(layer)).strip("[]") for path, layer in layers_of(model)}


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    """All models, by name."""
    found: dict[str, Any] = {}
    for name in APPLICATIONS:
        keras.backend.clear_session(free_memory=False)
        small = {"input_shape": (64, 64, 3), "classes": 10} if name == "VGG16" else {}
        found[name] = getattr(keras.applications, name)(weights=None, **small)
    for name in ZOO:
        found[name] = made(name)
    return found


@pytest.fixture(scope="module")
def configs(built: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The configuration of each as its file records it; of the large ones as the file would."""
    folder = tmp_path_factory.mktemp("models")
    found = {name: plain_config(json.loads(built[name].to_json())) for name in APPLICATIONS}
    for name in ZOO:
        path = folder / f"{name}.keras"
        built[name].save(path)
        found[name] = recorded_config(str(path))
    return found


@pytest.fixture(scope="module")
def shapes(configs: dict[str, Any]) -> Shapes:
    """What the child process says of all of them; the name of a model is in front of its layers' paths."""
    task = ShapesOf(
        tuple(
            (f"{name}/{piece.path}".rstrip("/"), json.dumps(piece.config))
            for name, config in configs.items()
            for piece in pieces(config, refusals(config))
        )
    )
    with FrameworkProcess(task, limit=300) as process:
        return next(message for message in process if isinstance(message, Shapes))


def complete(name: str, configs: dict[str, Any], shapes: Shapes) -> Architecture:
    own = {p.removeprefix(f"{name}/"): s for p, s in shapes.shapes if p.startswith(f"{name}/")}
    return with_shapes(architecture_of(configs[name]), own)


def test_nothing_failed(shapes: Shapes) -> None:
    assert shapes.problems == ()


@pytest.mark.parametrize("name", [*APPLICATIONS, *(n for n in ZOO if n not in OWN_CODE)])
def test_shapes_are_those_of_the_summary(
    name: str, built: dict[str, Any], configs: dict[str, Any], shapes: Shapes
) -> None:
    wanted = expected(built[name])
    found = {f.path: shapes_text(f.outputs) for f in complete(name, configs, shapes).layers}
    assert found == {path: wanted[path] for path in found}
    inputs = {path for path, layer in layers_of(built[name]) if isinstance(layer, keras.layers.InputLayer)}
    assert wanted.keys() - found.keys() <= inputs  # of sequential models, which do not list theirs


@pytest.mark.parametrize("name", OWN_CODE)
def test_code_of_the_file_is_refused_and_said(name: str, configs: dict[str, Any], shapes: Shapes) -> None:
    refused = refusals(configs[name])
    assert refused
    assert all("code" in why for why in refused.values())
    known = complete(name, configs, shapes)
    assert all(bool(f.refused) == (f.path in refused) for f in known.layers)
    for piece in pieces(configs[name], refused):
        assert not refusals(piece.config)
