"""python-chess's engine client, which many bots and tools are built on, drives whole games against the process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import chess
import chess.engine
import pytest

from tests.engine.uci.driver import surroundings

ENGINE = [sys.executable, "-m", "engine"]


@pytest.fixture
def engine(random_net: Path, tmp_path: Path) -> Iterator[chess.engine.SimpleEngine]:
    environment = surroundings(TRANSCENDENCE_MODEL=str(random_net))
    with chess.engine.SimpleEngine.popen_uci(ENGINE, cwd=tmp_path, env=environment, timeout=60) as engine:
        yield engine


def played(engine: chess.engine.SimpleEngine, board: chess.Board, limit: chess.engine.Limit) -> chess.Move:
    """The move that the engine plays; there must be one."""
    move = engine.play(board, limit).move
    assert move
    return move


def test_a_whole_game_with_a_clock(engine: chess.engine.SimpleEngine) -> None:
    """Temperature 1 and a seed: a long game of a random net against itself, each move legal by python-chess's own check."""
    engine.configure({"Temperature": "1.0", "Seed": 5, "Move Overhead": 10, "UCI_ShowWDL": True})
    board, game = chess.Board(), object()
    while not board.is_game_over() and board.ply() < 300:
        limit = chess.engine.Limit(white_clock=10, black_clock=10, white_inc=0.1, black_inc=0.1)
        result = engine.play(board, limit, game=game, info=chess.engine.INFO_ALL)
        assert result.move
        assert result.move in board.legal_moves
        assert result.info["pv"][0] == result.move
        assert sum(result.info["wdl"].white()) == 1000
        board.push(result.move)
    assert board.ply() > 50


def test_the_same_seed_gives_the_same_game_after_a_restart(random_net: Path, tmp_path: Path) -> None:
    assert _opening(random_net, tmp_path, seed=7) == _opening(random_net, tmp_path, seed=7)
    assert _opening(random_net, tmp_path, seed=7) != _opening(random_net, tmp_path, seed=8)


def _opening(net: Path, folder: Path, *, seed: int) -> list[str]:
    environment = surroundings(TRANSCENDENCE_MODEL=str(net))
    with chess.engine.SimpleEngine.popen_uci(ENGINE, cwd=folder, env=environment, timeout=60) as engine:
        engine.configure({"Temperature": "1.0", "Seed": seed, "TakeMate": False})  # one would end the game
        board = chess.Board()
        for _ in range(16):
            board.push(played(engine, board, chess.engine.Limit(nodes=1)))
        return [move.uci() for move in board.move_stack]


def test_a_ping_finds_nothing_unexpected(engine: chess.engine.SimpleEngine, caplog: pytest.LogCaptureFixture) -> None:
    """lichess-bot shows every warning of python-chess to its user."""
    engine.ping()
    played(engine, chess.Board(), chess.engine.Limit(depth=1))
    engine.ping()
    assert [record.message for record in caplog.records] == []


def test_analysis_shows_as_many_lines_as_asked(engine: chess.engine.SimpleEngine) -> None:
    board = chess.Board()
    infos = engine.analyse(board, chess.engine.Limit(depth=1), multipv=5)
    assert [info["multipv"] for info in infos] == [1, 2, 3, 4, 5]
    assert len({info["pv"][0] for info in infos}) == 5
    with engine.analysis(board) as analysis:
        assert any("pv" in analysis.get() for _ in range(2))
    assert played(engine, board, chess.engine.Limit(time=0.05)) in board.legal_moves


def test_pondering(engine: chess.engine.SimpleEngine) -> None:
    board = chess.Board()
    first = engine.play(board, chess.engine.Limit(white_clock=9, black_clock=9), ponder=True)
    assert first.move
    assert first.ponder
    board.push(first.move)
    board.push(first.ponder)
    second = engine.play(board, chess.engine.Limit(white_clock=9, black_clock=9), ponder=True)
    assert second.move
    assert second.move in board.legal_moves


def test_chess960(engine: chess.engine.SimpleEngine) -> None:
    board = chess.Board.from_chess960_pos(0)
    for _ in range(20):
        move = played(engine, board, chess.engine.Limit(depth=1))
        assert move in board.legal_moves
        board.push(move)


def test_forced_castling_is_understood_in_standard_chess(engine: chess.engine.SimpleEngine) -> None:
    board = chess.Board("4k3/8/8/8/8/8/8/4K2R w K - 0 1")
    castling = board.parse_san("O-O")
    assert engine.play(board, chess.engine.Limit(depth=1), root_moves=[castling]).move == castling


def test_mate_on_the_board_is_no_move(engine: chess.engine.SimpleEngine) -> None:
    assert engine.play(chess.Board("7k/6Q1/6K1/8/8/8/8/8 b - - 0 1"), chess.engine.Limit(depth=1)).move is None
