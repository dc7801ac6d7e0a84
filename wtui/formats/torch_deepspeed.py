"""DeepSpeed's checkpoint folders as one model: model states, and ZeRO's partitions put together again.

In stage 3 the model's own file holds placeholders of shape [0]; their values are the float32 copies in the optimizer's
files, one for each rank. In stages 1 and 2 the model is whole, and the float32 copies are listed with the optimizer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import FormatError, WtuiError
from wtui.formats.inert import Items, plain
from wtui.formats.probe import Probe
from wtui.formats.torch.describe import describe
from wtui.formats.torch.draft import MODEL, OPTIMIZER, Draft
from wtui.formats.torch.folder import folder_name, read_text
from wtui.formats.torch.pieces import Run1D, take
from wtui.formats.torch.tensors import Found, Tensors
from wtui.formats.torch.visit import Visitor
from wtui.formats.torch.zero import Layout, RankRuns
from wtui.formats.torch_file import open_file
from wtui.model import DTYPE_BITS, Catalogue, FileRef, Notice, Part

if TYPE_CHECKING:
    from wtui.formats.torch_file import Opened

__all__ = ["catalogue", "sniff"]

_MODEL = re.compile(r"^(zero_pp_rank_(?P<dp>\d+)_)?mp_rank_(?P<mp>\d+)_model_states\.pt$")
_OPTIM = re.compile(r"^(bf16_|fp16_)?zero_pp_rank_(?P<dp>\d+)_mp_rank_(?P<mp>\d+)_optim_states\.pt$")
_OTHER = re.compile(r"^(layer_\w+-model_\w+|.*expert_.*)_?-?model_states\.pt$")

MAX_FILES = 4096
FP32 = "fp32"
"""What the float32 copy of a parameter is called among the optimizer's slots."""

_FROZEN = "frozen_param_fragments"
_FLATS = ("single_partition_of_fp32_groups", "fp32_flat_groups")
"""Keys of the float32 copies: in stages 1 and 2, and in stage 3."""

_LEFT_OUT = ("module", "optimizer", "param_shapes", "frozen_param_shapes", _FROZEN)
"""Keys of a model's file that hold tensors or their shapes."""


class _File(NamedTuple):
    """An opened file of one rank."""

    name: str
    state: Items
    tensors: Tensors


class _Ranks(NamedTuple):
    """Where ZeRO's partitions lie: by slot (`fp32`, `exp_avg`, ...), rank and group."""

    layout: Layout | None
    slots: dict[str, RankRuns]
    dtypes: dict[str, str]
    problem: str


def sniff(probe: Probe) -> bool:
    """A folder with files of these names, or one whose `latest` names such a folder."""
    if not probe.is_folder:
        return False
    if any(_MODEL.match(n) or _OPTIM.match(n) for n in probe.names):
        return True
    tag = _tag(probe)
    return bool(tag) and any(_MODEL.match(n) or _OPTIM.match(n) for n in Probe(tag).names)


def catalogue(probe: Probe) -> Catalogue:
    """The model of one step; FormatError if none of its files can be read."""
    tag = "" if any(_MODEL.match(n) or _OPTIM.match(n) for n in probe.names) else _tag(probe)
    inner = Probe(tag) if tag else probe
    try:
        return _Folder(inner, probe).catalogue()
    finally:
        if inner is not probe:
            inner.close()


def _tag(probe: Probe) -> str:
    """The folder that the file `latest` names, `""` if there is none."""
    name = read_text(probe, "latest")
    if not name or os.path.basename(name) != name or name in (".", ".."):
        return ""
    path = os.path.join(probe.path, name)
    return path if os.path.isdir(path) else ""


