"""An evaluation, and a memory of those that were asked before: the option Hash.

Knows how an evaluation is packed and which one goes when room runs out. Does not know nets.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import chess
import numpy as np
from numpy.typing import NDArray

_ENTRY_OVERHEAD = 300
"""Bytes of a key, of a bytes object and of their place in an ordered dictionary, as CPython 3.11 stores them."""


@dataclass(frozen=True)
class Evaluation:
    """What the net thinks of one position."""

    moves: tuple[chess.Move, ...]
    """The legal moves."""
    logits: NDArray[np.float64]
    """(N,) raw logit of each legal move."""
    wdl: tuple[float, float, float]
    """Probability of win, draw, loss for the side to move; sums to 1."""


def packed_move(move: chess.Move) -> int:
    """A move as 15 bits; unique among all moves of chess."""
    return move.from_square | move.to_square << 6 | (move.promotion or 0) << 12


def _unpacked(number: int) -> chess.Move:
    return chess.Move(number & 63, number >> 6 & 63, number >> 12 or None)


class Remembered:
    """At most ``megabytes`` of evaluations; the one that was not asked for longest goes first."""

    def __init__(self, megabytes: int) -> None:
        self._entries: OrderedDict[bytes, bytes] = OrderedDict()
        self._room = megabytes * 2**20
        self._used = 0

    def get(self, key: bytes) -> Evaluation | None:
        """What was kept under ``key``."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        count = (len(entry) - 24) // 6
        moves = np.frombuffer(entry, np.uint16, count, offset=24).tolist()
        logits = np.frombuffer(entry, np.float32, count, offset=24 + 2 * count).astype(np.float64)
        win, draw, loss = np.frombuffer(entry, np.float64, 3).tolist()
        return Evaluation(tuple(map(_unpacked, moves)), logits, (win, draw, loss))

    def put(self, key: bytes, evaluation: Evaluation) -> None:
        """Keep an evaluation. Its logits came as float32, so nothing is lost in keeping them so."""
        if not self._room:
            return
        moves = np.array([packed_move(m) for m in evaluation.moves], np.uint16)
        entry = np.array(evaluation.wdl).tobytes() + moves.tobytes() + evaluation.logits.astype(np.float32).tobytes()
        old = self._entries.pop(key, None)
        self._used += len(entry) + _ENTRY_OVERHEAD - (0 if old is None else len(old) + _ENTRY_OVERHEAD)
        self._entries[key] = entry
        while self._used > self._room and self._entries:
            _, old = self._entries.popitem(last=False)
            self._used -= len(old) + _ENTRY_OVERHEAD
