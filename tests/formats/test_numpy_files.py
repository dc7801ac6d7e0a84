"""npy and npz files: every type, order and version against NumPy itself, what is refused, damage."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest

from tests.formats.fuzzing import check_mutations, check_opens_or_refuses
from wtui.engine.blocks import plan_blocks
from wtui.errors import FormatError
from wtui.formats import npz, open_catalogue
from wtui.formats.probe import Probe
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue

DTYPES = (
    "<f4", ">f4", "<f8", ">f2", "|i1", ">i2", "<i4", ">i8", "|u1", "<u2", ">u4", "<u8", "|b1", "<c8", ">c16",
)  # fmt: skip


class Evil:
    """A pickle of it makes a file, if it is ever loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def some(descr: str, shape: tuple[int, ...] = (3, 4, 5)) -> np.ndarray:
    return (np.random.default_rng(1).normal(size=shape) * 50).astype(descr)


def values(catalogue: Catalogue, name: str) -> np.ndarray:
    return plan_blocks(catalogue[name], catalogue, Files(catalogue.files)).array()


@pytest.mark.parametrize("descr", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_every_type_and_order(tmp_path: Path, descr: str, order: str) -> None:
    array = np.asarray(some(descr), order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "kernel.npy", array)
    found = open_catalogue(str(tmp_path / "kernel.npy"))
    (entry,) = found.tensors
    assert (entry.name, entry.shape, entry.problem) == ("kernel", (3, 4, 5), "")
    assert np.dtype(entry.dtype) == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(values(found, "kernel"), array)
    assert found.format == "NumPy array (npy 1.0)"


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (1, 1, 1), (2, 0, 3)])
def test_npy_versions_and_shapes(tmp_path: Path, version: tuple[int, int], shape: tuple[int, ...]) -> None:
    array = some("<f4", shape)
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, array, version=version)
    found = open_catalogue(str(tmp_path / "a.npy"))
    assert found.tensors[0].shape == shape
    np.testing.assert_array_equal(values(found, "a"), array)
    assert found.format.endswith(f"(npy {version[0]}.0)")


def test_bfloat16_is_read_as_such_and_said_to_be_a_guess(tmp_path: Path) -> None:
    array = some("f4").astype(ml_dtypes.bfloat16)
    np.save(tmp_path / "a.npy", array)
    found = open_catalogue(str(tmp_path / "a.npy"))
    assert found["a"].dtype == "bfloat16"
    np.testing.assert_array_equal(values(found, "a"), array)
    assert "bfloat16" in found.warnings[0].message


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.array(["a", "bc"]), "texts"),
        (np.array([b"a"]), "texts"),
        (np.array(["2020-01-01"], "M8[D]"), "dates"),
        (np.zeros(2, [("shape", "f4"), ("descr", "i4")]), "records"),
        (np.zeros(2, "V7"), "records"),
        (np.zeros(2, np.longdouble), "float128"),
    ],
)
def test_other_types_are_listed_with_their_reason(tmp_path: Path, array: np.ndarray, reason: str) -> None:
    np.save(tmp_path / "a.npy", array)
    found = open_catalogue(str(tmp_path / "a.npy"))
    assert reason in found["a"].problem
    assert found["a"].shape == array.shape


def test_pickles_are_listed_and_never_loaded(tmp_path: Path) -> None:
    evil = np.array([Evil(tmp_path / "made"), None], object)
    np.save(tmp_path / "a.npy", evil, allow_pickle=True)
    np.savez(tmp_path / "b.npz", good=np.ones(3, "f4"), evil=evil)
    for name, tensor in (("a.npy", "a"), ("b.npz", "evil")):
        found = open_catalogue(str(tmp_path / name))
        assert "Python objects" in found[tensor].problem
        assert found[tensor].shape == (2,)
        assert found[tensor].dtype == "object"
    np.testing.assert_array_equal(values(found, "good"), np.ones(3))
    assert not (tmp_path / "made").exists()
    assert pickle.loads(pickle.dumps(Evil(tmp_path / "made"))), "the pickle would have made the file"
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_stored_and_deflated(tmp_path: Path, save: object) -> None:
    arrays = {f"layer{i}/{n}": some(d, (50, 40)) for i in (10, 2) for n, d in (("kernel", "<f4"), ("bias", ">f8"))}
    arrays["step"] = np.array(3)
    save(tmp_path / "a.npz", **arrays)  # type: ignore[operator]
    found = open_catalogue(str(tmp_path / "a.npz"))
    assert found.format == "NumPy archive (npz)"
    assert [node.name for node in found.root.children] == ["layer10", "layer2"]
    assert found["layer2/bias"].role == "bias"
    assert found["layer2/bias"].layer == "layer2"
    assert len(found.files) == (1 if save is np.savez else 6)
    for name, array in arrays.items():
        np.testing.assert_array_equal(values(found, name), array)
    assert found.warnings == ()


