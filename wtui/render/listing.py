"""The listing of a model: a row for every layer and tensor, from metadata alone. Pure.

A model of 200,000 tensors is listed too, so whatever depends only on shape and dtype is put into words once.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from wtui.model import layer_sums, nodes_holding
from wtui.render import numbers
from wtui.render.columns import Column, NamedRow, aligned_names
from wtui.render.missing import block
from wtui.render.report import head_line, notice_lines, totals_lines
from wtui.render.spans import Line, escape

if TYPE_CHECKING:
    from collections.abc import Collection, Set

    from wtui.model import Catalogue, LayerNode, TensorEntry

__all__ = ["listing_lines"]

_LISTING = (
    Column("layer / tensor", right=False),
    Column("class / shape", right=False, keep=3),
    Column("dtype", right=False, keep=2),
    Column("parameters", keep=4),
    Column("bytes", keep=2),
    Column("trainable", right=False, keep=1),
    Column("", right=False, keep=0, prose=True),
)

_TOLD = attrgetter("shape", "dtype", "trainable", "alias_of", "problem", "encoding_args")
"""What the cells behind a tensor's name depend on."""

_YES_NO = {True: "yes", False: "no", None: "?"}


def listing_lines(
    catalogue: Catalogue, width: int | None = None, selected: Collection[int] | None = None
) -> list[Line]:
    """What is missing, layers and tensors in depth order, then totals and notices.

    Without a selection the slots of an optimizer are one row, and layers without weights have theirs.
    """
    rows = _rows(catalogue, None if selected is None else set(selected))
    about = str(catalogue.metadata.get("about", ""))
    told: list[Line] = [[(escape(about), "")]] if about else []
    lines = [head_line(catalogue), *told, *block(catalogue, width), [], *aligned_names(_LISTING, rows, width), []]
    return lines + totals_lines(catalogue, selected) + notice_lines(catalogue, lost=False)


def _rows(catalogue: Catalogue, selected: Set[int] | None) -> list[NamedRow]:
    """A row for every layer that is shown, each followed by those of its tensors."""
    root, tensors, sums = catalogue.root, catalogue.tensors, layer_sums(catalogue)
    shown = nodes_holding(root, selected.__contains__) if selected is not None else None
    beside = _beside(catalogue) if selected is None else set()
    rows: list[NamedRow] = []
    words = _Words()
    stack = [root]
    while stack:
        node = stack.pop()
        if shown is not None and id(node) not in shown:
            continue
        if id(node) in beside:
            rows.append(_folded_row(node, [tensors[i] for i in node.all_tensors()]))
            continue
        if node is not root:
            rows.append((escape(node.path), words.of_layer(node.class_name, sums[id(node)]), "bold"))
        for i in node.tensors:
            if selected is None or i in selected:
                tensor = tensors[i]
                rows.append((f"  {escape(tensor.name)}", words.of_tensor(tensor), "dim" if tensor.problem else ""))
        if node.children:
            stack.extend(reversed(node.children))
    return rows


def _beside(catalogue: Catalogue) -> set[int]:
    """`id`s of the layers, but for the root, that hold tensors, and none of the model's."""
    root, tensors = catalogue.root, catalogue.tensors
    if all(t.group == "model" for t in tensors):
        return set()
    beside = nodes_holding(root, lambda i: tensors[i].group != "model")
    return beside - nodes_holding(root, lambda i: tensors[i].group == "model") - {id(root)}


class _Words:
    """The cells behind names, made once for whatever they depend on."""

    def __init__(self) -> None:
        self._layers: dict[tuple[str, tuple[int, int]], tuple[str, ...]] = {}
        self._tensors: dict[tuple[object, ...], tuple[str, ...]] = {}

    def of_layer(self, class_name: str, sums: tuple[int, int]) -> tuple[str, ...]:
        """Of a layer with so many parameters and bytes."""
        known = self._layers.get((class_name, sums))
        if known is None:
            known = (escape(class_name), "", f"{sums[0]:,}", numbers.size(sums[1]), "", "")
            self._layers[class_name, sums] = known
        return known

    def of_tensor(self, tensor: TensorEntry) -> tuple[str, ...]:
        """Of a tensor."""
        key = _TOLD(tensor)
        return self._tensors.get(key) or self._tensors.setdefault(key, _about(tensor))


def _about(tensor: TensorEntry) -> tuple[str, ...]:
    """The cells behind a tensor's name."""
    about = str(dict(tensor.encoding_args).get("about", "")) if tensor.encoding_args else ""
    note = f"same bytes as {escape(tensor.alias_of)}" if tensor.alias_of else escape(about)
    note = "not readable" if tensor.problem else note
    sizes = f"{tensor.size:,}", numbers.size(tensor.nbytes)
    return numbers.shape(tensor.shape), escape(tensor.dtype), *sizes, _YES_NO[tensor.trainable], note


def _folded_row(node: LayerNode, tensors: Collection[TensorEntry]) -> NamedRow:
    """All that is below a node that is not part of the model, in one row."""
    sums = (f"{sum(t.size for t in tensors):,}", numbers.size(sum(t.nbytes for t in tensors)))
    note = f"{len(tensors):,} tensors, not counted below"
    return escape(node.path), (escape(node.class_name), "", *sums, "", note), "dim"
