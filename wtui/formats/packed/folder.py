"""Packed weights of a catalogue, unpacked by what the files beside them say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wtui.errors import FormatError
from wtui.formats.beside import configuration
from wtui.formats.packed import CONFIGURATIONS, settings_of, unpacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.formats.probe import Probe
    from wtui.model import Extent, FileRef, Notice, TensorEntry

__all__ = ["values_of"]


def values_of(
    tensors: list[TensorEntry],
    probe: Probe,
    files: Sequence[FileRef],
    notices: list[Notice],
    config: dict[str, Any] | None = None,
) -> list[TensorEntry]:
    """The tensors, packed ones as the values they stand for; `config` is read from beside them if it is not given."""

    def read(extent: Extent) -> bytes:
        if files[extent.file].member is not None:
            raise FormatError("is inside a compressed archive", files[extent.file].path)
        return probe.open(files[extent.file].path).read(extent.offset, extent.length)

    def settings() -> Any:
        main = configuration(probe, "config.json", notices) if config is None else config
        return settings_of(main, (configuration(probe, name, notices) for name in CONFIGURATIONS))

    return unpacked(tensors, settings, read)
