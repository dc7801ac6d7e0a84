"""Schemes that are recognised and not decoded: their words are listed, and no statistics are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wtui.formats.packed.module import Module, Outcome

__all__ = ["SCHEMES", "unpack"]

SCHEMES = {
    "W_q": "HQQ",
    "q_weight": "EXL2",
    "trellis": "EXL3",
    "Qidxs": "QuIP#",
    "codes": "AQLM",
    "B": "Marlin",
    "B_24": "Marlin 2:4",
    "_data": "Quanto",
}
"""Role of the tensor that holds the words -> the scheme."""

_WITNESSES = {"codes": "codebooks", "B": "s", "B_24": "s", "_data": "_scale"}
"""What must stand beside a tensor of a role that is no scheme's own."""


def unpack(module: Module) -> Outcome:
    """The words with their problem, if they are integers and what belongs to them is there."""
    words = module.shown_by
    witness = _WITNESSES.get(words.role)
    if not words.dtype.startswith(("int", "uint")) or (witness and not module.has(witness)):
        return {}
    return module.not_values(f"{SCHEMES[words.role]}, which is not decoded", words)
