"""What names of checkpoints say: epochs, steps, numbers, and figures written into them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wtui.series.members import is_temporary
from wtui.series.places import pattern, places


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["epoch-2.keras", "epoch-10.keras"], ["epoch 2", "epoch 10"]),
        (["vgg16_e1.h5", "vgg16_e2.h5"], ["epoch 1", "epoch 2"]),
        (["cp-0001.weights.h5", "cp-0012.weights.h5"], ["cp 1", "cp 12"]),
        (["ckpt-1.index", "ckpt-12.index"], ["ckpt 1", "ckpt 12"]),
        (["checkpoint-500", "checkpoint-1000"], ["checkpoint 500", "checkpoint 1000"]),
        (["global_step1000", "global_step2000"], ["step 1000", "step 2000"]),
        (["m-epoch=3-step=1200.ckpt", "m-epoch=4-step=1600.ckpt"], ["epoch 3, step 1200", "epoch 4, step 1600"]),
        (["1", "2", "10"], ["number 1", "number 2", "number 10"]),
        (["run7-20240102-120000.pt", "run7-20240102-130000.pt"], ["number 120000", "number 130000"]),
        (["best.keras"], [""]),
    ],
)
def test_labels(names: list[str], labels: list[str]) -> None:
    assert [n.place.label for n in places(names)] == labels


def test_order_is_that_of_numbers_not_of_letters() -> None:
    names = [f"epoch-{n}.keras" for n in (10, 9, 100, 1)]
    ordered = sorted(names, key=lambda n: places([n])[0].place.order)
    assert ordered == ["epoch-1.keras", "epoch-9.keras", "epoch-10.keras", "epoch-100.keras"]


def test_figures_in_names() -> None:
    names = ["weights.01-val_loss0.52-val_acc0.90.keras", "weights.02-val_loss0.41-val_acc1.keras"]
    assert [dict(n.figures) for n in places(names)] == [
        {"val_loss": 0.52, "val_acc": 0.9},
        {"val_loss": 0.41, "val_acc": 1.0},
    ]
    assert [n.place.order for n in places(names)] == [(1,), (2,)]


def test_a_figure_without_a_word_and_a_negative_one() -> None:
    assert dict(places(["01-0.52.keras", "02-0.41.keras"])[0].figures) == {"number in the name": 0.52}
    [named] = places(["epoch=3-elbo_loss=-1.5.ckpt"])
    assert (named.place.epoch, dict(named.figures)) == (3, {"elbo_loss": -1.5})


def test_endings_are_no_numbers() -> None:
    assert pattern("epoch-3.h5") == "epoch-#.h5"
    assert pattern("epoch-3.weights.h5") == "epoch-#.weights.h5"
    assert [n.place.order for n in places(["model.h5"])] == [()]


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=6, unique=True))
def test_names_of_one_run_share_a_pattern_and_keep_their_order(numbers: list[int]) -> None:
    names = [f"ckpt-{n}.index" for n in numbers]
    assert len(set(map(pattern, names))) == 1
    assert [n.place.order for n in places(names)] == [(n,) for n in numbers]


@given(st.text(max_size=40))
def test_any_name_says_something_or_nothing(name: str) -> None:
    pattern(name)
    assert len(places([name])) == 1


@pytest.mark.parametrize(
    "name", [".x.keras", "a.tmp", "a.keras.tmp123", "tmp-checkpoint-500", "ckpt-3.index.tempstate12", "a.part", "a~"]
)
def test_names_of_unfinished_files(name: str) -> None:
    assert is_temporary(name)


@pytest.mark.parametrize("name", ["epoch-1.keras", "temperature.keras", "partial_conv.h5", "locked-3.pt"])
def test_names_of_finished_files(name: str) -> None:
    assert not is_temporary(name)


def test_figures_that_went_wrong_are_figures_of_the_same_run() -> None:
    names = ["epoch-06-val_loss-0.1146.keras", "epoch-07-val_loss-nan.keras", "epoch-08-val_loss-inf.keras"]
    assert {pattern(n) for n in names} == {"epoch-#-val_loss-#.keras"}
    found = places(names)
    assert [n.place.epoch for n in found] == [6, 7, 8]
    assert [repr(n.figures["val_loss"]) for n in found] == ["0.1146", "nan", "inf"]
    assert dict(places(["m-3-loss=-inf-acc=0.5.ckpt"])[0].figures) == {"loss": float("-inf"), "acc": 0.5}


@pytest.mark.parametrize("name", ["a_nan_3.pt", "w.01-inf.h5", "nan-3.pt", "loss_info-3.pt", "val-nanmean-3.pt"])
def test_words_that_only_look_like_figures_that_went_wrong(name: str) -> None:
    assert pattern(name) == re.sub(r"\d+(?=[.-])", "#", name)
    assert all(value == value for value in places([name])[0].figures.values())
