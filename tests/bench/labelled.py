"""How right the insights are, on a labelled set: models trained for real, untrained ones, and one planted fault each.

`python -m tests.bench.labelled [--cache FOLDER] [--torch-python PATH] [--wild PATH ...]` trains what the cache does not
hold yet (a quarter of an hour on two cores), then prints how often the true initialiser is among those named, precision
and recall of every rule, and false alarms on trained models, including those that nobody here wrote. PyTorch models
need an interpreter that has torch; without one the set is Keras's alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tests.bench import labelled_blocks, labelled_files
from tests.bench.labelled_faults import FAULTS, plant
from tests.bench.labelled_norms import NORM_FAULTS
from tests.bench.labelled_patterns import no_pattern, pattern
from tests.bench.labelled_scores import Tally
from tests.bench.report import heading, line
from wtui.checking import Examination, Report
from wtui.engine.scan import Scanner
from wtui.errors import WtuiError
from wtui.formats import open_catalogue
from wtui.insight.verdicts import verdict
from wtui.model import Catalogue, LayerNode
from wtui.storage import Files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wtui.insight.types import Verdict

__all__ = ["main"]

NAMES = {
    "GlorotUniform": "glorot_uniform", "GlorotNormal": "glorot_normal", "HeUniform": "he_uniform",
    "HeNormal": "he_normal", "LecunUniform": "lecun_uniform", "LecunNormal": "lecun_normal",
    "RandomNormal": "random_normal(0.05)", "RandomUniform": "random_uniform(-0.05, 0.05)",
    "Orthogonal": "orthogonal", "OrthogonalInitializer": "orthogonal", "default": "torch default",
    "normal(0.02)": "N(0, 0.02)", "recurrent default": "torch recurrent default",
    "embedding default": "N(0, 1), torch default",
}  # fmt: skip
"""What the labels call an initialiser -> what a verdict calls it."""

MIN_WEIGHTS = 256
"""Weights from which the true initialiser must be named."""

MODEL_SUFFIXES = (".h5", ".keras", ".safetensors", ".pth", ".pt", ".onnx", ".tflite", ".index", ".jit", ".gguf")


class Place(NamedTuple):
    """A folder of the set."""

    folder: Path
    suffix: str
    initialisers: dict[str, str]

    def file(self, name: str) -> Path:
        return self.folder / f"{name}{self.suffix}"


def places(cache: Path) -> list[Place]:
    """Everything that was made."""
    found = []
    for label in sorted(cache.glob("*/label.json")):
        suffix = ".keras" if label.parent.name.startswith("keras") else ".safetensors"
        found.append(Place(label.parent, suffix, json.loads(label.read_text())["initialisers"]))
    return found


def make(cache: Path, torch_python: str | None) -> None:
    """Train what is not there yet."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    np.savez(cache / "digits.npz", x=(x / 16.0).astype(np.float32), y=y.astype(np.int64))
    subprocess.run([sys.executable, "-m", "tests.bench.labelled_keras", str(cache)], check=True)
    interpreter = torch_python or (sys.executable if find_spec("torch") else None)
    if interpreter:
        script = Path(__file__).with_name("labelled_torch.py")
        subprocess.run([interpreter, str(script), str(cache)], check=True)
        subprocess.run([interpreter, "-m", "tests.bench.labelled_language", str(cache)], check=True)
    else:
        print("no torch: the set is Keras's alone")


def examine(path: Path) -> tuple[Catalogue, Report]:
    """Everything wtui finds in a file."""
    catalogue = open_catalogue(str(path))
    files = Files(catalogue.files)
    try:
        return catalogue, Examination(catalogue, files).run()
    finally:
        files.close()


