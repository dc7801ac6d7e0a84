"""A cache of the tests' own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache that is switched on."""
    place = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("WTUI_CACHE", "1")
    monkeypatch.setenv("WTUI_CACHE_DIR", str(place))
    return place
