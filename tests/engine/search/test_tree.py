"""The tree finds what is there to be found: mates, captures, draws; and counts each visit once."""

from __future__ import annotations

import chess
import numpy as np
import pytest

from engine.search.search import Limits, learn, search
from engine.search.tree import LOST, WON, Exploration, Tree, move_to_play, principal, visit_shares, wdl_of
from tests.engine.search.fakes import counted, material, uniform

MATE_IN_TWO = "kbK5/pp6/1P6/8/8/8/8/R7 w - - 0 1"  # Morphy's: 1.Ra6
BACK_RANK = "6k1/5ppp/8/8/8/8/5PPP/R5K1 w - - 0 1"


def searched(board: chess.Board, *, visits: int, evaluate=material, batch: int = 8) -> Tree:  # type: ignore[no-untyped-def]
    tree = Tree(board)
    search(tree, evaluate, Limits(visits, batch=batch))
    return tree


def test_one_visit_is_one_evaluation_and_the_likeliest_move_comes_first() -> None:
    calls: list[int] = []
    tree = searched(chess.Board(), visits=1, evaluate=counted(uniform, calls))
    assert calls == [1]
    assert tree.root.visits == 1
    assert tree.root.children == []
    assert len(tree.root.moves) == 20


@pytest.mark.parametrize("batch", [1, 4, 32])
def test_visits_add_up(batch: int) -> None:
    tree = searched(chess.Board(), visits=400, batch=batch)
    assert tree.root.visits == 400
    for node in tree.walk():
        assert node.pending == 0
        assert 0 <= node.points <= node.visits
        below = sum(child.visits for child in node.children)
        if not node.ends and not node.proven and node.visits:
            assert node.visits == below + 1


def test_a_mate_in_one_is_proven_and_ends_the_search() -> None:
    tree = searched(chess.Board(BACK_RANK), visits=10_000)
    best = tree.root.best_first()[0]
    assert best.move == chess.Move.from_uci("a1a8")
    assert (best.proven, best.plies_to_end) == (LOST, 0)
    assert (tree.root.proven, tree.root.plies_to_end) == (WON, 1)
    assert tree.root.visits < 200
    assert wdl_of(tree.root) == (1.0, 0.0, 0.0)


def test_a_mate_in_two_is_proven() -> None:
    tree = searched(chess.Board(MATE_IN_TWO), visits=20_000)
    assert (tree.root.proven, tree.root.plies_to_end) == (WON, 3)
    line = principal(tree.root)
    assert line[0].move == chess.Move.from_uci("a1a6")
    assert line[-1].board.is_checkmate()


def test_who_is_mated_whatever_he_does_knows_it_and_holds_out_longest() -> None:
    board = chess.Board(MATE_IN_TWO)
    board.push_uci("a1a6")
    tree = searched(board, visits=20_000)
    assert (tree.root.proven, tree.root.plies_to_end) == (LOST, 2)
    assert wdl_of(tree.root) == (0.0, 0.0, 1.0)


def test_a_hanging_queen_is_taken_and_a_guarded_one_not() -> None:
    free = searched(chess.Board("4k3/8/8/3q4/4P3/8/8/4K3 w - - 0 1"), visits=300)
    assert free.root.best_first()[0].move == chess.Move.from_uci("e4d5")
    trap = searched(chess.Board("4k3/4p3/3p4/8/8/8/3Q4/4K3 w - - 0 1"), visits=1500)
    assert trap.root.best_first()[0].move != chess.Move.from_uci("d2d6")


@pytest.mark.parametrize(
    "fen", ["k7/2Q5/8/8/8/8/8/K7 b - - 0 1", "7k/5Q2/6K1/8/8/8/8/8 b - - 0 1", "R5k1/5ppp/8/8/8/8/8/6K1 b - - 0 1"]
)
def test_a_game_that_is_over_asks_for_nothing(fen: str) -> None:
    calls: list[int] = []
    board = chess.Board(fen)
    tree = searched(board, visits=50, evaluate=counted(uniform, calls))
    assert bool(calls) != board.is_game_over()
    assert tree.root.ends == board.is_game_over()


