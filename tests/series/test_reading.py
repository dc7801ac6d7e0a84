"""Records of checkpoints: right against numpy, kept between runs, never of a file that changed meanwhile."""

from __future__ import annotations

import math
import os
import pickle
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

import wtui.series.reading as reading
import wtui.series.session as session
from tests.series.runs import settled, weights, write_checkpoint, write_run
from wtui.cache.records import body, content
from wtui.errors import WtuiError
from wtui.series.figures import Figures
from wtui.series.members import run_in
from wtui.series.protocol import OpenRun, Recalled, Rested, Taken
from wtui.series.reading import Reader
from wtui.series.record import Fault, plain, record_from
from wtui.series.state import RunState
from wtui.storage.pace import Pace

if TYPE_CHECKING:
    from pathlib import Path


def numbers(record, name: str):
    return record.numbers([t.name for t in record.tensors].index(name))


def test_numbers_are_those_of_numpy(tmp_path: Path) -> None:
    tensors = weights(3)
    record = Reader(cache=False).read(str(write_checkpoint(tmp_path / "a.safetensors", tensors)))
    assert [t.name for t in record.tensors] == list(tensors)
    assert (record.fault, record.lost, record.has_optimizer) == (None, (), False)
    for name, array in tensors.items():
        values, found = array.astype(np.float64), numbers(record, name)
        assert (found.total, found.nan, found.infinite) == (values.size, 0, 0)
        assert found.mean == pytest.approx(values.mean(), rel=1e-12)
        assert found.std == pytest.approx(values.std(), rel=1e-12, abs=1e-15)
        assert found.abs_mean == pytest.approx(np.abs(values).mean(), rel=1e-12)
        assert found.l2 == pytest.approx(np.linalg.norm(values), rel=1e-12)
        assert (found.min, found.max) == (values.min(), values.max())
        assert found.quantiles[4] == pytest.approx(np.quantile(values, 0.5), abs=1e-6)


def test_what_is_not_finite_is_counted_and_placed(tmp_path: Path) -> None:
    tensors = weights(0, nan_at=(2, 3))
    tensors["fc.bias"] = np.array([1, np.inf, -np.inf], np.float32)
    tensors |= {"empty": np.zeros((0, 2), np.float32), "scalar": np.array(2.0, np.float64)}
    record = Reader(cache=False).read(str(write_checkpoint(tmp_path / "a.safetensors", tensors)))
    assert record.fault == Fault("NaN", "fc.weight", (2, 3))
    assert numbers(record, "fc.weight").nan == 1
    assert numbers(record, "fc.bias").infinite == 2
    assert math.isnan(numbers(record, "empty").mean)
    assert numbers(record, "scalar").mean == 2.0


def test_a_record_survives_pipes_and_the_cache(tmp_path: Path) -> None:
    record = Reader(cache=False).read(str(write_checkpoint(tmp_path / "a.safetensors", weights(0, (1, 1)))))
    assert repr(pickle.loads(pickle.dumps(record))) == repr(record)
    assert repr(record_from(content(body(plain(record))))) == repr(record)
    with pytest.raises((ValueError, TypeError, LookupError)):
        record_from([*plain(record)[:3], "AAAA", None, (), ()])


