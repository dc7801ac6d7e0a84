"""What is on the screen about a tensor, a layer or the model, as a JSON file in the folder where wtui was started."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wtui.engine.protocol import Distribution
    from wtui.tui.outline import Outline, Subject
    from wtui.tui.results import Results

__all__ = ["export_document", "plain", "write_document"]


def export_document(outline: Outline, subject: Subject, results: Results) -> dict[str, Any]:
    """Identity, numbers, histogram, verdict and findings, as far as they are known; plain JSON values."""
    catalogue = outline.catalogue
    node = outline.layer(subject)
    row = results.row_of(subject)
    document: dict[str, Any] = {"path": catalogue.path, "format": catalogue.format, "layer": node.path}
    names = {catalogue.tensors[i].name for i in node.all_tensors()}
    if subject >= 0:
        tensor = catalogue.tensors[subject]
        names = {tensor.name}
        facts = {"shape": list(tensor.shape), "dtype": tensor.dtype, "role": tensor.role, "trainable": tensor.trainable}
        document |= {"tensor": tensor.name, **facts}
        if subject in results.verdicts:
            document["verdict"] = results.verdicts[subject].sentence
    document["statistics"] = plain(row._asdict()) if row is not None else None
    if subject in results.distributions:
        document["histogram"] = _histogram(results.distributions[subject])
    about = [f for f in results.findings if f.tensor in names or (not f.tensor and f.layer == node.path)]
    document["findings"] = [
        {"severity": f.severity, "rule": f.rule, "tensor": f.tensor, "message": f.message} for f in about
    ]
    return document


def write_document(document: Mapping[str, Any]) -> str:
    """Write it beside nothing that exists; the file's name. OSError if that is impossible."""
    about = str(document.get("tensor") or document.get("layer") or "model")
    model = os.path.splitext(os.path.basename(str(document["path"]).rstrip("/")))[0]
    stem = re.sub(r"[^\w.-]+", "-", f"wtui-{model}-{about}")[:120]
    for number in range(1000):
        name = f"{stem}{f'-{number}' if number else ''}.json"
        try:
            with open(name, "x", encoding="utf-8") as file:
                json.dump(document, file, indent=1, allow_nan=False)
            return name
        except FileExistsError:
            continue
    raise FileExistsError(f"{stem}.json and 999 like it exist already")


def _histogram(d: Distribution) -> Any:
    return plain({"low": d.low, "high": d.high, "counts": d.counts, "below": d.below, "above": d.above})


def plain(value: Any) -> Any:
    """The value with tuples as lists and what JSON has no number for as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    return [plain(v) for v in value] if isinstance(value, tuple | list) else value
