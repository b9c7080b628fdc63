"""Glicko-2 as the Transcendence paper used it: a column for comparison, not our rating.

Every game is a rating period of its own; the opponent's rating is certain. Such ratings depend on the order of the games,
and the deviation cannot fall below some 60 points (docs/ratings.md). Source: Glickman, "Example of the Glicko-2 system";
start, volatility and tau from the paper's evaluation code. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from match.statistics.scores import Score

PAPER_LEVELS = {1: 1554.0, 2: 1759.0, 3: 1867.0, 4: 2006.0, 5: 2148.0}
"""The paper's ratings of Stockfish's Skill Levels, on a scale like Lichess's."""

_SCALE = 173.7178
_TAU = 0.5


@dataclass(frozen=True)
class Glicko:
    """A rating with its uncertainty."""

    rating: float = 1500.0
    deviation: float = 500.0
    volatility: float = 0.06


def update(player: Glicko, results: Sequence[tuple[Glicko, float]]) -> Glicko:
    """The player after one period of (opponent, points) results."""
    mu, phi = (player.rating - 1500) / _SCALE, player.deviation / _SCALE
    inverse_v = gain = 0.0
    for opponent, points in results:
        weight = 1 / math.sqrt(1 + 3 * (opponent.deviation / _SCALE / math.pi) ** 2)
        chance = 1 / (1 + math.exp(-weight * (mu - (opponent.rating - 1500) / _SCALE)))
        inverse_v += weight**2 * chance * (1 - chance)
        gain += weight * (points - chance)
    v = 1 / inverse_v
    volatility = _volatility(player.volatility, phi, v, delta=v * gain)
    phi = 1 / math.sqrt(1 / (phi**2 + volatility**2) + inverse_v)
    return Glicko(1500 + _SCALE * (mu + phi**2 * gain), _SCALE * phi, volatility)


def _volatility(sigma: float, phi: float, v: float, *, delta: float) -> float:
    """Step 5 of Glickman's procedure (the Illinois method)."""
    a = math.log(sigma**2)

    def f(x: float) -> float:
        e = math.exp(x)
        return e * (delta**2 - phi**2 - v - e) / (2 * (phi**2 + v + e) ** 2) - (x - a) / _TAU**2

    low, high = a, math.log(delta**2 - phi**2 - v) if delta**2 > phi**2 + v else a - _TAU
    while f(high) < 0 and delta**2 <= phi**2 + v:
        high -= _TAU
    f_low, f_high = f(low), f(high)
    while abs(high - low) > 1e-6:
        middle = low + (low - high) * f_low / (f_high - f_low)
        f_middle = f(middle)
        if f_middle * f_high <= 0:
            low, f_low = high, f_high
        else:
            f_low /= 2
        high, f_high = middle, f_middle
    return math.exp(low / 2)


def paper_ratings(scores: Iterable[Score], levels: Mapping[str, float]) -> dict[str, Glicko]:
    """Every player that met one of ``levels`` (name to rating), rated game by game in the given order."""
    ratings: dict[str, Glicko] = {}
    for s in scores:
        for name, other, points in ((s.white, s.black, s.points), (s.black, s.white, 1 - s.points)):
            if other in levels and name not in levels:
                ratings[name] = update(ratings.get(name, Glicko()), [(Glicko(levels[other], 0.0), points)])
    return ratings
