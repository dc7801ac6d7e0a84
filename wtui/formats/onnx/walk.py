"""The fields of an ONNX file, a window at a time, and of any one file no more than bounded numbers.

Knows the wire format and the messages that stand everywhere (texts, pairs of texts), and none of graphs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wtui.formats import protobuf
from wtui.formats.protobuf import LEN, Field

if TYPE_CHECKING:
    from wtui.storage import Source

__all__ = ["MAX_FIELDS", "MAX_OUTLINE", "MAX_TENSORS", "Walk"]

MAX_FIELDS = 1_000_000
"""Fields inside its messages that are looked at: 10,000 nodes have a hundred thousand; these take 1.5 s."""

MAX_OUTLINE = 1_000_000
"""Messages that the graph itself consists of: nodes, tensors and the like."""

MAX_TENSORS = 250_000
"""Tensors that are listed of one file."""

WINDOW = 8192
"""Bytes that are read at once."""

MAX_TEXT = 1 << 12
"""Bytes of a documentation string that are kept."""


class Walk:
    """Reads one file in one thread; its messages lie in one another, and are read in order."""

    def __init__(self, source: Source, *, cut: bool = False) -> None:
        """`cut`: the file was cut off, so that messages may end with it."""
        self.name = source.name
        self.size = source.size
        self.cut = cut
        self.shapes: dict[tuple[int, ...], tuple[int, ...]] = {}
        """Shapes that came up, each once."""
        self._source = source
        self._start = 0
        self._data = b""
        self._fields_left = MAX_FIELDS
        self._outline_left = MAX_OUTLINE
        self._tensors_left = MAX_TENSORS

    @property
    def is_exhausted(self) -> bool:
        """Whether there are more fields than are looked at."""
        return self._fields_left < 0

    @property
    def is_full(self) -> bool:
        """Whether there are more tensors, or messages in the graph, than are listed."""
        return self._tensors_left < 0 or self._outline_left < 0

    def read(self, offset: int, length: int) -> bytes:
        """The bytes `offset : offset + length`."""
        at = offset - self._start
        if at < 0 or at + length > len(self._data):
            if length > WINDOW:
                return self._source.read(offset, length)
            self._start, at = offset, 0
            self._data = self._source.read(offset, min(WINDOW, self.size - offset))
        return self._data[at : at + length]

    def fields(self, start: int, stop: int) -> Iterator[Field]:
        """The fields of a message; none once the file has had its share of them."""
        for field in protobuf.fields(self, start, stop, cut=self.cut):
            self._fields_left -= 1
            if self._fields_left < 0:
                return
            yield field

    def outline(self, start: int, stop: int) -> Iterator[Field]:
        """The messages of the graph, whose tensors are listed where what is inside its nodes is no longer read."""
        for field in protobuf.fields(self, start, stop, cut=self.cut):
            self._outline_left -= 1
            if self.is_full:
                return
            yield field

    def charge(self, fields: int = 0, tensors: int = 0) -> None:
        """Count what costs as much, without being fields that were asked for."""
        self._fields_left -= fields
        self._tensors_left -= tensors

    def text(self, field: Field) -> str:
        """The text of a field; of a long one the beginning."""
        if field.wire != LEN:
            return ""
        if field.stop - field.start <= protobuf.MAX_TEXT:
            return self.read(field.start, field.stop - field.start).decode("utf-8", "replace")
        return self.read(field.start, MAX_TEXT).decode("utf-8", "replace") + "..."

    def pair(self, field: Field) -> tuple[str, str]:
        """Key and value of a StringStringEntryProto."""
        pair = ["", ""]
        for f in self.fields(field.start, field.stop):
            if f.number in (1, 2):
                pair[f.number - 1] = self.text(f)
        return pair[0], pair[1]
