"""Singular values against numpy's, the numbers that follow from them against their definitions."""

from __future__ import annotations

import time
from math import sqrt

import numpy as np
import pytest

from wtui.stats import symmetric_waves
from wtui.stats.power_law import MIN_VALUES, fit_power_law
from wtui.stats.sketch import WANTED, sketch
from wtui.stats.spectrum import SVD_UP_TO, Found, describe, from_gram, from_matrix, largest_only
from wtui.stats.symmetric import LAPACK_UP_TO, WIDTH, symmetric_eigenvalues
from wtui.stats.symmetric_band import products
from wtui.stats.symmetric_waves import tridiagonalise

RNG = np.random.default_rng(7)


def random_matrix(rows: int, columns: int) -> np.ndarray:
    return RNG.standard_normal((rows, columns))


def of_rank(rank: int, side: int) -> np.ndarray:
    return random_matrix(side, rank) @ random_matrix(rank, side)


@pytest.mark.parametrize("n", [1, 2, LAPACK_UP_TO, LAPACK_UP_TO + 1, 5 * WIDTH, 5 * WIDTH + 1, 6 * WIDTH - 1])
def test_eigenvalues_are_lapacks(n: int) -> None:
    matrix = random_matrix(n, n)
    matrix = matrix + matrix.T
    wanted = np.linalg.eigvalsh(matrix)
    found = symmetric_eigenvalues(matrix.copy())
    assert found is not None
    assert np.abs(found - wanted).max() <= 1e-13 * np.abs(wanted).max()


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((450, 450)),
        np.eye(450),
        np.ones((450, 450)),
        np.diag(np.arange(450.0)),
        np.diag(np.repeat([1.0, -1.0, 1e-8], 150)),
        np.diag(np.ones(449), 1) + np.diag(np.ones(449), -1),
    ],
    ids=["zero", "identity", "ones", "diagonal", "clusters", "tridiagonal"],
)
def test_eigenvalues_of_matrices_without_much_in_them(matrix: np.ndarray) -> None:
    found = symmetric_eigenvalues(matrix.copy())
    assert found is not None
    assert np.abs(found - np.linalg.eigvalsh(matrix)).max() <= 1e-12 * max(np.abs(matrix).sum(axis=0).max(), 1)


@pytest.mark.parametrize("n", [3, 2 * WIDTH, 5 * WIDTH + 7])
def test_a_band_becomes_the_same_tridiagonal_matrix_whatever_the_threads(n: int) -> None:
    band = np.zeros((n, 2 * WIDTH))
    for d in range(min(WIDTH + 1, n)):
        band[: n - d, d] = RNG.standard_normal(n - d)
    made = [band.copy() for _ in range(3)]
    assert all(tridiagonalise(b, WIDTH, threads=threads) for b, threads in zip(made, (1, 2, 5), strict=True))
    assert (made[0] == made[1]).all()
    assert (made[0] == made[2]).all()
    beside = np.diag(made[0][:-1, 1], -1)
    found = np.linalg.eigvalsh(np.diag(made[0][:, 0]) + beside + beside.T)
    lower = sum(np.diag(band[: n - d, d], -d) for d in range(1, min(WIDTH + 1, n)))
    wanted = np.linalg.eigvalsh(np.diag(band[:, 0]) + lower + lower.T)
    assert np.abs(found - wanted).max() <= 1e-13 * np.abs(wanted).max()


def test_an_error_in_one_thread_ends_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(band: np.ndarray, width: int, first: int, *rest: object) -> None:
        if first:
            raise MemoryError

    monkeypatch.setattr(symmetric_waves, "chase", broken)
    with pytest.raises(MemoryError):
        tridiagonalise(np.zeros((600, 2 * WIDTH)), WIDTH, threads=3)


def test_tridiagonalising_can_be_stopped_midway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symmetric_waves, "chase", lambda *_: time.sleep(0.001))
    shares: list[float] = []
    assert not tridiagonalise(np.zeros((3000, 2 * WIDTH)), WIDTH, lambda share: shares.append(share) or len(shares) > 2)  # type: ignore[func-returns-value]
    assert len(shares) == 3
    assert shares == sorted(shares)
    assert shares[-1] < 1


