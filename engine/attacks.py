"""Which squares each class of piece attacks, for one position or for many at once.

Knows bitboards: one bit a square, a1 lowest. Every function works alike on Python ints (one position, while
playing) and on uint64 arrays (a whole batch, while training), so that both sides of the project see the same
features. Does not know whose move it is, pins, or legality.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import numpy as np

Bits = TypeVar("Bits", int, Any)
"""A bitboard: a Python int, or an array of uint64."""

ATTACKER_CLASSES = ("none", "pawn", "minor", "rook", "queen", "king")
"""Least valuable attacker of a square; the index is the feature's value."""

_FULL = 0xFFFF_FFFF_FFFF_FFFF
_NOT_A, _NOT_H = 0xFEFE_FEFE_FEFE_FEFE, 0x7F7F_7F7F_7F7F_7F7F
_NOT_AB, _NOT_GH = 0xFCFC_FCFC_FCFC_FCFC, 0x3F3F_3F3F_3F3F_3F3F

# (shift, squares a step may land on): a positive shift goes up the board.
_ROOK_STEPS = ((8, _FULL), (-8, _FULL), (1, _NOT_A), (-1, _NOT_H))
_BISHOP_STEPS = ((9, _NOT_A), (-9, _NOT_H), (7, _NOT_H), (-7, _NOT_A))
_KNIGHT_STEPS = (
    (17, _NOT_A), (15, _NOT_H), (10, _NOT_AB), (6, _NOT_GH), (-17, _NOT_H), (-15, _NOT_A), (-10, _NOT_GH), (-6, _NOT_AB),
)  # fmt: skip


@dataclass(frozen=True)
class Pieces(Generic[Bits]):
    """One side's pieces as bitboards."""

    pawns: Bits
    knights: Bits
    bishops: Bits
    rooks: Bits
    queens: Bits
    king: Bits


def _moved(bits: Bits, shift: int, mask: int) -> Bits:
    if isinstance(bits, int):
        return ((bits << shift) if shift > 0 else (bits >> -shift)) & mask
    amount = np.uint64(abs(shift))
    return cast(Bits, ((bits << amount) if shift > 0 else (bits >> amount)) & np.uint64(mask))


def _stepped(bits: Bits, steps: tuple[tuple[int, int], ...]) -> Bits:
    reached = _moved(bits, *steps[0])
    for step in steps[1:]:
        reached = reached | _moved(bits, *step)
    return reached  # type: ignore[no-any-return]


def _slid(bits: Bits, empty: Bits, steps: tuple[tuple[int, int], ...]) -> Bits:
    """Squares attacked along rays: Kogge-Stone fill, three doublings reach all seven squares."""
    reached = bits ^ bits
    for shift, mask in steps:
        ray, open_squares = bits, _kept(empty, mask)
        for doubling in (1, 2, 4):
            ray = ray | (open_squares & _moved(ray, shift * doubling, _FULL))
            open_squares = open_squares & _moved(open_squares, shift * doubling, _FULL)
        reached = reached | _moved(ray, shift, mask)
    return reached


def _kept(bits: Bits, mask: int) -> Bits:
    return bits & mask if isinstance(bits, int) else bits & np.uint64(mask)


def attacks_by_class(side: Pieces[Bits], empty: Bits, *, up: bool) -> tuple[Bits, Bits, Bits, Bits, Bits]:
    """Squares attacked by one side's pawns, minors, rooks, queens and king, in that order.

    ``empty`` holds the unoccupied squares; ``up`` is True when the side's pawns move towards rank 8.
    """
    pawn_steps = ((9, _NOT_A), (7, _NOT_H)) if up else ((-7, _NOT_A), (-9, _NOT_H))
    return (
        _stepped(side.pawns, pawn_steps),
        _stepped(side.knights, _KNIGHT_STEPS) | _slid(side.bishops, empty, _BISHOP_STEPS),
        _slid(side.rooks, empty, _ROOK_STEPS),
        _slid(side.queens, empty, _ROOK_STEPS + _BISHOP_STEPS),
        _stepped(side.king, _ROOK_STEPS + _BISHOP_STEPS),
    )


def least_attacker_bits(side: Pieces[Bits], empty: Bits, *, up: bool) -> tuple[Bits, Bits, Bits]:
    """The index into ATTACKER_CLASSES of each square's least valuable attacker, as three bit planes (1, 2, 4)."""
    pawn, minor, rook, queen, king = attacks_by_class(side, empty, up=up)
    minor = minor & ~pawn
    below_rook = pawn | minor
    rook = rook & ~below_rook
    below_queen = below_rook | rook
    queen = queen & ~below_queen
    king = king & ~(below_queen | queen)
    return pawn | rook | king, minor | rook, queen | king
