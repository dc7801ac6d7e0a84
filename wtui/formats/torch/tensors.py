"""What the calls that rebuild tensors in PyTorch's pickles stand for: a view of a storage, or why it is none.

Follows `torch/_utils.py` (`_rebuild_*`) of PyTorch 1.0 to 2.13. Nothing is rebuilt: the arguments are read.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple, Protocol

from wtui.formats.inert import Deferred, Form, Global, Items, Object, Persistent, array_of, path_of
from wtui.formats.torch.dtypes import QUANTISED, dtype_name, storage_dtype
from wtui.model import DTYPE_BITS, Extent, Part

__all__ = ["EMBEDDED", "Found", "Places", "Run", "Storage", "Tensors", "contiguous", "is_named_pair", "storage_of"]

MAX_RANK = 64
"""Axes of a tensor: PyTorch itself allows no more."""

MAX_TEXT = 64 << 20
"""Bytes of an array that a pickle keeps as text, which has to be decoded whole."""

MAX_REPEATED = 1 << 24
"""Values of a view that shows its stored values more than once (`expand`); larger ones are not read."""

MAX_BITS = 63
"""Of a count or an offset, besides its sign."""

EMBEDDED = "torch.storage._load_from_bytes"
"""What makes a storage of the bytes of a whole legacy file: tensors in pickles that torch.save did not write."""

_WRAPPERS = 8
"""Calls around a tensor (parameters, subclasses) that are looked through."""


class Storage(NamedTuple):
    """A storage as a pickle refers to it."""

    key: str
    dtype: str
    numel: int
    view: tuple[str, int, int] | None = None
    """Files before PyTorch 0.4: (key, first item, items) of the part of it that is meant."""


class Run(NamedTuple):
    """The bytes of a storage, or why there are none."""

    extent: Extent | None
    problem: str = ""


class Places(Protocol):
    """Where a file keeps what its pickle refers to."""

    byteorder: str

    def reference(self, value: object) -> Storage | None:
        """The storage that a value refers to, None for any other value."""

    def storage(self, storage: Storage) -> Run:
        """The bytes of a storage."""

    def whole(self, key: str) -> Extent | None:
        """The bytes of the storage that goes by a key, None where that has to be looked at more closely."""

    def inside(self, offset: int, length: int) -> Extent | None:
        """The bytes at an offset of the pickle's source as an extent of the catalogue."""


class Found(NamedTuple):
    """A tensor without its name."""

    dtype: str
    shape: tuple[int, ...]
    parts: tuple[Part, ...] | None = ()
    """None: they are looked up when they are needed."""
    strides: tuple[int, ...] | None = None
    byteorder: str = "<"
    encoding: str = "raw"
    requires_grad: bool | None = None
    parameter: bool = False
    """Whether it is a torch.nn.Parameter."""
    class_name: str = ""
    """Of a subclass of torch.Tensor."""
    problem: str = ""

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in values, of C order."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n or 1
    strides.reverse()
    return tuple(strides)


def storage_of(value: object) -> Storage | None:
    """The storage that a persistent id names, None for any other value."""
    if type(value) is Deferred:
        dtype = storage_dtype(value.form.kind)
        return Storage(value.key, dtype, value.form.numel) if dtype and value.form.numel >= 0 else None
    if type(value) is not Persistent or type(value.id) is not tuple or len(value.id) < 5 or value.id[0] != "storage":
        return None
    _, kind, key, _, numel, *rest = value.id
    dtype = storage_dtype(kind)
    if not dtype or type(numel) is not int or not 0 <= numel < 1 << MAX_BITS:
        return None
    view = rest[0] if rest else None
    if type(view) is tuple and len(view) == 3 and all(type(n) is int and 0 <= n < 1 << MAX_BITS for n in view[1:]):
        return Storage(str(key), dtype, numel, (str(view[0]), view[1], view[2]))
    return Storage(str(key), dtype, numel)


class _Plan(NamedTuple):
    """What all tensors of one form have in common, if their values lie one after the other."""

    form: Form
    dtype: str
    item: int
    """Bytes of a value."""
    length: int
    """Bytes of the tensor."""


