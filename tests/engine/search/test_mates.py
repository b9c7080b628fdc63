"""Mates in one that are found without looking at every move, against looking at every move; mates in two, by the net too."""

from __future__ import annotations

import random
from pathlib import Path

import chess
import pytest

from engine.inference.game_cache import Players
from engine.net import Net
from engine.net_file import find_net
from engine.search.leaves import NetLeaves
from engine.search.mates import _possible_checks, mate_in_one, mate_in_two
from engine.search.search import Limits, search
from engine.search.tree import WON, Tree

IN_TWO = [chess.Board(line) for line in Path(__file__).with_name("mates_in_two.txt").read_text(encoding="utf-8").splitlines()]
"""From games of this project's players; Stockfish at depth 6 says so."""


def mating_moves(board: chess.Board) -> set[chess.Move]:
    """By trying all."""
    found = set()
    for move in list(board.legal_moves):
        board.push(move)
        if board.is_checkmate():
            found.add(move)
        board.pop()
    return found


def test_it_finds_a_mate_wherever_there_is_one() -> None:
    draws, mates = random.Random(3), 0
    for _ in range(60):
        board = chess.Board()
        while not board.is_game_over() and board.ply() < 200:
            before, all_mates = board.fen(), mating_moves(board)
            mate = mate_in_one(board)
            assert (mate in all_mates) if all_mates else mate is None, before
            assert board.fen() == before
            mates += bool(all_mates)
            board.push(draws.choice(list(board.legal_moves)))
    assert mates > 20


@pytest.mark.parametrize(
    ("fen", "check"),
    [
        ("3k4/8/8/8/8/8/8/R3K3 w Q - 0 1", "e1c1"),
        ("5k2/8/8/8/8/8/8/4K2R w K - 0 1", "e1g1"),
        ("5k2/1P6/8/8/8/8/8/6K1 w - - 0 1", "b7b8q"),
        ("8/1P6/3k4/8/8/8/8/6K1 w - - 0 1", "b7b8b"),
        ("4k3/8/8/3pP3/8/8/8/B3K2R w - d6 0 1", None),
        ("8/2k5/8/3pP3/8/8/8/4K3 w - d6 0 1", "e5d6"),
        ("8/6k1/8/3pP3/8/8/1B6/4K3 w - d6 0 1", "e5d6"),
        ("4k3/8/8/8/8/8/4N3/4RK2 w - - 0 1", "e2c3"),
        ("4k3/8/8/8/8/8/4K3/4R3 w - - 0 1", "e2d3"),
    ],
)
def test_every_kind_of_check_is_among_the_moves_tried(fen: str, check: str | None) -> None:
    board = chess.Board(fen)
    checks = {move for move in board.legal_moves if board.gives_check(move)}
    assert check is None or chess.Move.from_uci(check) in checks
    assert checks <= set(_possible_checks(board)) <= set(board.legal_moves)


def test_mates_in_two_are_found_and_nothing_else() -> None:
    for board in IN_TWO:
        fen, move = board.fen(), mate_in_two(board)
        assert board.fen() == fen
        assert move is not None, fen
        board = board.copy()
        board.push(move)
        assert any(board.legal_moves), fen
        for reply in board.legal_moves:
            after = board.copy()
            after.push(reply)
            assert mating_moves(after), fen
        assert mate_in_two(board) is None  # the other side has none
    assert mate_in_two(chess.Board()) is None
    assert mate_in_two(chess.Board("k7/P7/1K6/8/8/8/8/8 w - - 0 1")) is None  # Ka6 is stalemate: no replies, no mate


def test_the_net_that_ships_finds_mates_in_two_and_a_longer_one_is_shortened() -> None:
    leaves, found, longer = NetLeaves(Net.open(find_net(), threads=1), megabytes=32), 0, 0
    for board in IN_TWO:
        tree = Tree(board)
        root = leaves.begin(board, Players(), tree.walk())
        tree.learn(tree.gather(1)[0], root)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tree, "shorten", lambda: None)
            search(tree, leaves, Limits(256))
        longer += tree.root.proven == WON and tree.root.plies_to_end > 3
        tree.shorten()
        found += (tree.root.proven, tree.root.plies_to_end) == (WON, 3)
    assert longer > 0
    assert found >= 0.95 * len(IN_TWO)
