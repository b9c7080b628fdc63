"""Endings from tables: which moves are kept. Most of these answer from a script; ``syzygy/`` holds real ones, KR v K."""

from __future__ import annotations

from pathlib import Path

import chess
import chess.syzygy
import pytest

from engine.errors import OptionError
from engine.uci.endings import Tables
from engine.uci.player import UciPlayer
from engine.uci.protocol import BestMove, Go, Info, Position, Reply, Say, SetOption
from engine.uci.session import Search
from tests.engine.uniform import open_uniform

FOLDER = Path(__file__).parent / "syzygy"


class Scripted:
    """Answers from a dictionary by FEN without counters: (wdl, dtz) for the side to move."""

    def __init__(self, answers: dict[str, tuple[int, int]], otherwise: tuple[int, int] | None = (0, 0)) -> None:
        self.answers, self.otherwise = answers, otherwise

    def _answer(self, board: chess.Board) -> tuple[int, int]:
        answer = self.answers.get(board.board_fen(), self.otherwise)
        if answer is None:
            raise chess.syzygy.MissingTableError("no such table")
        return answer

    def probe_wdl(self, board: chess.Board) -> int:
        return self._answer(board)[0]

    def probe_dtz(self, board: chess.Board) -> int:
        return self._answer(board)[1]


def after(board: chess.Board, move: str) -> str:
    copy = board.copy()
    copy.push_uci(move)
    return copy.board_fen()


def kept(tables: Tables, board: chess.Board) -> tuple[set[str], tuple[float, float, float]]:
    ending = tables.probe(board)
    assert ending
    return {move.uci() for move in ending.moves}, ending.wdl


BOARD = chess.Board("8/8/8/8/8/2k5/7R/K7 w - - 0 1")


def test_the_fastest_win_is_kept() -> None:
    answers = {after(BOARD, "h2h3"): (-2, -20), after(BOARD, "h2b2"): (-2, -12), after(BOARD, "h2g2"): (-1, -101)}
    assert kept(Tables(Scripted(answers), largest=5), BOARD) == ({"h2b2"}, (1.0, 0.0, 0.0))


def test_mate_comes_before_all() -> None:
    board = chess.Board("k7/8/1K6/8/8/8/8/7R w - - 0 1")
    assert kept(Tables(Scripted({}, (-2, -1)), largest=5), board) == ({"h1h8"}, (1.0, 0.0, 0.0))


def test_all_drawing_moves_are_kept_for_the_net_to_choose_from() -> None:
    answers = {after(BOARD, "h2h3"): (2, 9)}
    moves, wdl = kept(Tables(Scripted(answers), largest=5), BOARD)
    assert moves == {move.uci() for move in BOARD.legal_moves} - {"h2h3"}
    assert wdl == (0.0, 1.0, 0.0)


def test_the_longest_resistance_is_kept() -> None:
    answers = {after(BOARD, "h2h8"): (2, 30), after(BOARD, "h2g2"): (2, 60)}
    assert kept(Tables(Scripted(answers, (2, 4)), largest=5), BOARD) == ({"h2g2"}, (0.0, 0.0, 1.0))


def test_a_win_that_the_fifty_move_rule_spoils_is_a_draw() -> None:
    board = chess.Board("8/8/8/8/8/2k5/7R/K7 w - - 90 100")
    answers = {after(board, "h2h3"): (-2, -20)}
    assert kept(Tables(Scripted(answers), largest=5), board)[1] == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("fen", ["4k3/8/8/8/8/8/8/4K2R w K - 0 1", "4k3/ppp5/8/8/8/8/8/4K2R w - - 0 1"])
def test_positions_beyond_the_tables_are_the_nets(fen: str) -> None:
    assert Tables(Scripted({}), largest=5).probe(chess.Board(fen)) is None
    assert Tables(Scripted({}, None), largest=5).probe(BOARD) is None


def test_real_tables_mate_from_anywhere_with_a_player_that_knows_nothing() -> None:
    replies: list[Reply] = []
    player = UciPlayer(replies.append, lambda search: None, opener=open_uniform)
    player.perform(SetOption("SyzygyPath", str(FOLDER)))
    player.perform(SetOption("UCI_ShowWDL", "true"))
    board = chess.Board("8/8/8/8/8/2k5/7R/K7 w - - 0 1")
    while not board.is_game_over():
        player.perform(Position(board.fen()))
        player.perform(Search(Go(depth=1)))
        info, best = replies[-2:]
        assert isinstance(info, Info)
        assert isinstance(best, BestMove)
        assert info.wdl == ((1000, 0, 0) if board.turn else (0, 0, 1000))
        board.push_uci(best.move or "0000")
    assert board.result() == "1-0"
    assert board.ply() < 40


def test_each_line_of_an_analysis_is_exact() -> None:
    replies: list[Reply] = []
    player = UciPlayer(replies.append, lambda search: None, opener=open_uniform)
    for name, value in (("SyzygyPath", str(FOLDER)), ("UCI_ShowWDL", "true"), ("MultiPV", "99")):
        player.perform(SetOption(name, value))
    player.perform(Position("8/8/8/8/8/2k5/7R/K7 b - - 0 1"))
    player.perform(Search(Go(depth=1)))
    lines = [reply for reply in replies if isinstance(reply, Info)]
    assert lines
    assert {line.wdl for line in lines} == {(0, 0, 1000)}


@pytest.mark.parametrize("clock", [0, 10, 60])
def test_a_capture_or_pawn_move_that_keeps_the_win_is_never_put_off(clock: int) -> None:
    board = chess.Board(f"8/P7/1K6/8/8/8/8/5k2 w - - {clock} 80")
    answers = {after(board, "a7a8q"): (-2, -18), after(board, "a7a8r"): (-2, -30), after(board, "b6b7"): (-2, -1)}
    assert kept(Tables(Scripted(answers), largest=5), board) == ({"a7a8q", "a7a8r"}, (1.0, 0.0, 0.0))


def test_a_damaged_table_leaves_its_positions_to_the_net_and_is_reported_once(tmp_path: Path) -> None:
    for path in FOLDER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[: 100 if path.suffix == ".rtbw" else None])
    replies: list[Reply] = []
    player = UciPlayer(replies.append, lambda search: None, opener=open_uniform)
    player.perform(SetOption("SyzygyPath", str(tmp_path)))
    for go, fen in ((Go(depth=1), BOARD.fen()), (Go(nodes=64), "8/8/8/8/8/2k5/p6R/K7 w - - 0 1"), (Go(depth=1), BOARD.fen())):
        player.perform(Position(fen))
        player.perform(Search(go))
        assert isinstance(replies[-1], BestMove)
    said = [reply.text for reply in replies if isinstance(reply, Say)]
    assert len([text for text in said if text.startswith("option SyzygyPath: a table is damaged")]) == 1
    assert not any("internal error" in text for text in said)


def test_folders_without_tables_are_reported(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no tables"):
        Tables.open(str(tmp_path))
    with pytest.raises(OptionError, match="cannot read"):
        Tables.open(str(tmp_path / "none"))
