"""From encoded bytes to values: one module per family of encodings, imported when it is first needed.

A codec sees one stored part of one tensor and gives an array; it reads no file and knows no statistic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from wtui.errors import CodecError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wtui.model import Part, TensorEntry

__all__ = ["CODECS", "LOSSLESS", "Codec", "codec"]

CODECS: dict[str, str] = {
    "raw": "plain",
    "hdf5-chunks": "hdf5_filters",
    "fill": "hdf5_filters",
    "latin1": "latin1",
    "gguf-blocks": "gguf",
    "affine": "affine",
    "gptq": "grouped",
    "awq": "grouped",
    "awq-zeros": "grouped",
    "scaled": "scaled",
    "packed-rows": "scaled",
    "bnb-4bit": "blockwise",
    "low-rank": "low_rank",
    "padded": "padded",
    "repeated": "repeated",
    "protobuf-varints": "varints",
}
"""Module of every `TensorEntry.encoding`."""

LOSSLESS = frozenset(
    {"raw", "hdf5-chunks", "fill", "padded", "repeated", "protobuf-varints", "awq-zeros", "packed-rows"}
)
"""Encodings that hold the values themselves; what another holds are values that stand for them by scales."""


class Codec(Protocol):
    """What the module of an encoding offers."""

    def dtype(self, entry: TensorEntry) -> str:
        """The dtype of what `decode` gives, a key of `DTYPE_BITS`: the tensor's own, or what its values stand for."""

    def decode(self, data: memoryview, entry: TensorEntry, part: Part) -> NDArray[np.generic]:
        """The values of one part, in native byte order and in the part's shape, which may stick out over the tensor's
        edge; CodecError if the bytes are not what they should be."""


def codec(encoding: str) -> Codec:
    """The codec of an encoding; CodecError if wtui has none."""
    try:
        module = CODECS[encoding]
    except KeyError:
        raise CodecError(f"values encoded as {encoding!r} cannot be decoded") from None
    return cast("Codec", import_module(f"wtui.codecs.{module}"))
