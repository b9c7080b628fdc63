"""Threads and pipes around the session: one thread reads, one works, and whole lines go out under a lock.

Knows bytes, files and the order of things; no chess. Nothing heavy is imported here: the worker's thread does that,
after ``uciok`` is out.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, TextIO

from engine.dial import dial_in
from engine.errors import OptionError, TranscendenceError
from engine.net_file import find_net
from engine.uci.options import ELO_RANGE
from engine.uci.protocol import BestMove, Command, IsReady, Quit, ReadyOk, Reply, Say, decode, parse, render
from engine.uci.session import Leave, Queue, Search, Session, Write

if TYPE_CHECKING:
    from engine.uci.options import Settings
    from engine.uci.player import Opened

_FINISH_S = 9.0
"""How long the end of the input waits for what was asked before it: scripts send their commands through a pipe and close it.
What takes longer is ended as by ``stop``, so that all is over within ten seconds."""
_ANSWER_S = 1.0
"""How long ``quit`` waits for a ``readyok`` or a ``bestmove`` that a client was still to get."""
_GRACE_S = 0.05
"""How long it waits for the worker where nobody waits for an answer: an evaluation under way is left behind."""


class Journal:
    """The ``Log File``: every line in and out with the seconds since the start. Off until it is given a path."""

    def __init__(self) -> None:
        self._file: TextIO | None = None
        self._started = time.monotonic()

    def open(self, path: str) -> None:
        """Write to the end of ``path`` from now on; nowhere when it is empty. Raises OptionError."""
        self.close()
        if path:
            try:
                self._file = open(path, "a", encoding="utf-8", errors="replace")  # noqa: SIM115
            except (OSError, ValueError) as error:
                raise OptionError(f"option Log File: expected a file that can be written, got {path} ({error})") from None

    def note(self, arrow: str, line: str) -> None:
        """Write down one line; a full disk must not end a game."""
        file = self._file  # the other thread may close it meanwhile
        if file:
            with suppress(OSError, ValueError):
                file.write(f"{time.monotonic() - self._started:10.3f} {arrow} {line}\n")
                file.flush()

    def close(self) -> None:
        """Stop writing."""
        if self._file:
            with suppress(OSError):
                self._file.close()
        self._file = None


def _elo_range(model: str) -> tuple[int, int]:
    """The strengths that the net to be played has a dial for. What is wrong with it is reported when it is opened."""
    try:
        dial = dial_in(find_net(model or None))
    except TranscendenceError:
        return ELO_RANGE
    return (dial.low, dial.high) if dial else ELO_RANGE


class Process:
    """One conversation over two streams."""

    def __init__(
        self,
        source: BinaryIO,
        sink: BinaryIO,
        *,
        model: str = "",
        opener: Callable[[Settings], Opened] | None = None,
        finish_s: float = _FINISH_S,
    ) -> None:
        """``finish_s``: how long the end of the input waits for what was asked before it."""
        self._finish_s = finish_s
        self._source, self._sink, self._model, self._opener = source, sink, model, opener
        self._elo_range = _elo_range(model)
        self._session = Session(elo_range=self._elo_range)
        self._session_lock, self._sink_lock = threading.Lock(), threading.Lock()
        self._tasks: queue.SimpleQueue[Command | Search] = queue.SimpleQueue()
        self._journal = Journal()
        self._worker = threading.Thread(target=self._work, name="worker", daemon=True)

    def run(self) -> bool:
        """Converse until ``quit`` or the end of the input. True when the worker has come to rest."""
        self._worker.start()
        with suppress(KeyboardInterrupt):
            if self._converse():
                return self._finish()
        return self._quit()

    def _converse(self) -> bool:
        """Obey until there is nothing more to read; False after ``quit``."""
        return all(self._obey(command) for command in map(parse, self._lines()) if command)

    def _finish(self) -> bool:
        with self._session_lock:
            self._session.end_of_input()
        self._tasks.put(Quit())
        return self.rest(self._finish_s) or self._quit()

    def _quit(self) -> bool:
        self._obey(Quit())
        self._tasks.put(Quit())
        with self._session_lock:
            owing = self._session.owing
        with suppress(KeyboardInterrupt):
            return self.rest(_ANSWER_S if owing else _GRACE_S)
        return False

    def rest(self, timeout_s: float | None = None) -> bool:
        """Wait for the worker after ``run``; True when it has come to rest."""
        self._worker.join(timeout=timeout_s)
        return not self._worker.is_alive()

    def _lines(self) -> Iterator[str]:
        with suppress(OSError, ValueError):
            for raw in iter(self._source.readline, b""):
                line = decode(raw).rstrip("\r\n")
                self._journal.note(">", line)
                yield line

    def _obey(self, command: Command) -> bool:
        """Do what the session decides; False when it is time to leave."""
        with self._session_lock:
            actions = self._session.receive(command)
        for action in actions:
            match action:
                case Write(reply):
                    self._emit(reply)
                case Queue(task):
                    self._tasks.put(task)
                case Leave():
                    return False
        return True

    def _emit(self, reply: Reply) -> None:
        """Print a reply as whole lines. A client that is gone is noticed by the reader, so the error is dropped here."""
        text = render(reply)
        with self._sink_lock, suppress(OSError, ValueError):
            for line in text.split("\n"):
                self._journal.note("<", line)
            self._sink.write(text.encode("utf-8", errors="replace") + b"\n")
            self._sink.flush()

    def _ended(self, search: Search) -> None:
        with self._session_lock:
            self._session.ended(search)

    def _work(self) -> None:
        """The worker: takes one task after another, the heavy imports before the first."""
        first = self._tasks.get()
        try:
            from engine.uci.player import UciPlayer, open_net

            opener = self._opener or open_net
            player = UciPlayer(
                self._emit, self._ended, opener=opener, model=self._model, elo_range=self._elo_range, log_to=self._journal.open
            )
            perform = player.perform
        except Exception as error:
            self._fault = f"the engine is not installed completely, it cannot play: {error}"
            perform = self._perform_without_player
        while not isinstance(first, Quit):
            perform(first)
            if isinstance(first, IsReady):
                with self._session_lock:
                    self._session.readied()
            first = self._tasks.get()

    def _perform_without_player(self, task: Command | Search) -> None:
        """Nothing can be played, but no client is left waiting."""
        if isinstance(task, IsReady):
            self._emit(Say(self._fault))
            self._emit(ReadyOk())
        elif isinstance(task, Search):
            self._emit(Say(self._fault))
            task.wait_for_leave()
            self._ended(task)
            self._emit(BestMove(None))
