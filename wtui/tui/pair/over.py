"""What opens over the panes of two models, each loaded when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.comparing.protocol import AskSide
from wtui.render.spans import escape
from wtui.tui.over import export

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App

    from wtui.comparing.protocol import Side, SideSeen
    from wtui.tui.outline import Outline
    from wtui.tui.pair.results import PairResults
    from wtui.tui.pair.screen import PairScreen

__all__ = ["hand_over", "open_over"]


def open_over(screen: PairScreen, outline: Outline, results: PairResults, what: str) -> None:
    """Open `table`, `values`, `picture` or `info` over the browser, or `export`."""
    {"table": _table, "values": _values, "picture": _picture, "info": _info, "export": _export}[what](
        screen, outline, results
    )


def hand_over(app: App[None], seen: SideSeen) -> None:
    """Give values or a picture to the screen that asked for them, if it is still open."""
    from wtui.tui.pair.inside import PairPicture, PairValues

    if isinstance(app.screen, PairValues | PairPicture):
        app.screen.take_side(seen)


def _table(screen: PairScreen, outline: Outline, results: PairResults) -> None:
    from wtui.render.pair_table import CHANGE, PAIR_COLUMNS
    from wtui.tui.table import TableScreen

    screen.app.push_screen(TableScreen(outline.catalogue, results, PAIR_COLUMNS, CHANGE), screen.go_to)


def _sides(results: PairResults, number: int) -> list[Side]:
    """What can be looked at of a tensor, what tells most first."""
    pair = results.joined.pairs.get(number)
    if pair is not None and pair.layouts:
        return ["B - A", "A", "B"]
    if pair is not None:
        return ["B", "A"]
    return ["A"] if number in results.joined.only_a else ["B"]


def _values(screen: PairScreen, outline: Outline, results: PairResults) -> None:
    from wtui.tui.pair.inside import PairValues

    number = screen.subject
    if number < 0:
        screen.notify("select a tensor to see its values")
    elif outline.catalogue.tensors[number].size:
        screen.app.push_screen(
            PairValues(number, results, outline.layer(number), _sides(results, number), screen.client.ask)
        )


def _picture(screen: PairScreen, outline: Outline, results: PairResults) -> None:
    from wtui.tui.pair.inside import PairPicture

    number = screen.subject
    if number < 0 or not outline.catalogue.tensors[number].size:
        screen.notify("select a tensor to see its difference as a picture")
        return
    side = _sides(results, number)[0]
    ask: Callable[[Any], None] = lambda question: screen.client.ask(AskSide(side, question))  # noqa: E731
    screen.app.push_screen(PairPicture(number, results.joined, outline.layer(number), side, ask))


def _info(screen: PairScreen, outline: Outline, results: PairResults) -> None:
    """What both files record: of the models, or of the layer in each."""
    from wtui.tui.overlays import TextOverlay, info_lines

    joined, node = results.joined, outline.layer(screen.subject)
    recorded: dict[str, Any] = {"A": joined.a.metadata, "B": joined.b.metadata}
    if node is not outline.layers[0]:
        numbers = [n for n in node.all_tensors() if n in joined.pairs]
        layer_a = joined.nodes_a[joined.pairs[numbers[0]].a] if numbers and node.tensors else None
        recorded = {"A": dict(layer_a.config) if layer_a else {}, "B": dict(node.config)}
    screen.app.push_screen(TextOverlay(f"Recorded about {escape(node.name)}", info_lines(recorded)))


def _export(screen: PairScreen, outline: Outline, results: PairResults) -> None:
    from wtui.tui.pair.export import pair_document

    export(screen, pair_document(outline, screen.subject, results))
