"""Tensors that are read in one go: exactly what reading one opcode after the other gives, whatever the bytes."""

from __future__ import annotations

import io
import pickle
import random
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.formats.fuzzing import mutate
from wtui.errors import WtuiError
from wtui.formats import open_catalogue
from wtui.formats.inert import Deferred, Global, Items, Machine, Object, Persistent, Placed, Stream, machine, runs
from wtui.storage import BytesSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

torch = pytest.importorskip("torch")

NEVER = 1 << 40
"""Entries of the memo that no pickle has: nothing is read in one go."""


def plain(shape: tuple[int, ...] = (3, 4), count: int = 100, **options: Any) -> dict[str, Any]:
    return {f"layers.{i // 4}.w{i % 4}": torch.zeros(shape, **options) for i in range(count)}


def tied() -> dict[str, Any]:
    found = plain()
    first, last = found["layers.10.w0"], found["layers.20.w0"]
    return {**found, "again": last, "once more": first, "view": last[1:], "turned": last.t(), "flat": last.flatten()}


def one_storage() -> dict[str, Any]:
    whole = torch.arange(6000.0)
    return {f"w{i}": whole[20 * i : 20 * i + 12].view(3, 4) for i in range(300)}


def odd_views() -> dict[str, Any]:
    whole = torch.zeros(70_000)
    found = {f"w{i}": whole[i : 60 * i + 60 : i + 1] for i in range(100)}
    return {**found, "far": whole[66_000:], "repeated": torch.zeros(3, 1).expand(3, 5), "none": torch.zeros(0, 3)}


def ranks() -> dict[str, Any]:
    shapes = [(), (1,), (2, 1), (2, 3, 1), (1, 2, 1, 2), (2,) * 5, (1,) * 8, (1,) * 9, (300, 1), (70_000, 1)]
    return {f"w{i}": torch.zeros(shapes[i % len(shapes)]) for i in range(200)}


def types() -> dict[str, Any]:
    kinds = [torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.uint8, torch.complex64, torch.float8_e5m2]
    return {f"w{i}": torch.zeros(2, dtype=kinds[i % len(kinds)]) for i in range(200)}


def strange_keys() -> dict[Any, Any]:
    keys = ["r", "q", "\x1b[31m", "é" * 40, "r" * 200, "x" * 300, "h\x02((", "", "a\nb", "layer.weight", " ", "~rrrr"]
    found = {f"{k}{i}": torch.zeros(2) for i in range(20) for k in keys}
    return {**found, **{i: torch.zeros(3) for i in range(300)}, **{(i, "b"): torch.zeros(1) for i in range(30)}}


def mixed() -> dict[str, Any]:
    state = {i: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(3, 4), "lr": 0.1} for i in range(100)}
    listed = [torch.zeros(2), None, [torch.ones(3)], "text", torch.zeros(2), 7] * 20
    return {"state_dict": plain(), "optimizer": {"state": state, "param_groups": [{"params": list(range(100))}]},
            "epoch": 3, "listed": listed, "after": plain((2,), 30)}  # fmt: skip


def parameters() -> dict[str, Any]:
    found = {f"p{i}": torch.nn.Parameter(torch.zeros(2, 2), requires_grad=bool(i % 2)) for i in range(100)}
    return {**found, "wants": plain((2,), 50, requires_grad=True)}


def network() -> Any:
    return torch.nn.Sequential(*(torch.nn.Linear(2, 3, bias=bool(i % 3)) for i in range(60)))


def turned() -> dict[str, Any]:
    return {f"w{i}": torch.zeros(2, dtype=torch.complex64).conj() if i % 5 == 4 else torch.zeros(2) for i in range(90)}


def modules() -> dict[str, Any]:
    """Forms that follow one another in a pattern, with something else in between now and then."""
    found: dict[str, Any] = {}
    for i in range(60):
        found |= {f"l{i}.weight": torch.zeros(3, 4), f"l{i}.bias": torch.zeros(3), f"l{i}.steps": torch.tensor(i)}
        if i % 7 == 6:
            found |= {f"l{i}.odd": torch.zeros(8)[2:5], f"l{i}.tied": found["l0.weight"], f"l{i}.name": "\u00e9"}
    return found


