"""From ``position`` commands to boards."""

from __future__ import annotations

import chess
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import PositionError
from engine.uci.position import GameLine, Illegal, board_of, read_move, write_move
from engine.uci.protocol import Position

MAZE = ["g1f3", "g8f6", "f3g1", "f6g8"] * 250


def replayed(moves: list[str]) -> chess.Board:
    board = chess.Board()
    for move in moves:
        board.push_uci(move)
    return board


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 10**6)), max_size=8))
def test_any_way_through_a_game_gives_the_same_board(steps: list[tuple[int, int]]) -> None:
    """Take back some moves, play others, any number of times: the board is that of a fresh replay."""
    line, moves = GameLine(), list[str]()
    for back, choice in steps:
        moves = moves[: max(len(moves) - back, 0)]
        board = replayed(moves)
        for _ in range(choice % 9):
            if legal := list(board.legal_moves):
                board.push(legal[choice % len(legal)])
                moves.append(board.move_stack[-1].uci())
        assert line.follow(Position(None, tuple(moves))) is None
        assert line.board == board
        assert line.board.move_stack == board.move_stack


def test_another_start_is_another_line() -> None:
    line = GameLine()
    line.follow(Position(None, ("e2e4",)))
    line.follow(Position("4k3/8/8/8/8/8/8/4K2R w K - 0 1", ("e1g1",)))
    assert line.board.fen() == "4k3/8/8/8/8/8/8/5RK1 b - - 1 1"
    line.follow(Position())
    assert line.board == chess.Board()


def test_it_stops_before_an_illegal_move_and_goes_on_from_there() -> None:
    line = GameLine()
    illegal = line.follow(Position(None, ("e2e4", "e7e5", "e4e5", "a7a6")))
    assert illegal == Illegal(3, "e4e5", replayed(["e2e4", "e7e5"]).fen())
    assert line.board == replayed(["e2e4", "e7e5"])
    assert line.follow(Position(None, ("e2e4", "e7e5", "g1f3"))) is None
    assert line.board == replayed(["e2e4", "e7e5", "g1f3"])


def test_an_impossible_position_changes_nothing() -> None:
    line = GameLine()
    line.follow(Position(None, ("e2e4",)))
    with pytest.raises(PositionError, match="Black has no king"):
        line.follow(Position("8/8/8/8/8/8/8/4K3 w - - 0 1", ("e1e2",)))
    assert line.board == replayed(["e2e4"])


@given(st.text(alphabet="kKqQrRpP12345678/ wb-e6HA09", max_size=60))
def test_any_text_is_a_board_or_a_position_error(fen: str) -> None:
    try:
        board = board_of(fen)
    except PositionError:
        return
    assert not board.status() & (chess.STATUS_NO_WHITE_KING | chess.STATUS_NO_BLACK_KING | chess.STATUS_OPPOSITE_CHECK)


def test_enormous_counters_are_capped() -> None:
    board = board_of(f"4k3/8/8/8/8/8/8/4K3 w - - {10**30} {10**30}")
    assert (board.halfmove_clock, board.fullmove_number) == (9999, 9999)


def test_a_longer_list_costs_only_its_new_moves() -> None:
    line = GameLine()
    line.follow(Position(None, tuple(MAZE[:-2])))
    board, pushed = line.board, list[chess.Move]()
    with pytest.MonkeyPatch.context() as patch:
        push = chess.Board.push
        patch.setattr(chess.Board, "push", lambda self, move: (pushed.append(move), push(self, move))[1])
        line.follow(Position(None, tuple(MAZE)))
    assert line.board is board
    assert [move.uci() for move in pushed] == MAZE[-2:]


@pytest.mark.parametrize(
    ("fen", "text", "move", "chess960", "written"),
    [
        ("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1", "e1g1", "e1g1", False, "e1g1"),
        ("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1", "e1h1", "e1g1", False, "e1g1"),
        ("r3k2r/8/8/8/8/8/8/R3K2R w HAha - 0 1", "e1a1", "e1c1", True, "e1a1"),
        ("r3k2r/8/8/8/8/8/8/R3K2R b KQkq - 0 1", "e8a8", "e8c8", True, "e8a8"),
        ("1r3k1r/8/8/8/8/8/8/1R3K1R w HBhb - 0 1", "f1h1", "f1h1", True, "f1h1"),
        ("1r3k1r/8/8/8/8/8/8/1R3K1R w HBhb - 0 1", "f1c1", "f1b1", True, "f1b1"),
        ("4k3/8/8/8/8/8/8/4K2R w - - 0 1", "e1e2", "e1e2", True, "e1e2"),
    ],
)
def test_castling_in_both_notations(fen: str, text: str, move: str, *, chess960: bool, written: str) -> None:
    board = board_of(fen)
    found = read_move(board, text)
    assert found == chess.Move.from_uci(move)
    assert found is not None
    assert write_move(board, found, chess960=chess960) == written


@pytest.mark.parametrize("text", ["", "0000", "e2", "e2e5", "e7e8q", "P@e4", "e1h1", "ééé"])
def test_what_is_no_legal_move_is_none(text: str) -> None:
    assert read_move(chess.Board(), text) is None
