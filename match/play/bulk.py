"""Whole games in worker processes: for players that are values, so that tens of thousands of games take no batching.

A worker gets games over a pipe and sends each back as it ends; it ends itself when the pipe closes, so that nothing
outlives a match that was killed. A game depends on its number, the seeds and the players alone, whichever worker plays
it. Knows workers; does not know the results file.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from engine.errors import MatchError, TranscendenceError
from match.play.game import LiveGame, Played, Rules
from match.play.schedule import Fixture
from match.players.client import Engines
from match.players.interface import Forfeit, Spec

_CHUNK = 4  # games that a worker has in hand besides those it is sent next


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    in_hand: int = 0


def play_game(fixture: Fixture, specs: Mapping[str, Spec], engines: Engines, rules: Rules) -> Played:
    """One game from its opening to its end."""
    engines.new_game()
    game = LiveGame(fixture, rules)
    while not game.ending:
        try:
            game.play(specs[game.player].answer(game.turn, engines))
        except Forfeit as forfeit:
            game.play(forfeit)
    return game.finished(time.strftime("%Y.%m.%d"))


def play_bulk(schedule: Sequence[Fixture], specs: Mapping[str, Spec], *, workers: int, rules: Rules) -> Iterator[Played]:
    """The games as they end, in no order. Raises MatchError when an engine cannot be used or a worker dies."""
    waiting = list(schedule[::-1])
    crew = [_start(specs, rules) for _ in range(min(workers, len(waiting)))]
    try:
        for worker in crew:
            _hand_out(worker, waiting)
        while any(worker.in_hand for worker in crew):
            for pipe in wait([worker.pipe for worker in crew if worker.in_hand]):
                worker = next(w for w in crew if w.pipe is pipe)
                answer = _receive(worker)
                worker.in_hand -= 1
                yield answer  # first: it is kept whatever becomes of the worker
                _hand_out(worker, waiting)
    finally:
        for worker in crew:
            worker.pipe.close()
        for worker in crew:
            worker.process.join(5)
            if worker.process.is_alive():
                worker.process.terminate()
                worker.process.join(10)


def _start(specs: Mapping[str, Spec], rules: Rules) -> _Worker:
    context = multiprocessing.get_context("spawn")  # forking a process with threads is a lottery
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, dict(specs), rules), daemon=True)
    process.start()
    theirs.close()  # so that the pipe ends when the worker does
    return _Worker(process, ours)


def _hand_out(worker: _Worker, waiting: list[Fixture]) -> None:
    while waiting and worker.in_hand < 2 * _CHUNK:
        worker.in_hand += 1
        try:
            worker.pipe.send(waiting.pop())
        except OSError:  # it is dead: what it sent before is received first, and then its end
            return


def _receive(worker: _Worker) -> Played:
    try:
        answer = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join(5)
        raise MatchError(
            f"a worker process ended with status {worker.process.exitcode} (out of memory? take fewer with --workers); the "
            f"games so far are kept, the same command resumes"
        ) from None
    if isinstance(answer, TranscendenceError):
        raise answer
    if not isinstance(answer, Played):
        raise TypeError(f"a worker sent {type(answer)}")
    return answer


def _work(pipe: Connection, specs: Mapping[str, Spec], rules: Rules) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent closes the pipe in order
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the engines are ended below, also one that hangs
    engines = Engines()
    try:
        while True:
            pipe.send(play_game(pipe.recv(), specs, engines, rules))
    except TranscendenceError as error:
        pipe.send(error)
    except (EOFError, OSError):
        pass
    finally:
        engines.close()