@pytest.mark.parametrize(
    ("fen", "visits"), [("7k/5q1p/7p/8/8/8/q7/5Q1K w - - 0 1", 1000), ("5n1k/7p/5P1N/8/8/8/2qr4/K7 w - - 0 1", 100)]
)
def test_a_line_that_repeats_is_a_draw_and_no_other(fen: str, visits: int) -> None:
    """A position of the line counts at once, the root only when it comes a third time."""
    root = chess.Board(fen)
    tree, drawn = searched(root, visits=visits), 0
    for node in tree.walk():
        whole, below = root.copy(), root.copy()
        for number, step in enumerate(node.line()):
            assert step.move is not None
            whole.push(step.move)
            below.push(step.move)
            if number == 0:
                below.clear_stack()
        repeats = below.is_repetition(2) or whole.is_repetition(3)
        assert (node.repetitions >= 2) == repeats
        if repeats:
            drawn += 1
            assert (node.ends, node.wdl, node.children) == (True, (0.0, 1.0, 0.0), [])
    assert drawn


def test_a_perpetual_check_is_found() -> None:
    """White is far behind and about to be mated, and gives check on h6 and f7 for ever."""
    tree = searched(chess.Board("5nk1/7p/5P2/8/6N1/8/2qr4/K7 w - - 0 1"), visits=400)
    line = [node.move.uci() for node in principal(tree.root) if node.move is not None]
    assert line == ["g4h6", "g8h8", "h6f7", "h8g8", "f7h6"]
    assert wdl_of(tree.root)[1] > 0.9


def test_a_position_of_the_game_counts() -> None:
    board = chess.Board("4k3/8/8/8/8/8/R7/4K3 w - - 0 1")
    for uci in ("a2a3", "e8d7", "a3a2", "d7e8", "a2a3", "e8d7", "a3a2"):
        board.push_uci(uci)
    tree = searched(board, visits=200)
    third = next(child for child in tree.root.children if child.move == chess.Move.from_uci("d7e8"))
    assert third.repetitions == 2
    assert third.ends
    assert third.wdl == (0.0, 1.0, 0.0)
    new = next(child for child in tree.root.children if child.move == chess.Move.from_uci("d7c7"))
    assert new.repetitions == 0
    assert not new.ends


def test_a_root_that_has_come_three_times_is_searched_all_the_same() -> None:
    board = chess.Board("4k3/8/8/8/8/8/R7/4K3 w - - 0 1")
    for uci in ("a2a3", "e8d7", "a3a2", "d7e8") * 2:
        board.push_uci(uci)
    assert board.is_repetition(3)
    assert searched(board, visits=50).root.visits == 50


def test_fifty_moves_are_a_draw_and_a_capture_is_not() -> None:
    tree = searched(chess.Board("4k3/8/8/8/8/4p3/4R3/4K3 w - - 99 90"), visits=100)
    by_move = {child.move: child for child in tree.root.children}
    assert by_move[chess.Move.from_uci("e1d1")].wdl == (0.0, 1.0, 0.0)
    assert by_move[chess.Move.from_uci("e2e3")].board.halfmove_clock == 0
    assert not by_move[chess.Move.from_uci("e2e3")].ends


def test_exact_results_end_lines() -> None:
    def exact(board: chess.Board) -> tuple[float, float, float] | None:
        return (0.0, 0.0, 1.0) if not board.pieces(chess.PAWN, chess.BLACK) else None

    tree = Tree(chess.Board("4k3/8/8/8/8/4p3/4R3/4K3 w - - 0 1"), exact=exact)
    search(tree, uniform, Limits(60, batch=1))
    taken = tree.root.best_first()[0]
    assert taken.move == chess.Move.from_uci("e2e3")
    assert taken.ends
    assert taken.children == []


