"""What a client may say when, and what happens then: a state machine of two states, without threads or input/output.

Knows: commands that change something wait in a queue for the one worker; ``stop``, ``ponderhit``, ``isready`` and ``quit``
do not wait; every ``go`` owns a ``Search`` and gets exactly one ``bestmove``. Does not know chess, nets or pipes.

                         | idle                  | searching
    uci                  | answer, then queue: the worker may load its modules now
    isready              | queue                 | answer at once
    setoption, debug     | queue                 | queue: its turn comes after the search
    ucinewgame, position | queue                 | halt the search, queue
    go                   | queue, now searching  | halt the search, queue: the old bestmove comes first
    stop                 | nothing               | halt the search
    ponderhit            | nothing               | release the search
    quit                 | leave                 | halt the search, leave
    end of input         | nothing               | halt the search if it is infinite or ponders: nobody can end it any more
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from engine import __version__
from engine.uci.options import ELO_RANGE, declared
from engine.uci.protocol import (
    Command,
    Debug,
    Declaration,
    Go,
    Id,
    IsReady,
    NewGame,
    PonderHit,
    Position,
    Quit,
    ReadyOk,
    Reply,
    SetOption,
    Stop,
    Uci,
    UciOk,
    Unknown,
)

NAME = f"Transcendence {__version__}"
AUTHOR = "the Transcendence authors"


class Time:
    """Time as a search sees it; tests give it their own."""

    def now_s(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wait(self, changed: threading.Condition, until: Callable[[], bool], *, seconds: float) -> None:
        """Sleep on ``changed``, which is held, until something is true, but no longer than ``seconds``."""
        changed.wait_for(until, timeout=seconds)


class Search:
    """One ``go`` as both threads see it: the reader halts or releases it, the worker asks and waits."""

    def __init__(self, go: Go, *, time: Time | None = None) -> None:
        self.go = go
        self._changed = threading.Condition()
        self._halted = False
        self._pondering = go.ponder
        self._time = time or Time()
        self._clock_started = self._time.now_s()

    @property
    def halted(self) -> bool:
        """True when the best move is wanted now."""
        return self._halted

    @property
    def endless(self) -> bool:
        """True while a best move may be given only after another command."""
        return self.go.infinite or self._pondering

    def halt(self) -> None:
        """``stop``: give the best move now."""
        with self._changed:
            self._halted = True
            self._changed.notify_all()

    def release(self) -> None:
        """``ponderhit``: our clock starts now; what was pondering becomes an ordinary search."""
        with self._changed:
            if self._pondering:
                self._pondering = False
                self._clock_started = self._time.now_s()
            self._changed.notify_all()

    def elapsed_ms(self) -> int:
        """Milliseconds since our clock started: since ``go``, or since ``ponderhit``."""
        return int((self._time.now_s() - self._clock_started) * 1000)

    def wait_for_leave(self) -> None:
        """Return when a best move may be given: with ``infinite`` not before ``stop``, pondering not before ``ponderhit``."""
        with self._changed:
            self._changed.wait_for(lambda: self._halted or not self.endless)

    def wait(self, milliseconds: float) -> None:
        """Sleep, but not past ``stop``."""
        with self._changed:
            self._time.wait(self._changed, lambda: self._halted, seconds=max(milliseconds, 0) / 1000)


# What the shell must do, in this order ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Write:
    """Print this now."""

    reply: Reply


@dataclass(frozen=True)
class Queue:
    """Hand this to the worker, behind what it has already."""

    task: Command | Search


@dataclass(frozen=True)
class Leave:
    """End the program."""


Action = Write | Queue | Leave


class Session:
    """The state of one conversation. Not thread-safe: the shell holds a lock around each call."""

    def __init__(self, *, elo_range: tuple[int, int] = ELO_RANGE) -> None:
        self._elo_range = elo_range
        self._searches: list[Search] = []
        self._readies = 0

    @property
    def searching(self) -> bool:
        """True from ``go`` to its ``bestmove``."""
        return bool(self._searches)

    @property
    def owing(self) -> bool:
        """True while a ``readyok`` or a ``bestmove`` is still to come."""
        return self.searching or self._readies > 0

    def receive(self, command: Command) -> tuple[Action, ...]:
        """What a command leads to."""
        match command:
            case Uci():
                options = (Write(Declaration(line)) for line in declared(self._elo_range))
                return (Write(Id(NAME, AUTHOR)), *options, Write(UciOk()), Queue(command))
            case IsReady():
                if self.searching:
                    return (Write(ReadyOk()),)
                self._readies += 1
                return (Queue(command),)
            case Go():
                self._halt()
                self._searches.append(Search(command))
                return (Queue(self._searches[-1]),)
            case NewGame() | Position():
                self._halt()
                return (Queue(command),)
            case SetOption() | Debug() | Unknown():
                return (Queue(command),)
            case Stop():
                self._halt()
            case PonderHit():
                for search in self._searches:
                    search.release()
            case Quit():
                self._halt()
                return (Leave(),)
        return ()

    def ended(self, search: Search) -> None:
        """The worker is about to print this search's ``bestmove``."""
        self._searches.remove(search)

    def readied(self) -> None:
        """The worker has printed the ``readyok`` of an ``isready`` that was queued."""
        self._readies -= 1

    def end_of_input(self) -> None:
        """No command will come any more."""
        for search in self._searches:
            if search.endless:
                search.halt()

    def _halt(self) -> None:
        for search in self._searches:
            search.halt()
