"""How much a move counts in training by the rating of who played it: weight the strong, do not filter the weak away.

Knows ratings and the two settings of ``DataConfig``. Does not know games, rows or losses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.config import DataConfig

_TYPICAL_ELO = 1500  # stands for an unknown rating where moves are weighted by it


class RatingWeights:
    """How much the loss on a move weighs by its mover's rating: twice as much every ``data.rating_doubling`` points.

    Weights have the mean 1 over the games that they were made for, so a rate that suits one setting suits another, and
    parts of a batch add up to the same sum however it was cut. Ratings of all scales are taken alike.
    """

    def __init__(self, data: DataConfig, games: Iterable[tuple[NDArray[Any], NDArray[np.int64]]]) -> None:
        """``games``: per shard, records and numbers of plies."""
        self._doubling, self._span = data.rating_doubling, data.rating_span
        self._mean = 1.0
        if self._doubling:
            both = [(self._raw(r[f"{side}_elo"]), plies) for r, plies in games for side in ("white", "black")]
            self._mean = sum(float(w @ p) for w, p in both) / sum(int(p.sum()) for _, p in both)

    def _raw(self, elo: NDArray[np.uint16]) -> NDArray[np.float32]:
        points = np.where(elo > 0, elo, _TYPICAL_ELO).astype(np.float32) - _TYPICAL_ELO
        edge = self._span**0.5
        weights: NDArray[np.float32] = np.clip(np.exp2(points / np.float32(self._doubling)), 1 / edge, edge)
        return weights

    def __call__(self, elo: NDArray[np.uint16]) -> NDArray[np.float32] | None:
        """Weights of moves by their movers' ratings; None where all weigh alike."""
        return self._raw(elo) / np.float32(self._mean) if self._doubling else None
