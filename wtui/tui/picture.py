"""Pictures of one tensor over the panes: a heat map of any matrix, the filters of a convolution, norms of channels."""

from __future__ import annotations

from asyncio import to_thread
from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.screen import ModalScreen

from wtui.engine.protocol import AskPicture, AskValues, Picture, Values
from wtui.insight.roles import axes
from wtui.render.heat import Matrix, enlarged, filter_lines, legend, scale_of
from wtui.render.slices import split_name
from wtui.render.spans import Line, escape
from wtui.tui.filters import FilterPages
from wtui.tui.widgets.bars import Bar, KeyBar
from wtui.tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from textual.app import ComposeResult

    from wtui.model import LayerNode, TensorEntry

__all__ = ["PictureScreen"]

HEAT_MODES = ("mean", "mean |w|", "max |w|")


class PictureScreen(ModalScreen[None]):
    """One tensor as pictures; tab goes from one kind to the next."""

    modes = HEAT_MODES
    of = ""
    """What is shown of the tensor, behind its name; empty for its values."""
    channel_title = "L2 norm of each output channel"
    no_channel = "all zero"
    """What a channel of norm 0 is."""

    BINDINGS = [
        Binding("tab,p", "kind(1)", "next picture", tooltip="Heat map, filters, channels"),
        Binding("shift+tab", "kind(-1)", "previous picture", tooltip="Channels, filters, heat map"),
        Binding("m", "mode", "mode", tooltip="Mean, mean |w| or largest |w| of each cell"),
        Binding("x", "split", "axes", tooltip="Other axes as rows and columns"),
        Binding("left,comma", "channel(-1)", "previous", tooltip="Previous input channel"),
        Binding("right,full_stop", "channel(1)", "next", tooltip="Next input channel"),
        Binding("up,pageup", "page(-1)", "page up", tooltip="Filters before these"),
        Binding("down,pagedown", "page(1)", "page down", tooltip="Filters behind these"),
        Binding("escape,q", "dismiss", "close", tooltip="Back to the panes"),
    ]

    def __init__(
        self, number: int, tensor: TensorEntry, layer: LayerNode, torch_layout: bool, ask: Callable[[Any], None]
    ) -> None:
        super().__init__()
        self._number = number
        self._tensor = tensor
        self._ask = ask
        meaning = self._meaning = axes(tensor, layer, torch_layout=torch_layout)
        self._filters = FilterPages.of(tensor.shape, meaning)
        self._out_axis = meaning.index("out") if "out" in meaning else 0 if torch_layout else len(tensor.shape) - 1
        self._kinds = ["heat map", *(["filters"] if self._filters else []), "channels"]
        self._kind = 0
        self._mode = 0
        rank = len(tensor.shape)
        self._split = max(0, min(1, rank - 1)) if torch_layout else max(0, rank - 1)
        self._wanted: object = None

    def compose(self) -> ComposeResult:
        yield TextPane(id="picture", title=escape(self._tensor.name))
        yield Bar(id="legend")
        yield KeyBar(id="picture_keys")

    def on_mount(self) -> None:
        """Ask once there is a size."""
        self.call_after_refresh(self._request)

    def on_resize(self) -> None:
        """Another number of cells fits now."""
        self.call_after_refresh(self._request)

    @property
    def colour(self) -> bool:
        """Whether cells can be told apart by colour."""
        return not self.app.no_color and self.app.console.color_system in ("truecolor", "256")

    @property
    def kind(self) -> str:
        """Which picture is shown."""
        return self._kinds[self._kind]

    def _request(self) -> None:
        """Ask for what the chosen picture needs; it is drawn when it comes."""
        size = self.query_one("#picture", TextPane).size
        if self.kind == "filters" and self._filters is not None:
            pages = self._filters.fitting(size.width, size.height, colour=self.colour)
            self._filters = pages
            self._wanted = AskValues(self._number, *pages.box())
        elif self.kind == "channels":
            self._wanted = AskPicture(self._number, "channels", self._out_axis, 0, 0)
        else:
            rows = size.height * (2 if self.colour else 1)
            self._wanted = AskPicture(self._number, "matrix", self._split, rows, size.width)
        self._ask(self._wanted)
        self._show_keys()

    def take(self, answer: Picture | Values) -> None:
        """Draw an answer, if it is the one asked for last."""
        if isinstance(answer, Picture) and answer.asked == self._wanted:
            self._draw_picture(answer)
        elif isinstance(answer, Values) and AskValues(*answer[:3]) == self._wanted:
            self._draw_filters(answer)

    def _draw_picture(self, picture: Picture) -> None:
        if picture.problem:
            self._put([[("not drawn: ", "error"), (escape(picture.problem), "")]], "", [])
        elif self.kind == "channels":
            self.run_worker(self._draw_channels(picture), exclusive=True)
        else:
            values = (picture.mean, picture.abs_mean, picture.abs_max)[self._mode]
            scale = scale_of(values)
            size = self.query_one("#picture", TextPane).size
            lines = enlarged(Matrix(*picture.shape, values), scale, size.width, size.height, colour=self.colour)
            rows, columns = picture.size
            cells = "" if picture.shape == picture.size else f" in {picture.shape[0]} × {picture.shape[1]} cells"
            shown = f"{rows:,} × {columns:,} values{cells}, {self._split_name}"
            self._put(
                lines,
                f"{self.modes[self._mode]} of each cell",
                [*legend(scale, colour=self.colour), (f"   {shown}", "dim")],
            )

    @property
    def _split_name(self) -> str:
        """Which axes are rows and which are columns."""
        return split_name(self._tensor.shape, self._meaning, self._split)

    async def _draw_channels(self, picture: Picture) -> None:
        from wtui.render.plots import channel_plot

        pane = self.query_one("#picture", TextPane)
        n, per_channel = picture.size
        size = pane.size
        lines = await to_thread(channel_plot, picture.mean, size.width, size.height)
        dead = sum(1 for x in picture.abs_max if x == 0)
        about = f" {n:,} channels along axis {self._out_axis}, {per_channel:,} values each, {dead:,} {self.no_channel}"
        self._put(list(lines), self.channel_title, [(about, "dim")])

    def _draw_filters(self, answer: Values) -> None:
        assert self._filters is not None
        if answer.problem:
            self._put([[("not readable: ", "error"), (escape(answer.problem), "")]], "", [])
            return
        images = self._filters.images(answer.values)
        scale = scale_of(answer.values)
        width = self.query_one("#picture", TextPane).size.width
        lines = filter_lines(images, self._filters.numbers, scale, width, colour=self.colour)
        self._put(lines, self._filters.title, legend(scale, colour=self.colour))

    def _put(self, lines: list[Line], subtitle: str, below: Line) -> None:
        self.query_one("#picture", TextPane).put(
            lines, title=f"{escape(self._tensor.name)}{self.of} · {self.kind}", subtitle=subtitle
        )
        self.query_one("#legend", Bar).show([(" ", ""), *below])

    def _show_keys(self) -> None:
        own: dict[str, Line] = {
            "heat map": [("m", "accent"), (" mean, |w|, max  ", "dim"), ("x", "accent"), (" other axes  ", "dim")],
            "filters": [("←→", "accent"), (" input channel  ", "dim"), ("↑↓", "accent"), (" page  ", "dim")],
            "channels": [],
        }
        keys: Line = [(" tab", "accent"), (" next picture  ", "dim"), *own[self.kind]]
        self.query_one("#picture_keys", Bar).show([*keys, ("esc", "accent"), (" back", "dim")])

    def action_kind(self, step: int) -> None:
        """Another kind of picture."""
        self._kind = (self._kind + step) % len(self._kinds)
        self._request()

    def action_mode(self) -> None:
        """What a cell of the heat map shows."""
        self._mode = (self._mode + 1) % len(self.modes)
        self._request()

    def action_split(self) -> None:
        """The next way to see the tensor as a matrix."""
        rank = len(self._tensor.shape)
        self._split = self._split % max(rank - 1, 1) + 1 if rank > 1 else 0
        self._request()

    def action_channel(self, step: int) -> None:
        """Another input channel of the filters."""
        if self.kind == "filters" and self._filters is not None:
            self._filters = self._filters.next_channel(step)
            self._request()

    def action_page(self, step: int) -> None:
        """Another page of filters."""
        if self.kind == "filters" and self._filters is not None:
            self._filters = self._filters.next_page(step)
            self._request()
