"""Ratings from results: maximum likelihood with draws, intervals by bootstrap over opening pairs.

Knows the model, its fit by Fisher scoring, fixed anchors, and what to say of a perfect score. Pure: numbers in, numbers
out. Elo points throughout.

Model: with d = ln(10) / 400 x (white - black + advantage), White's expected score is s = 1 / (1 + exp(-d)), Elo's own
curve; given s, the odds of win : draw : loss are u : nu : 1 / u (Davidson 1970), with the u that gives this score. Davidson's
own d = 2 ln(u) would stretch the scale by the share of draws: with nine draws in ten, tenfold. The two parameters are
orthogonal, so that a wrong nu cannot move the ratings.

A pool of more than ``MOST_RESAMPLED`` free players is a sparse problem: almost no two of them met. There the equations are
solved without their matrix, and the intervals are those that the likelihood's curvature gives.
Letters: R resamples, N players, K cells (White, Black) that were played, F free ratings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from match.statistics.pool_graph import Edges, tied
from match.statistics.scores import Score

PER_POINT = math.log(10) / 400
MOST_RESAMPLED = 50
"""Free players up to which intervals are by bootstrap: the fits of a larger pool's resamples take minutes, then days."""
_STEPS = 60
_SPARSE_STEPS = 200
_DRAWN_ERRORS = 200  # of a large pool: a standard deviation of 200 draws is right to 5 %, like a quantile of 1000 resamples
_ENTRIES = 4_000_000  # numbers in the largest array of a block of resamples: 32 MB
_WEAK = 1e-6  # prior precision of all else: keeps steps finite, moves nothing
_ADVANTAGE_SD = 100.0  # prior of White's advantage, in points: where one colour scored all, it must not run away
_ADVANTAGE_PRECISION = (_ADVANTAGE_SD * PER_POINT) ** -2
_FAR = 1200.0  # an interval that reaches further than this from its estimate is open
POINTS = np.array([1.0, 0.5, 0.0])
"""White's, for a win, a draw, a loss: the order of all counts."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


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

    @property
    def text(self) -> str:
        """The rating as tables show it: ? unknown, = fixed, < and > bounds."""
        if math.isnan(self.elo):
            return "?"
        if self.low == self.elo != self.high:
            return f">{self.elo:.0f}"
        if self.high == self.elo != self.low:
            return f"<{self.elo:.0f}"
        return f"{'=' if self.anchored else ''}{self.elo:.0f}"


@dataclass(frozen=True)
class Fit:
    """What the likelihood says of a whole pool."""

    elo: Floats
    """(N,) or (R, N), in the order of the names."""
    white_advantage: Floats
    """() or (R,), points."""
    log_draw: Floats
    """() or (R,), ln(nu)."""


def _silent(share: float) -> None:
    """For callers who do not ask how far a fit is."""


@dataclass(frozen=True)
class _Pull:
    """What samples say at a point: how they pull at each cell's d and at ln nu, and with how much information."""

    d: Floats
    """(R, K) gradient of the log-likelihood in d."""
    d_information: Floats
    """(R, K) that is expected."""
    log_draw: Floats
    """(R,) gradient in ln nu."""
    log_draw_information: Floats
    """(R,)"""


