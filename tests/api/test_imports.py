"""What importing wtui and opening files must not import (law 5 of the design), seen from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wtui

DEMO = Path(wtui.__file__).parent / "demo" / "models"

HEAVY = {"numpy", "textual", "tensorflow", "keras", "plotext", "numba", "h5py", "pyfive", "rich", "ml_dtypes"}


def imported_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has imported after running `code`."""
    script = f"{code}\nimport sys\nprint(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_wtui_imports_nothing_else() -> None:
    assert not imported_by("import wtui; wtui.__version__") & (HEAVY | {"json", "argparse", "zipfile"})


@pytest.mark.parametrize("name", ["healthy.keras", "colleague.h5"])
def test_opening_a_file_imports_nothing_heavy(name: str) -> None:
    code = f"import wtui\nwith wtui.open({str(DEMO / name)!r}) as m:\n    list(m.layers), list(m.tensors), m.totals"
    assert not imported_by(code) & HEAVY


def test_summaries_import_neither_screen_nor_frameworks() -> None:
    code = f"import wtui\nwith wtui.open({str(DEMO / 'healthy.keras')!r}) as m:\n    m.summary().row(), m.report()"
    loaded = imported_by(code)
    assert "numpy" in loaded
    assert not loaded & {"textual", "tensorflow", "keras", "plotext"}


def test_comparing_imports_neither_screen_nor_frameworks() -> None:
    paths = [str(DEMO / "digits-run" / f"epoch-{i}.keras") for i in (1, 2)]
    loaded = imported_by(f"import wtui\nwtui.compare(*{paths!r})")
    assert "numpy" in loaded
    assert not loaded & {"textual", "tensorflow", "keras", "plotext"}


def test_asking_whether_weights_load_imports_nothing_heavy() -> None:
    paths = [str(DEMO / name) for name in ("healthy.keras", "colleague.h5")]
    code = f"from wtui.__main__ import main\nmain(['diff', '--structure', *{paths!r}])"
    loaded = imported_by(f"import io, sys\nout, sys.stdout = sys.stdout, io.StringIO()\n{code}\nsys.stdout = out")
    assert not loaded & HEAVY


def test_public_names_exist() -> None:
    for name in wtui.__all__:
        assert getattr(wtui, name) is not None
        assert name in dir(wtui)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        wtui.nothing  # noqa: B018
    assert (Path(wtui.__file__).parent / "py.typed").exists()
