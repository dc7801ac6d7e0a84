"""NumPy's archive of arrays: a zip file with one `.npy` in it for each, stored or deflated.

Stored arrays are read in place; a deflated one is inflated when it is first looked at. Members that hold pickled
objects are listed and never unpickled.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wtui.errors import FormatError, WtuiError
from wtui.formats.names import tree_from_names
from wtui.formats.npy import BFLOAT16_NOTICE, MAX_HEADER, ArrayHeader, entry, parse_header
from wtui.formats.zipped import ZipMember, read_directory, window
from wtui.model import Catalogue, FileRef, LayerNode, Notice, TensorEntry
from wtui.storage import file_ref

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wtui.formats.probe import Probe
    from wtui.model import Member

__all__ = ["catalogue", "sniff"]

SUFFIX = ".npy"

FIRST_READ = 256
"""Bytes of an array's header that are read first: nearly all are shorter."""


def sniff(probe: Probe) -> bool:
    """A zip file whose members are arrays."""
    if not probe.head.startswith(b"PK\3\4"):
        return False
    try:
        members, _ = read_directory(probe.source)
    except WtuiError:
        return False
    return bool(members) and all(name.endswith((SUFFIX, "/")) for name in members)


def catalogue(probe: Probe) -> Catalogue:
    """Every array of the archive, in the archive's order; FormatError if it holds none."""
    members, damage = read_directory(probe.source)
    archive = file_ref(probe.file)
    files = [archive]
    tensors: list[TensorEntry] = []
    notices = [Notice("", f"the archive is {damage}", lost=True)] if damage else []
    separator = "/" if any("/" in name for name in members if name.endswith(SUFFIX)) else "."
    for member in _used_up(members):
        if not member.name.endswith(SUFFIX):
            continue
        name = member.name.removesuffix(SUFFIX)
        try:
            header, number, offset = _locate(probe, member, files)
        except WtuiError as error:
            notices.append(Notice("", f"{name}: {error.what}", lost=True))
            continue
        if header.is_guess:
            notices.append(Notice(name, BFLOAT16_NOTICE))
        layer, _, role = name.rpartition(separator)
        tensors.append(entry(name, header, number, offset)._replace(layer=layer, role=role))
    if not tensors:
        raise FormatError(notices[0].message if notices else "holds no arrays", probe.path)
    root = LayerNode(os.path.basename(probe.path), "")
    ordered = tree_from_names(tensors, separator, root, keep_order=not _is_alphabetical(tensors))
    return Catalogue(probe.path, "NumPy archive (npz)", files, ordered, root, warnings=notices)


def _used_up(members: dict[str, ZipMember]) -> Iterator[ZipMember]:
    """The members one after the other; what was handed out is let go, so that a long listing is not held twice."""
    for name in list(members):
        yield members.pop(name)


def _locate(probe: Probe, member: ZipMember, files: list[FileRef]) -> tuple[ArrayHeader, int, int]:
    """The header of an array, the number of its file, and the offset of the array in it."""
    offset, size, deflated = window(probe.source, member)
    try:
        header = parse_header(_start(probe, offset, min(FIRST_READ, size), deflated), member.name)
    except FormatError:
        header = parse_header(_start(probe, offset, min(MAX_HEADER, size), deflated), member.name)
    if deflated is None:
        return header, 0, offset
    files.append(file_ref(probe.file, deflated, size))
    return header, len(files) - 1, 0


def _start(probe: Probe, offset: int, length: int, deflated: Member | None) -> bytes:
    """The first bytes of a member, inflated."""
    if deflated is None:
        return probe.source.read(offset, length)
    from wtui.storage.inflate import inflate_start

    return inflate_start(probe.source, deflated, length)


def _is_alphabetical(tensors: list[TensorEntry]) -> bool:
    """Whether the order says nothing: that of the alphabet, of more than one array."""
    names = [t.name for t in tensors]
    return len(names) > 1 and names == sorted(names)
