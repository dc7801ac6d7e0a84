"""`wtui spectrum`: singular values of kernels, and what follows from them: norms, ranks, condition, power law."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from wtui.cli import output
from wtui.cli.options import data_parser, open_model, selected_tensors
from wtui.cli.status import Exit, Narration
from wtui.errors import CodecError, UsageError, WtuiError
from wtui.insight.matrices import matrix_axes, worth_a_spectrum
from wtui.render.spectrum import SPECTRUM_METRICS

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from wtui.api import Model
    from wtui.handles import Tensor
    from wtui.render.spans import Line
    from wtui.stats.spectrum_row import SpectrumRow

__all__ = ["run"]

DESCRIPTION = """Singular values of a tensor's matrix, or of all kernels: spectral norm, stable and
effective rank, condition, the edge of what independent values would give
(Marchenko-Pastur), and the exponent alpha of a power law with its fit.

A convolution is seen as WeightWatcher sees it: a matrix of input by output channels
for each place of its window, their singular values taken together. Up to 4,096 on the
shorter side all singular values are found, in float64; beyond, the 64 largest by a
randomised iteration, marked so, with their error; then ranks and alpha are not told.
From 513 on they are roots of the eigenvalues of W'W: the largest are right to 13
digits, those below 1e-6 of the largest cannot be told from 0.
Exit code 3: not everything could be measured."""

EXAMPLES = """  wtui spectrum vgg16.keras
  wtui spectrum vgg16.keras fc2/kernel
  wtui spectrum vgg16.keras --depth alpha
  wtui spectrum model.safetensors --select '*q_proj*' --json | jq '.tensors[].stable_rank'"""

KEYS = tuple(m.key for m in SPECTRUM_METRICS)

PLOT_ROWS = 16

MOST_THREADS = 8
"""More make a matrix of a few thousand rows no quicker."""


def run(arguments: Sequence[str]) -> int:
    """Measure and print; the exit code."""
    parser = data_parser("wtui spectrum", DESCRIPTION, EXAMPLES, csv=True)
    parser.add_argument("name", metavar="NAME", nargs="?", help="one tensor, with its singular values as a plot")
    parser.add_argument("--depth", choices=KEYS, metavar="METRIC", help=f"plot along the depth: {', '.join(KEYS)}")
    parser.add_argument("--log", action="store_true", help="draw singular values on a logarithmic scale")
    options = parser.parse_intermixed_args(arguments)
    _leave_room()
    if options.name is not None and (options.select or options.depth):
        raise UsageError("NAME is one tensor", hint="give it, or --select and --depth")
    with open_model(options) as model:
        if options.name is not None:
            return _one(model, options)
        return _many(model, options)


def _leave_room() -> None:
    """Take as many BLAS threads as there are idle processors, before numpy is loaded: threads that wait for each other
    in busy loops made a spectrum six times slower on a machine that had other work."""
    idle = (os.cpu_count() or 1) - round(os.getloadavg()[0])
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, str(max(1, min(idle, MOST_THREADS))))


def _one(model: Model, options: Namespace) -> int:
    """One tensor in full."""
    tensor = model.tensor(options.name)
    with Narration() as tell:
        row = tensor.spectrum(_watched(tell, tensor.name))
    assert row is not None
    said = _said(model, tensor)
    if options.json:
        values = [float(x) for x in row.values]
        output.write_json(
            {**_head(model), "tensors": [{**_document(tensor.name, said, row), "singular_values": values}]}
        )
    elif options.csv:
        output.write_csv(*_table([_document(tensor.name, said, row)]))
    else:
        output.write_plot(_drawn(tensor, row, said, options), options.ascii)
    return Exit.DONE


def _drawn(tensor: Tensor, row: SpectrumRow, said: str, options: Namespace) -> list[Line]:
    from wtui.render.plots import rank_plot
    from wtui.render.spans import escape
    from wtui.render.spectrum import number_lines

    size = output.terminal_size()
    width = size[0] if size else output.PLOT_COLUMNS[0]
    scale = "logarithmic" if options.log else "linear"
    title: Line = [(f"singular values of {escape(tensor.name)} by rank, {scale}", "bold")]
    plot = rank_plot(row.values, min(width, output.PLOT_COLUMNS[1]), PLOT_ROWS, options.log)
    return [*number_lines(row, said, width), [], title, *plot]


def _many(model: Model, options: Namespace) -> int:
    """All kernels, or what was selected."""
    chosen = selected_tensors(model, options.select)
    if chosen is None:
        known = sorted([*model.tensors, *model.other_tensors], key=lambda t: t.index)
        chosen = [t for t in known if worth_a_spectrum(t.entry, model.layer(t.layer).node)]
    if not chosen:
        raise UsageError("there is no kernel in it", model.path, "--select names any tensors")
    rows, problems = _measured(chosen)
    if not rows:
        raise CodecError(f"no spectrum: {next(iter(problems.values()))}", model.path)
    if options.json or options.csv:
        documents = [_document(t.name, _said(model, t), rows[t.name]) for t in chosen if t.name in rows]
        _write_data(model, documents, problems, options.json)
    elif options.depth:
        _write_depth(chosen, rows, options)
    else:
        from wtui.render.spectrum import table_lines

        size = output.terminal_size()
        output.write_lines(table_lines(rows, problems, size and size[0]), options.ascii)
    return Exit.PARTIAL if problems else Exit.DONE


def _measured(chosen: Sequence[Tensor]) -> tuple[dict[str, SpectrumRow], dict[str, str]]:
    """Rows and problems by name; progress is told in a terminal."""
    rows: dict[str, SpectrumRow] = {}
    problems: dict[str, str] = {}
    with Narration() as tell:
        for number, tensor in enumerate(chosen, 1):
            where = f"{number} of {len(chosen)}  {tensor.name}"
            try:
                row = tensor.spectrum(_watched(tell, where))
            except WtuiError as error:
                problems[tensor.name] = error.what
                continue
            if row is not None:
                rows[tensor.name] = row
    return rows, problems


def _watched(tell: Narration, where: str) -> Callable[[float], bool]:
    """Tells the share that is done, and never stops."""

    def watch(share: float) -> bool:
        tell(f"{where}  {100 * share:.0f} %")
        return False

    return watch


def _write_data(model: Model, documents: list[dict[str, Any]], problems: dict[str, str], json: bool) -> None:
    if json:
        head = _head(model)
        head["warnings"] += [{"tensor": name, "message": why} for name, why in problems.items()]
        output.write_json({**head, "tensors": documents})
    else:
        output.write_csv(*_table(documents))


def _write_depth(chosen: Sequence[Tensor], rows: dict[str, SpectrumRow], options: Namespace) -> None:
    """A metric along the depth."""
    from wtui.render.plots import depth_plot
    from wtui.render.spectrum import spectrum_points

    metric = next(m for m in SPECTRUM_METRICS if m.key == options.depth)
    points = spectrum_points(
        metric, [t.index for t in chosen], {t.index: rows[t.name] for t in chosen if t.name in rows}
    )
    size = output.terminal_size()
    width = min(size[0], output.PLOT_COLUMNS[1]) if size else output.PLOT_COLUMNS[0]
    missing = len(chosen) - len(points)
    title: Line = [(metric.name, "bold"), (f" by depth  {len(chosen):,} kernels", "dim")]
    title += [(f", {missing} without", "dim")] if missing else []
    plot = depth_plot(points, len(chosen), None, width, PLOT_ROWS)
    output.write_plot([title, *(plot or [[("no such number in any of them", "dim")]])], options.ascii)


def _said(model: Model, tensor: Tensor) -> str:
    return matrix_axes(tensor.entry, model.layer(tensor.layer).node, model.format).said


def _head(model: Model) -> dict[str, Any]:
    from wtui.cli.documents import head

    return head(model)


def _document(name: str, said: str, row: SpectrumRow) -> dict[str, Any]:
    """One tensor's numbers; null where one is missing, and why under `skipped`."""
    from wtui.cli.documents import finite

    law = row.power_law
    numbers = {
        "name": name, "seen_as": said, "matrices": row.matrices, "rows": row.rows, "columns": row.columns,
        "method": row.method, "exact": row.method != "randomised", "relative_error": row.error,
        "spectral_norm": row.spectral_norm, "frobenius": row.frobenius, "stable_rank": row.stable_rank,
        "effective_rank": row.effective_rank, "rank": row.rank, "condition": row.condition, "edge": row.edge,
        "beyond_edge": row.beyond, "alpha": law and law.alpha, "alpha_error": law and law.error,
        "alpha_distance": law and law.distance, "alpha_start": law and law.start, "alpha_tail": law and law.tail,
        "alpha_rejected": law and law.rejected,
    }  # fmt: skip
    plain = {k: finite(v) if isinstance(v, float) else v for k, v in numbers.items()}
    return {**plain, "skipped": dict(row.skipped)}


def _table(documents: list[dict[str, Any]]) -> tuple[list[str], list[list[object]]]:
    from wtui.cli.documents import csv_table

    plain = [{k: v for k, v in d.items() if k != "skipped"} for d in documents]
    return csv_table(plain)
