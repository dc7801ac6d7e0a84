"""The checkpoints of a run: which files and folders they are, and in which order they were written.

From names first; then TensorFlow's `checkpoint` file and the `trainer_state.json` of a trainer; from times as a last
resort. Looks at names, first bytes and small text files; whether a member belongs is found out by opening it.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wtui.errors import UsageError, WtuiError
from wtui.formats import open_catalogue, sniff
from wtui.formats.candidates import Candidate, find_models
from wtui.series.beside import TRAINER_STATE, tensorflow_order, trainer_state
from wtui.series.places import Place, pattern, places
from wtui.series.weightlog import entries

if TYPE_CHECKING:
    from wtui.series.places import Named

__all__ = ["MIN_MEMBERS", "Member", "Outsider", "Run", "is_temporary", "run_in", "run_of"]

MIN_MEMBERS = 2
"""Checkpoints from which on a folder is a run."""

_TEMPORARY = re.compile(
    r"^[.~]|(\.|-|_)(tmp|temp|part|partial|incomplete|lock)([-.]?\w{0,12})$|^(tmp|temp)[-_.]|-checkpoint-tmp-|~$",
    re.IGNORECASE,
)
"""Names under which programs write what is not finished yet."""

_WHOLE = (".keras", ".h5", ".hdf5", ".safetensors", ".index")
"""Ends of names of files that are never a rank's part of a model."""

_SHARD = re.compile(r"-\d{5}-of-\d{5}\b|_\d{5}\.weights\.h5$")
"""Names of files that are a part of a model."""

_NOTES = re.compile(
    r"\.(csv|tsv|txt|log|md|ya?ml|png|svg|jpe?g|pdf)$|^checkpoint$|\.data-\d{5}-of-\d{5}$|tfevents", re.IGNORECASE
)
"""Names that make no folder a model."""


class Member(NamedTuple):
    """A file, folder or prefix that seems to be a checkpoint of a run."""

    path: str
    name: str
    """Its path below the run's folder, or as it was given."""
    place: Place
    mtime_ns: int = 0
    figures: Mapping[str, float] = {}
    """Figures of merit that its name holds."""

    @property
    def opened_as(self) -> str:
        """What frameworks and `wtui` take: of a TensorFlow checkpoint the prefix of its files."""
        return self.path.removesuffix(".index")

    @property
    def label(self) -> str:
        """What to call it: `epoch 4`, or its name where that says nothing of a place."""
        return self.place.label or self.name


class Outsider(NamedTuple):
    """Something in the folder that is no member of the run, and why."""

    name: str
    reason: str


class Run(NamedTuple):
    """The checkpoints of a run, in order."""

    folder: str
    """Where it lies; what its members have in common where they were given one by one."""
    members: tuple[Member, ...]
    ordered_by: str
    outsiders: tuple[Outsider, ...] = ()


def run_in(folder: str, *, alone: bool = False) -> Run | None:
    """The run in a folder, None if there is none: fewer than two checkpoints, or the folder is one model itself.

    With `alone` a single checkpoint, or none yet, is a run too: one that is just beginning. Where there is none, a log
    of `wtui.keras.WeightLog` is one, be it of a single record.
    """
    found = _candidates(folder) if alone or _may_be_run(folder) else []
    return _run_among(folder, found, alone) or _log_in(folder) or (Run(folder, (), "") if alone else None)


