"""Ratings from results: maximum likelihood with draws, intervals by bootstrap over opening pairs.

Knows the model, its fit by Fisher scoring, fixed anchors, and what to say of a perfect score. Pure: numbers in, numbers
out. Elo points throughout.

Model: with d = ln(10) / 400 x (white - black + advantage), White's expected score is s = 1 / (1 + exp(-d)), Elo's own
curve; given s, the odds of win : draw : loss are u : nu : 1 / u (Davidson 1970), with the u that gives this score. Davidson's
own d = 2 ln(u) would stretch the scale by the share of draws: with nine draws in ten, tenfold. The two parameters are
orthogonal, so that a wrong nu cannot move the ratings.
Letters: R resamples, N players, K cells (White, Black) that were played, F free ratings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PER_POINT = math.log(10) / 400
_STEPS = 60
_WEAK = 1e-6  # prior precision of all else: keeps steps finite, moves nothing
_ADVANTAGE_SD = 100.0  # prior of White's advantage, in points: where one colour scored all, it must not run away
_FAR = 1200.0  # an interval that reaches further than this from its estimate is open
POINTS = np.array([1.0, 0.5, 0.0])
"""White's, for a win, a draw, a loss: the order of all counts."""

Floats = NDArray[np.float64]


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
    superiority: float = math.nan
    """Likelihood of being stronger than the next in the list: the share of resamples that say so."""

    @property
    def share(self) -> float:
        """Points a game."""
        return self.points / self.games if self.games else 0.0


@dataclass(frozen=True)
class Fit:
    """What the likelihood says of a whole pool."""

    elo: Floats
    """(N,) or (R, N), in the order of the names."""
    white_advantage: Floats
    """() or (R,), points."""
    log_draw: Floats
    """() or (R,), ln(nu)."""


def fit(counts: Floats, anchors: Floats) -> Fit:
    """Maximum likelihood for ``counts`` (N, N, 3): White's wins, draws, losses; ``anchors`` (N,) fixed Elo or NaN.

    Without any anchor the mean is 0.
    """
    white, black = np.nonzero(counts.sum(axis=2))
    pool = Pool.of(white, black, anchors)
    return pool.result(pool.solve(counts[None, white, black]))[0]


@dataclass(frozen=True)
class Pool:
    """The likelihood in natural units, for many samples of the same pool at once; x = (free ratings…, White's advantage,
    ln nu)."""

    design: Floats
    """(K, F + 1): how d depends on x, without ln nu."""
    squares: Floats
    """(K, (F + 1)²) outer product of each row of the design with itself."""
    offset: Floats
    """(K,) d from the anchors alone."""
    place: Floats
    """(N, F): ratings from free ones."""
    fixed: Floats
    """(N,) anchors, 0 for free players."""

    @classmethod
    def of(cls, white: NDArray[np.int64], black: NDArray[np.int64], anchors: Floats) -> Pool:
        """The pool whose K cells were played by ``white`` (K,) and ``black`` (K,)."""
        known = ~np.isnan(anchors)
        place = np.eye(len(anchors))[:, ~known]
        centre = float(np.mean(anchors[known])) if known.any() else 0.0
        fixed = np.where(known, anchors, centre) * PER_POINT
        design = np.concatenate([place[white] - place[black], np.ones((len(white), 1))], axis=1)
        squares = (design[:, :, None] * design[:, None, :]).reshape(len(white), design.shape[1] ** 2)
        return cls(design, squares, fixed[white] - fixed[black], place, fixed)

    def solve(self, counts: Floats, start: Floats | None = None) -> Floats:
        """(R, F + 2) maxima for (R, K, 3) counts, by scoring steps, none longer than 2 (350 points)."""
        size = self.place.shape[1] + 2
        x = np.zeros((len(counts), size)) if start is None else np.repeat(start[None], len(counts), axis=0)
        moving = np.arange(len(counts))
        for _ in range(_STEPS):
            gradient, information = self._derivatives(counts[moving], x[moving])
            step = np.linalg.solve(information, gradient[..., None])[..., 0]
            largest = np.abs(step).max(axis=1)
            x[moving] += step * np.minimum(1.0, 2.0 / np.maximum(largest, 1e-12))[:, None]
            moving = moving[largest > 1e-6]
            if not len(moving):
                break
        return x

    def _derivatives(self, counts: Floats, x: Floats) -> tuple[Floats, Floats]:
        """Gradient of the log-likelihood, and the information that is expected."""
        s = _logistic(x[:, :-1] @ self.design.T + self.offset)  # (R, K)
        p = outcomes(s, x[:, -1:])  # (R, K, 3)
        n, drawn = counts.sum(axis=2), p[:, :, 1]
        slope = s * (1 - s)  # of s in d
        variance = p @ POINTS**2 - s**2  # of a game's points
        shared = drawn * (0.5 - s)  # covariance of points and drawing
        surplus = counts @ POINTS - n * s
        gradient = np.empty_like(x)
        gradient[:, :-1] = (surplus * slope / variance) @ self.design
        gradient[:, -1] = (counts[:, :, 1] - n * drawn - surplus * shared / variance).sum(axis=1)
        size = x.shape[1]
        information = np.zeros((len(x), size, size))
        information[:, :-1, :-1] = ((n * slope**2 / variance) @ self.squares).reshape(len(x), size - 1, size - 1)
        information[:, -1, -1] = (n * (drawn * (1 - drawn) - shared**2 / variance)).sum(axis=1)
        prior = np.full(size, _WEAK)
        prior[-2] = (_ADVANTAGE_SD * PER_POINT) ** -2
        return gradient - prior * x, information + np.diag(prior)

    def elo(self, x: Floats) -> Floats:
        """(R, N) ratings."""
        return np.asarray((x[:, :-2] @ self.place.T + self.fixed) / PER_POINT)

    def result(self, x: Floats) -> list[Fit]:
        """A fit for each row."""
        return [Fit(e, a, d) for e, a, d in zip(self.elo(x), x[:, -2] / PER_POINT, x[:, -1], strict=True)]


