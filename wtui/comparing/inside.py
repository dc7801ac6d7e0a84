"""The desk that looks into tensors of two models: values of A, of B and of their difference, and pictures of them."""

from __future__ import annotations

from math import nan, sqrt
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from wtui.comparing.protocol import AskSide, SideSeen
from wtui.engine.compare_view import box_of_a, box_of_difference, reduce_difference
from wtui.engine.matrix import reduce_matrix
from wtui.engine.pictures import Painter, channel_picture, picture_of
from wtui.engine.protocol import AskPicture, AskValues, Picture, Values
from wtui.engine.region import read_box
from wtui.errors import CodecError, WtuiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from wtui.comparing.known import KnownPairs
    from wtui.comparing.protocol import Side
    from wtui.engine.compare_read import Stored
    from wtui.model import TensorEntry

__all__ = ["InsideBothDesk"]


class InsideBothDesk:
    """The values of A, of B and of their difference, and pictures of them."""

    def __init__(self, known: KnownPairs, wake: Callable[[], None]) -> None:
        self._known = known
        self._wake = wake
        self._done: SimpleQueue[SideSeen] = SimpleQueue()
        self._painter = _DifferencePainter(known, self._painted)

    def news(self) -> None:
        """Nothing changes."""

    def take(self, question: Any) -> bool:
        if not isinstance(question, AskSide):
            return False
        if isinstance(question.question, AskPicture):
            self._painter.side = question.side
            self._painter.ask(question.question)
        else:
            self._done.put(SideSeen(question.side, self._values(question.side, question.question)))
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
        self._painter.stop()

    def _painted(self, picture: Picture) -> None:
        """Take a picture from the painter's thread."""
        self._done.put(SideSeen(self._painter.side, picture))
        self._wake()

    def _values(self, side: Side, question: AskValues) -> Values:
        """The values of a box, read now."""
        try:
            box = self._box(side, question)
            values = box.astype(float) if box.dtype.kind not in "iub" else box
            return Values(*question, tuple(values.reshape(-1).tolist()))
        except WtuiError as error:
            return Values(*question, (), error.what)

    def _box(self, side: Side, question: AskValues) -> NDArray[np.generic]:
        number, start, stop = question
        layout = self._known.layout(number)
        if layout is not None:
            pair = self._known.wanted(number).pair
            assert pair is not None
            if side == "B":
                return read_box(*pair.b, start, stop)
            return (box_of_a if side == "A" else box_of_difference)(pair, layout, start, stop)
        a, b = self._known.sides(number)
        there = a if side == "A" else b
        if there is None:
            raise CodecError(f"{side} has no such tensor")
        return read_box(*there, start, stop)


class _DifferencePainter(Painter):
    """Pictures of the difference of pairs, and of what stands alone as it is."""

    side: Side = "B - A"

    def __init__(self, known: KnownPairs, done: Callable[[Picture], None]) -> None:
        super().__init__(known.joined.catalogue, known.comparison.b.files, done)
        self._known = known

    def _matrix(self, question: AskPicture, entry: TensorEntry) -> Picture | None:
        layout = self._known.layout(question.tensor)
        size = question.axis, question.rows, question.columns
        stopped = lambda: self._latest is not question  # noqa: E731
        if layout is None:
            return picture_of(question, reduce_matrix(*self._there(question.tensor), *size, stopped=stopped))
        pair = self._known.wanted(question.tensor).pair
        assert pair is not None
        return picture_of(question, reduce_difference(pair, layout, *size, stopped=stopped))

    def _there(self, number: int) -> Stored:
        """What is looked at where nothing can be subtracted."""
        a, b = self._known.sides(number)
        there = a if self.side == "A" or b is None else b
        assert there is not None
        return there

    def _channels(self, question: AskPicture, entry: TensorEntry) -> Picture | None:
        sums = self._known.channels.get(question.tensor)
        if sums is None:
            if self._known.layout(question.tensor) is not None:
                raise CodecError("channels are known once the pair is compared: come back in a moment")
            return channel_picture(question, *self._there(question.tensor), lambda: self._latest is not question)
        n = sums.shape[1]
        if not n:
            raise CodecError("it has no output channels")
        norms = tuple(np.sqrt(sums[0]).tolist())
        relative = tuple(sqrt(d / a) if a > 0 else nan for d, a in sums.T.tolist())
        return Picture(question, (1, n), (n, entry.size // n), norms, relative, norms)
