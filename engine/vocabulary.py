"""The 1,968 moves a net can name, and their numbers.

Knows: every queen and knight move of an empty board plus the promotions of both sides, their ids, and how a
move looks from the other side of the board. Does not know legality, positions or files.
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np
from numpy.typing import NDArray

PROMOTIONS = "nbrq"
"""Promotion letters; code 0 is "no promotion", 1..4 are these, which is python-chess's piece type minus one."""


def _reaches(source: int, target: int) -> bool:
    """True when a queen or a knight on ``source`` reaches ``target`` on an empty board."""
    files, ranks = abs(source % 8 - target % 8), abs(source // 8 - target // 8)
    slides = files == 0 or ranks == 0 or files == ranks
    return source != target and (slides or {files, ranks} == {1, 2})


def _all_moves() -> list[tuple[int, int, int]]:
    plain = [(s, t, 0) for s in range(64) for t in range(64) if _reaches(s, t)]
    ranks = ((6, 7), (1, 0))
    promotions = [
        (s + 8 * r, t + 8 * last, p)
        for r, last in ranks
        for s in range(8)
        for t in range(8)
        if abs(s - t) <= 1
        for p in (1, 2, 3, 4)
    ]
    return plain + promotions


def _uci(source: int, target: int, promotion: int) -> str:
    squares = "".join("abcdefgh"[s % 8] + "12345678"[s // 8] for s in (source, target))
    return squares + (PROMOTIONS[promotion - 1] if promotion else "")


_TRIPLES = _all_moves()

UCI_MOVES: tuple[str, ...] = tuple(_uci(*triple) for triple in _TRIPLES)
"""The move with id *i* in UCI notation, as seen by White."""

MOVE_COUNT = len(UCI_MOVES)
"""Number of moves, 1,968: the width of a net's move logits."""

START = MOVE_COUNT
"""Id of the token that stands where no move led to the position: the first of a sequence."""

MOVE_ID: dict[str, int] = {uci: i for i, uci in enumerate(UCI_MOVES)}

_TABLE = np.array(_TRIPLES, dtype=np.int16)
SOURCE: NDArray[np.int16] = _TABLE[:, 0].copy()
"""(MOVE_COUNT,) source square of each move, 0 = a1 .. 63 = h8."""
TARGET: NDArray[np.int16] = _TABLE[:, 1].copy()
"""(MOVE_COUNT,) target square of each move."""
PROMOTION: NDArray[np.int16] = _TABLE[:, 2].copy()
"""(MOVE_COUNT,) promotion code of each move, 0 = none, 1..4 = n, b, r, q."""


def _lookup() -> NDArray[np.int16]:
    table = np.full((64, 64, 5), -1, dtype=np.int16)
    table[SOURCE, TARGET, PROMOTION] = np.arange(MOVE_COUNT, dtype=np.int16)
    return table


ID_OF: NDArray[np.int16] = _lookup()
"""(64, 64, 5) id by source, target and promotion code; -1 where there is no such move."""

FLIP: NDArray[np.uint16] = np.append(ID_OF[SOURCE ^ 56, TARGET ^ 56, PROMOTION], START).astype(np.uint16)
"""(MOVE_COUNT + 1,) id of the same move seen from the other side of the board; START stays START. Its own inverse."""


@functools.cache
def vocabulary_hash() -> str:
    """Sixteen hex digits that name this vocabulary; stores and nets carry it, and a mismatch is refused."""
    return hashlib.sha256("\n".join(UCI_MOVES).encode("ascii")).hexdigest()[:16]
