"""PyTorch files held to PyTorch: names, shapes, dtypes and every byte, whatever the container."""

from __future__ import annotations

import pickle
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.formats.torch_files import values
from tests.formats.torch_zoo import DTYPES, check, network, random_of, raw, saved, torch, trained
from wtui.formats import open_catalogue

if TYPE_CHECKING:
    from pathlib import Path


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
