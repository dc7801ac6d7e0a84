"""Trains the small language models of the labelled set. Run as `python -m tests.bench.labelled_language FOLDER`.

Words of scikit-learn's descriptions of its data sets, so that some words are frequent, most are rare, and some rows of
the embedding are never used. Blocks are named as in Llama and Mixtral: experts of their own tensors, experts in one
tensor, no experts; heads tied and not; adapters trained on a frozen model. Needs torch and scikit-learn.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import sklearn.datasets
import torch
from torch import nn
from torch.nn import functional as F

from tests.bench.labelled_torch import save

WIDTH, HIDDEN, EXPERTS, CHOSEN, BLOCKS, CONTEXT = 32, 48, 8, 2, 3, 16
WORDS, RESERVED = 480, 24
"""Rows of the embedding, and how many of them no text uses, as language models reserve some."""

RANK, ALPHA = 4, 8
MADE = "made.json"


class Variant(NamedTuple):
    """One model to train."""

    name: str
    mlp: str
    """`experts`: a tensor for each; `stacked`: one for all of them; `dense`: no experts."""
    tied: bool
    init: Callable[[torch.Tensor], object] | None
    """Of embeddings and kernels; None: torch's own."""
    optimizer: Callable[..., torch.optim.Optimizer]
    rate: float
    epochs: int


def _normal(w: torch.Tensor) -> object:
    return nn.init.normal_(w, 0.0, 0.02)


def _uniform(w: torch.Tensor) -> object:
    return nn.init.uniform_(w, -0.05, 0.05)


ADAM, ADAMW, SGD = torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD
VARIANTS = (
    Variant("experts-default", "experts", False, None, ADAM, 2e-3, 10),
    Variant("experts-normal", "experts", False, _normal, ADAMW, 2e-3, 10),
    Variant("experts-uniform", "experts", True, _uniform, ADAM, 1e-3, 16),
    Variant("stacked-normal", "stacked", False, _normal, ADAM, 2e-3, 10),
    Variant("stacked-long", "stacked", True, _normal, ADAMW, 3e-3, 16),
    Variant("dense-default", "dense", False, None, ADAM, 2e-3, 10),
    Variant("dense-normal", "dense", True, _normal, ADAM, 2e-3, 10),
    Variant("dense-uniform", "dense", False, _uniform, ADAMW, 3e-3, 10),
    Variant("dense-long", "dense", False, _normal, ADAM, 3e-3, 20),
    Variant("dense-momentum", "dense", True, _normal, SGD, 0.3, 20),
)