class _Folder:
    """One checkpoint while it is read."""

    def __init__(self, probe: Probe, outer: Probe) -> None:
        self._probe = probe
        self._outer = outer
        self._files: list[FileRef] = []
        self._notices: list[Notice] = []
        self._visitor = Visitor()
        self._root = Draft(folder_name(outer))
        self._facts: dict[str, Any] = {}

    def catalogue(self) -> Catalogue:
        """Read every rank of model parallelism; usually there is one."""
        names = sorted(self._probe.names)[:MAX_FILES]
        models = self._by_rank(names, _MODEL)
        optims = self._by_rank(names, _OPTIM)
        ranks = sorted({*models, *optims})
        for rank in ranks:
            root = self._root.child(f"mp_rank_{rank:02d}") if len(ranks) > 1 else self._root
            self._rank(root, models.get(rank, []), optims.get(rank, []))
        for name in names:
            if _OTHER.match(name) and not _MODEL.match(name):
                self._loose(name)
        if len(ranks) > 1:
            self._notices.append(
                Notice("", f"{len(ranks)} ranks of model parallelism are listed apart: each holds a part of the model")
            )
        if not self._files:
            raise FormatError(self._notices[0].message if self._notices else "holds no files", self._outer.path)
        title = f"DeepSpeed checkpoint, {len(self._files)} files"
        return describe(
            self._outer.path, title, self._files, self._root, self._visitor, {"checkpoint": self._facts}, self._notices
        )

    def _by_rank(self, names: Iterable[str], pattern: re.Pattern[str]) -> dict[int, list[str]]:
        """File names by rank of model parallelism, in the order of the data-parallel ranks."""
        found: dict[int, list[tuple[int, str]]] = {}
        for name in names:
            match = pattern.match(name)
            if match:
                found.setdefault(int(match["mp"]), []).append((int(match["dp"] or 0), name))
        return {rank: [name for _, name in sorted(files)] for rank, files in found.items()}

    def _rank(self, root: Draft, models: list[str], optims: list[str]) -> None:
        """One rank of model parallelism: its model, and the partitions of its optimizer."""
        model = self._open(models[0]) if models else None
        partitions = [f for f in map(self._open, optims) if f is not None]
        shapes = _shapes(model.state.get("param_shapes")) if model else ()
        ranks = _ranks(shapes, partitions)
        frozen = self._frozen(model, models[1:]) if model else {}
        if ranks.problem:
            self._notices.append(Notice("", ranks.problem))
        used = self._model(root, model, ranks, frozen)
        self._slots(root, ranks, used)
        if not ranks.layout:
            for file in partitions:
                self._visitor.visit(file.state, root.child(OPTIMIZER).child(file.name), OPTIMIZER, file.tensors)
        if model and isinstance(model.state.get("optimizer"), Items):
            self._visitor.visit(model.state.get("optimizer"), root.child(OPTIMIZER), OPTIMIZER, model.tensors)
        if model and not self._facts:
            self._facts = _facts(model)

    def _frozen(self, model: _File, others: list[str]) -> dict[str, Found]:
        """Parameters that are not trained: every rank's model file holds a fragment of each (stage 3)."""
        shapes = _shapes(model.state.get("frozen_param_shapes"))
        if not shapes or not isinstance(model.state.get(_FROZEN), Items):
            return {}
        files = [model, *(f for f in map(self._open, others) if f is not None)]
        found: dict[str, Found] = {}
        for name, shape in shapes[0].items():
            pieces = [f.tensors.find(held.get(name)) for f in files if isinstance(held := f.state.get(_FROZEN), Items)]
            extents, got = take([run for run in map(_run, pieces) if run], 0, prod(shape))
            dtype = next((p.dtype for p in pieces if p), "unknown")
            problem = "" if got == prod(shape) else "a frozen placeholder of ZeRO stage 3, fragments are missing"
            found[name] = Found(dtype, shape, tuple(Part(e) for e in extents), requires_grad=False, problem=problem)
        return found

    def _model(self, root: Draft, model: _File | None, ranks: _Ranks, frozen: Mapping[str, Found]) -> set[str]:
        """List the model; the names of placeholders that were given the optimizer's float32 values come back."""
        module = model.state.get("module") if model else None
        placed = ranks.layout.places(ranks.slots[FP32]) if ranks.layout and FP32 in ranks.slots else {}
        shapes = {n: s for g in ranks.layout.groups for n, s in g.items()} if ranks.layout else {}
        shared = model.state.get("shared_params") if model else None
        owners = shared.strings() if isinstance(shared, Items) else {}
        used: set[str] = set()
        if model is None or not isinstance(module, Items):
            return used
        for key, value in module.pairs():
            found = model.tensors.find(value)
            name = str(key)
            owner = str(owners.get(name, name))
            if found is not None and found.shape == (0,) and name in frozen:
                found = frozen[name]
            elif found is not None and found.shape == (0,) and shapes.get(owner, (0,)) != (0,):
                used.add(owner)
                found = _whole(shapes[owner], ranks.dtypes.get(FP32, "float32"), placed.get(owner))
            elif found is not None and found.shape == (0,) and not ranks.layout:
                found = found._replace(
                    problem="a placeholder of ZeRO stage 3: its values are in files that are missing"
                )
            if found is not None:
                self._visitor.add(root, name, found, MODEL)
            elif isinstance(value, Items):
                self._visitor.visit(value, root.child(name), MODEL, model.tensors)
        if used:
            message = (
                f"{len(used):,} tensors are placeholders of shape [0] (ZeRO stage 3); their values are put together"
            )
            self._notices.append(Notice("", f"{message} from the optimizer's float32 copies"))
        return used

    def _slots(self, root: Draft, ranks: _Ranks, used: set[str]) -> None:
        """The optimizer's slots by parameter, put together; float32 copies that are the model's values are left out."""
        if ranks.layout is None:
            return
        shapes = {n: s for g in ranks.layout.groups for n, s in g.items()}
        for slot, runs in ranks.slots.items():
            for name, extents in ranks.layout.places(runs).items():
                if slot != FP32 or name not in used:
                    found = _whole(shapes[name], ranks.dtypes[slot], extents)
                    self._visitor.add(root.child(OPTIMIZER).child(name), slot, found, OPTIMIZER)

    def _loose(self, name: str) -> None:
        """Files of pipeline layers and experts, below their own names."""
        file = self._open(name)
        if file is not None:
            below = self._root.child(name.removesuffix("_model_states.pt").removesuffix("-model_states.pt"))
            self._visitor.visit(file.state, below, MODEL, file.tensors)

    def _open(self, name: str) -> _File | None:
        """A file's state; a notice and None if it cannot be read."""
        path = self._probe.inside(name)
        try:
            if path is None:
                raise FormatError("is missing", name)
            opened: Opened = open_file(self._probe.open(path), self._files)
        except WtuiError as error:
            self._notices.append(Notice("", f"{name} {error.what}", lost=True))
            return None
        self._notices += [Notice("", f"{name}: {n.message}", n.lost) for n in opened.notices]
        if not isinstance(opened.loaded.root, Items):
            self._notices.append(Notice("", f"{name} is not a DeepSpeed checkpoint"))
            return None
        return _File(name, opened.loaded.root, Tensors(opened.loaded.places))


