"""Is it all there? What `ls` says before anything else, its exit code, and that the rest stays readable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors
from tests.cli.conftest import DEMO, Run

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 4976698672\n"
)
POINTED = "is a Git LFS pointer to 4,976,698,672 bytes (sha256:4d7a214614ab...), not the weights"
BLOCKS, PER_SHARD = 6, 2


def shard(number: int, suffix: str = "safetensors") -> str:
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    return f"{stem}-{number:05d}-of-00003.{suffix}"


def weights(number: int) -> dict[str, np.ndarray]:
    blocks = range((number - 1) * PER_SHARD, number * PER_SHARD)
    return {f"model.layers.{i}.mlp.up_proj.weight": np.full((8, 8), i, np.float32) for i in blocks}


def write_folder(folder: Path, suffix: str) -> Path:
    """Six blocks in three shards with index and configuration."""
    folder.mkdir()
    index = {}
    for number in (1, 2, 3):
        if suffix == "safetensors":
            write_safetensors(folder / shard(number), weights(number))
        else:
            torch = pytest.importorskip("torch")
            state = {k: torch.from_numpy(v) for k, v in weights(number).items()}
            torch.save(state, folder / shard(number, suffix))
        index |= dict.fromkeys(weights(number), shard(number, suffix))
    name = "model.safetensors" if suffix == "safetensors" else "pytorch_model.bin"
    (folder / f"{name}.index.json").write_text(json.dumps({"weight_map": index}))
    (folder / "config.json").write_text(json.dumps({"num_hidden_layers": BLOCKS}))
    return folder


@pytest.fixture(params=["safetensors", "bin"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A sharded model that is all there, and the suffix of its shards."""
    return write_folder(tmp_path / "model", request.param), request.param


def first_lines(run: Run, path: Path, code: int = 3) -> list[str]:
    """The lines about what is missing: between the head and the table."""
    done = run("ls", path)
    assert done.code == code, done.out + done.err
    lines = done.out.splitlines()
    told = lines[1 : lines.index("")]
    assert not told or told[0] == "✗ not all of it is here:"
    return told[1:]


