"""Which part of a tensor the window of values shows, and what it is called."""

from __future__ import annotations

from wtui.render.slices import box_of, first_view, moved, split_name, turned

KERNEL = ("height", "width", "in", "out")


def test_the_last_two_axes_come_first() -> None:
    view = first_view((3, 3, 512, 512), 80, 22)
    assert view.described(KERNEL) == "height 0 · width 0 · in ↓ 0:21 · out → 0:6"
    assert view.described(()) == "axis 0 0 · axis 1 0 · axis 2 ↓ 0:21 · axis 3 → 0:6"


def test_an_axis_of_one_index_is_no_row() -> None:
    view = first_view((3, 5, 1, 8), 120, 22)
    assert view.described(KERNEL) == "height 0 · width ↓ 0:5 · in 0 · out → 0:8"
    assert box_of(moved(view, 0, 0, 1)) == ((1, 0, 0, 0), (2, 5, 1, 8))
    assert turned(view).described(KERNEL).count("↓") == 1


def test_vectors_and_scalars_have_one_row() -> None:
    assert first_view((10,), 80, 22).described(("out",)) == "out → 0:6"
    assert first_view((), 80, 22).described(()) == ""
    assert first_view((1, 4), 80, 22).described(()) == "axis 0 ↓ 0:1 · axis 1 → 0:4"


def test_rows_and_columns_of_a_matrix_are_named() -> None:
    assert split_name((3, 3, 2, 8), KERNEL, 3) == "rows height × width × in, columns out"
    assert split_name((3, 4), (), 1) == "rows 3, columns 4"
    assert split_name((4,), ("out",), 0) == "rows 1, columns out"
