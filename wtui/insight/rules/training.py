"""Rules on what training did: layers that it never changed, biases that were cleared, adapters without effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wtui.insight.case import Case, Rule, finding, is_constant
from wtui.insight.types import Finding

if TYPE_CHECKING:
    from wtui.insight.chart import Subject, Unit
    from wtui.insight.types import Severity

__all__ = ["RULES"]

CONVERTED = ("ONNX", "TFLite", "Core ML", "TensorFlow graph")
"""Formats whose converters write zeros where a layer had no bias."""

LISTED = 4
"""Rows of an embedding that are named."""

FEW_ROWS = 0.2
"""Share of rows up to which those of a small norm stand apart from the others."""

PADDED = 1.1
"""How many times its vocabulary an embedding may have rows: language models pad it to a round number."""

OTHERS = 0.5
"""Share of a model's comparable biases that must differ from 0 for one of nothing but zeros to be remarkable."""


def untrained_model(case: Case) -> Iterator[Finding]:
    """Models of which nothing, or next to nothing, was trained."""
    if case.trained or not (case.initial or _all_fit(case)):
        return
    severity: Severity = "info"
    if case.moved:
        moved = [s.tensor.name for s in case.chart.of("kernel", "embedding") if case.state(s) == "moved"]
        judged = case.initial + case.moved
        text = f"{case.initial} of {judged} layers are as initialised; only {', '.join(moved[:3])} moved"
        severity = "warning"
    elif case.initial:
        layers = "1 layer with kernels is" if case.initial == 1 else f"{case.initial} layers with kernels are"
        text = f"nothing was trained: {layers} as initialised"
        if case.open:
            text = f"nothing was trained of what can be told: {layers} as initialised, {case.open} cannot be told"
    else:
        text = (
            "nothing was trained: every kernel fits an initialiser, every bias and every norm is exactly as it starts"
        )
    numbers = {"initial": case.initial, "moved": case.moved, "open": case.open}
    yield Finding(severity, "untrained-model", "", "", text, numbers)


def _all_fit(case: Case) -> bool:
    """Whether every kernel fits an initialiser, and there are biases or norms, all of them exactly as they start."""
    kernels = [case.verdict(s) for s in case.chart.of("kernel", "embedding")]
    others = [case.verdict(s) for s in case.chart.of("bias", "scale", "shift", "mean", "variance")]
    if not case.open or not others or any(v is None or not v.names for v in kernels):
        return False
    return all(v is not None and v.state == "initial" for v in others)


def never_trained(case: Case) -> Iterator[Finding]:
    """Kernels as initialised in a model that was trained."""
    if not case.trained:
        return
    for unit in case.chart.units:
        for subject in unit.parts("kernel", "embedding"):
            reason = _why_never(case, unit, subject)
            if reason:
                verdict = case.verdict(subject)
                numbers = dict(verdict.evidence) if verdict else {}
                severity: Severity = "info" if subject.frozen else "warning"
                frozen = " (the file says it is frozen)" if subject.frozen else ""
                advice = "was it left out of training, or initialised again after it?"
                yield finding(severity, "never-trained", subject, reason + frozen, numbers, advice)


def zero_bias(case: Case) -> Iterator[Finding]:
    """Biases of nothing but zeros where the model's other biases were trained."""
    if not case.trained:
        return
    units = [u for u in case.chart.units if not case.chart.is_idle(u) and _trained_bias(case, u) is not None]
    cleared = [u for u in units if _is_zero(case, u)]
    if not cleared or len(cleared) > (1 - OTHERS) * len(units):
        return
    for unit in cleared:
        bias = _trained_bias(case, unit)
        kernels = list(unit.parts("kernel"))
        if bias is None or not any(case.state(k) == "moved" for k in kernels):
            continue
        if any(_why_never(case, unit, k) for k in kernels):
            continue  # said of its kernel already
        text = f"all {bias.tensor.size:,} values are 0, {len(units) - len(cleared)} other biases of the model are not"
        numbers = {"zero": len(cleared), "biases": len(units)}
        advice = "training moves a bias that has any effect: was it cleared?"
        yield finding("warning", "zero-bias", bias, text, numbers, advice)


def adapter_without_effect(case: Case) -> Iterator[Finding]:
    """Adapters whose second matrix is still zero."""
    for subject, row in case.known("adapter"):
        if is_constant(row, 0.0):
            text = "it is still 0, as it starts: the adapter changes nothing"
            advice = "was it trained, and is this the file that was saved after it?"
            yield finding("warning", "adapter-untrained", subject, text, {"count": row.total}, advice)


