"""Several processes of one run on this machine: starts them, passes a stop on, and ends all of them when one fails.

Knows processes, signals and the environment in which ``torch.distributed`` finds its peers. Does not know what they train.
Runs over several machines are started by ``torchrun``, which sets the same environment. On one machine
ours does what that does not: stop signals are held back until every process listens, and the exit status is that of the
process that failed first.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence

from training.run.stopping import StopSignal, held_back, stop_without

LOST = 3
"""Exit status of a process that ends only because it has lost the others: one of them can say why, or is dead."""
_LOOK_EVERY_S = 0.1
_GRACE_S = 20.0
"""How long processes may run on when another has failed: they may wait for it in vain."""
_PARENT, _TURN = "TRANSCENDENCE_LAUNCHER", "TRANSCENDENCE_TURN"


def launch(command: Sequence[str], *, processes: int, environment: Mapping[str, str], stop: StopSignal | None = None) -> int:
    """Run ``command`` in that many processes and wait for all; returns the exit status of the one that failed, or 128 and the
    number of the signal that ended it; 0 where none did.

    A ``stop`` is passed on as SIGTERM. The processes begin with such signals held back: none is lost before they listen.
    """
    peers = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(processes)}
    children: list[subprocess.Popen[bytes]] = []
    with _one_turn() as turn:
        own = {_PARENT: str(os.getpid()), **({_TURN: str(turn)} if turn is not None else {})}
        try:
            with held_back():
                for rank in range(processes):
                    place = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                    variables = os.environ | environment | peers | own | place
                    children.append(subprocess.Popen(command, env=variables, pass_fds=() if turn is None else (turn,)))
            noticed = _wait(children, stop or StopSignal())
        finally:
            _end(children)
    return _status(noticed, [child.returncode for child in children])


@contextlib.contextmanager
def _one_turn() -> Iterator[int | None]:
    """A pipe with one byte in it: whoever reads it is the one to speak. None where processes do not inherit pipes so."""
    if os.name != "posix":
        yield None
        return
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.write(writing, b"!")
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def speaks() -> bool:
    """Whether this process is to say why the run failed: of those that were launched together, the first that asks."""
    turn = os.environ.get(_TURN)
    if turn is None:
        return True
    try:
        return os.read(int(turn), 1) != b"" or os.environ.get("RANK") == "0"  # nothing comes from a launcher that is gone
    except BlockingIOError:
        return False


def is_launched() -> bool:
    """Whether a launcher watches this process, and says what it cannot say itself."""
    return _PARENT in os.environ


def end_with_launcher() -> None:
    """Ask this process to stop when the launcher that started it, if one did, is gone."""
    parent = os.environ.get(_PARENT)
    if parent is not None and os.name == "posix":
        stop_without(int(parent))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(children: Sequence[subprocess.Popen[bytes]], stop: StopSignal) -> list[int | None]:
    """How the processes stand when all have ended or one has failed."""
    passed_on = False
    while True:
        if stop.asked and not passed_on:
            passed_on = True
            for child in children:
                child.terminate()
        statuses = [child.poll() for child in children]
        if any(statuses) or None not in statuses:
            return statuses
        time.sleep(_LOOK_EVERY_S)


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Tell those that still run to stop, and kill those that do not."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + _GRACE_S
    for child in children:
        try:
            child.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _status(noticed: Sequence[int | None], ended: Sequence[int]) -> int:
    """Of the process that failed and not of those that it took with it."""
    own = [status for status in ended if status > 0 and status != LOST]
    signals = [128 - status for status in noticed if status is not None and status < 0]  # later ones may be our own
    return next(iter([*own, *signals, *(status for status in ended if status > 0)]), 0)
