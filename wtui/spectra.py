"""Spectra of a model's tensors, one or several: how each is seen as matrices, and their singular values.

Puts engine and insights together, for the command line, the Python API and the scan process. Knows no front end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wtui.errors import UsageError
from wtui.insight.matrices import matrix_axes, no_matrix

if TYPE_CHECKING:
    from wtui.model import Catalogue, LayerNode
    from wtui.stats.spectrum_row import SpectrumRow
    from wtui.storage import Files

__all__ = ["spectrum_of"]


def spectrum_of(
    catalogue: Catalogue,
    files: Files,
    tensor: int,
    layer: LayerNode,
    stopped: Callable[[float], bool] = lambda share: False,
) -> SpectrumRow | None:
    """The spectrum of a tensor (its index) of `layer`; None if `stopped`, given the share that is done, said so.

    UsageError for what is no matrix or too large to be seen as one; CodecError or StorageError if it cannot be read.
    """
    from wtui.engine.spectrum import measure_spectrum

    entry = catalogue.tensors[tensor]
    if entry.alias_of is not None:
        entry = catalogue.tensors[catalogue.index(entry.alias_of)]
    why = no_matrix(entry)
    if why:
        raise UsageError(why, entry.name)
    return measure_spectrum(entry, catalogue, files, matrix_axes(entry, layer, catalogue.format), stopped)
