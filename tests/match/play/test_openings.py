"""Books from every format; empty and broken ones are refused with the line."""

from __future__ import annotations

from pathlib import Path

import chess
import pytest

from engine.errors import MatchError
from match.play.openings import BOOK, choose_openings, load_openings, random_openings
from match.studies import sanity

EPD = """# comment
rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - bm e5; id "one";
rnbqkbnr/pppppppp/8/8/3P4/8/PPP1PPPP/RNBQKBNR b KQkq -

rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2
"""


def test_the_projects_book_is_varied_and_legal() -> None:
    book = load_openings(BOOK)
    ends = {opening.board().epd() for opening in book}
    assert len(book) >= 200
    assert len(ends) == len(book)
    assert all(opening.board().is_valid() and any(opening.board().legal_moves) for opening in book)


def test_formats(tmp_path: Path) -> None:
    (tmp_path / "a.epd").write_text(EPD)
    epd = load_openings(tmp_path / "a.epd")
    assert [o.board().fullmove_number for o in epd] == [1, 1, 2]
    assert [o.name for o in epd] == ["a 2", "a 3", "a 5"]
    (tmp_path / "a.pgn").write_text(
        '[White "x"]\n\n1. e4 e5 *\n\n[FEN "7k/8/8/8/8/8/8/K6R w - - 0 1"]\n[SetUp "1"]\n\n1. Rh2 *\n'
    )
    pgn = load_openings(tmp_path / "a.pgn")
    assert pgn[0].moves == ("e2e4", "e7e5")
    assert pgn[1].board().fen().startswith("7k")
    (tmp_path / "a.txt").write_text("# head\ne2e4 e7e5 # open\n\nd2d4\n")
    assert [o.moves for o in load_openings(tmp_path / "a.txt")] == [("e2e4", "e7e5"), ("d2d4",)]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "", "found none; give a PGN, an EPD or lines of UCI moves"),
        ("a.txt", "# nothing\n", "found none"),
        ("a.pgn", "", "found none"),
        ("a.txt", "e2e4\ne2e5\n", "line 2: expected legal UCI moves"),
        ("a.txt", "1. e4 e5\n", "line 1: expected legal UCI moves"),
        ("a.epd", "what is this\n", "line 1: expected EPD or FEN"),
        ("a.epd", "8/8/8/8/8/8/8/8 w - -\n", "line 1: expected a position that a game can reach"),
        ("a.pgn", '[White "x"]\n\n1. e5 *\n', "game 1: expected legal moves"),
    ],
)
def test_bad_books_are_refused(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(MatchError, match=told):
        load_openings(tmp_path / name)


def test_a_missing_book_is_named(tmp_path: Path) -> None:
    with pytest.raises(MatchError, match="expected an opening book at"):
        load_openings(tmp_path / "none.pgn")


def test_random_openings_are_different_reproducible_and_grow() -> None:
    some = random_openings(4, count=50, seed=1)
    assert random_openings(4, count=80, seed=1)[:50] == some
    assert random_openings(4, count=50, seed=2) != some
    assert len({o.moves for o in some}) == 50
    assert {len(o.moves) for o in some} == {4}
    assert len(random_openings(1, count=50, seed=1)) == 20  # there are no more first moves


def test_choices(tmp_path: Path) -> None:
    assert choose_openings("start", pairs=3, seed=1)[0].board() == chess.Board()
    assert len(choose_openings("random:6", pairs=7, seed=1)) == 7
    for text in ("random:0", "random:x", "random:21"):
        with pytest.raises(MatchError, match="random:PLIES with 1 to 20"):
            choose_openings(text, pairs=1, seed=1)


def test_endgames_have_the_men_that_were_asked_for() -> None:
    some = choose_openings("endgame:KRPvKR", pairs=30, seed=1)
    assert len({opening.fen for opening in some}) == 30
    for opening in some:
        board = opening.board()
        assert board.is_valid()
        men = sorted(
            ["".join(sorted(p.symbol().upper() for p in board.piece_map().values() if p.color is c)) for c in chess.COLORS]
        )
        assert men == ["KPR", "KR"]
    assert choose_openings("endgame:KRPvKR", pairs=10, seed=1) == some[:10]
    assert choose_openings("endgame:KRPvKR", pairs=10, seed=2) != some[:10]


def test_endgames_for_teaching_are_not_those_of_the_sanity_table() -> None:
    asked = {board.fen() for board in sanity.endgames("K+R v K", count=200, seed=1)}
    taught = {opening.fen for opening in choose_openings("endgame:KRvK", pairs=200, seed=1)}
    assert len(asked & taught) < 5


@pytest.mark.parametrize("men", ["", "KQ", "KQvKk", "QvK", "KXvK", "KvK", "KBvK"])
def test_what_is_no_endgame_to_win_is_refused(men: str) -> None:
    with pytest.raises(MatchError, match=r"expected .*endgame"):
        choose_openings(f"endgame:{men}", pairs=1, seed=1)