def test_products_of_pieces_are_numpys() -> None:
    matrix = random_matrix(700, 300)
    found = products([matrix[:200], matrix[200:201], matrix[201:]], 300)
    np.testing.assert_allclose(np.tril(found), np.tril(matrix.T @ matrix), rtol=0, atol=1e-12 * 700)


def test_it_can_be_stopped_and_tells_how_far_it_is() -> None:
    shares: list[float] = []

    def watch(share: float) -> bool:
        shares.append(share)
        return len(shares) == 4

    matrix = random_matrix(600, 600)
    assert symmetric_eigenvalues(matrix + matrix.T, watch) is None
    assert len(shares) == 4
    assert shares == sorted(shares)
    assert from_gram(matrix.T @ matrix, lambda share: True) is None
    assert from_matrix(random_matrix(3, 4), lambda share: True) is None


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 9), (30, 70), (SVD_UP_TO + 8, SVD_UP_TO + 90), (900, 600)])
def test_singular_values_are_numpys(shape: tuple[int, int]) -> None:
    matrix = random_matrix(*shape)
    wanted = np.linalg.svd(matrix, compute_uv=False)
    found = from_matrix(matrix)
    assert found is not None
    assert found.method == ("gram" if min(shape) > SVD_UP_TO else "svd")
    assert np.allclose(found.values[::-1], wanted, rtol=1e-9)


def test_numbers_follow_their_definitions() -> None:
    matrix = random_matrix(80, 60)
    s = np.linalg.svd(matrix, compute_uv=False)
    row = describe([Found(s[::-1], "svd")], 80, 60, "float64", scale=2.0)
    p = s / s.sum()
    assert row.spectral_norm == pytest.approx(2 * s[0])
    assert row.frobenius == pytest.approx(2 * np.linalg.norm(matrix))
    assert row.stable_rank == pytest.approx(np.linalg.norm(matrix) ** 2 / s[0] ** 2)
    assert row.effective_rank == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    assert row.condition == pytest.approx(np.linalg.cond(matrix))
    assert row.rank == 60
    assert row.edge == pytest.approx(2 * np.linalg.norm(matrix) / sqrt(4800) * (sqrt(80) + sqrt(60)))


def test_independent_values_stay_below_the_edge_and_a_direction_stands_out() -> None:
    beyond = 0
    for _ in range(40):
        found = from_matrix(random_matrix(200, 120))
        assert found is not None
        beyond += describe([found], 200, 120, "float32").beyond or 0
    assert beyond == 0
    spiked = random_matrix(200, 120) + 3 * np.outer(RNG.standard_normal(200), RNG.standard_normal(120))
    found = from_matrix(spiked)
    assert found is not None
    assert describe([found], 200, 120, "float32").beyond == 1


@pytest.mark.parametrize(("side", "method"), [(300, "svd"), (700, "gram")])
def test_rank_of_a_product_survives_rounding_to_float32(side: int, method: str) -> None:
    found = from_matrix(of_rank(17, side).astype(np.float32).astype(np.float64))
    assert found is not None
    row = describe([found], side, side, "float32")
    assert (row.method, row.rank, row.condition) == (method, 17, None)
    assert "0" in row.skipped["condition"]


def test_matrices_of_a_convolution_are_taken_together() -> None:
    ones = [random_matrix(64, 48) for _ in range(9)]
    found = [from_matrix(one) for one in ones]
    row = describe([f for f in found if f is not None], 64, 48, "float32")
    together = np.sort(np.concatenate([np.linalg.svd(one, compute_uv=False) for one in ones]))[::-1]
    assert np.allclose(row.values, together)
    assert row.condition == pytest.approx(max(np.linalg.cond(one) for one in ones))
    assert (row.matrices, row.possible) == (9, 9 * 48)