def _shapes(value: object) -> tuple[Mapping[str, tuple[int, ...]], ...]:
    """`param_shapes`: a dictionary for each group of parameters (older versions: one for all)."""
    groups = value if isinstance(value, list) else [value]
    found = []
    for group in groups:
        if not isinstance(group, Items):
            return ()
        own = {str(name): shape for name, shape in group.pairs() if _is_shape(shape)}
        found.append({name: tuple(shape) for name, shape in own.items() if isinstance(shape, tuple)})
    return tuple(found)


def _is_shape(value: object) -> bool:
    if type(value) is not tuple or len(value) > 64 or not all(type(n) is int and 0 <= n < 1 << 62 for n in value):
        return False
    return prod(value) < 1 << 60


def _ranks(shapes: tuple[Mapping[str, tuple[int, ...]], ...], files: list[_File]) -> _Ranks:
    """What the optimizer's files hold, as far as it fits the shapes."""
    states = [(f, f.state.get("optimizer_state_dict")) for f in files]
    known = [(f, s) for f, s in states if isinstance(s, Items) and isinstance(s.get("zero_stage"), int)]
    if not known:
        return _Ranks(None, {}, {}, "")
    stage, count = known[0][1].get("zero_stage"), known[0][1].get("partition_count")
    counts = [n for n in (count if isinstance(count, list) else [count]) if isinstance(n, int)]
    layout = Layout(3 if stage == 3 else 2, shapes, max(counts, default=len(known)))
    if layout.ranks != len(known):
        message = f"{layout.ranks:,} ranks wrote this checkpoint, and the optimizer's files of {len(known):,} are there"
        return _Ranks(None, {}, {}, f"{message}: values that are spread over them cannot be put together")
    slots: dict[str, list[list[Run1D]]] = {}
    dtypes: dict[str, str] = {}
    for file, state in known:
        for slot, flats in _flats(state).items():
            found = [file.tensors.find(flat) for flat in flats]
            slots.setdefault(slot, []).append([run for run in map(_run, found) if run])
            dtypes[slot] = next((t.dtype for t in found if t), "unknown")
    fitting = {slot: runs for slot, runs in slots.items() if shapes and layout.fits(runs)}
    if FP32 not in fitting:
        return _Ranks(
            None, {}, {}, "ZeRO's partitions do not fit the shapes of the parameters: they are listed as they are"
        )
    return _Ranks(layout, dict(fitting), dtypes, "")


def _flats(state: Items) -> dict[str, list[object]]:
    """The flat tensors of one rank by slot: one for each group."""
    found: dict[str, list[object]] = {}
    for key in _FLATS:
        flats = state.get(key)
        if isinstance(flats, list):
            found[FP32] = list(flats)
    base = state.get("base_optimizer_state") or state.get("optimizer_state_dict")
    slots = base.get("state") if isinstance(base, Items) else None
    numbered = [(k, v) for k, v in slots.pairs() if isinstance(k, int)] if isinstance(slots, Items) else []
    for _, own in sorted(numbered, key=lambda pair: pair[0]):
        for slot, value in own.pairs() if isinstance(own, Items) else ():
            if isinstance(slot, str) and slot != "step":
                found.setdefault(str(slot)[:100], []).append(value)
    return found


def _run(found: Found | None) -> Run1D | None:
    """A flat tensor as a run of values."""
    if found is None or found.problem or len(found.shape) != 1 or found.strides is not None or not found.parts:
        return None
    return Run1D(found.parts[0].extent, DTYPE_BITS[found.dtype] // 8)


def _whole(shape: tuple[int, ...], dtype: str, extents: Iterable[Any] | None) -> Found:
    """A tensor from its pieces."""
    if extents is None:
        return Found(dtype, shape, problem="a placeholder of ZeRO stage 3 whose values were not found")
    return Found(dtype, shape, tuple(Part(e) for e in extents))


def _facts(model: _File) -> dict[str, Any]:
    """What the model's file says besides tensors."""
    kept = [part for k, v in model.state.pairs() if k not in _LEFT_OUT for part in (k, v)]
    found = plain(Items(kept), model.tensors.describe)
    return dict(found) if isinstance(found, dict) else {}
