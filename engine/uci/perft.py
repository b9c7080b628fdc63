"""``go perft N``: counts the move paths of a position, to check the rules. Knows nothing else."""

from __future__ import annotations

from collections.abc import Callable

import chess

from engine.uci.position import write_move
from engine.uci.protocol import Reply, Say
from engine.uci.session import Search

_DEEPEST = 100
"""No machine counts this far; it only keeps the recursion within Python's limit."""


def perft(board: chess.Board, search: Search, emit: Callable[[Reply], None], *, chess960: bool) -> None:
    """Say, for each move, how many paths of ``go perft``'s length begin with it, and the sum; ``stop`` ends it early.

    As ``info string``, because nothing but UCI may leave the engine.
    """
    board = board.copy(stack=False)
    depth, total = min(max(search.go.perft or 0, 1), _DEEPEST), 0
    for move in list(board.legal_moves):
        board.push(move)
        try:
            count = _paths(board, depth - 1, search)
        finally:
            board.pop()
        if search.halted:
            emit(Say("perft stopped"))
            return
        emit(Say(f"{write_move(board, move, chess960=chess960)}: {count}"))
        total += count
    emit(Say(f"Nodes searched: {total}"))


def _paths(board: chess.Board, depth: int, search: Search) -> int:
    if depth == 0:
        return 1
    if depth == 1:
        return board.legal_moves.count()
    total = 0
    for move in board.legal_moves:
        if search.halted:
            return total
        board.push(move)
        total += _paths(board, depth - 1, search)
        board.pop()
    return total
