"""What oracle tests of PyTorch's files share: values as bytes, small models, the comparison. Needs PyTorch."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest

from tests.formats.torch_files import values
from wtui.formats import open_catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wtui.model import Catalogue

torch = pytest.importorskip("torch")
nn = torch.nn

DTYPES = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32",
    "uint64", "bool", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
    "float8_e8m0fnu",
)  # fmt: skip


def raw(tensor: Any) -> bytes:
    """The tensor's values as bytes in C order."""
    tensor = tensor.detach().resolve_conj().resolve_neg().contiguous()
    if tensor.dim() == 0:
        tensor = tensor.reshape(1)
    return bytes(tensor.view(torch.uint8).numpy().tobytes())


def check(catalogue: Catalogue, expected: Mapping[str, Any]) -> None:
    """The catalogue's tensors are exactly those, in that order, byte for byte."""
    assert [t.name for t in catalogue.tensors] == list(expected)
    found = values(catalogue)
    for name, tensor in expected.items():
        entry = catalogue[name]
        assert entry.problem == ""
        assert entry.shape == tuple(tensor.shape)
        assert f"torch.{entry.dtype}" == str(tensor.dtype)
        assert found[name].tobytes() == raw(tensor), name


def saved(path: Path, value: Any, legacy: bool = False, protocol: int = 2) -> Catalogue:
    torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    return open_catalogue(str(path))


def random_of(dtype: str, *shape: int) -> Any:
    """Values whose bytes are all different from zero somewhere."""
    kind = getattr(torch, dtype)
    generator = torch.Generator().manual_seed(len(dtype))
    if dtype == "bool":
        return torch.rand(shape, generator=generator) < 0.5
    if dtype.startswith(("int", "uint")):
        return torch.randint(0, 100, shape, generator=generator).to(kind)
    if dtype.startswith("complex"):
        return torch.randn(*shape, dtype=kind, generator=generator)
    return torch.randn(shape, generator=generator).abs().to(kind)


class Block(nn.Module):
    """A module with everything that a module can hold."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.act = nn.ReLU()
        self.scale = nn.Parameter(torch.ones(width))
        self.frozen = nn.Parameter(torch.zeros(2), requires_grad=False)
        self.register_buffer("table", torch.arange(5))
        self.heads = nn.ModuleList([nn.Linear(width, 2), nn.Linear(width, 2)])
        self.loose = torch.full((3,), 7.0)

    def forward(self, x: Any) -> Any:
        return self.act(self.norm(self.conv(x)))


def network() -> Any:
    torch.manual_seed(1)
    return nn.Sequential(OrderedDict(first=nn.Linear(6, 5), norm=nn.LayerNorm(5), act=nn.GELU(), last=nn.Linear(5, 2)))


def trained(model: Any, optimizer: Any) -> Any:
    model(torch.randn(3, 6)).sum().backward()
    optimizer.step()
    return optimizer
