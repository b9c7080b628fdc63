"""Features of one position against python-chess's own answers, and against the replay of whole batches."""

from __future__ import annotations

import chess
import numpy as np
import pytest

from engine import encoding, vocabulary
from engine.vocabulary import FLIP, MOVE_COUNT, MOVE_ID, START, UCI_MOVES
from training.batches.replay import board_codes, replay
from training.batches.rows import start_of

VALUE = {chess.PAWN: 1, chess.KNIGHT: 2, chess.BISHOP: 2, chess.ROOK: 3, chess.QUEEN: 4, chess.KING: 5}

HARD = {
    "castling, both sides": (chess.STARTING_FEN, "e2e4 e7e5 g1f3 b8c6 f1c4 d7d6 e1g1 c8g4 d2d3 d8d7 b1c3 e8c8"),
    "castling long for White, short for Black": ("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1", "e1c1 e8g8 c1b1 g8g7"),
    "a rook that is taken loses the right": ("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1", "a1a8 e8d7 h1h8"),
    "en passant, taken": (chess.STARTING_FEN, "e2e4 a7a6 e4e5 d7d5 e5d6 e8d7"),
    "en passant, black takes": (chess.STARTING_FEN, "a2a3 d7d5 a3a4 d5d4 e2e4 d4e3 d2e3"),
    "a double step that nobody can take": (chess.STARTING_FEN, "e2e4 e7e5 d2d4"),
    "en passant at the edge of the board": ("4k3/p7/8/1P6/6p1/8/7P/4K3 w - - 0 1", "h2h4 g4h3 b5b6 a7a5 b6b7"),
    "promotions of both sides": ("8/P6k/8/8/8/8/p6K/8 w - - 0 1", "a7a8n a2a1q h2g3 a1a8"),
    "black to move, half-move clock running": ("r3k2r/8/8/8/8/8/8/R3K2R b KQkq - 37 60", "e8e7 e1e2 e7e8 e2e1"),
    "repetition": (chess.STARTING_FEN, "g1f3 g8f6 f3g1 f6g8 g1f3 g8f6 f3g1 f6g8 e2e4"),
    "an en-passant square in the FEN": ("rnbqkbnr/ppp1pppp/8/8/3pP3/8/PPPP1PPP/RNBQKBNR b KQkq e3 0 1", "d4e3 f2e3"),
}


def game_of(fen: str, moves: list[str]) -> list[tuple[np.ndarray, np.ndarray, bool]]:
    """Board codes, state and turn before each move, by ``engine.encoding``."""
    board, seen, rows = chess.Board(fen), {}, []
    for uci in moves:
        key = encoding.position_key(board)
        state = encoding.state_codes(board, seen.get(key, 0))
        rows.append((encoding.board_codes(board, "attacks", checks=True), state, board.turn))
        seen[key] = seen.get(key, 0) + 1
        board.push_uci(uci)
    return rows


def assert_replay_agrees(fen: str, moves: list[str]) -> None:
    ids = np.array([MOVE_ID[m] for m in moves], np.uint16)
    positions = replay(ids, np.array([0, len(ids)]), {0: start_of(fen)})
    codes = board_codes(positions.pieces, "attacks", checks=True)
    for ply, (board, state, turn) in enumerate(game_of(fen, moves)):
        assert codes[ply].tolist() == board.tolist(), ply
        assert positions.state[ply].tolist() == state.tolist(), ply
        assert positions.black[ply] == (not turn)


@pytest.mark.parametrize("name", HARD)
def test_replay_of_hard_cases(name: str) -> None:
    fen, moves = HARD[name]
    assert_replay_agrees(fen, moves.split())


def random_moves(random: np.random.Generator, plies: int) -> list[str]:
    board, moves = chess.Board(), []
    while len(moves) < plies and not board.is_game_over():
        legal = list(board.legal_moves)
        board.push(legal[int(random.integers(len(legal)))])
        moves.append(board.peek().uci())
    return moves


