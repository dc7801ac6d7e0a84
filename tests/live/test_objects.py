"""Models in memory: the tree and the numbers of their saved files, without a copy of their weights."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import wtui
from tests.terminal import Terminal
from wtui.errors import UsageError
from wtui.live.arrays import describe
from wtui.live.objects import open_object
from wtui.live.running import RunningSurveyor

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from tests.formats.keras_zoo import SAVED_IS_ORACLE, ZOO, made  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

APART = {
    **SAVED_IS_ORACLE,
    **dict.fromkeys(
        ("int8", "int4", "float8", "lora"), "the file says of tensors what they stand for, a variable does not"
    ),
    "subclassed": "in a file, parts of a custom class have the names of its attributes",
    "backbone": "a file does not say which variables of a custom class are trained",
}
"""Models of the zoo of which a file and the live model tell different things, and why."""


def numbers(row: Any) -> str:
    """A row to the last digit, without the names of tensors: of one that has two, either may be told."""
    return repr(row._replace(min_at=None, max_at=None, nan_at=None, inf_at=None))


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def fetched(value: object) -> Any:
    """The bytes of an array as wtui reads them, and whether they are a copy."""
    found = describe(value)
    assert found is not None
    return found.fetch()


@pytest.mark.parametrize("name", [n for n in ZOO if n not in APART])
def test_a_live_model_is_as_its_saved_file(name: str, tmp_path: Path) -> None:
    model = made(name)
    model.save(tmp_path / "model.keras")
    live, saved = wtui.open(model), wtui.open(tmp_path / "model.keras", cache=False)
    with live, saved:
        assert [(t.name, t.shape, t.dtype) for t in live.tensors] == [(t.name, t.shape, t.dtype) for t in saved.tensors]
        assert live.totals == saved.totals
        rows, theirs = live.statistics().rows, saved.statistics().rows
        assert [numbers(rows[t.index]) for t in live.tensors if t.index in rows] == [
            numbers(theirs[t.index]) for t in saved.tensors if t.index in theirs
        ]
        assert rows


def test_trainable_variables_are_kept_apart_from_all() -> None:
    model = made("frozen_above")
    model.layers[0].trainable = True
    with wtui.open(model) as opened:
        assert len(opened.tensors) == len({id(v) for v in model.weights})
        assert len(opened.trainable_tensors) == len(model.trainable_variables)
        assert opened.totals.parameters == model.count_params()
        assert opened.totals.trainable == sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def test_keras_weights_are_not_copied() -> None:
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(512)])
    kernel = model.layers[0].kernel
    found = fetched(kernel)
    assert not found.copied
    assert address(found.data) == address(np.from_dlpack(kernel.value.value()))
    kernel.assign(kernel * 2)
    with wtui.open(model) as opened:
        assert opened.tensors[0].summary().max == float(kernel.numpy().max())


def test_numpy_and_torch_weights_are_not_copied() -> None:
    array = np.arange(12.0).reshape(3, 4)
    for view in (array, array.T, array[::1]):
        assert np.shares_memory(fetched(view).data, array)
        assert not fetched(view).copied
    torch = pytest.importorskip("torch")
    tensor = torch.arange(12.0).reshape(3, 4)
    for view in (tensor, tensor.t(), torch.nn.Parameter(tensor)):
        found = fetched(view)
        assert not found.copied
        assert address(found.data) == tensor.data_ptr()


def test_values_are_those_of_now() -> None:
    array = np.zeros(10, "float32")
    with wtui.open({"layer": {"kernel": array}}) as model:
        array[3] = 7
        assert model["layer/kernel"].summary().max == 7


def test_shared_arrays_are_one() -> None:
    array = np.ones((4, 4), "float32")
    with wtui.open({"a": array, "b": array}) as model:
        assert [t.alias_of for t in model.tensors] == [None, "a"]
        assert model.totals.parameters == 16


class Module(tf.Module):
    """Variables, and a list of them."""

    def __init__(self) -> None:
        super().__init__(name="module")
        self.kernel = tf.Variable(tf.ones((3, 4)))
        self.counter = tf.Variable(2.0, trainable=False)
        self.parts = [tf.Variable([1.0, 2.0])]


def test_a_tf_module_and_a_checkpoint() -> None:
    module = Module()
    with wtui.open(module) as opened:
        assert {t.name: t.trainable for t in opened.tensors} == {"kernel": True, "counter": False, "parts/0": True}
        assert len(opened.trainable_tensors) == len(module.trainable_variables)
        assert opened.format.startswith("TensorFlow")
    with wtui.open(tf.train.Checkpoint(net=module, step=tf.Variable(5))) as opened:
        assert {t.name for t in opened.tensors} == {"net/kernel", "net/counter", "net/parts/0"}
        assert [t.name for t in opened.other_tensors] == ["step"]


def test_a_torch_module_and_its_state() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Linear(8, 2))
    module[2].weight.requires_grad_(False)
    with wtui.open(module) as opened, wtui.open(module.state_dict()) as state:
        assert [t.name for t in opened.tensors] == list(module.state_dict()) == [t.name for t in state.tensors]
        assert {t.name for t in opened.trainable_tensors} == {
            n for n, p in module.named_parameters() if p.requires_grad
        }
        assert opened["0.weight"].summary().mean == pytest.approx(float(module[0].weight.mean()), abs=1e-7)


def test_the_architecture_of_a_live_model_is_asked_where_it_is() -> None:
    model = made("nested")
    surveyor = RunningSurveyor(model)
    found = surveyor.complete()
    surveyor.kill()
    assert found.problem == ""
    assert {f.path: f.outputs for f in found.architecture.layers if not f.depth} == {
        layer.name: (tuple(layer.output.shape),) for layer in model.layers
    }
    custom = RunningSurveyor(made("lambda_layer")).complete().architecture
    assert custom.layers
    assert not custom.refused
    assert RunningSurveyor({"a": np.ones(3)}).complete().architecture.layers == ()


def test_a_report_for_a_log() -> None:
    text = wtui.open({"layer": {"kernel": np.ones((2, 3), "float32")}}).report()
    assert "layer/kernel" in text
    assert "Total params: 6 (24 B)" in text
    assert "\x1b" not in text


def test_a_model_that_is_not_built_says_so() -> None:
    with wtui.open(keras.Sequential([keras.layers.Dense(3)])) as model:
        assert "not built yet" in model.warnings[0].message
    with wtui.open(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])) as model:
        assert model.warnings == ()


@pytest.mark.parametrize("thing", [3, {"x": "y"}, [], object(), print])
def test_what_holds_no_array_is_refused(thing: object) -> None:
    with pytest.raises(UsageError, match="holds no array"):
        open_object(thing)


def test_browsing_without_a_terminal_says_what_to_do() -> None:
    code = "import numpy, wtui\nwtui.browse({'a': numpy.ones(3)})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert "there is no terminal to browse in (print(wtui.open(model).report()) needs none)" in done.stderr


BROWSE = """
import asyncio, signal, sys
import numpy as np
import wtui
before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)]
async def main():
    wtui.browse({"layer": {"kernel": np.random.default_rng(0).normal(size=(64, 64)).astype("float32")}})
asyncio.run(main())
assert before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGWINCH)]
print("and back again", *[m for m in ("tensorflow", "keras") if m in sys.modules])
"""


def test_browsing_in_a_program_returns_to_it() -> None:
    with Terminal([sys.executable, "-c", BROWSE], env={"PYTHONPATH": os.pathsep.join(sys.path)}) as terminal:
        terminal.wait("kernel", timeout=60)
        terminal.press("\x1b[B\x1b[C")
        terminal.wait("4,096 values, all read", timeout=60)
        terminal.press("q")
        terminal.wait("and back again")
        assert terminal.finish() == 0
        assert "and back again tensorflow" not in terminal.text
