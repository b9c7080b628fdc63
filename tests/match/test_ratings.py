"""The model against simple truths: known scores, symmetry, anchors, perfect scores, and a brute-force likelihood."""

from __future__ import annotations

import math

import numpy as np
import pytest

from match.ratings import PER_POINT, Rating, Score, expected, fit, outcomes, rate

NAN = math.nan


def games(white: str, black: str, won: int, drawn: int, lost: int) -> list[Score]:
    """As many pairs as games, so that the bootstrap resamples single games."""
    points = [1.0] * won + [0.5] * drawn + [0.0] * lost
    return [Score(white, black, p, f"{white}{black}{i}") for i, p in enumerate(points)]


def both(a: str, b: str, won: int, drawn: int, lost: int) -> list[Score]:
    """The same result with either colour, paired by opening."""
    ours = games(a, b, won, drawn, lost)
    return ours + [Score(b, a, 1 - s.points, s.pair) for s in ours]


def by_name(ratings: list[Rating]) -> dict[str, Rating]:
    return {r.name: r for r in ratings}


@pytest.mark.parametrize("drawn", [0, 40, 160])
def test_two_players_stand_apart_as_elos_curve_says_however_many_draws(drawn: int) -> None:
    won = 3 * (200 - drawn) // 4
    lost = 200 - drawn - won
    score = (won + drawn / 2) / 200
    found = by_name(rate(both("a", "b", won, drawn, lost), {"b": 1000}))
    assert found["a"].elo == pytest.approx(1000 + 400 * math.log10(score / (1 - score)), abs=0.2)
    assert found["b"].anchored
    assert found["a"].low < found["a"].elo < found["a"].high


def test_whites_advantage_is_not_strength() -> None:
    scores = games("a", "b", 120, 40, 40) + games("b", "a", 120, 40, 40)
    found = by_name(rate(scores, {"a": 0}))
    assert found["b"].elo == pytest.approx(0, abs=0.1)
    counts = np.zeros((2, 2, 3))
    counts[0, 1] = counts[1, 0] = [120, 40, 40]
    best = fit(counts, np.array([0, NAN]))
    assert best.white_advantage == pytest.approx(400 * math.log10(0.7 / 0.3), abs=6)  # the prior's pull
    assert expected(0, 0, best) == pytest.approx(0.7, abs=0.008)


def test_the_model_has_the_score_and_the_draws_that_it_is_told() -> None:
    score = np.array([0.001, 0.2, 0.5, 0.77, 0.999])
    p = outcomes(score, np.array(0.8))
    assert p.sum(axis=1) == pytest.approx(np.ones(5))
    assert p @ [1, 0.5, 0] == pytest.approx(score)
    assert p[:, 1] / np.sqrt(p[:, 0] * p[:, 2]) == pytest.approx(np.full(5, math.exp(0.8)))
    assert np.isfinite(np.log(outcomes(np.array([1e-13, 1 - 1e-13]), np.array(5.0)))).all()


def test_the_fit_is_the_maximum_of_the_likelihood() -> None:
    random = np.random.default_rng(1)
    counts = random.integers(1, 30, size=(4, 4, 3)).astype(float)
    counts[np.arange(4), np.arange(4)] = 0
    anchors = np.array([1500, NAN, NAN, 1600.0])
    best = fit(counts, anchors)

    def log_likelihood(elo: np.ndarray, advantage: float, log_draw: float) -> float:
        d = PER_POINT * (elo[:, None] - elo[None, :] + advantage)
        return float((counts * np.log(outcomes(1 / (1 + np.exp(-d)), np.array(log_draw)))).sum())

    top = log_likelihood(best.elo, float(best.white_advantage), float(best.log_draw))
    for step in (5.0, -5.0):
        assert log_likelihood(best.elo + np.array([0, step, 0, 0]), float(best.white_advantage), float(best.log_draw)) < top
        assert log_likelihood(best.elo + np.array([0, 0, step, 0]), float(best.white_advantage), float(best.log_draw)) < top
        assert log_likelihood(best.elo, float(best.white_advantage) + step, float(best.log_draw)) < top
        assert log_likelihood(best.elo, float(best.white_advantage), float(best.log_draw) + step / 50) < top


