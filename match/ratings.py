"""Ratings from results: maximum likelihood with draws, intervals by bootstrap over opening pairs.

Knows Davidson's model (draws, and an advantage for White) and its Newton fit, fixed anchors, and what to say of a
perfect score. Pure: numbers in, numbers out. Elo points throughout.

Model: with d = ln(10) / 400 x (white - black + advantage), the odds of win : draw : loss for White are
exp(d / 2) : nu : exp(-d / 2). Source: Davidson, "On extending the Bradley-Terry model to accommodate ties" (1970).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PER_POINT = math.log(10) / 400
_NEWTON_STEPS = 40
_WEAK = 1e-3  # prior weight, in draws against a player of equal strength: keeps Newton's steps finite, moves nothing
_FAR = 1200.0  # an interval that reaches further than this from its estimate is open


@dataclass(frozen=True)
class Score:
    """One game's outcome."""

    white: str
    black: str
    points: float
    """White's: 1, 0.5 or 0."""
    pair: str = ""
    """Games of the same pair share an opening and are resampled together; empty = a pair of its own."""


@dataclass(frozen=True)
class Rating:
    """A player's place."""

    name: str
    elo: float
    low: float
    """2.5 % quantile of the bootstrap; -inf where the games set no lower bound."""
    high: float
    """97.5 % quantile; inf where the games set no upper bound."""
    games: int
    points: float
    anchored: bool

    @property
    def share(self) -> float:
        """Points a game."""
        return self.points / self.games if self.games else 0.0


@dataclass(frozen=True)
class Fit:
    """What the likelihood says of a whole pool."""

    elo: NDArray[np.float64]
    """(N,) in the order of the names."""
    white_advantage: float
    """Points."""
    log_draw: float
    """ln(nu)."""


def fit(counts: NDArray[np.float64], anchors: NDArray[np.float64]) -> Fit:
    """Maximum likelihood for ``counts`` (N, N, 3): White's wins, draws, losses; ``anchors`` (N,) fixed Elo or NaN.

    Without any anchor the mean is 0.
    """
    pool = _Pool.of(counts, anchors)
    x = np.zeros(pool.free + 2)
    for _ in range(_NEWTON_STEPS):
        gradient, hessian = pool.derivatives(x)
        step = np.linalg.solve(hessian, gradient)
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        x += step
        if float(np.abs(step).max()) < 1e-9:
            break
    return pool.result(x)


