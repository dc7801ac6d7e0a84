"""Files that Flax wrote: every array's name, shape, type and values are what Flax restores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wtui.engine.blocks import plan_blocks
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

serialization = pytest.importorskip("flax.serialization")


def arrays(tree: Any, path: str = "") -> dict[str, np.ndarray]:
    """The arrays of a restored tree by their paths."""
    if not isinstance(tree, dict):
        return {path: np.asarray(tree)} if hasattr(tree, "dtype") else {}
    return {n: a for k, v in tree.items() for n, a in arrays(v, f"{path}/{k}".lstrip("/")).items()}


def check(path: Path, tree: Any) -> None:
    path.write_bytes(serialization.to_bytes(tree))
    expected = arrays(serialization.msgpack_restore(path.read_bytes()))
    found = open_catalogue(str(path))
    files = Files(found.files)
    assert {t.name: t.shape for t in found.tensors} == {n: a.shape for n, a in expected.items()}
    for name, array in expected.items():
        got = plan_blocks(found[name], found, files).array()
        assert str(got.dtype) == str(array.dtype)
        assert got.tobytes() == array.tobytes(), name


def test_a_model_with_its_optimizer(tmp_path: Path) -> None:
    nn, jax, optax = (pytest.importorskip(m) for m in ("flax.linen", "jax", "optax"))

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = nn.Conv(4, (3, 3), param_dtype=jax.numpy.bfloat16)(x)
            x = nn.BatchNorm(use_running_average=True)(x)
            return nn.Dense(3)(x.reshape(x.shape[0], -1))

    variables = Net().init(jax.random.key(0), np.ones((1, 8, 8, 1), "f4"))
    optimizer = optax.adam(1e-3).init(variables["params"])
    check(tmp_path / "a.msgpack", {**variables, "opt_state": optimizer, "step": np.int32(3)})
    found = open_catalogue(str(tmp_path / "a.msgpack"))
    assert found["params/Conv_0/kernel"].dtype == "bfloat16"
    assert found.totals().parameters == sum(a.size for a in jax.tree.leaves(variables))


def test_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", 100)
    check(tmp_path / "a.msgpack", {"params": {"w": np.arange(300, dtype="f4").reshape(30, 10), "b": np.ones(3)}})
    assert len(open_catalogue(str(tmp_path / "a.msgpack"))["params/w"].parts or ()) == 12
