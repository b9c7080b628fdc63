"""Which squares are attacked by which class of piece, for many positions at once.

Knows bitboards: uint64, one bit a square, a1 lowest; and how pieces reach squares. Does not know whose move it is, pins, or
legality.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]

_FULL = 0xFFFF_FFFF_FFFF_FFFF
_NOT_A, _NOT_H = 0xFEFE_FEFE_FEFE_FEFE, 0x7F7F_7F7F_7F7F_7F7F
_NOT_AB, _NOT_GH = 0xFCFC_FCFC_FCFC_FCFC, 0x3F3F_3F3F_3F3F_3F3F

# (shift, squares a step may land on): a positive shift goes up the board. Each set has as many steps up as down.
ROOK_STEPS = ((8, _FULL), (-8, _FULL), (1, _NOT_A), (-1, _NOT_H))
BISHOP_STEPS = ((9, _NOT_A), (-9, _NOT_H), (7, _NOT_H), (-7, _NOT_A))
KNIGHT_STEPS = (
    (17, _NOT_A),
    (15, _NOT_H),
    (10, _NOT_AB),
    (6, _NOT_GH),
    (-17, _NOT_H),
    (-15, _NOT_A),
    (-10, _NOT_GH),
    (-6, _NOT_AB),
)
PAWN_STEPS = (((9, _NOT_A), (7, _NOT_H)), ((-7, _NOT_A), (-9, _NOT_H)))  # of the side that moves up, and down
_SLIDERS = ((3, 4),) * 2 + ((2, 4),) * 2  # rooks and queens along ranks and files, bishops and queens along diagonals
_PAWNS, _KNIGHTS, _BISHOPS, _ROOKS, _QUEENS, _KINGS = range(6)


def least_attackers(sides: Bits) -> NDArray[np.uint8]:
    """(2, N, 64) index of each square's least valuable attacker in ``engine.attacks.ATTACKER_CLASSES``, by side.

    ``sides`` (2, 6, N) holds both sides' pawns, knights, bishops, rooks, queens and kings; the first side's pawns move up.
    """
    pawn, minor, rook, queen, king = _attacks_by_class(sides)
    minor &= ~pawn
    lower = pawn | minor
    rook &= ~lower
    lower |= rook
    queen &= ~lower
    king &= ~(lower | queen)
    planes = np.stack([pawn | rook | king, minor | rook, queen | king])
    bits = np.unpackbits(planes.view(np.uint8).reshape(*planes.shape, 8), axis=-1, bitorder="little")
    bits[1] <<= 1
    bits[2] <<= 2
    kinds: NDArray[np.uint8] = bits[0] | bits[1] | bits[2]
    return kinds


def _attacks_by_class(sides: Bits) -> tuple[Bits, Bits, Bits, Bits, Bits]:
    """(2, N) squares attacked by each side's pawns, minors, rooks, queens and king. Queens slide along with the others."""
    empty = ~np.bitwise_or.reduce(sides, axis=(0, 1))
    straight, diagonal = _slid(sides[:, _SLIDERS], empty)  # (2, 2, N) each: side, and whether a queen
    return (
        np.stack([stepped(side[_PAWNS], steps) for side, steps in zip(sides, PAWN_STEPS, strict=True)]),
        stepped(sides[:, _KNIGHTS], KNIGHT_STEPS) | diagonal[:, 0],
        straight[:, 0],
        diagonal[:, 1] | straight[:, 1],
        stepped(sides[:, _KINGS], ROOK_STEPS + BISHOP_STEPS),
    )


@functools.cache
def directions(steps: tuple[tuple[int, int], ...], trailing: int) -> list[tuple[np.ufunc, Bits, Bits]]:
    """Steps up the board, and steps down, each as a shift, its distances and its masks with ``trailing`` axes behind.

    All directions go through one call each: on few positions the number of calls is what takes time."""
    ways = (np.left_shift, [s for s in steps if s[0] > 0]), (np.right_shift, [s for s in steps if s[0] < 0])
    shape = (-1, *[1] * trailing)
    return [
        (
            shift,
            np.array([abs(d) for d, _ in way], np.uint64).reshape(shape),
            np.array([m for _, m in way], np.uint64).reshape(shape),
        )
        for shift, way in ways
        if way
    ]


def stepped(bits: Bits, steps: tuple[tuple[int, int], ...]) -> Bits:
    reached = np.zeros_like(bits)
    for shift, distances, masks in directions(steps, bits.ndim):
        reached |= np.bitwise_or.reduce(shift(bits, distances) & masks, axis=0)
    return reached


def _slid(bits: Bits, empty: Bits) -> tuple[Bits, Bits]:
    """Squares attacked along ranks and files, and along diagonals, each (2, 2, N), by (2, 4, 2, N) sliders of each direction
    of ``ROOK_STEPS + BISHOP_STEPS`` up or down: Kogge-Stone fill, three doublings reach all seven squares."""
    rays = np.moveaxis(bits, 1, 0)
    straight, diagonal = np.zeros((2, *rays.shape[1:]), np.uint64)
    for shift, distances, masks in directions(ROOK_STEPS + BISHOP_STEPS, 3):
        ray, free = rays, empty & masks
        for doubling in (1, 2, 4):
            far = distances * np.uint64(doubling)
            ray = ray | (free & shift(ray, far))
            free = free & shift(free, far)
        landed = shift(ray, distances) & masks
        straight |= landed[0] | landed[1]
        diagonal |= landed[2] | landed[3]
    return straight, diagonal
