"""What the squares of one board mean to both sides: who attacks them, and how they stand to the two kings.

Knows python-chess boards, with bit masks as it has them (an int, a1 lowest). Does not know nets' inputs, or many boards at once
(``training.batches.attacks`` and ``training.batches.kings`` find the same for whole batches).
"""

from __future__ import annotations

from collections.abc import Iterator

import chess

ATTACKER_CLASSES = ("none", "pawn", "minor", "rook", "queen", "king")
"""Least valuable attacker of a square; the index is the feature's value."""

KING_CODES = 64
"""Values of a square's king code, six bits.

On a square without a man of the mover, what happens when one arrives there: 1 a rook there would attack the opponent's king,
2 a bishop, 4 a knight, 8 a pawn would; 16 the only check to the mover's king is answered there (the checking piece is taken or
its line is closed); 32 the mover's king would still stand in the line of a piece that checks it.

On a square with a man of the mover: 0-4 for no pin or a pin along a file, a rank, a diagonal (as a1-h8) or an antidiagonal,
plus 8 x (0-4) likewise for a line that it closes between a piece of the mover and the opponent's king. The board is taken as it
stands: a man that moves away still closes the lines behind it. All from the mover's side, so Black's diagonals are turned over.
"""

_FILE, _RANK, _DIAGONAL, _ANTIDIAGONAL = range(4)


def least_attackers(board: chess.Board, side: chess.Color) -> tuple[int, int, int]:
    """Three masks, the bits of each square's index into ATTACKER_CLASSES for the attackers of ``side``."""
    own = board.occupied_co[side]
    pawn, minor, rook, queen, king = (
        _pawn_attacks(board.pawns & own, side),
        _attacked(board, (board.knights | board.bishops) & own),
        _attacked(board, board.rooks & own),
        _attacked(board, board.queens & own),
        _attacked(board, board.kings & own),
    )
    minor &= ~pawn
    rook &= ~(pawn | minor)
    queen &= ~(pawn | minor | rook)
    king &= ~(pawn | minor | rook | queen)
    return pawn | rook | king, minor | rook, queen | king


def _pawn_attacks(pawns: int, side: chess.Color) -> int:
    if side == chess.WHITE:
        return chess.shift_up_left(pawns) | chess.shift_up_right(pawns)
    return chess.shift_down_left(pawns) | chess.shift_down_right(pawns)


def _attacked(board: chess.Board, men: int) -> int:
    mask = 0
    for square in chess.scan_reversed(men):
        mask |= board.attacks_mask(square)
    return mask


def king_code_planes(board: chess.Board) -> tuple[int, ...]:
    """Six masks, the bits of each square's king code (see KING_CODES)."""
    us, them = board.turn, not board.turn
    king, target = board.king(us), board.king(them)
    if king is None or target is None:
        return (0,) * 6
    own = board.occupied_co[us]
    straight, diagonal = sliding_from(board, target)
    arriving = (
        straight,
        diagonal,
        chess.BB_KNIGHT_ATTACKS[target],
        chess.BB_PAWN_ATTACKS[them][target],
        *_replies(board, king),
    )
    leaving = _numbered(closed_lines(board, king, them), us) + _numbered(closed_lines(board, target, us), us)
    return tuple((there & ~own) | (man & own) for there, man in zip(arriving, leaving, strict=True))


def sliding_from(board: chess.Board, square: chess.Square) -> tuple[int, int]:
    """Squares that a rook, and that a bishop, on ``square`` attacks: from there it attacks ``square``."""
    occupied = board.occupied
    straight = chess.BB_RANK_ATTACKS[square][chess.BB_RANK_MASKS[square] & occupied]
    straight |= chess.BB_FILE_ATTACKS[square][chess.BB_FILE_MASKS[square] & occupied]
    return straight, chess.BB_DIAG_ATTACKS[square][chess.BB_DIAG_MASKS[square] & occupied]


def _replies(board: chess.Board, king: chess.Square) -> tuple[int, int]:
    """Squares where the only check to ``king`` is answered, and squares beside it in the line of a piece that checks it."""
    checkers = board.checkers_mask()
    answers = shadow = 0
    for checker in chess.scan_reversed(checkers):
        between = chess.between(king, checker) | chess.BB_SQUARES[checker]
        if checkers == chess.BB_SQUARES[checker]:
            answers = between
        if chess.BB_SQUARES[checker] & (board.rooks | board.bishops | board.queens):
            shadow |= chess.BB_KING_ATTACKS[king] & chess.ray(king, checker) & ~between
    return answers, shadow


def closed_lines(board: chess.Board, king: chess.Square, side: chess.Color) -> Iterator[tuple[int, int]]:
    """Each line from ``king`` to a slider of ``side`` that one man closes: its axis, and the man."""
    straight = (chess.BB_RANK_ATTACKS[king][0] | chess.BB_FILE_ATTACKS[king][0]) & (board.rooks | board.queens)
    diagonal = chess.BB_DIAG_ATTACKS[king][0] & (board.bishops | board.queens)
    for slider in chess.scan_reversed((straight | diagonal) & board.occupied_co[side]):
        men = chess.between(king, slider) & board.occupied
        if men and not men & (men - 1):
            yield _axis(king, slider), men


def _axis(a: chess.Square, b: chess.Square) -> int:
    files, ranks = (b & 7) - (a & 7), (b >> 3) - (a >> 3)
    if not (files and ranks):
        return _RANK if files else _FILE
    return _DIAGONAL if (files > 0) == (ranks > 0) else _ANTIDIAGONAL


def _numbered(closed: Iterator[tuple[int, int]], us: chess.Color) -> tuple[int, int, int]:
    """The bits of 1 + the axis, as ``us`` sees it."""
    masks = [0, 0, 0, 0]
    for axis, men in closed:
        masks[axis] |= men
    file, rank, diagonal, antidiagonal = masks
    if us == chess.BLACK:
        diagonal, antidiagonal = antidiagonal, diagonal
    return file | diagonal, rank | diagonal, antidiagonal
