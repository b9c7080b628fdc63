"""Whether A is stronger than B, while the games come in: a sequential test.

Knows pentanomial counts (``match.statistics.scores``) and the generalised sequential probability ratio test on them. Pure.
The test is that of fishtest and fastchess ("GSPRT", Van den Bergh): for each hypothesis the likeliest distribution with that
expected score, and the ratio of the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import MatchError
from match.statistics.scores import NEVER_SEEN, PAIR_POINTS

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
        seen = np.maximum(counts, NEVER_SEEN)
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
    above = PAIR_POINTS - score
    low = np.full(share.shape[:-1], -1 / above[-1])
    high = np.full(share.shape[:-1], -1 / above[0])
    for _ in range(_BISECTIONS):
        x = (low + high) / 2
        excess = (share * above / (1 + x[..., None] * above)).sum(axis=-1)
        low, high = np.where(excess > 0, x, low), np.where(excess > 0, high, x)
    return np.asarray(share / (1 + ((low + high) / 2)[..., None] * above))