def test_ratings_chain_through_others_to_an_anchor() -> None:
    found = by_name(rate(both("a", "b", 60, 20, 20) + both("b", "c", 60, 20, 20), {"c": 1320}))
    step = 400 * math.log10(0.7 / 0.3)
    assert found["b"].elo == pytest.approx(1320 + step, abs=1)
    assert found["a"].elo == pytest.approx(1320 + 2 * step, abs=1)
    assert found["a"].high - found["a"].low > found["b"].high - found["b"].low


def test_without_anchors_the_mean_is_zero() -> None:
    ratings = rate(both("a", "b", 60, 20, 20) + both("b", "c", 60, 20, 20), {})
    assert sum(r.elo for r in ratings) == pytest.approx(0, abs=0.01)
    assert not any(r.anchored for r in ratings)


def test_a_perfect_score_sets_a_bound_that_five_percent_would_pass() -> None:
    ratings = by_name(rate(both("a", "b", 10, 0, 0) + both("b", "c", 40, 40, 20), {"b": 1500}))
    a = ratings["a"]
    assert (a.low, a.high) == (a.elo, math.inf)
    counts = np.zeros((2, 2, 3))  # b and c alone give White's advantage and the draws
    counts[0, 1], counts[1, 0] = [40, 40, 20], [20, 40, 40]
    best = fit(counts, np.array([1500, NAN]))
    chance = outcomes(np.array(1 / (1 + math.exp(-PER_POINT * (a.elo - 1500)))), best.log_draw)[0]
    assert 20 * math.log(chance) == pytest.approx(math.log(0.05), abs=0.01)
    empty = by_name(rate(both("b", "a", 10, 0, 0) + both("b", "c", 40, 40, 20), {"b": 1500}))["a"]
    assert empty.elo - 1500 == pytest.approx(1500 - a.elo, abs=1)
    assert empty.low == -math.inf


def test_one_draw_among_wins_is_an_open_interval_not_a_bound() -> None:
    found = by_name(rate(both("a", "b", 30, 0, 0) + games("a", "b", 0, 1, 0), {"b": 1500}))["a"]
    assert 1900 < found.elo < 2500
    assert found.high == math.inf
    assert 1500 < found.low < found.elo


def test_players_without_a_tie_are_not_rated() -> None:
    found = by_name(rate(both("a", "b", 6, 2, 2) + both("x", "y", 6, 2, 2), {"b": 1500}))
    assert math.isnan(found["x"].elo)
    assert math.isnan(found["y"].elo)
    assert found["a"].elo > 1500
    free = by_name(rate(both("a", "b", 6, 2, 2) + both("b", "c", 6, 2, 2) + both("x", "a", 9, 0, 0), {}))
    assert free["x"].high == math.inf
    assert free["x"].elo > free["a"].elo
    assert math.isfinite(free["c"].elo)


def test_nothing_but_perfect_scores_still_gives_a_table() -> None:
    found = by_name(rate(both("a", "b", 5, 0, 0), {"b": 1500}))
    assert found["a"].low > 1500
    assert by_name(rate(both("a", "b", 5, 0, 0), {}))["a"].games == 10


def test_pairs_are_resampled_together() -> None:
    """Each opening decides both games of its pair, so a pair is worth 1 point whatever it is: the interval must be a point.
    As single games the same results would scatter."""
    pairs = [(1.0, 1.0)] * 50 + [(0.0, 0.0)] * 50  # White wins twice, or Black twice
    scores = [
        Score(w, b, p, f"o{i}") for i, two in enumerate(pairs) for (w, b), p in zip((("a", "b"), ("b", "a")), two, strict=True)
    ]
    paired = by_name(rate(scores, {"b": 0}))["a"]
    single = by_name(rate([Score(s.white, s.black, s.points) for s in scores], {"b": 0}))["a"]
    assert paired.high - paired.low < 1
    assert single.high - single.low > 60


def test_superiority_is_of_the_next_in_the_list() -> None:
    ratings = rate(both("a", "b", 70, 10, 20) + both("b", "c", 51, 0, 49), {"c": 0})
    assert [r.name for r in ratings] == ["a", "b", "c"]
    assert ratings[0].superiority > 0.999
    assert 0.5 < ratings[1].superiority < 0.75
    assert math.isnan(ratings[2].superiority)


def test_the_same_games_give_the_same_table() -> None:
    scores = both("a", "b", 30, 20, 25)
    assert rate(scores, {"b": 0}) == rate(scores, {"b": 0})
    assert rate(scores, {"b": 0}, seed=2)[0].low != rate(scores, {"b": 0})[0].low