def unused_rows(case: Case) -> Iterator[Finding]:
    """Rows of an embedding that no training example used, or hardly any."""
    for subject in case.chart.of("embedding"):
        rows, channels = case.extra.untouched.get(subject.number), case.extra.channels.get(subject.number)
        if rows is not None and rows.unused:
            count, of, first = rows.unused, rows.rows, rows.first
            text = f"{count:,} of {of:,} rows are as initialised, never used in training"
        elif channels is not None and 0 < channels.low <= FEW_ROWS * channels.channels:
            count, of, first = channels.low, channels.channels, channels.low_at
            text = f"{count:,} of {of:,} rows have less than half the usual norm, as rows that are seldom trained"
        else:
            continue
        named = ", ".join(_token(case, i, of) for i in first[:LISTED]) + (", ..." if count > LISTED else "")
        numbers = {"rows": of, "seldom" if rows is None or not rows.unused else "unused": count}
        yield finding("info", "unused-rows", subject, f"{text}: {named}", numbers)


def _token(case: Case, number: int, rows: int) -> str:
    """`7 '[unused6]'`; the number alone where the vocabulary has not as many tokens as there are rows."""
    tokens = case.extra.tokens
    fits = len(tokens) <= rows <= PADDED * len(tokens)
    return f"{number} {tokens[number]!r}" if fits and number < len(tokens) else str(number)


def _why_never(case: Case, unit: Unit, subject: Subject) -> str:
    """Why a kernel was never trained; `""` if it was, or if that cannot be told.

    A kernel whose own values cannot tell (`open`) counts if it fits an initialiser and its layer's bias, which the
    model trains elsewhere, is still exactly as it starts: zero, or 1 for the forget gate and else 0.
    """
    verdict = case.verdict(subject)
    if verdict is None or not verdict.names or verdict.shape == "constant":
        return ""
    if verdict.state == "initial":
        return verdict.sentence
    bias = unit.part("bias")
    if verdict.state != "open" or bias is None or case.chart.is_idle(unit):
        return ""
    if not (_is_zero(case, unit) or _is_forget(case, bias)):
        return ""
    others = [case.rows.get(b.number) for b in case.chart.of("bias") if b is not bias]
    trained = [row for row in others if row is not None and not is_constant(row, 0.0)]
    if len(trained) < OTHERS * len(others) or not trained:
        return ""
    still = "0" if _is_zero(case, unit) else "1 for the forget gate and else 0"
    return (
        f"it fits {verdict.names[0]}, and its bias is still exactly {still} while {len(trained)} others moved: never "
        "trained"
    )


def _trained_bias(case: Case, unit: Unit) -> Subject | None:
    """The bias of a layer if it is meant to be trained and its numbers are known."""
    bias = unit.part("bias")
    return bias if bias is not None and not bias.frozen and bias.number in case.rows else None


def _is_forget(case: Case, bias: Subject) -> bool:
    """Whether the bias of an LSTM is exactly as it starts, 1 for the forget gate and else 0."""
    verdict = case.verdict(bias)
    expected = verdict.expected if verdict is not None and verdict.state == "initial" else None
    return expected is not None and expected.kind == "forget"


def _is_zero(case: Case, unit: Unit) -> bool:
    """Whether the layer has biases, and all are exactly 0 although the file could have left them out."""
    if case.chart.catalogue.format.startswith(CONVERTED):
        return False
    biases = [case.rows.get(b.number) for b in unit.parts("bias")]
    return bool(biases) and all(row is not None and is_constant(row, 0.0) for row in biases)


RULES = (
    Rule(
        "untrained-model", "warning", "models of which nothing was trained",
        "at least half of the kernels that can be judged are as initialised; info where all are", untrained_model,
    ),
    Rule(
        "never-trained", "warning", "kernels as initialised in a trained model",
        "the values fit an initialiser although a change of 2 % of its std would show, or fit one and the layer's bias "
        "is exactly as it starts while others moved; info where the file says the layer is frozen", never_trained,
        "small kernels and untruncated normals cannot tell: nothing is said of them. Of 420 trained kernels of the "
        "labelled set 54 fit an initialiser no worse than fresh ones, and of these the largest singular value lies in "
        "the bulk of a random matrix (Marchenko-Pastur) for 49 of 53, so that neither speaks against training; the "
        "bias has to, and has no effect in front of a batch norm or in an attention layer's keys",
    ),
    Rule(
        "zero-bias", "warning", "biases that were cleared",
        f"all exactly 0, in a trained layer without a norm behind it, while at least {OTHERS:.0%} of the other biases "
        "are not", zero_bias,
        "a bias in front of a norm stays at 0, since the norm takes it away; converters write zeros where there was "
        "no bias",
    ),
    Rule(
        "adapter-untrained", "warning", "adapters without effect", "LoRA's B all exactly 0", adapter_without_effect,
        "one step of training moves B. Whether an adapter that was merged changed its model, the merged file alone "
        "cannot tell: `wtui diff` of it and the model before does",
    ),
    Rule(
        "unused-rows", "info", "rows of embeddings that were never, or hardly, trained",
        "a row's norm and largest value fit the initialiser, from which most rows have clearly moved; or its norm is "
        f"below half of the median, for at most {FEW_ROWS:.0%} of the rows", unused_rows,
        "rows that are seldom trained. That a row is as initialised is only said where one initialiser is the likely "
        "one: where any common one will do, rarely trained rows fit one by chance (in 5 of 10 embeddings of the set)",
    ),
)  # fmt: skip
