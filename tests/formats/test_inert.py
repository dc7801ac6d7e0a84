"""The inert pickle machine: what pickle says is read as pickle means it, and nothing in it ever runs."""

from __future__ import annotations

import pickle
import pickletools
import resource
import struct
import sys
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.torch_files import Call, Global, pickled
from wtui.errors import FormatError, WtuiError
from wtui.formats.inert import Items, Machine, Object, Placed, Stream, opcodes, path_of, plain
from wtui.formats.inert.danger import dangerous
from wtui.storage import BytesSource

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOLS = range(6)


def load(data: bytes) -> object:
    return Machine(Stream(BytesSource(data))).load()


def meant(value: object) -> Any:
    """An inert value as the Python value that it stands for."""
    if isinstance(value, Items):
        return {meant(k): meant(v) for k, v in value.pairs()}
    if isinstance(value, Placed):
        return value.data
    if isinstance(value, list):
        return [meant(v) for v in value]
    return tuple(map(meant, value)) if isinstance(value, tuple) else value


def same(found: object, expected: object) -> bool:
    """Equal, and of the same types; sets come as lists."""
    if isinstance(expected, set | frozenset):
        return isinstance(found, list) and set(found) == expected
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and list(found) == list(expected)
            and all(same(found[k], v) for k, v in expected.items())
        )
    if isinstance(expected, list | tuple):
        return type(found) is type(expected) and len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, bytearray):
        return found == bytes(expected)
    return repr(found) == repr(expected)


ATOMS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300) | st.binary(max_size=300)
    | st.integers(-(2**200), 2**200)
)  # fmt: skip
KEYS = st.text(max_size=5) | st.integers() | st.tuples(st.integers(), st.text(max_size=3))
VALUES = st.recursive(
    ATOMS | st.frozensets(st.integers(), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(KEYS, inner, max_size=5)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3).map(OrderedDict)
    ),
    max_leaves=20,
)


@given(VALUES, st.sampled_from(PROTOCOLS))
@settings(max_examples=300, deadline=None)
def test_plain_data_is_what_pickle_says(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    assert same(meant(load(data)), value)
    assert same(meant(load(pickletools.optimize(data))), value)


def test_memo_entries_may_come_in_any_order() -> None:
    assert load(b"\x80\x02(U\x01aq\x05U\x01bq\x00U\x01cr\x00\x01\x00\x00h\x05h\x00j\x00\x01\x00\x00t.") == tuple(
        "abcabc"
    )


def test_every_opcode_has_a_handler() -> None:
    known = {ord(o.code) for o in pickletools.opcodes}
    unknown = opcodes.HANDLERS[0xFF]
    assert {code for code in range(256) if opcodes.HANDLERS[code] is not unknown} == known


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_shared_stays_shared_and_cycles_are_survived(protocol: int) -> None:
    shared = ["x"]
    loop: list[Any] = [shared, shared]
    loop.append(loop)
    found = load(pickle.dumps(loop, protocol))
    assert isinstance(found, list)
    assert found[0] is found[1]
    assert found[2] is found
    assert plain(found, lambda _: None) is not None


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_bytes_are_placed(protocol: int) -> None:
    blob = bytes(range(256)) * 400
    data = pickle.dumps({"a": blob, "b": bytearray(blob), "c": "end"}, protocol)
    found = load(data)
    assert isinstance(found, Items)
    for key in ("a", "b"):
        placed = found.get(key)
        assert isinstance(placed, Placed)
        assert placed.data is None
        if placed.offset >= 0:
            raw = data[placed.offset : placed.offset + placed.length]
            assert (raw if placed.verbatim else raw.decode().encode("latin-1")) == blob
        assert placed.verbatim == (protocol >= 3)
    assert found.get("c") == "end"


def test_long_byte_strings_are_stepped_over() -> None:
    source = BytesSource(pickle.dumps([bytes(5_000_000), "end"], 4))
    found = Machine(Stream(source)).load()
    assert isinstance(found, list)
    assert found[1] == "end"
    assert source.bytes_read < 20_000


def test_objects_are_records_of_calls() -> None:
    found = load(pickle.dumps([pickle.PickleError("why"), defaultdict(list, a=1)], 2))
    assert isinstance(found, list)
    assert isinstance(found[0], Object)
    assert path_of(found[0]) == "pickle.PickleError" or path_of(found[0]).endswith("PickleError")
    assert found[0].args == ("why",)
    assert meant(found[1]) == {"a": 1}


def test_several_pickles_follow_each_other() -> None:
    machine = Machine(Stream(BytesSource(pickle.dumps(["a"], 2) + pickle.dumps(["b"], 0))))
    assert [machine.load(), machine.load()] == [["a"], ["b"]]


# Hostile pickles


class Runs:
    """Runs a command where it is unpickled."""

    def __init__(self, call: Any, *args: Any) -> None:
        self.call = (call, args)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_runs(tmp_path: Path, protocol: int) -> None:
    import os

    touched = tmp_path / "touched"
    before = set(sys.modules)
    evil = [
        Runs(os.system, f"touch {touched}"), Runs(eval, f"open({str(touched)!r}, 'w')"),
        Runs(exec, f"open({str(touched)!r}, 'w')"), Runs(__import__, "antigravity"), Runs(open, str(touched), "w"),
    ]  # fmt: skip
    machine = Machine(Stream(BytesSource(pickle.dumps(evil, protocol))))
    found = machine.load()
    assert isinstance(found, list)
    assert all(isinstance(o, Object) for o in found)
    assert not touched.exists()
    assert set(sys.modules) == before
    told = dangerous(machine.called)
    for word in ("system", "eval", "exec", "__import__", "open"):
        assert word in told


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02cantigravity\nfly\n.",
        b"\x80\x02(iantigravity\nFly\n.",
        b"\x80\x02(cantigravity\nfly\no.",
        b"\x80\x04\x8c\x0bantigravity\x8c\x03fly\x93)\x81.",
        b"\x80\x04\x8c\x0bantigravity\x8c\x03fly\x93)}\x92.",
        b"\x80\x02\x82\x01.",
        b"Pantigravity\n.",
    ],
)
def test_no_module_is_imported(data: bytes) -> None:
    before = set(sys.modules)
    load(data)
    assert set(sys.modules) == before


