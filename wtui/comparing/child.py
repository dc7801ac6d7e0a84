"""The scan process of the browser of two models (`python -m wtui.comparing.child`): opens both, pairs, compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wtui.comparing.protocol import OpenBoth, OpenedBoth, Paired
from wtui.engine.child import serve

if TYPE_CHECKING:
    from wtui.engine.child import Send, Serving

__all__ = ["main"]


def begin(first: OpenBoth, send: Send) -> Serving:
    """Open both models, say which tensors belong together, and make the session."""
    from wtui.comparing.comparison import Comparison, Opened
    from wtui.comparing.joined import Joined
    from wtui.formats import open_catalogue
    from wtui.storage import Files

    a, b = open_catalogue(first.a, first.format), open_catalogue(first.b, first.format)
    send(OpenedBoth(a.files, b.files))
    comparison = Comparison(Opened(a, Files(a.files)), Opened(b, Files(b.files)))
    pairing = comparison.pairing
    send(Paired(pairing))
    from wtui.comparing.session import CompareSession

    return CompareSession(comparison, Joined(a, b, pairing))


def main() -> None:
    """Serve the browser that started this process."""
    serve(begin)


if __name__ == "__main__":
    main()
