"""One array of any framework as bytes: what its metadata say, and a way to its values that copies nothing if it can.

An array is recognised by what it offers (`shape`, `dtype`, a way to numpy), and its framework by the name of its
class's module; no framework is imported. Describing an array reads none of its values.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.errors import StorageError
from wtui.model import DTYPE_BITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

__all__ = ["ArrayValue", "Fetched", "describe", "framework_of"]

_TO_NUMPY = ("__array_interface__", "__array__", "__dlpack__", "numpy")
"""What an array offers to those who want its values."""

_SAME_WIDTH = {1: "uint8", 2: "int16"}
"""Bytes -> a type of that width which every exchange format knows, for bfloat16 and the kinds of float8."""

_WIDER = {"int4": "int8", "uint4": "uint8", "int2": "int8", "uint2": "uint8"}
"""Types of less than a byte take a whole one each in memory; their values are shown as these."""

_SYMBOLIC = frozenset({"KerasTensor", "SymbolicTensor", "ShapeDtypeStruct", "ShapedArray"})
"""Classes that have a shape and no values."""


class Fetched(NamedTuple):
    """The values of an array as bytes in the order of `ArrayValue.strides`."""

    data: Bytes
    """(nbytes,) uint8"""
    copied: bool
    """Whether they had to be copied: from a device, or into order."""


class ArrayValue(NamedTuple):
    """An array, described."""

    dtype: str
    """A key of DTYPE_BITS, or another name for what has no numbers that wtui can decode."""
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None
    """In values; None: C order."""
    byteorder: str
    trainable: bool | None
    """What the array itself says; None: nothing."""
    identity: object
    """Equal for arrays that are views of the same values."""
    fetch: Callable[[], Fetched]
    """The values as they are now; StorageError if there are none."""

    @property
    def nbytes(self) -> int:
        """Bytes of the values, without gaps; 0 for a dtype that wtui does not know."""
        return prod(self.shape) * DTYPE_BITS.get(self.dtype, 0) // 8


def framework_of(value: object) -> str:
    """The top-level module that a value's class, or the nearest one that it derives from, is from."""
    for base in type(value).__mro__:
        module = base.__module__.partition(".")[0]
        if module in ("keras", "tf_keras", "tensorflow", "torch", "jax", "jaxlib", "flax", "numpy"):
            return {"jaxlib": "jax"}.get(module, module)
    return type(value).__module__.partition(".")[0]


def describe(value: object) -> ArrayValue | None:
    """The description of an array or variable; None for anything else. Reads no values."""
    if isinstance(value, type) or type(value).__name__ in _SYMBOLIC:
        return None
    framework = framework_of(value)
    if framework == "torch":
        return _of_torch(value) if hasattr(value, "requires_grad") else None
    inner = _inside(value, framework)
    if inner is not value:
        return _of_variable(value, inner)
    if not hasattr(value, "shape") or not hasattr(value, "dtype") or not any(hasattr(value, n) for n in _TO_NUMPY):
        return None
    return _of_numpy(value) if framework == "numpy" else _of_others(value, framework)


def _inside(value: Any, framework: str) -> object:
    """The array inside a variable of Keras 3 or Flax; the value itself for anything else."""
    if framework not in ("keras", "flax") or not hasattr(value, "value"):
        return value
    try:
        inner = value.value
    except Exception:  # a variable that has no value yet says so in many ways
        return value
    return value if callable(inner) else inner


def _of_variable(value: Any, inner: object) -> ArrayValue | None:
    """A variable of Keras 3 or Flax: whatever array it has when it is asked."""
    found = describe(inner)
    if found is None:
        return None
    said = getattr(value, "trainable", None)
    trainable = said if isinstance(said, bool) else found.trainable
    identity = found.identity if framework_of(inner) == "tensorflow" else id(value)

    def fetch() -> Fetched:
        now = describe(value.value)
        if now is None or (now.dtype, now.shape, now.strides) != (found.dtype, found.shape, found.strides):
            raise StorageError("it has changed its shape since it was opened", hint="open it again")
        return now.fetch()

    return found._replace(trainable=trainable, identity=identity, fetch=_guarded(fetch))


def _of_numpy(value: Any) -> ArrayValue | None:
    """An array of numpy: a view whatever the order of its axes, as long as it has no gaps."""
    import numpy as np

    array = np.asarray(value)
    order = _order(array.strides, array.shape)
    dense = array.transpose(order).flags.c_contiguous
    strides = _strides(array.shape, order) if dense else None

    def fetch() -> Fetched:
        flat = array.transpose(order) if dense else np.ascontiguousarray(array)
        return Fetched(flat.reshape(-1).view(np.uint8), not dense)

    byteorder = "<" if array.dtype.newbyteorder("<") == array.dtype else ">"
    name = array.dtype.newbyteorder("=").name
    if DTYPE_BITS.get(name, 8) < 8:
        return _of_others(array, "ml_dtypes")
    place = array.__array_interface__["data"][0] if array.size else id(value)
    identity = (place, name, array.shape, array.strides)
    return ArrayValue(name, array.shape, strides, byteorder, None, identity, fetch)


