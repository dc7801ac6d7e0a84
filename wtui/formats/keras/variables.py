"""The closed table of Keras classes: which variables each saves, in which order, and which of them are trained.

Keras 3 numbers the variables of a layer in its files, and legacy files name them; in neither is there a word on which
of them are trained. Both follow from the layer's class and configuration (`add_weight` calls, `save_own_variables` and
`variable_serialization_spec` in keras.layers). The tests hold the table to every class that Keras exports. Knows
shapes and dtypes, but no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

__all__ = [
    "CONSTANTS",
    "SCALES_OF_FLOAT8",
    "Named",
    "Saved",
    "always_saves",
    "is_known",
    "name_variables",
    "quantisation",
    "trained_by_default",
]


class Saved(NamedTuple):
    """A variable as the file has it, as far as its name can be told from it."""

    key: str
    """`0`, `1`, ... or a name, where the layer's class chose one."""
    shape: tuple[int, ...]
    dtype: str


class Named(NamedTuple):
    """What a saved variable is."""

    name: str
    """As Keras names it, or the file's own key where that cannot be known."""
    role: str
    trainable: bool | None
    """Whether it is, as long as its layer is; None where the class is not known."""
    inferred: str = ""


class _Variable(NamedTuple):
    """One line of the table."""

    name: str
    rank: int | None = None
    trained: bool = True
    when: str = ""
    """`key`, `!key` or `key=value` of the layer's configuration; `""`: always; `?`: only the file says."""
    kind: str = "float"
    """`float`, `int8`, `uint8`, `int`: what its dtype must start with (`float` includes bfloat16)."""


_V = _Variable
_KERNEL = _V("kernel")
_BIAS = _V("bias", 1, when="use_bias")
_CELL = (_V("kernel", 2), _V("recurrent_kernel", 2), _V("bias", 1, when="use_bias"))
_SEPARABLE = (_V("depthwise_kernel"), _V("pointwise_kernel"), _BIAS)
_NORM = (_V("gamma", when="scale"), _V("beta", when="center"))
_EINSUM_BIAS = _V("bias", when="bias_axes")


def _int8(kernel: _Variable, bias: _Variable) -> tuple[_Variable, ...]:
    return kernel._replace(kind="int8", trained=False), bias, _V("kernel_scale", None, False)


def _int4(kernel: _Variable, bias: _Variable) -> tuple[_Variable, ...]:
    blocks = (_V("kernel_zero", None, False, "?zero", "int8"), _V("g_idx", 1, False, "?zero"))
    return (*_int8(kernel, bias), *blocks)


def _float8(kernel: _Variable, bias: _Variable) -> tuple[_Variable, ...]:
    scales = [(f"{of}_scale", f"{of}_amax_history") for of in ("inputs", "kernel", "outputs_grad")]
    return kernel, bias, *(v for scale, history in scales for v in (_V(scale, 0), _V(history, 1)))


def _gptq(bias: _Variable, *extra: _Variable) -> tuple[_Variable, ...]:
    packed = (_V("kernel", 2, False, kind="uint8"), _V("kernel_scale", 2, False))
    return bias, *packed, _V("kernel_zero", 2, False, kind="uint8"), *extra, _V("g_idx", 1, False)


def _dense_modes(kernel: _Variable, bias: _Variable) -> Mapping[str, tuple[_Variable, ...]]:
    return {
        "": (kernel, bias),
        "int8": _int8(kernel, bias),
        "int4": _int4(kernel, bias),
        "float8": _float8(kernel, bias),
        "gptq": _gptq(bias),
        "awq": _gptq(bias, _V("awq_scales", 1, False)),
    }


def _embedding_modes(reverse: bool) -> Mapping[str, tuple[_Variable, ...]]:
    """Of Embedding, and of ReversibleEmbedding, whose second matrix is there unless the two are tied."""
    table, scale = _V("embeddings", 2, False, kind="int8"), _V("embeddings_scale", None, False)
    blocks = (_V("embeddings_zero", None, False, "?zero", "int8"), _V("g_idx", 1, False, "?zero"))
    untied = "!tie_weights"
    back = _V("reverse_embeddings", 2, False, untied, "int8")
    back_scale = _V("reverse_embeddings_scale", None, False, untied)
    back_zero = _V("reverse_embeddings_zero", None, False, "?reverse_zero", "any")
    return {
        "": (_V("embeddings", 2), *((_V("reverse_embeddings", 2, when=untied),) if reverse else ())),
        "int8": (table, scale, *((back, back_scale) if reverse else ())),
        "int4": (table, scale, *blocks, *((back, back_scale, back_zero) if reverse else ())),
    }


def _plain(**classes: tuple[_Variable, ...]) -> dict[str, Mapping[str, tuple[_Variable, ...]]]:
    return {name: {"": variables} for name, variables in classes.items()}


