"""Opening lines as people play them, out of a store: for engines to go on from (`bin/match generate --openings FILE`).

Knows how lines are drawn. Does not know matches.
"""

from __future__ import annotations

import numpy as np

from engine.errors import DataError
from engine.vocabulary import UCI_MOVES
from training.data.store import Store


def opening_lines(store: Store, *, lines: int, shortest: int, longest: int, seed: int) -> list[str]:
    """Different lines of UCI moves from the initial position: of games drawn at random, each its first ``shortest`` to
    ``longest`` plies, all lengths alike.

    Fewer than ``lines`` where the games begin too much alike. Raises DataError for no lines at all, and for a
    store without games that are long enough.
    """
    if lines < 1:
        raise DataError(f"expected one line or more, got {lines}; give a larger --lines")
    random = np.random.default_rng(seed)
    long_enough = [np.flatnonzero((np.diff(s.offsets) > longest) & (np.asarray(s.games["start"]) < 0)) for s in store.shards]
    games = np.concatenate([np.stack([np.full_like(g, i), g], axis=1) for i, g in enumerate(long_enough)])
    if not len(games):
        raise DataError(f"expected games of more than {longest} plies from the initial position in {store.path}, found none")
    random.shuffle(games)
    drawn: dict[str, None] = {}
    for (shard, game), length in zip(games, random.integers(shortest, longest + 1, len(games)), strict=True):
        if len(drawn) == lines:
            break
        first = store.shards[shard].offsets[game]
        drawn.setdefault(" ".join(UCI_MOVES[move] for move in store.shards[shard].moves[first : first + length]))
    return list(drawn)
