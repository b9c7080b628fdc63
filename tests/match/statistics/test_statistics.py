"""The promises of benchmarks.match_statistics on a small scale; the committed figures come from its full run."""

from __future__ import annotations

import re

import numpy as np

from benchmarks.match_statistics import DESIGNS, coverage, pair_points, sprt_line
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
