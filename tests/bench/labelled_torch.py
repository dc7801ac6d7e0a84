"""Trains the PyTorch models of the labelled set. Run as `python -m tests.bench.labelled_torch FOLDER`.

Needs torch and numpy in whatever interpreter runs it, and nothing of wtui; the folder holds the digits as
`digits.npz`. Writes the same files as `labelled_keras`, as safetensors.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

MADE = "label.json"


class Rows(nn.Module):
    """An LSTM over the rows of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 32, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(x.view(-1, 8, 8))[0][:, -1])


class Block(nn.Module):
    """A transformer block with names as in Llama, and biases."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(width)
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width) for _ in range(4))
        self.post_attention_layernorm = nn.LayerNorm(width)
        self.up_proj = nn.Linear(width, 2 * width)
        self.down_proj = nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.input_layernorm(x)
        x = x + self.o_proj(nn.functional.scaled_dot_product_attention(self.q_proj(h), self.k_proj(h), self.v_proj(h)))
        h = self.post_attention_layernorm(x)
        return x + self.down_proj(nn.functional.gelu(self.up_proj(h)))


class Transformer(nn.Module):
    """Blocks over an embedding of the grey values."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(17, 32)
        self.layers = nn.ModuleList(Block(32) for _ in range(3))
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(64 * 32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.embed_tokens((x * 16).long())
        for block in self.layers:
            h = block(h)
        return self.head(self.norm(h).flatten(1))


def perceptron() -> nn.Module:
    """Three linear layers."""
    return nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 10))


def convolutions() -> nn.Module:
    """Convolutions with batch norms."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(24, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
        nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip


ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    "perceptron": perceptron, "convolutions": convolutions, "rows": Rows, "transformer": Transformer,
}  # fmt: skip

INITIALISERS: dict[str, Callable[[torch.Tensor], object] | None] = {
    "default": None,
    "normal(0.02)": lambda w: nn.init.normal_(w, 0.0, 0.02),
    "xavier_uniform": nn.init.xavier_uniform_,
    "kaiming_normal": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
    "kaiming_uniform": lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
}
"""Name -> what replaces torch's own; biases are then set to zero, as transformers do."""


def build(architecture: str, initialiser: str, seed: int) -> tuple[nn.Module, dict[str, str]]:
    """A fresh model, and the initialiser of each of its kernels."""
    torch.manual_seed(seed)
    model = ARCHITECTURES[architecture]()
    apply, named = INITIALISERS[initialiser], {}
    for path, module in model.named_modules():
        own = isinstance(module, nn.Linear | nn.Conv2d)
        for name, value in module.named_parameters(recurse=False):
            if value.ndim < 2:
                if own and apply is not None:
                    nn.init.zeros_(value)
                continue
            if own and apply is not None:
                apply(value)
            kinds = {nn.LSTM: "recurrent default", nn.Embedding: "embedding default"}
            default = kinds.get(type(module), "default")
            named[f"{path}.{name}"] = initialiser if own and apply is not None else default
    return model, named


def train(model: nn.Module, seed: int, digits: Mapping[str, np.ndarray]) -> None:
    """A few epochs; the optimizer depends on the seed."""
    x, y = torch.tensor(digits["x"]), torch.tensor(digits["y"])
    parameters = model.parameters()
    optimizer = (
        torch.optim.SGD(parameters, 0.05, momentum=0.9) if seed % 3 == 0
        else torch.optim.Adam(parameters, 2e-3) if seed % 3 == 1
        else torch.optim.AdamW(parameters, 2e-3, weight_decay=0.05)
    )  # fmt: skip
    model.train()
    for _ in range((4, 8, 15)[seed // 3 % 3]):
        for part in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[part]), y[part]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()


def save(model: nn.Module, path: Path) -> None:
    """The state as safetensors: length of the header, header, values."""
    header, blobs, offset = {}, [], 0
    for name, value in model.state_dict().items():
        blob = value.detach().numpy().tobytes()
        dtype = {torch.float32: "F32", torch.int64: "I64"}[value.dtype]
        header[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def main(folder: Path) -> None:
    """Make what is not there yet."""
    torch.set_num_threads(2)
    digits = dict(np.load(folder / "digits.npz"))
    count = 0
    for architecture in ARCHITECTURES:
        for initialiser in INITIALISERS:
            seed, count = count, count + 1
            place = folder / f"torch-{architecture}-{initialiser}"
            if (place / MADE).exists():
                continue
            place.mkdir(parents=True, exist_ok=True)
            save(build(architecture, initialiser, 1000 + seed)[0], place / "twin.safetensors")
            model, named = build(architecture, initialiser, seed)
            save(model, place / "initial.safetensors")
            train(model, seed, digits)
            save(model, place / "trained.safetensors")
            (place / MADE).write_text(json.dumps({"initialisers": named}))
            print(place.name, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
