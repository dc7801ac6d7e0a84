"""Whether everything is there that should be, from metadata alone: numbered blocks with gaps, or fewer than configured.

What a reader found missing in its files stands in the catalogue's notices already; this looks at the model as a whole.
Standard library only, and quick: it runs before the first line of a listing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from wtui.insight.types import Finding

if TYPE_CHECKING:
    from wtui.model import Catalogue, LayerNode

__all__ = ["absent"]

_ROWS = frozenset({"layer", "layers", "h", "block", "blocks", "blk"})
"""Names of layers that hold a row of numbered blocks."""

_FLAT = re.compile(r"((?:[^./]+[./])*?(?:layers?|h|blocks?|blk))[./](\d{1,4})[./][^./]")
"""A name of a layer inside a numbered block."""

_DEPTHS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
"""Keys under which configurations of language models give the number of blocks."""

_INNER = ("text_config", "llm_config", "language_config")
"""Keys under which those of models with images keep the language model's."""

LISTED = 6


def absent(catalogue: Catalogue) -> list[Finding]:
    """Gaps in rows of numbered blocks, and fewer blocks than the configuration says."""
    rows = _rows(catalogue)
    found = [finding for path, numbers in rows.items() for finding in _gaps(path, numbers)]
    claimed = _claimed(catalogue.metadata.get("config"))
    most = max(map(len, rows.values()), default=0)
    if claimed and most and most < claimed and len(rows) == 1 and not found:
        text = f"the configuration says that there are {claimed} blocks, the file holds {most}"
        advice = "is a shard missing, or does the configuration belong to another model?"
        numbers = {"claimed": claimed, "present": most}
        found.append(Finding("error", "missing-blocks", next(iter(rows)), "", text, numbers, advice))
    return found


def _gaps(path: str, numbers: set[int]) -> list[Finding]:
    gaps = sorted(set(range(min(numbers), max(numbers))) - numbers) if max(numbers) < 10_000 else []
    if not gaps or _is_regular(sorted(numbers)):
        return []
    one = len(gaps) == 1
    which = f"{'block' if one else 'blocks'} {_listed(gaps)} of {path} {'is' if one else 'are'} missing"
    text = f"{which}, {max(numbers)} is there"
    evidence = {"missing": len(gaps), "present": len(numbers)}
    return [Finding("error", "missing-blocks", path, "", text, evidence, "is a shard missing?")]


def _is_regular(numbers: list[int]) -> bool:
    """Whether every second number (third, ...) is there: what stands between has no weights; no shard holds just those.

    Two numbers make no rule.
    """
    return len(numbers) > 2 and len({b - a for a, b in pairwise(numbers)}) == 1


def _rows(catalogue: Catalogue) -> dict[str, set[int]]:
    """Rows of blocks that hold layers with weights of the model: plain stacks leave out numbers of those without."""
    rows: dict[str, set[int]] = {}
    tensors = catalogue.tensors

    def weighs(node: LayerNode) -> bool:
        return any(tensors[i].group == "model" for i in node.all_tensors())

    stack = [catalogue.root]
    while stack:
        node = stack.pop()
        if not node.children or node.name == "experts":
            continue  # of experts there are thousands of layers, and no row of blocks among them
        stack.extend(reversed(node.children))
        if node.name in _ROWS:
            for block in node.children:
                if block.name.isdecimal() and len(block.name) < 5 and any(map(weighs, block.children)):
                    rows.setdefault(node.path, set()).add(int(block.name))
    for node in catalogue.root.children:  # of formats that know no layers inside layers
        found = _FLAT.match(node.path)
        if found and weighs(node):
            rows.setdefault(found[1], set()).add(int(found[2]))
    return rows


def _claimed(config: object) -> int:
    """Number of blocks by the configuration, 0 where it does not say."""
    if not isinstance(config, Mapping):
        return 0
    places: list[Mapping[str, Any]] = [config, *(v for k in _INNER if isinstance(v := config.get(k), Mapping))]
    value = next((place[key] for place in places for key in _DEPTHS if key in place), 0)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:LISTED])) + (", ..." if len(numbers) > LISTED else "")
