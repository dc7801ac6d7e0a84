"""Pictures of a tensor, made in a thread of their own: a newer question ends the work on an older one."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING

from wtui.engine.protocol import AskPicture, Picture
from wtui.errors import WtuiError

if TYPE_CHECKING:
    from wtui.engine.matrix import Cells
    from wtui.model import Catalogue, TensorEntry
    from wtui.storage import Files

__all__ = ["Painter", "channel_picture", "picture_of"]


class Painter:
    """Answers picture questions; `done` is called from its thread."""

    def __init__(self, catalogue: Catalogue, files: Files, done: Callable[[Picture], None]) -> None:
        self._catalogue = catalogue
        self._files = files
        self._done = done
        self._latest: AskPicture | None = None

    def ask(self, question: AskPicture) -> None:
        """Start on a picture; nobody waits for an older one any more."""
        self._latest = question
        Thread(target=self._paint, args=(question,), daemon=True).start()

    def stop(self) -> None:
        """Give up."""
        self._latest = None

    def _paint(self, question: AskPicture) -> None:
        try:
            entry = self._catalogue.tensors[question.tensor]
            paint = self._channels if question.kind == "channels" else self._matrix
            picture = paint(question, entry)
        except WtuiError as error:
            picture = Picture(question, (0, 0), (0, 0), problem=error.what)
        except Exception as error:
            picture = Picture(question, (0, 0), (0, 0), problem=f"{type(error).__name__}: {error}")
        if picture is not None and self._latest is question:
            self._done(picture)

    def _matrix(self, question: AskPicture, entry: TensorEntry) -> Picture | None:
        from wtui.engine.matrix import reduce_matrix

        cells = reduce_matrix(
            entry,
            self._catalogue,
            self._files,
            question.axis,
            question.rows,
            question.columns,
            stopped=lambda: self._latest is not question,
        )
        return picture_of(question, cells)

    def _channels(self, question: AskPicture, entry: TensorEntry) -> Picture | None:
        return channel_picture(question, entry, self._catalogue, self._files, lambda: self._latest is not question)


def channel_picture(
    question: AskPicture, entry: TensorEntry, catalogue: Catalogue, files: Files, stopped: Callable[[], bool]
) -> Picture | None:
    """Norms of the channels of one tensor; None if `stopped` said so."""
    from wtui.engine.measure import measure_channels

    found = measure_channels(entry, catalogue, files, (question.axis, question.axis + 1), stopped=stopped)
    if found is None:
        return None
    n = len(found.l2)
    norms, l1 = tuple(found.l2.tolist()), tuple((found.l1 / max(found.per_channel, 1)).tolist())
    return Picture(question, (1, n), (n, found.per_channel), norms, l1, tuple(found.largest.tolist()))


def picture_of(question: AskPicture, cells: Cells | None) -> Picture | None:
    """The answer with these cells; None where there are none."""
    if cells is None:
        return None
    shape = (cells.mean.shape[0], cells.mean.shape[1])
    mean, abs_mean, abs_max = (tuple(a.reshape(-1).tolist()) for a in (cells.mean, cells.abs_mean, cells.abs_max))
    return Picture(question, shape, (cells.rows, cells.columns), mean, abs_mean, abs_max)