def _of_torch(value: Any) -> ArrayValue:
    """A tensor or parameter of torch."""
    name = str(value.dtype).removeprefix("torch.")
    if type(value).__name__.startswith("Uninitialized"):
        return ArrayValue("not initialised yet", (), None, _NATIVE, None, id(value), _nothing("not initialised yet"))
    shape = tuple(map(int, value.shape))
    trained = bool(value.requires_grad) if type(value).__name__ != "Tensor" or value.requires_grad else None
    if str(value.layout) != "torch.strided" or getattr(value, "is_quantized", False):
        why = "a sparse or quantised tensor of torch, whose values are not laid out one by one"
        return ArrayValue(name, shape, None, _NATIVE, trained, id(value), _nothing(why))
    order = _order(value.stride(), shape)
    dense = value.detach().permute(order).is_contiguous()
    identity: object = id(value)
    if value.device.type != "meta" and value.untyped_storage().nbytes():
        identity = (value.data_ptr(), str(value.device), name, shape, tuple(value.stride()))
    fetch = _torch_fetch(value, order if dense else None, name)
    return ArrayValue(name, shape, _strides(shape, order) if dense else None, _NATIVE, trained, identity, fetch)


def _torch_fetch(value: Any, order: Sequence[int] | None, name: str) -> Callable[[], Fetched]:
    def fetch() -> Fetched:
        import numpy as np

        if value.device.type == "meta":
            raise StorageError("a tensor on the meta device: it has a shape, but no values")
        flat = value.detach()
        flat = (flat.permute(order) if order is not None else flat.contiguous()).reshape(-1)
        item = DTYPE_BITS[name] // 8
        if name.startswith(("bfloat", "float8")):
            flat = flat.view(getattr(sys.modules["torch"], _SAME_WIDTH[item]))
        copied = order is None or flat.device.type != "cpu"
        array: NDArray[np.generic] = flat.cpu().resolve_conj().resolve_neg().numpy()
        return Fetched(array.view(np.uint8), copied)

    return _guarded(fetch)


def _of_others(value: Any, framework: str) -> ArrayValue | None:
    """An array or variable of TensorFlow, JAX, or whoever else follows the protocols of arrays."""
    name = _dtype_name(value.dtype)
    name = _WIDER.get(name, f"{name} (unpacked)" if DTYPE_BITS.get(name, 8) < 8 else name)
    try:
        shape = tuple(int(n) for n in value.shape)
    except (TypeError, ValueError):
        return None
    said = getattr(value, "trainable", None)
    trainable = said if isinstance(said, bool) else None
    fetch = _guarded(lambda: _fetch_other(value, framework, name))
    return ArrayValue(name, shape, None, _NATIVE, trainable, _handle(value), fetch)


def _handle(value: Any) -> object:
    """What a TensorFlow variable shares with other objects for the same variable."""
    handle = getattr(value, "handle", None)
    return id(value) if handle is None else id(handle)


def _fetch_other(value: Any, framework: str, name: str) -> Fetched:
    import numpy as np

    if framework == "tensorflow":
        return _fetch_tensorflow(value)
    if hasattr(value, "__array__"):
        array = np.asarray(value)
    else:
        array = np.from_dlpack(value) if hasattr(value, "__dlpack__") else np.asarray(value.numpy())
    if name in _WIDER.values() and array.dtype.name != name:
        array = array.astype(name)
    copied = not array.flags.c_contiguous
    return Fetched(np.ascontiguousarray(array).reshape(-1).view(np.uint8), copied)


def _fetch_tensorflow(value: Any) -> Fetched:
    """A view of the buffer that a variable has now: TensorFlow writes to another one while somebody holds it."""
    import numpy as np

    tensor = value.value() if callable(getattr(value, "value", None)) else value
    if _dtype_name(tensor.dtype).startswith(("bfloat", "float8")):
        tensor = sys.modules["tensorflow"].bitcast(tensor, _SAME_WIDTH[tensor.dtype.size])
    try:
        array: NDArray[np.generic] = np.from_dlpack(tensor)
        return Fetched(np.ascontiguousarray(array).reshape(-1).view(np.uint8), not array.flags.c_contiguous)
    except (RuntimeError, BufferError, TypeError, ValueError):
        copy = np.ascontiguousarray(tensor.numpy())
        return Fetched(copy.reshape(-1).view(np.uint8), True)


def _dtype_name(dtype: object) -> str:
    """`float32` of whatever a framework calls its types."""
    name = getattr(dtype, "name", None)
    text = name if isinstance(name, str) else str(dtype)
    return text.rpartition(".")[2]


def _order(strides: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """The axes from the slowest to the fastest in memory."""
    return tuple(sorted(range(len(shape)), key=lambda a: (-strides[a], -shape[a])))


def _strides(shape: Sequence[int], order: Sequence[int]) -> tuple[int, ...] | None:
    """The strides, in values, of an array without gaps whose axes lie in memory in this order; None for C order."""
    if list(order) == sorted(order) or prod(shape) == 0:
        return None
    strides, step = [0] * len(shape), 1
    for axis in reversed(order):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


def _guarded(fetch: Callable[[], Fetched]) -> Callable[[], Fetched]:
    """The same, with whatever a framework raises (deleted buffers, lost devices) as a StorageError."""

    def guarded() -> Fetched:
        try:
            return fetch()
        except StorageError:
            raise
        except Exception as error:
            detail = (str(error).splitlines() or [""])[0][:160]
            raise StorageError(f"its values cannot be had: {detail or type(error).__name__}") from error

    return guarded


def _nothing(why: str) -> Callable[[], Fetched]:
    def fetch() -> Fetched:
        raise StorageError(why)

    return fetch


_NATIVE = "<" if sys.byteorder == "little" else ">"
