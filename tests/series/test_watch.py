"""A run that grows while it is followed: nothing is lost, doubled, or half-written, in whatever way it is written."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from tests.series.writer import SHAPES, content
from wtui.series.figures import Figures
from wtui.series.follow import Follower
from wtui.series.members import Run
from wtui.series.protocol import OpenRun, Pending, Taken, Trouble
from wtui.series.reading import Reader
from wtui.series.session import RunSession
from wtui.series.state import RunState

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.series.record import Record

TIMEOUT = 120.0
"""Seconds after which waiting is given up."""

EVERY = 0.02


class Watch:
    """A folder that is followed, and what is known of it."""

    def __init__(self, folder: Path, session: RunSession) -> None:
        self.folder = folder
        self.session = session
        self.state = RunState(Run(str(folder), (), ""), Figures())
        self.heard: list[object] = []

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + TIMEOUT
        while not holds():
            assert time.monotonic() < end, f"waited in vain; last heard of {self.heard[-5:]}"
            for answer in self.session.answers():
                self.heard.append(answer)
                self.state.take(answer)

    def value(self, name: str) -> float | None:
        """The one value of a checkpoint; fails if it is not of one piece."""
        record = self.state.rows.records.get(str(self.folder / name))
        return None if record is None else one_value(record)

    def last_value(self, name: str) -> float | None:
        """The last of its values: of one that is overwritten in place, at its full size, nobody can tell that the
        writer rests in the middle; it is read again when the rest is written."""
        record = self.state.rows.records.get(str(self.folder / name))
        return None if record is None else record.numbers(len(SHAPES) - 1).min

    def names(self) -> list[str]:
        return [m.name for m in self.state.members]

    def taken(self, name: str) -> list[float]:
        path = str(self.folder / name)
        return [one_value(a.record) for a in self.heard if isinstance(a, Taken) and a.path == path]


def one_value(record: Record) -> float:
    """The value that all values of a record are."""
    assert [t.name for t in record.tensors] == list(SHAPES)
    numbers = [record.numbers(i) for i in range(len(SHAPES))]
    values = {x for n in numbers for x in (n.min, n.max)}
    assert len(values) == 1, f"half-written: {values}"
    assert (record.lost, record.fault) == ((), None)
    return values.pop()


@contextmanager
def watching(folder: Path) -> Iterator[Watch]:
    session = RunSession(OpenRun(None, str(folder), follow=True, every=EVERY, patience=10 * TIMEOUT))
    session.start()
    try:
        yield Watch(folder, session)
    finally:
        session.close()


@contextmanager
def writer(folder: Path) -> Iterator[Callable[[str, str, float], None]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.series.writer", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def write(way: str, name: str, value: float = 0) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{way} {name} {value}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"

    try:
        yield write
    finally:
        process.communicate()


@pytest.mark.parametrize("way", ["rename", "grow", "folder"])
def test_every_checkpoint_once_and_whole(tmp_path: Path, way: str) -> None:
    names = [f"checkpoint-{n}{'' if way == 'folder' else '.safetensors'}" for n in range(5)]
    with writer(tmp_path) as write, watching(tmp_path) as w:
        for n, name in enumerate(names):
            write(way, name, n)
            w.until(lambda name=name, n=n: w.value(name) == n)
        assert w.names() == names
        assert [w.taken(name) for name in names] == [[float(n)] for n in range(5)]
        assert not [a for a in w.heard if isinstance(a, Trouble)]


def test_a_half_written_one_is_waited_for(tmp_path: Path) -> None:
    with writer(tmp_path) as write, watching(tmp_path) as w:
        write("rename", "epoch-0.safetensors", 7)
        write("begin", "epoch-1.safetensors", 8)
        w.until(lambda: any(isinstance(a, Pending) for a in w.heard))
        assert w.value("epoch-0.safetensors") in (None, 7)
        assert w.value("epoch-1.safetensors") is None
        write("end", "epoch-1.safetensors", 8)
        w.until(lambda: w.value("epoch-1.safetensors") == 8 and w.value("epoch-0.safetensors") == 7)
        assert w.taken("epoch-1.safetensors") == [8]
        assert not w.state.pending


@pytest.mark.parametrize("way", ["rename", "grow", "overwrite"])
def test_one_that_is_written_again_stays_one(tmp_path: Path, way: str) -> None:
    with writer(tmp_path) as write, watching(tmp_path) as w:
        write("rename", "last.safetensors", 1)
        w.until(lambda: w.value("last.safetensors") == 1)
        for value in (2, 3, 4):
            write(way, "last.safetensors", value)
            w.until(lambda value=value: w.last_value("last.safetensors") == value)
        assert w.value("last.safetensors") == 4
        assert w.names() == ["last.safetensors"]


def test_what_is_deleted_stays_known(tmp_path: Path) -> None:
    names = [f"ckpt-{n}.safetensors" for n in range(5)]
    with writer(tmp_path) as write, watching(tmp_path) as w:
        for n, name in enumerate(names):
            write("rename", name, n)
            w.until(lambda name=name, n=n: w.value(name) == n)
            if n >= 2:
                write("delete", names[n - 2])
                w.until(lambda n=n: str(tmp_path / names[n - 2]) in w.state.gone)
        assert w.names() == names
        assert [w.value(name) for name in names] == [0, 1, 2, 3, 4]
        assert w.state.verdict.last_good == 4
        write("rename", names[0], 9)
        w.until(lambda: w.value(names[0]) == 9)
        assert str(tmp_path / names[0]) not in w.state.gone
        assert w.names() == names


def test_a_training_in_a_hurry(tmp_path: Path) -> None:
    choose = random.Random(4)
    now: dict[str, float] = {}
    with writer(tmp_path) as write, watching(tmp_path) as w:
        for n in range(40):
            way = choose.choice(["rename", "grow", "again", "delete"]) if now else "rename"
            if way == "delete":
                name = choose.choice(sorted(now))
                write("delete", name)
                del now[name]
                continue
            name = choose.choice(sorted(now)) if way == "again" else f"epoch-{n}.safetensors"
            now[name] = n + 1
            write("grow" if way == "again" else way, name, now[name])
        w.until(lambda: all(w.value(name) == value for name, value in now.items()))
        alive = [name for name in w.names() if str(tmp_path / name) not in w.state.gone]
        w.until(
            lambda: {n for n in w.names() if str(tmp_path / n) not in w.state.gone | set(w.state.problems)} == set(now)
        )
        assert len(w.names()) == len(set(w.names()))
        assert set(now) <= set(alive)
        for answer in w.heard:
            if isinstance(answer, Taken):
                assert one_value(answer.record) in range(1, 41)


def test_what_stays_incomplete_is_told_in_the_end(tmp_path: Path) -> None:
    now = 0.0
    follower = Follower(Reader(cache=False), folder=str(tmp_path), patience=10.0, clock=lambda: now)
    follower.look()
    path = tmp_path / "epoch-0.safetensors"
    path.write_bytes(content(1)[:-8])
    follower.look()
    assert follower.ready == []
    follower.look()
    [member] = follower.ready
    assert [type(e) for e in follower.read(member)] == [Pending]
    follower.look()
    assert follower.ready == []
    now = 11.0
    follower.look()
    [taken] = follower.read(follower.ready[0])
    assert isinstance(taken, Taken)
    assert len(taken.record.lost) == 1
    assert follower.look() == []
    assert follower.ready == []


def test_one_that_is_deleted_before_it_could_be_read(tmp_path: Path) -> None:
    follower = Follower(Reader(cache=False), folder=str(tmp_path))
    path = tmp_path / "epoch-0.safetensors"
    path.write_bytes(content(1))
    follower.look()
    follower.look()
    path.unlink()
    events = follower.read(follower.ready[0])
    assert events[0] == Trouble(str(path), "was deleted before it could be read")
    assert follower.look() == []


def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    follower = Follower(Reader(cache=False), folder=str(folder))
    assert follower.look() == []
    folder.rmdir()
    assert follower.look() == []
    assert follower.ready == []


def test_idle_it_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "epoch-0.safetensors").write_bytes(content(1))
    looks = SimpleQueue()
    look = Follower.look
    monkeypatch.setattr(Follower, "look", lambda follower: looks.put(None) or look(follower))
    with watching(tmp_path) as w:
        w.until(lambda: w.state.rested)
        while not looks.empty():
            looks.get()
        for _ in range(5):
            looks.get(timeout=TIMEOUT)
        w.session.wake()
        assert w.session.answers() == []
