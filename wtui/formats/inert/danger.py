"""Which calls of a pickle run code that is no model's: a warning for those who would load it with its own library.

A list of known means, not a proof: what is not on it may still be harmful elsewhere. wtui itself calls nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wtui.formats.inert.values import Global

__all__ = ["dangerous"]

_MODULES = frozenset((
    "os", "posix", "nt", "subprocess", "sys", "runpy", "importlib", "shutil", "socket", "pty", "webbrowser", "commands",
    "popen2", "pdb", "bdb", "timeit", "code", "codeop", "ctypes", "multiprocessing", "threading", "asyncio", "http",
    "urllib", "requests", "ftplib", "telnetlib", "smtplib", "tempfile", "pickle", "_pickle", "cPickle", "marshal",
    "types", "imp", "pip", "signal", "atexit", "zipimport", "pkgutil", "cProfile", "profile", "linecache", "trace",
))  # fmt: skip
"""Packages whose functions no weights need; `os.path` counts as `os`."""

_BUILTINS = frozenset((
    "eval", "exec", "execfile", "compile", "open", "file", "__import__", "getattr", "setattr", "delattr", "globals",
    "locals", "vars", "input", "raw_input", "breakpoint", "apply", "map", "filter", "memoryview", "print",
))  # fmt: skip
_OTHERS = frozenset((
    "operator.attrgetter", "operator.methodcaller", "functools.reduce", "torch.load", "torch.hub.load", "numpy.load",
    "io.open", "_io.open", "io.FileIO", "_io.FileIO", "codecs.open",
    "torch.utils.cpp_extension.load", "torch.utils.cpp_extension.load_inline",
    "numpy.testing._private.utils.runstring",
))  # fmt: skip

MAX_NAMED = 5
"""Calls that a warning names."""


def dangerous(called: Iterable[Global]) -> str:
    """The calls that run code, by name; `""` if there are none among `called`."""
    found = [g.path[:100] for g in called if _is_dangerous(g)]
    return ", ".join(found[:MAX_NAMED]) + (", ..." if len(found) > MAX_NAMED else "")


def _is_dangerous(g: Global) -> bool:
    if g.module in ("builtins", "__builtin__"):
        return g.name.partition(".")[0] in _BUILTINS
    return (g.module.partition(".")[0] in _MODULES and g.path != "os.fspath") or g.path in _OTHERS
