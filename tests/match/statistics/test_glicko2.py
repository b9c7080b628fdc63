"""Glicko-2 against Glickman's own example, and as the paper used it."""

from __future__ import annotations

import pytest

from match.statistics.glicko2 import PAPER_LEVELS, Glicko, paper_ratings, update
from match.statistics.scores import Score


def test_glickmans_example() -> None:
    results = [(Glicko(1400, 30), 1.0), (Glicko(1550, 100), 0.0), (Glicko(1700, 300), 0.0)]
    after = update(Glicko(1500, 200), results)
    assert after.rating == pytest.approx(1464.06, abs=0.05)
    assert after.deviation == pytest.approx(151.52, abs=0.05)
    assert after.volatility == pytest.approx(0.05999, abs=1e-5)


def test_the_papers_protocol_rates_game_by_game_against_levels_only() -> None:
    levels = {"Stockfish level 1": PAPER_LEVELS[1]}
    scores = [Score("net", "Stockfish level 1", 1.0), Score("Stockfish level 1", "net", 0.5), Score("net", "other", 0.0)]
    found = paper_ratings(scores, levels)
    by_hand = update(update(Glicko(), [(Glicko(1554, 0), 1.0)]), [(Glicko(1554, 0), 0.5)])
    assert found == {"net": by_hand}


def test_a_level_score_converges_to_the_level() -> None:
    scores = [Score("net", "L", float(i % 2)) for i in range(400)]
    found = paper_ratings(scores, {"L": 1867.0})["net"]
    assert found.rating == pytest.approx(1867, abs=40)
    assert 20 < found.deviation < 100
