"""The scan process of a screen that shows a run (`python -m wtui.series.process`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.engine.child import serve
from wtui.series.session import RunSession

if TYPE_CHECKING:
    from wtui.engine.child import Send
    from wtui.series.protocol import OpenRun

__all__ = ["main"]


def main() -> None:
    """Serve the screen that started this process."""

    def begin(first: OpenRun, send: Send) -> RunSession:
        return RunSession(first)

    serve(begin)


if __name__ == "__main__":
    main()
