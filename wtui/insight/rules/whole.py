"""Rules on several tensors together: copies, and ties that a configuration claims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from wtui.insight.case import Case, Rule, finding
from wtui.insight.types import Finding

if TYPE_CHECKING:
    from wtui.insight.chart import Subject
    from wtui.insight.types import Severity
    from wtui.stats.row import SummaryRow

__all__ = ["RULES"]

MIN_COPY = 1024
"""Values from which equal statistics are no coincidence: the moments of two different tensors differ in some digit."""

WHOLE_COPY = 0.25
"""Share of a model's kernels that have a copy from which the copy is of the model (an average, a target network)."""


def duplicate(case: Case) -> Iterator[Finding]:
    """Tensors with the same values as another one."""
    groups: dict[tuple[object, ...], list[Subject]] = {}
    kernels = list(case.known("kernel", "embedding"))
    for subject, row in kernels:
        if row.seen == row.total >= MIN_COPY and row.std > 0:
            groups.setdefault(_signature(case, subject, row), []).append(subject)
    copies = [group for group in groups.values() if len(group) > 1]
    count = sum(len(group) - 1 for group in copies)
    if count > 2 and count > WHOLE_COPY * len(kernels):
        names = f"{copies[0][0].tensor.name} and {copies[0][1].tensor.name}"
        text = f"{count} of {len(kernels)} kernels are stored twice, such as {names}"
        yield Finding("info", "duplicate", "", "", text, {"copies": count, "kernels": len(kernels)})
        return
    for group in copies:
        tied = any(s.part == "embedding" for s in group)
        severity: Severity = "info" if tied else "warning"
        others = ", ".join(s.tensor.name for s in group[:-1][:3])
        text = f"it has the same values as {others}" + (": the two are tied" if tied else "")
        numbers = {"copies": len(group), "count": group[-1].tensor.size}
        yield finding(severity, "duplicate", group[-1], text, numbers, "" if tied else "was one loaded into both?")


def _signature(case: Case, subject: Subject, row: SummaryRow) -> tuple[object, ...]:
    """What copies have in common: the fingerprint where it was measured, and statistics to the last digit."""
    channels = case.extra.channels.get(subject.number)
    known = channels.fingerprint if channels is not None else 0
    numbers = row.mean, row.variance, row.skewness, row.kurtosis, row.min, row.max, row.abs_mean
    places = row.min_at and row.min_at.index, row.max_at and row.max_at.index
    return subject.tensor.dtype, subject.tensor.shape, known, numbers, places


def tie(case: Case) -> Iterator[Finding]:
    """A language model's head that should be, or should not be, its embedding."""
    config = case.chart.catalogue.metadata.get("config")
    claimed = config.get("tie_word_embeddings") if isinstance(config, Mapping) else None
    if not isinstance(claimed, bool):
        return
    names = [t.name for t in case.chart.catalogue.tensors]
    heads = [n for n in names if n.endswith(("lm_head.weight", "embed_out.weight"))]
    if not claimed and not heads and _is_language_model(config):
        text = "the configuration says that the head is not tied to the embedding, the file holds no head"
        yield Finding("warning", "tie", "", "", text, {"heads": 0}, "the head would be initialised anew on loading")
    if claimed and heads:
        differs = _differs_from_embeddings(case, heads[0])
        severity: Severity = "warning" if differs else "info"
        text = f"the configuration ties the head to the embedding, the file holds {heads[0]} as well"
        text += ", with other values" if differs else ""
        advice = "loading it would replace them by the embedding's: was the configuration changed?" if differs else ""
        yield Finding(severity, "tie", "", heads[0], text, {"heads": len(heads), "differs": int(differs)}, advice)


def _differs_from_embeddings(case: Case, head: str) -> bool:
    """Whether a head has the shape of an embedding and, in some statistic, other values than each of that shape."""
    known = {s.tensor.name: (s, row) for s, row in case.known("kernel", "embedding") if row.seen == row.total}
    own = known.get(head)
    if own is None:
        return False
    shape, dtype = own[0].tensor.shape, own[0].tensor.dtype
    alike = [
        (s, r)
        for s, r in known.values()
        if s.part == "embedding" and (s.tensor.shape, s.tensor.dtype) == (shape, dtype)
    ]
    return bool(alike) and all(_signature(case, s, r)[3:] != _signature(case, *own)[3:] for s, r in alike)


def _is_language_model(config: Any) -> bool:
    classes = config.get("architectures")
    return isinstance(classes, list) and any("ForCausalLM" in str(c) or "LMHead" in str(c) for c in classes)


RULES = (
    Rule(
        "duplicate", "warning", "tensors with the same values as another one",
        f"every statistic equal to the last digit, at least {MIN_COPY:,} values; info for embeddings, and for copies "
        "of a whole model", duplicate,
        "tied embeddings, averages and target networks beside the model",
    ),
    Rule(
        "tie", "warning", "heads that should or should not be tied",
        "the configuration's `tie_word_embeddings`: a head that it asks for is missing, or one that it ties has other "
        "values than the embedding; info where they are equal", tie,
    ),
)  # fmt: skip
