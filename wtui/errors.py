"""The errors that leave wtui: one sentence each that says what, where and what to do.

Knows nothing of formats, files or screens; everything else may import it.
"""

from __future__ import annotations

__all__ = ["CodecError", "FormatError", "StorageError", "UnknownNameError", "UsageError", "WtuiError"]


class WtuiError(Exception):
    """What went wrong (`what`), where (`path`), and what the reader can do about it (`hint`)."""

    def __init__(self, what: str, path: str = "", hint: str = "") -> None:
        super().__init__(what, path, hint)
        self.what = what
        self.path = path
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.what}{hint}"


class StorageError(WtuiError):
    """Bytes could not be had: missing, truncated, changed, not a regular file, no permission."""


class FormatError(WtuiError):
    """The bytes are there but are not what a format says they must be."""


class CodecError(WtuiError):
    """A tensor's bytes are there but cannot be turned into values."""


class UsageError(WtuiError):
    """The question was wrong: an unknown tensor name, an impossible option."""


class UnknownNameError(UsageError, KeyError):
    """There is no tensor or layer of that name; a KeyError too, since models are asked by `model[name]`."""
