"""Spectra of a model's tensors, one or several: how each is seen as matrices, and their singular values.

Puts engine and insights together, for the command line, the Python API and the scan process. Knows no front end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from wtui.engine.protocol import AskSpectrum, Spectrum, SpectrumShare
from wtui.errors import UsageError, WtuiError
from wtui.insight.matrices import matrix_axes, no_matrix

if TYPE_CHECKING:
    from wtui.engine.known import Known
    from wtui.model import Catalogue, LayerNode
    from wtui.stats.spectrum_row import SpectrumRow
    from wtui.stats.summary import Summary
    from wtui.storage import Files

__all__ = ["SpectrumDesk", "spectrum_of"]

SHARE_EVERY = 0.25
"""Seconds between two words on how far a spectrum is."""


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


class SpectrumDesk:
    """Measures spectra in a thread of its own; a newer question ends the work on an older one."""

    def __init__(self, known: Known, wake: Callable[[], None]) -> None:
        self._known = known
        self._wake = wake
        self._latest: AskSpectrum | None = None
        self._done: SimpleQueue[Spectrum | SpectrumShare] = SimpleQueue()
        self._layers: dict[int, LayerNode] = {}

    def keep(self, tensor: int, summary: Summary | None, problem: str) -> None:
        """Nothing changes."""

    def take(self, question: Any) -> bool:
        if not isinstance(question, AskSpectrum):
            return False
        self._latest = question
        if question.tensors:
            Thread(target=self._work, args=(question,), name="wtui-spectrum", daemon=True).start()
        return True

    def answers(self) -> list[Any]:
        answers = []
        while not self._done.empty():
            answers.append(self._done.get())
        return answers

    @property
    def due(self) -> bool:
        return not self._done.empty()

    def close(self) -> None:
        self._latest = None

    def _work(self, question: AskSpectrum) -> None:
        for tensor in question.tensors:
            found = self._measured(question, tensor)
            if found is None or self._latest is not question:
                return
            self._tell(found)

    def _measured(self, question: AskSpectrum, tensor: int) -> Spectrum | None:
        """A tensor's spectrum, or why there is none; None if nobody waits for it any more."""
        told = time.monotonic()

        def stopped(share: float) -> bool:
            nonlocal told
            if time.monotonic() - told > SHARE_EVERY:
                told = time.monotonic()
                self._tell(SpectrumShare(tensor, share))
            return self._latest is not question

        known, layer = self._known, self._layer(tensor)
        try:
            row = spectrum_of(known.catalogue, known.files, tensor, layer, stopped)
        except WtuiError as error:
            return Spectrum(tensor, None, problem=error.what)
        except Exception as error:  # the numbers of one tensor must not end the scan
            return Spectrum(tensor, None, problem=f"{type(error).__name__}: {error}")
        if row is None:
            return None
        return Spectrum(tensor, row, matrix_axes(known.catalogue.tensors[tensor], layer, known.catalogue.format).said)

    def _layer(self, tensor: int) -> LayerNode:
        if not self._layers:
            self._layers = {i: node for node in self._known.catalogue.root.walk() for i in node.tensors}
        return self._layers[tensor]

    def _tell(self, answer: Spectrum | SpectrumShare) -> None:
        self._done.put(answer)
        self._wake()
