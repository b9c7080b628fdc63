"""Which games are kept: by what a game's record says, and by what came before it.

Knows ``training.data.store``'s records, many at a time. Does not know formats or files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from training.data.store import RESULTS, TERMINATIONS, TIME_CLASSES, Games

BAND = 100
"""Rating points of a band."""


@dataclass(frozen=True)
class Filters:
    """Which games are kept, each by itself."""

    max_rating: int = 0
    """No player above this; games with an unknown rating go too. 0 = no cap. The paper's caps are 1000, 1300, 1500."""
    min_rating: int = 0
    """No player below this; games with an unknown rating go too. 0 = no floor."""
    min_plies: int = 2
    """Shorter games are left out."""
    time_classes: tuple[str, ...] = ()
    """Only these of TIME_CLASSES; empty = all."""
    terminations: tuple[str, ...] = ()
    """Only these of TERMINATIONS; empty = all."""
    results: tuple[str, ...] = ()
    """Only these of RESULTS; empty = all."""
    starts: Literal["any", "standard", "fen"] = "any"
    """standard = only games from the initial position, fen = only from others."""
    bots: bool = True
    """Whether games of players whose title is BOT stay; only PGN tells, a store does not remember."""
    since: int = 0
    """First date, yyyymmdd; 0 = no limit. Games without a date go too."""
    until: int = 0
    """Last date, yyyymmdd; 0 = no limit. Games without a date go too."""

    def __post_init__(self) -> None:
        known = (
            ("time class", self.time_classes, TIME_CLASSES),
            ("termination", self.terminations, TERMINATIONS),
            ("result", self.results, RESULTS),
        )
        for what, asked, names in known:
            if wrong := [name for name in asked if name not in names]:
                raise DataError(f"expected a {what} of {', '.join(names)}, got {wrong[0]!r}")
        if self.max_rating and self.min_rating > self.max_rating:
            raise DataError(f"expected a floor below the cap, got min_rating {self.min_rating}, max_rating {self.max_rating}")
        if self.until and self.since > self.until:
            raise DataError(f"expected a first date before the last one, got since {self.since}, until {self.until}")

    def passing(self, games: Games) -> tuple[NDArray[np.bool_], Counter[str]]:
        """(G,) which games are kept, and how many go for which reason: the first that holds, in the order below."""
        keep = np.ones(len(games), np.bool_)
        rejects: Counter[str] = Counter()
        for reason, fails in self._failing(games):
            if count := int((fails & keep).sum()):
                rejects[reason] = count
                keep &= ~fails
        return keep, rejects

    def _failing(self, games: Games) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        records = games.records
        low = np.minimum(records["white_elo"], records["black_elo"])
        high = np.maximum(records["white_elo"], records["black_elo"])
        if self.max_rating or self.min_rating:
            yield "unknown rating", low == 0
        if self.max_rating:
            yield "rating above the cap", high > self.max_rating
        yield "rating below the floor", low < self.min_rating
        yield "too short", games.lengths < self.min_plies
        for reason, column, asked, names in (
            ("time class", "time_class", self.time_classes, TIME_CLASSES),
            ("termination", "termination", self.terminations, TERMINATIONS),
            ("result", "result", self.results, RESULTS),
        ):
            if asked:
                yield reason, ~np.isin(records[column], [names.index(name) for name in asked])
        if self.starts != "any":
            yield "start position", (records["start"] >= 0) == (self.starts == "standard")
        if not self.bots:
            yield "bot", games.bots
        if self.since or self.until:
            yield "unknown date", records["date"] == 0
            yield "too early", records["date"] < self.since
        if self.until:
            yield "too late", records["date"] > self.until


@dataclass
class Duplicates:
    """Which keys have come before. Memory: 8 bytes a game, 16 for a moment while runs are merged."""

    _runs: list[NDArray[np.uint64]] = field(default_factory=list)

    def new(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """(G,) True where a key comes for the first time; from now on all of them have come."""
        unique, first = np.unique(keys, return_index=True)
        fresh = np.ones(len(unique), np.bool_)
        for run in self._runs:
            place = np.minimum(np.searchsorted(run, unique), len(run) - 1)
            fresh &= run[place] != unique
        is_new = np.zeros(len(keys), np.bool_)
        is_new[first[fresh]] = True
        if fresh.any():
            self._runs.append(unique[fresh])
        while len(self._runs) > 1 and 2 * len(self._runs[-1]) >= len(self._runs[-2]):
            last, before = self._runs.pop(), self._runs.pop()
            self._runs.append(np.sort(np.concatenate([before, last]), kind="stable"))
        return is_new


@dataclass
class Quota:
    """At most so many games of a rating band and of a source: the first that come."""

    max_per_band: int = 0
    """Games in each band of BAND points by the higher rating, unknown ratings being a band; 0 = no limit."""
    max_per_source: int = 0
    """Games of one source; 0 = no limit."""
    bands: Counter[int] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)

    def apply(self, games: Games) -> tuple[Games, Counter[str]]:
        """The games that still have room, and how many went for which reason."""
        rejects: Counter[str] = Counter()
        if self.max_per_band:
            bands = np.maximum(games.records["white_elo"], games.records["black_elo"]).astype(np.int64) // BAND
            room = _room(bands, {band: self.max_per_band - self.bands[int(band)] for band in np.unique(bands).tolist()})
            rejects["rating band is full"] = int((~room).sum())
            self.bands.update(bands[room].tolist())
            games = games.take(room)
        if self.max_per_source:
            names = games.records["source"].astype(np.int64)
            places = {i: self.max_per_source - self.sources[games.sources[i]] for i in np.unique(names).tolist()}
            room = _room(names, places)
            rejects["source is full"] = int((~room).sum())
            self.sources.update(games.sources[i] for i in names[room].tolist())
            games = games.take(room)
        return games, +rejects


def _room(groups: NDArray[np.int64], places: dict[int, int]) -> NDArray[np.bool_]:
    """(G,) True for the first ``places[group]`` members of each group."""
    keep = np.zeros(len(groups), np.bool_)
    for group, count in places.items():
        keep[np.flatnonzero(groups == group)[: max(count, 0)]] = True
    return keep
