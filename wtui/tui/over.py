"""What opens over the panes for the selected tensor or layer, each loaded when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.engine.protocol import Picture, Spectrum, SpectrumShare, Values
from wtui.render.spans import escape

if TYPE_CHECKING:
    from textual.app import App
    from textual.notifications import SeverityLevel
    from textual.screen import Screen

    from wtui.tui.browser import BrowserScreen
    from wtui.tui.outline import Outline

__all__ = ["export", "hand_over", "open_over"]

NORMAL: SeverityLevel = "information"
BAD: SeverityLevel = "error"


def open_over(screen: BrowserScreen, outline: Outline, what: str) -> None:
    """Open `table`, `grid`, `values`, `picture`, `spectrum`, `outputs` or `info` over the browser, or `export`."""
    {
        "table": _table,
        "grid": _grid,
        "values": _values,
        "picture": _picture,
        "spectrum": _spectrum,
        "outputs": _outputs,
        "ridges": _ridges,
        "info": _info,
        "export": _export,
    }[what](screen, outline)


def _table(screen: BrowserScreen, outline: Outline) -> None:
    from wtui.tui.table import TableScreen

    screen.app.push_screen(TableScreen(outline.catalogue, screen.results), screen.go_to)


def _grid(screen: BrowserScreen, outline: Outline) -> None:
    from wtui.tui.grid import GridScreen

    screen.app.push_screen(GridScreen(outline.catalogue, screen.results, screen.layer_tree.marks), screen.go_to)


def _values(screen: BrowserScreen, outline: Outline) -> None:
    from wtui.insight.roles import axes, is_torch_layout
    from wtui.tui.viewer import ValuesScreen

    subject = screen.subject
    if subject < 0:
        screen.notify("select a tensor to see its values")
        return
    tensor = outline.catalogue.tensors[subject]
    if tensor.size:
        names = axes(tensor, outline.layer(subject), torch_layout=is_torch_layout(outline.catalogue.format))
        screen.app.push_screen(ValuesScreen(subject, tensor, screen.results.row(subject), screen.client.ask, names))


def _picture(screen: BrowserScreen, outline: Outline) -> None:
    from wtui.insight.roles import is_torch_layout
    from wtui.tui.picture import PictureScreen

    subject = screen.subject
    if subject < 0 or not outline.catalogue.tensors[subject].size:
        screen.notify("select a tensor to see it as a picture")
        return
    tensor, layer = outline.catalogue.tensors[subject], outline.layer(subject)
    torch = is_torch_layout(outline.catalogue.format)
    screen.app.push_screen(PictureScreen(subject, tensor, layer, torch, screen.client.ask))


def _spectrum(screen: BrowserScreen, outline: Outline) -> None:
    from wtui.insight.matrices import no_matrix, worth_a_spectrum
    from wtui.tui.spectrum import SpectrumScreen

    tensors, data = outline.catalogue.tensors, screen.plots.depth_data
    inside = outline.layer(screen.subject).all_tensors() if screen.subject < 0 else [screen.subject]
    subject = next((i for i in inside if worth_a_spectrum(tensors[i], outline.layer(i))), screen.subject)
    if subject < 0:
        screen.notify("there is no kernel in it, hence no singular values")
        return
    why = no_matrix(tensors[subject])
    if why:
        screen.notify(why, markup=False)
        return
    members = data.members(data.kind_of(subject)) or (subject,)
    screen.app.push_screen(SpectrumScreen(subject, members, outline.catalogue, screen.results, screen.client.ask))


def _outputs(screen: BrowserScreen, outline: Outline) -> None:
    """The outputs of a pass that is there, or of a new one; one sentence where the model cannot be run."""
    from wtui.tui.outputs import OutputsScreen

    why = screen.why_no_outputs()
    if why:
        screen.notify(escape(why), markup=False)
        return

    def go_to(path: str | None) -> None:
        if path is not None:
            screen.go_to(outline.subject_at(path))

    screen.app.push_screen(OutputsScreen(screen.outputs(), lambda: screen.outputs(anew=True)), go_to)


def _ridges(screen: BrowserScreen, outline: Outline) -> None:
    from wtui.tui.ridges import RidgesScreen

    data, tensors = screen.plots.depth_data, outline.catalogue.tensors
    kind = data.choice if data.members(data.choice) else data.kind_of(screen.subject)
    names = {i: tensors[i].name for i in data.members(kind)}
    if not names:
        screen.notify("there are no weights in it")
        return
    screen.app.push_screen(RidgesScreen(kind, names, screen.results, screen.subject))


def hand_over(app: App[None], answer: Values | Picture | Spectrum | SpectrumShare) -> None:
    """Give an answer to the screen that asked for it, if it is still open."""
    from wtui.tui.picture import PictureScreen
    from wtui.tui.spectrum import SpectrumScreen
    from wtui.tui.viewer import ValuesScreen

    top = app.screen
    if isinstance(top, SpectrumScreen) and isinstance(answer, Spectrum | SpectrumShare):
        top.take(answer)
    if isinstance(top, PictureScreen) and isinstance(answer, Values | Picture):
        top.take(answer)
    if isinstance(top, ValuesScreen) and isinstance(answer, Values):
        top.take(answer)


def _info(screen: BrowserScreen, outline: Outline) -> None:
    from wtui.tui.overlays import TextOverlay, info_lines

    node = outline.layer(screen.subject)
    values = outline.catalogue.metadata if node is outline.catalogue.root else node.config
    screen.app.push_screen(TextOverlay(f"Recorded about {escape(node.name)}", info_lines(values)))


def _export(screen: BrowserScreen, outline: Outline) -> None:
    from wtui.tui.export import export_document

    export(screen, export_document(outline, screen.subject, screen.results))


def export(screen: Screen[None], document: dict[str, Any]) -> None:
    """Write the file in a thread, and say what it is called."""
    from wtui.tui.export import write_document

    def write() -> None:
        try:
            said, severity = f"written to {write_document(document)}", NORMAL
        except OSError as error:
            said, severity = f"not written: {error.strerror or error}", BAD
        screen.app.call_from_thread(screen.notify, escape(said), severity=severity, markup=False)

    screen.run_worker(write, thread=True)
