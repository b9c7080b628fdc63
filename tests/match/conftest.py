"""What tests of matches share: fake engines, Stockfish where it is, openings, a way to run the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from match.play.openings import Opening
from match.players.client import find_stockfish
from match.players.engine import EngineSpec, engine_spec

FAKE = Path(__file__).with_name("players") / "fake_engine.py"
START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"

needs_stockfish = pytest.mark.skipif(find_stockfish() is None, reason="Stockfish is not installed")


def fake(kind: str, *, name: str = "", start_s: float = 10.0, move_s: float = 10.0) -> EngineSpec:
    """A fake engine as a player."""
    return engine_spec(
        name or kind, [sys.executable, str(FAKE), kind], "depth=1", start_timeout_s=start_s, move_timeout_s=move_s
    )


@pytest.fixture
def book() -> list[Opening]:
    """Four short openings."""
    lines = ["e2e4 e7e5", "d2d4 d7d5", "c2c4 g8f6", "g1f3 d7d5"]
    return [Opening(f"line {i}", START, tuple(line.split())) for i, line in enumerate(lines, 1)]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[[Sequence[object]], tuple[int, str, str]]:
    """Runs ``match`` in this process: status, standard output, standard error."""
    from match.__main__ import main

    def run(words: Sequence[object]) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
