"""A line read in a tree is the line read as a game."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import chess
import numpy as np
import pytest

from engine.errors import NetError
from engine.inference.evaluator import Evaluator, Players, Request
from engine.inference.game_cache import base_of
from engine.net import Net
from engine.search.leaves import NetLeaves, line_room
from engine.search.search import Limits, search
from engine.search.tree import Exploration, Node, Tree

PLAYERS = Players(1800, 1600, 1)


def played(plies: int, *, seed: int = 4) -> chess.Board:
    random, board = np.random.default_rng(seed), chess.Board()
    while len(board.move_stack) < plies:
        board.push(list(board.legal_moves)[int(random.integers(board.legal_moves.count()))])
    return board


def tree_of(board: chess.Board, leaves: NetLeaves, *, visits: int, batch: int = 8) -> Tree:
    tree = Tree(board, exploration=Exploration(prior_temperature=1))
    root = leaves.begin(board, PLAYERS, tree.walk())
    tree.learn(tree.gather(1)[0], root)
    search(tree, leaves, Limits(visits, batch=batch))
    return tree


def assert_as_games(tree: Tree, board: chess.Board, net: Net, *, but: frozenset[Node] = frozenset()) -> int:
    """Every evaluated node says what the evaluator says of its line; returns how many."""
    evaluator, count = Evaluator(net, hash_mb=0), 0
    for node in tree.walk():
        if not node.moves or node in but:
            continue
        line = board.copy()
        for step in node.line():
            assert step.move is not None
            line.push(step.move)
        want = evaluator.evaluate([Request(line, evaluator.new_game(line_room=line_room(net.info)), PLAYERS)])[0]
        assert node.wdl == pytest.approx(want.wdl, abs=1e-4)
        odds = np.exp(want.logits - want.logits.max())
        wanted = dict(zip(want.moves, odds / odds.sum(), strict=True))
        assert node.priors == pytest.approx([wanted[move] for move in node.moves], abs=1e-4)
        count += 1
    return count


@pytest.mark.parametrize("plies", [0, 9, 64])  # the random net's context is 48: the last game is re-based
def test_every_position_of_a_tree_is_as_in_a_game(random_net: Path, plies: int) -> None:
    net, board = Net.open(random_net), played(plies)
    tree = tree_of(board, NetLeaves(net, megabytes=1), visits=60)
    assert assert_as_games(tree, board, net) > 40


def test_lines_without_room_are_read_again(random_net: Path) -> None:
    net, board = Net.open(random_net), played(6)
    leaves = NetLeaves(net, megabytes=0)
    tree = tree_of(board, leaves, visits=120)
    assert leaves.share_used == 1.0
    assert any(node.moves and node.memory < 0 for node in tree.walk() if node.parent)
    assert_as_games(tree, board, net)


def test_a_kept_tree_goes_on_as_it_was_read(random_net: Path) -> None:
    net, board = Net.open(random_net), played(10)
    leaves = NetLeaves(net, megabytes=1)
    tree = tree_of(board, leaves, visits=80)
    for _ in range(2):
        best = tree.root.best_first()[0]
        assert best.move is not None
        board.push(best.move)
        assert tree.advance(board)
    before = tree.root.visits
    leaves.begin(board, PLAYERS, tree.walk())
    search(tree, leaves, Limits(before + 60))
    assert_as_games(tree, board, net)


def test_a_kept_tree_is_read_anew_where_its_game_is_re_based(random_net: Path) -> None:
    net = Net.open(random_net)
    room = line_room(net.info)
    ply = next(p for p in range(10, 60) if base_of(p + room, net.info.context) > base_of(p - 1 + room, net.info.context))
    board = played(ply - 1)
    leaves = NetLeaves(net, megabytes=1)
    tree = tree_of(board, leaves, visits=80)
    best = tree.root.best_first()[0]
    assert best.move is not None
    board.push(best.move)
    assert tree.advance(board)
    before, known = tree.root.visits, frozenset(node for node in tree.walk() if node.moves)
    assert any(node.memory >= 0 for node in known)
    leaves.begin(board, PLAYERS, tree.walk())
    search(tree, leaves, Limits(before + 60))
    assert any(node.parent in known for node in tree.walk() if node not in known and node.moves)
    assert assert_as_games(tree, board, net, but=known) > 20


def test_a_blind_net_searches_too(blind_net: Path) -> None:
    net, board = Net.open(blind_net), played(8)
    tree = tree_of(board, NetLeaves(net, megabytes=1), visits=40)
    assert assert_as_games(tree, board, net) > 20


def test_depth_and_root_are_where_they_belong(random_net: Path) -> None:
    tree = tree_of(chess.Board(), NetLeaves(Net.open(random_net), megabytes=1), visits=30)
    assert tree.root.line() == []
    nodes: list[Node] = [node for node in tree.walk() if node.parent]
    assert all(len(node.line()) == node.depth for node in nodes)


def test_a_net_of_contract_1_says_that_it_knows_no_search(random_net: Path) -> None:
    net = Net.open(random_net)
    old = Net(None, dataclasses.replace(net.info, contract="1"))
    with pytest.raises(NetError, match="contract 1, which knows no search; set Nodes to 1"):
        old.run_tree(None, None, None)  # type: ignore[arg-type]
