"""Every key as a command of the palette, by its name. Loaded when the palette is first opened."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Provider

from wtui.tui.keys import groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.binding import BindingType
    from textual.command import Hits

__all__ = ["KeyCommands"]


class KeyCommands(Provider):
    """The commands of the browser."""

    def _commands(self) -> list[Binding]:
        """All keys but those that only move."""
        listed: Callable[[], list[tuple[str, list[BindingType]]]] | None = getattr(self.screen, "key_groups", None)
        all_groups = listed() if listed is not None else groups(self.screen.BINDINGS)
        found = [b for _, bindings in all_groups[1:] for b in bindings]
        return [b for b in found if isinstance(b, Binding) and b.action != "palette"]

    async def _run(self, action: str) -> None:
        """Do what the key does, in the tree if it is one of its keys."""
        screen = self.screen
        focused = self.focused
        if focused is not None and hasattr(focused, f"action_{action.partition('(')[0]}"):
            await focused.run_action(action)
        else:
            await screen.run_action(action)

    async def discover(self) -> Hits:
        """All commands, before anything is typed."""
        for command in self._commands():
            yield DiscoveryHit(command.description, partial(self._run, command.action), help=command.tooltip)

    async def search(self, query: str) -> Hits:
        """Commands whose name or description matches."""
        matcher = self.matcher(query)
        for command in self._commands():
            score = max(matcher.match(command.description), 0.8 * matcher.match(command.tooltip))
            if score > 0:
                shown = matcher.highlight(command.description)
                yield Hit(score, shown, partial(self._run, command.action), help=command.tooltip)
