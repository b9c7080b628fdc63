"""Who can sit at the board: our net, any UCI engine with or without a stated weakness, and built-in movers.

A player is asked for moves in many games at once, so that a net can answer them all in one batch. All but nets are also
*specs*: small values that a worker process can be handed, to play whole games by itself (``match.play.bulk``). Knows how to
ask; does not know openings, scores or which games exist.
"""

from __future__ import annotations

import queue
import random
import threading
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Protocol

import chess
import numpy as np

from engine.errors import MatchError
from engine.inference.evaluator import Evaluation, Evaluator, GameCache, Players, Request
from engine.inference.sampling import Sampling, choose
from match.play.game import Forfeit, Turn
from match.players.client import EngineFailure, Engines, Line, Setup, find_stockfish, resolve
from match.players.weakness import Weakness, move_of, weak_move

SKILL_LEVEL_ELO = {
    0: 1320,
    1: 1468,
    2: 1608,
    3: 1742,
    4: 1923,
    5: 2204,
    6: 2363,
    7: 2500,
    8: 2596,
    9: 2703,
    10: 2788,
    11: 2856,
    12: 2923,
    13: 2973,
    14: 3025,
    15: 3070,
    16: 3111,
    17: 3141,
    18: 3170,
    19: 3191,
}
"""Stockfish's own table of its Skill Levels (commit a08b8d4, anchored to CCRL, 120 s + 1 s); here that of levels with 0.1 s a
move."""

LEVEL_BY_DEPTH_ELO = {0: 1182, 1: 1230, 2: 1324, 3: 1426, 4: 1703, 5: 2004}
"""Levels that search to depth level + 1 alone, on the same scale: docs/results/matches/levels-by-depth.txt."""

PAPER_MOVETIME = "movetime=100"
"""The limit of the paper's opponents, and of the levels that are anchored to Stockfish's table."""

_PIECE_VALUES = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9, chess.KING: 0}
_LIMITS = ("depth", "nodes", "movetime")


class Player(Protocol):
    """One who can be asked for moves."""

    @property
    def name(self) -> str:
        """Unique in a match; PGN and tables show it."""

    @property
    def anchor(self) -> float | None:
        """Fixed rating, where one is known; None to be rated."""

    @property
    def spec(self) -> Spec | None:
        """What a worker process needs to play as this player; None for a net, which stays here."""

    def moves(self, turns: Sequence[Turn]) -> list[chess.Move | Forfeit]:
        """An answer to each turn, in order."""

    def forget(self, game: int) -> None:
        """The game is over."""

    def close(self) -> None:
        """The match is over."""


class Spec(Protocol):
    """A player as a value: picklable, with no process or state of its own."""

    @property
    def name(self) -> str:
        """Unique in a match."""

    @property
    def anchor(self) -> float | None:
        """Fixed rating, where one is known."""

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        """A move. Raises Forfeit when there is none to be had."""


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
    return [player._choose(turn, found) for (player, turn), found in zip(asked, evaluations, strict=True)]


@dataclass(frozen=True)
class RandomSpec:
    """Plays any legal move, each as likely as the others."""

    name: str = "random mover"
    seed: int = 1
    anchor: float | None = None

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        """A legal move."""
        return _draws(self.seed, self.name, turn).choice(list(turn.board.legal_moves))


@dataclass(frozen=True)
class GreedySpec:
    """Takes the most valuable piece it can, else plays any legal move; mates when it sees mate in one."""

    name: str = "greedy capturer"
    seed: int = 1
    anchor: float | None = None

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        """A legal move."""
        board = turn.board.copy(stack=False)
        gains = [(_gain(board, move), move) for move in list(board.legal_moves)]
        most = max(gain for gain, _ in gains)
        return _draws(self.seed, self.name, turn).choice([move for gain, move in gains if gain == most])


def _gain(board: chess.Board, move: chess.Move) -> int:
    taken = chess.PAWN if board.is_en_passant(move) else board.piece_type_at(move.to_square)
    board.push(move)
    mates = board.is_checkmate()
    board.pop()
    if mates:
        return 100
    promoted = _PIECE_VALUES[move.promotion] - 1 if move.promotion else 0
    return promoted + (_PIECE_VALUES[taken] if taken else 0)


def _draws(seed: int, name: str, turn: Turn) -> random.Random:
    """Random numbers of one move: the same whenever and wherever it is played, and no one else's."""
    return random.Random(f"{seed} {name} {turn.game} {len(turn.board.move_stack)}")


