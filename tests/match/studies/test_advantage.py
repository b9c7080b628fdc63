"""Where low temperature gains, on states whose worth a fake judge decides."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import chess
import numpy as np
import pytest

from engine.errors import MatchError
from engine.inference.evaluation import Evaluation
from match.play.game import Played
from match.players.client import EngineLine, _line
from match.studies.advantage import (
    TEMPERATURES,
    Advantage,
    advantage_table,
    as_json,
    draw_states,
    figure,
    from_json,
    judge_states,
    measure,
    rewards_of,
    share_of_few,
)
from tests.match.conftest import START, needs_stockfish

Command = Callable[[Sequence[object]], tuple[int, str, str]]


def judge(board: chess.Board, count: int) -> list[EngineLine]:
    """Captures are won, anything else is lost; best first."""
    moves = sorted(board.legal_moves, key=lambda move: (not board.is_capture(move), move.uci()))[:count]
    return [EngineLine(m.uci(), 0, (1000, 0, 0) if board.is_capture(m) else (0, 200, 800)) for m in moves]


def believing(board: chess.Board, move: str, *, share: float) -> Evaluation:
    """A net that gives ``move`` this probability at temperature 1, and the rest to all others alike."""
    moves = tuple(board.legal_moves)
    p = np.full(len(moves), (1 - share) / (len(moves) - 1))
    p[moves.index(chess.Move.from_uci(move))] = share
    return Evaluation(moves, np.log(p), (0.3, 0.4, 0.3))


def after(*moves: str) -> chess.Board:
    board = chess.Board()
    for move in moves:
        board.push_uci(move)
    return board


def played(number: int, moves: str, opening_plies: int = 2) -> Played:
    return Played(number, "a", "b", "o", "p", "1-0", "checkmate", START, moves, opening_plies)


def test_states_are_one_a_game_behind_the_opening_and_the_same_for_a_seed() -> None:
    games = [played(i, "e2e4 e7e5 g1f3 b8c6 f1b5") for i in range(30)] + [played(99, "e2e4 e7e5")]
    states = draw_states(games, count=20, seed=3)
    assert len(states) == 20
    assert {len(board.move_stack) for board in states} == {2, 3, 4}
    assert [b.fen() for b in states] == [b.fen() for b in draw_states(games, count=20, seed=3)]
    assert len(draw_states(games, count=500, seed=3)) == 30
    with pytest.raises(MatchError, match="moves of the players' own"):
        draw_states([played(0, "e2e4 e7e5")], count=5, seed=1)


def test_rewards_are_expected_points_in_the_judges_order() -> None:
    found = rewards_of(after("e2e4", "d7d5"), judge)
    assert next(iter(found)) == chess.Move.from_uci("e4d5")
    assert found[chess.Move.from_uci("e4d5")] == 1.0
    assert found[chess.Move.from_uci("a2a3")] == pytest.approx(0.1)
    with pytest.raises(MatchError, match="expected 31 lines"):
        rewards_of(after("e2e4", "d7d5"), lambda board, count: judge(board, count - 1))
    with pytest.raises(MatchError, match="UCI_ShowWDL"):
        rewards_of(chess.Board(), lambda board, count: [EngineLine(m.uci(), 0) for m in board.legal_moves])


def test_low_temperature_gains_where_the_net_is_nearly_right_and_only_there() -> None:
    one, quiet = after("e2e4", "d7d5"), chess.Board()
    states = [one, quiet, quiet]
    evaluations = [believing(one, "e4d5", share=0.5), *(believing(quiet, "a2a3", share=0.5) for _ in range(2))]
    found = measure(evaluations, judge_states(states, [judge, judge]), TEMPERATURES)
    assert found.rewards[0] == pytest.approx([1.0, found.rewards[0, 1], 0.55])
    assert 0.55 < found.rewards[0, 1] < 1.0
    assert found.rewards[1] == pytest.approx([0.1] * 3)
    assert found.gains[:, 0] == pytest.approx([0.45, 0, 0])
    assert found.tops[0] == pytest.approx([1, 1, 1])
    assert found.tops[2, 0] == pytest.approx(0.5)


def test_a_wrong_majority_loses() -> None:
    board = after("e2e4", "d7d5")
    found = measure([believing(board, "a2a3", share=0.6)], judge_states([board], [judge]), TEMPERATURES)
    assert found.gains[0, 0] < 0
    assert math.isnan(share_of_few(found.gains[:, 0]))


def test_few_states_carry_the_gain() -> None:
    assert share_of_few(np.array([0.9, *[0.0] * 8, 0.1])) == pytest.approx(0.9)
    assert share_of_few(np.full(100, 0.02)) == pytest.approx(0.1)
    assert share_of_few(np.array([0.5, *[0.0] * 8, -0.25])) == pytest.approx(2)


def test_numbers_survive_their_file_and_are_drawn() -> None:
    rewards = np.random.default_rng(1).random((50, 3))
    found = Advantage(TEMPERATURES, rewards, np.full((3, 3), 0.5))
    again = from_json(json.loads(json.dumps(as_json(found, net="x"))))
    assert again.rewards == pytest.approx(rewards, abs=1e-5)
    assert again.temperatures == TEMPERATURES
    assert figure(again).startswith(b"\x89PNG")
    lines = advantage_table(found).splitlines()
    assert lines[0].startswith("50 states")
    assert f"{(rewards[:, 0] - rewards[:, 2]).mean():+.2%} +- " in lines[2]


def test_wdl_is_read_from_an_engines_line() -> None:
    text = "info depth 3 multipv 2 score cp 25 wdl 80 890 30 nodes 99 pv e2e4 e7e5"
    assert _line(text.split()) == (2, EngineLine("e2e4", 25, (80, 890, 30)))


@needs_stockfish
def test_the_command(command: Command, random_net: Path, tmp_path: Path) -> None:
    match = tmp_path / "m"
    words = ["versus", "greedy", "random", "--games", 4, "--no-page", "--workers", 1, "--openings", "random:4"]
    assert command([*words, "--out", match])[0] == 0
    words = ["advantage", match, "--net", random_net, "--states", 3, "--limit", "depth=2", "--workers", 1]
    status, text, _ = command([*words, "--out", tmp_path / "a"])
    assert status == 0
    assert "3 states, one a game" in text
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"advantage.json", "advantage.txt", "advantage.png"}
    status, _, error = command(["advantage", tmp_path, "--out", tmp_path / "b"])
    assert (status, "expected the folder of a match" in error) == (2, True)
