"""From what files hold to a Catalogue: sections, optimizers, names, notices, metadata. Shared by PyTorch's readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wtui.formats.inert.danger import dangerous
from wtui.formats.packed.folder import values_of
from wtui.formats.safe.folder import hang_deltas
from wtui.formats.torch.draft import Draft, Finished, finish, name_all
from wtui.formats.torch.sections import fold_optimizers
from wtui.model import Catalogue, FileRef, LayerNode, Notice

if TYPE_CHECKING:
    from wtui.formats.inert import Global
    from wtui.formats.probe import Probe
    from wtui.formats.torch.visit import Visitor

__all__ = ["danger_notice", "describe", "describe_finished", "finish_with_optimizers"]


def finish_with_optimizers(root: Draft, visitor: Visitor) -> Finished:
    """Tree and tensors; optimizers are named after the parameters, which therefore get their names first."""
    if visitor.optimizers:
        name_all(root)
    fold_optimizers(root, visitor)
    return finish(root)


def danger_notice(called: Iterable[Global]) -> list[Notice]:
    """A notice about a pickle that would run code where it is loaded."""
    found = dangerous(called)
    if not found:
        return []
    return [Notice("", f"loading it with pickle would call {found}; wtui runs nothing: trust it before you do")]


def describe(
    path: str,
    title: str,
    files: Sequence[FileRef],
    root: Draft,
    visitor: Visitor,
    metadata: Mapping[str, Any],
    notices: Sequence[Notice] = (),
    probe: Probe | None = None,
) -> Catalogue:
    """The catalogue of everything that was visited; packed weights are unpacked where the `probe` is given."""
    done = finish_with_optimizers(root, visitor)
    told = [*notices, *(Notice("", n) for n in visitor.notices)]
    return describe_finished(path, title, files, done, metadata, told, probe)


def describe_finished(
    path: str,
    title: str,
    files: Sequence[FileRef],
    done: Finished,
    metadata: Mapping[str, Any],
    notices: Sequence[Notice] = (),
    probe: Probe | None = None,
) -> Catalogue:
    """The same of what is a tree already."""
    said: list[Notice] = []
    tensors, facts = done.tensors, dict[str, Any]()
    if probe is not None:
        tensors = values_of(done.tensors, probe, files, said)
        tensors, facts = hang_deltas(tensors, probe, done.root, said)
    told = [*notices, *said, *done.notices]
    if not tensors:
        told.append(Notice("", "holds no tensors"))
    tree: LayerNode = done.root
    return Catalogue(path, title, files, tensors, tree, {**metadata, **facts}, told)