def _run_among(folder: str, found: Sequence[Candidate], alone: bool) -> Run | None:
    """The run that these models are."""
    names = {os.path.relpath(c.path, folder): c for c in found}
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(pattern(name), []).append(name)
    if not groups:
        return None
    numbered = {p: group for p, group in groups.items() if "#" in p} or groups
    main = max(numbered, key=lambda p: (len(numbered[p]), max(names[n].mtime for n in numbered[p])))
    if not alone and (len(numbered[main]) < MIN_MEMBERS or "#" not in main or _is_one_model(folder, numbered[main])):
        return None
    others = [p for p in groups if p != main and "#" in p and len(groups[p]) >= MIN_MEMBERS]
    beside = [n for p in others for n in groups[p]]
    unnumbered = [n for p in groups if p != main and p not in others for n in groups[p]]
    outsiders = [Outsider(n, _beside_reason(groups[pattern(n)])) for n in sorted(beside)]
    known = {identity: n for n in groups[main] if (identity := _identity(names[n].path)) is not None}
    doubles = {n: known[i] for n in unnumbered if (i := _identity(names[n].path)) in known and known[i] != n}
    unnumbered = [n for n in unnumbered if n not in doubles]
    outsiders += [Outsider(n, f"another name of {double}") for n, double in doubles.items()]
    damaged = _named_like(folder, main, names) if "#" in main else {}
    return _ordered(folder, [*groups[main], *damaged, *unnumbered], {**names, **damaged}, outsiders)


def _log_in(folder: str) -> Run | None:
    """The records of a weight log as a run."""
    found = entries(folder)
    if not found:
        return None
    members = [
        Member(e.path, os.path.basename(e.path), Place((e.epoch, 0), e.epoch, None, f"epoch {e.epoch}"), _mtime(e.path))
        for e in found
    ]
    return Run(folder, tuple(members), "the epochs of a weight log")


def run_of(paths: Sequence[str]) -> Run:
    """The run of these paths, ordered by their names where these say how, else as given; UsageError for doubles."""
    if len(set(map(os.path.realpath, paths))) < len(paths):
        raise UsageError("the same checkpoint was given twice")
    folder = os.path.commonpath([os.path.dirname(os.path.abspath(p)) for p in paths])
    names = [os.path.relpath(p, folder) for p in paths]
    members = [Member(p, n, Place(), _mtime(p)) for p, n in zip(paths, names, strict=True)]
    if len({pattern(n) for n in names}) == 1:
        members = [_placed(m, named) for m, named in zip(members, places(names), strict=True)]
    members = [_with_state(m) for m in members]
    if all(m.place.order for m in members) and len({len(m.place.order) for m in members}) == 1:
        return Run(folder, tuple(sorted(members, key=lambda m: m.place.order)), _said_by(members))
    return Run(folder, tuple(members), "the order in which they were given")


def is_temporary(name: str) -> bool:
    """Whether a name is one of those under which programs write what is not finished yet."""
    return bool(_TEMPORARY.search(name))


def _may_be_run(folder: str) -> bool:
    """Whether two names differ in numbers only, shards aside: a folder that is one model is told by that at once."""
    try:
        names = [n for n in os.listdir(folder) if not is_temporary(n) and not _SHARD.search(n)]
    except OSError:
        return False
    numbered = Counter(p for p in map(pattern, names) if "#" in p)
    return max(numbered.values(), default=0) >= MIN_MEMBERS


def _candidates(folder: str) -> list[Candidate]:
    """Models right in a folder: files, and folders each of which is one."""
    found = [c for c in find_models(folder, depth=0) if not is_temporary(os.path.basename(c.path))]
    try:
        with os.scandir(folder) as entries:
            below = sorted(e.path for e in entries if not is_temporary(e.name) and e.is_dir())
    except OSError:
        return found
    for path in below:
        try:
            found.append(Candidate(path, sniff(path), 0, _mtime(path) / 1e9))
        except WtuiError:
            continue
    return found


def _named_like(folder: str, wanted: str, known: Container[str]) -> dict[str, Candidate]:
    """What is named like the members but does not even begin like a model: an empty file, an empty folder."""
    try:
        names = [n for n in os.listdir(folder) if pattern(n) == wanted and n not in known and not is_temporary(n)]
    except OSError:
        return {}
    return {n: Candidate(os.path.join(folder, n), "", 0, 0.0) for n in names}


def _is_one_model(folder: str, members: Collection[str]) -> bool:
    """Whether the folder as a whole is a model, of other files than one of its members."""
    if _holds_nothing_else(folder, set(members)):
        return False
    try:
        files = open_catalogue(folder).files
    except WtuiError:
        return False
    stems = [_without_end(os.path.join(folder, m)) for m in members]
    return not any(all(f.path.startswith(stem) for f in files) for stem in stems)


