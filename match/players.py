"""Who can sit at the board: our net, any UCI engine, and built-in movers.

A player is asked for moves in many games at once, so that a net can answer them all in one batch. Knows how to ask;
does not know openings, scores or which games exist.
"""

from __future__ import annotations

import contextlib
import queue
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import chess
import chess.engine
import numpy as np

from engine.errors import MatchError
from engine.evaluator import Evaluator, GameCache, Players, Request
from engine.sampling import Sampling, choose

SKILL_LEVEL_ELO = {0: 1320, 1: 1468, 2: 1608, 3: 1742, 4: 1923, 5: 2204}
"""Stockfish's own table of its Skill Levels (commit a08b8d4, anchored to CCRL, 120 s + 1 s)."""

_STOCKFISH_PLACES = ("/usr/games/stockfish", "/usr/local/bin/stockfish", "/opt/homebrew/bin/stockfish")
_PIECE_VALUES = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9, chess.KING: 0}


class Forfeit(Exception):
    """A player did not give a legal move; the text says what it did instead."""


@dataclass(frozen=True)
class Turn:
    """A position in which a player is to move."""

    game: int
    """Number of the game, the same for all its turns."""
    board: chess.Board
    """With its whole move stack; not to be changed."""


class Player(Protocol):
    """One who can be asked for moves."""

    @property
    def name(self) -> str:
        """Unique in a match; PGN and tables show it."""

    @property
    def anchor(self) -> float | None:
        """Fixed rating, where one is known; None to be rated."""

    def moves(self, turns: Sequence[Turn]) -> list[chess.Move | Forfeit]:
        """An answer to each turn, in order."""

    def forget(self, game: int) -> None:
        """The game is over."""

    def close(self) -> None:
        """The match is over."""


@dataclass
class NetPlayer:
    """Our net, in this process."""

    name: str
    evaluator: Evaluator
    sampling: Sampling
    seed: int = 1
    rating: int = 0
    """Rating that it is told both players have; 0 = unknown."""
    scale: int = 0
    anchor: float | None = None
    _caches: dict[int, GameCache] = field(default_factory=dict, init=False)
    _random: dict[int, np.random.Generator] = field(default_factory=dict, init=False)

    def moves(self, turns: Sequence[Turn]) -> list[chess.Move | Forfeit]:
        players = Players(self.rating, self.rating, self.scale if self.rating else 0)
        requests = [Request(turn.board, self._cache(turn.game), players) for turn in turns]
        answers = self.evaluator.evaluate(requests)
        return [
            choose(evaluation, turn.board, self.sampling, random=self._generator(turn.game)).move
            for turn, evaluation in zip(turns, answers, strict=True)
        ]

    def _cache(self, game: int) -> GameCache:
        if game not in self._caches:
            self._caches[game] = self.evaluator.new_game()
        return self._caches[game]

    def _generator(self, game: int) -> np.random.Generator:
        if game not in self._random:
            self._random[game] = np.random.default_rng([self.seed, game])
        return self._random[game]

    def forget(self, game: int) -> None:
        self._caches.pop(game, None)
        self._random.pop(game, None)

    def close(self) -> None:
        pass


@dataclass
class RandomPlayer:
    """Plays any legal move, each as likely as the others."""

    name: str = "random mover"
    seed: int = 1
    anchor: float | None = None

    def moves(self, turns: Sequence[Turn]) -> list[chess.Move | Forfeit]:
        return [self._move(turn) for turn in turns]

    def _move(self, turn: Turn) -> chess.Move:
        random = np.random.default_rng([self.seed, turn.game, turn.board.ply()])
        legal = list(turn.board.legal_moves)
        return legal[int(random.integers(len(legal)))]

    def forget(self, game: int) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class GreedyPlayer(RandomPlayer):
    """Takes the most valuable piece it can, else plays any legal move; mates when it sees mate in one."""

    name: str = "greedy capturer"

    def _move(self, turn: Turn) -> chess.Move:
        board = turn.board.copy(stack=False)
        random = np.random.default_rng([self.seed, turn.game, turn.board.ply()])
        legal = list(board.legal_moves)
        gains = [_gain(board, move) for move in legal]
        best = [move for move, gain in zip(legal, gains, strict=True) if gain == max(gains)]
        return best[int(random.integers(len(best)))]


