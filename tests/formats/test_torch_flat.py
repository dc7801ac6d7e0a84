"""State dicts that go straight to a tree: the same as by way of drafts, and whatever is not plain goes that way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wtui.formats import open_catalogue, torch_file
from wtui.formats.torch import flat

torch = pytest.importorskip("torch")

from tests.formats.test_inert_runs import ZOO, plain  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wtui.model import Catalogue

NEVER = 1 << 40
"""Tensors that no model has: everything goes by way of drafts."""


def told(catalogue: Catalogue) -> list[object]:
    """Everything that a catalogue says."""
    nodes = [
        (n.name, n.path, n.class_name, dict(n.config), list(n.tensors), [c.path for c in n.children])
        for n in catalogue.root.walk()
    ]
    about = [catalogue.format, catalogue.files, dict(catalogue.metadata), catalogue.warnings]
    return [*about, *nodes, *catalogue.tensors]


def both(path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the file went straight to a tree; it is the same as the other way."""
    found: list[object] = []
    monkeypatch.setattr(torch_file, "flat_model", lambda *given: found.append(flat.flat_model(*given)) or found[-1])
    trees = []
    for least in (2, NEVER):
        monkeypatch.setattr(flat, "LEAST", least)
        trees.append(told(open_catalogue(str(path))))
    assert trees[0] == trees[1]
    assert found[1] is None
    return found[0] is not None


STRAIGHT = {"plain", "one_storage", "types", "tied"}
"""Of the state dicts, those that are plain; views that are turned, or of other shapes, are so too."""


@pytest.mark.parametrize("make", ZOO)
def test_state_dicts_of_all_kinds(make: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(make(), tmp_path / "a.pt")
    assert both(tmp_path / "a.pt", monkeypatch) or make.__name__ not in STRAIGHT


@pytest.mark.parametrize("legacy", [False, True])
def test_a_model_of_modules(legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [torch.nn.TransformerEncoderLayer(8, 2, 16) for _ in range(12)]
    model = torch.nn.Sequential(torch.nn.Embedding(10, 8), *layers, torch.nn.BatchNorm1d(8))
    torch.save(model.state_dict(), tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
    assert both(tmp_path / "a.pt", monkeypatch)


NAMES = {
    "nothing": "", "a dot": ".", "an empty part": "a..b", "begins with a dot": ".a", "ends with a dot": "a.",
    "a line": "a\nb.c", "long": "a" * 201, "deep": "a." * 60 + "b", "number": 7, "escape": "\x1b[31m.w",
    "of others": "é.weight", "epoch": "epoch", "layer and tensor": "layers.3", "layer's": "layers.3.w0.more",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_kind(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({**plain(count=70), NAMES[name]: torch.zeros(2)}, tmp_path / "a.pt")
    both(tmp_path / "a.pt", monkeypatch)


ODD = {
    "parameter": lambda: torch.nn.Parameter(torch.zeros(2)),
    "sparse": lambda: torch.zeros(3, 3).to_sparse(),
    "placeholder": lambda: torch.zeros(0),
    "quantised": lambda: torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
    "number": lambda: 3,
    "dictionary": lambda: {"w": torch.zeros(2)},
    "nothing": lambda: None,
    "turned": lambda: torch.zeros(3, 4).t(),
    "wants a gradient": lambda: torch.zeros(3, requires_grad=True),
}


@pytest.mark.parametrize("name", ODD)
def test_one_value_that_is_not_plain(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({**plain(count=300), "odd": ODD[name]()}, tmp_path / "a.pt")
    assert both(tmp_path / "a.pt", monkeypatch) == (name in ("turned", "wants a gradient"))
