"""From a ``position`` command to a board, quickly: a longer move list continues from the board that is there.

Knows FENs, both castling notations, what is no chess position. Does not know nets or lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import chess

from engine.errors import PositionError
from engine.uci.protocol import Position

_IMPOSSIBLE = {
    chess.STATUS_NO_WHITE_KING: "White has no king",
    chess.STATUS_NO_BLACK_KING: "Black has no king",
    chess.STATUS_TOO_MANY_KINGS: "a side has more than one king",
    chess.STATUS_PAWNS_ON_BACKRANK: "a pawn stands on the first or the last rank",
    chess.STATUS_OPPOSITE_CHECK: "the side that is not to move stands in check",
}
"""What the rules cannot play on from. Merely unreachable positions (ten queens, four checkers) are accepted."""


@dataclass(frozen=True)
class Illegal:
    """The first move of a list that could not be made."""

    ply: int
    move: str
    fen: str

    def __str__(self) -> str:
        return f"move {self.ply} of the list, {self.move}, is illegal in {self.fen}; the position before it is kept"


class GameLine:
    """A start position and the moves made from it, as one board with its whole move stack."""

    def __init__(self) -> None:
        self._fen: str | None = None
        self._moves: list[str] = []
        self.board = chess.Board()

    def follow(self, position: Position) -> Illegal | None:
        """Go to ``position``; returns the move at which it stopped. Raises PositionError, and stays, for an impossible FEN."""
        if position.fen != self._fen:
            board = board_of(position.fen)
            self._fen, self._moves, self.board = position.fen, [], board
        kept = _common(self._moves, position.moves)
        for _ in self._moves[kept:]:
            self.board.pop()
        del self._moves[kept:]
        for text in position.moves[kept:]:
            move = read_move(self.board, text)
            if move is None:
                return Illegal(len(self._moves) + 1, text, self.board.fen())
            self.board.push(move)
            self._moves.append(text)
        return None


def _common(old: list[str], new: tuple[str, ...]) -> int:
    count = 0
    for a, b in zip(old, new, strict=False):
        if a != b:
            break
        count += 1
    return count


def board_of(fen: str | None) -> chess.Board:
    """The board of a FEN with two to six fields, or the initial one. Raises PositionError for an impossible position.

    It is a Chess960 board only where castling needs it: nets know castling as e1g1.
    """
    if fen is None:
        return chess.Board()
    try:
        board = chess.Board(fen, chess960=True)
    except (ValueError, IndexError) as error:
        raise PositionError(f"FEN not understood, the position stays as it was: {error}") from None
    faults = [text for bit, text in _IMPOSSIBLE.items() if board.status() & bit]
    if faults:
        raise PositionError(f"impossible position, it stays as it was: {', '.join(faults)}: {fen}")
    board.chess960 = board.has_chess960_castling_rights()
    board.castling_rights = board.clean_castling_rights()
    board.halfmove_clock, board.fullmove_number = min(board.halfmove_clock, 9999), min(board.fullmove_number, 9999)
    if board.ep_square is not None and not _en_passant_square_real(board):
        board.ep_square = None
    return board


def _en_passant_square_real(board: chess.Board) -> bool:
    """A pawn has just passed over it, whether or not it can be taken."""
    return not board.status() & chess.STATUS_INVALID_EP_SQUARE


def read_move(board: chess.Board, text: str) -> chess.Move | None:
    """The legal move that ``text`` names, castling in either notation; None for none."""
    try:
        move = board.parse_uci(text)
    except ValueError:
        return _castling_by_target(board, text)
    return move or None


def _castling_by_target(board: chess.Board, text: str) -> chess.Move | None:
    """Chess960 castling written as the king's own step, b1g1: found where the king starts and ends."""
    for move in board.generate_castling_moves():
        target = chess.square(6 if board.is_kingside_castling(move) else 2, chess.square_rank(move.from_square))
        if text == chess.square_name(move.from_square) + chess.square_name(target):
            return move
    return None


def write_move(board: chess.Board, move: chess.Move, *, chess960: bool) -> str:
    """``move`` for the client: castling as king takes rook under Chess960, else as the king's own step."""
    return board.uci(move, chess960=chess960 or board.chess960)