def verdicts_without_configuration(path: Path) -> dict[str, Verdict]:
    """Verdicts as if the file recorded no initialiser, by tensor name."""
    catalogue = open_catalogue(str(path))
    owner = {i: node for node in catalogue.root.walk() for i in node.tensors}
    found = {}
    for outcome in Scanner(catalogue, Files(catalogue.files), list(owner)).outcomes():
        tensor, node = catalogue.tensors[outcome.tensor], owner[outcome.tensor]
        bare = LayerNode(node.name, node.path, node.class_name)
        siblings = [catalogue.tensors[i] for i in node.tensors]
        if outcome.summary is not None:
            found[tensor.name] = verdict(outcome.summary, tensor, bare, catalogue.format, siblings)
    return found


def initialisers(places: Sequence[Place]) -> dict[str, Any]:
    """How often the true one is named, and how many names there are."""
    heading("initialisers of untrained kernels of at least 256 weights, without the file's configuration")
    named: dict[str, list[tuple[bool, int, str]]] = defaultdict(list)
    unmatched = 0
    for place in places:
        found = verdicts_without_configuration(place.file("initial"))
        for path, true in place.initialisers.items():
            name = next((n for n in found if path.endswith(n) or n.endswith(path)), None)
            if name is None:
                unmatched += 1
                continue
            one, wanted = found[name], NAMES.get(true, true)
            if one.evidence and _size(place, name) >= MIN_WEIGHTS:
                hit = any(wanted in group.split(" = ") for group in one.names)
                named[f"{place.suffix[1:]} {true}"].append((hit, len(one.names), one.state))
    for true, results in sorted(named.items()):
        states = Counter(state for _, _, state in results)
        hits, names = np.mean([h for h, _, _ in results]), np.mean([n for _, n, _ in results])
        text = f"{len(results)} kernels, {states['initial']} decided, {states['open']} cannot tell"
        line(f"{true}: {text}", f"{hits:.1%}, {names:.2f} names")
    everything = [r for results in named.values() for r in results]
    hits, names = np.mean([h for h, _, _ in everything]), np.mean([n for _, n, _ in everything])
    what = f"true one named ({len(everything)} kernels, {unmatched} unmatched)"
    line(what, f"{hits:.2%}", "at least 99 %", bool(hits >= 0.99))
    line("names on average", f"{names:.3f}", "at most 1.3", bool(names <= 1.3))
    return {"kernels": len(everything), "named": round(float(hits), 4), "names": round(float(names), 3)}


def _size(place: Place, name: str, known: dict[tuple[Path, str], int] = {}) -> int:  # noqa: B006
    key = place.folder, name
    if key not in known:
        known.update({(place.folder, t.name): t.size for t in open_catalogue(str(place.file("initial"))).tensors})
    return known[key]


def faults(places: Sequence[Place], languages: Sequence[Path], copies: int) -> dict[str, Any]:
    """Recall of planted faults, and precision over everything that was found in all these files."""
    tally, planters = Tally(), (*FAULTS, *NORM_FAULTS, pattern, no_pattern)
    with tempfile.TemporaryDirectory() as folder:
        for number, place in enumerate(places):
            before = {(f.rule, f.tensor) for f in examine(place.file("trained"))[1].findings}
            copy = Path(folder) / f"copy{place.suffix}"
            for again in range(copies):
                seed = 100 * number + again
                for planted in plant(place.file("trained"), place.file("twin"), copy, seed, planters):
                    catalogue, report = examine(copy)
                    tally.add(place.folder.name, catalogue, planted, report, before)
        _files(places, languages, copies, Path(folder) / "case", tally)
    tally.print()
    return tally.document()


def _files(places: Sequence[Place], languages: Sequence[Path], copies: int, folder: Path, tally: Tally) -> None:
    """Faults of how weights are stored, in the PyTorch models, and of language models as a whole; each file once."""
    known = set()
    stored = [p.file("trained") for p in places if p.suffix == ".safetensors"]
    for number, path in enumerate((*stored, *languages)):
        is_file = path.is_file()
        make_cases = labelled_files.cases if is_file else labelled_blocks.cases
        for again in range(copies if is_file else 3 * copies):  # language models are few
            for case in make_cases(path, folder, np.random.default_rng((number, again))):
                key = path, case.planted.fault, _digest(folder)
                if key in known:
                    continue  # nothing in it is drawn at random
                known.add(key)
                catalogue, report = examine(case.path)
                where = path.parent.name if path.is_file() else path.name
                tally.add(where, catalogue, case.planted, report, set())


