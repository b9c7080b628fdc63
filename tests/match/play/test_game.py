"""How games end, what players are told, and what is kept."""

from __future__ import annotations

import chess
import pytest

from match.play.game import LiveGame, Rules
from match.play.openings import Opening
from match.play.schedule import Fixture
from match.players.interface import Forfeit
from tests.match.conftest import START


def game(fen: str = START, moves: str = "", rules: Rules | None = None) -> LiveGame:
    return LiveGame(Fixture(7, "A", "B", Opening("x", fen, tuple(moves.split()))), rules or Rules())


@pytest.mark.parametrize(
    ("fen", "moves", "result", "reason"),
    [
        (START, "f2f3 e7e5 g2g4 d8h4", "0-1", "checkmate"),
        ("7k/5Q2/8/8/8/8/8/K7 b - - 0 1", "", "1/2-1/2", "stalemate"),
        ("7k/8/8/8/8/8/8/KN6 b - - 0 1", "", "1/2-1/2", "material"),
        (START, "g1f3 g8f6 f3g1 f6g8 g1f3 g8f6 f3g1 f6g8", "1/2-1/2", "repetition"),
        ("7k/8/8/8/8/8/8/KR6 w - - 99 80", "b1b2", "1/2-1/2", "fifty moves"),
        ("7k/8/8/8/8/8/1R6/K7 w - - 99 80", "b2h2", "1/2-1/2", "fifty moves"),
        ("6rk/6pp/7N/8/8/8/8/K7 w - - 99 80", "h6f7", "1-0", "checkmate"),
    ],
)
def test_endings(fen: str, moves: str, result: str, reason: str) -> None:
    assert game(fen, moves).ending == (result, reason)


def test_a_repetition_needs_the_same_castling_rights() -> None:
    moves = "e2e4 e7e5 e1e2 e8e7 e2e1 e7e8 e1e2 e8e7 e2e1 e7e8"
    assert game(START, moves).ending is None
    assert game(START, moves + " e1e2 e8e7").ending == ("1/2-1/2", "repetition")


def test_a_game_that_is_too_long_is_a_draw() -> None:
    g = game(rules=Rules(most_plies=4))
    for text in ("e2e4", "e7e5", "g1f3"):
        g.play(chess.Move.from_uci(text))
    assert g.ending is None
    g.play(chess.Move.from_uci("b8c6"))
    assert g.ending == ("1/2-1/2", "length")


def test_adjudication_needs_the_lead_for_ten_plies() -> None:
    fen = "k6r/8/8/8/8/8/8/KQ6 w - - 0 1"
    g = game(fen, rules=Rules(adjudicate_material=4))
    shuffle = ["b1c1", "h8g8", "c1b1", "g8h8", "b1c1", "h8g8", "c1d1", "g8f8", "d1c1", "f8e8"]
    for text in shuffle[:9]:
        g.play(chess.Move.from_uci(text))
        assert g.ending is None
    g.play(chess.Move.from_uci(shuffle[9]))
    assert g.ending == ("1-0", "adjudicated: material")
    assert game(fen).ending is None


def test_an_illegal_move_and_a_fault_lose() -> None:
    g = game()
    g.play(chess.Move.from_uci("e2e5"))
    assert g.ending == ("0-1", "forfeit by A: illegal move e2e5")
    g = game(moves="e2e4")
    g.play(Forfeit("hung"))
    assert g.finished().result == "1-0"
    assert g.finished().reason == "forfeit by B: hung"


def test_positions_for_engines_lead_to_the_same_board() -> None:
    g = game(moves="e2e4 e7e5 g1f3 b8c6 f1c4 g8f6")
    for text in (g.turn.whole, g.turn.short):
        words = text.split()
        at = words.index("moves")
        board = chess.Board() if words[1] == "startpos" else chess.Board(" ".join(words[2:at]))
        for move in words[at + 1 :]:
            board.push_uci(move)
        assert board.fen() == g.board.fen()
    assert len(g.turn.short.split("moves ")[1].split()) == 4  # since the last pawn move


def test_what_is_kept() -> None:
    played = game(START, "f2f3 e7e5 g2g4 d8h4").finished("2026.01.02")
    assert (played.number, played.white, played.result, played.plies, played.date) == (7, "A", "0-1", 4, "2026.01.02")
    assert played.score().points == 0
    with pytest.raises(ValueError, match="not over"):
        game().finished()
