"""Tensors by patterns of their names, as shells match them. Reads nothing."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

from wtui.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wtui.model import Catalogue

__all__ = ["matching", "not_matched", "selector"]

NEAREST = 3
"""Names that an error about a pattern without matches suggests."""


def selector(globs: Sequence[str]) -> Callable[[str], bool]:
    """Whether any of the patterns (* ? [...]) matches a name, be its parts joined by `/` or by `.`."""
    found = re.compile("|".join(map(translate, globs)))
    return lambda name: bool(found.match(name) or found.match(name.replace("/", ".")))


def matching(catalogue: Catalogue, globs: Sequence[str]) -> set[int]:
    """The tensors whose names match any of the patterns."""
    wanted = selector(globs)
    return {i for i, t in enumerate(catalogue.tensors) if wanted(t.name)}


def not_matched(catalogues: Sequence[Catalogue], globs: Sequence[str]) -> UnknownNameError:
    """The error about patterns that nothing matches in any of these models, with the nearest names."""
    from difflib import get_close_matches

    names = dict.fromkeys(t.name for c in catalogues for t in c.tensors)
    near = get_close_matches(globs[0].strip("*?"), names, n=NEAREST, cutoff=0.3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`wtui ls` lists all names"
    where = " and ".join(c.path for c in catalogues)
    return UnknownNameError(f"no tensor matches {' or '.join(globs)}", where, hint)
