"""Temperature does what the formula says, and a lead is not thrown away by repetition."""

from __future__ import annotations

import itertools

import chess
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.inference.evaluator import Evaluation
from engine.inference.sampling import Sampling, choose, policy, score_cp

EVEN = (0.4, 0.2, 0.4)


def evaluation(logits: list[float], board: chess.Board | None = None, wdl: tuple[float, float, float] = EVEN) -> Evaluation:
    moves = tuple((board or chess.Board()).legal_moves)[: len(logits)]
    return Evaluation(moves, np.array(logits, np.float64), wdl)


def test_temperature_is_the_formula() -> None:
    logits = np.array([1.0, 0.5, -2.0])
    for temperature in (0.3, 1.0, 1.5):
        want = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
        assert policy(evaluation(logits.tolist()), temperature=temperature) == pytest.approx(want, rel=1e-12)


def test_a_thousandth_is_exact() -> None:
    """Logits 0.001 apart stand e : 1 at temperature 0.001; float32 or a missing subtraction would lose that."""
    p = policy(evaluation([30.0, 30.001]), temperature=0.001)
    assert p[1] / p[0] == pytest.approx(np.e, rel=1e-6)


def test_zero_takes_the_first_of_the_best() -> None:
    assert policy(evaluation([1.0, 2.0, 2.0]), temperature=0).tolist() == [0, 1, 0]


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20), st.sampled_from([0, 1e-3, 0.1, 1, 5]), st.floats(0.01, 1))
def test_probabilities_are_probabilities(logits: list[float], temperature: float, top_p: float) -> None:
    p = policy(evaluation(logits), temperature=temperature, top_p=top_p)
    assert p.sum() == pytest.approx(1)
    assert p.min() >= 0
    assert logits[int(np.argmax(p))] == pytest.approx(max(logits), abs=1e-9)


def test_top_p_keeps_the_likeliest() -> None:
    logits = np.log([0.5, 0.3, 0.15, 0.05]).tolist()
    assert policy(evaluation(logits), temperature=1, top_p=0.7) == pytest.approx([0.625, 0.375, 0, 0])


def test_the_same_seed_draws_the_same_moves() -> None:
    drawn = [
        [
            choose(evaluation([0.0] * 20), chess.Board(), Sampling(temperature=1), random=np.random.default_rng(s)).move
            for _ in "ab"
        ]
        for s in range(9)
    ]
    assert all(a == b for a, b in drawn)
    assert len({a for a, _ in drawn}) > 3


def test_frequencies_follow_the_probabilities() -> None:
    random, asked = np.random.default_rng(1), evaluation(np.log([0.7, 0.2, 0.1]).tolist())
    moves = [choose(asked, chess.Board(), Sampling(temperature=1), random=random).move for _ in range(3000)]
    shares = [moves.count(move) / 3000 for move in asked.moves]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.03)


def test_the_opening_temperature_falls_to_the_base() -> None:
    sampling = Sampling(temperature=0.1, opening_temperature=1.1, opening_plies=10)
    assert [sampling.temperature_at(ply) for ply in (0, 5, 10, 50)] == pytest.approx([1.1, 0.6, 0.1, 0.1])
    assert Sampling(temperature=0.2).temperature_at(0) == 0.2


def repeating_board(occurrence: int) -> chess.Board:
    """White is a queen up; Kg1-h1 brings a position about for the ``occurrence``-th time."""
    board = chess.Board("6k1/8/8/8/8/8/2Q5/6K1 w - - 0 1")
    for uci in ["g1h1", "g8h8", "h1g1", "h8g8"] * (occurrence - 1):
        board.push_uci(uci)
    return board


def preferring(board: chess.Board, *liked: str, wdl: tuple[float, float, float], by: float = 3.0) -> Evaluation:
    """The ``liked`` moves are likelier than each of the others, by this much as a logit."""
    moves = tuple(board.legal_moves)
    return Evaluation(moves, np.array([by if m.uci() in liked else 0.0 for m in moves]), wdl)


def likeliest(asked: Evaluation, board: chess.Board, *, avoid: bool = True) -> str:
    """The move played without randomness."""
    sampling = Sampling(temperature=0, avoid_repetition=avoid)
    return choose(asked, board, sampling, random=np.random.default_rng(1)).move.uci()