def test_a_known_checkpoint_is_not_read_again(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(settled(write_run(tmp_path / "run", 1)) / "epoch-0.safetensors")
    record = Reader().read(path)
    monkeypatch.setattr(reading, "open_catalogue", lambda path: pytest.fail("opened"))
    assert repr(Reader().recall(path)) == repr(record)
    assert Reader(cache=False).recall(path) is None


@pytest.mark.parametrize("how", ["values", "touch", "replace", "delete"])
def test_a_changed_checkpoint_is_never_recalled(tmp_path: Path, cache: Path, how: str) -> None:
    path = settled(write_run(tmp_path / "run", 1)) / "epoch-0.safetensors"
    Reader().read(str(path))
    status = os.stat(path)
    if how == "values":
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif how == "touch":
        os.utime(path)
    elif how == "replace":
        shutil.copy2(path, tmp_path / "copy")
        os.replace(tmp_path / "copy", path)
    else:
        path.unlink()
    assert Reader().recall(str(path)) is None


def test_a_new_file_in_a_checkpoints_folder_makes_it_another_one(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "run" / "checkpoint-1"
    folder.mkdir(parents=True)
    write_checkpoint(folder / "model.safetensors", weights(1))
    settled(tmp_path / "run")
    Reader().read(str(folder))
    assert Reader().recall(str(folder)) is not None
    (folder / "optimizer.pt").write_bytes(b"x")
    assert Reader().recall(str(folder)) is None


def test_a_checkpoint_that_is_written_while_it_is_read(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "a.safetensors", weights(0))
    with pytest.raises(WtuiError, match="was written while it was read"):
        Reader(cache=False).read(str(path), lambda done, total: os.utime(path, (1, 1)))


def test_a_checkpoint_that_vanishes_while_it_is_read(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "a.safetensors", weights(0))
    with pytest.raises(WtuiError, match="was deleted while it was read"):
        Reader(cache=False).read(str(path), lambda done, total: path.unlink(missing_ok=True))
    with pytest.raises(WtuiError, match="is gone"):
        Reader(cache=False).read(str(path))


def test_a_truncated_checkpoint_says_what_is_lost(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "a.safetensors", weights(0))
    path.write_bytes(path.read_bytes()[:-20])
    record = Reader(cache=False).read(str(path))
    assert len(record.lost) == 1
    assert "fc.bias" in record.lost[0]
    assert math.isnan(numbers(record, "fc.bias").mean)
    assert numbers(record, "fc.bias").total == 8


def test_a_pace_is_kept(tmp_path: Path) -> None:
    now = 0.0
    pace = Pace(1000, lambda: now)
    pace.stop()  # nobody waits: only the times are asked for
    waits = [pace.wait(500) for _ in range(5)]
    assert waits == [0.0, 0.5, 1.0, 1.5, 2.0]
    now = 10.0
    assert pace.wait(500) == 0.0


def test_a_paced_reader_finds_the_same(tmp_path: Path) -> None:
    path = str(write_checkpoint(tmp_path / "a.safetensors", weights(0)))
    paced = Reader(cache=False, pace=Pace(1e9)).read(path)
    assert repr(paced) == repr(Reader(cache=False).read(path))


def folder_with_optimizer(folder: Path, cut: int = 0) -> str:
    torch = pytest.importorskip("torch")
    folder.mkdir()
    write_checkpoint(folder / "model.safetensors", weights(0))
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    torch.save(optimizer.state_dict(), folder / "optimizer.pt")
    data = (folder / "optimizer.pt").read_bytes()
    (folder / "optimizer.pt").write_bytes(data[: len(data) - cut])
    return str(folder)


def test_the_state_of_an_optimizer_beside_the_weights(tmp_path: Path) -> None:
    record = Reader(cache=False).read(folder_with_optimizer(tmp_path / "checkpoint-10"))
    assert (record.optimizer_file, record.has_optimizer, record.lost) == ("optimizer.pt", True, ())
    assert repr(record_from(content(body(plain(record))))) == repr(record)


def test_an_optimizers_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    record = Reader(cache=False).read(folder_with_optimizer(tmp_path / "checkpoint-10", 400))
    assert any(text.startswith("optimizer.pt: ") for text in record.lost)


def test_recalled_checkpoints_of_the_same_tensors_share_their_list(tmp_path: Path, cache: Path) -> None:
    folder = write_run(tmp_path / "run", 3)
    write_checkpoint(folder / "epoch-3.safetensors", {"other": np.ones((2, 2), np.float32)})
    paths = [str(settled(folder) / f"epoch-{n}.safetensors") for n in (0, 1, 3, 2)]
    read = [Reader().read(path) for path in paths]
    reader = Reader()
    found = [reader.recall(path) for path in paths]
    assert [repr(record) for record in found] == [repr(record) for record in read]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].tensors is found[1].tensors


def test_a_session_tells_what_is_known_at_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_in(str(settled(write_run(tmp_path / "run", 5))))
    assert run is not None
    reader = Reader()
    records = {m.path: reader.read(m.path) for m in run.members[:4]}
    reader.close()
    monkeypatch.setattr(session, "AT_ONCE", 3)
    serving = session.RunSession(OpenRun(run))
    serving.start()
    heard: list[object] = []
    while not heard or not isinstance(heard[-1], Rested):
        heard += serving.answers()
    serving.close()
    together = [answer for answer in heard if isinstance(answer, Recalled)]
    assert [len(answer.taken) for answer in together] == [3, 1]
    told = {each.path: each.record for answer in together for each in answer.taken}
    assert repr(sorted(told.items())) == repr(sorted(records.items()))
    assert [answer.path for answer in heard if isinstance(answer, Taken)] == [run.members[4].path]
    state = RunState(run, Figures())
    for answer in heard:
        state.take(answer)
    assert set(state.rows.records) == {m.path for m in run.members}
    assert state.rested