def _digest(folder: Path) -> bytes:
    """Of all files in a folder."""
    found = blake2b()
    for path in sorted(folder.iterdir()):
        found.update(path.name.encode() + path.read_bytes())
    return found.digest()


def healthy(files: Sequence[Path], what: str) -> dict[str, Any]:
    """False alarms on trained models."""
    heading(f"trained models, {what}: errors, warnings, infos; layers")
    errors = warnings = layers = judged = over = 0
    rules = Counter[str]()
    for path in files:
        try:
            catalogue, report = examine(path)
        except WtuiError as error:
            print(f"      not read: {error}")
            continue
        found = Counter(f.severity for f in report.findings)
        own = sum(bool(node.tensors) for node in catalogue.root.walk())
        errors, warnings = errors + found["error"], warnings + found["warning"]
        layers, judged = layers + own, judged + len(report.rows)
        over += found["warning"] > -(-own // 20)
        rules.update(f.rule for f in report.findings)
        for f in report.findings:
            if f.severity != "info":
                print(f"      {path.name}: {f.severity} {f.rule} {f.tensor}: {f.message}")
    line(f"errors in {len(files)} files, {layers} layers, {judged} tensors", str(errors), "none", errors == 0)
    line("warnings", str(warnings), "1 per 20 layers", warnings <= layers / 20)
    line("files with more than one warning per 20 layers, rounded up", str(over), "none", over == 0)
    line("infos by rule", str(sum(rules.values()) - errors - warnings))
    print(f"      {dict(rules)}")
    counts = {"files": len(files), "layers": layers, "errors": errors, "warnings": warnings, "over": over}
    return {**counts, "rules": dict(sorted(rules.items()))}


def untrained(places: Sequence[Place]) -> dict[str, int]:
    """Untrained models must be called so."""
    heading("untrained models")
    told, alarms = 0, Counter[str]()
    for place in places:
        found = examine(place.file("initial"))[1].findings
        told += any(f.rule == "untrained-model" for f in found)
        alarms.update(f.rule for f in found if f.severity != "info")
    line(f"called untrained, of {len(places)} (the others: cannot tell)", str(told))
    line("errors and warnings in them", str(sum(alarms.values())), "none", not alarms)
    if alarms:
        print(f"      {dict(alarms)}")
    return {"files": len(places), "told": told, "alarms": sum(alarms.values())}


def wild_files(roots: Sequence[Path]) -> list[Path]:
    """Model files below these folders."""
    return [p for root in roots for p in sorted(root.rglob("*")) if p.suffix in MODEL_SUFFIXES and p.is_file()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Make, examine, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "wtui-labelled")
    parser.add_argument("--torch-python", help="an interpreter that has torch")
    parser.add_argument("--wild", type=Path, nargs="*", default=[], help="folders of models that nobody here wrote")
    parser.add_argument("--copies", type=int, default=3, help="times that each fault is planted in each model")
    parser.add_argument("--save", type=Path, help="where the counts go: wtui/insight/data/measured.json publishes them")
    options = parser.parse_args(arguments)
    if missing := [str(root) for root in options.wild if not root.is_dir()]:
        parser.error(f"no such folder: {', '.join(missing)}")
    options.cache.mkdir(parents=True, exist_ok=True)
    make(options.cache, options.torch_python)
    found = places(options.cache)
    languages = sorted(path.parent for path in options.cache.glob("*/made.json"))
    document = {"initialisers": initialisers(found), "untrained": untrained(found)}
    trained = [p.file("trained") for p in found] + [p / "trained.safetensors" for p in languages]
    document["healthy"] = healthy(trained, "trained here")
    document |= faults(found, languages, options.copies)
    if options.wild:
        document["wild"] = healthy(wild_files(options.wild), "that nobody here wrote")
        document["wild"]["from"] = sorted({p.name for root in options.wild for p in root.iterdir()})
    if options.save:
        options.save.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
