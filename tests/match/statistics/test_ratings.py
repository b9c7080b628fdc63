"""The model against simple truths: known scores, symmetry, anchors, perfect scores, and a brute-force likelihood."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from match.statistics.pool_graph import tied
from match.statistics.ratings import PER_POINT, Fit, Floats, Pool, Rating, _logistic, outcomes, rate
from match.statistics.scores import Score

NAN = math.nan


def fit(counts: Floats, anchors: Floats) -> Fit:
    """Maximum likelihood for ``counts`` (N, N, 3): White's wins, draws, losses; ``anchors`` (N,) fixed Elo or NaN.

    Without any anchor the mean is 0.
    """
    white, black = np.nonzero(counts.sum(axis=2))
    pool = Pool.of(white, black, anchors)
    return pool.result(pool.solve(counts[None, white, black]))[0]


def expected(white: float, black: float, best: Fit) -> float:
    """Points a game that the fit expects of White against Black."""
    return float(_logistic(np.array(PER_POINT * (white - black + float(best.white_advantage)))))


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


def test_a_small_pool_has_the_numbers_that_it_always_had() -> None:
    """Of the first version, which solved every pool with full matrices."""
    found = rate(both("a", "b", 60, 20, 20) + both("b", "c", 60, 20, 20) + both("x", "a", 9, 0, 0), {"c": 1320})
    told = [(r.name, r.games, *(round(v, 2) for v in (r.elo, r.low, r.high, r.superiority))) for r in found]
    assert told[:3] == [
        ("x", 18, 1999.6, 1999.6, math.inf, pytest.approx(NAN, nan_ok=True)),
        ("a", 218, 1614.38, 1532.31, 1709.79, 1.0),
        ("b", 400, 1467.19, 1405.81, 1531.73, 1.0),
    ]


def simulated(players: int, games: int, *, seed: int = 1) -> tuple[list[Score], dict[str, float]]:
    """Games between neighbours in strength and strangers, and the truth, whose mean is 0."""
    random = np.random.default_rng(seed)
    truth = random.normal(0, 200, players)
    truth -= truth.mean()
    white = random.integers(players, size=games)
    black = (white + 1 + random.geometric(0.02, size=games) % (players - 1)) % players
    p = outcomes(1 / (1 + np.exp(-PER_POINT * (truth[white] - truth[black] + 35))), np.array(0.3))
    dice = random.random(games)
    points = np.where(dice < p[:, 0], 1.0, np.where(dice < p[:, 0] + p[:, 1], 0.5, 0.0))
    scores = [Score(f"p{w}", f"p{b}", float(s)) for w, b, s in zip(white, black, points, strict=True)]
    return scores, {f"p{i}": float(elo) for i, elo in enumerate(truth)}


def test_two_thousand_players_are_rated_in_seconds_and_the_truth_is_in_their_intervals() -> None:
    scores, truth = simulated(2000, 50_000)
    heard: list[float] = []
    began = time.process_time()
    found = rate(scores, {}, progress=heard.append)
    assert time.process_time() - began < 30
    assert heard == sorted(heard)
    assert heard[-1] == 1
    bounded = [r for r in found if math.isfinite(r.high - r.low)]
    assert len(bounded) > 1950
    assert 0.92 < np.mean([r.low <= truth[r.name] <= r.high for r in bounded]) < 0.98
    assert sum(r.games for r in found) == 100_000


def test_a_large_pools_fit_is_that_of_the_full_matrices() -> None:
    scores, _ = simulated(80, 4000)
    names = sorted({s.white for s in scores} | {s.black for s in scores})
    counts = np.zeros((len(names), len(names), 3))
    for s in scores:
        counts[names.index(s.white), names.index(s.black), round(2 - 2 * s.points)] += 1
    for anchors in ({}, {"p3": 1500.0, "p40": 1490.0}):
        best = fit(counts, np.array([anchors.get(name, NAN) for name in names]))
        found = by_name(rate(scores, anchors))
        assert [found[name].elo for name in names] == pytest.approx(best.elo, abs=0.001)


def test_a_large_pools_intervals_are_as_wide_as_by_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, _ = simulated(40, 4000)
    paired = [Score(s.white, s.black, s.points, f"o{i}") for i, s in enumerate(scores)]
    paired += [Score(s.white, s.black, s.points, s.pair) for s in paired]  # every game twice: half of them tell nothing
    resampled = by_name(rate(paired, {"p0": 0.0}, resamples=400))
    monkeypatch.setattr("match.statistics.ratings.MOST_RESAMPLED", 10)
    drawn = by_name(rate(paired, {"p0": 0.0}))
    widths = [(drawn[n].high - drawn[n].low) / (r.high - r.low) for n, r in resampled.items() if not r.anchored]
    assert 0.9 < np.mean(widths) < 1.15
    apart = [abs(drawn[name].superiority - r.superiority) for name, r in resampled.items() if r.superiority == r.superiority]
    assert np.mean(apart) < 0.1


def test_one_player_against_many_is_rated_however_many() -> None:
    """As from anyone's archive of his own games: perfect scores of one game, and a few who drew or won one of two."""
    points = [1.0, 0.0, 0.5]
    scores = [Score("Me", f"P{i:04}", points[i % 3]) for i in range(0, 1300, 2)]
    scores += [Score(f"P{i:04}", "Me", points[i % 3]) for i in range(1, 1300, 2)]
    found = by_name(rate(scores, {"Me": 1500}))
    assert len(found) == 1301
    assert found["P0000"].elo < found["P0002"].elo < found["P0003"].elo  # lost, drew, won
    assert found["P0000"].low == -math.inf
    assert found["P0002"].low < 1500 < found["P0002"].high
    assert found["P0003"].high == math.inf


def test_who_is_tied_is_who_reaches_and_is_reached() -> None:
    random = np.random.default_rng(3)
    for players, edges in ((1, 0), (6, 0), (30, 30), (30, 60), (200, 300)):
        takers, givers = random.integers(players, size=(2, edges))
        reach = np.eye(players, dtype=bool)
        reach[takers, givers] = True
        for _ in range(players):
            reach |= (reach.astype(int) @ reach.astype(int)) > 0
        mutual = reach & reach.T
        free = np.zeros(players, bool)
        assert (tied(takers, givers, known=free) == mutual[int(mutual.sum(axis=1).argmax())]).all()
        known = free.copy()
        known[: players // 5 + 1] = True
        assert (tied(takers, givers, known=known) == (reach[known].any(axis=0) & reach[:, known].any(axis=1))).all()


def test_no_games_make_no_ratings() -> None:
    assert rate([], {"level": 1500.0}) == []