class Tensors:
    """Finds the tensors among the inert values of one file."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self._plans: dict[int, _Plan | None] = {}

    def find(self, value: object, depth: int = _WRAPPERS) -> Found | None:
        """The tensor, or numpy array, that a value stands for, with at most `depth` calls around it; else None."""
        if type(value) is Object and type(value.given) is Deferred:
            found = self._dense(value.given)
            if found is not None:
                return found
        if type(value) is Persistent:
            return self._bare_storage(value)
        if type(value) is tuple:
            return self.find(value[1], depth - 1) if depth and is_named_pair(value) else None
        if type(value) is not Object or type(value.callee) is not Global or type(value.args) is not tuple or not depth:
            return None
        name = value.callee.name
        if name in _REBUILDERS and value.callee.module.startswith(("torch", "numpy")):
            try:
                return _REBUILDERS[name](self, value.args, depth - 1)
            except (ValueError, TypeError, IndexError):
                return Found("unknown", (), problem=f"the arguments of {name} cannot be understood")
        return self._array(value)

    def looks_like(self, value: object) -> bool:
        """Whether a value is a tensor, judged by its outside alone."""
        if type(value) is tuple:
            return is_named_pair(value) and self.looks_like(value[1])
        if type(value) is not Object or type(value.callee) is not Global:
            return type(value) is Persistent and self.places.reference(value) is not None
        return type(value.given) is Deferred or value.callee.name in _REBUILDERS or array_of(value) is not None

    def describe(self, value: object) -> str | None:
        """A few words about a tensor; None for anything else."""
        found = self.find(value)
        return f"<tensor {found.dtype} {list(found.shape)}>" if found else None

    def extent_of(self, given: Deferred) -> Extent | None:
        """The bytes of a tensor whose arguments were not made yet, if its values lie in them one after the other; None
        where it has to be looked at more closely."""
        form = given.form
        number = id(form)
        plan = self._plans[number] if number in self._plans else self._planned(form)
        extent = self.places.whole(given.key) if plan else None
        if plan is None or extent is None:
            return None
        start, length = given.offset * plan.item, plan.length
        if start < 0 or start + length > extent.length:
            return None
        return extent if length == extent.length else Extent(extent.file, extent.offset + start, length)

    def dtype_of(self, form: Form) -> str:
        """Of a form of tensors whose bytes were found by `extent_of`."""
        plan = self._plans[id(form)]
        return plan.dtype if plan else "unknown"

    def _dense(self, given: Deferred) -> Found | None:
        """A tensor whose arguments were not made yet, None where they have to be looked at more closely."""
        extent, form = self.extent_of(given), given.form
        if extent is None:
            return None
        return Found(self.dtype_of(form), form.shape, (Part(extent),), None, self.places.byteorder, "raw", form.grad)

    def _planned(self, form: Form) -> _Plan | None:
        """The plan of a form, which is kept."""
        dtype, shape = storage_dtype(form.kind), form.shape
        item, size = DTYPE_BITS.get(dtype, 0) // 8, prod(shape)
        plain = form.numel >= 0 and form.strides == contiguous(shape) and min(shape, default=1) > 0
        found = _Plan(form, dtype, item, size * item) if item and plain else None
        self._plans[id(form)] = found
        return found

    def _bare_storage(self, value: Persistent) -> Found | None:
        storage = self.places.reference(value)
        return self.view(storage, storage.dtype, 0, (storage.numel,), (1,)) if storage else None

    def view(
        self,
        storage: Storage,
        dtype: str,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        requires_grad: bool | None = None,
    ) -> Found:
        """`shape` values of a storage from value `offset` on, `strides` apart; with a problem if that is impossible."""
        bits = DTYPE_BITS.get(dtype)
        if bits is None:
            return Found(dtype, shape, problem=f"values of type {dtype} cannot be decoded")
        normal = contiguous(shape)
        dense = strides == normal and offset >= 0 and min(shape, default=0) >= 0
        problem = "" if dense and len(shape) <= MAX_RANK else _impossible(shape, strides, offset)
        size = prod(shape)
        if problem or not size:
            return Found(dtype, shape, problem=problem)
        item = bits // 8
        dense = dense or all(n == 1 or s == c for n, s, c in zip(shape, strides, normal, strict=True))
        span = size if dense else 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        if size > span and size > MAX_REPEATED:
            return Found(dtype, shape, problem=f"shows {span:,} stored values again and again, {size:,} in all")
        run = self.places.storage(storage)
        if run.extent is None:
            return Found(dtype, shape, problem=run.problem)
        file, start, length = run.extent
        end = (offset + span) * item
        if end > length:
            return Found(
                dtype, shape, problem=f"{end - length:,} bytes of it lie outside its storage {storage.key[:60]!r}"
            )
        whole = offset == 0 and span * item == length
        part = Part(run.extent if whole else Extent(file, start + offset * item, span * item))
        strided = None if dense else strides
        return Found(dtype, shape, (part,), strided, self.places.byteorder, "raw", requires_grad)

    def _array(self, value: Object) -> Found | None:
        """A numpy array, if the value is one."""
        array = array_of(value)
        if array is None:
            return None
        bits, data = DTYPE_BITS.get(array.dtype), array.data
        if bits is None or data is None:
            reason = f"an array of {array.dtype}" if bits is None else "its values are not kept as bytes"
            return Found(array.dtype, array.shape, problem=f"{reason}, which cannot be decoded")
        strides = tuple(reversed(contiguous(array.shape[::-1]))) if array.fortran and len(array.shape) > 1 else None
        found = Found(array.dtype, array.shape, strides=strides, byteorder=array.byteorder)
        if min(array.shape, default=1) <= 0:
            return found
        extent = self.places.inside(data.offset, data.length) if data.offset >= 0 else None
        if extent is None:
            return found._replace(problem="the pickle keeps its values as text, which is not read")
        if data.verbatim:
            return found._replace(parts=(Part(extent),))
        if data.length > MAX_TEXT:
            return found._replace(problem=f"kept as text of {data.length:,} bytes, which is too much to be decoded")
        return found._replace(parts=(Part(extent),), encoding="latin1")


def is_named_pair(value: object) -> bool:
    """Whether a value is a pair of a name and a tensor or array, as PaddlePaddle and lists of parameters have it."""
    return type(value) is tuple and len(value) == 2 and isinstance(value[0], str) and type(value[1]) is Object


def _impossible(shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> str:
    """Why no view can look like this, or `""`."""
    if len(shape) > MAX_RANK:
        return f"{len(shape)} axes are more than a tensor can have"
    if any(n < 0 for n in shape):
        return f"shape {list(shape)} has a negative axis"
    if len(strides) != len(shape) or any(s < 0 for s in strides):
        return f"strides {list(strides[:MAX_RANK])} do not fit shape {list(shape)}"
    return f"begins {-offset:,} values before its storage" if offset < 0 else ""


def _ints(value: object) -> tuple[int, ...]:
    """A pickled torch.Size or tuple of integers; TypeError for anything else."""
    if type(value) is not tuple:
        raise TypeError("expected integers")
    for n in value:
        if type(n) is not int or n.bit_length() > MAX_BITS:
            raise TypeError("expected integers of 64 bits")
    return value


def _plain(tensors: Tensors, args: tuple[object, ...], depth: int, dtype: str = "") -> Found:
    """_rebuild_tensor, _v2: storage, offset, shape, strides, requires_grad, hooks, metadata."""
    storage = tensors.places.reference(args[0])
    if storage is None and path_of(args[0]) == EMBEDDED:
        return Found("unknown", _ints(args[2]), problem="the pickle keeps its storage in a form that is not read")
    if storage is None:
        raise TypeError("expected a storage")
    grad = args[4] if len(args) > 4 and isinstance(args[4], bool) else None
    found = tensors.view(storage, dtype or storage.dtype, _ints((args[1],))[0], _ints(args[2]), _ints(args[3]), grad)
    turned = _turned(args[6]) if len(args) > 6 else ""
    return found._replace(problem=turned) if turned and not found.problem else found


def _turned(metadata: object) -> str:
    """Why the stored values are not those of the tensor: PyTorch conjugates and negates lazily."""
    for bit, word in (("conj", "conjugate"), ("neg", "negative")):
        if isinstance(metadata, Items) and metadata.get(bit) is True:
            return f"a view of the {word} of what is stored, which is not decoded"
    return ""


def _typed(tensors: Tensors, args: tuple[object, ...], depth: int) -> Found:
    """_rebuild_tensor_v3: as _v2, with the dtype behind the hooks: the storage is untyped."""
    dtype = dtype_name(args[6])
    return _plain(tensors, (*args[:6], *args[7:]), depth, dtype or "unknown")


def _parameter(tensors: Tensors, args: tuple[object, ...], depth: int) -> Found | None:
    """_rebuild_parameter(_with_state): tensor, requires_grad, hooks, state."""
    found = tensors.find(args[0], depth)
    return found._replace(requires_grad=args[1] is True, parameter=True) if found else None


def _subclass(tensors: Tensors, args: tuple[object, ...], depth: int) -> Found | None:
    """_rebuild_from_type(_v2): function, class, its arguments, state."""
    found = tensors.find(Object(args[0], args[2]), depth)
    if found is None:
        return Found("unknown", (), class_name=path_of(args[1]), problem=f"a {path_of(args[1])}, which is not decoded")
    class_name = path_of(args[1])
    parameter = found.parameter or class_name == "torch.nn.parameter.Parameter"
    return found._replace(class_name="" if class_name.startswith("torch.") else class_name, parameter=parameter)


def _quantised(tensors: Tensors, args: tuple[object, ...], depth: int) -> Found:
    storage = storage_of(args[0])
    dtype = storage.dtype if storage and storage.dtype in QUANTISED else "quantised"
    scheme = args[4][0] if type(args[4]) is tuple and args[4] else None
    kind = path_of(scheme).removeprefix("torch.").replace("_", " ")
    problem = f"quantised ({kind or 'unknown scheme'}), which is not decoded"
    return Found(dtype, _ints(args[2]), requires_grad=args[5] is True, problem=problem)


def _sparse(tensors: Tensors, args: tuple[object, ...], depth: int) -> Found:
    name = args[0].args[0] if type(args[0]) is Object and type(args[0].args) is tuple and args[0].args else args[0]
    layout = (name if isinstance(name, str) else path_of(name)).removeprefix("torch.").replace("_", " ")[:40]
    data = args[1]
    if type(data) is not tuple or len(data) < 3:
        raise TypeError("expected the parts of a sparse tensor")
    place = 2 if "coo" in layout else 3
    values = tensors.find(data[place - 1], depth)
    shape = _ints(data[place]) if len(data) > place else ()
    stored = f", {values.shape[0]:,} values stored" if values and values.shape else ""
    return Found(values.dtype if values else "unknown", shape, problem=f"{layout}{stored}, which is not decoded")


def _meta(tensors: Tensors, args: tuple[object, ...], depth: int) -> Found:
    problem = "a meta tensor: it was saved without values"
    return Found(dtype_name(args[0]) or "unknown", _ints(args[1]), requires_grad=args[3] is True, problem=problem)


def _wrapper(tensors: Tensors, args: tuple[object, ...], depth: int) -> Found:
    """_rebuild_wrapper_subclass: class, dtype, shape, strides, offset, layout, device, requires_grad."""
    class_name = path_of(args[0])
    problem = f"a {class_name or 'wrapper'}, which keeps its values in other tensors and is not decoded"
    return Found(dtype_name(args[1]) or "unknown", _ints(args[2]), class_name=class_name, problem=problem)


def _nested(tensors: Tensors, args: tuple[object, ...], depth: int) -> Found | None:
    found = tensors.find(args[0], depth)
    return found._replace(problem="a nested tensor, which is not decoded") if found else None


def _from_device(tensors: Tensors, args: tuple[object, ...], depth: int) -> Found | None:
    """_rebuild_device_tensor_from_(cpu_tensor|numpy): data, dtype, device, requires_grad."""
    found = tensors.find(args[0], depth)
    if found is None:
        return None
    dtype = dtype_name(args[1])
    problem = found.problem or (f"stored as {found.dtype} for a {dtype}" if dtype not in ("", found.dtype) else "")
    return found._replace(requires_grad=args[3] is True, problem=problem)


_REBUILDERS: dict[str, Callable[[Tensors, tuple[object, ...], int], Found | None]] = {
    "_rebuild_tensor": _plain,
    "_rebuild_tensor_v2": _plain,
    "_rebuild_tensor_v3": _typed,
    "_rebuild_parameter": _parameter,
    "_rebuild_parameter_with_state": _parameter,
    "_rebuild_from_type": _subclass,
    "_rebuild_from_type_v2": _subclass,
    "_rebuild_qtensor": _quantised,
    "_rebuild_sparse_tensor": _sparse,
    "_rebuild_sparse_csr_tensor": _sparse,
    "_rebuild_meta_tensor_no_storage": _meta,
    "_rebuild_wrapper_subclass": _wrapper,
    "_rebuild_nested_tensor": _nested,
    "_rebuild_device_tensor_from_cpu_tensor": _from_device,
    "_rebuild_device_tensor_from_numpy": _from_device,
    "_rebuild_xla_tensor": _from_device,
}
"""By the name of the function; for older and forked versions of PyTorch its module is not looked at closely."""
