"""Mates in one that are found without looking at every move, against looking at every move."""

from __future__ import annotations

import random

import chess
import pytest

from engine.search.mates import _possible_checks, mate_in_one


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
