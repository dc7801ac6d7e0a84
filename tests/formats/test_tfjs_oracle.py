"""Weights that TensorFlow.js's converter wrote: names, shapes, types and values are what it reads back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from wtui.engine.blocks import plan_blocks
from wtui.formats import open_catalogue
from wtui.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

write_weights = pytest.importorskip("tensorflowjs.write_weights")
read_weights = pytest.importorskip("tensorflowjs.read_weights")


@pytest.mark.parametrize("dtype", [None, "uint8", "uint16", "float16"])
def test_weights(tmp_path: Path, dtype: str | None) -> None:
    rng = np.random.default_rng(0)
    weights = {f"dense_{i}/kernel": rng.normal(size=(50, 40 + i)).astype("f4") for i in range(5)}
    weights |= {"constant/bias": np.full(9, 0.3, "f4"), "scalar": np.array(2.5, "f4")}
    group = [{"name": n, "data": a} for n, a in weights.items()]
    quantised = {dtype: "*"} if dtype else None
    manifest = write_weights.write_weights([group], str(tmp_path), 4000, quantization_dtype_map=quantised)
    (tmp_path / "model.json").write_text(json.dumps({"weightsManifest": manifest}))
    expected = read_weights.read_weights(manifest, str(tmp_path), flatten=True)
    found = open_catalogue(str(tmp_path))
    assert found.warnings == ()
    assert {t.name: t.shape for t in found.tensors} == {w["name"]: w["data"].shape for w in expected}
    files = Files(found.files)
    for stored in expected:
        got = plan_blocks(found[stored["name"]], found, files).array()
        np.testing.assert_allclose(got, stored["data"], rtol=1e-6, atol=1e-7)
