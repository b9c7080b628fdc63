"""Which games a match consists of: pairs of players, each opening from both sides.

Pure: names and openings in, games out, always in the same order, so that an interrupted match knows what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from match.play.openings import Opening

SWEEP_TEMPERATURES = (0.001, 0.01, 0.1, 0.3, 0.5, 0.75, 1.0, 1.5)
"""The paper's."""


@dataclass(frozen=True)
class Fixture:
    """One game to be played."""

    number: int
    white: str
    black: str
    opening: Opening

    @property
    def pair(self) -> str:
        """The two games that share players and opening have the same pair."""
        return f"{' - '.join(sorted((self.white, self.black)))} / {self.opening.name}"


def fixtures(
    pairings: Sequence[tuple[str, str]], openings: Sequence[Opening], *, games: int, seed: int | None, shared: bool = True
) -> list[Fixture]:
    """``games`` games a pairing (rounded up to even), over openings in an order that the seed decides (None: as given).

    All pairings meet the same openings, which is fair, or with ``shared`` False each has its own, which is varied. When there
    are more pairs of games than openings the book is begun again. A longer match begins with the games of the shorter one.
    """
    order = np.arange(len(openings)) if seed is None else np.random.default_rng(seed).permutation(len(openings))
    places = [
        (a, b, i if shared else i * len(pairings) + k) for i in range(-(-games // 2)) for k, (a, b) in enumerate(pairings)
    ]
    pairs = [(a, b, _again(openings[order[i % len(openings)]], i // len(openings))) for a, b, i in places]
    both = ((white, black, opening) for a, b, opening in pairs for white, black in ((a, b), (b, a)))
    return [Fixture(number, white, black, opening) for number, (white, black, opening) in enumerate(both)]


def _again(opening: Opening, times: int) -> Opening:
    return opening if not times else Opening(f"{opening.name} ({times + 1})", opening.fen, opening.moves)


def gauntlet(heroes: Sequence[str], opponents: Sequence[str]) -> list[tuple[str, str]]:
    """Each hero against each opponent."""
    return [(hero, opponent) for hero in heroes for opponent in opponents]


def round_robin(names: Sequence[str]) -> list[tuple[str, str]]:
    """Everyone against everyone."""
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
