"""A spec among players that are asked together: a few games at a time, each thread with engines of its own.

Knows threads and engines. Does not know how a spec finds its moves.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import chess

from match.players.client import Engines
from match.players.interface import Forfeit, Spec, Turn


class SpecPlayer:
    """A spec at the board of the batched runner: up to ``threads`` games ask at a time, each thread with engines of its own.

    Players that share ``slots`` ask in no more games than those together: with a clock, engines that outnumber the cores
    play below their strength. Who has a slot waits for no other, so nobody waits for ever.

    An engine serves the moves of many games in turn, so it hears ``ucinewgame`` once, and what it keeps in its hash table
    is of them all; in games between engines each game is an engine's only one (``match.play.bulk``).
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
