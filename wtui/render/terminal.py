"""What there is to draw on. Knows no library."""

from __future__ import annotations

import os
import sys

__all__ = ["has_terminal"]


def has_terminal() -> bool:
    """Whether somebody can see a screen and press keys."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
