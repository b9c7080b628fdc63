"""One line that tells how reading goes: share done, games a second, time left; silent when stderr is no terminal."""

from __future__ import annotations

import time
from types import TracebackType

from tqdm import tqdm


class Rate:
    """A progress bar over bytes, with games beside it."""

    def __init__(self, *, total_bytes: int) -> None:
        shape = "{percentage:5.1f}% |{bar:20}| {postfix}, {remaining} left" if total_bytes else "{postfix}"
        self._bar: tqdm[None] = tqdm(total=total_bytes or None, disable=None, leave=False, bar_format=shape)
        self._begin = time.monotonic()
        self._games = 0
        self.bytes_done = 0

    def __enter__(self) -> Rate:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.close()

    def add(self, games: int) -> None:
        """Count games that are done, and renew the line."""
        self._games += games
        speed = self._games / max(time.monotonic() - self._begin, 1e-3)
        self._bar.set_postfix_str(f"{self._games:,} games, {speed:,.0f} games/s", refresh=False)
        self._bar.update(self.bytes_done - self._bar.n)
