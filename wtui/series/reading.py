"""Reads the checkpoints of a run, one after the other, and keeps records of them: from the cache where it can.

A record is only made of a file that was the same from beginning to end; of one that vanishes or is written meanwhile
there is a `WtuiError` that says so. Knows no run and no order.
"""

from __future__ import annotations

import os
import re
from math import prod
from typing import TYPE_CHECKING, Any

from wtui.cache import Notes, open_shelf, stamp_of
from wtui.errors import StorageError, WtuiError
from wtui.formats import open_catalogue
from wtui.series.record import LOG, Fault, Record, TensorInfo, info_of, infos_from, numbers_of, pack, plain, record_from
from wtui.series.signature import is_quiet, signature
from wtui.series.weightlog import SUFFIX, read_record
from wtui.storage import Files
from wtui.tensors import stored_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.model import Catalogue
    from wtui.series.signature import Signature
    from wtui.stats.row import SummaryRow
    from wtui.storage.pace import Pace

    Rows = dict[int, SummaryRow]
    OnProgress = Callable[[int, int], None]

__all__ = ["Reader"]

KIND = "checkpoint 3"
"""Of notes; another number when records are made in another way."""


_OPTIMIZER = re.compile(r"optimizer(_\d+)?\.(pt|pth|bin|safetensors)$")
"""Names that trainers give to the state of the optimizer."""


class Reader:
    """Reads checkpoints. One thread uses it."""

    def __init__(self, *, threads: int | None = None, cache: bool = True, pace: Pace | None = None) -> None:
        self._threads = threads
        self._cache = cache
        self._pace = pace
        self._notes = Notes(KIND, cache)
        self._tensors: tuple[Any, tuple[TensorInfo, ...]] = [], ()

    def recall(self, path: str) -> Record | None:
        """What an earlier run has found of this very content; None if that is nothing. Opens no checkpoint."""
        found = signature(path)
        note = self._notes.recall(os.path.realpath(path)) if found is not None else None
        try:
            if note is not None and note[0] == _stamps(found) and _are_here(note[1]):
                return self._recalled(note[2])
        except (ValueError, TypeError, LookupError):
            pass
        return None

    def read(self, path: str, on_progress: OnProgress = lambda done, total: None) -> Record:
        """The record of a checkpoint; WtuiError if there is none. `on_progress` gets bytes done and all."""
        if path.endswith(SUFFIX):
            return _logged(path)
        found = signature(path)
        if found is None:
            raise StorageError("is gone", path)
        catalogue = _opened(path)
        record = self._record(catalogue, on_progress)
        if signature(path) != found or not _unchanged(catalogue):
            raise _meanwhile(path)
        if is_quiet(found):
            beside = [[f.path, stamp_of(f.path)] for f in catalogue.files]
            self._notes.keep(os.path.realpath(path), [_stamps(found), beside, plain(record)])
        return record

    def _recalled(self, data: Any) -> Record:
        """A record that was kept; the lists of tensors of all checkpoints of a run are usually equal, and kept once."""
        if data[2] != self._tensors[0]:
            self._tensors = data[2], infos_from(data[2])
        return record_from(data, self._tensors[1])

    def close(self) -> None:
        """Close the cache."""
        self._notes.close()

    def _record(self, catalogue: Catalogue, on_progress: OnProgress) -> Record:
        own = [i for i, t in enumerate(catalogue.tensors) if t.alias_of is None]
        rows, problems = self._rows(catalogue, [i for i in own if not catalogue.tensors[i].problem], on_progress)
        tensors = [catalogue.tensors[i] for i in own]
        packed = pack([numbers_of(rows.get(i), catalogue.tensors[i].size) for i in own])
        lost = [f"{n.tensor}: {n.message}" if n.tensor else n.message for n in catalogue.warnings if n.lost]
        lost += [f"{catalogue.tensors[i].name}: {problems[i]}" for i in sorted(problems)]
        optimizer, problem = _optimizer_beside(catalogue.path)
        lost += [f"{optimizer}: {problem}"] if problem else []
        size = sum(t.nbytes for t in tensors)
        first = _first_fault(catalogue, rows, own)
        return Record(catalogue.format, size, tuple(map(info_of, tensors)), packed, first, tuple(lost), (), optimizer)

    def _rows(self, catalogue: Catalogue, wanted: list[int], on_progress: OnProgress) -> tuple[Rows, dict[int, str]]:
        """Rows by tensor, and why the others have none."""
        shelf = open_shelf(catalogue, self._cache)
        rows = {i: found.row for i, found in shelf.tensors().items() if i in set(wanted)}
        missing = [i for i in wanted if i not in rows]
        problems: dict[int, str] = {}
        if not missing:
            shelf.close()
            return rows, problems
        from wtui.engine.scan import Scanner  # with numpy, which a run that is known needs not wait for

        files = Files(catalogue.files, self._pace.open if self._pace else None)
        scanner = Scanner(catalogue, files, missing, self._threads)
        total = sum(catalogue.tensors[i].nbytes for i in missing)
        try:
            for i, summary, problem in scanner.outcomes(lambda: on_progress(scanner.bytes_done, total)):
                if summary is None:
                    problems[i] = problem
                else:
                    rows[i] = summary.row()
                    shelf.put_tensor(i, summary, rows[i])
        finally:
            shelf.close()
            files.close()
        return rows, problems


