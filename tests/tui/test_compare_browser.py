"""The browser of two models as its user sees it, driven by keys on small real files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.tui.pairs import Models, drive, panel, says, tensors, tree_rows, write_models
from wtui.comparing.protocol import BothCounted, Compared, PairRow
from wtui.render import numbers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tui.driving import PairBrowser


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return write_models(tmp_path_factory.mktemp("pair"))


def test_the_tree_is_one_and_says_what_became_of_everything(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        await b.press("asterisk")
        rows = tree_rows(b)
        assert "=   same" in rows["blocks.3.attn.weight"]
        assert "NaN" in rows["blocks.2.attn.weight"]
        assert "NaN" in rows["blocks.2"]
        assert "50.0 %" in rows["blocks.1.attn.weight"]
        assert "B   only" in rows["fresh.weight"]
        assert "A   only" in rows["old.head.weight"]
        assert "A   only" in rows["blocks.3.attn.scale"], "hung into the layer whose other tensors have partners"
        assert "shape" in rows["proj.weight"]
        outline = b.screen.outline
        assert outline is not None
        names = [outline.catalogue.tensors[i].name for i in outline.catalogue.root.all_tensors()]
        assert names.index("blocks.3.attn.scale") < names.index("fresh.weight") < names.index("old.head.weight")

    drive(models, test)


def test_the_root_says_what_differs_first(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        await says(b, "all weights together")
        text = panel(b)
        for words in (
            "1 tensor NaN or infinite in one only: blocks.2.attn.weight", "1 tensor with other shapes: proj.weight",
            "2 tensors only in A: blocks.3.attn.scale, old.head.weight", "1 tensor only in B: fresh.weight",
            "3 of 8 pairs differ, 5 are the same", "moved most: blocks.0.attn (", "9 by same name",
        ):  # fmt: skip
            assert words in text, (words, text)
        assert text.index("NaN or infinite") < text.index("moved most")

    drive(models, test, 120, 60)


def test_numbers_of_a_pair_are_numpys(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.select("blocks.0.attn.weight")
        await b.until("output channels that moved most")
        x = tensors()["blocks.0.attn.weight"].astype(np.float64)
        y = x.copy()
        y[5] = (tensors()["blocks.0.attn.weight"][5] + np.float32(0.3)).astype(np.float64)
        d = y - x
        cosine = (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())
        v = numbers.value
        expected = [
            v(float(np.abs(d).max())), v(float(np.abs(d).mean())), v(float(d.mean())),
            v(float(np.linalg.norm(d) / np.linalg.norm(x))), numbers.cosine(float(cosine), 6),
            f"6 ({numbers.percent(6, 48)})", "7 of 8 output channels did not move", "1 of 8 moved, half of it in 1",
            *(v(float(w.mean())) for w in (x, y)), *(v(float(w.std())) for w in (x, y)),
            *(v(float(w.min())) for w in (x, y)), *(v(float(np.linalg.norm(w))) for w in (x, y)),
        ]  # fmt: skip
        text = panel(b)
        for number in expected:
            assert number in text, (number, text)
        at = np.unravel_index(np.abs(d).argmax(), d.shape)
        assert at[0] == 5
        assert "at [5, " in text

    drive(models, test)


def test_extremes_of_both_say_where_they_are(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.select("blocks.0.attn.weight")
        await b.until("output channels that moved most")
        x = tensors()["blocks.0.attn.weight"]
        y = x.copy()
        y[5] += np.float32(0.3)
        for name, place in (("min", np.argmin), ("max", np.argmax)):
            expected = [", ".join(map(str, np.unravel_index(place(w), w.shape))) for w in (x, y)]
            v = [numbers.value(float(w.reshape(-1)[place(w)]), 6) for w in (x, y)]
            words = f"{name} {v[0]} {v[1]} at [{expected[0]}] [{expected[1]}]"
            assert words in panel(b), (words, panel(b))
        await b.press("home")
        await says(b, "in A at ")
        await says(b, "in B at ")

    drive(models, test, 120, 60)


def test_what_cannot_be_subtracted_says_why(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.select("proj.weight")
        await says(b, "shapes do not fit: 4×4 in A, 4×6 in B")
        b.select("old.head.weight")
        await says(b, "only in A: nothing in B stands for it")
        b.select("blocks.1.attn.weight")
        await says(b, "scaled rather than changed: B is about 1.5 times")
        b.select("blocks.3.attn.weight")
        await says(b, "identical, bit by bit")
        b.select("blocks.2.attn.weight")
        await says(b, "1 value that is finite in A is NaN or infinite in B")

    drive(models, test)


def test_keys_walk_in_the_order_of_change(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        seen = []
        for _ in range(3):
            await b.press("right_square_bracket")
            seen.append(b.screen.outline.catalogue.tensors[b.screen.subject].name)
        x = tensors()["blocks.0.attn.weight"]
        assert np.linalg.norm(np.full(6, 0.3)) / np.linalg.norm(x) > 0.5
        assert seen == ["blocks.2.attn.weight", "blocks.0.attn.weight", "blocks.1.attn.weight"]
        await b.press("left_square_bracket")
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "blocks.0.attn.weight"
        await b.press("slash", *"fresh", "enter")
        assert b.screen.outline.layer(b.screen.subject).path == "fresh"

    drive(models, test)


def test_both_histograms_are_in_the_same_bins(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        counted: list[BothCounted] = []
        take = b.screen.plots.take
        b.screen.plots.take = lambda answer: (counted.append(answer), take(answer))[1]  # type: ignore[method-assign]
        await b.scanned()
        b.select("blocks.1.attn.weight")
        await says(b, "path: blocks.1.attn.weight")
        number = b.screen.subject
        await b.press("z")
        await b.until("whole range (z), outside A 0 B 0")
        last = [c for c in counted if c.subject == number][-1]
        x = tensors()["blocks.1.attn.weight"]
        y = x * np.float32(1.5)
        assert last.a is not None
        assert last.b is not None
        ends = min(x.min(), y.min()), max(x.max(), y.max())
        for d, values in ((last.a, x), (last.b, y)):
            assert (d.low, d.high) == tuple(float(e) for e in ends)
            counts, _ = np.histogram(values.astype(np.float64), len(d.counts), ends)
            assert list(d.counts) == counts.tolist()
        for sign in ("░░ A", "▒▒ B", "██ both"):
            assert sign in b.text
        await b.press("L")
        await b.until("log (L)")
        bins = len(last.a.counts)
        await b.press("equals_sign")
        await b.until(f"{2 * bins} bins")
        b.select("fresh.weight")
        await b.until("the other has no such tensor")

    drive(models, test)


def test_change_against_depth(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.select("blocks.1.attn.weight")
        await says(b, "path: blocks.1.attn.weight")
        await b.until("relative L2 change by depth")
        await b.until("8 of 8 read")
        view = b.screen.plots.depth_data.view(b.screen.subject, b.screen.results)
        assert view.points[view.current - 1].value == pytest.approx(0.5, rel=1e-6)
        assert [p.value for p in view.points][-1] == 0
        for name in ("mean |d|", "cosine of A and B", "KS distance", "changed %"):
            await b.press("m")
            await b.until(f"{name} by depth")
        await b.press("f")
        await b.until("attention kernels")
        await b.until("4 of 4 read")

    drive(models, test)


def test_values_and_pictures_of_the_difference(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.select("blocks.0.attn.weight")
        await b.press("v")
        x = tensors()["blocks.0.attn.weight"]
        await b.until("blocks.0.attn.weight · B - A")
        await b.until("0.30000")
        await b.press("s")
        await b.until(f"{x[5, 0]:.5f}"[:7])
        assert "· A" in b.text
        await b.press("escape", "p")
        await b.until("mean d of each cell")
        await b.press("tab")
        await b.until("7 did not move")
        await b.press("escape")
        b.select("old.head.weight")
        await b.press("p")
        await b.until("old.head.weight · A")
        await b.until("mean of each cell")

    drive(models, test)


def test_table_export_info_and_help(models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def test(b: PairBrowser) -> None:
        await b.scanned()
        await b.press("t")
        await b.until("12 tensors by rel. L2")
        await b.press("down", "enter")
        await b.pilot.pause()
        assert b.screen.outline.catalogue.tensors[b.screen.subject].name == "blocks.0.attn.weight"
        await b.press("e")
        await b.until(lambda: any(tmp_path.iterdir()))
        await b.until("written to")
        [path] = tmp_path.iterdir()
        document = json.loads(path.read_text())
        assert document["paired_by"] == "name"
        assert document["difference"]["changed"] == 6
        assert document["statistics_a"]["total"] == 48
        await b.press("i")
        await b.until("Recorded about")
        await b.press("escape", "question_mark")
        await b.until("the most changed first")
        assert "as it was initialised" not in b.text
        assert "across all blocks" not in b.text

    drive(models, test)


def test_late_answers_stay_with_their_own_tensor(models: Models) -> None:
    async def test(b: PairBrowser) -> None:
        await b.scanned()
        b.select("blocks.0.attn.bias")
        await b.until("blocks.0.attn.bias")
        before = b.screen.stats_pane.lines
        other = b.screen.outline.catalogue.index("blocks.1.attn.weight")
        late = PairRow(other, None, None, None, problem="made up for the test")
        b.screen.post_message(b.screen.Answered(Compared((late,))))
        await b.pilot.pause()
        assert b.screen.stats_pane.lines == before
        b.select("blocks.1.attn.weight")
        await b.until("made up for the test")

    drive(models, test)
