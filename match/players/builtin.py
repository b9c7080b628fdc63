"""Movers without an engine: one at random, one who takes what it can. Both are specs.

Knows the rules. Does not know engines or nets.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import chess

from match.material import PIECE_VALUES
from match.players.client import Engines
from match.players.interface import Turn


@dataclass(frozen=True)
class RandomSpec:
    """Plays any legal move, each as likely as the others."""

    name: str = "random mover"
    seed: int = 1
    anchor: float | None = None

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        """A legal move."""
        return draws_of(self.seed, self.name, turn).choice(list(turn.board.legal_moves))


@dataclass(frozen=True)
class GreedySpec:
    """Takes the most valuable piece it can, else plays any legal move; mates when it sees mate in one."""

    name: str = "greedy capturer"
    seed: int = 1
    anchor: float | None = None

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        """A legal move."""
        board = turn.board.copy(stack=False)
        gains = [(_gain(board, move), move) for move in list(board.legal_moves)]
        most = max(gain for gain, _ in gains)
        return draws_of(self.seed, self.name, turn).choice([move for gain, move in gains if gain == most])


def _gain(board: chess.Board, move: chess.Move) -> int:
    taken = chess.PAWN if board.is_en_passant(move) else board.piece_type_at(move.to_square)
    board.push(move)
    mates = board.is_checkmate()
    board.pop()
    if mates:
        return 100
    promoted = PIECE_VALUES[move.promotion] - 1 if move.promotion else 0
    return promoted + (PIECE_VALUES[taken] if taken else 0)


def draws_of(seed: int, name: str, turn: Turn) -> random.Random:
    """Random numbers of one move: the same whenever and wherever it is played, and no one else's."""
    return random.Random(f"{seed} {name} {turn.game} {len(turn.board.move_stack)}")
