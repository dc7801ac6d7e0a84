"""What an ONNX model takes and gives, and the sets of operators that it was written for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.formats.protobuf import LEN, VARINT, Field, signed

if TYPE_CHECKING:
    from wtui.formats.onnx.walk import Walk

__all__ = ["opset", "value_info"]

MAX_AXES = 1000
"""Axes of an input or output that are kept."""


def value_info(walk: Walk, field: Field) -> dict[str, Any]:
    """Name, element type and shape of an input or output; axes that vary go by their names, or None."""
    found: dict[str, Any] = {"name": "", "type": 0, "shape": None}
    for f in walk.fields(field.start, field.stop):
        if f.number == 1:
            found["name"] = walk.text(f)
        elif f.number == 2:
            for kind in walk.fields(f.start, f.stop):
                if kind.number == 1 and kind.wire == LEN:
                    _tensor_type(walk, kind, found)
    return found


def opset(walk: Walk, field: Field) -> tuple[str, int]:
    """Domain and version of an OperatorSetIdProto."""
    domain, version = "", 0
    for f in walk.fields(field.start, field.stop):
        if f.number == 1:
            domain = walk.text(f)
        elif f.number == 2:
            version = signed(f.value)
    return domain, version


def _tensor_type(walk: Walk, field: Field, found: dict[str, Any]) -> None:
    for f in walk.fields(field.start, field.stop):
        if f.number == 1:
            found["type"] = f.value
        elif f.number == 2 and f.wire == LEN:
            axes = [a for a in walk.fields(f.start, f.stop) if a.number == 1 and a.wire == LEN]
            found["shape"] = [_axis(walk, a) for a in axes[:MAX_AXES]]


def _axis(walk: Walk, field: Field) -> int | str | None:
    for f in walk.fields(field.start, field.stop):
        if f.number == 1 and f.wire == VARINT:
            return signed(f.value)
        if f.number == 2:
            return walk.text(f)
    return None