class Expert(nn.Module):
    """A gated feed-forward layer."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(WIDTH, HIDDEN, bias=False)
        self.up_proj = nn.Linear(WIDTH, HIDDEN, bias=False)
        self.down_proj = nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Stack(nn.Module):
    """The matrices of all experts, multiplied from the left."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.empty(EXPERTS, WIDTH, 2 * HIDDEN))
        self.down_proj = nn.Parameter(torch.empty(EXPERTS, HIDDEN, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, up = torch.einsum("btd,edh->bteh", x, self.gate_up_proj).chunk(2, dim=-1)
        return torch.einsum("bteh,ehd->bted", F.silu(gate) * up, self.down_proj)


class Mixture(nn.Module):
    """The two experts that a router chooses for each word."""

    def __init__(self, stacked: bool) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = Stack() if stacked else nn.ModuleList(Expert() for _ in range(EXPERTS))
        self.chosen = torch.zeros(EXPERTS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        best, which = self.gate(x).topk(CHOSEN, dim=-1)
        share = torch.zeros(*x.shape[:-1], EXPERTS).scatter(-1, which, best.softmax(-1))
        self.chosen += (share > 0).sum((0, 1))
        all_of_them = (
            self.experts(x) if isinstance(self.experts, Stack) else torch.stack([e(x) for e in self.experts], -2)
        )
        return (share[..., None] * all_of_them).sum(-2)


class Block(nn.Module):
    """Attention and a feed-forward layer."""

    def __init__(self, mlp: str) -> None:
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = nn.RMSNorm(WIDTH), nn.RMSNorm(WIDTH)
        self.self_attn = nn.Module()
        for name in "qkvo":
            self.self_attn.add_module(f"{name}_proj", nn.Linear(WIDTH, WIDTH, bias=False))
        self.mlp = Expert() if mlp == "dense" else Mixture(mlp == "stacked")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        at, h = self.self_attn, self.input_layernorm(x)
        x = x + at.o_proj(F.scaled_dot_product_attention(at.q_proj(h), at.k_proj(h), at.v_proj(h), is_causal=True))
        return x + self.mlp(self.post_attention_layernorm(x))


class Language(nn.Module):
    """Predicts the next word."""

    def __init__(self, mlp: str, tied: bool) -> None:
        super().__init__()
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(WORDS, WIDTH)
        self.model.layers = nn.ModuleList(Block(mlp) for _ in range(BLOCKS))
        self.model.norm = nn.RMSNorm(WIDTH)
        self.lm_head = None if tied else nn.Linear(WIDTH, WORDS, bias=False)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        x = self.model.embed_tokens(words)
        for block in self.model.layers:
            x = block(x)
        x = self.model.norm(x)
        return x @ self.model.embed_tokens.weight.T if self.lm_head is None else self.lm_head(x)


class Adapted(nn.Module):
    """A frozen linear layer and what an adapter adds to it; A starts as torch's own, B at zero."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.lora_A = nn.Linear(base.in_features, RANK, bias=False)
        self.lora_B = nn.Linear(RANK, base.out_features, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + ALPHA / RANK * self.lora_B(self.lora_A(x))


def text() -> tuple[torch.Tensor, list[int]]:
    """The words by number, and how often each occurs; the last word stands for all rare ones, RESERVED are unused."""
    folder = Path(sklearn.datasets.__file__).with_name("descr")
    words = re.findall(
        r"[a-z]+|[0-9]|[^\sa-z0-9]", " ".join(p.read_text() for p in sorted(folder.glob("*.rst"))).lower()
    )
    places = [i for i in range(WORDS) if i % (WORDS // RESERVED)]
    known = dict(zip((w for w, _ in Counter(words).most_common(len(places) - 1)), places, strict=False))
    numbers = [known.get(w, places[-1]) for w in words]
    count = Counter(numbers)
    return torch.tensor(numbers), [count[i] for i in range(WORDS)]


def fit(model: nn.Module, optimizer: torch.optim.Optimizer, words: torch.Tensor, epochs: int) -> None:
    """Train on the next word."""
    rows = words[: len(words) // (CONTEXT + 1) * (CONTEXT + 1)].view(-1, CONTEXT + 1)
    for _ in range(epochs):
        for part in torch.randperm(len(rows)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(model(rows[part, :-1]).flatten(0, 1), rows[part, 1:].flatten()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()


def build(variant: Variant, seed: int) -> Language:
    """A fresh model."""
    torch.manual_seed(seed)
    model = Language(variant.mlp, variant.tied)
    for name, value in model.named_parameters():
        if value.ndim > 1 and variant.init is not None:
            variant.init(value.data)
        elif "experts" in name and value.ndim == 3:
            _normal(value.data)
    return model


def adapt(model: Language, words: torch.Tensor, rate: float) -> dict[str, torch.Tensor]:
    """Adapters trained on a frozen model, by PEFT's names; the model holds them afterwards."""
    model.requires_grad_(False)
    made = {}
    for i, block in enumerate(model.model.layers):
        for owner, names in ((block.self_attn, ("q_proj", "v_proj")), (block.mlp, ("up_proj",))):
            for name in names:
                one = Adapted(getattr(owner, name))
                setattr(owner, name, one)
                where = "mlp" if owner is block.mlp else "self_attn"
                made[f"model.layers.{i}.{where}.{name}"] = one
    fit(model, ADAM([p for p in model.parameters() if p.requires_grad], rate), words, 6)
    return {
        f"base_model.model.{path}.lora_{side}.weight": getattr(one, f"lora_{side}").weight
        for path, one in made.items()
        for side in "AB"
    }


class State(NamedTuple):
    """Tensors by name, for `save`."""

    tensors: dict[str, torch.Tensor]

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self.tensors


def config(variant: Variant) -> dict[str, object]:
    """What `config.json` says."""
    return {
        "architectures": ["LlamaForCausalLM"], "hidden_size": WIDTH, "num_hidden_layers": BLOCKS,
        "num_attention_heads": 1, "vocab_size": WORDS, "tie_word_embeddings": variant.tied,
    }  # fmt: skip


def make(variant: Variant, seed: int, place: Path) -> None:
    """Train one, and adapters to it where it has no experts."""
    words, _ = text()
    model = build(variant, seed)
    save(model, place / "initial.safetensors")
    optimizer = variant.optimizer(model.parameters(), variant.rate)
    fit(model, optimizer, words[: len(words) * 3 // 4], variant.epochs)
    save(model, place / "trained.safetensors")
    used = [block.mlp.chosen.tolist() for block in model.model.layers if isinstance(block.mlp, Mixture)]
    if variant.mlp == "dense":
        base = {k: v.clone() for k, v in model.state_dict().items()}
        for name, rate in (("adapter", 2e-3), ("adapter-slow", 2e-5)):
            model = build(variant, seed)
            model.load_state_dict(base)
            save(State(adapt(model, words[len(words) // 2 :], rate)), place / f"{name}.safetensors")  # type: ignore[arg-type]
    seen = Counter(words[: len(words) * 3 // 4].tolist())
    document = {"config": config(variant), "count": [seen[i] for i in range(WORDS)], "experts": used}
    (place / MADE).write_text(json.dumps(document))


def main(folder: Path) -> None:
    """Make what is not there yet."""
    torch.set_num_threads(2)
    for number, variant in enumerate(VARIANTS):
        place = folder / f"language-{variant.name}"
        if not (place / MADE).exists():
            place.mkdir(parents=True, exist_ok=True)
            make(variant, number, place)
            print(place.name, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
