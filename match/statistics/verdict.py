"""Whether a net transcends: does it beat the best of the players that it learned from, and by how much?

Knows the three verdicts on a head-to-head match, and what else the claim implies of a pool that holds the net at several
temperatures: the rating falls as temperature rises, and at temperature 1 the net is not above its best expert. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

from engine.errors import MatchError
from match.statistics.ratings import Rating
from match.statistics.scores import Difference, Score, difference, pentanomial, temperature_of

_SURE = 0.05  # error rate of each check on temperatures, all its comparisons together
_SIDES = 2 * NormalDist().inv_cdf(0.975)  # an interval of 95 % is so many standard errors wide

FEWEST_PAIRS = 30
"""An interval from fewer opening pairs is too narrow to decide by: of four pairs with few draws, equal players make it miss 0
in every fourth match (`python -m benchmarks.match_statistics`)."""
MEANING = {
    "transcends": "the whole 95 % interval of net - best expert is above 0",
    "does not transcend": "the whole 95 % interval of net - best expert is below 0",
    "undecided": f"the 95 % interval of net - best expert holds 0, or there are fewer than {FEWEST_PAIRS} opening pairs",
}


@dataclass(frozen=True)
class Gap:
    """A rating difference from a pool, with its 95 % interval (normal, the two errors taken as independent)."""

    elo: float
    low: float
    high: float


@dataclass(frozen=True)
class Temperatures:
    """What a pool says of one net's temperatures up to 1."""

    rises: tuple[tuple[float, float, float], ...]
    """(lower temperature, higher one, Elo): where the rating rises beyond its error though temperature does."""
    gain: Gap | None
    """Lowest temperature minus temperature 1."""
    average: Gap | None
    """The net at temperature 1 minus the best expert."""

    @property
    def falls(self) -> bool:
        """Monotonically, within errors."""
        return not self.rises and self.gain is not None and self.gain.low > 0

    @property
    def average_is_above(self) -> bool:
        """Whether the net at temperature 1 is shown to be above the best expert: it should not be."""
        return self.average is not None and self.average.low > 0


@dataclass(frozen=True)
class Verdict:
    """The head-to-head match of a net and the best of its experts."""

    net: str
    expert: str
    difference: Difference
    ratings: tuple[Rating, ...] = ()
    """Of the pool, best first; empty where no pool was played."""
    temperatures: Temperatures | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    """What else should stay with the numbers: settings of the experiment."""

    @property
    def word(self) -> str:
        """One of MEANING, by the sign of the interval; undecided with fewer than FEWEST_PAIRS. A draw-like result is undecided
        however many games were played; more games, not a wish, may decide it."""
        low, high = self.difference.interval
        if self.difference.pairs < FEWEST_PAIRS:
            return "undecided"
        return "transcends" if low > 0 else "does not transcend" if high < 0 else "undecided"


def judge(match: Sequence[Score], *, net: str, expert: str, pool: Sequence[Rating] = ()) -> Verdict:
    """The verdict of the games between ``net`` and ``expert``. Raises MatchError where there are no opening pairs."""
    games = [s for s in match if {s.white, s.black} == {net, expert}]
    net_less_expert = difference(pentanomial(games, net).tolist())
    if not net_less_expert.pairs:
        raise MatchError(f"expected complete opening pairs of {net!r} against {expert!r}, found none")
    return Verdict(
        net, expert, net_less_expert, tuple(pool), check_temperatures(pool, net=net, expert=expert) if pool else None
    )


def the_two(match: Sequence[Score]) -> tuple[str, str]:
    """The net (whose name tells a temperature) and its opponent in a match of two. Raises MatchError for any other."""
    names = sorted({name for s in match for name in (s.white, s.black)})
    nets = [name for name in names if temperature_of(name)]
    others = [name for name in names if name not in nets]
    if len(nets) != 1 or len(others) != 1:
        raise MatchError(f"expected a match of one net with one expert, got {', '.join(names) or 'no games'}")
    return nets[0], others[0]


def check_temperatures(pool: Sequence[Rating], *, net: str, expert: str) -> Temperatures:
    """What ratings of one pool say of the net's temperatures up to 1."""
    known = {r.name: r for r in pool if math.isfinite(r.elo)}
    curve = curve_of(pool, net)
    by_temperature = {t: r for t, r in curve if t <= 1}
    steps = sorted(by_temperature)
    pairs = [(a, b) for i, a in enumerate(steps) for b in steps[i + 1 :]]
    bound = NormalDist().inv_cdf(1 - _SURE / max(len(pairs), 1))
    rises = [(a, b, by_temperature[b].elo - by_temperature[a].elo) for a, b in pairs]
    certain = tuple(rise for rise in rises if rise[2] > bound * _error_of_gap(by_temperature[rise[0]], by_temperature[rise[1]]))
    one = by_temperature.get(1.0)
    gain = gap(by_temperature[steps[0]], one) if one and steps[0] < 1 else None
    return Temperatures(certain, gain, gap(one, known[expert]) if one and expert in known else None)


def curve_of(pool: Sequence[Rating], net: str) -> list[tuple[float, Rating]]:
    """The net's ratings by temperature, lowest temperature first."""
    name = (temperature_of(net) or (net, 0.0))[0]
    points = [(at[1], r) for r in pool if (at := temperature_of(r.name)) and at[0] == name and math.isfinite(r.elo)]
    return sorted(points, key=lambda point: point[0])


def gap(a: Rating, b: Rating) -> Gap:
    """a - b."""
    elo, error = a.elo - b.elo, _SIDES / 2 * _error_of_gap(a, b)
    return Gap(elo, elo - error, elo + error)


def _error_of_gap(a: Rating, b: Rating) -> float:
    """Standard error of a difference of ratings. In a pool with common opponents their errors rise and fall together, so
    this is too large rather than too small."""
    return math.hypot(_error(a), _error(b))


def _error(r: Rating) -> float:
    return 0.0 if r.anchored else (r.high - r.low) / _SIDES
