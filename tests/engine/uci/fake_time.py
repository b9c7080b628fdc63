"""A clock that stands still unless it is moved: tests of time limits do not depend on the machine."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engine.uci.session import Time


class FakeTime(Time):
    """Waiting moves it, and so does whoever adds to ``seconds``."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_s(self) -> float:
        return self.seconds

    def wait(self, changed: threading.Condition, until: Callable[[], bool], *, seconds: float) -> None:
        if not until():
            self.seconds += seconds
