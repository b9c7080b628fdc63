"""Mates in one, quickly: only the moves that could give check are generated. And mates in two, by trying all moves.

Knows the rules of check. Does not know trees or nets.
"""

from __future__ import annotations

from collections.abc import Iterator

import chess

from engine.attacks import closed_lines, sliding_from


def mate_in_one(board: chess.Board) -> chess.Move | None:
    """A legal move that mates at once, or None. ``board`` is left as it was."""
    for move in _possible_checks(board):
        board.push(move)
        mated = board.is_checkmate()
        board.pop()
        if mated:
            return move
    return None


def mate_in_two(board: chess.Board) -> chess.Move | None:
    """A legal move after which every reply allows mate, or None; some milliseconds. ``board`` is left as it was.

    A mate in one counts only if it is one of two as well: ask ``mate_in_one`` first.
    """
    for move in sorted(board.legal_moves, key=lambda move: not board.gives_check(move)):
        board.push(move)
        mated = always_mates_next(board)
        board.pop()
        if mated:
            return move
    return None


def always_mates_next(board: chess.Board) -> bool:
    """Whether there are replies, and after each of them the other side mates."""
    replies = list(board.legal_moves)
    for reply in replies:
        board.push(reply)
        mate = mate_in_one(board)
        board.pop()
        if mate is None:
            return False
    return bool(replies)


def _possible_checks(board: chess.Board) -> Iterator[chess.Move]:
    """All legal moves that give check, and some that do not; some come twice."""
    us, them = board.turn, not board.turn
    target = board.king(them)
    if target is None or board.king(us) is None:
        return
    own = board.occupied_co[us]
    straight, diagonal = sliding_from(board, target)
    last_rank = chess.BB_RANK_8 if us else chess.BB_RANK_1
    pawn_checks = chess.BB_PAWN_ATTACKS[them][target] | last_rank
    passing = chess.BB_SQUARES[board.ep_square] if board.ep_square is not None else 0
    for men, squares in (
        (board.queens, straight | diagonal),
        (board.rooks, straight),
        (board.bishops, diagonal),
        (board.knights, chess.BB_KNIGHT_ATTACKS[target]),
        (board.pawns, pawn_checks | passing),
    ):
        if men & own and squares & ~own:
            yield from board.generate_legal_moves(men & own, squares)
    for _, man in closed_lines(board, target, us):  # whatever leaves the line discovers a check
        if man & own:
            yield from board.generate_legal_moves(man)
    if board.castling_rights:
        yield from board.generate_legal_moves(board.kings & own, board.rooks & own | chess.BB_FILE_C | chess.BB_FILE_G)