_TABLE: Mapping[str, Mapping[str, tuple[_Variable, ...]]] = {
    "Dense": _dense_modes(_V("kernel", 2), _BIAS),
    "EinsumDense": _dense_modes(_KERNEL, _EINSUM_BIAS),
    "Embedding": _embedding_modes(reverse=False),
    "ReversibleEmbedding": _embedding_modes(reverse=True),
    **{f"Conv{n}D{t}": {"": (_V("kernel", n + 2), _BIAS)} for n in (1, 2, 3) for t in ("", "Transpose")},
    **{f"DepthwiseConv{n}D": {"": (_V("kernel", n + 2), _BIAS)} for n in (1, 2)},
    **_plain(
        SeparableConv1D=_SEPARABLE,
        SeparableConv2D=_SEPARABLE,
        BatchNormalization=(
            *_NORM,
            _V("moving_mean", None, False),
            _V("moving_variance", None, False),
            _V("moving_stddev", None, False, "renorm"),
            _V("renorm_mean", None, False, "renorm"),
            _V("renorm_stddev", None, False, "renorm"),
        ),
        LayerNormalization=_NORM,
        GroupNormalization=_NORM,
        RMSNormalization=(_V("scale"),),
        LSTMCell=_CELL,
        GRUCell=(*_CELL[:2], _V("bias", when="use_bias")),
        SimpleRNNCell=_CELL,
        ConvLSTMCell=(_KERNEL, _V("recurrent_kernel"), _BIAS),
        PReLU=(_V("alpha"),),
        Attention=(_V("scale", 0, when="use_scale"), _V("concat_score_weight", 0, when="score_mode=concat")),
        AdditiveAttention=(_V("scale", 1, when="use_scale"),),
        Normalization=(
            _V("mean", None, False, "!mean"),
            _V("variance", None, False, "!mean"),
            _V("count", 0, False, "!mean", "any"),
        ),
        SpectralNormalization=(_V("kernel", when="?layer_kernel"), _V("vector_u", 2, False)),
        STFTSpectrogram=(_V("real_kernel", 3), _V("imag_kernel", 3)),
    ),
}
"""Class -> quantisation mode (`""`: none) -> variables in the order of their numbers."""

SCALES_OF_FLOAT8 = frozenset(v.name for v in _float8(_KERNEL, _BIAS)[2:])
"""float8 layers overwrite these with their gradients, so optimizers hold no slots for them."""

_DEFAULTS: Mapping[str, Any] = {
    "use_bias": True, "scale": True, "center": True, "bias_axes": None, "renorm": False, "use_scale": False,
    "score_mode": "dot", "tie_weights": True, "mean": None,
}  # fmt: skip
"""What Keras takes where a configuration does not name one of the keys above."""

_DEFAULTS_OF: Mapping[str, Mapping[str, Any]] = {"AdditiveAttention": {"use_scale": True}}

_SYNONYMS: Mapping[str, str] = {
    "GroupedQueryAttention": "GroupQueryAttention",
    "CuDNNLSTMCell": "LSTMCell",
    "DepthwiseConvolution2D": "DepthwiseConv2D",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "SyncBatchNormalization": "BatchNormalization",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "ConvLSTM2DCell": "ConvLSTMCell",
    "ConvLSTM1DCell": "ConvLSTMCell",
    "ConvLSTM3DCell": "ConvLSTMCell",
}
"""Names of the same classes in other versions of Keras."""

MAX_COMBINATIONS = 256
"""Sets of optional variables tried for one layer; the longest line of the table has 2^4 of them."""


def is_known(class_name: str) -> bool:
    """Whether the table says what the class saves."""
    return _SYNONYMS.get(class_name, class_name) in _TABLE


def quantisation(config: Mapping[str, Any]) -> str:
    """Mode of a quantised dtype policy (`int8`, `int4`, `float8`, `gptq`, `awq`), `""` for any other."""
    policy = config.get("dtype")
    inner = policy.get("config") if isinstance(policy, Mapping) else None
    mode = inner.get("mode") if isinstance(inner, Mapping) else None
    return mode.partition("/")[0] if isinstance(mode, str) else ""


def always_saves(class_name: str, config: Mapping[str, Any]) -> bool:
    """Whether a built layer of the class cannot be without variables of its own."""
    modes = _TABLE.get(_SYNONYMS.get(class_name, class_name))
    return modes is not None and any(_present(class_name, v, config) for v in modes[""])


def trained_by_default(class_name: str, variable: str, mode: str = "") -> bool | None:
    """Whether the class, quantised by `mode`, trains the variable of that name; None if the table does not know."""
    modes = _TABLE.get(_SYNONYMS.get(class_name, class_name), {})
    for variables in (modes.get(mode, ()), *modes.values()):
        for known in variables:
            if known.name == variable:
                return known.trained
    return None if variable not in _NEVER_TRAINED else False


CONSTANTS = frozenset({"idf_weights"})
"""Variables that Keras saves by name and does not count among a model's weights."""

_NEVER_TRAINED = frozenset({"moving_mean", "moving_variance", "vector_u", "seed_generator_state", *CONSTANTS})
"""Names that no class of Keras gives to something it trains."""


