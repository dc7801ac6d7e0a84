"""The names of numbered variables: from a layer's class and configuration, or from the shapes where there is none.

Keras 3 numbers the variables of a layer in its files, and legacy files name them; in neither is there a word on which
of them are trained. Both follow from the class (see `table`). Knows shapes and dtypes, but no files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from wtui.formats.keras.table import DEFAULTS, DEFAULTS_OF, NEVER_TRAINED, SYNONYMS, TABLE, Variable

__all__ = ["Named", "Saved", "always_saves", "name_variables", "quantisation", "trained_by_default"]

MAX_COMBINATIONS = 256
"""Sets of optional variables tried for one layer; the longest line of the table has 2^4 of them."""


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


def quantisation(config: Mapping[str, Any]) -> str:
    """Mode of a quantised dtype policy (`int8`, `int4`, `float8`, `gptq`, `awq`), `""` for any other."""
    policy = config.get("dtype")
    inner = policy.get("config") if isinstance(policy, Mapping) else None
    mode = inner.get("mode") if isinstance(inner, Mapping) else None
    return mode.partition("/")[0] if isinstance(mode, str) else ""


def always_saves(class_name: str, config: Mapping[str, Any]) -> bool:
    """Whether a built layer of the class cannot be without variables of its own."""
    modes = TABLE.get(SYNONYMS.get(class_name, class_name))
    return modes is not None and any(_present(class_name, v, config) for v in modes[""])


def trained_by_default(class_name: str, variable: str, mode: str = "") -> bool | None:
    """Whether the class, quantised by `mode`, trains the variable of that name; None if the table does not know."""
    modes = TABLE.get(SYNONYMS.get(class_name, class_name), {})
    for variables in (modes.get(mode, ()), *modes.values()):
        for known in variables:
            if known.name == variable:
                return known.trained
    return None if variable not in NEVER_TRAINED else False


def name_variables(class_name: str, config: Mapping[str, Any] | None, saved: Sequence[Saved]) -> list[Named]:
    """Names, roles and trainability of a layer's variables, in the order of `saved`.

    `config` is None where the file has none; the shapes then decide, and the result says so if they leave a choice.
    """
    if not saved:
        return []
    if any(not s.key.isdecimal() for s in saved):
        return [_by_own_name(class_name, s.key) for s in saved]
    shapes = tuple((len(s.shape), s.dtype) for s in saved)
    class_name = SYNONYMS.get(class_name, class_name)
    if class_name in TABLE:
        if config is not None:
            found = _fitting(class_name, _known_settings(class_name, config), quantisation(config), shapes)
            if found:
                return _named(found[0], "")
        every = [reading for mode in TABLE[class_name] for reading in _fitting(class_name, None, mode, shapes)]
        if every:
            return _named(every[0], _why(every, config))
    return _by_rank(saved)


def _by_own_name(class_name: str, name: str) -> Named:
    """A variable whose name its class wrote into the file."""
    return Named(name, name, trained_by_default(class_name, name))


def _named(variables: Iterable[Variable], inferred: str) -> list[Named]:
    return [Named(v.name, v.name, v.trained, inferred) for v in variables]


def _why(found: Sequence[Sequence[Variable]], config: Mapping[str, Any] | None) -> str:
    """Why the first of the fitting readings is a guess, `""` if nothing else fits."""
    if config is not None:
        return "by shape: not what the configuration says"
    names = {tuple([(v.name, v.trained) for v in reading]) for reading in found}
    return "by shape: others fit, too" if len(names) > 1 else ""


def _known_settings(class_name: str, config: Mapping[str, Any]) -> tuple[tuple[str, bool], ...]:
    """The answer to every condition of the class, in a form that can be a cache's key."""
    conditions = {v.when: v for variables in TABLE[class_name].values() for v in variables if v.when}
    return tuple((w, _present(class_name, v, config)) for w, v in conditions.items() if not w.startswith("?"))


def _present(class_name: str, variable: Variable, config: Mapping[str, Any]) -> bool:
    """Whether a layer with `config` has the variable."""
    when = variable.when
    if not when:
        return True
    key, _, wanted = when.lstrip("!").partition("=")
    default = DEFAULTS_OF.get(class_name, DEFAULTS).get(key, DEFAULTS.get(key))
    value = config.get(key, default)
    if wanted:
        return bool(value == wanted)
    truth = value is not None and value is not False
    return truth != when.startswith("!")


@lru_cache(maxsize=512)
def _fitting(
    class_name: str, settings: tuple[tuple[str, bool], ...] | None, mode: str, shapes: tuple[tuple[int, str], ...]
) -> tuple[tuple[Variable, ...], ...]:
    """All readings of the class in `mode` that fit the (rank, dtype) pairs of its variables, the likeliest first."""
    variables = TABLE[class_name].get(mode)
    if variables is None:
        return ()
    answers = dict(settings or ())
    open_conditions = list(dict.fromkeys(v.when for v in variables if v.when and v.when not in answers))
    found: dict[tuple[Variable, ...], None] = {}
    for chosen in _choices(class_name, open_conditions):
        present = answers | chosen
        reading = tuple(v for v in variables if not v.when or present[v.when])
        if len(reading) == len(shapes) and all(map(_fits, reading, shapes)):
            found[reading] = None
    return tuple(found)


def _choices(class_name: str, conditions: Sequence[str]) -> Iterator[dict[str, bool]]:
    """Every answer to the open conditions: Keras's defaults, then those without the first (a norm without gamma)."""
    usual = [c.startswith("?") or _present(class_name, Variable("", when=c), {}) for c in conditions]
    for count, flips in enumerate(product((False, True), repeat=len(conditions))):
        if count >= MAX_COMBINATIONS:
            return
        yield {c: u != f for c, u, f in zip(conditions, usual, reversed(flips), strict=True)}


def _fits(variable: Variable, saved: tuple[int, str]) -> bool:
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
