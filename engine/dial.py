"""The strength dial: for a wanted strength, the rating that the net is conditioned on and the temperature at which it plays.

A dial belongs to one net: its points were measured by matches, and lie in the net's metadata (docs/strength.md). Knows how to
read one, its range, and what lies between two points. Does not know how points are measured (``export.dial``), or options.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import NetError
from engine.net_file import read_metadata

_STEP = 10  # the range is declared in tens: intervals of ratings are wider than that


@dataclass(frozen=True)
class Setting:
    """How to play."""

    rating: int
    """Of both players, in points: what the net is conditioned on."""
    scale: int
    """Of ``engine.encoding.Scale``."""
    temperature: float


@dataclass(frozen=True)
class Point:
    """What was measured."""

    elo: float
    """On the scale of our matches, Stockfish's Skill Levels."""
    rating: int
    temperature: float


@dataclass(frozen=True)
class Dial:
    """Points of rising strength, at least two."""

    points: tuple[Point, ...]
    scale: int
    """Of the points' ratings."""

    def __post_init__(self) -> None:
        elos = [point.elo for point in self.points]
        if not all(math.isfinite(number) for point in self.points for number in (point.elo, point.temperature)):
            raise NetError(f"expected finite numbers in a dial, got {self.points}")
        if any(point.temperature < 0 or point.rating < 0 for point in self.points):
            raise NetError(f"expected temperatures and ratings of 0 or more in a dial, got {self.points}")
        if len(elos) < 2 or any(a >= b for a, b in itertools.pairwise(elos)) or self.low >= self.high:
            raise NetError(f"expected a dial of at least two points of rising strength, got {elos}")

    @property
    def low(self) -> int:
        """The weakest setting, in Elo."""
        return math.ceil(self.points[0].elo / _STEP) * _STEP

    @property
    def high(self) -> int:
        """The strongest setting, in Elo."""
        return math.floor(self.points[-1].elo / _STEP) * _STEP

    def at(self, elo: float) -> Setting:
        """How to play with that strength, or with the nearest one that the dial has."""
        elo = min(max(elo, self.low), self.high)
        above = next(i for i, point in enumerate(self.points) if i and point.elo >= elo)
        a, b = self.points[above - 1], self.points[above]
        share = (elo - a.elo) / (b.elo - a.elo)
        rating = round(a.rating + (b.rating - a.rating) * share)
        return Setting(rating, self.scale, a.temperature + (b.temperature - a.temperature) * share)

    def as_json(self) -> dict[str, Any]:
        """As it lies in ``transcendence.play``."""
        return {"scale": self.scale, "points": [[p.elo, p.rating, p.temperature] for p in self.points]}


def dial_of(play: Mapping[str, Any]) -> Dial | None:
    """The dial in a net's advice on play; None where it has none. Raises NetError for a damaged one."""
    if not isinstance(play, Mapping):
        raise NetError(f"expected a net's advice on play by name, got {play!r}; export the net again")
    if "dial" not in play:
        return None
    try:
        written = play["dial"]
        points = tuple(Point(float(elo), int(rating), float(t)) for elo, rating, t in written["points"])
        return Dial(points, int(written["scale"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise NetError(f"expected a dial as export.dial writes it, got {play['dial']!r} ({error!r})") from None


def dial_in(path: Path) -> Dial | None:
    """The dial of a net that is not opened. Raises NetError."""
    try:
        return dial_of(json.loads(read_metadata(path).get("play", "{}")))
    except ValueError as error:
        raise NetError(f"{path} has damaged metadata ({error}); export the net again") from None