def name_variables(class_name: str, config: Mapping[str, Any] | None, saved: Sequence[Saved]) -> list[Named]:
    """Names, roles and trainability of a layer's variables, in the order of `saved`.

    `config` is None where the file has none; the shapes then decide, and the result says so if they leave a choice.
    """
    if not saved:
        return []
    if any(not s.key.isdecimal() for s in saved):
        return [_by_own_name(class_name, s.key) for s in saved]
    shapes = tuple((len(s.shape), s.dtype) for s in saved)
    class_name = _SYNONYMS.get(class_name, class_name)
    if class_name in _TABLE:
        if config is not None:
            found = _fitting(class_name, _known_settings(class_name, config), quantisation(config), shapes)
            if found:
                return _named(found[0], "")
        for mode in _TABLE[class_name]:
            found = _fitting(class_name, None, mode, shapes)
            if found:
                return _named(found[0], _why(found, config))
    return _by_rank(saved)


def _by_own_name(class_name: str, name: str) -> Named:
    """A variable whose name its class wrote into the file."""
    return Named(name, name, trained_by_default(class_name, name))


def _named(variables: Iterable[_Variable], inferred: str) -> list[Named]:
    return [Named(v.name, v.name, v.trained, inferred) for v in variables]


def _why(found: Sequence[Sequence[_Variable]], config: Mapping[str, Any] | None) -> str:
    """Why the first of the fitting readings is a guess, `""` if nothing else fits."""
    if config is not None:
        return "by shape: not what the configuration says"
    return "by shape: others fit, too" if len(found) > 1 else ""


def _known_settings(class_name: str, config: Mapping[str, Any]) -> tuple[tuple[str, bool], ...]:
    """The answer to every condition of the class, in a form that can be a cache's key."""
    conditions = {v.when: v for variables in _TABLE[class_name].values() for v in variables if v.when}
    return tuple((w, _present(class_name, v, config)) for w, v in conditions.items() if not w.startswith("?"))


def _present(class_name: str, variable: _Variable, config: Mapping[str, Any]) -> bool:
    """Whether a layer with `config` has the variable."""
    when = variable.when
    if not when:
        return True
    key, _, wanted = when.lstrip("!").partition("=")
    default = _DEFAULTS_OF.get(class_name, _DEFAULTS).get(key, _DEFAULTS.get(key))
    value = config.get(key, default)
    if wanted:
        return bool(value == wanted)
    truth = value is not None and value is not False
    return truth != when.startswith("!")


@lru_cache(maxsize=512)
def _fitting(
    class_name: str, settings: tuple[tuple[str, bool], ...] | None, mode: str, shapes: tuple[tuple[int, str], ...]
) -> tuple[tuple[_Variable, ...], ...]:
    """All readings of the class in `mode` that fit the (rank, dtype) pairs of its variables, the likeliest first."""
    variables = _TABLE[class_name].get(mode)
    if variables is None:
        return ()
    answers = dict(settings or ())
    open_conditions = list(dict.fromkeys(v.when for v in variables if v.when and v.when not in answers))
    found: dict[tuple[_Variable, ...], None] = {}
    for chosen in _choices(class_name, open_conditions):
        present = answers | chosen
        reading = tuple(v for v in variables if not v.when or present[v.when])
        if len(reading) == len(shapes) and all(map(_fits, reading, shapes)):
            found[reading] = None
    return tuple(found)


def _choices(class_name: str, conditions: Sequence[str]) -> Iterator[dict[str, bool]]:
    """Every answer to the open conditions: Keras's defaults, then those without the first (a norm without gamma)."""
    usual = [c.startswith("?") or _present(class_name, _Variable("", when=c), {}) for c in conditions]
    for count, flips in enumerate(product((False, True), repeat=len(conditions))):
        if count >= MAX_COMBINATIONS:
            return
        yield {c: u != f for c, u, f in zip(conditions, usual, reversed(flips), strict=True)}


def _fits(variable: _Variable, saved: tuple[int, str]) -> bool:
    rank, dtype = saved
    if variable.rank is not None and variable.rank != rank:
        return False
    if variable.kind == "float":
        return "float" in dtype
    return variable.kind == "any" or dtype == variable.kind


_BY_RANK: Mapping[tuple[int, ...], tuple[str, ...]] = {
    (2,): ("kernel",),
    (2, 1): ("kernel", "bias"),
    (2, 2, 1): ("kernel", "recurrent_kernel", "bias"),
    (1, 1): ("gamma", "beta"),
    (1, 1, 1, 1): ("gamma", "beta", "moving_mean", "moving_variance"),
}
"""What layers of unknown class most often hold; 2 stands for two axes or more."""


def _by_rank(saved: Sequence[Saved]) -> list[Named]:
    """The file's numbers as names, and roles guessed from the shapes where they look like a common layer's."""
    ranks = tuple(min(len(s.shape), 2) for s in saved)
    roles = _BY_RANK.get(ranks)
    widths = {s.shape[-1] for s in saved if s.shape}
    floats = all("float" in s.dtype for s in saved)
    if roles is None or not floats or (len(roles) > 1 and len(widths) > 1):
        return [Named(s.key, s.key, None) for s in saved]
    return [Named(s.key, role, None, "by rank") for s, role in zip(saved, roles, strict=True)]
