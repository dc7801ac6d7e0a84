"""Datasets of an HDF5 file: what their values are and where they lie, never the values themselves.

Knows how the messages of an object header make a dataset; each message is read by the modules beside.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError
from wtui.formats.hdf5 import header, layout
from wtui.formats.hdf5.datatype import OPAQUE, Dataspace, Datatype, read_dataspace, read_datatype
from wtui.formats.hdf5.layout import is_bomb
from wtui.formats.hdf5.objects import Object
from wtui.formats.hdf5.values import AttrValue, decode, read_attributes
from wtui.model import DTYPE_BITS, Extent, Part

if TYPE_CHECKING:
    from wtui.formats.hdf5.space import Space

__all__ = ["Dataset"]

MAX_VALUE = 1 << 20
"""Bytes of a dataset that `Dataset.read` takes."""

MAX_CHUNK = (1 << 32) - 1
"""Bytes of one chunk before filters: the format's own limit until HDF5 2.0, and more than fits into memory anyway."""

FILL_BOX = 1 << 20
"""Values of each part of a dataset that was never written, so that no reader has to make it whole."""


class Dataset(Object):
    """An array in the file: what its values are and where they lie, never the values themselves."""

    __slots__ = (
        "_dataspace", "_datatype", "_filters", "_layout",
        "byteorder", "dtype", "encoding", "encoding_args", "nbytes", "offset", "shape",
    )  # fmt: skip

    def __init__(
        self, space: Space, path: str, address: int, messages: list[header.Message], problem: str = ""
    ) -> None:
        """Describe it from its header's messages; what is wrong with them is kept in `problem`."""
        super().__init__(space, path, address)
        if not any(m.kind in (header.ATTRIBUTE, header.ATTRIBUTE_INFO) for m in messages):
            self._attrs = {}
        self.shape: tuple[int, ...] = ()
        """`()` for a scalar, `(0,)` for the null dataspace."""
        self.dtype = "unknown"
        """A key of model.DTYPE_BITS, or `string`, `opaque`, `compound`, ... for what is no number."""
        self.byteorder = "<"
        self.offset: int | None = None
        """Of contiguous or compact values, from the start of the source; None where there is no such place."""
        self.nbytes = 0
        """Bytes of the values once read, as many as the shape needs."""
        self.encoding = "raw"
        """`raw`, `hdf5-chunks`, or `fill` where nothing was ever written and every value is the fill value."""
        self.encoding_args: tuple[tuple[str, Any], ...] = ()
        """For `fill`: fill (bytes of one value, `b""` for zero). For `hdf5-chunks` also filters, ((number, values), ..)
        as they were applied, and itemsize (bytes of one value)."""
        self._datatype: Datatype | None = None
        self._dataspace = Dataspace((), ())
        self._layout: layout.Layout | None = None
        self._filters: tuple[layout.Filter, ...] = ()
        self.problem = problem
        if not problem:
            try:
                self._describe(messages)
            except FormatError as error:
                self.problem = error.what

    def parts(self, file: int, base: int = 0) -> tuple[Part, ...] | None:
        """Where the values lie, in file number `file` of a catalogue, in which this source begins at byte `base`.

        Boxes with extents of 0 bytes where nothing was written; None for chunks: `chunk_parts` reads their table.
        """
        if self.problem:
            return ()
        if self.encoding == "hdf5-chunks":
            return None
        if self.encoding == "fill":
            return tuple(_fill_parts(self.shape, file, base))
        return () if self.offset is None else (Part(Extent(file, base + self.offset, self.nbytes)),)

    def chunk_parts(self, file: int, base: int = 0) -> tuple[Part, ...]:
        """All chunks in C order, read from the file's table now; one that was never written has an extent of 0 bytes.

        FormatError if the table is damaged or larger than anyone needs.
        """
        if self._layout is None or self._layout.chunks is None or self.encoding != "hdf5-chunks":
            return self.parts(file, base) or ()
        if self.problem:
            return ()
        from wtui.formats.hdf5.chunks import chunk_parts

        return chunk_parts(self._space, self._layout, self._dataspace, bool(self._filters), file, base)

    def read(self) -> AttrValue:
        """The values of a small dataset of strings or settings; FormatError if it is damaged, chunked or large."""
        datatype = self._datatype
        if self.problem or datatype is None:
            raise FormatError(self.problem or "no values", f"{self._space.name}:{self.path}")
        size = self._dataspace.values * datatype.size
        if self.encoding != "raw" or size > MAX_VALUE:
            raise FormatError(
                f"{size:,} bytes of {self.encoding} values are no metadata", f"{self._space.name}:{self.path}"
            )
        start = 0 if self.offset is None else self.offset - self._space.base
        return decode(self._space, datatype, self._dataspace, self._space.read(start, size), start)

    def _describe(self, messages: list[header.Message]) -> None:
        space = self._space
        datatype = self._datatype = read_datatype(*_body(space, messages, header.DATATYPE))
        dataspace = self._dataspace = read_dataspace(*_body(space, messages, header.DATASPACE))
        self.shape = (0,) if dataspace.shape is None else dataspace.shape
        self.byteorder = datatype.byteorder
        self.nbytes = dataspace.values * datatype.size
        self.dtype = self._named_by_keras(messages, datatype) or datatype.name
        if header.first(messages, header.EXTERNAL):
            self.problem = "its values lie in external files, which are never followed"
            return
        message = header.first(messages, header.LAYOUT)
        if message is None:
            raise space.error("a dataset without a layout", self.address)
        self._store(layout.read_layout(space, message), messages)

    def _named_by_keras(self, messages: list[header.Message], datatype: Datatype) -> str:
        """The type that Keras stores as opaque bytes with an attribute `dtype` beside them: bfloat16, float8."""
        if datatype.kind != OPAQUE or datatype.size > 2:
            return ""
        self._attrs, self.attrs_problem = read_attributes(self._space, messages)
        name = self._attrs.get("dtype")
        return name if isinstance(name, str) and DTYPE_BITS.get(name) == 8 * datatype.size else ""

    def _store(self, stored: layout.Layout, messages: list[header.Message]) -> None:
        """Set where the values are, from the layout and what belongs to it."""
        self._layout = stored
        if stored.kind == layout.VIRTUAL:
            self.problem = "a virtual dataset, whose values lie in other datasets"
        elif not self.nbytes:
            return
        elif stored.kind == layout.CHUNKED:
            self._store_chunks(stored, messages)
        elif stored.address is None:
            self._store_nothing(messages)
        else:
            self.offset = self._space.base + stored.address
            self.problem = self._missing(stored.address, stored.length)

    def _store_chunks(self, stored: layout.Layout, messages: list[header.Message]) -> None:
        size = self._datatype.size if self._datatype else 0
        if len(stored.chunk) != len(self.shape) + 1 or stored.chunk[-1] != size or not all(stored.chunk):
            raise self._space.error(
                f"chunks {list(stored.chunk)} that do not fit shape {list(self.shape)}", self.address
            )
        if prod(stored.chunk) > MAX_CHUNK:
            self.problem = f"its chunks of {prod(stored.chunk):,} bytes are too large to be decoded"
            return
        if stored.chunks is None:
            self._store_nothing(messages)
            return
        found = header.first(messages, header.FILTERS)
        self._filters = layout.read_filters(self._space, header.resolved(self._space, found)) if found else ()
        filters = tuple([(f.number, f.values) for f in self._filters])
        self.encoding = "hdf5-chunks"
        self.encoding_args = (("fill", self._fill(messages)), ("filters", filters), ("itemsize", size))
        if is_bomb(self.nbytes, self._space.size):
            self.problem = f"declares {self.nbytes:,} bytes in a file of {self._space.size:,}"

    def _store_nothing(self, messages: list[header.Message]) -> None:
        """For what was declared and never written."""
        self.encoding = "fill"
        self.encoding_args = (("fill", self._fill(messages)),)
        if is_bomb(self.nbytes, 0):
            self.problem = f"declares {self.nbytes:,} bytes, and the file holds none of them"

    def _fill(self, messages: list[header.Message]) -> bytes:
        """The fill value, `b""` if it is zero or was not given for this very type."""
        fill = layout.read_fill(self._space, messages)
        return fill if self._datatype and len(fill) == self._datatype.size and any(fill) else b""

    def _missing(self, address: int, length: int | None) -> str:
        """Why contiguous values are not all there, or `""`."""
        if length is not None and length < self.nbytes:
            return f"the file holds {length:,} bytes, but {self.dtype} {list(self.shape)} needs {self.nbytes:,}"
        lost = self.nbytes - self._space.available(address, self.nbytes)
        return f"{lost:,} of its {self.nbytes:,} bytes lie behind the end of the file" if lost else ""


def _fill_parts(shape: tuple[int, ...], file: int, base: int) -> Iterator[Part]:
    """Boxes of at most FILL_BOX values that cover the shape, in C order."""
    box = list(shape)
    for axis in range(len(box)):
        box[axis] = max(1, min(box[axis], FILL_BOX // prod(box[axis + 1 :])))
    for origin in product(*[range(0, n, b) for n, b in zip(shape, box, strict=True)]):
        end = [min(o + b, n) for o, b, n in zip(origin, box, shape, strict=True)]
        yield Part(Extent(file, base, 0), origin, tuple([e - o for e, o in zip(end, origin, strict=True)]))


def _body(space: Space, messages: list[header.Message], kind: int) -> tuple[Space, bytes, int]:
    """What is needed to read the message of a kind; FormatError if the object has none."""
    message = header.first(messages, kind)
    if message is None:
        raise space.error("a dataset without type or shape", 0)
    message = header.resolved(space, message)
    return space, message.body, message.address
