"""The strength dial: for a wanted strength, the net's rating input, the temperature, and the evaluations for each move.

A dial belongs to one net: its points were measured by matches, and lie in the net's metadata (docs/strength.md). Knows how to
read one, its range, and what lies between two points. Does not know how points are measured (``export.dial``), or options.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
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
    nodes: int = 1
    """Evaluations for each move; 1 = no search."""


@dataclass(frozen=True)
class Point:
    """What was measured."""

    elo: float
    """On the scale of our matches, Stockfish's Skill Levels."""
    setting: Setting


@dataclass(frozen=True)
class Dial:
    """Points of rising strength, at least two."""

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        elos = [point.elo for point in self.points]
        settings = [point.setting for point in self.points]
        if not all(map(math.isfinite, [*elos, *(setting.temperature for setting in settings)])):
            raise NetError(f"expected finite numbers in a dial, got {self.points}")
        if any(setting.temperature < 0 or setting.rating < 0 or setting.nodes < 1 for setting in settings):
            raise NetError(
                f"expected temperatures and ratings of 0 or more and nodes of 1 or more in a dial, got {self.points}"
            )
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
        """How to play with that strength, or with the nearest one that the dial has.

        Between two points the temperature and the rating lie on a line, the evaluations on a line of their logarithms. Ratings
        of two scales have nothing between them: then it is that of the nearer point.
        """
        elo = min(max(elo, self.low), self.high)
        above = next(i for i, point in enumerate(self.points) if i and point.elo >= elo)
        below, beyond = self.points[above - 1], self.points[above]
        share = (elo - below.elo) / (beyond.elo - below.elo)
        a, b = below.setting, beyond.setting
        rating, scale = round(_between(a.rating, b.rating, share)), a.scale
        if a.scale != b.scale:
            rating, scale = (a.rating, a.scale) if share < 0.5 else (b.rating, b.scale)
        nodes = round(a.nodes * (b.nodes / a.nodes) ** share)
        return Setting(rating, scale, _between(a.temperature, b.temperature, share), nodes)

    def as_json(self) -> dict[str, Any]:
        """As it lies in ``transcendence.play``."""
        return {
            "points": [[p.elo, p.setting.rating, p.setting.temperature, p.setting.nodes, p.setting.scale] for p in self.points]
        }


def _between(a: float, b: float, share: float) -> float:
    return a + (b - a) * share


def dial_of(play: Mapping[str, Any]) -> Dial | None:
    """The dial in a net's advice on play; None where it has none. Raises NetError for a damaged one."""
    if not isinstance(play, Mapping):
        raise NetError(f"expected a net's advice on play by name, got {play!r}; export the net again")
    if "dial" not in play:
        return None
    try:
        written = play["dial"]
        return Dial(tuple(_point(values, written) for values in written["points"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise NetError(f"expected a dial as export.dial writes it, got {play['dial']!r} ({error!r})") from None


def _point(values: Sequence[Any], written: Mapping[str, Any]) -> Point:
    """Of [Elo, rating, temperature, nodes, scale]; dials that were measured without a search have one scale for all points."""
    elo, rating, temperature, nodes, scale = values if len(values) != 3 else (*values, 1, written["scale"])
    return Point(float(elo), Setting(int(rating), int(scale), float(temperature), int(nodes)))


def dial_in(path: Path) -> Dial | None:
    """The dial of a net that is not opened. Raises NetError."""
    try:
        return dial_of(json.loads(read_metadata(path).get("play", "{}")))
    except ValueError as error:
        raise NetError(f"{path} has damaged metadata ({error}); export the net again") from None
