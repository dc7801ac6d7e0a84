"""Faults of language models as a whole: experts, rows of the embedding, tied heads, blocks, adapters.

Made from the trained models of `labelled_language`. Each case is a file with its configuration beside it and what is to
be found in it, or that nothing is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tests.bench.labelled_faults import Planted
from tests.bench.labelled_files import Case, healthy, load, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.bench.labelled_files import Tensors

__all__ = ["cases"]

EMBEDDING, HEAD, ROW = "model.embed_tokens.weight", "lm_head.weight", "model.layers"
SCALE = 2.0
"""What the adapters of `labelled_language` are multiplied with: ALPHA / RANK."""


class Trained(NamedTuple):
    """One language model of the set."""

    tensors: Tensors
    initial: Tensors
    config: dict[str, object]
    count: np.ndarray
    """(words,) how often training saw each."""


def cases(place: Path, folder: Path, rng: np.random.Generator) -> Iterator[Case]:
    """Every case in turn, each in place of the one before."""
    made = json.loads((place / "made.json").read_text())
    trained, initial = (load(place / f"{name}.safetensors") for name in ("trained", "initial"))
    model = Trained(trained, initial, made["config"], np.array(made["count"]))
    if any(".experts." in n for n in trained):
        yield from _experts(model, folder, rng)
    yield from _rows(model, folder)
    yield from _ties(model, folder)
    yield from _blocks(model, folder, rng)
    for name in ("adapter", "adapter-slow"):
        if (place / f"{name}.safetensors").exists():
            yield from _adapters(load(place / f"{name}.safetensors"), model, folder, rng)


def _experts(model: Trained, folder: Path, rng: np.random.Generator) -> Iterator[Case]:
    """One to three experts of a block as they were before training; all of them used, but unevenly."""
    rules = ("unused-experts", "never-trained")
    yield Case(write(folder, model.tensors, model.config), healthy("experts used unevenly", *rules))
    block = f"{ROW}.{int(rng.integers(3))}.mlp.experts."
    own = [n for n in model.tensors if n.startswith(block)]
    stacked = all(model.tensors[n].ndim == 3 for n in own)
    experts = len(model.tensors[own[0]]) if stacked else len(own) // 3
    chosen = sorted(rng.choice(experts, int(rng.integers(1, 4)), replace=False).tolist())
    changed = dict(model.tensors)
    if stacked:
        for name in own:
            changed[name] = changed[name].copy()
            changed[name][chosen] = model.initial[name][chosen]
    else:
        own = [n for n in own if int(n.removeprefix(block).split(".")[0]) in chosen]
        changed |= {n: model.initial[n] for n in own}
    name = f"experts never used{', in one tensor' if stacked else ''}"
    yield Case(write(folder, changed, model.config), Planted(name, rules, own[0], others=tuple(own)))


def _rows(model: Trained, folder: Path) -> Iterator[Case]:
    """Rows of words that no text holds; the same embedding without them, of which many were seen but once."""
    seen = np.flatnonzero(model.count)
    rows = {n: model.tensors[n][seen] for n in (EMBEDDING, HEAD) if n in model.tensors}
    small = model.config | {"vocab_size": len(seen)}
    twin = healthy("rare words, all of them trained", "unused-rows", evidence=(("unused", 0),))
    yield Case(write(folder, model.tensors | rows, small), twin)
    if HEAD in model.tensors:  # a tied head trains every row
        planted = Planted("embedding rows never used", ("unused-rows",), EMBEDDING)
        yield Case(write(folder, model.tensors, model.config), planted)


def _ties(model: Trained, folder: Path) -> Iterator[Case]:
    """Heads that the configuration ties and the file holds with other values, or that it does not and that is lost."""
    tied, untied = ({**model.config, "tie_word_embeddings": claimed} for claimed in (True, False))
    if HEAD in model.tensors:
        yield Case(write(folder, model.tensors, untied), healthy("head of its own", "tie", "duplicate"))
        yield Case(write(folder, model.tensors, tied), Planted("head tied by mistake", ("tie",), HEAD))
        return
    yield Case(write(folder, model.tensors, tied), healthy("tied head, stored once", "tie", "duplicate"))
    twice = model.tensors | {HEAD: model.tensors[EMBEDDING]}
    yield Case(write(folder, twice, tied), healthy("tied head, stored twice", "tie", "duplicate"))
    yield Case(write(folder, model.tensors, untied), Planted("head lost", ("tie",), HEAD))


def _blocks(model: Trained, folder: Path, rng: np.random.Generator) -> Iterator[Case]:
    """A block lost inside the row, and at its end; a model of two blocks on purpose."""
    for number, name in ((1, "block lost inside the row"), (int(rng.choice([0, 2])), "block lost at an end")):
        left = {n: v for n, v in model.tensors.items() if not n.startswith(f"{ROW}.{number}.")}
        yield Case(write(folder, left, model.config), Planted(name, ("missing-blocks",), ROW))
    left = {n: v for n, v in model.tensors.items() if not n.startswith(f"{ROW}.2.")}
    fewer = model.config | {"num_hidden_layers": 2}
    yield Case(write(folder, left, fewer), healthy("one block fewer, as configured", "missing-blocks"))


def _adapters(adapter: Tensors, model: Trained, folder: Path, rng: np.random.Generator) -> Iterator[Case]:
    """An adapter's B still zero; trained ones, alone and merged."""
    rules = ("adapter-untrained", "collapsed-rank", "zero-kernel")
    yield Case(write(folder, adapter), healthy("adapters, trained", *rules))
    second = [n for n in adapter if ".lora_B." in n]
    name = second[int(rng.integers(len(second)))]
    still = adapter | {name: np.zeros_like(adapter[name])}
    yield Case(write(folder, still), Planted("adapter without effect", ("adapter-untrained",), name))
    merged = dict(model.tensors)
    for name in second:
        base = name.removeprefix("base_model.model.").replace(".lora_B", "")
        merged[base] = merged[base] + np.float32(SCALE) * (adapter[name] @ adapter[name.replace("lora_B", "lora_A")])
    yield Case(write(folder, merged, model.config), healthy("adapters, merged", *rules, "never-trained"))
