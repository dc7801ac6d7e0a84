"""Readers of weight files: each turns metadata into a `Catalogue` and reads no weights.

A format is one module with two functions: `sniff(probe) -> bool`, which goes by content, and
`catalogue(probe) -> Catalogue`, which raises nothing but `WtuiError`s of its own; whatever else a hostile file
provokes in it leaves `open_catalogue` as a `FormatError`. The registry names modules by string, so that only the
reader that is needed is imported.
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast, runtime_checkable

from wtui.errors import FormatError, UsageError, WtuiError
from wtui.formats.probe import Probe
from wtui.storage import is_remote

if TYPE_CHECKING:
    from collections.abc import Callable

    from wtui.model import Catalogue

__all__ = ["FORMATS", "Format", "Probe", "open_catalogue", "sniff"]


class Reader(Protocol):
    """What a format's module offers."""

    def sniff(self, probe: Probe) -> bool:
        """Whether the content is of this format."""

    def catalogue(self, probe: Probe) -> Catalogue:
        """Describe the content."""


@runtime_checkable
class Previewing(Protocol):
    """What the module of a format offers besides, whose listings can be long."""

    def preview(self, probe: Probe) -> Catalogue | None:
        """Describe the first tensors; None where all are described as quickly."""


class Format(NamedTuple):
    """A line of the registry: what `--format` calls it, its module, and by what it is worth asking first."""

    name: str
    module: str
    magic: bytes = b""
    suffixes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Endings of names in a folder that make it worth asking first."""
    takes_prefixes: bool = False
    """Whether a path may be the beginning of the names of several files."""

    def reader(self) -> Reader:
        """The module, imported now."""
        return cast("Reader", import_module(f"wtui.formats.{self.module}"))


FORMATS: tuple[Format, ...] = (
    Format("keras", "keras_zip", b"PK\3\4", (".keras",)),
    Format("keras-h5", "keras_h5", b"\x89HDF\r\n\x1a\n", (".h5", ".hdf5", ".keras")),
    Format("keras-sharded", "keras_sharded", b"{", (".json",)),
    Format("hdf5", "hdf5_any", b"\x89HDF\r\n\x1a\n", (".h5", ".hdf5")),
    Format("torch-dcp", "torch_dcp", b"\x80", (".metadata",)),
    Format("torch", "torch_file", b"PK\3\4", (".pt", ".pth", ".bin", ".ckpt", ".jit", ".torch", ".tar")),
    Format("safetensors", "safetensors", b"", (".safetensors",)),
    Format("safetensors-sharded", "safetensors_sharded", b"{", (".json",)),
    Format("torch-deepspeed", "torch_deepspeed"),
    Format("torch-parallel", "torch_parallel"),
    Format("torch-sharded", "torch_sharded", b"{", (".json",)),
    Format("pickle", "pickled", b"\x80", (".pkl", ".pickle", ".p", ".pdparams", ".pdopt")),
    Format("gguf", "gguf", b"GGUF", (".gguf",)),
    Format("saved-model", "saved_model", b"\x08\x01\x12", (".pb",), ("saved_model.pb",)),
    Format("tf-checkpoint", "tf_checkpoint", b"", (".index", ".meta"), ("checkpoint", ".index"), takes_prefixes=True),
    Format("tf-graph", "tf_graph", b"\x0a", (".pb",)),
    Format("tflite", "tflite", b"", (".tflite", ".lite")),
    Format("onnx", "onnx", b"\x08", (".onnx",)),
    Format("npy", "npy", b"\x93NUMPY", (".npy",)),
    Format("npz", "npz", b"PK\3\4", (".npz",)),
    Format("flax", "flax", b"", (".msgpack", ".flax")),
    Format("tfjs", "tfjs", b"{", (".json",)),
    Format("orbax", "orbax"),
    Format("zarr", "zarr", b"", (".zarr",)),
)
"""Sorted: where two readers would take the same content, the one that understands more comes first."""


WHAT_IS_READ = (
    "wtui reads Keras, TensorFlow, TF Lite, TF.js, PyTorch, safetensors, GGUF, ONNX, HDF5, NumPy, Flax, Orbax, zarr"
)


def open_catalogue(
    path: str, format: str | None = None, on_first: Callable[[Catalogue], None] | None = None
) -> Catalogue:
    """Describe the model at `path` from its metadata; FormatError or StorageError if that is impossible.

    `format` names a reader of FORMATS and skips sniffing. Where there is so much to list that it takes a while,
    `on_first` is called once, early, with a catalogue of the first tensors alone.
    """
    probe = Probe(path)
    collecting = gc.isenabled()
    gc.disable()  # a catalogue is many small tuples without cycles: collecting while it grows doubles the time
    try:
        reader = _chosen(probe, format).reader()
        first = reader.preview(probe) if on_first is not None and isinstance(reader, Previewing) else None
        if on_first is not None and first is not None:
            on_first(first)
        return reader.catalogue(probe)
    except WtuiError:
        raise
    except (MemoryError, RecursionError) as error:
        raise FormatError(f"its metadata is too large or too deep ({type(error).__name__})", path) from error
    except Exception as error:
        detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise FormatError(f"is damaged, or not what it seems ({detail[:200]})", path) from error
    finally:
        probe.close()
        if collecting:
            gc.enable()


def sniff(path: str) -> str:
    """The name in FORMATS of what `path` holds, by its first bytes; FormatError or StorageError if it is no model."""
    probe = Probe(path)
    collecting = gc.isenabled()
    gc.disable()  # a catalogue is many small tuples without cycles: collecting while it grows doubles the time
    try:
        return _chosen(probe, None).name
    except WtuiError:
        raise
    except Exception as error:
        raise FormatError(f"is damaged, or not what it seems ({type(error).__name__})", path) from error
    finally:
        probe.close()
        if collecting:
            gc.enable()


def _chosen(probe: Probe, format: str | None) -> Format:
    if format is not None:
        for candidate in FORMATS:
            if candidate.name == format:
                return candidate
        raise UsageError(f"unknown format {format!r}", hint="known: " + ", ".join(f.name for f in FORMATS))
    likely = sorted(FORMATS, key=lambda f: -_likelihood(f, probe))
    for candidate in likely:
        if candidate.reader().sniff(probe):
            return candidate
    raise FormatError(*_unknown(probe))


def _likelihood(format: Format, probe: Probe) -> int:
    """How early to ask a reader; equal ones keep the registry's order."""
    magic = bool(format.magic) and probe.head.startswith(format.magic)
    named = bool(format.names) and any(name.endswith(format.names) for name in probe.names)
    prefix = format.takes_prefixes and not probe.is_file and not probe.is_folder
    return 2 * (magic or named or prefix) + (probe.suffix in format.suffixes)


def _unknown(probe: Probe) -> tuple[str, str, str]:
    """What to say of something that no reader takes: what it looks like, and what to do."""
    from wtui.formats.looks import look_of

    look = look_of(probe)
    if look is not None:
        return str(look), probe.path, look.hint or ("" if look.certain else WHAT_IS_READ)
    if not probe.is_folder:
        return "not a model file that wtui knows", probe.path, WHAT_IS_READ
    suffixes = tuple(suffix for f in FORMATS for suffix in f.suffixes)
    files = sorted(n for n in probe.names if n.endswith(suffixes))[:3] if is_remote(probe.path) else []
    hint = "name one of its files: " + ", ".join(files) if files else WHAT_IS_READ
    return "an empty folder" if not probe.names else "a folder without a model in it", probe.path, hint
