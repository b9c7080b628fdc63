"""Games that an exported net is proven on: those of a token store, or random ones, and each as a net's inputs.

Knows transcripts, where they come from, and how one becomes arrays. Does not know what is asked about them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chess
import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError
from engine.vocabulary import FLIP, MOVE_ID, START, UCI_MOVES
from training.batches.replay import board_codes, replay
from training.batches.rows import start_of
from training.config import ModelConfig
from training.data.store import open_store

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Transcript:
    """A game."""

    moves: NDArray[np.uint16]
    """(P,) ids from White's side."""
    fen: str | None = None
    """Where it began; None = the initial position."""

    def __len__(self) -> int:
        return len(self.moves)

    def boards(self) -> Iterator[chess.Board]:
        """The position before each ply, always the same board, with its move stack."""
        board = chess.Board(self.fen) if self.fen else chess.Board()
        for move in self.moves:
            yield board
            board.push(chess.Move.from_uci(UCI_MOVES[move]))

    def inputs(self, model: ModelConfig) -> Arrays:
        """The whole game as the inputs of a net of this shape, batch dimension 1, ratings unknown."""
        starts = {0: start_of(self.fen)} if self.fen else None
        positions = replay(self.moves, np.array([0, len(self)]), starts)
        led = np.append(np.uint16(START), self.moves[:-1])
        arrays: Arrays = {"moves": np.where(positions.black, FLIP[led], led), "state": positions.state}
        arrays["board"] = board_codes(positions.pieces, model.board_input, checks=model.checks)
        arrays["ratings"] = np.zeros((len(self), 3), np.int64)
        return {name: array[None].astype(np.int64) for name, array in arrays.items()}

    def played(self) -> NDArray[np.int64]:
        """(P,) ids of the moves as their movers see them."""
        black = (np.arange(len(self)) % 2 == 1) ^ (self.fen is not None and chess.Board(self.fen).turn == chess.BLACK)
        return np.where(black, FLIP[self.moves], self.moves).astype(np.int64)


def random_games(count: int, *, plies: int, seed: int) -> list[Transcript]:
    """Games of random legal moves from the initial position: for nets that have no games at hand."""
    random = np.random.default_rng(seed)
    return [continued(Transcript(np.zeros(0, np.uint16)), plies=plies, random=random) for _ in range(count)]


def continued(game: Transcript, *, plies: int, random: np.random.Generator) -> Transcript:
    """``game`` and random legal moves behind it up to ``plies``, or to its end."""
    board = chess.Board(game.fen) if game.fen else chess.Board()
    moves = game.moves.tolist()
    for move in moves:
        board.push(chess.Move.from_uci(UCI_MOVES[move]))
    while len(moves) < plies and (legal := list(board.legal_moves)):
        board.push(legal[int(random.integers(len(legal)))])
        moves.append(MOVE_ID[board.peek().uci()])
    return Transcript(np.array(moves, np.uint16), game.fen)


def from_half(game: Transcript) -> Transcript:
    """The second half of a game, as one that begins at a FEN."""
    middle = len(game) // 2
    for ply, board in enumerate(game.boards()):
        if ply == middle:
            return Transcript(game.moves[middle:], board.fen(en_passant="legal"))
    raise ValueError("expected a game with moves")


def of_store(folder: Path, *, games: int, positions: int, blind: bool) -> list[Transcript]:
    """Games of a token store, at least ``games`` of them with at least ``positions`` plies, where it has so many: held-out
    ones, and others only where these are too few. A blind net gets those from the initial position. Raises ConfigError when
    there is none."""
    store, transcripts, plies = open_store(folder), list[Transcript](), 0
    for wanted in (True, False):
        for shard, held_out in zip(store.shards, store.held_out(), strict=True):
            for g in np.flatnonzero(held_out == wanted):
                if len(transcripts) >= games and plies >= positions:
                    return transcripts
                start = int(shard.games["start"][g])
                moves = np.asarray(shard.moves[shard.offsets[g] : shard.offsets[g + 1]])
                if len(moves) and not (blind and start >= 0):
                    transcripts.append(Transcript(moves, None if start < 0 else store.starts[start]))
                    plies += len(moves)
    if not transcripts:
        raise ConfigError(f"expected games in {folder}, found none; leave out --store to verify on random games")
    return transcripts
