"""What games say of two players: points, opening pairs, and the Elo difference with its interval.

Games of an opening pair are counted together, for they are no two independent draws. Knows pentanomial counts (points of a
pair: 0, 1/2, 1, 3/2, 2) and normal intervals. Does not know pools of players (``match.statistics.ratings``). Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import MatchError

WHITE_POINTS = {"1-0": 1.0, "1/2-1/2": 0.5, "0-1": 0.0}
"""By the result of a game."""
PAIR_POINTS = np.arange(5) / 4
"""Of an opening pair, a game."""
_TEMPERATURE = re.compile(r"(.*?)\s*T=([0-9.e+-]+)( nodes=\d+)?$")
NEVER_SEEN = 1e-3
"""Count of a result that has not occurred, as in fishtest."""


@dataclass(frozen=True)
class Score:
    """One game's outcome."""

    white: str
    black: str
    points: float
    """White's: 1, 0.5 or 0."""
    pair: str = ""
    """Games of the same pair share an opening and are resampled together; empty = a pair of its own."""


def pentanomial(scores: Sequence[Score], hero: str) -> NDArray[np.float64]:
    """(5,) opening pairs by the points that ``hero`` took; games without their partner are left out."""
    counts = np.zeros(5)
    for points in points_by_pair(scores, hero).values():
        counts[round(4 * points)] += 1
    return counts


def points_by_pair(scores: Sequence[Score], hero: str) -> dict[tuple[str, str], float]:
    """Opponent and name of each complete opening pair -> the points a game that ``hero`` took."""
    pairs: dict[tuple[str, str], list[float]] = {}
    for s in scores:
        if s.pair and hero in (s.white, s.black):
            opponent, points = (s.black, s.points) if s.white == hero else (s.white, 1 - s.points)
            pairs.setdefault((opponent, s.pair), []).append(points)
    return {key: sum(points) / 2 for key, points in pairs.items() if len(points) == 2}


@dataclass(frozen=True)
class Difference:
    """What opening pairs say of A - B."""

    counts: tuple[int, ...]
    """Pairs in which A took 0, 1/2, 1, 3/2, 2 points."""
    score: float
    """A's points a game."""
    error: float
    """Standard error of the score, over pairs."""

    @property
    def pairs(self) -> int:
        """Complete opening pairs."""
        return sum(self.counts)

    @property
    def elo(self) -> float:
        """A - B; infinite for a perfect score."""
        return elo_of(self.score)

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, normal in the score."""
        return elo_of(self.score - 1.96 * self.error), elo_of(self.score + 1.96 * self.error)

    @property
    def superiority(self) -> float:
        """Likelihood that A is stronger than B."""
        if self.error == 0:
            return 0.5 if self.score == 0.5 else float(self.score > 0.5)
        return (1 + math.erf((self.score - 0.5) / self.error / math.sqrt(2))) / 2


def elo_of(score: float) -> float:
    """Elo difference that gives this expected score."""
    if score <= 0 or score >= 1:
        return -math.inf if score <= 0 else math.inf
    return -400 * math.log10(1 / score - 1)


def difference(counts: Sequence[float]) -> Difference:
    """From pentanomial counts. The variance of pairs is at least a quarter of a point by their number: a short run of
    equal pairs does not prove that all will be equal."""
    whole = tuple(round(c) for c in counts)
    total = sum(whole)
    if total == 0:
        return Difference(whole, 0.5, math.inf)
    share = np.array(whole) / total
    mean = float(share @ PAIR_POINTS)
    smooth = np.maximum(np.array(whole, float), NEVER_SEEN)
    smooth /= smooth.sum()
    variance = max(float(smooth @ (PAIR_POINTS - float(smooth @ PAIR_POINTS)) ** 2), 0.25 / total)
    return Difference(whole, mean, math.sqrt(variance / total))


def change(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[float, float, float]:
    """Elo that a player has more in one match than in another against the same opponent, and its 95 % interval.

    Each match is its points a game by opening; those that both hold are compared, and the error is at least that of
    ``difference``. Raises MatchError where there are fewer than two of them, or where a score of 0 or 1 leaves no Elo to
    compare.
    """
    both = sorted(before.keys() & after.keys())
    first, second = (np.array([points[opening] for opening in both]) for points in (before, after))
    if len(both) < 2:
        raise MatchError(f"expected two matches with openings in common, got {len(both)} of them")
    if not all(0 < points.mean() < 1 for points in (first, second)):
        raise MatchError(f"expected points on both sides, got scores of {first.mean():.0%} and {second.mean():.0%}")
    slopes = [400 / math.log(10) / float(x.mean() * (1 - x.mean())) for x in (first, second)]  # Elo a point, where they stand
    spread = float((slopes[1] * second - slopes[0] * first).std(ddof=1))
    error = max(spread, min(slopes) / 2 / math.sqrt(len(both))) / math.sqrt(len(both))
    elo = elo_of(float(second.mean())) - elo_of(float(first.mean()))
    return elo, elo - 1.96 * error, elo + 1.96 * error


def temperature_of(name: str) -> tuple[str, float] | None:
    """A net's name (with its evaluations a move, where it searches) and temperature, from a player's name."""
    match = _TEMPERATURE.match(name)
    try:
        return (match[1] + (match[3] or ""), float(match[2])) if match else None
    except ValueError:
        return None


def evaluations_of(name: str) -> tuple[str, int] | None:
    """A net's name with its temperature, and its evaluations a move (1 where the name tells none), from a player's name."""
    match = _TEMPERATURE.match(name)
    if match is None or temperature_of(name) is None:
        return None
    return f"{match[1]} T={match[2]}", int(match[3].rpartition("=")[2]) if match[3] else 1