def _gain(board: chess.Board, move: chess.Move) -> int:
    board.push(move)
    mates = board.is_checkmate()
    board.pop()
    if mates:
        return 100
    taken = chess.PAWN if board.is_en_passant(move) else board.piece_type_at(move.to_square)
    promoted = _PIECE_VALUES[move.promotion] - 1 if move.promotion else 0
    return promoted + (_PIECE_VALUES[taken] if taken else 0)


@dataclass
class UciPlayer:
    """Any UCI engine, in ``processes`` processes. Raises MatchError when it does not start."""

    name: str
    command: list[str]
    limit: chess.engine.Limit
    options: dict[str, str | int | bool] = field(default_factory=dict)
    anchor: float | None = None
    processes: int = 1
    move_timeout_s: float = 30.0
    """An engine that thinks longer than this over one move forfeits the game."""

    def __post_init__(self) -> None:
        self._idle: queue.Queue[chess.engine.SimpleEngine] = queue.Queue()
        self._pool = ThreadPoolExecutor(self.processes)
        for _ in range(self.processes):
            self._idle.put(self._start())

    def _start(self) -> chess.engine.SimpleEngine:
        try:
            engine = chess.engine.SimpleEngine.popen_uci(self.command, timeout=self.move_timeout_s)
            engine.configure(self.options)
        except (OSError, TimeoutError, chess.engine.EngineError, chess.engine.EngineTerminatedError) as error:
            raise MatchError(
                f"expected a UCI engine behind {' '.join(self.command)!r} for player {self.name!r}: "
                f"{type(error).__name__} {error}; try it by hand and type uci"
            ) from None
        return engine

    def moves(self, turns: Sequence[Turn]) -> list[chess.Move | Forfeit]:
        return list(self._pool.map(self._ask, turns))

    def _ask(self, turn: Turn) -> chess.Move | Forfeit:
        engine = self._idle.get()
        try:
            # A few moves of history are enough to see a repetition coming, and a long game costs no time to send.
            result = engine.play(turn.board.copy(stack=8), self.limit, game=turn.game)
            answer: chess.Move | Forfeit = result.move or Forfeit("gave no move")
        except (TimeoutError, chess.engine.EngineError, chess.engine.EngineTerminatedError) as error:
            answer = Forfeit(f"{type(error).__name__}: {error}"[:200])
            with contextlib.suppress(Exception):
                engine.close()
            engine = self._start()
        self._idle.put(engine)
        return answer

    def forget(self, game: int) -> None:
        pass

    def close(self) -> None:
        self._pool.shutdown()
        while not self._idle.empty():
            with contextlib.suppress(Exception):
                self._idle.get().quit()


def find_stockfish() -> str | None:
    """Where Stockfish is installed, if it is."""
    return shutil.which("stockfish") or next((place for place in _STOCKFISH_PLACES if Path(place).is_file()), None)


def stockfish_level(level: int, *, processes: int = 1) -> UciPlayer:
    """Stockfish at a Skill Level. It picks its move at depth level + 1, so searching just that deep plays the same game
    as a long clock, at a fraction of the time. Raises MatchError when Stockfish is missing."""
    path = find_stockfish()
    if path is None:
        raise MatchError(f"expected Stockfish on the PATH, found none. {INSTALL_STOCKFISH}")
    return UciPlayer(
        f"Stockfish level {level}", [path], chess.engine.Limit(depth=level + 1), {"Skill Level": level, "Hash": 16},
        anchor=SKILL_LEVEL_ELO.get(level), processes=processes,
    )  # fmt: skip


INSTALL_STOCKFISH = (
    "Install it: apt install stockfish (Debian, Ubuntu), brew install stockfish (macOS), winget install "
    "Stockfish.Stockfish (Windows), or stockfishchess.org"
)
