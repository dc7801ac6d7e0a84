"""Whatever goes wrong is one line on stderr that says what, where and what to do; and the code is 2."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import DEMO
from wtui.cli import COMMANDS, ls
from wtui.cli.status import Exit, Progress

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

DATA_COMMANDS = ("ls", "stats", "plot")
MODEL = DEMO / "healthy.keras"


def refused(run: Run, *arguments: object) -> str:
    """The one line that such a run leaves."""
    done = run(*arguments)
    assert done.code == Exit.FAILED
    assert done.out == ""
    assert done.err.startswith("wtui: ")
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    return done.err


@pytest.mark.parametrize("command", [*DATA_COMMANDS, None])
def test_missing_path(run: Run, tmp_path: Path, command: str | None) -> None:
    (tmp_path / "model.keras").write_bytes(b"")
    path = tmp_path / "modle.keras"
    line = refused(run, *([command] if command else []), path)
    assert f"{path}: no such file or folder (did you mean {tmp_path / 'model.keras'}?)" in line


@pytest.mark.parametrize("command", [*DATA_COMMANDS, None])
def test_what_is_no_model(run: Run, tmp_path: Path, command: str | None) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("just words, and some more of them")
    assert f"{path}: looks like plain text" in refused(run, *([command] if command else []), path)


@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_empty_files_and_folders(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "empty.h5").write_bytes(b"")
    assert "an empty file (0 bytes)" in refused(run, command, tmp_path / "empty.h5")
    (tmp_path / "folder").mkdir()
    assert "an empty folder" in refused(run, command, tmp_path / "folder")


@pytest.mark.parametrize("name", ["healthy.keras", "colleague.h5"])
@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_truncated_beyond_reading(run: Run, tmp_path: Path, command: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes((DEMO / name).read_bytes()[:700])
    assert str(path) in refused(run, command, path)


@pytest.mark.parametrize("command", [*DATA_COMMANDS, None])
def test_fifos_are_refused_at_once(run: Run, tmp_path: Path, command: str | None) -> None:
    path = tmp_path / "pipe.keras"
    os.mkfifo(path)
    assert f"{path}: not a regular file" in refused(run, *([command] if command else []), path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_no_permission(run: Run, tmp_path: Path, command: str) -> None:
    path = tmp_path / "secret.keras"
    path.write_bytes(MODEL.read_bytes())
    path.chmod(0)
    assert f"{path}: permission denied" in refused(run, command, path)


def test_what_the_system_refuses_to_open(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object, *_: object) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("wtui.storage.source.os.open", refuse)
    assert f"{MODEL}: permission denied" in refused(run, "ls", MODEL)


def test_a_folder_of_several_models_names_them(run: Run, tmp_path: Path) -> None:
    for name in ("a.keras", "b.keras", "c.keras", "d.keras"):
        (tmp_path / name).write_bytes(MODEL.read_bytes())
    line = refused(run, "ls", tmp_path)
    assert "a folder of several models (name one: " in line
    assert "and 1 more" in line


def test_a_folder_with_one_model_is_that_model(run: Run, tmp_path: Path) -> None:
    (tmp_path / "only.keras").write_bytes(MODEL.read_bytes())
    (tmp_path / "README.md").write_text("words")
    done = run("ls", tmp_path, "--json")
    assert done.code == 0
    assert done.document["path"] == str(tmp_path / "only.keras")


def test_usage(run: Run) -> None:
    assert "the following arguments are required: PATH (see `wtui ls -h`)" in refused(run, "ls")
    assert "unrecognized arguments: --nothing" in refused(run, "ls", MODEL, "--nothing")
    assert "not allowed with argument" in refused(run, "ls", MODEL, "--json", "--csv")
    assert "unrecognized arguments: --csv" in refused(run, "plot", MODEL, "--csv")
    assert "'0' is not a number from 1 to 64" in refused(run, "stats", MODEL, "--threads", 0)
    assert "unknown format 'word' (known: keras" in refused(run, "ls", MODEL, "--format", "word")
    assert "unrecognized arguments: --nothing" in refused(run, MODEL, "--nothing")
    assert "unrecognized arguments: --jso" in refused(run, "ls", MODEL, "--jso")


def test_two_models_without_a_terminal(run: Run) -> None:
    assert "there is no terminal to browse in (wtui diff A B)" in refused(run, MODEL, MODEL)
    assert "the same checkpoint was given twice" in refused(run, MODEL, MODEL, MODEL)


def test_browsing_needs_a_terminal(run: Run) -> None:
    line = refused(run, MODEL)
    assert f"{MODEL}: there is no terminal to browse in (wtui ls PATH, wtui stats PATH)" in line
    assert line == refused(run, "--format", "keras", MODEL)


def test_a_file_called_like_a_command(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ls").write_bytes(MODEL.read_bytes())
    assert "./ls: there is no terminal" in refused(run, "./ls")
    assert run("ls", "ls").code == 0


def test_names_in_errors_are_escaped(run: Run, tmp_path: Path) -> None:
    line = refused(run, "ls", tmp_path / "evil\x1b[2J\n.keras")
    assert "evil\\x1b[2J\\x0a.keras" in line


def test_the_unexpected_is_one_line_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: object) -> int:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(ls, "run", fail)
    line = refused(run, "ls", MODEL)
    assert "ZeroDivisionError: of all things (WTUI_DEBUG=1 shows where" in line
    monkeypatch.setenv("WTUI_DEBUG", "1")
    done = run("ls", MODEL)
    assert done.code == 2
    assert "Traceback" in done.err


def test_interrupts_end_quietly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(ls, "run", interrupt)
    done = run("ls", MODEL)
    assert (done.code, done.out, done.err) == (130, "", "")


def test_without_a_model_in_the_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is no model in this folder" in refused(run)


def test_choosing_without_a_terminal_lists(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, age in (("old.keras", 100), ("new.keras", 200)):
        (tmp_path / name).write_bytes(MODEL.read_bytes())
        os.utime(tmp_path / name, (age, age))
    monkeypatch.chdir(tmp_path)
    for arguments in ([], [tmp_path]):
        done = run(*arguments)
        assert done.code == 2
        lines = done.out.split("\n")
        assert [line.split()[:2] for line in lines[:3]] == [
            ["model", "format"], ["new.keras", "keras"], ["old.keras", "keras"]
        ]  # fmt: skip
        assert "several models, and no terminal to choose in" in done.err


def test_the_demo_without_a_terminal_lists_with_notes(run: Run) -> None:
    done = run("demo")
    assert done.code == 2
    assert "planted: in epoch 5 the learning rate jumped" in done.out
    assert "from a colleague" in done.out
    assert "healthy.keras" in done.out
    assert "unrecognized arguments: more" in refused(run, "demo", "more")


def test_help_and_version(run: Run) -> None:
    done = run("--help")
    assert (done.code, done.err) == (0, "")
    assert done.out == run("-h").out == run("help").out
    for command in COMMANDS:
        assert f"\n  {command}" in done.out
    for command in DATA_COMMANDS:
        text = run("help", command)
        assert text.code == 0
        assert text.out == run(command, "-h").out
        assert f"  wtui {command} vgg16.keras" in text.out
    assert run("--version").out.startswith("wtui 0.")
    assert "there is no command 'nothing' (commands: ls" in refused(run, "help", "nothing")


def test_progress_is_for_terminals(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Progress() as progress:
        progress(1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    now = iter((0.0, 0.1, 1.0, 1.01, 2.0, 3.0))
    monkeypatch.setattr("wtui.cli.status.time.monotonic", lambda: next(now))
    with Progress() as progress:
        progress(1, 100)
        assert capsys.readouterr().err == ""
        progress(50_000_000, 100_000_000)
        progress(50_000_001, 100_000_000)
        assert capsys.readouterr().err == "\r\x1b[K50 %  50.0 MB/s  1 s left"
    assert capsys.readouterr().err == "\r\x1b[K"
