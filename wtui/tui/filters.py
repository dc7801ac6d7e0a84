"""Which filters of a convolution a page shows, and where their values lie. Data only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wtui.render.heat import Matrix

__all__ = ["FilterPages"]


class FilterPages(NamedTuple):
    """A page of the filters of one input channel."""

    shape: tuple[int, ...]
    height_axis: int
    """-1 for filters of one axis."""
    width_axis: int
    in_axis: int
    """-1 where filters have no input axis."""
    out_axis: int
    channel: int = 0
    first: int = 0
    per_page: int = 64

    @classmethod
    def of(cls, shape: tuple[int, ...], meaning: Sequence[str]) -> FilterPages | None:
        """The first page, for a tensor whose axes are those of a convolution; None for others."""
        if "width" not in meaning or "out" not in meaning:
            return None
        height = meaning.index("height") if "height" in meaning else -1
        inputs = meaning.index("in") if "in" in meaning else -1
        return cls(shape, height, meaning.index("width"), inputs, meaning.index("out"))

    @property
    def numbers(self) -> range:
        """Output channels on the page."""
        return range(self.first, min(self.first + self.per_page, self.shape[self.out_axis]))

    @property
    def title(self) -> str:
        """Which filters these are."""
        n, inputs = self.shape[self.out_axis], self.shape[self.in_axis] if self.in_axis >= 0 else 1
        return f"filters {self.numbers.start}-{self.numbers.stop - 1} of {n}, input channel {self.channel} of {inputs}"

    def fitting(self, width: int, height: int, *, colour: bool) -> FilterPages:
        """As many on a page as a pane of this size shows."""
        rows = self.shape[self.height_axis] if self.height_axis >= 0 else 1
        columns = self.shape[self.width_axis]
        zoom = max(1, min(4, 12 // columns))
        across = max(1, width // (max(columns * (zoom if colour else 2), 4) + 2))
        lines = 2 + (-(-rows * zoom // 2) if colour else rows)
        per_page = across * max(1, height // lines)
        return self._replace(per_page=per_page, first=self.first - self.first % per_page)

    def box(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Start and stop of the values that the page shows."""
        start, stop = [0] * len(self.shape), list(self.shape)
        start[self.out_axis], stop[self.out_axis] = self.numbers.start, self.numbers.stop
        if self.in_axis >= 0:
            start[self.in_axis], stop[self.in_axis] = self.channel, self.channel + 1
        for axis in range(len(self.shape)):
            if axis not in (self.height_axis, self.width_axis, self.in_axis, self.out_axis):
                stop[axis] = 1
        return tuple(start), tuple(stop)

    def images(self, values: Sequence[float | int]) -> list[Matrix]:
        """The values of the box in C order as an image for each filter."""
        start, stop = self.box()
        lengths = [b - a for a, b in zip(start, stop, strict=True)]
        strides = [1] * len(lengths)
        for axis in range(len(lengths) - 2, -1, -1):
            strides[axis] = strides[axis + 1] * lengths[axis + 1]
        rows = lengths[self.height_axis] if self.height_axis >= 0 else 1
        columns = lengths[self.width_axis]
        row_stride = strides[self.height_axis] if self.height_axis >= 0 else 0
        images = []
        for n in range(len(self.numbers)):
            base = n * strides[self.out_axis]
            cells = [
                values[base + r * row_stride + c * strides[self.width_axis]]
                for r in range(rows)
                for c in range(columns)
            ]
            images.append(Matrix(rows, columns, cells))
        return images

    def next_channel(self, step: int) -> FilterPages:
        """The next or previous input channel, around the ends."""
        return self._replace(channel=(self.channel + step) % self.shape[self.in_axis]) if self.in_axis >= 0 else self

    def next_page(self, step: int) -> FilterPages:
        """The next or previous page, as far as there is one."""
        first = self.first + step * self.per_page
        return self._replace(first=first) if 0 <= first < self.shape[self.out_axis] else self
