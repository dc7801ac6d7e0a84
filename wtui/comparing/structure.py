"""Would the weights of one model load into another? From the names and shapes in both headers; no value is read.

A loads as it is where every tensor of B has one of the same name and shape in A, and A has no others. Where it does
not, the one prefix, and the transposes, that would make it are named. Whether the values make sense is not asked.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from wtui.comparing.comparison import without_collector
from wtui.insight.loading import Fitting, Structure
from wtui.insight.pairing import pair_models

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from wtui.insight.pairing import Pair, Prefixes
    from wtui.model import Catalogue

__all__ = ["would_load"]


def would_load(a: Catalogue, b: Catalogue, wanted: Callable[[str], bool] = lambda name: True) -> Structure:
    """What stands between the weights of A and the tensors of B, of those whose name in either is `wanted`."""
    with without_collector():
        pairing = pair_models(a, b)
    of_a, of_b = _own(a, wanted), _own(b, wanted)
    both = [_fitting(a, b, p) for p in pairing.pairs if p.a in of_a or p.b in of_b]
    fitting = tuple(f for f in both if f.fits)
    mismatched = tuple(f for f in both if not f.fits)
    missing = tuple(b.tensors[j] for j in _alone(of_b, {p.b for p in pairing.pairs}))
    unexpected = tuple(a.tensors[i] for i in _alone(of_a, {p.a for p in pairing.pairs}))
    taken_off, put_before = _prefix(fitting) or _shown(pairing.prefixes)
    transposes = Counter(f.transpose for f in fitting if f.transpose)
    as_it_is = all(f.loads for f in fitting) and not (mismatched or missing or unexpected)
    return Structure(
        loads=bool(fitting) and as_it_is,
        fitting=fitting,
        mismatched=mismatched,
        missing=missing,
        unexpected=unexpected,
        taken_off=taken_off,
        put_before=put_before,
        renamed=tuple(f for f in fitting if _renamed(f.a.name, taken_off, put_before) != f.b.name),
        transposes=tuple(transposes.most_common()),
    )


def _own(catalogue: Catalogue, wanted: Callable[[str], bool]) -> dict[int, None]:
    """The model's own tensors that are wanted, second names among them: frameworks load those too."""
    return {i: None for i, t in enumerate(catalogue.tensors) if t.group == "model" and wanted(t.name)}


def _alone(own: Collection[int], paired: Collection[int]) -> list[int]:
    return [i for i in own if i not in paired]


def _fitting(a: Catalogue, b: Catalogue, pair: Pair) -> Fitting:
    layout = pair.layouts[0] if pair.layouts else None
    turned = layout is not None and not layout.is_plain
    reshaped = layout is not None and not turned and a.tensors[pair.a].shape != b.tensors[pair.b].shape
    text = layout.text if layout is not None and turned else "other axes, same order" if reshaped else ""
    return Fitting(a.tensors[pair.a], b.tensors[pair.b], pair.how, text, layout is not None)


def _prefix(fitting: Collection[Fitting]) -> tuple[str, str] | None:
    """What to take off A's names, or to put before them, for most to be B's; None where that is nothing."""
    votes: Counter[tuple[str, str]] = Counter()
    for f in fitting:
        a, b = f.a.name, f.b.name
        if a != b and a.endswith(b):
            votes[a[: len(a) - len(b)], ""] += 1
        elif a != b and b.endswith(a):
            votes["", b[: len(b) - len(a)]] += 1
    if not votes or votes.most_common(1)[0][1] <= sum(f.a.name == f.b.name for f in fitting):
        return None
    return votes.most_common(1)[0][0]


def _shown(prefixes: Sequence[Prefixes]) -> tuple[str, str]:
    """The prefix that names differ by that differ in other ways too."""
    if not prefixes:
        return "", ""
    first = prefixes[0]
    return first.a and f"{first.a}.", first.b and f"{first.b}."


def _renamed(name: str, taken_off: str, put_before: str) -> str:
    return put_before + name.removeprefix(taken_off)
