"""Evaluate functions without a net."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import chess
import numpy as np

from engine.inference.evaluation import Evaluation
from engine.search.tree import Node

VALUES = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9, chess.KING: 0}


def uniform(nodes: Sequence[Node]) -> list[Evaluation]:
    """All moves alike, every position even."""
    return [_evaluation(node.board, (0.25, 0.5, 0.25)) for node in nodes]


def material(nodes: Sequence[Node]) -> list[Evaluation]:
    """All moves alike; who has more men is expected to win."""
    return [_evaluation(node.board, _by_material(node.board)) for node in nodes]


def counted(
    evaluate: Callable[[Sequence[Node]], list[Evaluation]], calls: list[int]
) -> Callable[[Sequence[Node]], list[Evaluation]]:
    """The same, and ``calls`` gets the size of each batch."""

    def asked(nodes: Sequence[Node]) -> list[Evaluation]:
        calls.append(len(nodes))
        return evaluate(nodes)

    return asked


def _by_material(board: chess.Board) -> tuple[float, float, float]:
    lead = sum(VALUES[p.piece_type] * (1 if p.color == board.turn else -1) for p in board.piece_map().values())
    win = 1 / (1 + 10 ** (-lead / 4))
    return win, 0.0, 1 - win


def _evaluation(board: chess.Board, wdl: tuple[float, float, float]) -> Evaluation:
    moves = tuple(board.legal_moves)
    return Evaluation(moves, np.zeros(len(moves)), wdl)
