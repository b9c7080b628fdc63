"""King codes say what python-chess says about checks, pins and answers to a check."""

from __future__ import annotations

from collections.abc import Iterator

import chess
import numpy as np
import pytest

from engine import encoding
from engine.attacks import KING_CODES

ROOK, BISHOP, KNIGHT, PAWN, ANSWER, SHADOW = 1, 2, 4, 8, 16, 32
FILE, RANK, DIAGONAL, ANTIDIAGONAL = 1, 2, 3, 4
LINE = 8  # times the axis, for a man that closes a line to the opponent's king


def codes_of(board: chess.Board) -> list[int]:
    """The 64 king codes from the mover's side."""
    return (encoding.board_codes(board, "sum", checks=True) // encoding.PIECE_CODES).tolist()


def axis(king: int, square: int) -> int:
    files, ranks = (f(square) - f(king) for f in (chess.square_file, chess.square_rank))
    return FILE if files == 0 else RANK if ranks == 0 else DIAGONAL if files * ranks > 0 else ANTIDIAGONAL


def closed(board: chess.Board, square: int, *, king: int, side: chess.Color) -> int:
    """The axis of a line from ``king`` to a slider of ``side`` that ``square`` alone closes; 0 where there is none."""
    for slider in chess.SquareSet(board.occupied_co[side] & (board.rooks | board.bishops | board.queens)):
        between = chess.between(king, slider) & board.occupied
        if between != chess.BB_SQUARES[square]:
            continue
        straight = axis(king, slider) in (FILE, RANK)
        if board.piece_type_at(slider) in ((chess.ROOK, chess.QUEEN) if straight else (chess.BISHOP, chess.QUEEN)):
            return axis(king, slider)
    return 0


def arriving(board: chess.Board, square: int) -> int:
    """The code of a square without a man of the mover, who is White."""
    king, target = board.king(chess.WHITE), board.king(chess.BLACK)
    assert king is not None
    assert target is not None
    code, checkers = 0, board.checkers()
    for bit, kind in ((ROOK, chess.ROOK), (BISHOP, chess.BISHOP), (KNIGHT, chess.KNIGHT), (PAWN, chess.PAWN)):
        placed = board.copy(stack=False)
        placed.set_piece_at(square, chess.Piece(kind, chess.WHITE))
        if square != target and target in placed.attacks(square):
            code |= bit
    if len(checkers) == 1 and square in chess.SquareSet(chess.between(king, checkers.pop())) | board.checkers():
        code |= ANSWER
    for checker in board.checkers():
        line = chess.SquareSet(chess.ray(king, checker))
        slides = board.piece_type_at(checker) in (chess.ROOK, chess.BISHOP, chess.QUEEN)
        if slides and square in line & chess.SquareSet(chess.BB_KING_ATTACKS[king]):
            behind = chess.square_distance(square, checker) > chess.square_distance(king, checker)
            code |= SHADOW if behind else 0
    return code


def expected(board: chess.Board) -> list[int]:
    """The same by python-chess, square by square."""
    board = board if board.turn else board.mirror()
    king, target = board.king(chess.WHITE), board.king(chess.BLACK)
    assert king is not None
    assert target is not None
    return [
        closed(board, s, king=king, side=chess.BLACK) + LINE * closed(board, s, king=target, side=chess.WHITE)
        if board.color_at(s) == chess.WHITE
        else arriving(board, s)
        for s in chess.SQUARES
    ]


def random_boards(games: int) -> Iterator[chess.Board]:
    random = np.random.default_rng(8)
    for _ in range(games):
        board = chess.Board()
        while not board.is_game_over() and len(board.move_stack) < 120:
            moves = list(board.legal_moves)
            checks = [move for move in moves if board.gives_check(move)]
            board.push((checks or moves)[int(random.integers(len(checks or moves)))])
            if board.is_check() or random.random() < 0.1:
                yield board


def test_python_chess_agrees() -> None:
    boards = [board.copy() for board in random_boards(40)]
    assert sum(board.is_check() for board in boards) > 300
    for board in boards:
        assert codes_of(board) == expected(board), board.fen()


@pytest.mark.parametrize(
    ("fen", "squares"),
    [
        ("4k3/8/8/8/4r3/8/4N3/4K3 w - - 0 1", {"e2": FILE, "e8": 0, "d6": KNIGHT, "f7": BISHOP | PAWN}),
        ("4k3/4N3/8/8/4R3/8/8/4K3 w - - 0 1", {"e7": LINE * FILE, "d8": ROOK}),
        ("7k/8/5N2/8/3B4/8/8/4K3 w - - 0 1", {"f6": LINE * DIAGONAL, "g8": ROOK, "g7": BISHOP | PAWN}),
        ("4k3/8/8/8/4r3/8/8/3QK3 w - - 0 1", {"e2": ANSWER, "e3": ANSWER, "e4": ROOK | ANSWER, "d1": 0, "d2": 0}),
        ("4k3/8/8/8/8/8/4K2r/8 w - - 0 1", {"d2": SHADOW, "f2": ANSWER, "h2": ANSWER, "d3": 0}),
        ("4k3/8/8/8/4r3/5n2/8/4K3 w - - 0 1", {"e2": 0, "e3": 0, "f3": 0, "e4": ROOK}),
        ("4k3/8/8/b7/8/2P5/8/4K3 b - - 0 1", {"h4": 0, "a4": 0}),
    ],
    ids=["pin", "line-on-file", "line-on-diagonal", "answers", "shadow", "double-check", "black"],
)
def test_by_hand(fen: str, squares: dict[str, int]) -> None:
    codes = codes_of(chess.Board(fen))
    assert {name: codes[chess.parse_square(name)] for name in squares} == squares
    assert max(codes) < KING_CODES


def test_a_board_without_kings_has_no_king_codes() -> None:
    assert not encoding.board_codes(chess.Board(None), "attacks", checks=True).any()
