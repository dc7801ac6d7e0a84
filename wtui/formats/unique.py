"""Names that are wanted more than once: the second `a` becomes `a#2`, in every format and for live models alike."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["unique_name", "unique_names"]


def unique_name(wanted: str, taken: dict[str, int]) -> str:
    """`wanted`, or the first of `wanted#2`, `wanted#3`, ... that is free; `taken` counts how often each was wanted.

    The count goes on where it stopped: a file may call all of its tensors the same.
    """
    name = wanted
    while name in taken:
        taken[wanted] += 1
        name = f"{wanted}#{taken[wanted]}"
    taken[name] = 1
    return name


def unique_names(names: Iterable[str]) -> list[str]:
    """The names, with `#2`, `#3`, ... behind those that came before."""
    taken: dict[str, int] = {}
    return [unique_name(name, taken) for name in names]
