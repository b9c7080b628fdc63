"""A stop that was asked for: signals become a wish that is looked at between two steps, however many of them come.

Knows signals, and a parent that is gone. Does not know what is saved, or which processes there are.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

_LOOK_EVERY_S = 1.0
_PATIENCE_S = 120.0
"""How long a process may take to save after its parent is gone, before it ends in any case."""


class StopSignal:
    """Whether this process was asked to save and leave, by SIGTERM, SIGINT or the end of its terminal.

    A second signal is the same wish: launchers, terminals and schedulers all pass theirs on, and what interrupts a save
    would lose it. Who cannot wait has SIGKILL.
    """

    def __init__(self) -> None:
        self.asked = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    @contextlib.contextmanager
    def listening(self, *, to_the_end: bool = False) -> Iterator[None]:
        """Signals ask, instead of ending the process. With ``to_the_end`` they are ignored afterwards: a process that is on
        its way out has saved, and is to leave with its own status."""
        before = {kind: signal.signal(kind, self._ask) for kind in kinds() if signal.getsignal(kind) != _nohup(kind)}
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, signal.SIG_IGN if to_the_end else handler)


def kinds() -> list[signal.Signals]:
    """The signals by which a run is stopped here."""
    return [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


def _nohup(kind: signal.Signals) -> signal.Handlers | None:
    """The handler under which a signal is not for us: nohup has the end of the terminal ignored."""
    return signal.SIG_IGN if kind.name == "SIGHUP" else None


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Signals wait, here and in the processes that are started meanwhile, until each of them listens."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, kinds())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop_without(parent: int) -> None:
    """Ask this process to stop once ``parent`` is no longer its parent; one that cannot stop is ended."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PATIENCE_S)
    os._exit(1)