def test_the_tree_is_kept_from_move_to_move() -> None:
    board = chess.Board()
    tree = searched(board, visits=600)
    best = principal(tree.root)
    for node in best[:2]:
        assert node.move is not None
        board.push(node.move)
    kept = best[1].visits
    assert kept > 1
    assert tree.advance(board)
    assert tree.root.visits == kept
    assert (tree.root.parent, tree.root.move, tree.root.depth) == (None, None, 2)
    assert tree.deepest == max(node.depth for node in tree.walk()) - 2
    assert tree.nodes == sum(1 for _ in tree.walk())
    search(tree, material, Limits(kept + 50))
    assert tree.root.visits >= kept + 50
    other = chess.Board("4k3/8/8/8/8/8/4R3/4K3 w - - 0 1")
    assert not tree.advance(other)


def test_a_full_tree_is_searched_no_further() -> None:
    tree = Tree(chess.Board())
    search(tree, uniform, Limits(100_000, batch=16, nodes=300))
    assert 300 <= tree.nodes < 340


def test_halting_ends_it_between_two_batches() -> None:
    calls: list[int] = []
    tree = Tree(chess.Board())
    search(tree, counted(uniform, calls), Limits(10_000), halted=lambda: len(calls) >= 3)
    assert len(calls) == 3
    assert tree.root.visits > 0


def test_all_lines_of_a_bare_draw_end_and_the_search_with_them() -> None:
    tree = Tree(chess.Board("8/8/8/3k4/8/8/3n4/3K4 w - - 0 1"))  # every move leaves too little to mate with
    search(tree, uniform, Limits(64))
    assert tree.root.visits == 64
    assert wdl_of(tree.root)[1] > 0.9


def test_of_moves_that_were_looked_at_equally_often_the_likelier_is_played() -> None:
    tree = searched(chess.Board(), visits=4)
    tree.root.priors = [0.5, 0.3, 0.2][: len(tree.root.children)]
    for child, score in zip(tree.root.children, (0.6, 0.1, 0.2), strict=False):
        child.visits, child.points = 1, score
    assert tree.first() is tree.root.children[0]
    shares = visit_shares(tree.root.best_first(), 0.001)
    assert shares[0] == pytest.approx(1.0)


def test_a_move_that_was_asked_for_before_the_search_is_not_held_to_be_lost() -> None:
    plain, asked = Tree(chess.Board()), Tree(chess.Board())
    for tree in (plain, asked):
        search(tree, uniform, Limits(1))
    asked.first()
    for tree in (plain, asked):
        search(tree, uniform, Limits(8))
    assert [child.visits for child in asked.root.children] == [child.visits for child in plain.root.children]


def refuted_after_visits() -> Tree:
    """The search liked its first move most, and then found that it loses by force."""
    tree = searched(chess.Board("6k1/5ppp/8/8/8/8/r4PPP/1R4K1 w - - 0 1"), visits=200, evaluate=uniform)
    liked = tree.root.children[0]
    liked.visits, liked.proven, liked.plies_to_end = 10_000, WON, 3
    return tree


@pytest.mark.parametrize("temperature", [0.0, 0.001, 1.0])
def test_a_move_that_loses_by_force_is_not_played_however_often_it_was_looked_at(temperature: float) -> None:
    tree = refuted_after_visits()
    liked = tree.root.children[0]
    for seed in range(20):
        assert move_to_play(tree, temperature, np.random.default_rng(seed)).proven != WON
    assert liked.visits == max(node.visits for node in tree.root.children)


@pytest.mark.parametrize("temperature", [0.001, 1.0])
def test_where_all_moves_lose_the_one_that_holds_out_longest_is_played(temperature: float) -> None:
    tree = refuted_after_visits()
    for plies, child in enumerate(tree.root.children, start=2):
        child.proven, child.plies_to_end = WON, plies
    while len(tree.root.children) < len(tree.root.moves):
        tree.first().proven = WON
    longest = max(node.plies_to_end for node in tree.root.children)
    assert move_to_play(tree, temperature, np.random.default_rng(1)).plies_to_end == longest