def test_calls_of_calls_are_not_made() -> None:
    inner = Call(Global("builtins", "getattr"), (Global("os", "system"), "__call__"))
    found = load(pickled(Call(inner, ("echo",))))
    assert isinstance(found, Object)
    assert isinstance(found.callee, Object)


def u32(n: int) -> bytes:
    return struct.pack("<I", n)


BOMBS = {
    "memo of 2**32 entries": b"\x80\x02N" + b"r" + u32(2**32 - 1) + b".",
    "memo entry by text": b"Np99999999999999999999\n.",
    "negative memo entry": b"Np-1\n.",
    "byte string of 2**60": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"x.",
    "bytearray of 2**64": b"\x80\x05\x96" + struct.pack("<Q", 2**64 - 1) + b"x.",
    "text of 4 GB": b"\x80\x02X" + u32(2**32 - 1) + b"x.",
    "frame of 2**60": b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"N.",
    "integer of 2 GB": b"\x80\x02\x8b" + u32(2**31 - 1) + b"x.",
    "integer of many digits": b"I" + b"9" * 5000 + b"\n.",
    "line without end": b"S'" + b"x" * 3_000_000,
    "laughs": b"\x80\x02)" + b"2\x86" * 100_000 + b".",
    "deep lists": b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b".",
    "deep tuples": b"\x80\x02)" + b"\x85" * 1_000_000 + b".",
    "marks": b"\x80\x02" + b"(" * 1_000_000 + b".",
    "many sets": b"\x80\x04(" + b"\x8f" * 3_000_000 + b"t.",
    "many dictionaries": b"\x80\x02(" + b"}" * 3_000_000 + b"t.",
    "doubled list": b"\x80\x02](NN" + b"2t" * 10 + b"e.",
    "empty stack": b"\x80\x02R.",
    "tuple of nothing": b"\x80\x02\x87.",
    "no stop": b"\x80\x02N",
    "protocol 9": b"\x80\x09N.",
    "opcode that is none": b"\x80\x02\xff.",
    "dictionary with a key of laughs": b"\x80\x02})" + b"2\x86" * 60 + b"Ns.",
    "keys that collide": b"\x80\x02}("
    + b"".join(b"\x8a\x0a" + (k * (2**61 - 1)).to_bytes(10, "little") + b"N" for k in range(1, 20_000))
    + b"u.",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_bounded(name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = ""
    try:
        assert plain([load(BOMBS[name])], lambda _: None) is not None
    except WtuiError as error:
        told = str(error)
    assert "\n" not in told
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300 << 10


@pytest.mark.parametrize("name", ["empty stack", "no stop", "opcode that is none", "frame of 2**60", "many sets"])
def test_what_is_no_pickle_is_refused_with_its_place(name: str) -> None:
    with pytest.raises(FormatError, match="pickle"):
        load(BOMBS[name])