def _logged(path: str) -> Record:
    """What was logged while training."""
    logged = read_record(path)
    infos = [TensorInfo(t.name, t.layer, t.shape, t.dtype, "model", t.role) for t in logged.tensors]
    packed = pack([numbers_of(t.row, prod(t.shape)) for t in logged.tensors])
    faults = (_fault_in(t.name, t.row) for t in logged.tensors if t.row is not None)
    lost = tuple(f"{t.name}: {t.problem}" for t in logged.tensors if t.problem)
    size = sum(stored_bytes(t.dtype, t.shape) or 0 for t in logged.tensors)
    first = next((f for f in faults if f is not None), None)
    return Record(LOG, size, tuple(infos), packed, first, lost, tuple(logged.figures.items()))


def _optimizer_beside(folder: str) -> tuple[str, str]:
    """The file of the optimizer's state in a checkpoint's folder, and why it cannot be opened; `""` for neither.

    Only its description is read, which tells one that is cut off.
    """
    try:
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    except OSError:
        return "", ""
    name = next((n for n in names if _OPTIMIZER.match(n)), "")
    if not name:
        return "", ""
    try:
        found = open_catalogue(os.path.join(folder, name))
    except WtuiError as error:
        return name, error.what
    return name, next((note.message for note in found.warnings if note.lost), "")


def _opened(path: str) -> Catalogue:
    try:
        return open_catalogue(path)
    except WtuiError:
        if not os.path.lexists(path):
            raise StorageError("was deleted while it was read", path) from None
        raise


def _first_fault(catalogue: Catalogue, rows: Rows, order: list[int]) -> Fault | None:
    """The model's own tensors first, in its order."""
    for i in sorted(order, key=lambda i: catalogue.tensors[i].group != "model"):
        found = _fault_in(catalogue.tensors[i].name, rows[i]) if i in rows else None
        if found is not None:
            return found
    return None


def _fault_in(tensor: str, row: SummaryRow) -> Fault | None:
    if row.nan:
        return Fault("NaN", tensor, row.nan_at.index if row.nan_at else None)
    if row.posinf + row.neginf:
        return Fault("infinity", tensor, row.inf_at.index if row.inf_at else None)
    return None


def _unchanged(catalogue: Catalogue) -> bool:
    """Whether the files are those that were opened."""
    for ref in catalogue.files:
        stamp = stamp_of(ref.path)
        if stamp is None or (ref.mtime_ns and (stamp.mtime_ns, stamp.inode) != (ref.mtime_ns, ref.inode)):
            return False
    return True


def _meanwhile(path: str) -> StorageError:
    if not os.path.lexists(path):
        return StorageError("was deleted while it was read", path)
    return StorageError("was written while it was read", path)


def _stamps(found: Signature | None) -> list[list[object]]:
    """A signature as it comes out of the cache."""
    return [[path, list(stamp)] for path, stamp in found or ()]


def _are_here(files: list[tuple[str, list[int]]]) -> bool:
    """Whether files that were kept with their stamps are still the same."""
    return all((now := stamp_of(path)) is not None and list(now) == stamp for path, stamp in files)