@dataclass(frozen=True)
class _Pool:
    """The likelihood in natural units; x = (free ratings…, White's advantage, ln nu)."""

    counts: NDArray[np.float64]
    """(K, 3) of the pairings that were played."""
    design: NDArray[np.float64]
    """(K, free + 1): how d depends on x, without ln nu."""
    offset: NDArray[np.float64]
    """(K,) d from the anchors alone."""
    place: NDArray[np.float64]
    """(N, free): ratings from free ones."""
    fixed: NDArray[np.float64]
    """(N,) anchors, 0 for free players."""

    @property
    def free(self) -> int:
        return int(self.place.shape[1])

    @classmethod
    def of(cls, counts: NDArray[np.float64], anchors: NDArray[np.float64]) -> _Pool:
        known = ~np.isnan(anchors)
        place = np.eye(len(anchors))[:, ~known]
        centre = float(np.mean(anchors[known])) if known.any() else 0.0
        fixed = np.where(known, anchors, centre) * _PER_POINT
        white, black = np.nonzero(counts.sum(axis=2))
        difference = place[white] - place[black]
        design = np.concatenate([difference, np.ones((len(white), 1))], axis=1)
        return cls(counts[white, black], design, fixed[white] - fixed[black], place, fixed)

    def derivatives(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gradient of the log-likelihood and minus its Hessian: a multinomial logit, so both are simple sums."""
        d = self.design @ x[:-1] + self.offset
        terms = np.stack([d / 2, np.full_like(d, x[-1]), -d / 2], axis=1)
        p = np.exp(terms - terms.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        n = self.counts.sum(axis=1)
        along = np.array([0.5, 0.0, -0.5])
        by_d = self.counts @ along - n * (p @ along)
        by_draw = self.counts[:, 1] - n * p[:, 1]
        gradient = np.append(self.design.T @ by_d, by_draw.sum()) - _WEAK * x
        var_d = n * (p @ along**2 - (p @ along) ** 2)
        mixed = -n * (p @ along) * p[:, 1]
        hessian = np.zeros((len(x), len(x)))
        hessian[:-1, :-1] = self.design.T @ (self.design * var_d[:, None])
        hessian[:-1, -1] = hessian[-1, :-1] = self.design.T @ mixed
        hessian[-1, -1] = (n * p[:, 1] * (1 - p[:, 1])).sum()
        return gradient, hessian + _WEAK * np.eye(len(x))

    def result(self, x: NDArray[np.float64]) -> Fit:
        elo = (self.place @ x[: self.free] + self.fixed) / _PER_POINT
        return Fit(elo, float(x[-2]) / _PER_POINT, float(x[-1]))


def rate(scores: Sequence[Score], anchors: Mapping[str, float], *, resamples: int = 400, seed: int = 1) -> list[Rating]:
    """Every player's rating with a 95 % interval, best first.

    A finite estimate needs points won and points lost against players that are tied to an anchor in the same way. Where
    they lack, ``elo`` is the bound that such a score would pass with 5 % probability and the interval is open on that
    side; where no game tells anything, it is NaN.
    """
    names = sorted({name for s in scores for name in (s.white, s.black)})
    fixed = np.array([anchors.get(name, math.nan) for name in names])
    pairs = _pair_counts(scores, names)
    whole = pairs.sum(axis=0)
    tied = _tied(whole, fixed)
    best = fit(whole * tied[:, None, None] * tied[None, :, None], fixed)
    random = np.random.default_rng(seed)
    draws = random.multinomial(len(pairs), np.full(len(pairs), 1 / len(pairs)), size=resamples)
    samples = np.array([fit(np.tensordot(times, pairs, axes=1), fixed).elo for times in draws])
    low, high = _open(np.quantile(samples, [0.025, 0.975], axis=0), best.elo)
    found = []
    for i, name in enumerate(names):
        games, points = _points(whole, i)
        elo, interval = float(best.elo[i]), (float(low[i]), float(high[i]))
        if not math.isnan(fixed[i]):
            interval = (elo, elo)
        elif not tied[i]:
            elo, interval = _untied(i, whole, tied, best)
        found.append(Rating(name, elo, *interval, games, points, not math.isnan(fixed[i])))
    return sorted(found, key=lambda r: -r.elo if not math.isnan(r.elo) else math.inf)


def _tied(counts: NDArray[np.float64], fixed: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) who both took points from and gave points to the anchored players, directly or through others."""
    took = counts[:, :, 0] + counts[:, :, 1] + counts[:, :, 1].T + counts[:, :, 2].T > 0
    known = ~np.isnan(fixed)
    if not known.any():
        return np.ones(len(fixed), np.bool_)
    reached = [_reachable(took, known), _reachable(took.T, known)]
    return np.asarray((reached[0] & reached[1]) | known)


def _reachable(edges: NDArray[np.bool_], begin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    reached = begin.copy()
    for _ in range(len(begin)):
        reached |= edges[reached].any(axis=0)
    return reached


def _open(interval: NDArray[np.float64], elo: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bounds that only the weak prior holds are no bounds."""
    return np.where(np.abs(interval - elo) > _FAR, np.copysign(math.inf, interval - elo), interval)


def _points(counts: NDArray[np.float64], i: int) -> tuple[int, float]:
    """Games and points of player i."""
    as_white, as_black = counts[i].sum(axis=0), counts[:, i].sum(axis=0)
    points = as_white[0] + as_black[2] + (as_white[1] + as_black[1]) / 2
    return int(as_white.sum() + as_black.sum()), float(points)


def _untied(i: int, counts: NDArray[np.float64], tied: NDArray[np.bool_], best: Fit) -> tuple[float, tuple[float, float]]:
    """A bound from the games against tied players, which were all won or all lost, or nothing at all."""
    own = np.zeros_like(counts)
    own[i, tied], own[tied, i] = counts[i, tied], counts[tied, i]
    games, points = _points(own, i)
    if not games or points not in (0, games):
        return math.nan, (-math.inf, math.inf)
    elo = _bound(i, own, best, won=points > 0)
    return elo, (elo, math.inf) if points else (-math.inf, elo)


def _pair_counts(scores: Sequence[Score], names: Sequence[str]) -> NDArray[np.float64]:
    """(P, N, N, 3) the games of each opening pair; player pairs are kept apart."""
    number = {name: i for i, name in enumerate(names)}
    groups: dict[object, int] = {}
    rows = []
    for i, s in enumerate(scores):
        key = (frozenset((s.white, s.black)), s.pair) if s.pair else i
        rows.append((groups.setdefault(key, len(groups)), number[s.white], number[s.black], round(2 - 2 * s.points)))
    counts = np.zeros((len(groups), len(names), len(names), 3))
    np.add.at(counts, tuple(np.array(rows).T), 1)
    return counts


def _bound(i: int, counts: NDArray[np.float64], best: Fit, *, won: bool) -> float:
    """The rating at which a perfect (or empty) score against the same opponents has probability 5 %."""
    sign = 1 if won else -1
    low, high = -4 * _FAR, 4 * _FAR
    for _ in range(60):
        middle = (low + high) / 2
        too_likely = _log_probability(i, counts, best, middle, won=won) > math.log(0.05)
        if too_likely == (sign > 0):
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _log_probability(i: int, counts: NDArray[np.float64], best: Fit, elo: float, *, won: bool) -> float:
    """Of winning (or losing) every game that player i played, at that rating."""
    total = 0.0
    for j, opponent in enumerate(best.elo):
        for games, advantage in ((counts[i, j].sum(), best.white_advantage), (counts[j, i].sum(), -best.white_advantage)):
            if games:
                d = _PER_POINT * (elo - float(opponent) + advantage) * (1 if won else -1)
                total += float(games) * (d / 2 - math.log(math.exp(d / 2) + math.exp(best.log_draw) + math.exp(-d / 2)))
    return total
