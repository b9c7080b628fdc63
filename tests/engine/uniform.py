"""A player without a net: all legal moves almost equally likely, every position 40 % won, 30 % drawn, 30 % lost."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import chess
import numpy as np

from engine.encoding import move_id
from engine.inference.evaluator import Evaluation, GameCache, Players, Request
from engine.net import NetInfo
from engine.search.tree import Node
from engine.uci.options import Settings
from engine.uci.player import Opened
from tests.engine.uci.fake_time import FakeTime

INFO = NetInfo("uniform", 1, 1, 2, 2, 8, "sum", False, False, "fp32", Path("uniform.onnx"), "cpu")
"""The smallest net's description, for the caches that nothing is kept in."""


class Uniform:
    """A ``Judge`` that likes moves with a lower number a little better, so that near temperature 0 it plays those.

    ``pause_s`` is what one call takes, by ``time`` where it is given; ``asked`` is all that it was asked.
    """

    def __init__(self, pause_s: float = 0.0, *, time: FakeTime | None = None) -> None:
        self.pause_s, self.time = pause_s, time
        self.asked: list[Request] = []

    def new_game(self) -> GameCache:
        return GameCache(INFO)

    def evaluate(self, requests: Sequence[Request]) -> list[Evaluation]:
        if self.time:
            self.time.seconds += self.pause_s
        else:
            time.sleep(self.pause_s)
        self.asked += requests
        return [self._evaluation(request) for request in requests]

    def _evaluation(self, request: Request) -> Evaluation:
        board = request.board
        moves = tuple(sorted(board.legal_moves, key=lambda move: move_id(move, board.turn)))
        return Evaluation(moves, np.linspace(0.0, -0.05 * (len(moves) - 1), len(moves)), (0.4, 0.3, 0.3))


class UniformLeaves:
    """What a search asks, likewise; ``share_used`` is always 0."""

    share_used = 0.0

    def __init__(self, pause_s: float = 0.0, *, time: FakeTime | None = None) -> None:
        self._judge = Uniform(pause_s, time=time)

    def begin(self, board: chess.Board, players: Players, nodes: Iterable[Node]) -> Evaluation:
        return self._judge.evaluate([Request(board, self._judge.new_game(), players)])[0]

    def __call__(self, leaves: Sequence[Node]) -> list[Evaluation]:
        return self._judge.evaluate([Request(leaf.board, self._judge.new_game()) for leaf in leaves])


def open_uniform(settings: Settings) -> Opened:
    """For ``Process(opener=...)``."""
    return Opened(Uniform(), "net uniform", Uniform, leaves=UniformLeaves)