@pytest.mark.parametrize(
    ("wdl", "repeated"),
    [
        ((0.1, 0.2, 0.7), 3),
        ((0.59, 0.0, 0.41), 3),
        ((0.4, 0.38, 0.22), 3),
        ((0.61, 0.0, 0.39), 2),
        ((0.4, 0.42, 0.18), 2),
        ((0.79, 0.0, 0.21), 2),
        ((0.81, 0.0, 0.19), 1),
        ((0.9, 0.1, 0.0), 1),
    ],
)
def test_a_lead_is_not_repeated_away(wdl: tuple[float, float, float], repeated: int) -> None:
    """From 0.6 points a third occurrence is avoided, from 0.8 a second one as well."""
    for occurrence in (1, 2, 3):
        board = repeating_board(occurrence)
        asked = preferring(board, "g1h1", wdl=wdl)
        assert (likeliest(asked, board) == "g1h1") == (occurrence <= repeated)
        assert likeliest(asked, board, avoid=False) == "g1h1"


@pytest.mark.parametrize(
    ("fen", "uci"),
    [
        ("7k/8/5KQ1/8/8/8/8/8 w - - 0 1", "g6f7"),
        ("7k/8/8/8/8/8/3p4/2BK4 w - - 0 1", "c1d2"),
        ("7k/P7/8/8/8/8/8/K7 w - - 0 1", "a7a8n"),
    ],
    ids=["stalemate", "capture", "promotion"],
)
def test_a_lead_is_not_thrown_away_by_another_draw(fen: str, uci: str) -> None:
    board = chess.Board(fen)
    asked = preferring(board, uci, wdl=(0.98, 0.02, 0.0))
    assert likeliest(asked, board) != uci
    assert likeliest(asked, board, avoid=False) == uci


def test_where_all_plausible_moves_draw_one_of_them_is_played() -> None:
    """The others have less than a thousandth each."""
    board = chess.Board("7k/8/5KQ1/8/8/8/8/8 w - - 0 1")
    draws = ["g6f7", "f6f7"]
    assert likeliest(preferring(board, *draws, wdl=(0.98, 0.02, 0.0), by=7.0), board) in draws


def test_the_only_move_is_played_even_if_it_draws() -> None:
    board = chess.Board("7k/8/8/8/8/8/6q1/7K w - - 0 1")
    assert likeliest(preferring(board, wdl=(0.98, 0.02, 0.0)), board) == "h1g2"


def test_without_a_legal_move_there_is_nothing_to_choose() -> None:
    board = chess.Board("7k/8/8/8/8/8/5q2/7K w - - 0 1")
    with pytest.raises(ValueError, match="legal move"):
        choose(evaluation([], board), board, Sampling(), random=np.random.default_rng(1))


def test_score_rises_with_the_expected_score() -> None:
    scores = [score_cp((w, 0.0, 1 - w)) for w in np.linspace(0, 1, 101)]
    assert all(a <= b for a, b in itertools.pairwise(scores))
    assert score_cp((0.5, 0.0, 0.5)) == score_cp((0.0, 1.0, 0.0)) == 0
    assert score_cp((10 / 11, 0.0, 1 / 11)) == 400


@pytest.mark.parametrize("seed", range(200))
def test_a_draw_is_numpys_own_draw(seed: int) -> None:
    """Recorded games stay what they are, and the shortcut is no other distribution."""
    logits = np.random.default_rng(seed).normal(size=1 + seed % 20).tolist()
    given = evaluation(logits)
    chosen = choose(given, chess.Board(), Sampling(1.0), random=np.random.default_rng(seed)).move
    wanted = np.random.default_rng(seed).choice(len(given.moves), p=policy(given, temperature=1.0))
    assert chosen == given.moves[wanted]


def test_a_mate_is_taken_where_it_is_asked_for() -> None:
    board = chess.Board("6k1/5ppp/8/8/8/8/5PPP/3R2K1 w - - 0 1")
    given = preferring(board, "g1f1", wdl=EVEN)
    chosen = [
        choose(given, board, Sampling(1.0, take_mate=take), random=np.random.default_rng(s)).move.uci()
        for take in (True, False)
        for s in range(30)
    ]
    assert set(chosen[:30]) == {"d1d8"}
    assert len(set(chosen[30:])) > 3
    assert board.fen() == "6k1/5ppp/8/8/8/8/5PPP/3R2K1 w - - 0 1"


def test_without_a_mate_all_is_as_it_was() -> None:
    given = preferring(chess.Board(), "e2e4", wdl=EVEN)
    for seed in range(20):
        moves = {
            choose(given, chess.Board(), Sampling(1.0, take_mate=take), random=np.random.default_rng(seed)).move
            for take in (True, False)
        }
        assert len(moves) == 1
