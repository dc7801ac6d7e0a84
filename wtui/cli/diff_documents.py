"""The JSON documents and CSV tables of `wtui diff`, as plain dictionaries: their stable schema, in one place.

Keys keep their names, meaning and order; new ones may come. What is undefined, not finite or not known is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.cli.documents import SCHEMA, finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.comparing.frozen import Expectation
    from wtui.insight.changes import LayerChange, TensorChange
    from wtui.insight.compared import Compared
    from wtui.stats.difference_row import DifferenceRow

__all__ = ["csv_table", "document", "expectation", "several"]

Document = dict[str, Any]


def document(found: Compared, changes: Sequence[TensorChange]) -> Document:
    """The document of two models; `changes` are its tensors, in the order wanted."""
    return {
        "schema": SCHEMA,
        "a": found.a.path,
        "b": found.b.path,
        "warnings": _warnings(found),
        "totals": _totals(found),
        "tensors": [_tensor(c, found.tolerance) for c in changes],
        "layers": [_layer(layer) for layer in found.layers],
        "prefixes": [{"a": p.a, "b": p.b} for p in found.prefixes],
        "notes": list(found.notes),
    }


def several(documents: Sequence[Document]) -> Document:
    """The document of more than two models: one of two for each that was compared with the first."""
    return {"schema": SCHEMA, "a": documents[0]["a"], "comparisons": list(documents)}


def expectation(found: Expectation) -> Document:
    """What became of `--expect-frozen`."""
    return {
        "holds": found.holds,
        "frozen": [c.name for c in found.frozen],
        "moved": [c.name for c in found.moved],
        "unread": [c.name for c in found.unread],
        "trained": list(found.trained),
        "still": list(found.still),
    }


def csv_table(tensors: Sequence[Document]) -> tuple[list[str], list[list[object]]]:
    """Header and rows of tensors' entries: shapes as `3x3x64`, indices as `1 2 3`, channels as their numbers."""
    header = list(tensors[0]) if tensors else []
    return header, [[_cell(key, value) for key, value in entry.items()] for entry in tensors]


def _warnings(found: Compared) -> list[Document]:
    told = [(c.path, n.tensor, n.message) for c in (found.a, found.b) for n in c.warnings]
    problems = [(found.b.path, c.name, c.problem) for c in found.pairs if c.problem]
    told += [one for one in problems if one not in told]
    return [{"model": path, "tensor": tensor or None, "message": message} for path, tensor, message in told]


def _totals(found: Compared) -> Document:
    pairs = found.pairs
    return {
        "same": found.is_same,
        "tolerance": found.tolerance,
        "pairs": len(pairs),
        "equal": sum(c.is_equal(found.tolerance) for c in pairs),
        "different": sum(c.row is not None and not c.is_equal(found.tolerance) for c in pairs),
        "mismatched": sum(not c.fits for c in pairs),
        "unread": sum(c.is_unread for c in pairs),
        "only_a": sum(c.b is None for c in found.alone),
        "only_b": sum(c.a is None for c in found.alone),
        **_numbers(found.whole),
        **_more_numbers(found.whole),
        "max_tensor": found.whole.max_at.tensor if found.whole and found.whole.max_at else None,
    }


def _tensor(change: TensorChange, tolerance: float | None) -> Document:
    return {
        "a": change.a.name if change.a else None,
        "b": change.b.name if change.b else None,
        "paired_by": change.paired_by,
        "layout": change.layout.text if change.layout else None,
        **_numbers(change.row),
        "identical": None if change.is_unread else change.row is not None and change.row.identical,
        "equal": None if change.is_unread else change.is_equal(tolerance),
        "layer": change.entry.layer,
        "a_shape": list(change.a.shape) if change.a else None,
        "b_shape": list(change.b.shape) if change.b else None,
        "a_dtype": change.a.dtype if change.a else None,
        "b_dtype": change.b.dtype if change.b else None,
        **_more_numbers(change.row),
        "channels": change.row.channels if change.row else None,
        "channels_changed": change.row.channels_changed if change.row else None,
        "half_in": change.row.half_in if change.row else None,
        "top_channels": [
            {"channel": t.channel, "share": t.share, "relative_l2": finite(t.relative)}
            for t in (change.row.top if change.row else ())
        ],
        "problem": change.problem or None,
    }


def _layer(layer: LayerChange) -> Document:
    node = layer.node
    head = {"layer": node.path, "class": node.class_name, "pairs": layer.pairs}
    return {**head, **_numbers(layer.row), **_more_numbers(layer.row)}


def _numbers(row: DifferenceRow | None) -> Document:
    """The numbers that come first: `changed` is a share of all values, `sign_flips` a number of them."""
    return {
        "identical": row.identical if row else None,
        "max_abs_diff": finite(row.max_abs) if row else None,
        "mean_abs_diff": finite(row.mean_abs) if row else None,
        "relative_l2": finite(row.relative_l2) if row else None,
        "cosine": finite(row.cosine) if row else None,
        "changed": (row.changed / row.pairs if row.pairs else 0.0) if row else None,
        "sign_flips": row.sign_flips if row else None,
        "ks": finite(row.ks) if row else None,
    }


def _more_numbers(row: DifferenceRow | None) -> Document:
    return {
        "count": row.total if row else None,
        "changed_count": row.changed if row else None,
        "mean_diff": finite(row.mean) if row else None,
        "l2_a": finite(row.l2_a) if row else None,
        "l2_b": finite(row.l2_b) if row else None,
        "max_at": list(row.max_at.index) if row and row.max_at else None,
        "not_finite": row.left_out if row else None,
        "became_not_finite": row.broken if row else None,
        "became_finite": row.mended if row else None,
        "equal_when_rounded": row.rounded_equal if row else None,
    }


def _cell(key: str, value: Any) -> object:
    if key == "top_channels":
        return " ".join(str(t["channel"]) for t in value)
    if isinstance(value, list):
        return ("x" if key.endswith("shape") else " ").join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else value
