"""What a model is given for a forward pass: a file's arrays, or random values that fit. Runs in the child alone.

Raises UsageError for what does not fit, in the words of the model's own inputs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wtui.errors import UsageError
from wtui.live.protocol import InputUsed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

__all__ = ["Given", "given_inputs"]

OPEN_LENGTH, OPEN_SIDE = 32, 64
"""Values along an axis that the model leaves open: of a sequence, and of an image."""

SMALL_INTEGERS = 10
"""Random integers are below this where nothing says how many there are."""


class Given(NamedTuple):
    """The arrays for a model's inputs, in their order, and what to tell of them."""

    arrays: list[Array]
    used: list[InputUsed]


class _Spec(NamedTuple):
    """An input as the model declares it."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    vocabulary: int | None
    """How many different integers it may hold, for what is looked up in a table."""

    def __str__(self) -> str:
        return f"{self.name!r}, which takes {_text(self.shape)} {self.dtype}"


def given_inputs(model: Any, path: str | None, batch: int, seed: int) -> Given:
    """At most `batch` samples from a `.npy` or `.npz` file, or that many random ones."""
    specs = list(_specs(model))
    if path is None:
        rng = np.random.default_rng(seed)
        return Given(*map(list, zip(*(_random(spec, batch, rng) for spec in specs), strict=True)))
    arrays = _loaded(path, specs)
    fitted = [_fitted(spec, array)[:batch] for spec, array in zip(specs, arrays, strict=True)]
    if len({len(array) for array in fitted}) > 1:
        raise UsageError(f"its arrays hold {' and '.join(str(len(a)) for a in fitted)} samples", path)
    name = os.path.basename(path)
    used = [InputUsed(s.name, a.shape, str(a.dtype), name, _rms(a)) for s, a in zip(specs, fitted, strict=True)]
    return Given(fitted, used)


def _specs(model: Any) -> Iterator[_Spec]:
    for tensor in model.inputs:
        shape = tuple(None if n is None else int(n) for n in tensor.shape)
        yield _Spec(str(tensor.name), shape, str(tensor.dtype), _vocabulary(model, tensor))


def _vocabulary(model: Any, tensor: Any) -> int | None:
    """The size of the smallest table that an input is looked up in; None where it is used as a number."""
    sizes = [size for layer in model.layers if _takes(layer, tensor) for size in _tables(layer)]
    return min(sizes, default=None)


def _takes(layer: Any, tensor: Any) -> bool:
    return any(one is tensor for node in layer._inbound_nodes for one in node.input_tensors)


def _tables(layer: Any) -> Iterator[int]:
    """Sizes of the tables that a layer, or the first layers of an inner model, look integers up in."""
    if "Embedding" in type(layer).__name__:
        yield int(layer.input_dim)
    elif type(layer).__name__ == "CategoryEncoding":
        yield int(layer.num_tokens)
    elif hasattr(layer, "layers"):
        for inner in layer.layers:
            yield from _tables(inner)


def _random(spec: _Spec, batch: int, rng: np.random.Generator) -> tuple[Array, InputUsed]:
    """Standard normal numbers, or integers below the size of the table that they are looked up in."""
    side = OPEN_SIDE if len(spec.shape) > 3 else OPEN_LENGTH
    shape = (batch, *(side if n is None else n for n in spec.shape[1:]))
    array: Array
    if spec.dtype in ("string", "object"):
        raise UsageError(f"there are no random values for input {spec}", hint="--input FILE.npy")
    if spec.vocabulary is not None or "int" in spec.dtype:
        below = spec.vocabulary or SMALL_INTEGERS
        array, how = rng.integers(0, below, shape).astype(spec.dtype), f"random: integers below {below:,}"
    elif spec.dtype == "bool":
        array, how = rng.integers(0, 2, shape).astype(bool), "random: true or false"
    else:
        array, how = rng.standard_normal(shape, np.float32), "random: standard normal"
    return array, InputUsed(spec.name, shape, spec.dtype, how, _rms(array))


def _loaded(path: str, specs: Sequence[_Spec]) -> list[Array]:
    """An array for each input, by name where the file has names, else in order. Pickles stay shut."""
    try:
        found = np.load(path, allow_pickle=False, mmap_mode="r" if path.endswith(".npy") else None)
        named = {"": found} if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(
            f"cannot be read as arrays: {str(error).splitlines()[0]}", path, "a .npy or .npz file"
        ) from error
    names = [spec.name for spec in specs]
    if set(names) <= set(named):
        return [named[name] for name in names]
    if len(named) != len(specs):
        listed = ", ".join(map(repr, names))
        raise UsageError(f"holds {len(named)} arrays, the model takes {len(specs)}: {listed}", path, "an .npz by name")
    return list(named.values())


def _fitted(spec: _Spec, array: Array) -> Array:
    """The array with the axes and the type that the input declares; a missing batch or channel axis is added."""
    wanted = spec.shape
    if array.ndim == len(wanted) - 1:
        if wanted[-1] == 1 and _matches(array.shape, wanted[:-1]):
            array = array[..., np.newaxis]
        elif _matches(array.shape, wanted[1:]):
            array = array[np.newaxis]
    if not _matches(array.shape, (None, *wanted[1:])):
        raise UsageError(f"an array of shape {_text(array.shape)} does not fit input {spec}")
    if array.dtype.kind not in "fiub" and spec.dtype != "string":
        raise UsageError(f"values of type {array.dtype} do not fit input {spec}")
    return array


def _rms(array: Array) -> float:
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) if array.dtype.kind in "fiub" else float("nan")


def _matches(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(shape) == len(wanted) and all(w in (None, n) for n, w in zip(shape, wanted, strict=True))


def _text(shape: Sequence[int | None]) -> str:
    return f"({', '.join(map(str, shape))})"
