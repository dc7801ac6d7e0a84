"""PyTorch files held to PyTorch: names, shapes, dtypes and every byte, of what `torch.save` and TorchScript write."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wtui.engine.blocks import plan_blocks
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from wtui.model import Catalogue

torch = pytest.importorskip("torch")
nn = torch.nn

DTYPES = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32",
    "uint64", "bool", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
    "float8_e8m0fnu",
)  # fmt: skip


def raw(tensor: Any) -> bytes:
    """The tensor's values as bytes in C order."""
    tensor = tensor.detach().resolve_conj().resolve_neg().contiguous()
    if tensor.dim() == 0:
        tensor = tensor.reshape(1)
    return bytes(tensor.view(torch.uint8).numpy().tobytes())


def values(catalogue: Catalogue) -> dict[str, np.ndarray]:
    """All tensors that can be read, by name."""
    files = Files(catalogue.files)
    try:
        return {t.name: plan_blocks(t, catalogue, files).array() for t in catalogue.tensors if not t.problem}
    finally:
        files.close()


def check(catalogue: Catalogue, expected: Mapping[str, Any]) -> None:
    """The catalogue's tensors are exactly those, in that order, byte for byte."""
    assert [t.name for t in catalogue.tensors] == list(expected)
    found = values(catalogue)
    for name, tensor in expected.items():
        entry = catalogue[name]
        assert entry.problem == ""
        assert entry.shape == tuple(tensor.shape)
        assert f"torch.{entry.dtype}" == str(tensor.dtype)
        assert found[name].tobytes() == raw(tensor), name


def saved(path: Path, value: Any, legacy: bool = False, protocol: int = 2) -> Catalogue:
    torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    return open_catalogue(str(path))


def random_of(dtype: str, *shape: int) -> Any:
    """Values whose bytes are all different from zero somewhere."""
    kind = getattr(torch, dtype)
    generator = torch.Generator().manual_seed(len(dtype))
    if dtype == "bool":
        return torch.rand(shape, generator=generator) < 0.5
    if dtype.startswith(("int", "uint")):
        return torch.randint(0, 100, shape, generator=generator).to(kind)
    if dtype.startswith("complex"):
        return torch.randn(*shape, dtype=kind, generator=generator)
    return torch.randn(shape, generator=generator).abs().to(kind)


