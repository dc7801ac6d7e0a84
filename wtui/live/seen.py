"""What a forward pass has said so far: inputs, outputs in the order in which layers ran, and what they tell.

Pictures of feature maps are most of it, and are kept in a temporary file: a model of a thousand layers must not fill
the memory of who only shows one of them. Standard library only.
"""

from __future__ import annotations

import pickle
import tempfile
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

from wtui.live.protocol import Done, InputUsed, Maps, OutputRow, Said, Unseen
from wtui.live.remarks import remarks

if TYPE_CHECKING:
    from wtui.insight.types import Finding

__all__ = ["Seen"]


class Seen:
    """Takes the messages of a pass; one thread may take while others look."""

    def __init__(self) -> None:
        self.said = ""
        """How it goes, in a few words."""
        self.inputs: list[InputUsed] = []
        self.outputs: list[OutputRow] = []
        """Without their maps: `maps` has them."""
        self.unseen: list[Unseen] = []
        self.seconds: float | None = None
        """How long the pass took; None until it is over."""
        self._maps: dict[int, tuple[int, int]] = {}
        self._file: IO[bytes] | None = None
        self._lock = Lock()

    def take(self, message: Any) -> None:
        """Keep a message."""
        if isinstance(message, OutputRow):
            if message.maps is not None:
                self._put_away(len(self.outputs), message.maps)
            self.outputs.append(message._replace(maps=None))
            self.said = message.layer
        elif isinstance(message, Said):
            self.said = message.text
        elif isinstance(message, InputUsed):
            self.inputs.append(message)
        elif isinstance(message, Unseen):
            self.unseen.append(message)
        elif isinstance(message, Done):
            self.seconds = message.seconds

    def maps(self, number: int) -> Maps | None:
        """The feature maps of an output, by its number in `outputs`; None where it has none. Reads a file."""
        with self._lock:
            if number not in self._maps or self._file is None:
                return None
            offset, size = self._maps[number]
            self._file.seek(offset)
            found = pickle.loads(self._file.read(size))
        return found if isinstance(found, Maps) else None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._maps.clear()
            if self._file is not None:
                self._file.close()
                self._file = None

    @property
    def inputs_rms(self) -> float | None:
        """Of the first input that is a signal; integers are mostly numbers of words."""
        return next((one.rms for one in self.inputs if one.rms > 0 and "float" in one.dtype), None)

    def remarks(self) -> list[Finding]:
        """What the outputs say of the model on this input, the worst first."""
        return remarks(self.outputs, self.inputs_rms)

    def _put_away(self, number: int, maps: Maps) -> None:
        """Write maps into the file; without room for it there are none."""
        data = pickle.dumps(maps, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            try:
                if self._file is None:
                    self._file = tempfile.TemporaryFile()  # noqa: SIM115
                offset = self._file.seek(0, 2)
                self._file.write(data)
                self._maps[number] = offset, len(data)
            except OSError:
                pass