@pytest.mark.parametrize("matrix", [np.zeros((20, 30)), np.zeros((600, 600))], ids=["svd", "gram"])
def test_nothing_but_zeros_has_no_ranks_and_says_so(matrix: np.ndarray) -> None:
    found = from_matrix(matrix)
    assert found is not None
    row = describe([found], *matrix.shape, "float32")
    assert (row.spectral_norm, row.stable_rank, row.rank) == (0.0, 0.0, 0)
    assert row.effective_rank is None
    assert row.power_law is None
    assert row.skipped["effective_rank"] == "all values are 0"


def test_a_single_value() -> None:
    found = from_matrix(np.array([[-3.0]]))
    assert found is not None
    row = describe([found], 1, 1, "float32")
    assert (row.spectral_norm, row.stable_rank, row.condition, row.beyond) == (3.0, 1.0, 1.0, 0)
    assert row.skipped["alpha"] == f"1 singular value is too few for a power law: {MIN_VALUES} are needed"


def brute_force(values: np.ndarray) -> tuple[float, float, float]:
    """(alpha, xmin, D) by trying every tail, as the paper says it."""
    x = np.sort(values)
    best = (np.inf, 0.0, 0.0)
    for i in range(len(x) - 1):
        tail = x[x >= x[i]]
        total = np.log(tail / x[i]).sum()
        if total <= 0:
            continue
        alpha = 1 + len(tail) / total
        distance = np.abs(1 - (tail / x[i]) ** (1 - alpha) - np.arange(len(tail)) / len(tail)).max()
        best = min(best, (distance, alpha, x[i]))
    return best[1], best[2], best[0]


@pytest.mark.parametrize("n", [MIN_VALUES, 333, 2000])
@pytest.mark.parametrize("kind", ["pareto", "marchenko-pastur", "lognormal", "repeated"])
def test_the_fit_is_that_of_trying_every_tail(n: int, kind: str) -> None:
    values = {
        "pareto": lambda: RNG.pareto(1.7, n) + 1,
        "marchenko-pastur": lambda: np.linalg.svd(RNG.standard_normal((n + 40, n)), compute_uv=False) ** 2,
        "lognormal": lambda: RNG.lognormal(0, 2, n),
        "repeated": lambda: np.round(RNG.pareto(1.5, n) + 1, 1),
    }[kind]()
    law = fit_power_law(values)
    assert law is not None
    alpha, start, distance = brute_force(values)
    assert law.distance == pytest.approx(distance, abs=1e-12)
    assert (law.alpha, law.start) == pytest.approx((alpha, start))
    assert law.error == pytest.approx((law.alpha - 1) / sqrt(law.tail))
    assert law.tail == (values >= law.start).sum()


def test_a_pareto_sample_has_its_exponent_within_the_error() -> None:
    inside = 0
    for _ in range(20):
        law = fit_power_law(RNG.pareto(2.0, 3000) + 1)
        assert law is not None
        inside += abs(law.alpha - 3) < 3 * law.error
        assert not law.rejected
    assert inside >= 18


@pytest.mark.parametrize("values", [np.ones(200), np.ones(3), np.zeros(100), np.zeros(0)])
def test_what_has_no_tail_has_no_fit(values: np.ndarray) -> None:
    assert fit_power_law(values) is None


def sketched(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = sketch(lambda: [matrix[:100], matrix[100:]], matrix.shape[1])
    wanted = np.linalg.svd(matrix, compute_uv=False)[: len(found.values)]
    assert np.all(np.abs(found.values[:8] - wanted[:8]) <= found.errors[:8] * wanted[:8] + 1e-12 * wanted[0])
    row = largest_only(found, *matrix.shape)
    assert row.method == "randomised"
    assert row.frobenius == pytest.approx(np.linalg.norm(matrix))
    assert "64 largest" in row.skipped["alpha"]
    return found.values, wanted


def test_the_largest_by_iteration_within_the_error_that_is_told() -> None:
    decaying = (
        np.linalg.qr(random_matrix(500, 400))[0] * 0.9 ** np.arange(400) @ np.linalg.qr(random_matrix(400, 400))[0]
    )
    found, wanted = sketched(decaying)
    assert np.allclose(found[:20], wanted[:20], rtol=1e-8)
    found, wanted = sketched(random_matrix(500, 400))
    assert found[0] == pytest.approx(wanted[0], rel=0.02)
    assert len(found) == WANTED
