"""Groups and datasets of an HDF5 file, made when they are asked for.

Knows how messages make an object; the parts of each message are read by the modules around it. Damage stays where it
is: an object that cannot be read is a Dataset that says why in `problem`, a group that can be read in part says so in
its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError
from wtui.formats.hdf5 import header, layout
from wtui.formats.hdf5.datatype import OPAQUE, Dataspace, Datatype, read_dataspace, read_datatype
from wtui.formats.hdf5.links import LinkTable, read_links
from wtui.formats.hdf5.values import AttrValue, decode, read_attributes
from wtui.model import DTYPE_BITS, Extent, Part

if TYPE_CHECKING:
    from wtui.formats.hdf5.space import Space

__all__ = ["Dataset", "Group"]

MAX_DEPTH = 128
"""Groups within groups; deeper ones are not opened."""

MAX_VALUE = 1 << 20
"""Bytes of a dataset that `Dataset.read` takes."""

MAX_CHUNK = (1 << 32) - 1
"""Bytes of one chunk, by the format's own rule."""


class _Object:
    """What groups and datasets share: a path, an object header, attributes."""

    __slots__ = ("_attrs", "_space", "address", "path", "problem")

    def __init__(self, space: Space, path: str, address: int) -> None:
        self._space = space
        self._attrs: Mapping[str, AttrValue] | None = None
        self.path = path
        """Absolute, from the root `/`."""
        self.address = address
        """Of the object header: the same for all hard links to one object."""
        self.problem = ""
        """Why it cannot be read, or not all of it; `""` when it can."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def attrs(self) -> Mapping[str, AttrValue]:
        """The attributes, read now; those that cannot be read are left out, and `problem` says why."""
        if self._attrs is None:
            try:
                messages = header.read_header(self._space, self.address)
                self._attrs, problem = read_attributes(self._space, messages)
            except FormatError as error:
                self._attrs, problem = {}, error.what
            self.problem = self.problem or problem
        return self._attrs


class Dataset(_Object):
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
        """Where the values lie, in file number `file` of a catalogue, `base` bytes behind where this source begins.

        None for chunks: `chunk_parts` reads their table.
        """
        if self.encoding == "hdf5-chunks":
            return None
        if self.encoding == "fill":
            return (Part(Extent(file, base, 0)),)
        return () if self.offset is None else (Part(Extent(file, base + self.offset, self.nbytes)),)

    def chunk_parts(self, file: int, base: int = 0) -> tuple[Part, ...]:
        """All chunks in C order, read from the file's table now; one that was never written has an extent of 0 bytes.

        FormatError if the table is damaged or larger than anyone needs.
        """
        if self._layout is None or self._layout.chunks is None or self.encoding != "hdf5-chunks":
            return self.parts(file, base) or ()
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
        self._attrs, _ = read_attributes(self._space, messages)
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
            self.encoding = "fill"
            self.encoding_args = (("fill", self._fill(messages)),)
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
            raise self._space.error(f"chunks of {prod(stored.chunk):,} bytes", self.address)
        fill = ("fill", self._fill(messages))
        if stored.chunks is None:
            self.encoding, self.encoding_args = "fill", (fill,)
            return
        found = header.first(messages, header.FILTERS)
        self._filters = layout.read_filters(self._space, header.resolved(self._space, found)) if found else ()
        filters = tuple([(f.number, f.values) for f in self._filters])
        self.encoding, self.encoding_args = "hdf5-chunks", (fill, ("filters", filters), ("itemsize", size))

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


class Group(_Object):
    """A folder of the file: named groups and datasets, each made when it is asked for."""

    __slots__ = ("_above", "_groups", "_messages", "_table")

    def __init__(
        self, space: Space, path: str, address: int, messages: list[header.Message], above: frozenset[int] = frozenset()
    ) -> None:
        """`above`: addresses of the groups that led here, so that links back to them end the walk."""
        super().__init__(space, path, address)
        self._above = above | {address}
        self._groups: dict[str, Group] = {}
        self._messages: list[header.Message] | None = messages
        self._table: LinkTable | None = None

    def keys(self) -> list[str]:
        """Names of what the group holds, in creation order where the file tracks it, else sorted by bytes.

        `problem` says why some are missing, after a save that stopped half-way for instance.
        """
        return list(self._read_table().hard)

    def written(self) -> list[str]:
        """The names of `keys` in the order in which they were made, as far as the file tells it."""
        return list(self._read_table().written)

    @property
    def links(self) -> tuple[str, ...]:
        """Names of what is not followed: soft and external links, and hard links back to a group above."""
        return self._read_table().other

    def get(self, name: str) -> Group | Dataset | None:
        """The object called `name`, which may be a path (`a/b/c`) from here; None if there is none to be opened.

        A name that leads to damage gives a Dataset whose `problem` tells it.
        """
        found: Group | Dataset | None = self
        for part in name.split("/"):
            if part:
                found = found._child(part) if isinstance(found, Group) else None
        return found

    def __getitem__(self, name: str) -> Group | Dataset:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def items(self) -> Iterator[tuple[str, Group | Dataset]]:
        """(name, object) of all that the group holds, in the order of `keys`; named datatypes are left out."""
        for name in self.keys():
            found = self._child(name)
            if found is not None:
                yield name, found

    def walk(self) -> Iterator[Group | Dataset]:
        """Everything below, depth first in the order of `keys`; an object with several names comes once."""
        seen = {self.address}
        stack = [self.items()]
        while stack:
            _, found = next(stack[-1], (None, None))
            if found is None:
                stack.pop()
            elif found.address not in seen:
                seen.add(found.address)
                yield found
                if isinstance(found, Group):
                    stack.append(found.items())

    def _read_table(self) -> LinkTable:
        if self._table is None:
            messages = header.read_header(self._space, self.address) if self._messages is None else self._messages
            table = read_links(self._space, messages)
            back = tuple([name for name, address in table.hard.items() if address in self._above])
            if back:
                hard = {name: address for name, address in table.hard.items() if address not in self._above}
                written = tuple([name for name in table.written if name in hard])
                table = LinkTable(hard, table.other + back, table.problem, written)
            self._table, self._messages = table, None
            self.problem = self.problem or table.problem
        return self._table

    def _child(self, name: str) -> Group | Dataset | None:
        known = self._groups.get(name)
        if known is not None:
            return known
        address = self._read_table().hard.get(name)
        if address is None:
            return None
        made = _make(self._space, f"{self.path.rstrip('/')}/{name}", address, self._above)
        if isinstance(made, Group):
            self._groups[name] = made
        return made


_GROUP_MESSAGES = frozenset((header.SYMBOL_TABLE, header.LINK_INFO, header.LINK, header.GROUP_INFO))


def _make(space: Space, path: str, address: int, above: frozenset[int]) -> Group | Dataset | None:
    """The object at an address; None for a named datatype."""
    try:
        messages = header.read_header(space, address)
    except FormatError as error:
        return Dataset(space, path, address, [], error.what)
    kinds = {m.kind for m in messages}
    if kinds & _GROUP_MESSAGES:
        if len(above) >= MAX_DEPTH:
            return Dataset(space, path, address, [], f"groups are nested more than {MAX_DEPTH} deep")
        return Group(space, path, address, messages, above)
    if header.DATATYPE in kinds and not kinds & {header.DATASPACE, header.LAYOUT}:
        return None
    return Dataset(space, path, address, messages)


def _body(space: Space, messages: list[header.Message], kind: int) -> tuple[Space, bytes, int]:
    """What is needed to read the message of a kind; FormatError if the object has none."""
    message = header.first(messages, kind)
    if message is None:
        raise space.error("a dataset without type or shape", 0)
    message = header.resolved(space, message)
    return space, message.body, message.address
