"""The JSON documents and CSV tables of the command line, as plain dictionaries: their stable schema, in one place.

Keys keep their names, meaning and order; new ones may come. What is undefined, not finite or not known is null.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from wtui.codecs import LOSSLESS
from wtui.insight.presence import absent as missing_blocks
from wtui.model import nodes_holding
from wtui.render.report import totals_of
from wtui.stats.row import QUANTILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set

    from wtui.api import Model, Statistics
    from wtui.checking import Report
    from wtui.handles import Tensor
    from wtui.insight.types import Finding
    from wtui.model import LayerNode, TensorEntry
    from wtui.stats.row import At, SummaryRow

__all__ = ["csv_table", "finding_list", "findings", "finite", "head", "listing", "row_numbers", "statistics"]

SCHEMA = 1
"""Goes up when a key changes its name or meaning."""

Document = dict[str, Any]

_NUMBERS = ("mean", "std", "variance", "min", "min_at", "max", "max_at", "abs_mean", "l1", "l2", "rms", "skewness",
            "kurtosis", "zeros", "near_zeros", "nan", "nan_at", "posinf", "neginf")  # fmt: skip
"""Statistics in the order of the document; each is a field of SummaryRow."""


def head(model: Model, problems: Mapping[int, str] | None = None, *, absent: bool = False) -> Document:
    """What every document begins with; `problems` are those that only reading the values has shown.

    With `absent` the warnings also tell of blocks that are missing, which are findings in other documents.
    """
    told = [(n.tensor, n.message) for n in model.warnings]
    told += [("", f.message) for f in missing_blocks(model.catalogue)] if absent else []
    found = [(model.catalogue.tensors[i].name, message) for i, message in sorted((problems or {}).items())]
    told += [pair for pair in found if pair not in told]
    warnings = [{"tensor": tensor or None, "message": message} for tensor, message in told]
    return {"schema": SCHEMA, "path": model.path, "format": model.format, "warnings": warnings}


def listing(model: Model, tensors: Sequence[Tensor], selected: Set[int] | None) -> Document:
    """The document of `wtui ls`."""
    document = {
        **head(model, absent=True),
        "totals": _totals(model, selected),
        "tensors": [_identity(t) for t in tensors],
    }
    return {**document, "tree": _tree(model, selected)}


def statistics(model: Model, tensors: Sequence[Tensor], found: Statistics, selected: Set[int] | None) -> Document:
    """The document of `wtui stats`."""
    totals = _totals(model, selected)
    totals |= {"count": found.whole.total if found.whole else totals["parameters"]} | row_numbers(found.whole)
    for what in ("min", "max", "nan"):
        place = getattr(found.whole, f"{what}_at", None)
        totals[f"{what}_tensor"] = place.tensor if place else None
    rows = [{**_identity(t), **row_numbers(found.rows.get(t.index))} for t in tensors]
    return {**head(model, found.problems), "totals": totals, "tensors": rows}


def findings(model: Model, report: Report) -> Document:
    """The document of `wtui check`."""
    found = finding_list(report.findings)
    return {**head(model, report.failures), "read": report.read, "complete": report.complete, "findings": found}


def finding_list(findings: Iterable[Finding]) -> list[Document]:
    """Findings as they stand in every document."""
    return [
        {
            "severity": f.severity,
            "rule": f.rule,
            "layer": f.layer,
            "tensor": f.tensor or None,
            "message": f.message,
            "evidence": {k: finite(v) if isinstance(v, float) else v for k, v in f.evidence.items()},
            "advice": f.advice or None,
        }
        for f in findings
    ]


def csv_table(documents: Iterable[Document]) -> tuple[list[str], list[list[object]]]:
    """Header and rows of tensors' entries: shapes as `3x3x64`, indices as `1 2 3`, a column for each quantile."""
    rows = [{key: cell for pair in d.items() for key, cell in _cells(*pair)} for d in documents]
    header = list(rows[0]) if rows else []
    return header, [list(row.values()) for row in rows]


def finite(value: float | int | None) -> float | int | None:
    """The value, None if it is not finite."""
    return value if value is not None and isfinite(value) else None


def _identity(tensor: Tensor) -> Document:
    entry = tensor.entry
    return {
        "name": entry.name,
        "layer": entry.layer,
        "layer_class": tensor.layer_class,
        "role": entry.role,
        "shape": list(entry.shape),
        "dtype": entry.dtype,
        "encoding": entry.encoding,
        "values": _kind_of_values(entry),
        "count": entry.size,
        "bytes": entry.nbytes,
        "trainable": entry.trainable,
        "alias_of": entry.alias_of,
    }


def _kind_of_values(entry: TensorEntry) -> str:
    """Whether the values stand in the file, are stood for, or are made of other tensors."""
    if entry.group == "derived":
        return "derived"
    return "raw" if entry.encoding in LOSSLESS else "dequantised"


def row_numbers(row: SummaryRow | None) -> Document:
    """All statistics of a tensor or of an output; without a row they are null, and nothing was seen."""
    if row is None:
        quantiles = dict.fromkeys(map(str, QUANTILES))
        return {"seen": 0, "exact": False, **dict.fromkeys(_NUMBERS), "quantiles": quantiles}
    numbers = {name: _plain(getattr(row, name)) for name in _NUMBERS}
    quantiles = {str(q): finite(x) for q, x in zip(QUANTILES, row.quantiles, strict=True)}
    return {"seen": row.seen, "exact": row.seen == row.total, **numbers, "quantiles": quantiles}


def _plain(value: float | int | At | None) -> float | int | list[int] | None:
    if value is None or isinstance(value, int | float):
        return finite(value)
    return list(value.index)


def _totals(model: Model, selected: Set[int] | None) -> Document:
    """Sums; what is trainable is null where the file says it of no tensor."""
    totals = totals_of(model.catalogue, selected)
    said = totals.unknown < totals.parameters or not totals.parameters
    return {
        "tensors": totals.tensors,
        "parameters": totals.parameters,
        "trainable": totals.trainable if said else None,
        "non_trainable": totals.non_trainable if said else None,
        "bytes": totals.bytes,
    }


def _tree(model: Model, selected: Set[int] | None) -> Document:
    """The layers as nested documents, without those that hold nothing of a selection."""
    catalogue = model.catalogue

    def document(node: LayerNode) -> Document:
        names = [catalogue.tensors[i].name for i in node.tensors if selected is None or i in selected]
        parameters = catalogue.totals(node).parameters
        return {"name": node.name, "class": node.class_name, "parameters": parameters, "tensors": names, "children": []}

    shown = nodes_holding(catalogue.root, selected.__contains__) if selected is not None else None
    root = document(catalogue.root)
    stack = [(catalogue.root, root)]
    while stack:
        node, made = stack.pop()
        for child in node.children:
            if shown is None or id(child) in shown:
                below = document(child)
                made["children"].append(below)
                stack.append((child, below))
    return root


def _cells(key: str, value: Any) -> Iterable[tuple[str, object]]:
    """The cells of one entry of a document."""
    if key == "quantiles":
        return [(f"q{q}", x) for q, x in value.items()]
    if isinstance(value, list):
        return [(key, ("x" if key == "shape" else " ").join(map(str, value)))]
    if isinstance(value, bool):
        return [(key, str(value).lower())]
    return [(key, value)]
