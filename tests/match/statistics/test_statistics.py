"""The promises of benchmarks.match_statistics on a small scale; the committed figures come from its full run."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from benchmarks.match_statistics import DESIGNS, coverage, interval_line, pair_points, sprt_line
from engine.errors import MatchError
from match.statistics.scores import change, difference, elo_of
from match.statistics.sprt import Sprt


def test_intervals_cover_the_truth_and_estimates_are_centred() -> None:
    line = coverage(DESIGNS[1], 25, resamples=200, seed=1)
    covered, bias = re.findall(r"([+-]?[\d.]+)%? \+-", line)[:2]
    assert 88 <= float(covered) <= 99  # of 100 players
    assert abs(float(bias)) < 8


def test_the_sequential_test_errs_seldom() -> None:
    for elo in (0.0, 60.0):
        line = sprt_line(Sprt(0, 60), elo, 300, drawn=0.15, seed=1)
        wrong = re.search(r"([\d.]+)% \+-", line)
        assert wrong
        assert float(wrong[1]) < 9


def test_simulated_pairs_have_the_score_that_they_should() -> None:
    random = np.random.default_rng(1)
    points = pair_points(np.full(40000, 100.0), drawn=0.3, random=random, opening_sd=0.0)
    assert abs(points.mean() - 0.637) < 0.004  # White's advantage cancels, nearly, over a pair
    wild = pair_points(np.full(40000, 0.0), drawn=0.3, random=random, opening_sd=200.0)
    assert np.corrcoef(wild.T)[0, 1] < -0.2


def test_intervals_of_short_matches_are_too_narrow_and_those_of_long_ones_are_not() -> None:
    four, many = (float(interval_line(pairs, 1000, drawn=0.02, seed=1).split()[3].rstrip("%")) for pairs in (4, 200))
    assert 9 < four < 15
    assert 1 < many < 4.5


def test_what_changes_between_two_matches_is_compared_opening_by_opening() -> None:
    random = np.random.default_rng(3)
    luck = random.random(400)
    before = {f"book {i}": float(x < 0.5) for i, x in enumerate(luck)}
    after = {f"book {i}": float(x < 0.6) for i, x in enumerate(luck)}
    elo, low, high = change(before, after)
    scores = [float(np.mean(list(points.values()))) for points in (before, after)]
    assert elo == pytest.approx(elo_of(scores[1]) - elo_of(scores[0]))
    assert 0 < low < elo < high
    shuffled = dict(zip(after, random.permutation(list(after.values())), strict=True))  # no luck in common
    assert change(before, shuffled)[2] - elo > 2 * (high - elo)
    level, higher = ({f"book {i}": points for i in range(16)} for points in (0.5, 0.75))
    elo, _, high = change(level, higher)
    assert elo == pytest.approx(400 * math.log10(3))
    a_point = 4 * 400 / math.log(10)  # in Elo, between equals
    assert high - elo == pytest.approx(1.96 * a_point * difference([0, 0, 16, 0, 0]).error), "equal pairs do not prove much"
    with pytest.raises(MatchError, match="openings in common, got 1"):
        change(before, {"book 1": 0.5})
    with pytest.raises(MatchError, match=r"points on both sides, got scores of .* and 100%"):
        change(before, dict.fromkeys(before, 1.0))
