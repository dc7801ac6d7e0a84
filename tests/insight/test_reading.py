"""What panels read out, the references beside it, and that none of it costs the drawing process a heavy import."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.insight.helpers import KERAS, TORCH, entry, judged, node
from tests.insight.models import GLOROT, Layer, catalogue_of, examined, healthy
from tests.stats.helpers import summarise
from wtui.insight.reading import Context, model_reading, tensor_reading
from wtui.insight.references import References, source
from wtui.insight.types import Finding, Reading

if TYPE_CHECKING:
    from wtui.model import Catalogue

LIGHT = ("types", "roles", "anatomy", "gates", "fans", "recorded", "initialisers", "chart", "case", "rules", "health",
         "reading", "references")  # fmt: skip


@pytest.mark.parametrize("module", LIGHT)
def test_the_drawing_process_can_import_it_without_numpy(module: str) -> None:
    code = f"import sys, wtui.insight.{module}; print([m for m in ('numpy', 'numba', 'textual') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def vgg16() -> Catalogue:
    """The convolutions of VGG16 with their names and shapes, and two dense layers."""
    layers, channels = {}, 3
    for block, (count, width) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        for i in range(1, count + 1):
            kernel = np.broadcast_to(np.float32(0.1), (3, 3, channels, width))
            layers[f"block{block}_conv{i}"] = Layer("Conv2D", {"kernel": kernel}, GLOROT)
            channels = width
    layers["fc1"] = Layer("Dense", {"kernel": np.broadcast_to(np.float32(0), (25088, 4096))})
    return catalogue_of(layers)


def test_references_of_the_same_model() -> None:
    catalogue = vgg16()
    references = References(catalogue)
    number = catalogue.index("block5_conv3/kernel")
    found = references.of(number, catalogue.tensors[number], catalogue.root.children[12])
    assert [(r.model, r.state, r.same) for r in found] == [
        ("VGG16", "untrained", True), ("VGG16", "trained on ImageNet", True),
    ]  # fmt: skip
    assert found[0].max == pytest.approx(0.025515452)
    assert found[1].std == pytest.approx(0.008478405)
    assert "Inspecting Model Weights" in source()


def test_references_of_a_model_that_is_like_one() -> None:
    rng = np.random.default_rng(1)
    layers = {f"c{i}": Layer("Conv2D", {"kernel": rng.normal(0, 1, (3, 3, 8, 8)).astype(np.float32)}) for i in range(6)}
    catalogue = catalogue_of(layers)
    references = References(catalogue)
    (found,) = references.of(5, catalogue.tensors[5], catalogue.root.children[5])
    assert (found.name, found.same, found.state) == ("block5_conv3/kernel", False, "trained on ImageNet")
    assert references.of(2, catalogue.tensors[2], catalogue.root.children[2]) == ()
    assert References(catalogue_of(healthy())).of(0, catalogue.tensors[0], catalogue.root.children[0]) == ()


def lines(**context: object) -> list[Reading]:
    values = np.random.default_rng(2).uniform(-0.25, 0.25, (64, 32)).astype(np.float32)
    verdict = judged(values, layer=node("Dense", GLOROT))
    tensor = entry("kernel", (64, 32))
    return tensor_reading(tensor, node(), summarise(values.reshape(-1)).row(), Context(verdict, **context))  # type: ignore[arg-type]


def test_a_tensor_reads_verdict_and_scale() -> None:
    first, second = lines()
    assert first.style == "warning"
    assert "never trained" in first.text
    assert "fan_in 64 · fan_out 32 (Keras's rule)" in second.text
    assert "limit ±0.25" in second.text
    assert lines(trained=False)[0].style == "plain"


def test_findings_come_first_and_are_not_said_twice() -> None:
    sentence = lines()[0].text
    finding = Finding("warning", "never-trained", "layer", "layer/kernel", sentence, {})
    read = lines(findings=[finding])
    assert [r.text for r in read].count(sentence) == 1
    assert read[0] == Reading("warning", sentence)


def test_a_tensor_of_which_nothing_is_known() -> None:
    assert tensor_reading(entry("kernel", (4, 4)), node(), None, Context()) == []
    (one,) = tensor_reading(entry("kernel", (0, 4)), node(), None, Context())
    assert "no values" in one.text


def test_a_partial_read_is_never_called_healthy() -> None:
    assert model_reading([], 1.0) == [Reading("good", "nothing broken was found")]
    (one,) = model_reading([], 0.031)
    assert (one.style, one.text) == ("plain", "nothing broken in the 3.1 % read")
    many = [Finding("error", "nan", "l", f"l/{i}", "NaN", {}) for i in range(20)]
    read = model_reading(many, 1.0, most=5)
    assert len(read) == 6
    assert read[0] == Reading("error", "l/0: NaN")
    assert "15 more" in read[-1].text


def test_an_untrained_model_is_not_praised() -> None:
    limit = np.sqrt(6 / 128)
    rng = np.random.default_rng(4)
    layers = {
        f"d{i}": Layer("Dense", {"kernel": rng.uniform(-limit, limit, (64, 64)).astype(np.float32)}, GLOROT)
        for i in range(3)
    }
    read = model_reading(examined(layers), 1.0)
    assert "nothing was trained" in read[0].text


@pytest.mark.parametrize("format", [KERAS, TORCH])
def test_odd_tensors_are_read_out(format: str) -> None:
    for array in (np.float32([[np.nan]]), np.zeros((0,), np.float32), np.array(3, np.int64)):
        verdict = judged(array, "kernel", node("Dense"), format)
        row = summarise(array.reshape(-1), array.dtype.name).row()
        tensor = entry("kernel", array.shape, dtype=array.dtype.name)
        assert isinstance(tensor_reading(tensor, node(), row, Context(verdict)), list)


def test_what_to_do_is_said_once() -> None:
    tensor, layer = entry("kernel", (4, 4)), node()
    one, two = (Finding("warning", rule, "layer", "layer/kernel", rule, {}, "look") for rule in ("a", "b"))
    said = [r.text for r in tensor_reading(tensor, layer, None, Context(findings=(one, two)))]
    assert said == ["a", "b", "look"]