ZOO = [modules, plain, tied, one_storage, odd_views, ranks, types, strange_keys, mixed, parameters, network, turned]
PROTOCOLS = (2, 3, 4, 5)


def saved(value: Any, protocol: int = 2) -> bytes:
    """The whole file."""
    out = io.BytesIO()
    torch.save(value, out, pickle_protocol=protocol)
    return out.getvalue()


def pickled(value: Any, protocol: int = 2) -> bytes:
    """The pickle in it."""
    with zipfile.ZipFile(io.BytesIO(saved(value, protocol))) as archive:
        return archive.read("archive/data.pkl")


class Read:
    """What a pickle comes to: its value with what is shared in it, the calls, the references, or the error."""

    def __init__(self, data: bytes, monkeypatch: pytest.MonkeyPatch, least: int) -> None:
        monkeypatch.setattr(machine, "LEAST_MEMO", least)
        made = Machine(Stream(BytesSource(data)))
        try:
            value = made.load()
        except WtuiError as error:
            self.told: object = str(error)
            return
        self.in_one_go = sum(type(p) is Deferred for p in made.persistent)
        references = [p.entries()[0] if type(p) is Deferred else p.id for p in made.persistent]  # type: ignore[union-attr]
        told = [list(described(v, {})) for v in (value, references)]
        self.told = (told, [g.path for g in made.called], made.stream.position)


def described(value: object, known: dict[int, int]) -> Iterator[object]:
    """A value as atoms; what was met before is a number, so that sharing shows."""
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, Object | Items | list | Persistent | Placed | Global):
            if id(value) in known:
                yield "again", known[id(value)]
                continue
            known[id(value)] = len(known)
        yield type(value).__name__
        inside = parts(value)
        if inside is None:
            yield repr(value)
        else:
            stack += inside


def parts(value: object) -> list[object] | None:
    """What a container holds, None for what is none."""
    if isinstance(value, Object):
        return [value.callee, value.args, value.state, value.items, value.pairs]
    if isinstance(value, Items):
        return [*value.flat, value.state]
    if isinstance(value, list | tuple):
        return [len(value), *value]
    if isinstance(value, Persistent):
        return [value.id]
    if isinstance(value, Global):
        return [value.path]
    return [value.offset, value.length, value.data, value.verbatim] if isinstance(value, Placed) else None


