"""A PyTorch file: what `torch.save` writes (zip since 1.6, pickles and storages before), and TorchScript archives.

State dicts, checkpoints of training frameworks, whole modules. Pickles are read inertly: nothing in them is run.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import FormatError, WtuiError
from wtui.formats.absent import why_absent
from wtui.formats.torch.archive import PICKLE, Archive, Loaded
from wtui.formats.torch.describe import danger_notice, describe, describe_finished
from wtui.formats.torch.draft import STATE, Draft
from wtui.formats.torch.flat import flat_model
from wtui.formats.torch.legacy import LegacyFile, is_legacy
from wtui.formats.torch.sections import read_sections
from wtui.formats.torch.tensors import Tensors
from wtui.formats.torch.visit import Visitor
from wtui.formats.zipped import read_directory
from wtui.model import Catalogue, FileRef, Notice
from wtui.storage import file_ref

if TYPE_CHECKING:
    from wtui.formats.probe import Probe
    from wtui.formats.torch.draft import Finished
    from wtui.storage import StoredFile

__all__ = ["Opened", "catalogue", "open_file", "sniff"]

MIN_PLACEHOLDERS = 3
"""Tensors of shape [0] that make a file suspicious."""

_TAR_NAMES = (b"sys_info", b"pickle", b"storages", b"tensors")


class Opened(NamedTuple):
    """A file whose pickle was read."""

    loaded: Loaded
    kind: str
    """For people: `zip`, `legacy`, `TorchScript`."""
    metadata: Mapping[str, Any]
    notices: list[Notice]
    script: Archive | None = None
    """The archive, if it is TorchScript."""


class _Seen(NamedTuple):
    """What a file was found to be."""

    title: str
    metadata: dict[str, Any]
    notices: list[Notice]
    flat: Finished | None = None
    """Its tree, where that could be made at once."""


def sniff(probe: Probe) -> bool:
    """A zip archive with a `data.pkl`, the magic number of the legacy format, or the tar of PyTorch 0.1."""
    head = probe.head
    if head.startswith(b"PK\3\4"):
        return _first_member(head).endswith(PICKLE) or _has_pickle(probe)
    return is_legacy(head) or _is_tar(head)


def catalogue(probe: Probe) -> Catalogue:
    """Everything that the file holds, in its own order; FormatError if it cannot be understood."""
    files: list[FileRef] = []
    visitor, root = Visitor(), Draft(os.path.basename(probe.path))
    seen = _visit(probe.file, files, root, visitor)
    if seen.flat is not None:
        return describe_finished(probe.path, seen.title, files, seen.flat, seen.metadata, seen.notices, probe)
    notices = [*seen.notices, *_placeholders(visitor)]
    return describe(probe.path, seen.title, files, root, visitor, seen.metadata, notices, probe)


def _visit(file: StoredFile, files: list[FileRef], root: Draft, visitor: Visitor) -> _Seen:
    """List everything below `root`, or at once as a whole. What the pickle was made of is let go on return."""
    opened = open_file(file, files)
    tensors = Tensors(opened.loaded.places)
    flat = flat_model(opened.loaded.root, root.name, tensors) if opened.script is None else None
    if flat is not None:
        return _Seen(f"PyTorch, {opened.kind}", {"file": opened.metadata, "checkpoint": {}}, opened.notices, flat)
    sections = read_sections(opened.loaded.root, root, visitor, tensors)
    if opened.script is not None:
        _constants(opened.script, root, visitor)
    facts = {**opened.metadata, **({"model key": sections.model_key} if sections.model_key else {})}
    version = sections.facts.get("pytorch-lightning_version")
    title = "PyTorch Lightning" + (f" {version[:20]}" if isinstance(version, str) else "") if version else "PyTorch"
    title = opened.kind if opened.kind.startswith("TorchScript") else f"{title}, {opened.kind}"
    return _Seen(title, {"file": facts, "checkpoint": sections.facts}, opened.notices)


def open_file(file: StoredFile, files: list[FileRef]) -> Opened:
    """Read the pickle of a file of either kind; `files` gains it."""
    head = file.read(0, min(512, file.size))
    absent = why_absent(file.size, head)
    if absent:
        raise FormatError(absent, file.name)
    if _is_tar(head):
        hint = "load it with an old PyTorch and save it again"
        raise FormatError("was written by PyTorch 0.1 (a tar archive), which is not read", file.name, hint)
    number = len(files)
    files.append(file_ref(file))
    if is_legacy(head):
        legacy = LegacyFile(file, number)
        loaded = legacy.load()
        notices = danger_notice(loaded.called)
        if legacy.problem:
            notices.append(Notice("", legacy.problem, lost=True))
        return Opened(loaded, "legacy format", {"container": "legacy"}, notices)
    archive = Archive(file, files, number)
    loaded = archive.load()
    notices = danger_notice(loaded.called)
    if archive.problem:
        notices.append(Notice("", archive.problem, lost=True))
    script = archive if archive.is_script else None
    return Opened(loaded, _kind(archive), _records(archive), notices, script)


def _kind(archive: Archive) -> str:
    version = archive.record("version")
    name = "TorchScript" if archive.is_script else "zip"
    return f"{name} version {version[:10]}" if version else name


def _records(archive: Archive) -> dict[str, Any]:
    """The small records of an archive."""
    found: dict[str, Any] = {"container": "TorchScript" if archive.is_script else "zip"}
    found["byte order"] = "big" if archive.byteorder == ">" else "little"
    for name in ("version", ".format_version", ".storage_alignment", ".data/serialization_id"):
        text = archive.record(name)
        if text:
            found[name.rpartition("/")[2].lstrip(".").replace("_", " ")] = text
    extra = [n.removeprefix(archive.prefix) for n in archive.members if n.startswith(archive.prefix + "extra/")]
    if extra:
        found["extra files"] = extra[:1000]
    return found


def _placeholders(visitor: Visitor) -> list[Notice]:
    """A notice on what ZeRO stage 3 leaves in a rank's own file."""
    count, listed = visitor.placeholders, visitor.listed
    if count < MIN_PLACEHOLDERS or count * 2 < listed:
        return []
    message = f"{count:,} of {listed:,} tensors have shape [0]: placeholders, as DeepSpeed's ZeRO stage 3 leaves them"
    return [Notice("", f"{message}; their values are in the files of the optimizer: open the folder")]


def _constants(archive: Archive, root: Draft, visitor: Visitor) -> None:
    """Tensors that the code of a TorchScript archive refers to; they are neither parameters nor buffers."""
    if archive.prefix + "constants.pkl" not in archive.members:
        return
    try:
        loaded = archive.load("constants.pkl", "constants")
    except WtuiError as error:
        visitor.notices[f"its constants cannot be read: {error.what}"] = None
        return
    visitor.visit(loaded.root, root.child("constants"), STATE, Tensors(loaded.places))


def _first_member(head: bytes) -> str:
    """The name in the first local header of a zip archive."""
    return head[30 : 30 + int.from_bytes(head[26:28], "little")].decode("utf-8", "replace")


def _has_pickle(probe: Probe) -> bool:
    try:
        names = read_directory(probe.file)[0]
    except WtuiError:
        return False
    return any(name == PICKLE or name.endswith("/" + PICKLE) for name in names)


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar" and head[:100].rstrip(b"\0").removeprefix(b"./") in _TAR_NAMES
