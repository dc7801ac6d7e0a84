"""Architectures by name: built as keras.applications builds them, with weights or without, and errors that help."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import wtui
from wtui.errors import UsageError
from wtui.live.applications import Application, Builder, application_of, is_application, with_weights
from wtui.live.process import FrameworkError
from wtui.live.protocol import Build, Built, Failed

keras = pytest.importorskip("keras")

from wtui.live.building import build  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path


def said(name: str, weights: str, target: Path) -> Any:
    """The last message of a build in this process."""
    messages: list[Any] = []
    build(Build(name, weights, str(target)), messages.append)
    return messages[-1]


def test_what_a_path_means(tmp_path: Path) -> None:
    file = tmp_path / "w.h5"
    file.write_bytes(b"")
    assert is_application("keras:VGG16")
    assert not is_application("./keras:VGG16")
    assert application_of("keras:VGG16") == Application("VGG16", "none")
    assert application_of(f"keras:VGG16:{file}") == Application("VGG16", str(file))
    assert with_weights("keras:VGG16", "imagenet") == with_weights("keras:VGG16:none", "imagenet")
    assert with_weights("a.keras", None) == "a.keras"
    with pytest.raises(UsageError, match="for architectures by name"):
        with_weights("a.keras", "imagenet")
    with pytest.raises(UsageError, match="names no architecture"):
        application_of("keras:")
    with pytest.raises(UsageError, match="no such file of weights"):
        application_of("keras:VGG16:/no/such.h5")


def test_a_model_is_built_and_takes_weights_from_a_file(tmp_path: Path) -> None:
    assert said("mobilenetv2", "none", tmp_path / "a.keras") == Built(str(tmp_path / "a.keras"))
    model = keras.saving.load_model(tmp_path / "a.keras")
    model.layers[1].kernel.assign(np.full(model.layers[1].kernel.shape, 0.25))
    model.save_weights(tmp_path / "a.weights.h5")
    assert said("MobileNetV2", str(tmp_path / "a.weights.h5"), tmp_path / "b.keras") == Built(str(tmp_path / "b.keras"))
    with wtui.open(tmp_path / "b.keras", cache=False) as opened:
        assert opened.totals.parameters == model.count_params()
        assert opened["Conv1/kernel"].summary().min == 0.25
    failed = said("ResNet50", str(tmp_path / "a.weights.h5"), tmp_path / "c.keras")
    assert isinstance(failed, Failed)
    assert "do not fit ResNet50" in failed.what


def test_imagenet_weights_without_a_network_say_where_to_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(name: str, url: str, **_: object) -> None:
        raise Exception(f"URL fetch failure on {url}: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", offline)
    failed = said("MobileNetV2", "imagenet", tmp_path / "a.keras")
    assert isinstance(failed, Failed)
    assert failed.what.startswith("the ImageNet weights of MobileNetV2 could not be downloaded (")
    assert "Name or service not known" in failed.what
    assert "put https://storage.googleapis.com/" in failed.hint
    assert failed.hint.endswith("or give --weights none or a FILE")


def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path) -> None:
    failed = said("VGG17", "none", tmp_path / "a.keras")
    assert failed == Failed("keras.applications has no 'VGG17'", "did you mean VGG19 or VGG16?")


def test_a_build_that_is_stopped_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    builder = Builder(Application("VGG16", "none"))
    with pytest.raises(FrameworkError, match="stopped"):
        builder.build(lambda text: builder.kill())
    assert os.listdir(tmp_path) == []
    with pytest.raises(FrameworkError, match="stopped"):
        builder.build()
    assert os.listdir(tmp_path) == []


def test_what_killed_programs_left_behind_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    (tmp_path / f"wtui-built-{int(done.stdout)}-x").mkdir()
    (tmp_path / f"wtui-built-{os.getpid()}-y").mkdir()
    builder = Builder(Application("VGG16", "none"))
    builder.kill()
    with pytest.raises(FrameworkError):
        builder.build()
    assert os.listdir(tmp_path) == [f"wtui-built-{os.getpid()}-y"]


def test_without_a_terminal_nothing_is_built() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wtui", "keras:VGG16"], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 2
    assert "there is no terminal to browse in" in done.stderr
