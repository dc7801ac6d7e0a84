"""What is said of a run: the first fault, the last good checkpoint, what does not belong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import wtui.demo
from tests.series.runs import weights, write_checkpoint, write_run
from wtui.errors import WtuiError
from wtui.series.jumps import jump_between, jump_words
from wtui.series.members import run_in
from wtui.series.reading import Reader
from wtui.series.verdict import RunVerdict, verdict_of

DEMO = Path(wtui.demo.folder()) / "digits-run"


def judged(folder: Path, *, unread: tuple[int, ...] = (), gone: tuple[int, ...] = ()) -> RunVerdict:
    run = run_in(str(folder), alone=True)
    assert run is not None
    records, problems = {}, {}
    reader = Reader(cache=False)
    for i, m in enumerate(run.members):
        if i in unread:
            continue
        try:
            records[m.path] = reader.read(m.path)
        except WtuiError as error:
            problems[m.path] = error.what
    return verdict_of(run.members, records, problems, frozenset(run.members[i].path for i in gone))


def test_the_demos_run() -> None:
    found = judged(DEMO)
    assert (found.first_fault, found.last_good, found.notes) == (5, 4, ())
    assert found.fault_words.startswith("NaN in epoch 5, first at conv1/kernel [")
    assert found.good_words == "last good: epoch 4, complete, finite, optimizer included"


def test_since_when(tmp_path: Path) -> None:
    found = judged(write_run(tmp_path, 5, nan_from=3))
    assert found.fault_words == "NaN since epoch 3, first at fc.weight [2,3]"
    assert found.good_words == "last good: epoch 2, complete, finite, no optimizer state"


def test_a_run_that_recovered(tmp_path: Path) -> None:
    write_run(tmp_path, 5)
    for epoch in (1, 2):
        write_checkpoint(tmp_path / f"epoch-{epoch}.safetensors", weights(epoch, (0, 0)))
    found = judged(tmp_path)
    assert found.fault_words == "NaN in epoch 1 to epoch 2 (finite again in epoch 3), first at fc.weight [0,0]"
    assert found.last_good == 4


def test_infinities(tmp_path: Path) -> None:
    tensors = weights(1)
    tensors["fc.bias"] = np.array([0, -np.inf] * 4, np.float32)
    write_checkpoint(write_run(tmp_path, 1) / "epoch-1.safetensors", tensors)
    assert judged(tmp_path).fault_words == "infinity in epoch 1, first at fc.bias [1]"


def test_nothing_is_wrong(tmp_path: Path) -> None:
    found = judged(write_run(tmp_path, 3))
    assert (found.fault_words, found.first_fault, found.last_good, found.notes) == ("", None, 2, ())


def test_a_member_that_is_empty_one_that_is_cut_and_one_of_another_model(tmp_path: Path) -> None:
    write_run(tmp_path, 6)
    (tmp_path / "epoch-1.safetensors").write_bytes(b"")
    cut = tmp_path / "epoch-5.safetensors"
    cut.write_bytes(cut.read_bytes()[:-20])
    write_checkpoint(tmp_path / "epoch-3.safetensors", {"other": np.zeros(3, np.float32)})
    found = judged(tmp_path)
    assert found.last_good == 4
    assert [h.kind if h else None for h in found.health] == [
        "good", "unreadable", "good", "stranger", "good", "incomplete",
    ]  # fmt: skip
    assert found.notes[0] == "epoch 1: an empty file (0 bytes)"
    assert found.notes[1] == "epoch 3: does not belong: 0 of the run's 3 tensors are in it"
    assert found.notes[2].startswith("epoch 5: incomplete: fc.bias: ")


def test_a_tensor_that_is_missing_and_one_of_another_shape(tmp_path: Path) -> None:
    write_run(tmp_path, 5)
    tensors = weights(3)
    del tensors["fc.bias"]
    write_checkpoint(tmp_path / "epoch-3.safetensors", tensors)
    write_checkpoint(tmp_path / "epoch-4.safetensors", {**weights(4), "fc.bias": np.zeros(9, np.float32)})
    found = judged(tmp_path)
    assert found.last_good == 2
    assert found.notes == (
        "epoch 3: incomplete: fc.bias is missing",
        "epoch 4: differs from the others: fc.bias is [9], elsewhere [8]",
    )


def test_what_is_not_read_yet_is_not_judged(tmp_path: Path) -> None:
    write_run(tmp_path, 4, nan_from=1)
    assert judged(tmp_path, unread=(0, 1, 2, 3)).good_words == "reading …"
    some = judged(tmp_path, unread=(0, 2))
    assert some.good_words == "no good checkpoint (so far: 2 not read yet)"
    assert some.health[0] is None
    older = judged(tmp_path, unread=(1,))
    assert older.good_words.endswith("(so far: 1 not read yet)")
    assert older.last_good == 0


def test_a_deleted_checkpoint_is_not_the_last_good_one(tmp_path: Path) -> None:
    assert judged(write_run(tmp_path, 3), gone=(2,)).last_good == 1


@pytest.mark.parametrize("count", [0, 1])
def test_a_run_of_none_or_one(tmp_path: Path, count: int) -> None:
    found = judged(write_run(tmp_path, count))
    assert found.last_good == (0 if count else None)
    assert found.good_words == ("no good checkpoint" if not count else found.good_words)


def test_weights_that_jump(tmp_path: Path) -> None:
    write_run(tmp_path, 4)
    for epoch, factor in ((2, 30.0), (3, 30.0)):
        tensors = weights(epoch)
        tensors["fc.weight"] = (tensors["fc.weight"] * factor).astype(np.float32)
        tensors["fc.bias"] = tensors["fc.bias"] * 1000
        write_checkpoint(tmp_path / f"epoch-{epoch}.safetensors", tensors)
    reader = Reader(cache=False)
    records = [reader.read(str(tmp_path / f"epoch-{n}.safetensors")) for n in range(4)]
    before, after = (np.abs(weights(n)["fc.weight"].astype(float)).mean() for n in (1, 2))
    jump = jump_between(records[1], records[2])
    assert jump is not None
    assert (jump.tensor, jump.tensors) == ("fc.weight", 1)
    assert jump.ratio == pytest.approx(30 * after / before, rel=1e-6)
    assert jump_between(records[0], records[1]) is None
    assert jump_between(records[2], records[3]) is None
    back = jump_between(records[2], records[1])
    assert back is not None
    words = jump_words(back, "epoch 2", "epoch 1")
    assert words.startswith("epoch 1: mean |w| of fc.weight is 1/")
    assert words.endswith("of what it was at epoch 2")


def test_norms_and_what_begins_at_zero_do_not_jump(tmp_path: Path) -> None:
    a = {"norm.variance": np.full(8, 1.0, np.float32), "lora.weight": np.zeros((4, 4), np.float32)}
    b = {"norm.variance": np.full(8, 1e-3, np.float32), "lora.weight": np.ones((4, 4), np.float32)}
    paths = [str(write_checkpoint(tmp_path / f"x-{n}.safetensors", t)) for n, t in enumerate((a, b))]
    assert jump_between(*map(Reader(cache=False).read, paths)) is None
