"""From what was saved and what was configured to a Catalogue: the model, then its optimizer, with notices and metadata.

Knows the documents beside the weights (config.json, metadata.json), not where they come from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.formats.keras.config import parse, summary
from wtui.formats.keras.optimizer import optimizer_draft, trained_weights
from wtui.formats.keras.tree import Draft, Finished, Remark, finish, locator
from wtui.formats.keras.walk import Walked, walk
from wtui.model import Catalogue, FileRef, Notice

if TYPE_CHECKING:
    from wtui.formats.keras.saved import SavedGroup

__all__ = ["MAX_JSON", "Documents", "build", "keras3_catalogue", "read_json"]

MAX_JSON = 64 << 20
"""Bytes of a configuration that are read: those of the largest published models have a few MB."""


class Documents(NamedTuple):
    """What lies beside the weights of a model."""

    config: Mapping[str, Any]
    metadata: Mapping[str, Any]
    notices: tuple[Notice, ...] = ()


def read_json(raw: bytes | str, name: str) -> tuple[Mapping[str, Any], tuple[Notice, ...]]:
    """A JSON object, empty with a notice where the bytes are none."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return {}, (Notice("", f"{name} cannot be read: {str(error)[:100]}"),)
    if not isinstance(found, dict):
        return {}, (Notice("", f"{name} is not a JSON object"),)
    return found, ()


def keras3_catalogue(
    path: str, name: str, files: Sequence[FileRef], saved: SavedGroup, documents: Documents, extra: Mapping[str, Any]
) -> Catalogue:
    """A model saved by Keras 3 (or by Keras 2.13 and later in its format); `name` is for one that has none."""
    config = parse(documents.config)
    walked = walk(saved, config, name)
    compiled = documents.config.get("compile_config")
    compiled = compiled if isinstance(compiled, Mapping) else {}
    _add_optimizers(walked, compiled.get("optimizer"))
    version = documents.metadata.get("keras_version")
    title = f"Keras {version}" if isinstance(version, str) else "Keras 3" if config else "Keras 3 weights"
    told = {"compile_config": compiled, "build_config": documents.config.get("build_config")}
    facts = {**documents.metadata, **summary(config), **extra, **{k: v for k, v in told.items() if v}}
    notices = [
        *documents.notices,
        *(Notice("", f"{g.path or '/'}: {g.problem}", lost=True) for g in saved.walk() if g.problem),
    ]
    if not saved.has_variables:
        notices.append(Notice("", "there are no weights in it"))
        walked = walked._replace(remarks=[])
    return build(path, title, files, walked.root, facts, walked.remarks, notices)


def _add_optimizers(walked: Walked, config: object) -> None:
    """Hang the optimizers behind the layers; their slots are named after the weights, which are named first."""
    if not walked.optimizers:
        return
    weights = trained_weights(walked.root.all_tensors()) if walked.ordered else None
    finish(walked.root)
    settings = config if isinstance(config, Mapping) else None
    walked.root.children += [optimizer_draft(group, settings, weights) for group in walked.optimizers]


def build(
    path: str,
    title: str,
    files: Sequence[FileRef],
    root: Draft,
    metadata: Mapping[str, Any],
    remarks: Iterable[Remark],
    notices: Iterable[Notice],
) -> Catalogue:
    """The catalogue of a finished draft."""
    done: Finished = finish(root)
    told = (*notices, *(remark.notice() for remark in remarks))
    return Catalogue(path, title, files, done.tensors, done.root, metadata, told, locator(files, done.stored))
