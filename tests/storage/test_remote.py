"""Models behind an address: how little is asked for, that the numbers are those of the file, and bad servers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import wtui
import wtui.demo
from tests.builders import write_safetensors
from tests.formats.torch_files import ARRAYS, state_dict, zip_file
from tests.storage.serving import MISBEHAVIOURS, Server, serving
from wtui.errors import StorageError, WtuiError
from wtui.formats import open_catalogue
from wtui.storage import FileSource, http
from wtui.storage.remote import AHEAD, BLOCK, FIRST, LARGE, RemoteSource

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("aiohttp")

DEMO = Path(wtui.demo.__file__).parent / "models"
MB = 1_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as told:
        yield told


def transformer(path: Path, layers: int) -> Path:
    """A header of 600 bytes a layer, and 8 MB of values."""
    rng = np.random.default_rng(0)
    tensors = {"embed.weight": rng.standard_normal((2000, 1000)).astype(np.float32)}
    for i in range(layers):
        for part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.up_proj", "mlp.down_proj"):
            tensors[f"model.layers.{i}.{part}.weight"] = rng.standard_normal((4, 4)).astype(np.float16)
    return write_safetensors(path, tensors)


@pytest.mark.parametrize("layers", [2, 1200])
def test_opening_safetensors_costs_three_requests_and_a_megabyte_at_most(
    tmp_path: Path, server: Server, layers: int
) -> None:
    path = transformer(tmp_path / "model.safetensors", layers)
    header = int.from_bytes(path.read_bytes()[:8], "little")
    with wtui.open(server.address + "model.safetensors") as model:
        assert len(model.tensors) == 1 + 5 * layers
    assert (header > FIRST) == (layers > 2)
    assert len(server.requests) <= 3
    assert server.bytes_asked < MB
    assert path.stat().st_size > 8 * MB


def test_numbers_are_those_of_the_file(tmp_path: Path, server: Server) -> None:
    path = transformer(tmp_path / "model.safetensors", 4)
    with wtui.open(path) as here, wtui.open(server.address + "model.safetensors?download=true") as there:
        for a, b in zip(here.tensors, there.tensors, strict=True):
            assert a.name == b.name
            assert a.array().tobytes() == b.array().tobytes()
        assert here.summary().row() == there.summary().row()


@pytest.mark.parametrize("name", ["colleague.h5", "healthy.keras"])
def test_keras(server: Server, name: str) -> None:
    shutil.copy(DEMO / name, server.folder / name)
    with wtui.open(DEMO / name) as here, wtui.open(server.address + name) as there:
        assert [t.name for t in here.tensors] == [t.name for t in there.tensors]
        assert here.summary().row() == there.summary().row()
    assert len(server.requests) <= 3


def test_torch(tmp_path: Path, server: Server) -> None:
    (tmp_path / "model.pt").write_bytes(zip_file(*state_dict(ARRAYS)))
    with wtui.open(server.address + "model.pt") as model:
        for name, array in ARRAYS.items():
            assert model.tensor(name).array().tobytes() == array.tobytes()


def test_gguf_and_npz(tmp_path: Path, server: Server) -> None:
    from tests.formats.gguf_files import gguf_bytes
    from tests.formats.test_gguf import floats

    (tmp_path / "model.gguf").write_bytes(gguf_bytes({}, [floats("token_embd.weight", 4, 8)]))
    np.savez(tmp_path / "model.npz", a=np.arange(5.0), b=np.ones((2, 3), np.float32))
    for name in ("model.gguf", "model.npz"):
        with wtui.open(tmp_path / name) as here, wtui.open(server.address + name) as there:
            assert [t.name for t in here.tensors] == [t.name for t in there.tensors]
            assert here.summary().row() == there.summary().row()


def test_shards_beside_an_index(tmp_path: Path, server: Server) -> None:
    for i in (1, 2):
        write_safetensors(tmp_path / f"m-0000{i}-of-00002.safetensors", {f"w{i}": np.full(3, i, np.float32)})
    index = {"weight_map": {f"w{i}": f"m-0000{i}-of-00002.safetensors" for i in (1, 2)} | {"x": "../secret"}}
    (tmp_path / "m.safetensors.index.json").write_text(json.dumps(index))
    with wtui.open(server.address + "m.safetensors.index.json") as model:
        assert [t.array().tolist() for t in model.tensors] == [[1, 1, 1], [2, 2, 2]]
        assert any("lies outside" in notice.message for notice in model.warnings)
    assert not any("secret" in path for path, _, _ in server.requests)


def test_an_index_names_no_flood_of_files(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from wtui.formats import probe

    monkeypatch.setattr(probe, "MAX_REMOTE", 20)
    index = {"weight_map": {f"w{i}": f"{i}.safetensors" for i in range(500)}}
    (tmp_path / "m.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(WtuiError):
        wtui.open(server.address + "m.safetensors.index.json")
    assert len(server.requests) == 1
    assert server.refused <= 20


def test_blocks_are_kept_and_missing_ones_come_in_one_request(tmp_path: Path, server: Server) -> None:
    data = np.random.default_rng(0).bytes(40 * BLOCK + 7)
    (tmp_path / "file").write_bytes(data)
    source = RemoteSource(server.address + "file")
    assert source.size == len(data)
    assert source.read(10, 100) == data[10:110]
    assert len(server.requests) == 1, "the first request brought it"
    assert source.read(10 * BLOCK - 3, 6) == data[10 * BLOCK - 3 : 10 * BLOCK + 3]
    assert source.read(10 * BLOCK, 2 * BLOCK) == data[10 * BLOCK : 12 * BLOCK]
    assert len(server.requests) == 2
    assert source.read(8 * BLOCK, 8 * BLOCK) == data[8 * BLOCK : 16 * BLOCK]
    assert [(a // BLOCK, b // BLOCK) for _, a, b in server.requests[1:]] == [(9, 9 + AHEAD), (8, 16)]
    assert source.read(20 * BLOCK + 1, LARGE) == data[20 * BLOCK + 1 :][:LARGE], "as it stands, and not kept"
    assert server.requests[-1][1:] == (20 * BLOCK + 1, 20 * BLOCK + 1 + LARGE)
    assert source.read(len(data) - 5, 5) == data[-5:]
    assert source.read(len(data), 0) == b""
    with pytest.raises(StorageError, match="but it holds"):
        source.read(len(data) - 5, 6)
    assert source.requests == len(server.requests)


def test_threads_share_a_source(tmp_path: Path, server: Server) -> None:
    data = np.random.default_rng(0).bytes(60 * BLOCK)
    (tmp_path / "file").write_bytes(data)
    source = RemoteSource(server.address + "file")
    wrong: list[int] = []

    def read(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(50):
            at, size = int(rng.integers(0, 50 * BLOCK)), int(rng.integers(1, 3 * BLOCK))
            if source.read(at, size) != data[at : at + size]:
                wrong.append(at)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_empty_file_and_one_that_is_not_there(tmp_path: Path, server: Server) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert RemoteSource(server.address + "empty").size == 0
    with pytest.raises(WtuiError, match="an empty file"):
        wtui.open(server.address + "empty")
    with pytest.raises(WtuiError, match=r"no such file \(404\)"):
        wtui.open(server.address + "nothing.safetensors")


@pytest.mark.parametrize("how", MISBEHAVIOURS)
def test_a_bad_server_gives_one_clean_line(
    tmp_path: Path, server: Server, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformer(tmp_path / "model.safetensors", 1200)
    server.misbehaviour = how
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0)
    monkeypatch.setattr(http, "SILENT_SECONDS", 1)
    monkeypatch.setattr(http, "LEAST_SPEED", 1 << 30)
    with pytest.raises(WtuiError) as told:
        wtui.open(server.address + "model.safetensors")
    message = str(told.value)
    assert message.startswith(server.address)
    assert "\n" not in message
    assert "\x1b" not in message
    assert "Error" not in message


def test_a_small_file_needs_no_ranges(tmp_path: Path, server: Server) -> None:
    write_safetensors(tmp_path / "small.safetensors", {"a": np.ones(3, np.float32)})
    server.misbehaviour = "no ranges"
    with wtui.open(server.address + "small.safetensors") as model:
        assert model.tensor("a").array().tolist() == [1, 1, 1]


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/a.safetensors"
        with pytest.raises(StorageError, match="cannot be read from there"):
            RemoteSource(address)
    for nothing in ("https://", "http:///a.keras"):
        with pytest.raises(StorageError, match="is no address"):
            RemoteSource(nothing)


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, server: Server) -> None:
    transformer(tmp_path / "model.safetensors", 2)
    with wtui.open(server.address + "model.safetensors") as model:
        transformer(tmp_path / "model.safetensors", 3)
        with pytest.raises(WtuiError, match="has changed"):
            model.tensor("embed.weight").array()


def test_names_in_files_lead_to_no_server(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a local file says: it is a path beside it, or nothing."""
    address = server.address + "secret"
    (tmp_path / "secret").write_bytes(b"")
    (tmp_path / "m.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": address}}))
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{address}"\n')
    monkeypatch.chdir(tmp_path)
    for path in ("m.safetensors.index.json", "checkpoint", "."):
        with pytest.raises(WtuiError):
            wtui.open(path)
    with pytest.raises(StorageError):
        FileSource(address)
    assert server.requests == []


