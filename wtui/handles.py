"""The objects that the Python API hands out for the parts of an open model: `Tensor` and `Layer`.

They are light: what metadata says costs nothing, values are read when they are asked for. `Opened` is what all
handles of one model share. Knows no format, no screen, and nothing of how a model is opened.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from wtui.errors import CodecError, StorageError
from wtui.storage import Files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from wtui.engine.matrix import Cells
    from wtui.engine.summaries import Summaries
    from wtui.model import Catalogue, LayerNode, TensorEntry, Totals
    from wtui.stats.spectrum_row import SpectrumRow
    from wtui.stats.summary import Histogram, Summary

__all__ = ["Layer", "Opened", "Tensor"]


class Opened:
    """One open model: its catalogue, its files, and what is known of its values."""

    def __init__(
        self, catalogue: Catalogue, threads: int | None = None, cache: bool = True, files: Files | None = None
    ) -> None:
        """With `cache`, numbers are kept between runs, unless the environment forbids it.

        `files` are where the bytes are if that is not where the catalogue's paths lead: in memory, and never cached.
        """
        self.catalogue = catalogue
        self.in_memory = files is not None
        """Whether there is no file behind it."""
        self._cache = cache and files is None
        self._files = files or Files(catalogue.files)
        self._threads = threads
        self._closed = False
        self._layers: dict[int, Layer] = {}

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """A handle for every entry of the catalogue."""
        return tuple(Tensor(self, i) for i in range(len(self.catalogue.tensors)))

    @cached_property
    def owners(self) -> dict[int, LayerNode]:
        """The layer that owns each tensor, by the tensor's index."""
        return {i: node for node in self.catalogue.root.walk() for i in node.tensors}

    @property
    def summaries(self) -> Summaries:
        """What is known of the values; StorageError once the model is closed."""
        self._check_open()
        return self._summaries

    @cached_property
    def _summaries(self) -> Summaries:
        from wtui.cache import open_shelf
        from wtui.engine.summaries import Summaries

        return Summaries(self.catalogue, self._files, self._threads, open_shelf(self.catalogue, self._cache))

    @property
    def files(self) -> Files:
        """The model's files; StorageError once it is closed."""
        self._check_open()
        return self._files

    @property
    def threads(self) -> int | None:
        """Threads that read values; None: one for each processor."""
        return self._threads

    def layer(self, node: LayerNode) -> Layer:
        """The handle of a node of this catalogue, always the same one."""
        return self._layers.setdefault(id(node), Layer(self, node))

    def array(self, index: int) -> NDArray[np.generic]:
        """The values of a tensor; CodecError or StorageError if they cannot be had."""
        from wtui.engine.blocks import plan_blocks

        self._check_open()
        entry = self.catalogue.tensors[index]
        try:
            return plan_blocks(entry, self.catalogue, self._files).array()
        except MemoryError as error:
            raise CodecError(f"its {entry.nbytes:,} bytes do not fit into memory", entry.name) from error

    def histogram(
        self, summary: Summary, tensors: Sequence[int], bins: int, lo: float | None, hi: float | None
    ) -> Histogram:
        """A histogram of these tensors' summary; they are read once more where it would be too coarse."""
        if summary.needs_refinement(bins, lo, hi):
            summary = self.summaries.refined(tensors, summary, summary.histogram_window(bins, lo, hi))
        return summary.histogram(bins, lo, hi)

    def spectrum(self, index: int, stopped: Callable[[float], bool]) -> SpectrumRow | None:
        """As `Tensor.spectrum`."""
        from wtui.spectra import spectrum_of

        self._check_open()
        return spectrum_of(self.catalogue, self._files, index, self.owners[index], stopped)

    def close(self) -> None:
        """Close the files; what is known already stays known."""
        self._closed = True
        if "_summaries" in self.__dict__:
            self._summaries.close()
        self._files.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("is closed", self.catalogue.path, "read inside the `with` block")


