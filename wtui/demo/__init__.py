"""The models that come with wtui, each there to show something; `make` is the script that trained them."""

from __future__ import annotations

import os

__all__ = ["folder"]


def folder() -> str:
    """Where they lie."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
