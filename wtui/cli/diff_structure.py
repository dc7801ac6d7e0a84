"""`wtui diff --structure A B`: would the weights of A load into B? From headers alone."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from wtui.cli import output
from wtui.cli.documents import SCHEMA
from wtui.cli.options import open_model
from wtui.cli.status import Exit, Narration
from wtui.errors import FormatError, UsageError, WtuiError

if TYPE_CHECKING:
    from argparse import Namespace

    from wtui.api import Model
    from wtui.insight.loading import Fitting, Structure
    from wtui.live.applications import BuiltFile
    from wtui.model import TensorEntry

__all__ = ["would_load"]


def would_load(options: Namespace) -> int:
    """Compare names and shapes, and print; 0 if A loads as it is, 1 if not, 3 if it would but something is lost."""
    _check(options)
    from wtui.comparing.selection import matching, not_matched, selector
    from wtui.comparing.structure import would_load as compare_structure

    with ExitStack() as stack:
        a, b = (stack.enter_context(_opened(options, path)) for path in options.paths)
        if options.select:
            if not any(matching(m.catalogue, options.select) for m in (a, b)):
                raise not_matched([a.catalogue, b.catalogue], options.select)
            found = compare_structure(a.catalogue, b.catalogue, selector(options.select))
        else:
            found = compare_structure(a.catalogue, b.catalogue)
        if options.json:
            output.write_json(_document(a, b, found))
        elif options.csv:
            from wtui.cli.diff_documents import csv_table

            output.write_csv(*csv_table(_rows(found)))
        else:
            _write(a, b, found, options.ascii)
        lost = any(n.lost for m in (a, b) for n in m.warnings)
    return Exit.DIFFERENT if not found.loads else Exit.PARTIAL if lost else Exit.DONE


def _opened(options: Namespace, path: str) -> Model:
    """A model, or what Keras builds from a configuration without weights."""
    try:
        return open_model(options, path)
    except FormatError:
        from wtui.live.from_config import build_from_config, keras_config

        config = keras_config(path)
        if config is None:
            raise
        with Narration() as tell:
            tell("building the model with Keras")
            file = build_from_config(config, path)
        return _model_of(file, path)


def _model_of(file: BuiltFile, path: str) -> Model:
    """A model that was built for its names and shapes, called by the path of its configuration."""
    from wtui.api import Model
    from wtui.formats import open_catalogue

    try:
        catalogue = open_catalogue(file.path)
    except WtuiError:
        file.close()
        raise
    catalogue.path = path
    return Model(catalogue, cache=False, built=file)


def _check(options: Namespace) -> None:
    """UsageError for options that ask for values, or for more than two models."""
    if len(options.paths) != 2:
        raise UsageError("--structure is for two models", hint="the weights, and the model they are for")
    for name in ("sort", "changed", "tolerance", "all", "expect_frozen"):
        if getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} asks for values, and --structure reads none")


def _write(a: Model, b: Model, found: Structure, ascii: bool) -> None:
    from wtui.render.differences import head_lines, notices_of
    from wtui.render.loading import structure_lines

    size = output.terminal_size()
    catalogues = a.catalogue, b.catalogue
    notices = notices_of(catalogues, size and size[0])
    output.write_lines([*head_lines(catalogues), *notices, [], *structure_lines(found, size and size[0])], ascii)


def _document(a: Model, b: Model, found: Structure) -> dict[str, Any]:
    notices = [(m.path, n) for m in (a, b) for n in m.warnings]
    return {
        "schema": SCHEMA,
        "a": a.path,
        "b": b.path,
        "warnings": [{"model": path, "tensor": n.tensor or None, "message": n.message} for path, n in notices],
        "loads": found.loads,
        "would_load": found.would_load,
        "take_off": found.taken_off or None,
        "put_before": found.put_before or None,
        "transposes": [{"layout": text, "tensors": n} for text, n in found.transposes],
        "missing": [t.name for t in found.missing],
        "unexpected": [t.name for t in found.unexpected],
        "mismatched": [f.b.name for f in found.mismatched],
        "renamed": [{"a": f.a.name, "b": f.b.name} for f in found.renamed],
        "tensors": _rows(found),
    }


def _rows(found: Structure) -> list[dict[str, Any]]:
    """An entry for each tensor: those of B that have a partner, those that are missing, those that are unexpected."""
    states = [(f, "loads" if f.loads else "changed") for f in found.fitting]
    states += [(f, "mismatched") for f in found.mismatched]
    rows = [_row(state, f.a, f.b, f) for f, state in states]
    rows += [_row("missing", None, t, None) for t in found.missing]
    return rows + [_row("unexpected", t, None, None) for t in found.unexpected]


def _row(state: str, a: TensorEntry | None, b: TensorEntry | None, fitting: Fitting | None) -> dict[str, Any]:
    return {
        "state": state,
        "a": a.name if a else None,
        "b": b.name if b else None,
        "paired_by": fitting.paired_by if fitting else None,
        "layout": (fitting.transpose or None) if fitting else None,
        "a_shape": list(a.shape) if a else None,
        "b_shape": list(b.shape) if b else None,
        "a_dtype": a.dtype if a else None,
        "b_dtype": b.dtype if b else None,
    }
