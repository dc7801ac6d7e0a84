"""What is known of a difference, as plain values for a JSON file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.tui.export import plain

if TYPE_CHECKING:
    from wtui.comparing.protocol import LayerCompared, PairRow
    from wtui.tui.outline import Outline, Subject
    from wtui.tui.pair.results import PairResults

__all__ = ["pair_document"]


def pair_document(outline: Outline, subject: Subject, results: PairResults) -> dict[str, Any]:
    """Both models, what the tensor or layer is in each, and every number of the difference; None where it is open."""
    joined = results.joined
    document: dict[str, Any] = {"path": joined.b.path, "a": joined.a.path, "b": joined.b.path}
    document["layer"] = outline.layer(subject).path
    found: LayerCompared | PairRow | None
    if subject < 0:
        found = results.layers.get(subject)
    else:
        a, b = joined.a_of(subject), joined.b_of(subject)
        document["tensor"] = joined.catalogue.tensors[subject].name
        document["tensor_a"] = None if a is None else joined.a.tensors[a].name
        document["tensor_b"] = None if b is None else joined.b.tensors[b].name
        document["state"] = results.state(subject)
        pair, known = joined.pairs.get(subject), results.row(subject)
        found = known
        document["paired_by"] = None if pair is None else pair.how
        document["layout"] = (known.layout or "same order") if known is not None and known.row is not None else None
    row = found.row if found is not None else None
    document["difference"] = None if row is None else plain(row._asdict())
    for side in ("a", "b"):
        numbers = getattr(found, side, None)
        document[f"statistics_{side}"] = None if numbers is None else plain(numbers._asdict())
    return document
