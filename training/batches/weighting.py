"""How much a move counts in training: by the rating of who played it (weight the strong, do not filter the weak away), and
more where it is mate, which is one move in a thousand.

Knows ratings, mates and the three settings of ``DataConfig``. Does not know games, rows or losses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.config import DataConfig

_TYPICAL_ELO = 1500  # stands for an unknown rating where moves are weighted by it


class MoveWeights:
    """How much the loss on a move weighs: twice as much every ``data.rating_doubling`` points of its mover's rating, and
    ``data.mate_weight`` times as much where it mates.

    The weights by rating have the mean 1 over the games that they were made for, so a learning rate that suits one
    setting suits another. Mates are so few that they change the mean little. Ratings of all scales are treated alike.
    """

    def __init__(self, data: DataConfig, games: Iterable[tuple[NDArray[Any], NDArray[np.int64]]]) -> None:
        """``games``: per shard, records and numbers of plies."""
        self._doubling, self._span, self._mate = data.rating_doubling, data.rating_span, data.mate_weight
        self._mean = 1.0
        if self._doubling:
            both = [(self._raw(r[f"{side}_elo"]), plies) for r, plies in games for side in ("white", "black")]
            self._mean = sum(float(w @ p) for w, p in both) / sum(int(p.sum()) for _, p in both)

    def _raw(self, elo: NDArray[np.uint16]) -> NDArray[np.float32]:
        points = np.where(elo > 0, elo, _TYPICAL_ELO).astype(np.float32) - _TYPICAL_ELO
        edge = self._span**0.5
        weights: NDArray[np.float32] = np.clip(np.exp2(points / np.float32(self._doubling)), 1 / edge, edge)
        return weights

    def __call__(self, elo: NDArray[np.uint16], mates: NDArray[np.bool_]) -> NDArray[np.float32] | None:
        """Weights of moves by their movers' ratings and by whether they mate; None where all weigh alike."""
        if self._doubling == 0 and self._mate == 1:
            return None
        by_rating = self._raw(elo) / np.float32(self._mean) if self._doubling else np.ones(elo.shape, np.float32)
        return np.where(mates, by_rating * np.float32(self._mate), by_rating)