def _logistic(d: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(d, -30, 30))))


def outcomes(score: Floats, log_draw: Floats) -> Floats:
    """(..., 3) probabilities of win, draw, loss whose expected score is ``score``, at ln(nu) ``log_draw``."""
    nu = np.exp(np.clip(log_draw, -30, 30))
    weak = np.minimum(score, 1 - score)
    b = nu * (0.5 - weak)
    u = 2 * weak / (b + np.sqrt(b**2 + 4 * weak * (1 - weak)))  # of the weaker side: no cancellation
    u = np.where(score > 0.5, 1 / u, u)
    odds = np.stack([u, np.broadcast_to(nu, u.shape), 1 / u], axis=-1)
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class _Games:
    """A pool's games as numbers."""

    names: list[str]
    cell: NDArray[np.int64]
    """(G,) (White, Black, result) of each game as one number."""
    pair: NDArray[np.int64]
    """(G,) number of its opening pair."""

    @classmethod
    def of(cls, scores: Sequence[Score]) -> _Games:
        names = sorted({name for s in scores for name in (s.white, s.black)})
        number = {name: i for i, name in enumerate(names)}
        groups: dict[object, int] = {}
        pairs, cells = [], []
        for i, s in enumerate(scores):  # games of different players are never one pair, whatever it is called
            key = (frozenset((s.white, s.black)), s.pair) if s.pair else i
            pairs.append(groups.setdefault(key, len(groups)))
            cells.append((number[s.white] * len(names) + number[s.black]) * 3 + round(2 - 2 * s.points))
        return cls(names, np.array(cells, np.int64), np.array(pairs, np.int64))

    def counts(self, weights: Floats | None = None) -> Floats:
        """(N, N, 3), each game as often as its pair's weight says."""
        n = len(self.names)
        each = None if weights is None else weights[self.pair]
        return np.bincount(self.cell, weights=each, minlength=n * n * 3).astype(np.float64).reshape(n, n, 3)


def rate(scores: Sequence[Score], anchors: Mapping[str, float], *, resamples: int = 1000, seed: int = 1) -> list[Rating]:
    """Every player's rating with a 95 % interval, best first.

    A finite estimate needs points won and points lost against players that are tied to an anchor in the same way (without
    anchors: to the largest group of players that are tied to each other, whose mean is then 0). Where they lack, ``elo``
    is the bound that such a score would pass with 5 % probability and the interval is open on that side; where no game
    tells anything, it is NaN.
    """
    games = _Games.of(scores)
    fixed = np.array([anchors.get(name, math.nan) for name in games.names])
    whole = games.counts()
    tied = _tied(whole, fixed)
    best, samples = _bootstrap(games, fixed, tied, resamples=resamples, seed=seed)
    low, high = _open(np.quantile(samples, [0.025, 0.975], axis=0), best.elo)
    found: list[tuple[Rating, int]] = []
    for i, name in enumerate(games.names):
        points = _points(whole, i)
        elo, interval = float(best.elo[i]), (float(low[i]), float(high[i]))
        if not math.isnan(fixed[i]):
            interval = (elo, elo)
        elif not tied[i]:
            elo, interval = _untied(i, whole, tied, best)
        found.append((Rating(name, elo, *interval, *points, not math.isnan(fixed[i])), i))
    found.sort(key=lambda place: -place[0].elo if not math.isnan(place[0].elo) else math.inf)
    return _with_superiority(found, samples, tied)


