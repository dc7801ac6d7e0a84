"""Checkpoints of tensor and pipeline parallelism as one model: Megatron-LM's `mp_rank_*` folders, Llama's
`consolidated.*.pth`.

Every rank's file is a whole checkpoint of its part. Which axis a tensor was split along is in no file: it is inferred
from its name, and said so. What no rule knows is listed rank by rank.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import FormatError, WtuiError
from wtui.formats.inert import Items, attributes, plain
from wtui.formats.torch.describe import describe
from wtui.formats.torch.draft import MODEL, OPTIMIZER, Draft, DraftTensor
from wtui.formats.torch.folder import folder_name, read_json, read_text
from wtui.formats.torch.parallel import REPLICATED, join, layers_in, renumber, split_axis
from wtui.formats.torch.tensors import Found, Tensors
from wtui.formats.torch.visit import Visitor
from wtui.formats.torch_file import open_file
from wtui.model import Catalogue, FileRef, Notice

if TYPE_CHECKING:
    from wtui.formats.probe import Probe

__all__ = ["catalogue", "sniff"]

_RANK = re.compile(r"^mp_rank_(\d{2})(_\d{3})?(_\d{3})?$")
_LLAMA = re.compile(r"^consolidated\.(\d{2})\.pth$")
_FILES = ("model_optim_rng.pt", "model_rng.pt")
_LATEST = "latest_checkpointed_iteration.txt"
MAX_RANKS = 4096


class _Rank(NamedTuple):
    """One rank's file: its place in tensor and pipeline parallelism."""

    tensor: int
    pipeline: int
    path: str
    """Relative to the folder."""


class _Part(NamedTuple):
    """What one rank's file holds."""

    rank: _Rank
    state: Items
    named: dict[str, Found]
    tensors: Tensors


def sniff(probe: Probe) -> bool:
    """A folder with ranks, with an iteration that has ranks, or with Llama's files."""
    return probe.is_folder and bool(_ranks(probe)[1])


def catalogue(probe: Probe) -> Catalogue:
    """All ranks as one model; FormatError if none of their files can be read."""
    kind, ranks = _ranks(probe)
    files: list[FileRef] = []
    notices: list[Notice] = []
    visitor, root = Visitor(), Draft(folder_name(probe))
    parts = [p for r in ranks[:MAX_RANKS] if (p := _read(probe, r, files, visitor, notices)) is not None]
    if not parts:
        raise FormatError(notices[0].message if notices else "holds no ranks", probe.path)
    missing = _missing(ranks, parts)
    if missing:
        for part in parts:
            _apart(part, root, visitor)
        notices.append(Notice("", f"{missing} are missing: the others stand apart", lost=True))
    else:
        _Joined(parts, visitor).place(root, notices)
    for part in parts:
        _optimizer(part, root, visitor)
    params = read_json(probe, "params.json")
    facts = {**_facts(parts[0]), **({"params": params} if params else {})}
    title = f"{kind}, {len(ranks)} rank{'s' if len(ranks) != 1 else ''}"
    return describe(probe.path, title, files, root, visitor, {"checkpoint": facts}, notices)


def _ranks(probe: Probe) -> tuple[str, list[_Rank]]:
    """(kind of checkpoint, its ranks in order); no ranks if it is none."""
    llama = sorted((int(m[1]), n) for n in probe.names if (m := _LLAMA.match(n)))
    if llama:
        return "Llama checkpoint", [_Rank(number, 0, name) for number, name in llama]
    iteration = read_text(probe, _LATEST) if _LATEST in probe.names else ""
    prefix = "release" if iteration == "release" else f"iter_{int(iteration):07d}" if _is_number(iteration) else ""
    folder = os.path.join(probe.path, prefix)
    try:
        names = os.listdir(folder) if prefix else list(probe.names)
    except OSError:
        return "", []
    found = []
    for name in names:
        match = _RANK.match(name)
        file = next((f for f in _FILES if os.path.isfile(os.path.join(folder, name, f))), "") if match else ""
        if match and file:
            pipeline = int((match[2] or "_0")[1:])
            found.append(_Rank(int(match[1]), pipeline, os.path.join(prefix, name, file)))
    return "Megatron-LM checkpoint", sorted(found, key=lambda r: (r.pipeline, r.tensor))


