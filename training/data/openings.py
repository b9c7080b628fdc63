"""How people's games begin and where they come to, out of a store: for engines to go on from (``bin/match generate``).

    lines       the first moves of games, from the initial position
    positions   one of each game, at a chosen number of men on the board: what weak players get into, and endings

Knows how both are drawn. Does not know matches.
"""

from __future__ import annotations

from collections.abc import Iterator

import chess
import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.vocabulary import UCI_MOVES
from training.data.store import Store


def opening_lines(store: Store, *, lines: int, shortest: int, longest: int, seed: int) -> list[str]:
    """Different lines of UCI moves from the initial position: of games drawn at random, held-out ones excepted, each its first
    ``shortest`` to ``longest`` plies, all lengths alike.

    Fewer than ``lines`` where the games begin too much alike. Raises DataError for no lines at all, and for a
    store without games that are long enough.
    """
    if lines < 1:
        raise DataError(f"expected one line or more, got {lines}; give a larger --lines")
    random = np.random.default_rng(seed)
    games = _shuffled_games(store, longest, random)
    if not len(games):
        raise DataError(f"expected games of more than {longest} plies from the initial position in {store.path}, found none")
    drawn: dict[str, None] = {}
    for (shard, game), length in zip(games, random.integers(shortest, longest + 1, len(games)), strict=True):
        if len(drawn) == lines:
            break
        first = store.shards[shard].offsets[game]
        drawn.setdefault(" ".join(UCI_MOVES[move] for move in store.shards[shard].moves[first : first + length]))
    return list(drawn)


def late_positions(store: Store, *, positions: int, fewest: int, most: int, seed: int) -> list[str]:
    """Different positions as EPD: one of a game, of games drawn at random, namely the first with a number of men that is drawn
    from ``fewest`` to ``most``. A game that never has so few, or is over there, gives none, nor does a held-out one.

    Fewer than ``positions`` where the store has not so many. Raises DataError for no positions at all, and where no game
    has so few men.
    """
    if positions < 1:
        raise DataError(f"expected one position or more, got {positions}; give a larger --lines")
    random = np.random.default_rng(seed)
    drawn: dict[str, None] = {}
    for shard, game in _shuffled_games(store, 0, random):
        if len(drawn) == positions:
            break
        men = int(random.integers(fewest, most + 1))
        if (board := _first_with(_moves_of(store, shard, game), men)) is not None:
            drawn.setdefault(board.epd())
    if not drawn:
        raise DataError(f"expected games that come to {fewest} to {most} men in {store.path}, found none")
    return list(drawn)


def _shuffled_games(store: Store, longer_than: int, random: np.random.Generator) -> NDArray[np.int64]:
    """(N, 2) shard and game, in random order, of games from the initial position with more plies than that; no held-out ones,
    on which a net that learns from the continuations may be judged."""
    kept = [
        np.flatnonzero((np.diff(shard.offsets) > longer_than) & (np.asarray(shard.games["start"]) < 0) & ~held_out)
        for shard, held_out in zip(store.shards, store.held_out(), strict=True)
    ]
    games = np.concatenate([np.stack([np.full_like(g, i), g], axis=1) for i, g in enumerate(kept)])
    random.shuffle(games)
    return games


def _moves_of(store: Store, shard: int, game: int) -> Iterator[str]:
    first, end = store.shards[shard].offsets[game : game + 2]
    return (UCI_MOVES[move] for move in store.shards[shard].moves[first:end])


def _first_with(moves: Iterator[str], men: int) -> chess.Board | None:
    """The first position with so many men or fewer; None where there is none or it has no moves or cannot be won."""
    board = chess.Board()
    while board.occupied.bit_count() > men:
        uci = next(moves, None)
        if uci is None:
            return None
        board.push_uci(uci)
    return None if board.is_insufficient_material() or not any(board.generate_legal_moves()) else board
