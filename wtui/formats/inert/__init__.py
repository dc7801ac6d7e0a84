"""Pickles read without running them: an interpreter of the opcodes that only ever makes inert values.

A class or function in a pickle becomes a `Global`, a pair of names; calling it becomes an `Object` that records the
call. Nothing is imported, looked up or executed, and memory, depth and time are bounded whatever the bytes say. Long
byte strings are not loaded: they become `Placed`, an offset and a length. Knows neither torch nor any network.
"""

from wtui.formats.inert.arrays import Array, array_of
from wtui.formats.inert.machine import Machine
from wtui.formats.inert.plain import plain
from wtui.formats.inert.stream import Stream
from wtui.formats.inert.values import (
    Deferred,
    Form,
    Global,
    Items,
    Object,
    Persistent,
    Placed,
    PlacedText,
    attributes,
    path_of,
)

__all__ = [
    "Array",
    "Deferred",
    "Form",
    "Global",
    "Items",
    "Machine",
    "Object",
    "Persistent",
    "Placed",
    "PlacedText",
    "Stream",
    "array_of",
    "attributes",
    "path_of",
    "plain",
]
