"""What is to be said of a run as a whole: where it broke, which checkpoint is the last good one, what does not belong.

From records alone; says how many checkpoints it rests on while some are not read yet. Whether a model is good at its
task no weights can tell: that is for the figures beside them. Standard library only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from wtui.series.record import LOG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.series.members import Member
    from wtui.series.record import Record

__all__ = ["Health", "RunVerdict", "verdict_of", "where"]

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of tensors by name."""

BELONGS = 0.5
"""Share of the run's tensors, by name, that a checkpoint has to hold to be one of its members."""


class Health(NamedTuple):
    """One checkpoint."""

    good: bool
    """Complete and finite: training or use can go on from it."""
    words: str
    """`complete, finite, optimizer included`, or what is wrong."""
    kind: str = "good"
    """`good`, `fault` (NaN or infinity), `incomplete`, `unreadable` or `stranger` (of another model)."""


class RunVerdict(NamedTuple):
    """A run, as far as it is read."""

    health: tuple[Health | None, ...]
    """Of each member; None where it is not read yet."""
    last_good: int | None
    """The newest member that is good."""
    first_fault: int | None
    """The first member that holds a NaN or an infinity."""
    fault_words: str
    """`NaN since epoch 5, first at conv2/kernel [1,0,2,7]`; `""` where everything is finite."""
    good_words: str
    """`last good: epoch 4, complete, finite, optimizer included`."""
    notes: tuple[str, ...]
    """What else is wrong with members, a sentence each."""


def verdict_of(
    members: Sequence[Member], records: Mapping[str, Record], problems: Mapping[str, str], gone: frozenset[str]
) -> RunVerdict:
    """Judge a run by the records of its members, by path; `problems`: why others have none; `gone`: deleted since."""
    known = [records[m.path] for m in members if m.path in records]
    shapes = {id(r.tensors): {t.name: t.shape for t in r.tensors} for r in known}  # equal ones are mostly the same
    reference = _reference(known)
    health = tuple(_health(records.get(m.path), problems.get(m.path), reference, shapes) for m in members)
    good = [i for i, h in enumerate(health) if h is not None and h.good and members[i].path not in gone]
    faulty = [i for i, h in enumerate(health) if h is not None and h.kind == "fault"]
    waiting = sum(h is None for h in health)
    first = faulty[0] if faulty else None
    notes = [f"{members[i].label}: {h.words}" for i, h in enumerate(health) if h is not None and _is_told(h)]
    fault = _fault_words(members, health, records, faulty) if faulty else ""
    return RunVerdict(health, good[-1] if good else None, first, fault, _good_words(members, health, good, waiting),
                      tuple(notes))  # fmt: skip


def where(tensor: str, index: tuple[int, ...] | None) -> str:
    """`conv2/kernel [1,0,2,7]`."""
    return tensor if index is None else f"{tensor} [{','.join(map(str, index))}]"


def _is_told(health: Health) -> bool:
    """Whether it needs a sentence of its own; NaN is told of the run."""
    return health.kind in ("incomplete", "unreadable", "stranger")


def _reference(records: Sequence[Record]) -> Shapes:
    """Names and shapes of the model's tensors that most members have, the later of equally many; `{}` without any."""
    forms = {id(r.tensors): tuple((t.name, t.shape) for t in r.tensors if t.group == "model") for r in records}
    counts = Counter(forms[id(r.tensors)] for r in records)
    most = max(counts.values(), default=0)
    return dict(next((f for r in reversed(records) if counts[f := forms[id(r.tensors)]] == most), ()))


def _health(
    record: Record | None, problem: str | None, reference: Shapes, known: Mapping[int, Shapes]
) -> Health | None:
    if record is None:
        return Health(False, problem, "unreadable") if problem is not None else None
    shapes = known[id(record.tensors)]
    missing = [name for name in reference if name not in shapes]
    if reference and len(missing) > (1 - BELONGS) * len(reference):
        here = len(reference) - len(missing)
        return Health(False, f"does not belong: {here} of the run's {len(reference)} tensors are in it", "stranger")
    optimizer = "optimizer included" if record.has_optimizer else "no optimizer state"
    if record.optimizer_file:
        optimizer = f"{record.optimizer_file} beside it (not read)"
    if record.fault is not None:
        kind, tensor, index = record.fault
        return Health(False, f"{kind}, first at {where(tensor, index)}", "fault")
    other = [name for name, shape in reference.items() if name in shapes and shapes[name] != shape]
    if record.lost:
        more = f"; and {len(record.lost) - 1} more like it" if len(record.lost) > 1 else ""
        return Health(False, f"incomplete: {record.lost[0]}{more}", "incomplete")
    if missing:
        return Health(False, f"incomplete: {_some(missing)} missing", "incomplete")
    if other:
        said = f"{other[0]} is {list(shapes[other[0]])}, elsewhere {list(reference[other[0]])}"
        return Health(False, f"differs from the others: {said}", "incomplete")
    if record.format == LOG:
        return Health(True, "finite; a log of numbers, without weights to go on from")
    return Health(True, f"complete, finite, {optimizer}")


def _some(names: Sequence[str]) -> str:
    return f"{names[0]} is" if len(names) == 1 else f"{names[0]} and {len(names) - 1} more are"


def _fault_words(
    members: Sequence[Member], health: Sequence[Health | None], records: Mapping[str, Record], faulty: Sequence[int]
) -> str:
    """Since when, or in which: a run may have recovered, or been resumed from a checkpoint before."""
    first = faulty[0]
    fault = records[members[first].path].fault
    assert fault is not None
    known = [
        i for i, h in enumerate(health) if h is not None and h.kind in ("good", "fault", "incomplete") and i > first
    ]
    again = next((i for i in known if i not in faulty), None)
    label = members[first].label
    if again is None:
        when = f"since {label}" if known else f"in {label}"
    else:
        stretch = [i for i in faulty if i < again]
        when = f"in {label}" if len(stretch) == 1 else f"in {label} to {members[stretch[-1]].label}"
        when += f" (finite again in {members[again].label})"
    return f"{fault.kind} {when}, first at {where(fault.tensor, fault.index)}"


def _good_words(members: Sequence[Member], health: Sequence[Health | None], good: Sequence[int], waiting: int) -> str:
    so_far = f" (so far: {waiting} not read yet)" if waiting else ""
    if not good:
        return f"no good checkpoint{so_far}" if not waiting or len(health) > waiting else "reading …"
    found = health[good[-1]]
    assert found is not None
    return f"last good: {members[good[-1]].label}, {found.words}{so_far if None in health[good[-1] :] else ''}"
