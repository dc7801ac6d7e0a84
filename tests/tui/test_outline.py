"""Rows of the layer tree: opening, closing, finding, folding, brothers."""

from __future__ import annotations

from tests.builders import catalogue_of
from wtui.tui.finder import Finder
from wtui.tui.outline import Outline

BLOCK = [("kernel", (4, 4)), ("bias", (4,))]


def blocks(count: int) -> Outline:
    layers: list[tuple[str, str, list[tuple[str, tuple[int, ...]]]]] = [
        ("embed", "Embedding", [("embeddings", (9, 4))])
    ]
    for i in range(count):
        layers.append((f"block{i}", "Block", []))
        layers.append((f"block{i}/attn", "Dense", list(BLOCK)))
        layers.append((f"block{i}/mlp", "Dense", list(BLOCK)))
    layers.append(("head", "Dense", [("kernel", (4, 2))]))
    return Outline(catalogue_of(layers))


def names(outline: Outline) -> list[str]:
    return [
        outline.catalogue.tensors[r.subject].name if r.subject >= 0 else outline.layer(r.subject).path
        for r in outline.rows
    ]


def test_opens_with_the_layers_of_the_first_level() -> None:
    assert names(blocks(2)) == ["", "embed", "block0", "block1", "head"]


def test_open_and_close_show_and_hide_what_is_inside() -> None:
    outline = blocks(2)
    block0 = outline.rows[2].subject
    outline.open(block0)
    assert names(outline)[2:6] == ["block0", "block0/attn", "block0/mlp", "block1"]
    outline.open(outline.rows[3].subject)
    assert names(outline)[3:6] == ["block0/attn", "block0/attn/kernel", "block0/attn/bias"]
    assert outline.rows[4].depth == 3
    outline.close(block0)
    assert names(outline) == ["", "embed", "block0", "block1", "head"]


def test_reveal_opens_everything_above() -> None:
    outline = blocks(3)
    tensor = outline.catalogue.index("block2/mlp/bias")
    row = outline.reveal(tensor)
    assert outline.rows[row].subject == tensor
    assert "block1/attn" not in names(outline)


def test_runs_of_alike_blocks_fold_into_one_row() -> None:
    outline = blocks(12)
    outline.toggle_folding()
    assert names(outline) == ["", "embed", "block0", "head"]
    assert outline.rows[2].fold == 12
    tensor = outline.catalogue.index("block7/attn/bias")
    row = outline.reveal(tensor)
    assert outline.rows[row].subject == tensor


def test_unlike_neighbours_do_not_fold() -> None:
    outline = Outline(catalogue_of([(f"d{i}", "Dense", [("kernel", (4, i + 1))]) for i in range(6)]))
    outline.toggle_folding()
    assert len(outline.rows) == 7


def test_brother_is_the_same_tensor_in_the_next_block() -> None:
    outline = blocks(3)
    here = outline.catalogue.index("block0/mlp/kernel")
    there = outline.sibling(here, 1)
    assert there == outline.catalogue.index("block1/mlp/kernel")
    assert outline.sibling(there, -1) == here
    assert outline.sibling(outline.catalogue.index("block2/mlp/kernel"), 1) is None


def test_brother_in_a_plain_chain_of_layers() -> None:
    outline = Outline(
        catalogue_of([(f"conv{i}", "Conv2D", [("kernel", (3, 3, 1, 1)), ("bias", (1,))]) for i in range(3)])
    )
    assert outline.sibling(outline.catalogue.index("conv0/bias"), 1) == outline.catalogue.index("conv1/bias")


def test_finder_finds_all_words_in_any_case_and_walks_around() -> None:
    outline = blocks(3)
    finder = Finder(outline)
    assert finder.search("MLP kern") == 3
    first = finder.nearest(-1)
    assert first == outline.catalogue.index("block0/mlp/kernel")
    second = finder.nearest(first, 1)
    assert second == outline.catalogue.index("block1/mlp/kernel")
    assert finder.nearest(first, -1) == outline.catalogue.index("block2/mlp/kernel")
    assert finder.number(second) == 2
    assert finder.search("nothing like it") == 0
    assert finder.nearest(-1) is None


def test_a_layer_that_only_holds_another_opens_with_it() -> None:
    layers: list[tuple[str, str, list[tuple[str, tuple[int, ...]]]]] = [
        ("base", "", []),
        ("base/model", "", []),
        ("base/model/first", "Dense", list(BLOCK)),
        ("base/model/second", "Dense", list(BLOCK)),
    ]
    outline = Outline(catalogue_of(layers))
    assert names(outline) == ["", "base", "base/model", "base/model/first", "base/model/second"]
    outline.close(outline.subject_at("base"))
    assert names(outline) == ["", "base"]