def _bootstrap(games: _Games, fixed: Floats, tied: NDArray[np.bool_], *, resamples: int, seed: int) -> tuple[Fit, Floats]:
    """The fit of the tied players' games, and (R, N) ratings from resampled pairs."""
    cells = np.add.outer(~tied, ~tied) == 0
    white, black = np.nonzero(games.counts().sum(axis=2) * cells)
    pool = Pool.of(white, black, fixed)
    x = pool.solve(games.counts()[None, white, black])
    random = np.random.default_rng(seed)
    pairs = int(games.pair.max()) + 1
    chosen = (np.bincount(random.integers(pairs, size=pairs), minlength=pairs) for _ in range(resamples))
    counts = np.array([games.counts(times.astype(np.float64))[white, black] for times in chosen])
    return pool.result(x)[0], _centred(pool.elo(pool.solve(counts, start=x[0])), fixed, tied)


def _centred(samples: Floats, fixed: Floats, tied: NDArray[np.bool_]) -> Floats:
    return samples if not np.isnan(fixed).all() else samples - samples[:, tied].mean(axis=1, keepdims=True)


def _with_superiority(found: Sequence[tuple[Rating, int]], samples: Floats, tied: NDArray[np.bool_]) -> list[Rating]:
    ratings = []
    for place, (rating, i) in enumerate(found):
        j = found[place + 1][1] if place + 1 < len(found) else -1
        if j >= 0 and tied[i] and tied[j] and not (rating.anchored and found[place + 1][0].anchored):
            above, level = (samples[:, i] > samples[:, j]).mean(), (samples[:, i] == samples[:, j]).mean()
            rating = Rating(**{**rating.__dict__, "superiority": float(above + level / 2)})
        ratings.append(rating)
    return ratings


def _tied(counts: Floats, fixed: Floats) -> NDArray[np.bool_]:
    """(N,) who both took points from and gave points to the anchored players, directly or through others."""
    took = counts[:, :, 0] + counts[:, :, 1] + counts[:, :, 1].T + counts[:, :, 2].T > 0
    known = ~np.isnan(fixed)
    if known.any():
        return _mutual(took, known) | known
    groups = [_mutual(took, np.arange(len(fixed)) == i) for i in range(len(fixed))]
    return max(groups, key=lambda group: int(group.sum()))


def _mutual(took: NDArray[np.bool_], begin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return _reachable(took, begin) & _reachable(took.T, begin)


def _reachable(edges: NDArray[np.bool_], begin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    reached = begin.copy()
    for _ in range(len(begin)):
        reached |= edges[reached].any(axis=0)
    return reached


def _open(interval: Floats, elo: Floats) -> Floats:
    """Bounds that only the weak prior holds are no bounds."""
    return np.where(np.abs(interval - elo) > _FAR, np.copysign(math.inf, interval - elo), interval)


def _points(counts: Floats, i: int) -> tuple[int, float]:
    """Games and points of player i."""
    as_white, as_black = counts[i].sum(axis=0), counts[:, i].sum(axis=0)
    points = as_white[0] + as_black[2] + (as_white[1] + as_black[1]) / 2
    return int(as_white.sum() + as_black.sum()), float(points)


def _untied(i: int, counts: Floats, tied: NDArray[np.bool_], best: Fit) -> tuple[float, tuple[float, float]]:
    """A bound from the games against tied players, which were all won or all lost, or nothing at all."""
    own = np.zeros_like(counts)
    own[i, tied], own[tied, i] = counts[i, tied], counts[tied, i]
    games, points = _points(own, i)
    if not games or points not in (0, games):
        return math.nan, (-math.inf, math.inf)
    elo = _bound(i, own, best, won=points > 0)
    return elo, (elo, math.inf) if points else (-math.inf, elo)


def _bound(i: int, counts: Floats, best: Fit, *, won: bool) -> float:
    """The rating at which a perfect (or empty) score against the same opponents has probability 5 %."""
    sign = 1 if won else -1
    low, high = -6 * _FAR, 6 * _FAR
    for _ in range(60):
        middle = (low + high) / 2
        too_likely = _log_probability(i, counts, best, middle, won=won) > math.log(0.05)
        if too_likely == (sign > 0):
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _log_probability(i: int, counts: Floats, best: Fit, elo: float, *, won: bool) -> float:
    """Of winning (or losing) every game that player i played, at that rating."""
    sides = np.stack([counts[i].sum(axis=1), counts[:, i].sum(axis=1)])  # (2, N) games as White, as Black
    d = PER_POINT * (elo - best.elo + np.array([[1.0], [-1.0]]) * best.white_advantage)
    p = outcomes(_logistic(d), best.log_draw)[..., 0 if won else 2]
    return float((sides * np.log(p)).sum())


def expected(white: float, black: float, best: Fit) -> float:
    """Points a game that the fit expects of White against Black."""
    return float(_logistic(np.array(PER_POINT * (white - black + float(best.white_advantage)))))
