"""LoRA adapters: pairs of small matrices A and B, each shown as the one change B·A that it makes to a weight.

Names of PEFT (`lora_A.weight`, `lora_embedding_A`), of diffusers (`lora.down.weight`) and of kohya's scripts
(`lora_down.weight` with `alpha`). How much of the product is added says `adapter_config.json`, or the tensor `alpha`;
without both it is shown unscaled, and that is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from wtui.formats.packed.module import whole
from wtui.model import DTYPE_BITS, Extent, Part, TensorEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONFIGURATION", "DERIVED", "about", "deltas"]

CONFIGURATION = "adapter_config.json"
DERIVED = "derived"
"""The group of tensors that stand nowhere in the file."""

PIECE = 8 << 20
"""Bytes of the product that are made at once."""

_FIRST = re.compile(r"^(.*?)\.?(?:lora_(?P<embedding>embedding_)?A|lora[._](?P<down>down))(?P<rest>(?:\.\w+)*)$")
MAX_VALUES = 1 << 31
"""Values of a product: twice the embedding of the largest vocabularies. Two thin matrices can make any number."""

_MAGNITUDE = ".lora_magnitude_vector"
FLOATS = ("float32", "bfloat16", "float16", "float64")


class _Pair(NamedTuple):
    """The two factors of one module's change."""

    module: str
    a: TensorEntry
    b: TensorEntry
    alpha: TensorEntry | None
    embedding: bool
    adapter: str
    """Name of the adapter where the file keeps several, `""` mostly."""
    magnitudes: bool
    """Whether there are magnitudes (DoRA), which the change needs besides."""


def deltas(tensors: Sequence[TensorEntry], config: Mapping[str, Any]) -> list[TensorEntry]:
    """A tensor for each pair: what it adds to the weight of its module; in the order of the pairs."""
    if not any("lora" in t.name for t in tensors):
        return []
    known = {t.name: t for t in tensors}
    found = [_delta(pair, config) for pair in _pairs(known)]
    return [d for d in found if d is not None and d.name not in known]


def about(config: Mapping[str, Any], found: Sequence[TensorEntry]) -> str:
    """What kind of adapter this is, for which model, in a sentence; `""` for none."""
    if not config and not found:
        return ""
    kind = str(config.get("peft_type") or "LoRA")[:40].replace("LORA", "LoRA")
    base = config.get("base_model_name_or_path")
    text = f"{kind} adapter" + (f" for {str(base)[:120]}" if base else "")
    ranks = sorted({int(dict(d.encoding_args)["rank"]) for d in found})
    facts = [f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {ranks[0]} to {ranks[-1]}"] if ranks else []
    alpha = config.get("lora_alpha")
    facts += [f"alpha {alpha:g}"] if isinstance(alpha, int | float) and not isinstance(alpha, bool) else []
    targets = config.get("target_modules")
    if isinstance(targets, list) and targets:
        facts.append("on " + ", ".join(str(t)[:40] for t in targets[:8]) + (", ..." if len(targets) > 8 else ""))
    facts += [f"{len(found):,} weights"] if found else []
    return text + (": " if facts else "") + ", ".join(facts)


def _pairs(known: Mapping[str, TensorEntry]) -> Iterator[_Pair]:
    scaled = {n.partition(_MAGNITUDE)[0] for n in known if _MAGNITUDE in n}
    for name, a in known.items():
        match = _FIRST.match(name) if "lora" in name else None
        if match is None:
            continue
        module, rest, embedding = match[1], match["rest"], bool(match["embedding"])
        middle = name[len(module) : len(name) - len(rest)]
        partner = middle.replace("down", "up") if match["down"] else middle[:-1] + "B"
        b = known.get(module + partner + rest)
        adapter = ".".join(part for part in rest.split(".") if part not in ("", "weight"))
        alpha = known.get(f"{module}.alpha")
        if b is not None and f"{module}.lora_mid.weight" not in known:
            yield _Pair(module, a, b, alpha, embedding, adapter, module in scaled)


def _delta(pair: _Pair, config: Mapping[str, Any]) -> TensorEntry | None:
    """The change as a tensor; None where the two do not make a product that can be read."""
    a, b = whole(pair.a), whole(pair.b)
    if a is None or b is None or pair.a.dtype not in FLOATS or pair.b.dtype not in FLOATS:
        return None
    if len(pair.a.shape) < 2 or len(pair.a.shape) != len(pair.b.shape) or set(pair.b.shape[2:]) - {1}:
        return None
    rank, outputs = pair.a.shape[0], pair.b.shape[0]
    if pair.b.shape[1] != rank or min(*pair.a.shape, *pair.b.shape) < 1:
        return None
    if outputs * prod(pair.a.shape[1:]) > MAX_VALUES:
        return None
    transposed = pair.embedding or (config.get("fan_in_fan_out") is True and len(pair.a.shape) == 2)
    shape = (outputs, *pair.a.shape[1:])
    alpha = whole(pair.alpha) if pair.alpha is not None and pair.alpha.dtype in FLOATS else None
    scale, said = (
        (1.0, f"times alpha / {rank}, alpha being in the file") if alpha else _scale(pair.module, rank, config)
    )
    text = f"B·A of rank {rank}, {said}" + (", without its magnitudes (DoRA)" if pair.magnitudes else "")
    arguments: dict[str, Any] = {
        "about": text, "rank": rank, "scale": scale, "a": pair.a.dtype, "b": pair.b.dtype, "transposed": transposed,
        "alpha": pair.alpha.dtype if alpha and pair.alpha else "",
    }  # fmt: skip
    name = f"{pair.module}.delta" + (f".{pair.adapter}" if pair.adapter else "")
    parts = tuple(_parts(a, b, shape, DTYPE_BITS[pair.b.dtype] // 8 * rank, transposed, (alpha,) if alpha else ()))
    return TensorEntry(
        name, pair.module, "delta", shape[::-1] if transposed else shape, "float32", parts, "low-rank",
        tuple(arguments.items()), group=DERIVED,
    )  # fmt: skip


def _parts(
    a: Extent, b: Extent, shape: tuple[int, ...], row_bytes: int, transposed: bool, alpha: tuple[Extent, ...]
) -> Iterator[Part]:
    """Rows of B, each run with all of A."""
    step = max(1, PIECE // (prod(shape[1:]) * 4))
    for start in range(0, shape[0], step):
        count = min(step, shape[0] - start)
        place = Extent(b.file, b.offset + start * row_bytes, count * row_bytes)
        origin, box = (start, *(0 for _ in shape[1:])), (count, *shape[1:])
        yield Part(place, origin[::-1] if transposed else origin, box[::-1] if transposed else box, 0, (a, *alpha))


def _scale(module: str, rank: int, config: Mapping[str, Any]) -> tuple[float, str]:
    """What the product is multiplied by: alpha / r, or alpha / sqrt(r) (rsLoRA), and that in words."""
    alpha = _pattern(config.get("alpha_pattern"), module, config.get("lora_alpha"))
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        return 1.0, "unscaled: its alpha is not recorded"
    if config.get("use_rslora") is True:
        return alpha / sqrt(rank), f"times {alpha / sqrt(rank):.4g} (alpha {alpha:g} / √{rank})"
    return alpha / rank, f"times {alpha / rank:.4g} (alpha {alpha:g} / {rank})"


def _pattern(patterns: object, module: str, default: object) -> object:
    """The value for a module by the ends of names, as `alpha_pattern` gives it for some of them."""
    for key, value in patterns.items() if isinstance(patterns, Mapping) else ():
        if module == key or module.endswith(f".{key}"):
            return value
    return default