def _holds_nothing_else(folder: str, members: Collection[str]) -> bool:
    """Whether members are whole files and beside them is nothing but notes: no reader has to be asked, or loaded."""
    try:
        others = [n for n in os.listdir(folder) if n not in members and not is_temporary(n)]
    except OSError:
        return False
    return all(m.endswith(_WHOLE) for m in members) and all(_NOTES.search(n) for n in others)


def _without_end(path: str) -> str:
    """What the files of a checkpoint begin with: `ckpt-3.index` stands for `ckpt-3.data-00000-of-00001`."""
    return path.removesuffix("index") if path.endswith(".index") else path


def _identity(path: str) -> tuple[int, int] | None:
    """Device and inode of what a path leads to: the same for links; None if it leads nowhere."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _beside_reason(group: Sequence[str]) -> str:
    return (
        f"one of {len(group)} other checkpoints of the name {pattern(group[0])!r}: another run, or the same once more"
    )


def _ordered(folder: str, chosen: Sequence[str], names: Mapping[str, Candidate], outsiders: list[Outsider]) -> Run:
    """Members by place; those whose names say nothing behind them, by time."""
    main = [n for n in chosen if "#" in pattern(n)]
    rest = [n for n in chosen if "#" not in pattern(n)]
    members = [_member(names[n], n, named) for n, named in zip(main, places(main), strict=True)]
    members = [
        _with_state(m) for m in [*members, *(Member(names[n].path, n, Place(), _mtime(names[n].path)) for n in rest)]
    ]
    placed = [m for m in members if m.place.order]
    unplaced = [m for m in members if not m.place.order]
    if placed:
        placed.sort(key=lambda m: (m.place.order, m.mtime_ns))
        unplaced.sort(key=lambda m: (m.mtime_ns, m.name))
        by = _said_by(placed) + (", the others by time" if unplaced else "")
        return Run(folder, (*placed, *unplaced), by, tuple(outsiders))
    state = tensorflow_order(folder)
    if members and all(_prefix(m.path) in state for m in members):
        members.sort(key=lambda m: state[_prefix(m.path)])
        return Run(folder, tuple(members), "TensorFlow's checkpoint file", tuple(outsiders))
    members.sort(key=lambda m: (m.mtime_ns, m.name))
    return Run(folder, tuple(members), "the time of writing", tuple(outsiders))


def _member(candidate: Candidate, name: str, named: Named) -> Member:
    return _placed(Member(candidate.path, name, Place(), _mtime(candidate.path)), named)


def _placed(member: Member, named: Named) -> Member:
    return member._replace(place=named.place, figures=named.figures)


def _with_state(member: Member) -> Member:
    """The member with the step that a trainer has recorded in its folder, which counts more than its name."""
    step = trainer_state(member.path).get("global_step") if os.path.isdir(member.path) else None
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        return member
    return member._replace(place=Place((0, step), None, step, f"step {step}"))


def _said_by(members: Sequence[Member]) -> str:
    """What the order rests on."""
    if all(m.place.step is not None or m.place.epoch is not None for m in members):
        words = [w for w in ("epoch", "step") if any(getattr(m.place, w) is not None for m in members)]
        if words == ["step"] and all(trainer_state(m.path) for m in members):
            return f"the step in {TRAINER_STATE}"
        return f"the {' and '.join(words)} in the names"
    return "the numbers in the names"


def _prefix(path: str) -> str:
    return os.path.basename(path).removesuffix(".index")


def _mtime(path: str) -> int:
    """When it was last written: for a folder, the newest file in it."""
    try:
        if not os.path.isdir(path):
            return os.stat(path).st_mtime_ns
        with os.scandir(path) as entries:
            return max((e.stat().st_mtime_ns for e in entries if e.is_file()), default=os.stat(path).st_mtime_ns)
    except OSError:
        return 0
