"""What a person sees while games are read."""

from __future__ import annotations

import io
import sys

import pytest

from training.data.rate import Rate


class Terminal(io.StringIO):
    """Takes text and says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("total", [1000, 0])
def test_share_speed_and_time_left(total: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Rate(total_bytes=total) as rate:
        rate._bar.mininterval = 0
        for done in (250, 500):
            rate.bytes_done = done
            rate.add(1000)
        text = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert "2,000 games" in text
    assert "games/s" in text
    assert (" 50.0%" in text) == (" left" in text) == bool(total)
