"""Damaged HDF5 files: whatever the bytes, only WtuiErrors leave the reader, and every extent lies in the file."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.formats import hdf5_zoo as zoo
from wtui.codecs import hdf5_filters
from wtui.errors import WtuiError
from wtui.formats import open_catalogue
from wtui.formats.hdf5 import Dataset, open_hdf5
from wtui.storage import BytesSource

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.model import Catalogue

SEEDS = (
    "attributes earliest", "attributes latest", "chunks earliest", "chunks latest", "filters latest", "links latest",
    "layouts latest", "many_attributes latest", "many_links latest tracked", "many_links earliest", "nested earliest",
    "cycles earliest", "other_types latest", "paged_fixed",
)  # fmt: skip
ROUNDS = 40
"""Mutations of each file."""


@pytest.mark.parametrize("name", SEEDS)
def test_damage_ends_in_wtui_errors(name: str, tmp_path: Path) -> None:
    whole = zoo.write(tmp_path / "whole.h5", name).read_bytes()
    path = tmp_path / "broken.h5"
    rng = random.Random(name)
    opened = 0
    left_the_reader: list[str] = []
    for _ in range(ROUNDS):
        data = _mutated(rng, whole)
        try:
            for found in open_hdf5(BytesSource(data)).walk():
                _ask_everything(found)
        except WtuiError:
            pass
        path.write_bytes(data)
        try:
            catalogue = open_catalogue(str(path), "hdf5")
        except WtuiError as error:
            left_the_reader += [repr(error.__cause__)] if "what it seems (" in str(error) else []
            continue
        opened += 1
        _decode_some(catalogue, data)
    assert left_the_reader == []
    assert opened > ROUNDS // 3, "the mutations must leave enough to read"


def _ask_everything(found: object) -> None:
    assert dict(found.attrs) is not None  # type: ignore[attr-defined]
    if isinstance(found, Dataset):
        for ask in (found.read, lambda: found.parts(0), lambda: found.chunk_parts(0)):
            try:
                ask()
            except WtuiError:
                pass


def _decode_some(catalogue: Catalogue, data: bytes) -> None:
    for entry in catalogue.tensors:
        try:
            for part in catalogue.parts(entry)[:5]:
                _, offset, length = part.extent
                assert offset >= 0
                assert offset + length <= len(data)
                hdf5_filters.decode(memoryview(data[offset : offset + length]), entry, part)
        except WtuiError:
            pass


def _mutated(rng: random.Random, whole: bytes) -> bytes:
    """The file cut, with a piece copied over another one, or with a few bits, bytes or addresses changed."""
    data = bytearray(whole)
    kind = rng.random()
    if kind < 0.15:
        return bytes(data[: rng.randrange(len(data))])
    if kind < 0.3:
        size = rng.choice([8, 16, 64, 512])
        to, start = rng.randrange(len(data)), rng.randrange(len(data))
        data[to : to + size] = data[start : start + size]
        return bytes(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        at = rng.randrange(len(data))
        kind = rng.random()
        if kind < 0.5:
            data[at] ^= 1 << rng.randrange(8)
        elif kind < 0.7:
            data[at] = rng.choice([0, 1, 127, 128, 255])
        else:
            word = rng.choice([0, (1 << 64) - 1, rng.randrange(len(data)), 1 << rng.randrange(63)])
            data[at & ~7 : (at & ~7) + 8] = word.to_bytes(8, "little")
    return bytes(data)