class Tensor:
    """One tensor of a model."""

    __slots__ = ("_index", "_opened", "entry")

    def __init__(self, opened: Opened, index: int) -> None:
        self._opened = opened
        self._index = index
        self.entry: TensorEntry = opened.catalogue.tensors[index]
        """Everything that the file's metadata says of it, where its bytes lie included."""

    @property
    def index(self) -> int:
        """Its place in the model's catalogue."""
        return self._index

    @property
    def name(self) -> str:
        """Unique in the model: `fc1/kernel`."""
        return self.entry.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Its axes; `()` for a scalar."""
        return self.entry.shape

    @property
    def dtype(self) -> str:
        """The name that numpy or ml_dtypes have for its values' type."""
        return self.entry.dtype

    @property
    def size(self) -> int:
        """Number of values."""
        return self.entry.size

    @property
    def nbytes(self) -> int:
        """Bytes of its values, once decoded."""
        return self.entry.nbytes

    @property
    def role(self) -> str:
        """What it is for: kernel, bias, gamma, moving_mean, ..."""
        return self.entry.role

    @property
    def layer(self) -> str:
        """Path of the layer that owns it, `""` for the model itself."""
        return self.entry.layer

    @property
    def layer_class(self) -> str:
        """Class of that layer (`Dense`), `""` where the file does not say."""
        return self._opened.owners[self._index].class_name

    @property
    def trainable(self) -> bool | None:
        """None: the file does not say."""
        return self.entry.trainable

    @property
    def alias_of(self) -> str | None:
        """Name of the tensor whose bytes these are; None if they are its own."""
        return self.entry.alias_of

    @property
    def group(self) -> str:
        """`model`, `optimizer` or `state`; only the model's tensors count in its totals."""
        return self.entry.group

    @property
    def problem(self) -> str:
        """Why its values cannot be read, as far as metadata tells; `""` if nothing speaks against it."""
        return self.entry.problem

    def array(self) -> NDArray[np.generic]:
        """The values, read now, in the tensor's shape and dtype. CodecError or StorageError if they cannot be had."""
        return self._opened.array(self._opened.summaries.owner(self._index))

    def summary(self) -> Summary:
        """Every statistic of its values, which are read once. CodecError if they cannot be had."""
        return self._opened.summaries.summary(self._index)

    def histogram(self, bins: int = 60, lo: float | None = None, hi: float | None = None) -> Histogram:
        """Counts in equal bins over [lo, hi], by default from min to max.

        Where the summary is too coarse for these bins (far from zero, deep zoom), the values are read once more.
        """
        owner = self._opened.summaries.owner(self._index)
        return self._opened.histogram(self.summary(), [owner], bins, lo, hi)

    def heatmap(self, rows: int, columns: int, split: int | None = None) -> Cells:
        """The tensor as a matrix, reduced to at most `rows` x `columns` cells; it is read once.

        Axes before `split` (default: all but the last) are the matrix's rows. CodecError or StorageError if it cannot
        be read, UsageError where there are no values.
        """
        from wtui.engine.matrix import reduce_matrix

        opened = self._opened
        entry = opened.catalogue.tensors[opened.summaries.owner(self._index)]
        split = max(0, len(entry.shape) - 1) if split is None else split
        cells = reduce_matrix(entry, opened.catalogue, opened.files, split, rows, columns)
        assert cells is not None  # nobody stops it
        return cells

    def parts(self) -> dict[str, Summary]:
        """Summaries of its gates, of its fused q, k and v, or of its attention heads; `{}` where it has none.

        UsageError for a tensor that is too large to be cut up; CodecError or StorageError if it cannot be read.
        """
        from wtui.parts import parts_of

        opened = self._opened
        return dict(parts_of(opened.catalogue, opened.files, self._index, opened.owners[self._index]) or ())

    def spectrum(self, stopped: Callable[[float], bool] = lambda share: False) -> SpectrumRow | None:
        """Singular values of its matrix, or of those that it is seen as, and what follows from them; reads it.

        `stopped` is given the share that is done and says whether to give up; then the answer is None. UsageError for
        what is no matrix; CodecError or StorageError if its values cannot be had or are not all finite.
        """
        return self._opened.spectrum(self._index, stopped)

    def __repr__(self) -> str:
        return f"<wtui.Tensor {self.name!r} {self.dtype} {list(self.shape)}>"


class Layer:
    """A layer, a group of layers, or, under the path `""`, the whole model."""

    def __init__(self, opened: Opened, node: LayerNode) -> None:
        self._opened = opened
        self.node = node
        """The same in the model's catalogue."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.node.name

    @property
    def path(self) -> str:
        """Names from the model down, unique in it: `encoder/block_1/attention`."""
        return self.node.path

    @property
    def class_name(self) -> str:
        """Its class in the framework (`Conv2D`), `""` where the file does not say."""
        return self.node.class_name

    @property
    def config(self) -> Mapping[str, Any]:
        """Its configuration as the file records it, `{}` where it does not."""
        return self.node.config

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors that it owns itself; those of the layers inside it are theirs."""
        return tuple(self._opened.tensors[i] for i in self.node.tensors)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers directly inside it, in the model's order."""
        return tuple(map(self._opened.layer, self.node.children))

    @property
    def totals(self) -> Totals:
        """Tensors, parameters and bytes of everything below it."""
        return self._opened.catalogue.totals(self.node)

    @property
    def parameters(self) -> int:
        """Parameters of everything below it."""
        return self.totals.parameters

    def summary(self) -> Summary:
        """Every statistic of all values below it taken together; each is read once.

        What cannot be read is left out, then `seen` is smaller than `total`; CodecError if that is everything.
        """
        return self._summary

    def histogram(self, bins: int = 60, lo: float | None = None, hi: float | None = None) -> Histogram:
        """As `Tensor.histogram`, of all values below it."""
        return self._opened.histogram(self.summary(), self.folded, bins, lo, hi)

    @cached_property
    def folded(self) -> list[int]:
        """Indices of the tensors that its summary is made of: those that count, aliases left out."""
        from wtui.engine.fold import folded_tensors

        return folded_tensors(self._opened.catalogue, self.node)

    @cached_property
    def _summary(self) -> Summary:
        if self.node is self._opened.catalogue.root:
            return self._opened.summaries.whole()
        return self._opened.summaries.together(self.folded)

    def __repr__(self) -> str:
        shown = f"{self.path or self.name!r} {self.class_name}".rstrip()
        return f"<wtui.Layer {shown}, {self.parameters:,} parameters>"