def test_names_in_the_order_of_the_alphabet_are_put_into_that_of_numbers(tmp_path: Path) -> None:
    names = [f"block.{i}.weight" for i in ("1", "10", "2")]
    np.savez(tmp_path / "a.npz", **{n: np.ones(2) for n in names})
    found = open_catalogue(str(tmp_path / "a.npz"))
    assert [t.name for t in found.tensors] == ["block.1.weight", "block.2.weight", "block.10.weight"]


def test_values_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{f"w{i}": np.zeros(1_000_000, "f4") for i in range(4)})
    np.savez_compressed(tmp_path / "b.npz", **{f"w{i}": some("f4", (300_000,)) for i in range(4)})
    for name in ("a.npz", "b.npz"):
        probe = Probe(str(tmp_path / name))
        assert len(npz.catalogue(probe).tensors) == 4
        assert probe.bytes_read < 200_000
        probe.close()


def test_a_truncated_archive_keeps_what_is_whole(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", first=some("f4", (100,)), second=some("f4", (1000,)))
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(data[:2000])
    found = open_catalogue(str(tmp_path / "a.npz"), "npz")
    np.testing.assert_array_equal(values(found, "first"), some("f4", (100,)))
    assert "behind the end" in found["second"].problem
    assert "cut off" in found.warnings[0].message


def npy(descr: str, shape: str, data: bytes = b"", version: int = 1, length: int | None = None) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    size = struct.pack("<H" if version == 1 else "<I", len(header) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + data


HOSTILE = {
    "shape": npy("'<f4'", f"({'9' * 20}, {'9' * 20})"),
    "long numbers": npy("'<f4'", f"({'9' * 5000},)"),
    "negative": npy("'<f4'", "(-3,)"),
    "axes": npy("'<f4'", "(" + "1," * 1000 + ")"),
    "code": npy("__import__('os').system('true')", "(3,)"),
    "parentheses": npy("'<f4'", "(" * 30_000),
    "header": npy("'<f4'", "(3,)", version=2, length=1 << 31),
    "version": b"\x93NUMPY\x09\x00" + bytes(100),
    "nothing": b"\x93NUMPY",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(HOSTILE[name])
    found = check_opens_or_refuses(path)
    assert found is None or found.tensors[0].problem


def test_python_2_wrote_long_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy("'<f4'", "(2L, 1L)", struct.pack("<2f", 1, 2)))
    found = open_catalogue(str(tmp_path / "a.npy"))
    np.testing.assert_array_equal(values(found, "a"), [[1], [2]])


def test_a_bomb_in_an_archive_is_not_inflated(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.save(out, np.zeros(20_000_000, "f8"))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", out.getvalue())
    data = bytearray((tmp_path / "a.npz").read_bytes())
    claimed = len(out.getvalue())
    at = data.rindex(claimed.to_bytes(4, "little"))
    data[at : at + 4] = (0xFFFF_FFF0).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(data)
    assert (tmp_path / "a.npz").stat().st_size < 200_000
    check_opens_or_refuses(tmp_path / "a.npz")


def test_member_names_are_data(tmp_path: Path) -> None:
    names = ["../../evil", "/etc/passwd", "a\x1b[31m", "line\nbreak", "[bold]"]
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in names:
            archive.writestr(f"{name}.npy", npy("'<f4'", "(1,)", bytes(4)))
    found = open_catalogue(str(tmp_path / "a.npz"))
    assert {t.name for t in found.tensors} == set(names)


def test_an_archive_of_other_things_is_not_taken(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", npy("'<f4'", "(1,)", bytes(4)))
        archive.writestr("readme.txt", "hello")
    with pytest.raises(FormatError):
        open_catalogue(str(tmp_path / "a.npz"))
    found = open_catalogue(str(tmp_path / "a.npz"), "npz")
    assert [t.name for t in found.tensors] == ["a"]


@pytest.mark.parametrize("name", ["a.npy", "stored.npz", "deflated.npz"])
def test_damage_ends_in_wtui_errors(tmp_path: Path, name: str) -> None:
    arrays = {"a/kernel": some("<f4", (4, 5)), "a/bias": some(">f8", (5,)), "b": some("|b1")}
    np.save(tmp_path / "a.npy", np.asfortranarray(some(">f4")))
    np.savez(tmp_path / "stored.npz", **arrays)
    np.savez_compressed(tmp_path / "deflated.npz", **arrays)
    opened = check_mutations(tmp_path / "damaged", (tmp_path / name).read_bytes(), 500, name[-3:])
    assert 100 < opened < 500
