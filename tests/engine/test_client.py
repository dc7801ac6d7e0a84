"""The browser's end of the scan process."""

from __future__ import annotations

import gc
import pickle

import pytest

from wtui.engine import client


@pytest.mark.parametrize("collecting", [True, False])
def test_a_large_answer_leaves_the_garbage_collector_as_it_was(
    collecting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(client.pickle, "loads", lambda data: seen.append(gc.isenabled()))
    was = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        client._loads(bytes(client.LARGE + 1))
        client._loads(b"small")
        assert seen == [False, collecting]
        assert gc.isenabled() is collecting
        monkeypatch.undo()
        with pytest.raises(pickle.UnpicklingError):
            client._loads(b"x" * (client.LARGE + 1))
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if was else gc.disable)()
