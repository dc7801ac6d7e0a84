"""Numbers kept between runs: the same digits, never those of a changed file, and no cache rather than an error."""

from __future__ import annotations

import math
import multiprocessing
import os
import sqlite3
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wtui
from tests.builders import write_safetensors
from wtui.cache import NO_SHELF, clear, database_path, open_shelf, usage
from wtui.cache.database import Database
from wtui.cache.identity import TICK_NS
from wtui.cache.records import body, content, recall, remembered, row_body, row_from
from wtui.engine.remembered import Memory
from wtui.formats import open_catalogue
from wtui.stats.accumulate import Accumulator
from wtui.stats.row import SummaryRow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wtui.api import Statistics
    from wtui.stats.summary import Summary

Arrays = dict[str, np.ndarray]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the cache, which is switched on."""
    place = tmp_path / "cache"
    monkeypatch.setenv("WTUI_CACHE", "1")
    monkeypatch.setenv("WTUI_CACHE_DIR", str(place))
    monkeypatch.delenv("WTUI_CACHE_MB", raising=False)
    return place


@pytest.fixture
def arrays() -> Arrays:
    rng = np.random.default_rng(5)
    broken = rng.normal(size=(6, 7)).astype(np.float32)
    broken[1, 2], broken[3, 3] = np.nan, -np.inf
    return {
        "a.weight": rng.normal(0.1, 0.5, (60, 50)).astype(np.float32),
        "a.bias": rng.uniform(-1, 1, 50).astype(np.float16),
        "b.weight": broken,
        "b.codes": rng.integers(-128, 128, 500).astype(np.int8),
        "b.large": np.array([2**64 - 1, 0, 7], np.uint64),
        "empty": np.zeros((0, 4), np.float32),
        "lost": np.full(5, np.nan, np.float32),
    }


def settled(path: Path) -> Path:
    """Wait until a further change of the file would show in its times."""
    while time.time_ns() - os.stat(path).st_ctime_ns <= TICK_NS:
        pass
    return path


def write(path: Path, arrays: Arrays) -> Path:
    return settled(write_safetensors(path, arrays))


def statistics(path: Path, **options: bool) -> tuple[Statistics, int]:
    """All numbers by name, and the bytes of values that were read for them."""
    with wtui.open(path, threads=1, **options) as model:
        found = model.statistics()
        found = found._replace(rows={model.catalogue.tensors[i].name: row for i, row in sorted(found.rows.items())})
        return found, model._opened.files.bytes_read


def same(a: object, b: object) -> bool:
    """Equal to the last bit, NaN being equal to itself."""
    return repr(a) == repr(b)


def test_the_second_time_nothing_is_read_and_every_digit_is_the_same(
    folder: Path, tmp_path: Path, arrays: Arrays
) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    first, read = statistics(path)
    again, read_again = statistics(path)
    assert read > 0
    assert read_again == 0
    assert same(again, first)
    assert not same(first.rows["a.weight"], first.rows["a.bias"])


def test_numbers_of_a_selection_are_kept_too(folder: Path, tmp_path: Path, arrays: Arrays) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    found = []
    for _ in range(2):
        with wtui.open(path) as model:
            found.append(model.statistics(["a.weight", "b.codes"]))
            read = model._opened.files.bytes_read
    assert read == 0
    assert same(*found)
    assert found[0].whole is not None
    assert found[0].whole.total == 3500


def test_a_summary_has_its_distribution_whatever_is_cached(folder: Path, tmp_path: Path, arrays: Arrays) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    statistics(path)
    with wtui.open(path) as model:
        values = np.sort(arrays["a.weight"].reshape(-1))
        assert model["a.weight"].summary().quantile(0.5) == pytest.approx(float(np.median(values)), rel=1e-6)
        assert sum(model["a.weight"].histogram(10).counts) == 3000


def test_another_path_to_the_same_file_is_the_same_file(folder: Path, tmp_path: Path, arrays: Arrays) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    statistics(path)
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)
    assert statistics(link)[1] == 0


@pytest.mark.parametrize("how", ["rewritten", "replaced", "time put back", "touched header"])
def test_a_changed_file_is_never_served_stale(folder: Path, tmp_path: Path, arrays: Arrays, how: str) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    before, status = statistics(path)[0], os.stat(path)
    changed = {**arrays, "a.weight": arrays["a.weight"] + np.float32(1)}
    if how == "replaced":
        os.replace(write_safetensors(tmp_path / "new", changed), path)
    elif how == "touched header":
        renamed = {("c.weight" if name == "a.weight" else name): values for name, values in arrays.items()}
        write_safetensors(path, renamed)
    else:
        write_safetensors(path, changed)
    if how != "rewritten":
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert os.stat(path).st_size == status.st_size
    settled(path)
    after, read = statistics(path)
    assert read > 0
    if how != "touched header":
        assert after.rows["a.weight"].mean == pytest.approx(before.rows["a.weight"].mean + 1, rel=1e-6)


def test_a_file_that_was_written_just_now_is_not_kept(
    folder: Path, tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_safetensors(tmp_path / "m.safetensors", arrays)
    written = os.stat(path).st_ctime_ns
    monkeypatch.setattr(time, "time_ns", lambda: written + TICK_NS - 1)
    statistics(path)
    assert usage().records == 0
    monkeypatch.setattr(time, "time_ns", lambda: written + TICK_NS)
    statistics(path)
    assert usage().records > 0


def test_what_was_read_of_a_file_that_changed_meanwhile_is_not_kept(
    folder: Path, tmp_path: Path, arrays: Arrays
) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    with wtui.open(path, threads=1) as model:
        assert len(model._opened.summaries._remembered) == 0
        write_safetensors(tmp_path / "new", {**arrays, "a.weight": -arrays["a.weight"]})
        model.tensors[0].array()  # the old file stays open
        os.replace(tmp_path / "new", path)
        model.statistics()
    assert usage().records == 0


def test_no_cache_means_none(folder: Path, tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    statistics(path, cache=False)
    assert not folder.exists()
    monkeypatch.setenv("WTUI_CACHE", "0")
    statistics(path)
    assert not folder.exists()
    assert usage().problem == "switched off by WTUI_CACHE"


def test_models_without_files_have_no_shelf(folder: Path, tmp_path: Path) -> None:
    from tests.builders import catalogue_of

    assert open_shelf(catalogue_of([("a", "Dense", [("kernel", (2, 2))])])) is NO_SHELF
    NO_SHELF.put("kind", "subject", 1)
    assert NO_SHELF.take("kind") == {}


def make_unwritable(folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("a file where the folder should be")


def make_garbage(folder: Path) -> None:
    folder.mkdir()
    (folder / "statistics.sqlite").write_bytes(np.random.default_rng(3).bytes(20_000))


def make_half(folder: Path) -> None:
    """A database cut in the middle."""
    folder.mkdir()
    place = folder / "statistics.sqlite"
    Database(str(place)).put(b"key", [("kind", str(i), "x" * 500) for i in range(200)])
    place.write_bytes(place.read_bytes()[:30_000])


def make_without_tables(folder: Path) -> None:
    folder.mkdir()
    connection = sqlite3.connect(folder / "statistics.sqlite")
    connection.execute("PRAGMA user_version = 1")
    connection.close()


def make_of_another_version(folder: Path) -> None:
    folder.mkdir()
    connection = sqlite3.connect(folder / "statistics.sqlite")
    connection.execute("CREATE TABLE records (other INTEGER)")
    connection.execute("PRAGMA user_version = 999")
    connection.close()


DAMAGE = [make_garbage, make_half, make_without_tables, make_of_another_version]


@pytest.mark.parametrize("damage", [make_unwritable, *DAMAGE])
def test_a_damaged_cache_changes_no_number(
    folder: Path, tmp_path: Path, arrays: Arrays, damage: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    plain = statistics(path, cache=False)[0]
    damage(folder)
    found = [statistics(path) for _ in range(3)]
    assert all(same(statistics, plain) for statistics, _ in found)
    assert (found[-1][1] == 0) == (damage is not make_unwritable)
    assert capfd.readouterr() == ("", "")


def test_a_flipped_bit_in_a_record_is_noticed(folder: Path, tmp_path: Path, arrays: Arrays) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    before = statistics(path)[0]
    connection = sqlite3.connect(database_path())
    connection.execute("UPDATE records SET body = replace(body, '0.', '1.')")
    connection.commit()
    connection.close()
    after, read = statistics(path)
    assert read > 0
    assert same(after, before)


def test_a_tensor_whose_needed_record_is_damaged_is_read_again(folder: Path, tmp_path: Path, arrays: Arrays) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    statistics(path)
    catalogue = open_catalogue(str(path))
    shelf = open_shelf(catalogue)
    for i in range(len(arrays)):
        shelf.put("verdict", i, ["of", i])
    shelf.close()
    connection = sqlite3.connect(database_path())
    connection.execute("UPDATE records SET body = replace(body, 'of', 'OF') WHERE kind = 'verdict' AND subject = '2'")
    connection.commit()
    connection.close()
    memory = Memory(catalogue, open_shelf(catalogue), needs=("verdict",))
    assert memory.done == set(range(len(arrays))) - {2}
    assert memory.records("verdict") == {i: ["of", i] for i in memory.done}
    recalled = memory.answer()
    assert recalled is not None
    assert not recalled.complete


def test_a_full_disk_means_no_cache(
    folder: Path, tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    opened = sqlite3.connect

    def full(*arguments: object, **options: object) -> sqlite3.Connection:
        connection = opened(*arguments, **options)  # type: ignore[call-overload]
        connection.execute("PRAGMA max_page_count = 4")
        return connection

    monkeypatch.setattr(sqlite3, "connect", full)
    plain = statistics(path, cache=False)[0]
    assert same(statistics(path)[0], plain)
    assert same(statistics(path)[0], plain)


def test_a_read_only_cache_is_read(
    folder: Path, tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    statistics(path)
    opened = sqlite3.connect

    def read_only(name: str, **options: object) -> sqlite3.Connection:
        return opened(f"file:{name}?mode=ro", uri=True, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(sqlite3, "connect", read_only)
    assert statistics(path)[1] == 0


def test_a_locked_database_is_waited_for_and_then_left_alone(
    folder: Path, tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wtui.cache.database.WAIT", 0.01)
    path = write(tmp_path / "m.safetensors", arrays)
    database = Database()
    assert database.put(b"other", [("kind", "1", "x")])
    holder = sqlite3.connect(database_path(), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert statistics(path)[1] > 0
    assert not database.put(b"other", [("kind", "2", "x")])
    holder.execute("ROLLBACK")
    assert database.put(b"other", [("kind", "2", "x")])
    assert len(database.records(b"other")) == 2
    assert statistics(path)[1] > 0
    assert statistics(path)[1] == 0


def test_the_size_is_bounded_and_what_was_used_last_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WTUI_CACHE_MB", "0.5")
    moment = iter(range(10_000))
    monkeypatch.setattr(time, "time", lambda: next(moment))
    database = Database()
    for model in range(40):
        assert database.put(bytes([model]), [("kind", str(i), f"{model}:" + "x" * 1000) for i in range(30)])
        assert database.records(bytes([0]))
        assert os.path.getsize(database_path()) <= 550_000
    kept = [model for model in range(40) if database.records(bytes([model]))]
    assert kept == [0, *range(kept[1], 40)]
    assert 5 < len(kept) < 17


def test_one_model_that_is_larger_than_the_cache_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WTUI_CACHE_MB", "0.2")
    database = Database()
    database.put(b"large", [("kind", str(i), "x" * 1000) for i in range(400)])
    assert database.records(b"large") == []
    assert os.path.getsize(database_path()) < 100_000


def fill(number: int) -> bool:
    """In another process: a hundred transactions."""
    database = Database()
    return all(database.put(b"shared", [("kind", f"{number}-{i}", f"{number * i}")]) for i in range(100))


def test_processes_write_at_the_same_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wtui.cache.database.WAIT", 60.0)
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert all(pool.map(fill, range(1, 5)))
    found = {(subject, text) for _, subject, text in Database().records(b"shared")}
    assert found == {(f"{n}-{i}", str(n * i)) for n in range(1, 5) for i in range(100)}


def summary_of(values: np.ndarray) -> Summary:
    accumulator = Accumulator(str(values.dtype), values.size)
    scratch = accumulator.scratch()
    accumulator.add(0, values.view(np.uint8), scratch)
    return accumulator.finish([scratch])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(width=32), max_size=40))
def test_rows_and_moments_come_back_to_the_last_bit(values: list[float]) -> None:
    summary = summary_of(np.array(values, np.float32))
    row = summary.row()
    back = recall(content(body(remembered(summary, row))))
    assert same(back.row, row)
    assert same(back.summary(), summary.without_counts())
    assert same(row_from(row_body(row)), row)


def test_what_is_not_a_record_is_refused() -> None:
    row = summary_of(np.ones(3, np.float32)).row()
    for data in (
        None,
        [],
        [1],
        [[], []],
        [row_body(row), [1, 2]],
        [[1] * len(SummaryRow._fields), [0.0] * 7],
        {"a": 1},
    ):
        with pytest.raises((ValueError, TypeError, LookupError)):
            recall(data)
    with pytest.raises(ValueError, match="damaged"):
        content(body([1.5]).replace("1.5", "2.5"))
    assert math.isnan(content(body([math.nan]))[0])


def test_records_of_other_forms_are_left_out(folder: Path, tmp_path: Path, arrays: Arrays) -> None:
    path = write(tmp_path / "m.safetensors", arrays)
    before = statistics(path)[0]
    shelf = open_shelf(open_catalogue(str(path)))
    for subject, data in (("0", [1]), ("1", None), ("x", [[], []]), ("2", {"a": 1})):
        shelf.put("tensor", subject, data)
    shelf.close()
    after, read = statistics(path)
    assert read > 0
    assert same(after, before)


def test_clear_removes_it(folder: Path, tmp_path: Path, arrays: Arrays) -> None:
    assert usage() == (database_path(), 0, 256_000_000, 0, 0, "")
    statistics(write(tmp_path / "m.safetensors", arrays))
    found = usage()
    assert found.models == 1
    assert found.records == len(arrays) + 1
    assert found.bytes == os.path.getsize(database_path())
    assert clear() == found.bytes
    assert clear() == 0
    assert usage().bytes == 0


def test_only_its_user_may_read_it(folder: Path, tmp_path: Path, arrays: Arrays) -> None:
    statistics(write(tmp_path / "m.safetensors", arrays))
    assert os.stat(folder).st_mode & 0o077 == 0