def test_where_all_moves_looked_at_lose_another_is_played() -> None:
    tree = searched(chess.Board(), visits=4, evaluate=uniform)
    for child in tree.root.children:
        child.proven, child.plies_to_end = WON, 3
    assert len(tree.root.children) < len(tree.root.moves)
    assert move_to_play(tree, 0.001, np.random.default_rng(1)).proven == 0


def test_a_line_ends_where_all_moves_looked_at_lose_and_there_are_others() -> None:
    tree = searched(chess.Board(), visits=400, evaluate=uniform)
    line = principal(tree.root)
    assert len(line) >= 2
    reply = line[1]
    for child in line[0].children:
        child.proven, child.plies_to_end = WON, 3
    line[0].moves.append(line[0].moves[0])  # one more that was not looked at
    assert principal(tree.root) == line[:1]
    line[0].proven = LOST  # but where he is lost, the line goes on to the mate
    line[0].moves.pop()
    assert principal(line[0])[0].proven == reply.proven == WON


def test_a_tree_is_not_kept_for_another_game_that_came_to_the_same_position() -> None:
    board = chess.Board()
    for text in ("e2e4", "e7e5"):
        board.push_uci(text)
    tree = searched(board, visits=50, evaluate=uniform)
    assert not tree.advance(chess.Board(board.fen()))
    assert tree.advance(board.copy())


def test_shares_of_visits() -> None:
    tree = searched(chess.Board("4k3/8/8/3q4/4P3/8/8/4K3 w - - 0 1"), visits=200)
    nodes = tree.root.best_first()
    assert visit_shares(nodes, 0)[0] == 1.0
    shares = visit_shares(nodes, 1.0)
    counts = [node.visits + tree.root.priors[tree.root.children.index(node)] for node in nodes]
    assert shares == pytest.approx([count / sum(counts) for count in counts])
    assert shares == pytest.approx([node.visits / 199 for node in nodes], abs=0.01)
    assert shares[0] < visit_shares(nodes, 0.5)[0] < visit_shares(nodes, 0.001)[0] == pytest.approx(1.0)


def test_exploration_spreads_visits() -> None:
    spread = []
    for c in (0.2, 5.0):
        tree = Tree(chess.Board("4k3/8/8/3q4/4P3/8/8/4K3 w - - 0 1"), exploration=Exploration(c=c))
        search(tree, material, Limits(200, batch=1))
        spread.append(max(child.visits for child in tree.root.children))
    assert spread[0] > spread[1]


@pytest.mark.parametrize(("draw", "takes"), [(0.5, True), (1.0, True), (0.0, False)])
@pytest.mark.parametrize("white", [True, False])
def test_a_draw_is_taken_by_what_it_counts(draw: float, takes: bool, white: bool) -> None:
    board = chess.Board("4k3/8/8/3r4/8/1B6/8/4K3 w - - 0 1")  # bishop takes rook, and neither side can mate
    board = board if white else board.mirror()
    tree = Tree(board, exploration=Exploration(draw=draw))
    search(tree, material, Limits(300, batch=1))
    first = tree.root.best_first()[0]
    assert first.board.is_insufficient_material() == takes
    assert tree.root.score < 0.51  # what is told of the position stays


def test_the_likeliest_moves_of_the_root_can_be_asked_for_first() -> None:
    tree = Tree(chess.Board())
    learn(tree, uniform, tree.gather(1))
    learn(tree, uniform, tree.widen(5))
    assert [child.visits for child in tree.root.children] == [1] * 5
    assert tree.root.visits == 6
    assert tree.widen(5) == []
    learn(tree, uniform, tree.widen(500))
    assert len(tree.root.children) == 20