@dataclass(frozen=True)
class EngineSpec:
    """Any UCI engine, with stated weaknesses or none."""

    name: str
    setup: Setup
    limit: str
    """depth=N, nodes=N or movetime=MS, or several with commas."""
    weaknesses: tuple[Weakness, ...] = ()
    whole_games: bool = True
    """Whether the engine is sent the game from its first move (our own reads games), or from the last irreversible one."""
    anchor: float | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        go_command(self.limit)

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        """Ask the engine, or err. Raises Forfeit, naming what the engine did wrong."""
        colour = turn.board.turn
        position = turn.whole if self.whole_games else turn.short
        go = go_command(self.limit)

        def ask(count: int) -> list[Line]:
            engine = engines.take(self.setup, colour, who=self.name)
            return [Line(engine.best(position, go), 0)] if count == 1 else engine.best_lines(position, go, count)

        try:
            if not self.weaknesses:
                return move_of(ask(1)[0].move)
            return weak_move(self.weaknesses, turn.board, _draws(self.seed, self.name, turn), ask)
        except EngineFailure as failure:
            engines.drop(self.setup, colour)
            raise Forfeit(str(failure)) from None


def go_command(limit: str) -> str:
    """The UCI command for a limit. Raises MatchError for one that is none."""
    words = ["go"]
    for part in limit.split(","):
        kind, _, amount = part.strip().partition("=")
        if kind not in _LIMITS or not amount.isdigit() or int(amount) < 1:
            raise MatchError(f"expected a limit depth=N, nodes=N or movetime=MS, or several with commas, got {limit!r}")
        words += [kind, amount]
    return " ".join(words)


class SpecPlayer:
    """A spec at the board of the batched runner: up to ``threads`` games ask at a time, each thread with engines of its own.

    Players that share ``slots`` ask in no more games than those together: with a clock, engines that outnumber the cores
    play below their strength. Who has a slot waits for no other, so nobody waits for ever.
    """

    anchor: float | None

    def __init__(self, spec: Spec, *, threads: int = 1, slots: threading.Semaphore | None = None) -> None:
        self.name, self.anchor, self.spec = spec.name, spec.anchor, spec
        self._slots = slots or threading.Semaphore(threads)
        self._idle: queue.LifoQueue[Engines] = queue.LifoQueue()  # the last used is asked first, so few are ever started
        for _ in range(threads):
            self._idle.put(Engines(both_sides=False))  # the other side of these games is a net
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None

    def moves(self, turns: Sequence[Turn]) -> list[chess.Move | Forfeit]:
        """Turns share the threads."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads)
        return list(self._pool.map(self._ask, turns))

    def _ask(self, turn: Turn) -> chess.Move | Forfeit:
        with self._slots:
            engines = self._idle.get()
            try:
                return self.spec.answer(turn, engines)
            except Forfeit as forfeit:
                return forfeit
            finally:
                self._idle.put(engines)

    def forget(self, game: int) -> None:
        """Nothing is kept of a game."""

    def close(self) -> None:
        """End the engines."""
        if self._pool is not None:
            self._pool.shutdown()
        while not self._idle.empty():
            self._idle.get().close()


def engine_spec(
    name: str,
    command: Sequence[str],
    limit: str,
    *,
    options: Sequence[tuple[str, str]] = (),
    weaknesses: Sequence[Weakness] = (),
    anchor: float | None = None,
    seed: int = 1,
    start_timeout_s: float = 10.0,
    move_timeout_s: float = 30.0,
) -> EngineSpec:
    """A spec with its program found. ``stockfish`` means the installed one; it gets a small hash table and short
    positions. Raises MatchError when the program is missing."""
    words = resolve(command)
    given = tuple((key, str(value)) for key, value in options)
    is_stockfish = command[0] == "stockfish" or words[0] == find_stockfish()
    if is_stockfish and not any(key.lower() == "hash" for key, _ in given):
        given = (*given, ("Hash", "1"))  # clearing it between games costs time, and these searches fill no more
    setup = Setup(words, given, start_timeout_s, move_timeout_s)
    return EngineSpec(name, setup, limit, tuple(weaknesses), whole_games=not is_stockfish, anchor=anchor, seed=seed)


def stockfish_level(level: int, *, limit: str | None = None) -> EngineSpec:
    """Stockfish at a Skill Level, by default to depth level + 1, where it picks its move: a fraction of a clock's time.

    It is the weaker for it (a clock's deeper search fills the hash table that the next move's shallow one reads, among
    other things), so either way has ratings of its own. Raises MatchError when Stockfish is missing.
    """
    if not 0 <= level <= 20:
        raise MatchError(f"expected a Stockfish Skill Level from 0 to 20, got {level}")
    limit = limit or f"depth={level + 1}"
    name = level_name(level, limit)
    spec = engine_spec(name, ["stockfish"], limit, options=[("Skill Level", str(level)), ("Hash", "16")])
    return replace(spec, anchor=LEVEL_ANCHORS.get(name))


def level_name(level: int, limit: str | None = None) -> str:
    """What a Stockfish level is called in tables: a level under another limit is another player."""
    return f"Stockfish level {level} {limit or f'depth={level + 1}'}"


LEVEL_ANCHORS = {
    **{level_name(level): float(elo) for level, elo in LEVEL_BY_DEPTH_ELO.items()},
    **{level_name(level, PAPER_MOVETIME): float(elo) for level, elo in SKILL_LEVEL_ELO.items()},
}
"""Stockfish levels whose rating is known, by name."""
