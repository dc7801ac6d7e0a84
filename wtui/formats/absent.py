"""Files that are there by name only: empty ones, and Git LFS pointers in the place of what they point to.

A pointer is a short text (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md) that Git checks out where the
file itself was not fetched. Knows no format.
"""

from __future__ import annotations

import re

__all__ = ["LFS", "MAX_POINTER", "why_absent"]

LFS = b"version https://git-lfs.github.com/spec/"
"""What every pointer begins with."""

MAX_POINTER = 1024
"""Bytes of a pointer, by its specification."""

_OID = re.compile(rb"^oid ([a-z0-9]{1,16}:[0-9a-f]{1,128})$", re.MULTILINE)
_SIZE = re.compile(rb"^size (\d{1,18})$", re.MULTILINE)

SHOWN = 19
"""Characters of an object's name that tell it from others: `sha256:` and twelve digits."""


def why_absent(size: int, head: bytes) -> str:
    """Why a file of this size that begins with `head` holds no weights; `""` if nothing speaks against it.

    Fits behind the name of a file: `is empty (0 bytes): ...`.
    """
    if size == 0:
        return "is empty (0 bytes): a download or a save that stopped?"
    if size > MAX_POINTER or not head.startswith(LFS):
        return ""
    oid, wanted = _OID.search(head), _SIZE.search(head)
    what = f" to {int(wanted[1]):,} bytes" if wanted else ""
    name = f" ({oid[1].decode()[:SHOWN]}...)" if oid else ""
    return f"is a Git LFS pointer{what}{name}, not the weights: fetch them with `git lfs pull`"