def test_the_command_line(tmp_path: Path, server: Server) -> None:
    shutil.copy(DEMO / "healthy.keras", tmp_path / "healthy.keras")
    for command in ("ls", "stats", "check"):
        run = [sys.executable, "-m", "wtui", command, server.address + "healthy.keras", "--json"]
        done = subprocess.run(run, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["path"].endswith("healthy.keras")
        assert done.stderr == ""


def test_the_browser(tmp_path: Path, server: Server) -> None:
    import asyncio

    from tests.tui.driving import browsing

    shutil.copy(DEMO / "healthy.keras", tmp_path / "healthy.keras")

    async def run() -> None:
        async with browsing(server.address + "healthy.keras") as b:
            await b.until("Conv2D")
            await b.scanned()
            await b.until("all read")

    asyncio.run(run())


def test_of_a_large_model_only_what_is_looked_at_is_read(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wtui.engine import session as engine
    from wtui.engine.protocol import Finished, Look, Progress, Scanned

    path = transformer(tmp_path / "model.safetensors", 3)
    found = open_catalogue(server.address + path.name)
    monkeypatch.setattr(engine, "ON_DEMAND", 1000)
    session = engine.Session(found)
    session.start()
    small = found.index("model.layers.1.mlp.up_proj.weight")
    session.ask(Look(small, ()))
    answers: list[object] = []
    try:
        while not any(isinstance(a, Scanned) for a in answers):
            answers += session.answers()
        for _ in range(4):
            answers += session.answers()
    finally:
        session.close()
    assert {i for a in answers if isinstance(a, Scanned) for i, _ in a.rows} == {small}
    assert any(isinstance(a, Progress) and a.on_demand for a in answers)
    assert not any(isinstance(a, Finished) for a in answers)
    assert server.bytes_asked < MB
    assert path.stat().st_size > 8 * MB


def test_opening_here_imports_nothing_for_elsewhere() -> None:
    code = f"import sys, wtui\nwtui.open({str(DEMO / 'healthy.keras')!r})\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"fsspec", "aiohttp", "asyncio", "socket", "ssl", "wtui.storage.remote"} & set(loaded)


def publish(server: Server, name: str, files: list[Path]) -> None:
    """Let the server tell of a repository as a hub does."""
    listed = [{"type": "file", "oid": "0", "size": p.stat().st_size, "path": p.name} for p in files]
    about = json.dumps({"id": name, "sha": "0" * 40, "siblings": []}).encode()
    for revision in ("", "/revision/main"):
        server.json[f"api/models/{name}{revision}"] = about
    server.json[f"api/models/{name}/tree/main"] = json.dumps(listed).encode()


def ls(server: Server, path: str) -> subprocess.CompletedProcess[str]:
    """`wtui ls` with the server for a hub."""
    env = {**os.environ, "HF_ENDPOINT": server.address.rstrip("/"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    return subprocess.run([sys.executable, "-m", "wtui", "ls", path], capture_output=True, text=True, env=env)


def test_the_hub(tmp_path: Path, server: Server) -> None:
    """`hf://` against a hub of our own: a folder of shards with its configuration, and a single file."""
    pytest.importorskip("huggingface_hub")
    names = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    for i, name in enumerate(names):
        write_safetensors(tmp_path / name, {f"model.layers.{i}.mlp.weight": np.full((2, 2), i, np.float32)})
    index = {"weight_map": {f"model.layers.{i}.mlp.weight": name for i, name in enumerate(names)}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").write_text('{"architectures": ["TinyForCausalLM"]}')
    publish(server, "owner/tiny", list(tmp_path.iterdir()))
    folder = ls(server, "hf://owner/tiny")
    assert folder.returncode == 0, folder.stderr
    assert "TinyForCausalLM" in folder.stdout
    assert "model.layers.1.mlp.weight" in folder.stdout
    server.requests.clear()
    single = ls(server, f"hf://owner/tiny/{names[0]}")
    assert single.returncode == 0, single.stderr
    assert "model.layers.0.mlp.weight" in single.stdout
    assert len(server.requests) == 1
    for path in ("hf://owner/nothing", "hf://owner", "hf://owner/tiny/nothing.safetensors"):
        missing = ls(server, path)
        assert missing.returncode == 2
        assert missing.stderr.startswith(f"wtui: {path}: ")
        assert missing.stderr.count("\n") == 1


def test_folders_of_other_formats_on_the_hub(tmp_path: Path, server: Server) -> None:
    pytest.importorskip("huggingface_hub")
    from tests.formats.gguf_files import gguf_bytes
    from tests.formats.test_gguf import floats
    from tests.formats.torch_folders import sharded

    sharded(tmp_path)
    publish(server, "owner/torch", list(tmp_path.iterdir()))
    found = ls(server, "hf://owner/torch")
    assert found.returncode == 0, found.stderr
    assert "PyTorch, 2 shards" in found.stdout
    for kind in ("Q4", "Q8"):
        (tmp_path / f"tiny-{kind}.gguf").write_bytes(gguf_bytes({}, [floats("token_embd.weight", 4, 8)]))
    publish(server, "owner/gguf", [tmp_path / "tiny-Q4.gguf", tmp_path / "tiny-Q8.gguf"])
    several = ls(server, "hf://owner/gguf")
    assert several.returncode == 2
    assert "name one of its files: tiny-Q4.gguf, tiny-Q8.gguf" in several.stderr
    assert ls(server, "hf://owner/gguf/tiny-Q8.gguf").returncode == 0
    publish(server, "owner/one", [tmp_path / "tiny-Q4.gguf"])
    assert ls(server, "hf://owner/one").returncode == 0, "the only one there is"
