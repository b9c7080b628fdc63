"""Our net as a player, in this process: all games that wait for it are one batch.

Knows evaluations and how a move is drawn from one. Does not know how the net reads games (``engine.inference``).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import chess
import numpy as np

from engine.inference.evaluation import Evaluation
from engine.inference.evaluator import Evaluator, Request
from engine.inference.game_cache import GameCache, Players
from engine.inference.sampling import Sampling, choose
from match.players.interface import Forfeit, Turn


@dataclass
class NetPlayer:
    """Our net, in this process."""

    name: str
    evaluator: Evaluator
    sampling: Sampling
    seed: int = 1
    rating: int = 0
    """That it is conditioned on, for both players; 0 = unknown."""
    scale: int = 0
    anchor: float | None = None
    _caches: dict[int, GameCache] = field(default_factory=dict, init=False)
    _random: dict[int, np.random.Generator] = field(default_factory=dict, init=False)

    @property
    def spec(self) -> None:
        """None: many games share its batches here."""

    def moves(self, turns: Sequence[Turn]) -> list[chess.Move | Forfeit]:
        """One call of the net for all turns."""
        return moves_together([(self, turn) for turn in turns])

    def _request(self, turn: Turn) -> Request:
        return Request(turn.board, self._cache(turn.game), Players(self.rating, self.rating, self.scale if self.rating else 0))

    def _choose(self, turn: Turn, evaluation: Evaluation) -> chess.Move:
        return choose(evaluation, turn.board, self.sampling, random=self._generator(turn.game)).move

    def _cache(self, game: int) -> GameCache:
        if game not in self._caches:
            self._caches[game] = self.evaluator.new_game()
        return self._caches[game]

    def _generator(self, game: int) -> np.random.Generator:
        if game not in self._random:
            # the name too: two nets in one game must not draw the same numbers
            self._random[game] = np.random.default_rng([self.seed, game, zlib.crc32(self.name.encode())])
        return self._random[game]

    def forget(self, game: int) -> None:
        """Free the game's cache."""
        self._caches.pop(game, None)
        self._random.pop(game, None)

    def close(self) -> None:
        """Nothing is open."""


def moves_together(asked: Sequence[tuple[NetPlayer, Turn]]) -> list[chess.Move | Forfeit]:
    """Moves of players with the same net, at whatever temperatures, in one batch: a sweep's batches stay large."""
    evaluations = asked[0][0].evaluator.evaluate([player._request(turn) for player, turn in asked])
    return [player._choose(turn, evaluation) for (player, turn), evaluation in zip(asked, evaluations, strict=True)]