@dataclass(frozen=True)
class Pool:
    """The likelihood in natural units, for many samples of the same pool at once; x = (free ratings…, White's advantage,
    ln nu)."""

    white: Ints
    """(K,) who had White in each cell that was played; no two cells are alike."""
    black: Ints
    """(K,)"""
    free: Ints
    """(F,) numbers of the players without an anchor."""
    fixed: Floats
    """(N,) anchors, their mean for free players."""

    @classmethod
    def of(cls, white: Ints, black: Ints, anchors: Floats) -> Pool:
        """The pool whose K cells were played by ``white`` (K,) and ``black`` (K,)."""
        known = ~np.isnan(anchors)
        centre = float(np.mean(anchors[known])) if known.any() else 0.0
        return cls(white, black, np.flatnonzero(~known), np.where(known, anchors, centre) * PER_POINT)

    def solve(self, counts: Floats, start: Floats | None = None) -> Floats:
        """(R, F + 2) maxima for (R, K, 3) counts, by scoring steps, none longer than 2 (350 points)."""
        size = len(self.free) + 2
        x = np.zeros((len(counts), size)) if start is None else np.repeat(start[None], len(counts), axis=0)
        moving = np.arange(len(counts))
        for _ in range(_STEPS):
            step = self._step(self._pull(counts[moving], x[moving]), x[moving])
            largest = np.abs(step).max(axis=1)
            x[moving] += step * np.minimum(1.0, 2.0 / np.maximum(largest, 1e-12))[:, None]
            moving = moving[largest > 1e-6]
            if not len(moving):
                break
        return x

    def solve_sparse(self, counts: Floats, progress: Callable[[float], object]) -> tuple[Floats, Edges]:
        """(F + 2,) the maximum for (K, 3) counts without the matrix, and the information there as a graph.

        No step moves a game's d by more than 2: in a pool of thousands the ratings themselves may lie far apart.
        """
        x, edges = np.zeros(len(self.free) + 2), self._edges(np.zeros(len(self.white)))
        for number in range(_SPARSE_STEPS):
            pull = self._pull(counts[None], x[None])
            edges = self._edges(pull.d_information[0])
            step = self._sparse_step(edges, pull, x)
            moved = float(np.abs(self._d(step[None], np.zeros_like(self.fixed))).max(initial=abs(step[-1])))
            x += step * min(1.0, 2.0 / max(moved, 1e-12))
            progress(1 - 0.8**number)  # how many steps it takes shows only at the end
            if moved < 1e-6:
                break
        return x, edges

    def _edges(self, information: Floats) -> Edges:
        weak = np.full(len(self.fixed), _WEAK)
        return Edges(self.white, self.black, information, self.free, prior=np.append(weak, _ADVANTAGE_PRECISION))

    def _sparse_step(self, edges: Edges, pull: _Pull, x: Floats) -> Floats:
        gradient = edges.gathered(pull.d[0])
        gradient[: len(self.fixed)][self.free] -= _WEAK * x[:-2]
        gradient[-1] -= _ADVANTAGE_PRECISION * x[-2]
        step = edges.solve(gradient)
        drawn = (pull.log_draw[0] - _WEAK * x[-1]) / (pull.log_draw_information[0] + _WEAK)
        return np.concatenate([step[:-1][self.free], [step[-1], drawn]])

    def _d(self, x: Floats, fixed: Floats) -> Floats:
        """(R, K) d of each cell."""
        ratings = self._ratings(x, fixed)
        return np.asarray(ratings[:, self.white] - ratings[:, self.black] + x[:, -2:-1])

    def _ratings(self, x: Floats, fixed: Floats) -> Floats:
        """(R, N), in natural units."""
        ratings = np.repeat(fixed[None], len(x), axis=0)
        ratings[:, self.free] += x[:, :-2]
        return ratings

    def _pull(self, counts: Floats, x: Floats) -> _Pull:
        s = _logistic(self._d(x, self.fixed))  # (R, K)
        p = outcomes(s, x[:, -1:])  # (R, K, 3)
        n, drawn = counts.sum(axis=2), p[:, :, 1]
        slope = s * (1 - s)  # of s in d
        variance = p @ POINTS**2 - s**2  # of a game's points
        shared = drawn * (0.5 - s)  # covariance of points and drawing
        surplus = counts @ POINTS - n * s
        return _Pull(
            surplus * slope / variance,
            n * slope**2 / variance,
            (counts[:, :, 1] - n * drawn - surplus * shared / variance).sum(axis=1),
            (n * (drawn * (1 - drawn) - shared**2 / variance)).sum(axis=1),
        )

    def _step(self, pull: _Pull, x: Floats) -> Floats:
        """(R, F + 2) scoring steps. What two players' games say is a square of numbers: cells are places in it."""
        samples, players, size = len(x), len(self.fixed), x.shape[1]
        information = np.zeros((samples, size, size))
        gradient = np.empty_like(x)
        square = np.zeros((samples, players, players))
        square[:, self.white, self.black] = pull.d
        gradient[:, :-2] = (square.sum(axis=2) - square.sum(axis=1))[:, self.free]
        gradient[:, -2], gradient[:, -1] = pull.d.sum(axis=1), pull.log_draw
        square[:, self.white, self.black] = pull.d_information
        as_white, as_black = square.sum(axis=2)[:, self.free], square.sum(axis=1)[:, self.free]
        met = square[:, self.free[:, None], self.free]
        information[:, :-2, :-2] = -met - met.transpose(0, 2, 1)
        place = np.arange(len(self.free))
        information[:, place, place] += as_white + as_black
        information[:, -2, :-2] = information[:, :-2, -2] = as_white - as_black
        information[:, -2, -2], information[:, -1, -1] = pull.d_information.sum(axis=1), pull.log_draw_information
        prior = np.full(size, _WEAK)
        prior[-2] = _ADVANTAGE_PRECISION
        return np.asarray(np.linalg.solve(information + np.diag(prior), (gradient - prior * x)[..., None])[..., 0])

    def elo(self, x: Floats) -> Floats:
        """(R, N) ratings."""
        return self._ratings(x, self.fixed) / PER_POINT

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
    white: Ints
    """(K,) who had White in each cell that was played."""
    black: Ints
    """(K,)"""
    cell: Ints
    """(G,) number of each game's cell."""
    result: Ints
    """(G,) 0, 1, 2 for White's win, a draw, a loss."""
    pair: Ints
    """(G,) number of its opening pair."""

    @classmethod
    def of(cls, scores: Sequence[Score]) -> _Games:
        names = sorted({name for s in scores for name in (s.white, s.black)})
        number = {name: i for i, name in enumerate(names)}
        groups: dict[object, int] = {}
        pairs, cells, results = [], [], []
        for i, s in enumerate(scores):  # games of different players are never one pair, whatever it is called
            key = (frozenset((s.white, s.black)), s.pair) if s.pair else i
            pairs.append(groups.setdefault(key, len(groups)))
            cells.append(number[s.white] * len(names) + number[s.black])
            results.append(round(2 - 2 * s.points))
        met, cell = np.unique(np.array(cells, np.int64), return_inverse=True)
        result, pair = np.array(results, np.int64), np.array(pairs, np.int64)
        return cls(names, met // max(1, len(names)), met % max(1, len(names)), cell.reshape(-1), result, pair)

    def counts(self, weights: Floats | None = None) -> Floats:
        """(K, 3), each game as often as its pair's weight says."""
        each = None if weights is None else weights[self.pair]
        size = len(self.white) * 3
        return np.bincount(self.cell * 3 + self.result, weights=each, minlength=size).astype(np.float64).reshape(-1, 3)

    def resampled(self, times: int, seed: int) -> Iterator[Floats]:
        """(K, 3) counts of as many pairs, drawn with replacement, so many times."""
        random = np.random.default_rng(seed)
        pairs = int(self.pair.max()) + 1
        for _ in range(times):
            yield self.counts(np.bincount(random.integers(pairs, size=pairs), minlength=pairs).astype(np.float64))


def rate(
    scores: Sequence[Score],
    anchors: Mapping[str, float],
    *,
    resamples: int = 1000,
    seed: int = 1,
    progress: Callable[[float], object] = _silent,
) -> list[Rating]:
    """Every player's rating with a 95 % interval, best first; ``progress`` hears the share that is done.

    A finite estimate needs points won and points lost against players that are tied to an anchor in the same way (without
    anchors: to the largest group of players that are tied to each other, whose mean is then 0). Where they lack, ``elo``
    is the bound that such a score would pass with 5 % probability and the interval is open on that side; where no game
    tells anything, it is NaN. Without games there are no players.
    """
    if not scores:
        return []
    games = _Games.of(scores)
    fixed = np.array([anchors.get(name, math.nan) for name in games.names])
    whole, among = games.counts(), _tied(games, fixed)
    best, samples, (low, high) = _fitted(games, fixed, among, resamples=resamples, seed=seed, progress=progress)
    played, points = _points(games, whole)
    bounds = _bounds(games, whole, among, best)
    placed: list[tuple[Rating, int]] = []
    for i, name in enumerate(games.names):
        elo, interval = float(best.elo[i]), (float(low[i]), float(high[i]))
        if not math.isnan(fixed[i]):
            interval = (elo, elo)
        elif not among[i]:
            elo, interval = bounds.get(i, (math.nan, (-math.inf, math.inf)))
        placed.append((Rating(name, elo, *interval, int(played[i]), float(points[i]), not math.isnan(fixed[i])), i))
    placed.sort(key=lambda place: -place[0].elo if not math.isnan(place[0].elo) else math.inf)
    return _with_superiority(placed, samples, among)


def is_resampled(free: int) -> bool:
    """Whether the intervals of a pool with so many free players are by bootstrap."""
    return free <= MOST_RESAMPLED


def _fitted(
    games: _Games, fixed: Floats, among: NDArray[np.bool_], *, resamples: int, seed: int, progress: Callable[[float], object]
) -> tuple[Fit, Floats, Floats]:
    """The fit of the tied players' games, (R, N) ratings scattered as their errors are, and (2, N) ends of intervals."""
    if is_resampled(int(np.isnan(fixed).sum())):
        best, samples = _bootstrap(games, fixed, among, resamples=resamples, seed=seed, progress=progress)
        return best, samples, _open(np.quantile(samples, [0.025, 0.975], axis=0), best.elo)
    best, samples = _drawn(games, fixed, among, draws=min(resamples, _DRAWN_ERRORS), seed=seed, progress=progress)
    reach = 1.96 * np.sqrt(((samples - best.elo) ** 2).mean(axis=0))
    return best, samples, _open(np.stack([best.elo - reach, best.elo + reach]), best.elo)


def _bootstrap(
    games: _Games, fixed: Floats, among: NDArray[np.bool_], *, resamples: int, seed: int, progress: Callable[[float], object]
) -> tuple[Fit, Floats]:
    """The fit of the tied players' games, and (R, N) ratings from resampled pairs."""
    cells = among[games.white] & among[games.black]
    pool = Pool.of(games.white[cells], games.black[cells], fixed)
    x = pool.solve(games.counts()[None, cells])
    block = max(1, _ENTRIES // max(len(fixed) ** 2, 3 * len(pool.white)))
    counts, samples = games.resampled(resamples, seed), []
    for done in range(0, resamples, block):
        part = np.array([next(counts)[cells] for _ in range(min(block, resamples - done))])
        samples.append(pool.elo(pool.solve(part, start=x[0])))
        progress((done + len(part)) / resamples)
    return pool.result(x)[0], _centred(np.concatenate(samples), fixed, among)


def _drawn(
    games: _Games, fixed: Floats, among: NDArray[np.bool_], *, draws: int, seed: int, progress: Callable[[float], object]
) -> tuple[Fit, Floats]:
    """The fit of a large pool, and (R, N) ratings drawn from the normal distribution of its errors: the inverse of the
    information, which is what independent games tell, wider where the games of a pair are more alike than that."""
    cells = among[games.white] & among[games.black]
    pool = Pool.of(games.white[cells], games.black[cells], fixed)
    x, edges = pool.solve_sparse(games.counts()[cells], lambda share: progress(share / 2))
    best, wider = pool.result(x[None])[0], math.sqrt(_dispersion(games, cells, pool, x))
    random = np.random.default_rng(seed)
    samples = np.empty((draws, len(fixed)))
    for i in range(draws):
        samples[i] = best.elo + wider / PER_POINT * edges.solve(edges.noise(random), tolerance=1e-3)[:-1]
        progress(0.5 + (i + 1) / draws / 2)
    return best, _centred(samples, fixed, among)


def _dispersion(games: _Games, cells: NDArray[np.bool_], pool: Pool, x: Floats) -> float:
    """How much more the points of opening pairs scatter than independent games would; at least 1."""
    s = _logistic(pool._d(x[None], pool.fixed))[0]
    variance = outcomes(s, x[-1:]) @ POINTS**2 - s**2
    place = np.cumsum(cells) - 1
    chosen = cells[games.cell]
    cell, pair = place[games.cell[chosen]], games.pair[chosen]
    side = np.where(pool.white < pool.black, 1.0, -1.0)[cell]  # the same player's points in both games of a pair
    surplus = np.bincount(pair, side * (POINTS[games.result[chosen]] - s[cell]))
    return max(1.0, float((surplus**2).sum() / variance[cell].sum())) if len(cell) else 1.0


def _centred(samples: Floats, fixed: Floats, among: NDArray[np.bool_]) -> Floats:
    return samples if not np.isnan(fixed).all() else samples - samples[:, among].mean(axis=1, keepdims=True)


def _with_superiority(placed: Sequence[tuple[Rating, int]], samples: Floats, among: NDArray[np.bool_]) -> list[Rating]:
    ratings = []
    for place, (rating, i) in enumerate(placed):
        j = placed[place + 1][1] if place + 1 < len(placed) else -1
        if j >= 0 and among[i] and among[j] and not (rating.anchored and placed[place + 1][0].anchored):
            above, level = (samples[:, i] > samples[:, j]).mean(), (samples[:, i] == samples[:, j]).mean()
            rating = replace(rating, superiority=float(above + level / 2))
        ratings.append(rating)
    return ratings


def _tied(games: _Games, fixed: Floats) -> NDArray[np.bool_]:
    """(N,) who both took points from and gave points to the anchored players, directly or through others."""
    counts = games.counts()
    white_took, black_took = counts[:, :2].sum(axis=1) > 0, counts[:, 1:].sum(axis=1) > 0
    takers = np.concatenate([games.white[white_took], games.black[black_took]])
    givers = np.concatenate([games.black[white_took], games.white[black_took]])
    return tied(takers, givers, known=~np.isnan(fixed))


def _open(interval: Floats, elo: Floats) -> Floats:
    """Bounds that only the weak prior holds are no bounds."""
    return np.where(np.abs(interval - elo) > _FAR, np.copysign(math.inf, interval - elo), interval)


def _points(games: _Games, counts: Floats) -> tuple[Floats, Floats]:
    """(N,) games and (N,) points of each player."""
    size, each, whites = len(games.names), counts.sum(axis=1), counts @ POINTS
    played = np.bincount(games.white, each, size) + np.bincount(games.black, each, size)
    points = np.bincount(games.white, whites, size) + np.bincount(games.black, each - whites, size)
    return played.astype(np.float64), points.astype(np.float64)


def _bounds(games: _Games, counts: Floats, among: NDArray[np.bool_], best: Fit) -> dict[int, tuple[float, tuple[float, float]]]:
    """Of each player who won or lost every game against tied players, and is none: the rating at which that has a
    probability of 5 %, and the open interval. A list for all of them, game by game: a pool may hold thousands."""
    as_white, as_black = among[games.black] & ~among[games.white], among[games.white] & ~among[games.black]
    own = np.concatenate([games.white[as_white], games.black[as_black]])
    other = np.concatenate([games.black[as_white], games.white[as_black]])
    side = np.repeat([1.0, -1.0], [as_white.sum(), as_black.sum()])
    results = np.concatenate([counts[as_white], counts[as_black][:, ::-1]])  # as the untied player saw them
    size = len(games.names)
    played = np.bincount(own, results.sum(axis=1), size)
    points = np.bincount(own, results @ POINTS, size)
    low, high = np.full(size, -6 * _FAR), np.full(size, 6 * _FAR)
    won = points > 0
    for _ in range(60):
        middle = (low + high) / 2
        d = PER_POINT * (middle[own] - best.elo[other] + side * best.white_advantage)
        p = outcomes(_logistic(d), best.log_draw)
        each = results.sum(axis=1) * np.log(np.where(won[own], p[:, 0], p[:, 2]))
        up = (np.bincount(own, each, size) > math.log(0.05)) == won
        low, high = np.where(up, low, middle), np.where(up, middle, high)
    elo = ((low + high) / 2).tolist()
    perfect = np.flatnonzero((played > 0) & ((points == 0) | (points == played))).tolist()
    return {i: (elo[i], (elo[i], math.inf) if won[i] else (-math.inf, elo[i])) for i in perfect}