def check_same(data: bytes, monkeypatch: pytest.MonkeyPatch) -> Read:
    fast, slow = (Read(data, monkeypatch, least) for least in (256, NEVER))
    assert fast.told == slow.told
    return fast


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("make", ZOO)
def test_a_pickle_means_the_same(make: Callable[[], Any], protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = check_same(pickled(make(), protocol), monkeypatch)
    assert found.in_one_go > 20


def test_most_of_a_state_dict_is_read_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickled(plain(count=500))
    assert check_same(data, monkeypatch).in_one_go > 460


@pytest.mark.parametrize("make", [plain, modules])
def test_tensors_like_earlier_ones_are_told_by_their_bytes(
    make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    alike = runs.Runs._alike
    monkeypatch.setattr(runs.Runs, "_alike", lambda self: asked.append(made := alike(self)) or made)
    found = check_same(pickled(make()), monkeypatch)
    assert sum(made is not None for made in asked) > 0.5 * found.in_one_go


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_place_that_is_written_anew_each_time(protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.serialization, "location_tag", lambda _: "cuda:" + str(int("0")))
    found = check_same(pickled(plain(), protocol), monkeypatch)
    assert found.in_one_go > 60


def test_views_of_one_storage_are_of_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MAX_FORMS", 1)
    assert check_same(pickled(one_storage()), monkeypatch).in_one_go > 230


def test_more_forms_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MAX_FORMS", 2)
    assert 0 < check_same(pickled(ranks()), monkeypatch).in_one_go < 100


def recalling(data: bytes, numbers: list[int]) -> bytes:
    """The same pickle with its memo's entries behind its value."""
    return data[:-1] + b"(" + b"".join(b"j" + n.to_bytes(4, "little") for n in numbers) + b"l\x86."


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("make", [plain, tied, ranks, parameters, one_storage])
def test_whatever_is_recalled_later_is_there(
    make: Callable[[], Any], protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pickled(make(), protocol)
    for seed in range(5):
        numbers = random.Random(seed).choices(range(900), k=300)
        fast, slow = (Read(recalling(data, numbers), monkeypatch, least) for least in (256, NEVER))
        assert fast.told == slow.told
    assert check_same(recalling(data, list(range(500))), monkeypatch).in_one_go


def test_a_memo_whose_entries_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickled(plain(count=60))
    rest = data[data.index(b"}") :]
    for seed in range(40):
        rng = random.Random(seed)
        moves = [(rng.randrange(480), rng.randrange(500)) for _ in range(60)]
        moved = b"".join(b"j" + a.to_bytes(4, "little") + b"r" + b.to_bytes(4, "little") + b"0" for a, b in moves)
        again = recalling(data[:-1] + moved + b".", list(range(480)))
        check_same(again, monkeypatch)
        check_same(data[:-1] + moved + rest[:-1] + recalling(b".", list(range(480)))[:-2] + b"\x87.", monkeypatch)


def test_hooks_that_are_filled_afterwards_belong_to_one_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickled(plain(count=60))
    for number in range(256, 480):
        filled = b"j" + number.to_bytes(4, "little") + b"K\x01K\x02s0"
        check_same(data[:-1] + filled + b".", monkeypatch)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("make", [plain, mixed, ranks, parameters])
def test_damage_means_the_same(make: Callable[[], Any], protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickled(make(), protocol)
    rng = random.Random(1)
    for seed in range(150):
        changed = bytearray(mutate(data, seed))
        if seed % 2 and len(changed) > 6000:
            changed[rng.randrange(5000, len(changed))] = rng.randrange(256)
        check_same(bytes(changed), monkeypatch)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("make", ZOO)
def test_the_listing_is_the_same(
    make: Callable[[], Any], legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pt"
    torch.save(make(), path, _use_new_zipfile_serialization=not legacy)
    assert len(listed(path, monkeypatch, 256)) > 50
    whole = path.read_bytes()
    for seed in range(12):
        assert listed(path, monkeypatch, 256) == listed(path, monkeypatch, NEVER)
        path.write_bytes(mutate(whole, seed))


def listed(path: Path, monkeypatch: pytest.MonkeyPatch, least: int) -> str:
    """The whole catalogue as text."""
    monkeypatch.setattr(machine, "LEAST_MEMO", least)
    try:
        found = open_catalogue(str(path))
    except WtuiError as error:
        return str(error)
    tree = [(n.path, n.class_name, dict(n.config), list(n.tensors)) for n in found.root.walk()]
    return "\n".join(map(repr, (*found.tensors, *tree, found.metadata, found.warnings)))


def test_nothing_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another function of the same length, in the place of the one that rebuilds tensors, stays what it is."""
    data = pickled(plain()).replace(b"_rebuild_tensor_v2", b"_rebuild_tensor_v9")
    found = check_same(data, monkeypatch)
    assert found.in_one_go == 0
    with pytest.raises(AttributeError):
        pickle.loads(data)


def test_names_that_recur_are_kept_once_however_many_layers_have_numbers(tmp_path: Path) -> None:
    whole = torch.zeros(24_000)
    state = {f"layers.{i}.{part}": whole[i : i + 1] for i in range(12_000) for part in ("weight", "bias")}
    torch.save(state, tmp_path / "a.pt")
    found = open_catalogue(str(tmp_path / "a.pt"))
    assert [t.name for t in found.tensors] == list(state)
    assert len({id(t.role) for t in found.tensors}) == 2