def _missing(ranks: list[_Rank], parts: list[_Part]) -> str:
    """The ranks that the others speak of and that cannot be read, `""` if there are none."""
    have = {(p.rank.tensor, p.rank.pipeline) for p in parts}
    tensor = 1 + max(r.tensor for r in ranks)
    pipeline = 1 + max(r.pipeline for r in ranks)
    told = attributes(parts[0].state.get("args"))
    size = told.get("tensor_model_parallel_size") if told else None
    tensor = max(tensor, size if isinstance(size, int) and size < MAX_RANKS else 1)
    if tensor * pipeline > MAX_RANKS:
        return f"some of {tensor * pipeline:,} ranks"
    lost = [
        (t, p) for p in range(min(pipeline, MAX_RANKS)) for t in range(min(tensor, MAX_RANKS)) if (t, p) not in have
    ]
    named = ", ".join(f"rank {t} of stage {p}" for t, p in lost[:5])
    return named + (f" and {len(lost) - 5:,} more" if len(lost) > 5 else "")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _read(probe: Probe, rank: _Rank, files: list[FileRef], visitor: Visitor, notices: list[Notice]) -> _Part | None:
    """One rank's tensors by name; a notice and None if its file cannot be read."""
    path = probe.inside(rank.path)
    try:
        if path is None:
            raise FormatError("is missing", rank.path)
        opened = open_file(probe.open(path), files)
    except WtuiError as error:
        notices.append(Notice("", f"{rank.path} {error.what}", lost=True))
        return None
    notices += [Notice("", f"{rank.path}: {n.message}", n.lost) for n in opened.notices]
    tensors = Tensors(opened.loaded.places)
    state = opened.loaded.root if isinstance(opened.loaded.root, Items) else Items([])
    held = Draft("")
    for key in ("model", *(f"model{n}" for n in range(64))):
        if isinstance(state.get(key), Items):
            visitor.visit(state.get(key), held if key == "model" else held.child(key), MODEL, tensors)
    if not held.children and not held.tensors:
        visitor.visit(opened.loaded.root, held, MODEL, tensors)
    return _Part(rank, state, dict(_named(held)), tensors)


def _named(held: Draft) -> list[tuple[str, Found]]:
    """Tensors by the names that their layers make."""
    paths: dict[int, str] = {id(held): ""}
    found = []
    for draft in held.walk():
        path = paths[id(draft)]
        for child in draft.children:
            paths[id(child)] = f"{path}{child.name}."
        found += [(path + t.label, t.found) for t in draft.tensors]
    return found


class _Joined:
    """The parts of all ranks, put together."""

    def __init__(self, parts: list[_Part], visitor: Visitor) -> None:
        self._visitor = visitor
        self._stages: dict[int, list[_Part]] = {}
        for part in parts:
            self._stages.setdefault(part.rank.pipeline, []).append(part)
        norms = (f.shape[0] for p in parts for n, f in p.named.items() if "norm" in n and len(f.shape) == 1)
        self._width = next(norms, None)
        self._joined = 0
        self._unknown = 0

    def place(self, root: Draft, notices: list[Notice]) -> None:
        """Every stage in order, its layers numbered on from those before."""
        offset = 0
        for number in sorted(self._stages):
            stage = self._stages[number]
            for name in stage[0].named:
                self._tensor(root, renumber(name, offset), [p.named[name] for p in stage if name in p.named])
            offset += layers_in(stage[0].named)
        if len(self._stages) > 1:
            notices.append(Notice("", f"layers are numbered on over {len(self._stages)} pipeline stages (inferred)"))
        if self._joined:
            message = f"{self._joined:,} tensors are joined from ranks along axes that their names suggest (inferred)"
            notices.append(Notice("", message))
        if self._unknown:
            message = f"{self._unknown:,} tensors are listed rank by rank: no rule knows how they were split"
            notices.append(Notice("", message))

    def _tensor(self, root: Draft, name: str, pieces: list[Found]) -> DraftTensor | None:
        """One tensor, joined from its pieces where a rule knows how."""
        if len(pieces) == 1:
            return self._visitor.add(root, name, pieces[0], MODEL)
        axis = split_axis(name, pieces[0].shape, self._width)
        whole = join(pieces, axis) if axis is not None else None
        if whole is not None:
            self._joined += axis != REPLICATED
            return self._visitor.add(root, name, whole, MODEL)
        self._unknown += 1
        for number, piece in enumerate(pieces):
            self._visitor.add(root, f"{name}@rank{number}", piece, MODEL)
        return None


def _apart(part: _Part, root: Draft, visitor: Visitor) -> None:
    """One rank's part below a node of its own."""
    below = root.child(f"rank {part.rank.tensor}, stage {part.rank.pipeline}")
    for name, found in part.named.items():
        visitor.add(below, name, found, MODEL)


def _optimizer(part: _Part, root: Draft, visitor: Visitor) -> None:
    """One rank's optimizer, below a node of its own."""
    state = part.state.get("optimizer")
    if isinstance(state, Items):
        known = len(visitor.optimizers)
        title = f"rank {part.rank.tensor}, stage {part.rank.pipeline}"
        visitor.visit(state, root.child(OPTIMIZER).child(title), OPTIMIZER, part.tensors)
        visitor.optimizers[known:] = [(title, held, found) for _, held, found in visitor.optimizers[known:]]


def _facts(part: _Part) -> dict[str, Any]:
    """What a rank's file says besides tensors."""
    kept = [
        piece
        for key, value in part.state.pairs()
        if isinstance(key, str) and not key.startswith("model") and key != "optimizer" and key not in part.named
        for piece in (key, value)
    ]
    found = plain(Items(kept), part.tensors.describe)
    return dict(found) if isinstance(found, dict) else {}
