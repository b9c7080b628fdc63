"""Whether A is stronger than B, while the games come in: sequential test, likelihood of superiority, Elo difference.

Knows pentanomial counts (points of an opening pair: 0, 1/2, 1, 3/2, 2), the generalised sequential probability ratio test
on them, and normal intervals. Pure. The test is that of fishtest and fastchess ("GSPRT", Van den Bergh): for each
hypothesis the likeliest distribution with that expected score, and the ratio of the two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import MatchError
from match.statistics.ratings import Score

_POINTS = np.arange(5) / 4  # of an opening pair, a game
_NEVER_SEEN = 1e-3  # count of a result that has not occurred, as in fishtest
_BISECTIONS = 45

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sprt:
    """Two hypotheses about A - B, and how often the test may err."""

    elo0: float = 0.0
    """Not stronger (logistic Elo)."""
    elo1: float = 20.0
    """Stronger."""
    alpha: float = 0.05
    """Of accepting elo1 when elo0 is true."""
    beta: float = 0.05
    """Of accepting elo0 when elo1 is true."""

    def __post_init__(self) -> None:
        if self.elo0 >= self.elo1:
            raise MatchError(f"expected --elo0 below --elo1, got {self.elo0:g} and {self.elo1:g}")
        if not (0 < self.alpha < 0.5 and 0 < self.beta < 0.5):
            raise MatchError(f"expected error rates between 0 and 0.5, got {self.alpha:g} and {self.beta:g}")

    @property
    def lower(self) -> float:
        """At this log-likelihood ratio elo0 is accepted."""
        return math.log(self.beta / (1 - self.alpha))

    @property
    def upper(self) -> float:
        """At this one elo1 is."""
        return math.log((1 - self.beta) / self.alpha)

    def llr(self, counts: Floats) -> Floats:
        """(...) log-likelihood ratio of elo1 to elo0 for (..., 5) pentanomial counts."""
        seen = np.maximum(counts, _NEVER_SEEN)
        total = counts.sum(axis=-1)
        share = seen / seen.sum(axis=-1, keepdims=True)
        ratio = np.log(_likeliest(share, _score(self.elo1)) / _likeliest(share, _score(self.elo0)))
        return np.asarray(total * (share * ratio).sum(axis=-1))

    def verdict(self, llr: float) -> str:
        """``stronger`` (elo1 accepted), ``not stronger`` (elo0 accepted) or ``undecided``."""
        return "stronger" if llr >= self.upper else "not stronger" if llr <= self.lower else "undecided"


def _score(elo: float) -> float:
    return 1 / (1 + 10 ** (-elo / 400))


def _likeliest(share: Floats, score: float) -> Floats:
    """The distribution with that mean under which ``share`` is likeliest: share / (1 + x (points - score))."""
    above = _POINTS - score
    low = np.full(share.shape[:-1], -1 / above[-1])
    high = np.full(share.shape[:-1], -1 / above[0])
    for _ in range(_BISECTIONS):
        x = (low + high) / 2
        excess = (share * above / (1 + x[..., None] * above)).sum(axis=-1)
        low, high = np.where(excess > 0, x, low), np.where(excess > 0, high, x)
    return np.asarray(share / (1 + ((low + high) / 2)[..., None] * above))


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
    """From pentanomial counts. Results that were never seen count as one pair in a thousand, so a short run of equal
    pairs does not pass for certainty about a draw."""
    whole = tuple(round(c) for c in counts)
    total = sum(whole)
    if total == 0:
        return Difference(whole, 0.5, math.inf)
    share = np.array(whole) / total
    mean = float(share @ _POINTS)
    smooth = np.maximum(np.array(whole, float), _NEVER_SEEN)
    smooth /= smooth.sum()
    variance = float(smooth @ (_POINTS - float(smooth @ _POINTS)) ** 2)
    return Difference(whole, mean, math.sqrt(variance / total))


def pentanomial(scores: Sequence[Score], hero: str) -> NDArray[np.float64]:
    """(5,) opening pairs by the points that ``hero`` took; games without their partner are left out."""
    pairs: dict[tuple[frozenset[str], str], list[float]] = {}
    for s in scores:
        if s.pair and hero in (s.white, s.black):
            pairs.setdefault((frozenset((s.white, s.black)), s.pair), []).append(s.points if s.white == hero else 1 - s.points)
    counts = np.zeros(5)
    for points in pairs.values():
        if len(points) == 2:
            counts[round(2 * sum(points))] += 1
    return counts
