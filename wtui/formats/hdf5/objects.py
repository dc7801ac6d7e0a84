"""What groups and datasets of an HDF5 file share: a path, the address of an object header, attributes.

Damage stays where it is: whatever can be read of an object is there, and `problem` says why the rest is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wtui.errors import FormatError
from wtui.formats.hdf5 import header
from wtui.formats.hdf5.values import AttrValue, read_attributes

if TYPE_CHECKING:
    from wtui.formats.hdf5.space import Space

__all__ = ["Object"]


class Object:
    """What groups and datasets share: a path, an object header, attributes."""

    __slots__ = ("_attrs", "_messages", "_space", "address", "attrs_problem", "path", "problem")

    def __init__(self, space: Space, path: str, address: int, messages: list[header.Message] | None = None) -> None:
        self._space = space
        self._messages = messages
        self._attrs: Mapping[str, AttrValue] | None = None
        self.path = path
        """Absolute, from the root `/`."""
        self.address = address
        """Of the object header: the same for all hard links to one object."""
        self.problem = ""
        """Why it cannot be read, or not all of it; `""` when it can."""
        self.attrs_problem = ""
        """Why some of `attrs` are missing, once they were read; `""` when none is."""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def attrs(self) -> Mapping[str, AttrValue]:
        """The attributes, read now; those that cannot be read are left out, and `attrs_problem` says why."""
        if self._attrs is None:
            try:
                self._attrs, self.attrs_problem = read_attributes(self._space, self._header())
            except FormatError as error:
                self._attrs, self.attrs_problem = {}, error.what
        return self._attrs

    def _header(self) -> list[header.Message]:
        """The messages of the object header: those at hand, or read again."""
        return header.read_header(self._space, self.address) if self._messages is None else self._messages