def test_all_there(run: Run, folder: tuple[Path, str]) -> None:
    assert first_lines(run, folder[0], 0) == []


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (Path.unlink, "is missing, or lies outside the folder"),
    "empty": (lambda p: p.write_bytes(b""), "is empty (0 bytes): a download or a save that stopped?"),
    "pointer": (lambda p: p.write_bytes(POINTER), POINTED),
    "stub": (lambda p: p.write_bytes(p.read_bytes()[:20]), "shard"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_shard_that_is_not_there(run: Run, folder: tuple[Path, str], damage: str) -> None:
    path, suffix = folder
    break_it, said = DAMAGE[damage]
    break_it(path / shard(2, suffix))
    lines = first_lines(run, path)
    assert lines[0].startswith(f"  shard {shard(2, suffix)} ")
    assert said in lines[0]
    assert "  blocks 2, 3 of model.layers are missing, 5 is there" in lines
    assert any("model.layers.2.mlp.up_proj.weight and 1 more: the index says" in line for line in lines)
    with wtui.open(path) as model:
        assert model["model.layers.5.mlp.up_proj.weight"].array().mean() == 5
        assert len(model.tensors) == 4
    document = run("ls", path, "--json").document
    assert {"tensor": None, "message": "blocks 2, 3 of model.layers are missing, 5 is there"} in document["warnings"]
    checked = run("check", path, "--json")
    assert checked.code == 1
    assert {f["rule"] for f in checked.document["findings"]} >= {"incomplete", "missing-blocks"}


def test_a_shard_that_ends_early(run: Run, folder: tuple[Path, str]) -> None:
    path, suffix = folder
    place = path / shard(2, suffix)
    place.write_bytes(place.read_bytes()[:-100] if suffix == "safetensors" else place.read_bytes()[:-600])
    assert first_lines(run, path)
    with wtui.open(path) as model:
        assert model["model.layers.2.mlp.up_proj.weight"].array().mean() == 2


def test_no_index_and_a_number_that_is_missing(run: Run, folder: tuple[Path, str]) -> None:
    path, suffix = folder
    next(path.glob("*.index.json")).unlink()
    (path / shard(2, suffix)).unlink()
    assert first_lines(run, path)[0] == "  shard 2 of 3 is missing"


def test_names_that_index_and_shards_do_not_share(run: Run, folder: tuple[Path, str]) -> None:
    path, suffix = folder
    index = next(path.glob("*.index.json"))
    known = json.loads(index.read_text())["weight_map"]
    known["ghost.weight"] = shard(1, suffix)
    del known["model.layers.4.mlp.up_proj.weight"]
    index.write_text(json.dumps({"weight_map": known}))
    text = f"  ghost.weight: the index says it is in {shard(1, suffix)}, which does not hold it"
    assert first_lines(run, path) == [text]
    assert "model.layers.4.mlp.up_proj.weight: a shard holds it, the index does not name it" in run("ls", path).out


@pytest.mark.parametrize("inner", [False, True])
def test_blocks_that_only_the_configuration_knows(run: Run, folder: tuple[Path, str], inner: bool) -> None:
    config = {"num_hidden_layers": 12}
    (folder[0] / "config.json").write_text(json.dumps({"text_config": config} if inner else config))
    assert first_lines(run, folder[0]) == ["  the configuration says that there are 12 blocks, the file holds 6"]


def test_nothing_can_be_read(run: Run, folder: tuple[Path, str]) -> None:
    for place in folder[0].glob(f"*.{folder[1]}"):
        place.write_bytes(POINTER)
    done = run("ls", folder[0])
    assert (done.code, done.out) == (2, "")
    assert POINTED in done.err
    assert done.err.count("\n") == 1


def test_a_shard_by_itself_says_so(run: Run, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "model", "safetensors")
    done = run("ls", path / shard(1))
    assert done.code == 0
    assert "this is shard 1 of 3: open the folder for the whole model" in done.out


def test_the_demos_language_model_says_what_was_planted(run: Run) -> None:
    lines = first_lines(run, DEMO / "tiny-lm")
    assert lines[0] == "  shard model-00002-of-00003.safetensors was cut off: it has 67,804 of 113,008 bytes"
    assert lines[1].startswith("  model.layers.2.self_attn.v_proj.weight: 3,636 of its 4,608 bytes lie behind the end")
    assert lines[2].startswith("  model.layers.2.self_attn.o_proj.weight and 4 more: all of its 4,608 bytes")
    assert len(lines) == 3
    document = run("ls", DEMO / "tiny-lm", "--json").document
    assert (document["totals"]["parameters"], len(document["tensors"])) == (135_600, 38)
    assert {t["dtype"] for t in document["tensors"]} == {"bfloat16"}
    with wtui.open(DEMO / "tiny-lm") as model:
        assert "planted: shard 2 of 3 ends after 60%" in model.catalogue.metadata["note"]
        assert len([t for t in model.tensors if not t.problem]) == 32
    found = run("check", DEMO / "tiny-lm", "--json").document["findings"]
    assert [f["rule"] for f in found] == ["unreadable"] * 6 + ["incomplete"]


def test_the_demos_adapter_changes_nothing(run: Run) -> None:
    assert first_lines_about(run, DEMO / "adapter") == (
        "LoRA adapter for tiny-lm: rank 4, alpha 8, on q_proj, v_proj, 8 weights"
    )
    document = run("check", DEMO / "adapter", "--json", "--fail-on", "warning").document
    assert [(f["severity"], f["rule"]) for f in document["findings"]] == [("warning", "adapter-untrained")] * 8
    with wtui.open(DEMO / "adapter") as model:
        assert model.catalogue.metadata["note"].startswith("planted: every B is still zero")
        delta = model["base_model.model.model.layers.0.self_attn.q_proj.delta"]
        assert (delta.shape, delta.summary().l2) == ((48, 48), 0)


def test_the_demo_is_small_and_made_again_alike(tmp_path: Path) -> None:
    from wtui.demo.language import write_adapter, write_tiny_lm

    size = sum(p.stat().st_size for p in DEMO.parent.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    assert size < 1_000_000
    write_tiny_lm(tmp_path)
    write_adapter(tmp_path)
    made = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(made) == 7
    for path in made:
        assert path.read_bytes() == (DEMO / path.relative_to(tmp_path)).read_bytes()


def first_lines_about(run: Run, path: Path) -> str:
    """The line below the head: what the model is."""
    done = run("ls", path)
    assert done.code == 0
    return done.out.splitlines()[1]


def test_many_missing_tensors_are_one_finding(run: Run, folder: tuple[Path, str]) -> None:
    path, suffix = folder
    (path / shard(3, suffix)).unlink()
    found = [f for f in run("check", path, "--json").document["findings"] if f["rule"] == "incomplete"]
    assert [f["evidence"] for f in found] == [{"tensors": 2}, {}]
    assert found[0]["message"].startswith("model.layers.4.mlp.up_proj.weight and 1 more: the index says")


def test_findings_of_one_kind_are_counted(run: Run) -> None:
    lines = run("check", DEMO / "adapter").out.splitlines()
    assert len(lines) == 6
    assert lines[3] == "    and 5 more like it  [adapter-untrained]"
    assert lines[4] == "    was it trained, and is this the file that was saved after it?"
    assert lines[5].startswith("8 warnings")
