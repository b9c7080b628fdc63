"""Stated weaknesses strike where they should, as often as they should, and only then."""

from __future__ import annotations

import random

import chess
import pytest

from engine.errors import MatchError
from match.players.client import EngineLine
from match.players.interface import Forfeit
from match.players.weakness import Weakness, concerns, move_of, phase, weak_move

MIDDLE = "r1bq1rk1/pp2bppp/2n1pn2/3p4/3P4/2NBPN2/PP3PPP/R1BQ1RK1 w - - 0 12"
ENDGAME = "8/5pk1/6p1/8/8/2R3P1/5PK1/3r4 w - - 0 40"


class Base:
    """A base player that always prefers the same moves and counts how often it is asked."""

    def __init__(self, *moves: str) -> None:
        self.lines = [EngineLine(move, -100 * i) for i, move in enumerate(moves)]
        self.asked: list[int] = []

    def __call__(self, count: int) -> list[EngineLine]:
        self.asked.append(count)
        return self.lines[:count]


def test_phases() -> None:
    assert phase(chess.Board()) == "opening"
    assert phase(chess.Board(MIDDLE)) == "middlegame"
    assert phase(chess.Board(ENDGAME)) == "endgame"


def test_random_errors_come_as_often_as_stated() -> None:
    board, draws, base = chess.Board(), random.Random(1), Base("e2e4")
    moves = [weak_move([Weakness("random", 0.2)], board, draws, base) for _ in range(3000)]
    erred = sum(move.uci() != "e2e4" for move in moves) / 3000
    assert erred == pytest.approx(0.2 * 19 / 20, abs=0.02)
    assert len(base.asked) == pytest.approx(2400, abs=70)  # where it errs, the base need not think
    assert len({move.uci() for move in moves}) == 20


def test_a_phase_restricts_the_weakness() -> None:
    weak = [Weakness("random", 1.0, phases=("endgame",))]
    assert weak_move(weak, chess.Board(), random.Random(1), Base("e2e4")).uci() == "e2e4"
    board = chess.Board(ENDGAME)
    assert len({weak_move(weak, board, random.Random(i), Base("c3c7")).uci() for i in range(60)}) > 10


def test_a_piece_restricts_the_weakness_to_moves_that_concern_it() -> None:
    weak = [Weakness("habit", 1.0, pieces=("knight",))]
    assert weak_move(weak, chess.Board(), random.Random(1), Base("e2e4")).uci() == "e2e4"
    assert weak_move(weak, chess.Board(), random.Random(1), Base("g1f3")).uci() == "a2a4"
    board = chess.Board("4k3/8/8/3n4/4P3/8/8/4K3 w - - 0 1")
    assert concerns(board, chess.Move.from_uci("e4d5"), ("knight",))
    assert not concerns(board, chess.Move.from_uci("e4e5"), ("knight",))
    passant = chess.Board("4k3/8/8/3pP3/8/8/8/4K3 w - d6 0 1")
    assert concerns(passant, chess.Move.from_uci("e5d6"), ("pawn",))


def test_softmax_follows_the_scores() -> None:
    base, draws = Base("e2e4", "d2d4", "c2c4"), random.Random(1)
    weak = [Weakness("softmax", temperature_cp=100, lines=2)]
    moves = [weak_move(weak, chess.Board(), draws, base).uci() for _ in range(3000)]
    assert moves.count("e2e4") / 3000 == pytest.approx(0.731, abs=0.025)  # 1 / (1 + exp(-1))
    assert "c2c4" not in moves
    assert set(base.asked) == {2}


def test_worst_takes_the_last_line_and_habit_the_leftmost_pawn_of_either_side() -> None:
    board, draws = chess.Board(), random.Random(1)
    assert weak_move([Weakness("worst", lines=3)], board, draws, Base("e2e4", "d2d4", "c2c4")).uci() == "c2c4"
    assert weak_move([Weakness("habit")], board, draws, Base("e2e4")).uci() == "a2a4"
    board.push_uci("e2e4")
    assert weak_move([Weakness("habit")], board, draws, Base("e7e5")).uci() == "a7a5"


def test_the_first_weakness_that_strikes_decides() -> None:
    weak = [Weakness("habit", phases=("endgame",)), Weakness("worst", lines=2)]
    assert weak_move(weak, chess.Board(), random.Random(1), Base("e2e4", "d2d4")).uci() == "d2d4"


def test_engines_words_become_moves_or_forfeits() -> None:
    assert move_of("e7e8q").promotion == chess.QUEEN
    for text, told in (("", "gave no move"), ("(none)", "gave no move"), ("0-0", "gave '0-0' for a move")):
        with pytest.raises(Forfeit, match=told.replace("(", r"\(")):
            move_of(text)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"error": "sloppy"}, "error to be of random, softmax, worst, habit, got 'sloppy'"),
        ({"error": "random", "probability": 1.5}, "probability from 0 to 1, got 1.5"),
        ({"error": "random", "phases": ("end",)}, "phases to be of opening, middlegame, endgame, got 'end'"),
        ({"error": "random", "pieces": ("horse",)}, "pieces to be of pawn, knight"),
        ({"error": "softmax", "temperature_cp": 0.0}, "temperature_cp > 0"),
    ],
)
def test_bad_weaknesses_are_refused(fields: dict[str, object], told: str) -> None:
    with pytest.raises(MatchError, match=told):
        Weakness(**fields)  # type: ignore[arg-type]
