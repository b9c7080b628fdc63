"""Several processes of one run on this machine: starts them, passes a stop on, and ends all of them when one fails.

Knows processes, signals and the environment in which ``torch.distributed`` finds its peers. Does not know what they train.
Runs over several machines are started by ``torchrun``, which sets the same environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

_LOOK_EVERY_S = 0.1
_GRACE_S = 20.0
"""How long processes may go on when another has failed: they may wait for it in vain."""


def launch(command: Sequence[str], *, processes: int, environment: Mapping[str, str]) -> int:
    """Run ``command`` in that many processes and wait for all; returns the first failure's exit status, 0 without one.

    SIGTERM is passed on. An interrupt from the terminal reaches all of them by itself: they save and end, and so does this.
    """
    peers = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(processes)}
    children: list[subprocess.Popen[bytes]] = []
    with _passing_on(children):
        try:
            for rank in range(processes):
                place = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                children.append(subprocess.Popen(command, env=os.environ | environment | peers | place))
            return _wait(children)
        finally:
            _end(children)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _passing_on(children: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    def terminate(number: int, frame: FrameType | None) -> None:
        for child in children:
            child.terminate()

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, terminate), signal.SIGINT: signal.signal(signal.SIGINT, _leave_it)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _leave_it(number: int, frame: FrameType | None) -> None:
    """A handler and not SIG_IGN, which the children would inherit."""


def _wait(children: Sequence[subprocess.Popen[bytes]]) -> int:
    while True:
        statuses = [child.poll() for child in children]
        failed = next((status for status in statuses if status), 0)
        if failed:
            return failed if failed > 0 else 128 - failed  # as a shell tells of a signal
        if None not in statuses:
            return 0
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
