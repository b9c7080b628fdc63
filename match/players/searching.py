"""Our net with a search, as a value: worker processes play whole games with it, one on each core.

Knows how a position becomes a move by so many evaluations. Does not know how a tree grows (``engine.search``) or who asks.
"""

from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import chess
import numpy as np

from engine.inference.game_cache import Players
from engine.net import Net
from engine.search.leaves import NetLeaves, searched
from engine.search.search import Limits
from engine.search.tree import move_to_play
from match.players.client import Engines
from match.players.interface import Turn

_LEAVES_MB = 64
"""Memory for the lines of one tree; some 6,000 positions of the net that ships."""


@dataclass(frozen=True)
class SearchSpec:
    """A net that spends ``nodes`` evaluations on each move, as the engine does after ``go nodes N``.

    Every move has a tree of its own, so that a game depends on its number and the seed alone, whichever worker plays it.
    """

    name: str
    file: Path
    temperature: float
    nodes: int
    players: Players = field(default_factory=Players)
    seed: int = 1
    device: str = "cpu"
    anchor: float | None = None

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        """The most visited move at temperature 0, else one drawn as ``visit_shares`` says; a proven mate first."""
        leaves = engines.kept(("search", self.file, self.device), self._leaves)
        tree = searched(leaves, turn.board, self.players, Limits(self.nodes))
        chosen = move_to_play(tree, self.temperature, self._random(turn))
        if chosen.move is None:
            raise ValueError("a move leads to every position below a root")
        return chosen.move

    def _leaves(self) -> NetLeaves:
        return NetLeaves(_net(self.file, self.device), megabytes=_LEAVES_MB)

    def _random(self, turn: Turn) -> np.random.Generator:
        return np.random.default_rng([self.seed, turn.game, len(turn.board.move_stack), zlib.crc32(self.name.encode())])


@functools.cache
def _net(file: Path, device: str) -> Net:
    """One for a process: its threads' trees share it."""
    return Net.open(file, threads=1, device=device)
