"""What a net reads of a position: numbers for the board, the game's state and the two ratings.

Knows: the value ranges of every input column, how to compute them from a python-chess board, and the rating
buckets. Everything is from the mover's side: for Black the board is turned upside down and the colours are
swapped. Does not know tensors of many games (``training.batches.replay`` makes the same numbers for whole batches).
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Hashable, Iterable
from enum import IntEnum
from typing import Any

import chess
import numpy as np
from numpy.typing import NDArray

from engine.attacks import ATTACKER_CLASSES, king_code_planes, least_attackers
from engine.vocabulary import FLIP, ID_OF

PIECE_CODES = 13
"""Values of a square: 0 empty, 1..6 the mover's pawn, knight, bishop, rook, queen, king, 7..12 the opponent's."""

ATTACK_CODES = len(ATTACKER_CLASSES) ** 2
"""Values of a square's attack code: 6 x the mover's least attacker + the opponent's least attacker."""

BOARD_CODES = {
    "none": 1,
    "sum": PIECE_CODES,
    "attacks": PIECE_CODES * ATTACK_CODES,
    "conv": PIECE_CODES * ATTACK_CODES,
    "squares": PIECE_CODES * ATTACK_CODES,
}
"""How many values a square of the ``board`` input takes, by the net's ``board_input``.

``sum`` takes the piece code alone; with attacks the code is ``piece * ATTACK_CODES + attack code``. A net with ``checks`` has
``KING_CODES`` times as many: ``king code * BOARD_CODES[board_input] + code`` (see ``engine.attacks.KING_CODES``).
"""

STATE_SIZES = (16, 9, 3, 8)
"""Number of values of each ``state`` column: castling rights (bits: own short, own long, opponent's short,
opponent's long), en-passant file (0 none, 1..8 = a..h), earlier occurrences of the position (2 = two or more),
fifty-move bucket."""

FIFTY_LIMITS = np.array([2, 5, 10, 20, 40, 60, 80], dtype=np.int64)
"""A half-move clock of c falls into the bucket that counts how many of these limits are <= c."""

RATING_BUCKETS = 26
"""Values of a rating: 0 unknown, 1 below 600, then steps of 100, 25 from 2900 up."""

RATINGS_SIZES = (RATING_BUCKETS, RATING_BUCKETS, 5)
"""Number of values of each ``ratings`` column: the mover's bucket, the opponent's bucket, the rating scale."""


_FIFTY: list[int] = FIFTY_LIMITS.tolist()


class Scale(IntEnum):
    """Which rating list a rating belongs to; 1500 is not the same player on each."""

    UNKNOWN = 0
    LICHESS = 1
    CHESSCOM = 2
    FIDE = 3
    ENGINE = 4


