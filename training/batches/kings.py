"""How each square stands to the two kings: where a piece would give check, which men are pinned, what answers a check.

Knows bitboards as ``training.batches.attacks`` does. Finds for many positions what ``engine.attacks`` finds for one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.batches.attacks import BISHOP_STEPS, KNIGHT_STEPS, PAWN_STEPS, ROOK_STEPS, Bits, directions, stepped

_ENEMY, _OWN = 1, 0  # indices of sides and kings
_PAWNS, _KNIGHTS, _BISHOPS, _ROOKS, _QUEENS, _KINGS = range(6)


def king_codes(sides: Bits) -> NDArray[np.uint8]:
    """(N, 64) each square's king code (``engine.attacks.KING_CODES``); ``sides`` as in
    ``training.batches.attacks.least_attackers``."""
    own, enemy = np.bitwise_or.reduce(sides, axis=1)
    kings = sides[:, _KINGS]
    seen, first, beyond = _views(kings, ~(own | enemy))
    straight, diagonal = sides[:, _ROOKS] | sides[:, _QUEENS], sides[:, _BISHOPS] | sides[:, _QUEENS]
    sliders = np.stack([straight, straight, diagonal, diagonal])  # (4, 2, N) that move along each axis
    pinned = _where(first[:, :, _OWN] & own, beyond[:, :, _OWN] & sliders[:, _ENEMY])
    closing = _where(first[:, :, _ENEMY] & own, beyond[:, :, _ENEMY] & sliders[:, _OWN])
    answers, shadow = _replies(sides, seen[:, :, _OWN], first[:, :, _OWN] & sliders[:, _ENEMY])
    target = np.bitwise_or.reduce(seen[:, :, _ENEMY], axis=0)
    arriving = (
        target[0] | target[1],
        target[2] | target[3],
        stepped(kings[_ENEMY], KNIGHT_STEPS),
        stepped(kings[_ENEMY], PAWN_STEPS[1]),
        answers,
        shadow,
    )
    planes = np.stack(
        [
            (leaving & own) | (there & ~own)
            for leaving, there in zip((*_numbered(pinned), *_numbered(closing)), arriving, strict=True)
        ]
    )
    bits = np.unpackbits(planes.view(np.uint8).reshape(*planes.shape, 8), axis=-1, bitorder="little")
    codes: NDArray[np.uint8] = np.bitwise_or.reduce(bits << np.arange(6, dtype=np.uint8)[:, None, None], axis=0)
    return codes


def _views(kings: Bits, empty: Bits) -> tuple[Bits, Bits, Bits]:
    """What (2, N) kings see as a queen would, each (2, 4, 2, N): up and down the board, axis, king.

    Squares seen with the first man in the way, that man, and the man behind it.
    """
    seen = np.stack([_ray(way, kings, empty) for way in directions(ROOK_STEPS + BISHOP_STEPS, 2)])
    first = seen & ~empty
    beyond = np.stack([_ray(way, first[i], empty) for i, way in enumerate(directions(ROOK_STEPS + BISHOP_STEPS, 2))])
    return seen, first, beyond & ~empty


def _ray(way: tuple[np.ufunc, Bits, Bits], bits: Bits, empty: Bits) -> Bits:
    """Squares from ``bits`` on to the first man, along each axis: Kogge-Stone fill as in ``training.batches.attacks``."""
    shift, distances, masks = way
    ray, free = bits, empty & masks
    for doubling in (1, 2, 4):
        far = distances * np.uint64(doubling)
        ray = ray | (free & shift(ray, far))
        free = free & shift(free, far)
    landed: Bits = shift(ray, distances) & masks
    return landed


def _where(men: Bits, condition: Bits) -> Bits:
    """(4, N) the ``men`` (2, 4, N) whose ``condition`` is not empty, by axis."""
    chosen: Bits = np.bitwise_or.reduce(men * (condition != 0), axis=0)
    return chosen


def _numbered(by_axis: Bits) -> tuple[Bits, Bits, Bits]:
    """Bit planes of 1 + the number of the axis."""
    file, rank, diagonal, antidiagonal = by_axis
    return file | diagonal, rank | diagonal, antidiagonal


def _replies(sides: Bits, seen: Bits, checkers: Bits) -> tuple[Bits, Bits]:
    """(N,) squares where the only check is answered, and squares behind the king in the line of one that checks it."""
    king, enemy = sides[_OWN, _KINGS], sides[_ENEMY]
    knights = stepped(king, KNIGHT_STEPS) & enemy[_KNIGHTS]
    pawns = stepped(king, PAWN_STEPS[0]) & enemy[_PAWNS]
    checks = checkers != 0  # (2, 4, N)
    count = checks.sum(axis=(0, 1)) + (knights != 0) + (pawns != 0)
    answers = np.bitwise_or.reduce(seen * checks, axis=(0, 1)) | knights | pawns
    behind = [shift(king, distances) & masks for shift, distances, masks in directions(ROOK_STEPS + BISHOP_STEPS, 1)]
    shadow = np.bitwise_or.reduce(np.stack(behind)[::-1] * checks, axis=(0, 1))
    return answers * (count == 1), shadow
