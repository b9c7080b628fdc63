"""Material in points: pawn 1, knight and bishop 3, rook 5, queen 9.

Knows men on a board. Does not know games.
"""

from __future__ import annotations

import chess

PIECE_VALUES = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9, chess.KING: 0}


def material_lead(board: chess.Board) -> int:
    """White's material minus Black's, in points."""
    white, black = board.occupied_co[chess.WHITE], board.occupied_co[chess.BLACK]
    return sum(
        value * ((board.pieces_mask(piece, True) & white).bit_count() - (board.pieces_mask(piece, False) & black).bit_count())
        for piece, value in PIECE_VALUES.items()
    )