def test_replay_of_twenty_thousand_random_plies() -> None:
    random = np.random.default_rng(5)
    games = []
    while sum(map(len, games)) < 20_000:
        games.append(random_moves(random, 250))
    ids = np.array([MOVE_ID[m] for game in games for m in game], np.uint16)
    positions = replay(ids, np.cumsum([0, *map(len, games)]))
    rows = [row for game in games for row in game_of(chess.STARTING_FEN, game)]
    assert (board_codes(positions.pieces, "attacks", checks=True) == np.stack([board for board, _, _ in rows])).all()
    assert (positions.state == np.stack([state for _, state, _ in rows])).all()


def test_piece_codes_are_the_movers_view() -> None:
    random = np.random.default_rng(9)
    for plies in range(2, 80, 3):
        board = chess.Board()
        for uci in random_moves(random, plies):
            board.push_uci(uci)
        codes = encoding.board_codes(board, "sum")
        for square in chess.SQUARES:
            piece = board.piece_at(square)
            want = piece.piece_type + (0 if piece.color == board.turn else 6) if piece else 0
            assert codes[square if board.turn else square ^ 56] == want


def test_attack_codes_are_the_least_valuable_attackers() -> None:
    random = np.random.default_rng(6)
    boards = []
    for _ in range(150):
        boards.append(chess.Board())
        for uci in random_moves(random, int(random.integers(5, 160))):
            boards[-1].push_uci(uci)
    for board in boards:
        codes = encoding.board_codes(board, "attacks") % encoding.ATTACK_CODES
        for square in range(64):
            own, theirs = (
                min((VALUE[board.piece_type_at(a) or 0] for a in board.attackers(side, square)), default=0)
                for side in (board.turn, not board.turn)
            )
            assert codes[square if board.turn else square ^ 56] == 6 * own + theirs


def test_board_codes_do_not_depend_on_the_block() -> None:
    pieces = np.random.default_rng(3).integers(0, 13, size=(9001, 64)).astype(np.uint8)
    whole = board_codes(pieces, "attacks", checks=True)
    assert (whole[4090:4100] == board_codes(pieces[4090:4100], "attacks", checks=True)).all()
    assert (whole[-1] == board_codes(pieces[-1:], "attacks", checks=True)[0]).all()


def test_both_sides_see_the_same_thing() -> None:
    board = chess.Board("r1bqkb1r/pppp1ppp/2n2n2/4p3/2B1P3/5N2/PPPP1PPP/RNBQK2R w KQkq - 4 4")
    mirrored = board.mirror()
    codes = [encoding.board_codes(b, "attacks", checks=True).tolist() for b in (board, mirrored)]
    assert codes[0] == codes[1]
    assert encoding.state_codes(board, 0).tolist() == encoding.state_codes(mirrored, 0).tolist()


def test_every_legal_move_has_an_id() -> None:
    random = np.random.default_rng(8)
    for _ in range(20):
        board = chess.Board()
        for uci in random_moves(random, 150):
            ids = {encoding.move_id(move, board.turn) for move in board.legal_moves}
            assert len(ids) == board.legal_moves.count()
            board.push_uci(uci)


def test_a_null_move_is_refused() -> None:
    with pytest.raises(KeyError, match="expected a move"):
        encoding.move_id(chess.Move.null(), chess.WHITE)


def test_the_vocabulary_is_fixed() -> None:
    assert (MOVE_COUNT, START) == (1968, 1968)
    assert vocabulary.vocabulary_hash() == "28cbfd7d88f011bc"  # changes only together with every store and net
    assert (FLIP[FLIP] == np.arange(MOVE_COUNT + 1)).all()
    assert UCI_MOVES[FLIP[MOVE_ID["e2e4"]]] == "e7e5"
    assert UCI_MOVES[FLIP[MOVE_ID["a7b8q"]]] == "a2b1q"


@pytest.mark.parametrize(("rating", "bucket"), [(0, 0), (1, 1), (599, 1), (600, 2), (1500, 11), (2899, 24), (3500, 25)])
def test_rating_buckets(rating: int, bucket: int) -> None:
    assert encoding.rating_bucket(rating) == bucket