def rating_bucket(rating: int) -> int:
    """The bucket of a rating in points; 0 or less means unknown."""
    return 0 if rating <= 0 else min(max(rating // 100 - 4, 1), RATING_BUCKETS - 1)


def rating_buckets(ratings: NDArray[Any]) -> NDArray[np.int64]:
    """The same of many."""
    table = _bucket_of()
    return np.asarray(table[np.clip(ratings, 0, len(table) - 1)])


@functools.cache
def _bucket_of() -> NDArray[np.int64]:
    """By rating, up to the first in the last bucket."""
    return np.array([rating_bucket(rating) for rating in range(100 * (RATING_BUCKETS + 4))])


@functools.cache
def _ids(turn: chess.Color) -> list[int]:
    """Id by source + 64 x target + 4096 x promotion code, as ``turn`` sees it; -1 where there is none. A list, for numpy
    takes three times as long to give one number."""
    by_move = ID_OF.transpose(2, 1, 0).reshape(-1)
    seen = by_move if turn == chess.WHITE else np.where(by_move < 0, -1, FLIP[by_move].astype(np.int64))
    ids: list[int] = seen.tolist()
    return ids


def move_ids(moves: Iterable[chess.Move], turn: chess.Color) -> list[int]:
    """The id of each move as the side ``turn`` sees it; -1 for one that the vocabulary lacks. No drops."""
    ids = _ids(turn)
    return [ids[m.from_square | m.to_square << 6 | ((m.promotion or 1) - 1) << 12] for m in moves]


def move_id(move: chess.Move, turn: chess.Color) -> int:
    """The id of ``move`` as the side ``turn`` sees it. Raises KeyError for a move outside the vocabulary (a drop, null)."""
    number = -1 if move.drop else move_ids((move,), turn)[0]
    if number < 0:
        raise KeyError(f"expected a move from one square to another that a queen or a knight could make, got {move.uci()}")
    return number


def board_codes(board: chess.Board, board_input: str, *, checks: bool = False) -> NDArray[np.uint16]:
    """(64,) the ``board`` input (see BOARD_CODES) of a net with this ``board_input``, from the mover's side."""
    if board_input == "none":
        return np.zeros(64, np.uint16)
    us = board.turn
    men = (board.pawns, board.knights, board.bishops, board.rooks, board.queens, board.kings, board.occupied_co[not us])
    attacks = (*least_attackers(board, us), *least_attackers(board, not us)) if _attacks(board_input) else ()
    planes = np.array((*men, *attacks, *(king_code_planes(board) if checks else ())), np.uint64)
    if not us:
        planes.byteswap(inplace=True)  # a byte is a rank, so this turns the board upside down
    bits = np.unpackbits(planes.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    codes: NDArray[np.uint16] = _plane_values(board_input, checks) @ bits
    return codes


def _attacks(board_input: str) -> bool:
    return BOARD_CODES[board_input] > PIECE_CODES


@functools.cache
def _plane_values(board_input: str, checks: bool) -> NDArray[np.uint16]:
    """What a bit of each of the planes of ``board_codes`` adds to a square's code."""
    pieces, own, enemy, kings = (1, 2, 3, 4, 5, 6, 6), len(ATTACKER_CLASSES), 1, BOARD_CODES[board_input]
    values = [value * BOARD_CODES[board_input] // PIECE_CODES for value in pieces]
    if _attacks(board_input):
        values += [side << bit for side in (own, enemy) for bit in range(3)]
    if checks:
        values += [kings << bit for bit in range(6)]
    return np.array(values, np.uint16)


def men_on(codes: NDArray[np.integer], board_input: str) -> NDArray[np.int64]:
    """(...,) men on the board for (..., 64) codes of a net that sees it, with king codes or without."""
    count = BOARD_CODES[board_input]
    men: NDArray[np.int64] = (codes % count >= count // PIECE_CODES).sum(axis=-1)
    return men


def state_codes(board: chess.Board, repetitions: int) -> NDArray[np.int64]:
    """(4,) the ``state`` columns (see STATE_SIZES); ``repetitions`` counts earlier occurrences of this position."""
    us, them = board.turn, not board.turn
    castling = (
        board.has_kingside_castling_rights(us)
        + 2 * board.has_queenside_castling_rights(us)
        + 4 * board.has_kingside_castling_rights(them)
        + 8 * board.has_queenside_castling_rights(them)
    )
    en_passant = chess.square_file(board.ep_square) + 1 if _en_passant_possible(board) and board.ep_square is not None else 0
    fifty = bisect.bisect_right(_FIFTY, board.halfmove_clock)
    return np.array([castling, en_passant, min(repetitions, 2), fifty], dtype=np.int64)


def _en_passant_possible(board: chess.Board) -> bool:
    return board.ep_square is not None and board.has_pseudo_legal_en_passant()


def position_key(board: chess.Board) -> Hashable:
    """Equal for positions that count as repetitions of each other: same pieces, mover, castling rights, en passant."""
    return (
        board.pawns,
        board.knights,
        board.bishops,
        board.rooks,
        board.queens,
        board.kings,
        board.occupied_co[chess.WHITE],
        board.turn,
        board.clean_castling_rights(),
        board.ep_square if _en_passant_possible(board) else None,
    )
