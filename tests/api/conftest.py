"""A small model whose values the tests know: written once for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import pytest

import wtui
from tests.builders import write_safetensors

if TYPE_CHECKING:
    from pathlib import Path

    from wtui.api import Model

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def arrays() -> Arrays:
    """Values by tensor name, in the order of the file: layers `a`, `b.inner` and `c`."""
    rng = np.random.default_rng(11)
    return {
        "a.weight": rng.normal(0.1, 0.5, (40, 30)).astype(np.float32),
        "a.bias": rng.uniform(-1, 1, 40).astype(np.float16),
        "b.inner.weight": rng.normal(0, 2, (7, 5, 3)).astype(ml_dtypes.bfloat16),
        "b.inner.steps": np.array(123, np.int64),
        "b.mask": rng.integers(0, 2, (6, 6)).astype(bool),
        "c.weight": rng.normal(-3, 1, (300, 400)).astype(np.float32),
        "c.codes": rng.integers(-128, 128, 500).astype(np.int8),
        "c.empty": np.zeros((0, 4), np.float32),
    }


@pytest.fixture(scope="session")
def path(arrays: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model file."""
    return write_safetensors(tmp_path_factory.mktemp("api") / "small.safetensors", arrays, {"made": "by a test"})


@pytest.fixture
def model(path: Path) -> Iterator[Model]:
    """The open model."""
    with wtui.open(path) as model:
        yield model