class Block(nn.Module):
    """A module with everything that a module can hold."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU()
        self.scale = nn.Parameter(torch.ones(width))
        self.frozen = nn.Parameter(torch.zeros(2), requires_grad=False)
        self.register_buffer("table", torch.arange(5))
        self.heads = nn.ModuleList([nn.Linear(width, 2), nn.Linear(width, 2)])
        self.loose = torch.full((3,), 7.0)

    def forward(self, x: Any) -> Any:
        return self.act(self.norm(self.conv(x)))


def network() -> Any:
    torch.manual_seed(1)
    return nn.Sequential(OrderedDict(first=nn.Linear(6, 5), norm=nn.LayerNorm(5), act=nn.GELU(), last=nn.Linear(5, 2)))


def trained(model: Any, optimizer: Any) -> Any:
    model(torch.randn(3, 6)).sum().backward()
    optimizer.step()
    return optimizer


# Containers and dtypes


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("legacy", [False, True])
def test_every_dtype(tmp_path: Path, legacy: bool, protocol: int) -> None:
    # PyTorch itself refuses untyped storages of the newer types in the legacy format.
    old = [d for d in DTYPES if not legacy or not d.startswith(("float8", "uint16", "uint32", "uint64"))]
    state = {f"part.{d}": random_of(d, 5, 7) for d in old}
    state |= {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 4), "one": torch.ones(1, 1, 1)}
    catalogue = saved(tmp_path / "a.pt", state, legacy, protocol)
    check(catalogue, {k: state[k] for k in ("scalar", "empty", "one", *(f"part.{d}" for d in old))})
    assert catalogue.warnings == ()
    assert catalogue.format == ("PyTorch, legacy format" if legacy else "PyTorch, zip version 3")


@pytest.mark.parametrize("legacy", [False, True])
def test_views_keep_their_strides_and_offsets(tmp_path: Path, legacy: bool) -> None:
    base = torch.arange(2000.0).reshape(40, 50)
    state = {
        "whole": base, "transposed": base.t(), "rows": base[3:9], "columns": base[:, 10:20], "steps": base[::3, ::7],
        "permuted": torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1),
        "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 3), "diagonal": base.diagonal(), "item": base[7, 7],
    }  # fmt: skip
    catalogue = saved(tmp_path / "a.pt", state, legacy)
    check(catalogue, state)
    told = [w.tensor for w in catalogue.warnings]
    assert "rows" in told
    assert "permuted" not in told
    assert not any(t.alias_of for t in catalogue.tensors)


@pytest.mark.parametrize("legacy", [False, True])
def test_tied_tensors_are_aliases(tmp_path: Path, legacy: bool) -> None:
    table = torch.randn(10, 4)
    state = {"embed.weight": table, "head.weight": table, "head.turned": table.t()}
    catalogue = saved(tmp_path / "a.pt", state, legacy)
    check(catalogue, state)
    assert [t.alias_of for t in catalogue.tensors] == [None, "embed.weight", None]
    assert catalogue.totals().parameters == 80
    assert [w.tensor for w in catalogue.warnings] == ["head.turned"]


def test_bytes_of_a_big_endian_machine(tmp_path: Path) -> None:
    """An archive whose byte order record says big: PyTorch swaps when it loads it, and so must we.

    Not the types that PyTorch keeps in untyped storages, which it does not swap (as of 2.13).
    """
    state = {d: random_of(d, 3, 4) for d in DTYPES if not d.startswith(("uint", "float8"))}
    torch.save(state, tmp_path / "little.pt")
    with zipfile.ZipFile(tmp_path / "little.pt") as old, zipfile.ZipFile(tmp_path / "big.pt", "w") as new:
        for name in old.namelist():
            new.writestr(name, b"big" if name.endswith("/byteorder") else old.read(name))
    catalogue = open_catalogue(str(tmp_path / "big.pt"))
    swapped = torch.load(tmp_path / "big.pt")
    assert catalogue["float32"].byteorder == ">"
    check(catalogue, swapped)
    assert raw(swapped["float32"]) != raw(state["float32"])


def test_an_archive_that_was_zipped_again(tmp_path: Path) -> None:
    state = {"a": torch.randn(100, 100), "b": torch.arange(5), "c": torch.zeros(3, 3).t()}
    torch.save(state, tmp_path / "a.pt")
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as old,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    check(open_catalogue(str(tmp_path / "b.pt")), state)


@pytest.mark.parametrize("legacy", [False, True])
def test_what_is_left_of_a_download(tmp_path: Path, legacy: bool) -> None:
    state = {f"layer{i}.weight": torch.full((100,), float(i)) for i in range(10)}
    whole = tmp_path / "a.pt"
    full = saved(whole, state, legacy)
    behind = sorted(t.parts[0].extent.offset for t in full.tensors if t.parts)[6] + 10
    cut = tmp_path / "cut.pt"
    cut.write_bytes(whole.read_bytes()[:behind])
    catalogue = open_catalogue(str(cut))
    found = values(catalogue)
    assert len(found) == 6
    assert len(catalogue.tensors) == 10
    for name, array in found.items():
        assert array.tobytes() == raw(state[name])
    assert any("cut off" in w.message for w in catalogue.warnings)


# What is in the files


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


# Other containers


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_plain_pickles_of_tensors(tmp_path: Path, protocol: int) -> None:
    table = torch.randn(10, 4)
    state = {"table": table, "row": table[3], "turned": table.t(), "half": torch.ones(3, dtype=torch.float16)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(state, protocol))
    catalogue = open_catalogue(str(tmp_path / "a.pkl"))
    if protocol == 2:
        assert all("not read" in t.problem for t in catalogue.tensors)
    else:
        check(catalogue, state)


@pytest.mark.filterwarnings("ignore")
def test_a_distributed_checkpoint(tmp_path: Path) -> None:
    dcp = pytest.importorskip("torch.distributed.checkpoint")
    model = network()
    optimizer = trained(model, torch.optim.Adam(model.parameters()))
    names = dict(zip(map(id, model.parameters()), dict(model.named_parameters()), strict=True))
    slots = {
        names[id(p)]: {k: v for k, v in s.items() if isinstance(v, torch.Tensor)} for p, s in optimizer.state.items()
    }
    turned = {"extra.turned": torch.arange(6.0).reshape(2, 3).t(), "extra.half": torch.ones(3, dtype=torch.bfloat16)}
    weights = model.state_dict() | turned
    dcp.save({"model": weights, "optimizer": {"state": slots}, "step": 3}, checkpoint_id=str(tmp_path / "step"))
    catalogue = open_catalogue(str(tmp_path / "step"))
    found = values(catalogue)
    expected = weights | {f"optimizer.{n}.{k}": v for n, own in slots.items() for k, v in own.items()}
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert catalogue[name].shape == tuple(tensor.shape)
        assert f"torch.{catalogue[name].dtype}" == str(tensor.dtype)
        assert found[name].tobytes() == raw(tensor)
    assert catalogue.totals().tensors == len(weights)
    assert catalogue.metadata["objects"] == ["step"]


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
