"""Keras 3 models: a `.keras` zip archive, or a folder with the same names in it.

`config.json` says what the model is, `metadata.json` which Keras wrote it, `model.weights.h5` holds the weights. In an
archive as Keras writes it they are stored, so that tensors have offsets in the archive itself; one that was zipped
again is inflated first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wtui.errors import FormatError, WtuiError
from wtui.formats.hdf5 import open_hdf5
from wtui.formats.keras.assemble import MAX_JSON, Documents, keras3_catalogue, read_json
from wtui.formats.keras.saved import SavedGroup, read_saved
from wtui.formats.keras.tree import Origin
from wtui.formats.zipped import ZipMember, read_directory, whole, window
from wtui.model import Notice
from wtui.storage import CachedSource, WindowSource, file_ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.formats.probe import Probe
    from wtui.model import Catalogue, FileRef
    from wtui.storage import Source

__all__ = ["CONFIG", "METADATA", "WEIGHTS", "catalogue", "folder_documents", "sniff"]

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
PICKLED = "model.weights.npz"
"""What Keras calls weights saved with `weights_format="npz"`."""

ASSETS = "assets/"
"""Vocabularies and the like, by layer."""


def sniff(probe: Probe) -> bool:
    """An archive or folder with the names that Keras uses."""
    if probe.is_folder:
        return bool({WEIGHTS, PICKLED} & probe.names) and bool({CONFIG, METADATA} & probe.names)
    if not probe.head.startswith(b"PK\3\4"):
        return False
    try:
        names = read_directory(probe.file)[0].keys()
    except WtuiError:
        return False
    return WEIGHTS in names or PICKLED in names or {CONFIG, METADATA} <= names


def catalogue(probe: Probe) -> Catalogue:
    """The model's layers in its own order; FormatError if it holds no weights that may be read."""
    return _of_folder(probe) if probe.is_folder else _of_archive(probe)


def _of_archive(probe: Probe) -> Catalogue:
    members, problem = read_directory(probe.file)
    if WEIGHTS not in members:
        raise _no_weights(probe, PICKLED in members)
    documents = _documents(lambda name: _member(probe, members, name))
    if problem:
        documents = documents._replace(notices=(Notice("", problem, lost=True), *documents.notices))
    offset, size, deflated = window(probe.file, members[WEIGHTS])
    source: Source = probe.source
    if deflated is not None:
        from wtui.storage.inflate import InflatedSource

        source = CachedSource(InflatedSource(probe.file, deflated, size))
    ref = file_ref(probe.file, deflated, size if deflated else None)
    name = f"{probe.path}[{WEIGHTS}]"
    assets = [n for n in members if n.startswith(ASSETS) and not n.endswith("/")]
    return _described(probe, ref, WindowSource(source, offset, size, name), offset, documents, assets)


def _of_folder(probe: Probe) -> Catalogue:
    path = probe.inside(WEIGHTS)
    if path is None:
        raise _no_weights(probe, PICKLED in probe.names)
    file = probe.open(path)
    assets = _assets(os.path.join(probe.path, ASSETS.rstrip("/")))
    return _described(probe, file_ref(file), CachedSource(file), 0, folder_documents(probe), assets)


def _described(
    probe: Probe, ref: FileRef, source: Source, base: int, documents: Documents, assets: list[str]
) -> Catalogue:
    """The catalogue of the weights in `source`, which begin `base` bytes into the file."""
    try:
        saved = read_saved(open_hdf5(source, cached=True), Origin(source.name, 0, base, source.size))
    except WtuiError as error:
        if not documents.config:
            raise
        saved = SavedGroup("", "")
        documents = documents._replace(notices=(Notice("", f"its weights cannot be read: {error}", lost=True),))
    name = os.path.basename(os.path.abspath(probe.path)).removesuffix(".keras")
    extra = {"assets": assets} if assets else {}
    return keras3_catalogue(probe.path, name, (ref,), saved, documents, extra)


def folder_documents(probe: Probe) -> Documents:
    """What lies beside the weights in a folder."""

    def read(name: str) -> bytes | None:
        path = probe.inside(name)
        if path is None:
            return None
        file = probe.open(path)
        if file.size > MAX_JSON:
            raise FormatError(f"{name} has {file.size:,} bytes, more than the {MAX_JSON:,} that are read", probe.path)
        return file.read(0, file.size)

    return _documents(read)


def _documents(read: Callable[[str], bytes | None]) -> Documents:
    """config.json and metadata.json by whatever reads them; what is wrong with them becomes a notice."""
    found = []
    notices: tuple[Notice, ...] = ()
    for name in (CONFIG, METADATA):
        try:
            raw = read(name)
            document, told = read_json(raw, name) if raw is not None else ({}, (Notice("", f"there is no {name}"),))
        except WtuiError as error:
            document, told = {}, (Notice("", str(error)),)
        found.append(document)
        notices += told
    return Documents(found[0], found[1], notices)


def _member(probe: Probe, members: dict[str, ZipMember], name: str) -> bytes | None:
    return whole(probe.file, members[name], MAX_JSON) if name in members else None


def _no_weights(probe: Probe, pickled: bool) -> FormatError:
    if pickled:
        what = f"its weights are pickled Python objects ({PICKLED}), which are not opened"
        return FormatError(what, probe.path, 'save it again with weights_format="h5"')
    return FormatError(f"holds no {WEIGHTS}", probe.path, "a save that stopped?")


MAX_ASSETS = 10_000
"""Names of assets that are listed."""


def _assets(folder: str) -> list[str]:
    found: list[str] = []
    for above, folders, names in os.walk(folder):
        folders.sort()
        place = os.path.relpath(above, os.path.dirname(folder))
        found += [f"{place}/{name}" for name in sorted(names)]
        if len(found) >= MAX_ASSETS:
            break
    return found
