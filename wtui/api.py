"""The Python API: open a model file, look at its layers and tensors, read arrays, summarise weights.

    with wtui.open("vgg16.keras") as model:
        kernel = model["fc1/kernel"]
        print(kernel.shape, kernel.summary().std)

A model that a program holds in its memory is opened in the same way. Opening reads metadata only; values are read when
they are asked for, by the engine that also serves the browser and the command line. Knows no format and no screen.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import CodecError, UnknownNameError, WtuiError
from wtui.formats import open_catalogue
from wtui.handles import Layer, Opened, Tensor
from wtui.model import nodes_holding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from wtui.checking import Report
    from wtui.insight.types import Finding
    from wtui.live.applications import BuiltFile
    from wtui.model import Catalogue, LayerNode, Notice, Totals
    from wtui.stats.row import SummaryRow
    from wtui.stats.summary import Histogram, Summary
    from wtui.storage import Files

__all__ = ["Layer", "Model", "ScanResult", "Statistics", "Tensor", "browse", "open"]

NEAREST = 3
"""Names that an error about an unknown one suggests."""


def open(model: object, *, format: str | None = None, cache: bool = True, threads: int | None = None) -> Model:
    """Open a model file, a folder that is a model, or a model in memory; WtuiError if that is impossible.

    In memory: a Keras model, a torch module, a tf.Module or Checkpoint, or arrays in nested dicts, lists and pytrees.
    Nothing is copied where the framework allows a view; values are those at the time when they are read.
    `keras:NAME` builds one of keras.applications, untrained, in a process of its own; `keras:NAME:imagenet` and
    `keras:NAME:FILE` give it weights.

    `format` names a reader and skips sniffing (see `wtui.formats.FORMATS`). `threads` read values, by default one for
    each processor. With `cache`, numbers of files are kept between runs (see `wtui.cache`).
    """
    if isinstance(model, str | os.PathLike):
        path = os.fspath(model)
        if path.startswith("keras:"):
            return _open_application(path, threads)
        return Model(open_catalogue(path, format), threads, cache)
    from wtui.live.objects import open_object

    opened = open_object(model)
    return Model(opened.catalogue, threads, files=opened.files())


def _open_application(path: str, threads: int | None) -> Model:
    """An architecture by name, built by Keras; it is random or on the disk already, and not worth a cache."""
    from wtui.live.applications import Builder, application_of

    built = Builder(application_of(path)).build()
    try:
        catalogue = open_catalogue(built.path)
    except WtuiError:
        built.close()
        raise
    catalogue.path = path
    return Model(catalogue, threads, cache=False, built=built)


def browse(model: object, *, format: str | None = None) -> None:
    """Open the browser on a model, file or object as for `open`, in this terminal; returns when the user leaves it."""
    if isinstance(model, str | os.PathLike):
        from wtui.tui.launch import browse_path

        browse_path(os.fspath(model), format)
    else:
        from wtui.tui.launch import browse_object

        browse_object(model)


class ScanResult(NamedTuple):
    """A tensor that was read whole, or could not be; and how far the scan has come with it."""

    tensor: Tensor
    summary: Summary | None
    """None where `error` says why there is none."""
    error: WtuiError | None
    bytes_done: int
    bytes_total: int


class Statistics(NamedTuple):
    """Numbers of tensors, by their index in the catalogue, and of all that count among them taken together."""

    rows: Mapping[int, SummaryRow]
    problems: Mapping[int, str]
    """Why the others could not be read."""
    whole: SummaryRow | None
    """None if nothing could be read, or nobody wanted it."""


class Model:
    """An open model. A context manager that closes its files; any thread may use it."""

    def __init__(
        self,
        catalogue: Catalogue,
        threads: int | None = None,
        cache: bool = True,
        files: Files | None = None,
        built: BuiltFile | None = None,
    ) -> None:
        """`files` are where the bytes are if that is not where the catalogue's paths lead.

        `built` is a temporary file that the model is in, and that goes with it.
        """
        self._built = built
        self.catalogue = catalogue
        """All metadata, as `wtui.model` describes it."""
        self._opened = Opened(catalogue, threads, cache, files)

    @property
    def path(self) -> str:
        """What was opened."""
        return self.catalogue.path

    @property
    def source(self) -> str:
        """The file or folder that holds it; `""` for a model in memory."""
        if self._built is not None:
            return self._built.path
        return "" if self._opened.in_memory else self.catalogue.path

    @property
    def files(self) -> Files:
        """Where its bytes are; StorageError once it is closed."""
        return self._opened.files

    @property
    def format(self) -> str:
        """Format and version: `Keras 3.15.1`."""
        return self.catalogue.format

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the file records about the model as a whole."""
        return self.catalogue.metadata

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What a user should know: things that could not be read, and why."""
        return self.catalogue.warnings

    @property
    def totals(self) -> Totals:
        """Tensors, parameters (all, trainable, non_trainable) and bytes, as Keras counts them."""
        return self.catalogue.totals()

    @cached_property
    def root(self) -> Layer:
        """The whole model as a layer."""
        return self._opened.layer(self.catalogue.root)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """All layers in depth order, those inside a layer right after it; the optimizer is not among them."""
        root, tensors = self.catalogue.root, self.catalogue.tensors
        beside = nodes_holding(root, lambda i: tensors[i].group != "model")
        beside -= nodes_holding(root, lambda i: tensors[i].group == "model")
        return tuple(self._opened.layer(n) for n in root.walk() if n is not root and id(n) not in beside)

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """The model's tensors in depth order, aliases among them."""
        return tuple(t for t in self._opened.tensors if t.group == "model")

    @cached_property
    def trainable_tensors(self) -> tuple[Tensor, ...]:
        """Those that training changes, as `trainable_variables` of Keras; empty where nothing says which they are."""
        return tuple(t for t in self.tensors if t.trainable)

    @cached_property
    def other_tensors(self) -> tuple[Tensor, ...]:
        """Tensors stored with the model that are no part of it: the optimizer's slots and counters."""
        return tuple(t for t in self._opened.tensors if t.group != "model")

    def __getitem__(self, name: str) -> Any:
        """The Tensor of that name or else the Layer of that path; UnknownNameError, which is a KeyError, for neither.

        `tensor` and `layer` do the same for type checkers.
        """
        return self._tensor_names.get(name) or self.layer(name, "no tensor or layer")

    def __contains__(self, name: object) -> bool:
        return name in self._tensor_names or name in self._layer_paths

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.tensors)

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name; UnknownNameError with the nearest names if there is none."""
        found = self._tensor_names.get(name)
        if found is None:
            raise self._unknown(name, "no tensor")
        return found

    def layer(self, path: str, missing: str = "no layer") -> Layer:
        """The layer of that path, `""` for the model itself; UnknownNameError with the nearest names if none is."""
        node = self._layer_paths.get(path)
        if node is None:
            raise self._unknown(path, missing)
        return self._opened.layer(node)

    def tensors_of(self, part: Tensor | Layer) -> tuple[Tensor, ...]:
        """All tensors below a layer in depth order, or the tensor itself."""
        if isinstance(part, Tensor):
            return (part,)
        return tuple(self._opened.tensors[i] for i in part.node.all_tensors())

    def summary(self, tensors: Iterable[Tensor | str] | None = None) -> Summary:
        """Every statistic of all the model's values taken together, or of those of certain tensors.

        What cannot be read is left out, then `seen` is smaller than `total`; CodecError if that is everything.
        """
        if tensors is None:
            return self.root.summary()
        return self._opened.summaries.together(self._owners(tensors))

    def histogram(
        self,
        bins: int = 60,
        lo: float | None = None,
        hi: float | None = None,
        tensors: Iterable[Tensor | str] | None = None,
    ) -> Histogram:
        """As `Tensor.histogram`, of the whole model or of certain tensors."""
        if tensors is None:
            return self.root.histogram(bins, lo, hi)
        owners = self._owners(tensors)
        return self._opened.histogram(self._opened.summaries.together(owners), owners, bins, lo, hi)

    def scan(
        self, tensors: Iterable[Tensor | str] | None = None, on_progress: Callable[[int, int], None] | None = None
    ) -> Iterator[ScanResult]:
        """Summarise tensors (default: the model's), in the order in which they are done; closing it stops the work.

        `on_progress` is called with (bytes done, bytes in all) several times a second, also while none is done.
        """
        indices = [self._handle(t).index for t in (self.tensors if tensors is None else tensors)]
        for step in self._opened.summaries.scan(indices, on_progress):
            tensor = self._opened.tensors[step.tensor]
            error = CodecError(step.problem, tensor.name) if step.summary is None else None
            yield ScanResult(tensor, step.summary, error, step.bytes_done, step.bytes_total)

    def statistics(
        self,
        tensors: Iterable[Tensor | str] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        *,
        together: bool = True,
    ) -> Statistics:
        """Every number that is shown of tensors (default: all in the file), as plain data; reads what is not known.

        Without `together` they are not put together: `whole` is None.
        """
        chosen = [self._handle(t) for t in (self._opened.tensors if tensors is None else tensors)]
        summaries = self._opened.summaries
        rows: dict[int, SummaryRow] = {}
        problems: dict[int, str] = {}
        for tensor, row, problem, _, _ in summaries.rows([t.index for t in chosen], on_progress):
            if row is not None:
                rows[tensor] = row
            else:
                problems[tensor] = problem
        rows, problems = dict(sorted(rows.items())), dict(sorted(problems.items()))  # not as threads finished them
        if not together:
            return Statistics(rows, problems, None)
        try:
            whole = summaries.whole_row() if tensors is None else summaries.row_together(self._owners(chosen))
        except CodecError:
            whole = None
        return Statistics(rows, problems, whole)

    def check(
        self,
        tensors: Iterable[Tensor | str] | None = None,
        *,
        within: float | None = None,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Report:
        """Examine the model, or certain tensors: findings, and the share of bytes and the numbers they rest on.

        With `within` it stops after about so many seconds, having read what tells most first.
        """
        from wtui.checking import Examination

        indices = None if tensors is None else [self._handle(t).index for t in tensors]
        return Examination(self.catalogue, self._opened.files, indices, within, self._opened.threads, on_progress).run()

    def findings(self) -> list[Finding]:
        """What is wrong or remarkable, the worst first; reads everything. `check` says more and can be given a time."""
        return self.check().findings

    def report(self) -> str:
        """A plain text for logs: the statistics of every tensor and of the whole model, totals, warnings. Reads all."""
        from wtui.render.report import statistics_lines
        from wtui.render.spans import plain

        statistics = self.statistics()
        lines = statistics_lines(self.catalogue, statistics.rows, statistics.problems, statistics.whole)
        return "\n".join(map(plain, lines)) + "\n"

    def close(self) -> None:
        """Close the files; what is known already stays known."""
        self._opened.close()
        if self._built is not None:
            self._built.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        totals = self.totals
        return f"<wtui.Model {self.path!r} {self.format}, {totals.tensors:,} tensors, {totals.parameters:,} parameters>"

    @cached_property
    def _tensor_names(self) -> dict[str, Tensor]:
        return {t.name: t for t in self._opened.tensors}

    @cached_property
    def _layer_paths(self) -> dict[str, LayerNode]:
        return {n.path: n for n in self.catalogue.root.walk()}

    def _handle(self, tensor: Tensor | str) -> Tensor:
        return self.tensor(tensor) if isinstance(tensor, str) else tensor

    def _owners(self, tensors: Iterable[Tensor | str]) -> list[int]:
        """Indices, in the model's order, of the tensors whose values are those of the given ones taken together."""
        from wtui.engine.fold import those_that_count

        owners = {self._opened.summaries.owner(self._handle(t).index) for t in tensors}
        return those_that_count(self.catalogue, owners)

    def _unknown(self, name: str, what: str) -> UnknownNameError:
        from difflib import get_close_matches

        near = get_close_matches(name, [*self._tensor_names, *self._layer_paths], n=NEAREST, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else "`wtui ls` lists all names"
        return UnknownNameError(f"{what} named {name!r}", self.path, hint)
