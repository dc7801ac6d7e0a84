"""Bytes that a pickle of protocol 2 keeps as text: Latin-1, one character for each byte, written in UTF-8.

Then plain values. The text is decoded whole, since nothing says where in it a value lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.codecs import plain
from wtui.errors import CodecError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wtui.model import Part, TensorEntry

__all__ = ["decode", "dtype"]


def dtype(entry: TensorEntry) -> str:
    """The dtype of the values that `decode` gives: the tensor's own."""
    return entry.dtype


def decode(data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.generic]:
    """The values of one part in its shape; CodecError if the text is none, or has too few or too many characters.

    Strides are the entry's: values in Fortran order come back in C order.
    """
    try:
        raw = str(data, "utf-8").encode("latin-1")
    except UnicodeError as error:
        raise CodecError("its text does not stand for bytes", entry.name) from error
    if entry.strides is None:
        return plain.decode(memoryview(raw), entry, part)
    turned = entry._replace(shape=entry.shape[::-1], strides=None)
    return plain.decode(memoryview(raw), turned, part).transpose()
