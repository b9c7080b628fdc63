"""Game after game in one process: no illegal move, nothing left over from game to game, no memory that grows."""

from __future__ import annotations

import sys
from pathlib import Path

import chess
import chess.engine
import pytest

from tests.engine.uci.driver import surroundings

GAMES = 300
PLIES = 40
PAGE_KB = 4


def resident_kb(process: int) -> int | None:
    """Memory that the process holds; None where the system does not tell."""
    statm = Path(f"/proc/{process}/statm")
    return int(statm.read_text(encoding="ascii").split()[1]) * PAGE_KB if statm.exists() else None


def play(engine: chess.engine.SimpleEngine, game: int) -> list[chess.Move]:
    """One game of the engine against itself; ``chess.engine`` raises for an illegal move."""
    board, clock = chess.Board(), chess.engine.Limit(white_clock=60, black_clock=60)
    while board.ply() < PLIES and not board.is_game_over():
        move = engine.play(board, clock, game=game).move
        assert move
        board.push(move)
    return board.move_stack


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_hundred_games_in_one_process(random_net: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engine", "--model", str(random_net)]
    with chess.engine.SimpleEngine.popen_uci(command, cwd=tmp_path, env=surroundings(), timeout=60) as engine:
        engine.configure({"Temperature": "1.0", "Hash": 1})
        pid = engine.transport.get_pid()
        assert pid
        held, seeded = [], []
        for game in range(GAMES):
            compared = game in (0, GAMES - 1)
            engine.configure({"Seed": 7 if compared else 0})
            moves = play(engine, game)
            if compared:
                seeded.append(moves)
            held.append(resident_kb(pid))
        assert seeded[0] == seeded[1], "the last game differs from the first"
        begun, ended = held[GAMES // 3], held[-1]
        if begun is None or ended is None:
            pytest.skip("this system does not tell how much memory a process holds")
        assert ended - begun < 4096, f"memory grew: {held[:: GAMES // 10]} kB"
