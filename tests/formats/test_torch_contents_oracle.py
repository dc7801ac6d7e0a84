"""What PyTorch puts into its files, held to PyTorch: modules, TorchScript, optimizers, checkpoints, odd tensors."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.formats.torch_files import values
from tests.formats.torch_zoo import Block, check, network, nn, raw, saved, torch, trained
from wtui.formats import open_catalogue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("legacy", [False, True])
def test_a_whole_module(tmp_path: Path, legacy: bool) -> None:
    model = nn.Sequential(OrderedDict(block=Block(), pool=nn.AdaptiveAvgPool2d(1)))
    catalogue = saved(tmp_path / "a.pt", model, legacy)
    names = [t.name for t in catalogue.tensors if t.group == "model"]
    state = model.state_dict()
    assert sorted(names) == sorted(state)
    found = values(catalogue)
    for name in names:
        assert found[name].tobytes() == raw(state[name])
    flags = {n: p.requires_grad for n, p in model.named_parameters()} | {n: False for n, _ in model.named_buffers()}
    assert {n: catalogue[n].trainable for n in names} == flags
    totals = catalogue.totals()
    assert totals.trainable == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert catalogue["block.loose"].group == "state"
    classes = {n.path: n.class_name for n in catalogue.root.walk()}
    assert classes == {n: type(m).__name__ for n, m in model.named_modules()}
    nodes = {n.path: n for n in catalogue.root.walk()}
    assert nodes["block.conv"].config["kernel_size"] == [3, 3]
    assert [c.name for c in nodes["block"].children] == ["conv", "norm", "act", "heads"]


def test_shared_modules_and_parameters_are_listed_as_aliases(tmp_path: Path) -> None:
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    model.again = shared.weight
    catalogue = saved(tmp_path / "a.pt", model)
    assert {t.name: t.alias_of for t in catalogue.tensors if t.group == "model"} == {
        "again": None, "0.weight": "again", "0.bias": None, "2.weight": "again", "2.bias": "0.bias",
    }  # fmt: skip
    assert catalogue.totals().parameters == 12


@pytest.mark.parametrize("make", [torch.jit.script, lambda m: torch.jit.trace(m.eval(), torch.zeros(1, 3, 5, 5))])
@pytest.mark.filterwarnings("ignore")
def test_torchscript(tmp_path: Path, make: Callable[[Any], Any]) -> None:
    model = make(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.ReLU(), nn.Conv2d(4, 2, 1))))
    torch.jit.save(model, str(tmp_path / "a.pt"))
    catalogue = open_catalogue(str(tmp_path / "a.pt"))
    state = model.state_dict()
    found = values(catalogue)
    names = [t.name for t in catalogue.tensors if t.group == "model"]
    assert names == list(state)
    for name in names:
        assert found[name].tobytes() == raw(state[name])
    assert catalogue["0.weight"].trainable is True
    assert catalogue["1.running_mean"].trainable is False
    classes = {n.path: n.class_name for n in catalogue.root.walk() if n.class_name}
    assert classes["2.1"] == "Conv2d"
    assert classes["2.0"] == "ReLU"
    assert catalogue.format.startswith("TorchScript")


def test_constants_of_torchscript_are_state(tmp_path: Path) -> None:
    class Adds(nn.Module):
        def forward(self, x: Any) -> Any:
            return x + torch.tensor([1.0, 2.0, 3.0])

    torch.jit.save(torch.jit.trace(Adds(), torch.zeros(3)), str(tmp_path / "a.pt"))
    catalogue = open_catalogue(str(tmp_path / "a.pt"))
    found = values(catalogue)
    assert [t.group for t in catalogue.tensors] == ["state"] * len(catalogue.tensors)
    assert [1.0, 2.0, 3.0] in [list(v) for v in found.values() if v.shape == (3,)]


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "Adam": lambda m: torch.optim.Adam(m.parameters(), amsgrad=True),
    "SGD": lambda m: torch.optim.SGD(m.parameters(), 0.1, momentum=0.9),
    "AdamW, decay first": lambda m: torch.optim.AdamW([
        {"params": [p for p in m.parameters() if p.ndim > 1]},
        {"params": [p for p in m.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]),
    "AdamW, no decay first": lambda m: torch.optim.AdamW([
        {"params": [p for p in m.parameters() if p.ndim < 2], "weight_decay": 0.0},
        {"params": [p for p in m.parameters() if p.ndim > 1]},
    ]),
    "names": lambda m: torch.optim.Adagrad(reversed(list(m.named_parameters()))),
}  # fmt: skip


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_slots_are_mapped_to_parameters(tmp_path: Path, kind: str) -> None:
    model = network()
    optimizer = trained(model, OPTIMIZERS[kind](model))
    checkpoint = {"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "loss": float("nan")}
    catalogue = saved(tmp_path / "a.pt", checkpoint)
    names = dict(zip(map(id, model.parameters()), dict(model.named_parameters()), strict=True))
    expected = {
        f"optimizer.{names[id(p)]}.{slot}": value
        for p, slots in optimizer.state.items()
        for slot, value in slots.items()
        if isinstance(value, torch.Tensor)
    }
    found = values(catalogue)
    slots = [t for t in catalogue.tensors if t.group == "optimizer"]
    assert {t.name for t in slots} == set(expected)
    for t in slots:
        assert found[t.name].tobytes() == raw(expected[t.name])
        assert t.inferred == ("" if kind == "names" else "by order and shape")
    assert catalogue.totals().parameters == sum(p.numel() for p in model.parameters())
    assert [t.name for t in catalogue.tensors if t.group == "model"] == list(model.state_dict())
    assert all(t.trainable for t in catalogue.tensors if t.group == "model")
    assert catalogue.root.children[-1].name == "optimizer"
    assert catalogue.root.children[-1].config["param_groups"][0]["lr"] == optimizer.param_groups[0]["lr"]
    assert catalogue.metadata["checkpoint"] == {"epoch": 3, "loss": "nan"}


def test_slots_whose_shapes_disagree_keep_their_numbers(tmp_path: Path) -> None:
    model = network()
    optimizer = trained(model, torch.optim.Adam(list(model.parameters())[::-1]))
    catalogue = saved(tmp_path / "a.pt", {"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    assert "optimizer.parameter 0.exp_avg" in [t.name for t in catalogue.tensors]
    assert {t.trainable for t in catalogue.tensors} == {None}


def test_a_lightning_checkpoint(tmp_path: Path) -> None:
    model = network()
    optimizer = trained(model, torch.optim.Adam(model.parameters()))
    checkpoint = {
        "epoch": 1, "global_step": 20, "pytorch-lightning_version": "2.1.0", "state_dict": model.state_dict(),
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [{"last_epoch": 1}],
        "hparams_name": "kwargs", "hyper_parameters": {"lr": 0.001, "width": 5},
    }  # fmt: skip
    catalogue = saved(tmp_path / "last.ckpt", checkpoint)
    assert [t.name for t in catalogue.tensors if t.group == "model"] == list(model.state_dict())
    assert catalogue["optimizer.first.weight.exp_avg"].group == "optimizer"
    assert catalogue["callbacks.ModelCheckpoint.best_model_score"].group == "state"
    assert catalogue.format == "PyTorch Lightning 2.1.0, zip version 3"
    facts = catalogue.metadata["checkpoint"]
    assert facts["hyper_parameters"] == {"lr": 0.001, "width": 5}
    assert facts["lr_schedulers"] == [{"last_epoch": 1}]
    assert catalogue.metadata["file"]["model key"] == "state_dict"


def test_several_models_keep_their_keys_and_averages_do_not_count(tmp_path: Path) -> None:
    both = {"generator": network().state_dict(), "discriminator": network().state_dict(), "step": 5}
    catalogue = saved(tmp_path / "a.pt", both)
    assert catalogue.tensors[0].name == "generator.first.weight"
    assert catalogue.totals().tensors == 12
    catalogue = saved(tmp_path / "b.pt", {"model": network(), "ema": network(), "epoch": 2})
    assert catalogue.root.class_name == "Sequential"
    assert catalogue.totals().tensors == 6
    assert catalogue["ema.first.weight"].group == "state"
    assert any("averages" in w.message for w in catalogue.warnings)
    catalogue = saved(tmp_path / "c.pt", {"params_ema": network().state_dict()})
    assert catalogue.totals().tensors == 6
    assert catalogue.tensors[0].name == "first.weight"


def test_lists_tuples_and_bare_tensors(tmp_path: Path) -> None:
    check(saved(tmp_path / "a.pt", torch.arange(6.0).reshape(2, 3)), {"tensor": torch.arange(6.0).reshape(2, 3)})
    pair = [torch.ones(2), {"w": torch.zeros(3)}]
    check(saved(tmp_path / "b.pt", pair), {"0": pair[0], "1.w": pair[1]["w"]})
    parameter = {"p": nn.Parameter(torch.ones(2)), "q": nn.Parameter(torch.ones(3), requires_grad=False)}
    catalogue = saved(tmp_path / "c.pt", parameter)
    check(catalogue, parameter)
    assert [t.trainable for t in catalogue.tensors] == [True, False]


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_numpy_arrays_in_checkpoints(tmp_path: Path, protocol: int) -> None:
    rng = np.random.default_rng(3)
    arrays = {
        "a": rng.standard_normal((30, 40)), "b": rng.integers(0, 9, 5),
        "c": np.asfortranarray(rng.standard_normal((3, 5))),
        "big": rng.standard_normal((2, 3)).astype(">f4"), "small": np.float32([1.5]),
    }  # fmt: skip
    catalogue = saved(tmp_path / "a.pt", arrays | {"note": np.float64(3.5)}, protocol=protocol)
    found = values(catalogue)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes()
    assert catalogue.metadata["checkpoint"] == {"note": 3.5}


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_decoded_is_listed_with_the_reason(tmp_path: Path) -> None:
    class Wrapped(torch.Tensor):
        pass

    state = {
        "quantised": torch.quantize_per_tensor(torch.randn(3, 4), 0.1, 2, torch.qint8),
        "channels": torch.quantize_per_channel(torch.randn(3, 4), torch.ones(3), torch.zeros(3), 0, torch.qint8),
        "sparse": torch.eye(5).to_sparse(),
        "rows": torch.eye(5).to_sparse_csr(),
        "meta": torch.empty(7, 8, device="meta"),
        "turned": torch.randn(3, dtype=torch.complex64).conj(),
        "packed": torch.zeros(4, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
        "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        "plain": torch.ones(2),
    }
    catalogue = saved(tmp_path / "a.pt", state)
    assert [t.name for t in catalogue.tensors] == list(state)
    told = {t.name: t.problem for t in catalogue.tensors}
    words = {
        "quantised": "per tensor affine", "channels": "per channel affine", "sparse": "sparse coo, 5 values",
        "rows": "sparse csr", "meta": "without values", "turned": "conjugate", "packed": "float4_e2m1fn_x2",
        "nested": "nested", "plain": "",
    }  # fmt: skip
    for name, word in words.items():
        assert word in told[name], (name, told[name])
    for name in ("quantised", "channels", "sparse", "rows", "meta"):
        assert catalogue[name].shape == tuple(state[name].shape)


class Marked(torch.Tensor):
    """A subclass of torch.Tensor with an attribute."""


def test_subclasses_of_tensor_keep_their_values(tmp_path: Path) -> None:
    marked = torch.arange(4.0).as_subclass(Marked)
    marked.note = "x"
    parameter = nn.Parameter(torch.ones(3))
    parameter.tag = 5
    catalogue = saved(tmp_path / "a.pt", {"marked": marked, "parameter": parameter})
    check(catalogue, {"marked": torch.arange(4.0), "parameter": torch.ones(3)})
    assert catalogue["parameter"].trainable is True
