"""The sequential test against what is known of it: bounds, symmetry, a normal approximation, error rates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.errors import MatchError
from match.statistics.scores import Score, difference, elo_of, pentanomial
from match.statistics.sprt import Sprt


def test_bounds_are_walds() -> None:
    assert Sprt(alpha=0.05, beta=0.05).upper == pytest.approx(2.944, abs=0.001)
    assert Sprt(alpha=0.05, beta=0.1).lower == pytest.approx(math.log(0.1 / 0.95))
    assert Sprt().verdict(2.95) == "stronger"
    assert Sprt().verdict(-2.95) == "not stronger"
    assert Sprt().verdict(2.9) == "undecided"


def test_llr_agrees_with_the_normal_approximation_for_many_games() -> None:
    counts, test = np.array([10, 200, 500, 230, 20.0]), Sprt(0, 5)
    found = difference(counts.tolist())
    s0, s1 = 0.5, 1 / (1 + 10 ** (-5 / 400))
    approximate = (s1 - s0) * (2 * found.score - s0 - s1) / (2 * found.error**2)
    assert test.llr(counts) == pytest.approx(approximate, rel=0.01)


def test_llr_is_antisymmetric_and_vectorised() -> None:
    counts = np.array([[10, 20, 50, 30, 12.0], [1, 2, 5, 0, 0]])
    mirrored = Sprt(-20, 0).llr(counts[:, ::-1])
    assert Sprt(0, 20).llr(counts) == pytest.approx(-mirrored, abs=1e-6)
    assert Sprt(0, 20).llr(np.zeros(5)) == 0


def test_equal_play_accepts_elo0_and_stronger_play_elo1() -> None:
    random, test = np.random.default_rng(1), Sprt(0, 40)
    for mean_points, verdict in ((0.5, "not stronger"), (0.5 + 0.08, "stronger")):
        p = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
        p = p * np.exp(np.arange(5) * (mean_points - 0.5) * 3.3)
        counts = np.zeros(5)
        while test.verdict(float(test.llr(counts))) == "undecided":
            counts[random.choice(5, p=p / p.sum())] += 1
        assert test.verdict(float(test.llr(counts))) == verdict


def test_difference_and_superiority() -> None:
    found = difference([0, 10, 60, 30, 0])
    assert found.score == pytest.approx(0.55)
    assert found.elo == pytest.approx(elo_of(0.55))
    low, high = found.interval
    assert low < found.elo < high
    assert found.superiority == pytest.approx(0.9996, abs=0.0003)  # mean 0.55, standard error 0.15 / 10
    assert difference([0, 0, 0, 0, 0]).superiority == 0.5
    assert difference([0, 0, 0, 0, 9]).elo == math.inf
    level = difference([0, 0, 40, 0, 0])
    assert level.superiority == pytest.approx(0.5, abs=1e-9)
    assert level.error == pytest.approx(0.5 / 40), "a quarter of a point by 40 is the least variance of 40 pairs"


def test_pentanomial_counts_complete_pairs_of_the_hero() -> None:
    scores = [
        Score("a", "b", 1.0, "1"),
        Score("b", "a", 0.0, "1"),
        Score("a", "b", 0.5, "2"),
        Score("b", "a", 0.0, "2"),
        Score("a", "b", 1.0, "3"),
        Score("x", "y", 1.0, "1"),
        Score("y", "x", 1.0, "1"),
        Score("b", "a", 1.0, "4"),
        Score("a", "b", 0.0, "4"),
        Score("a", "b", 1.0),
    ]
    assert pentanomial(scores, "a").tolist() == [1, 0, 0, 1, 1]
    assert pentanomial(scores, "b").tolist() == [1, 1, 0, 0, 1]


def test_nonsense_is_refused() -> None:
    with pytest.raises(MatchError, match="--elo0 below --elo1, got 5 and 0"):
        Sprt(5, 0)
    with pytest.raises(MatchError, match=r"error rates between 0 and 0\.5"):
        Sprt(alpha=0.6)
