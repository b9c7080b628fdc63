"""The order of the trainer's rows is part of a run: a resumed one must go on with what it would have read."""

from __future__ import annotations

import hashlib

import chess
import numpy as np
import pytest

from engine import encoding
from engine.vocabulary import MOVE_ID
from training.batches.replay import replay
from training.batches.rows import RowReader, start_of
from training.config import DataConfig, ModelConfig
from training.data.store import Game, Store, StoreWriter, open_store

BLACK_FIRST = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR b KQkq - 0 1"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """300 games of pawn moves in any order, which are legal whatever the order; one in nine begins with Black."""
    path = tmp_path_factory.mktemp("order") / "s"
    random = np.random.default_rng(5)
    writer = StoreWriter(path, games_a_shard=110)
    for n in range(300):
        white = [f"{f}2{f}{r}" for f, r in zip(random.permutation(list("abcdefgh")), random.choice([3, 4], 8), strict=True)]
        black = [f"{f}7{f}6" for f in random.permutation(list("abcdefgh"))]
        sides = (black, white) if n % 9 == 0 else (white, black)
        moves = [MOVE_ID[m] for pair in zip(*sides, strict=True) for m in pair if m[1::2] != "45"]
        moves = moves[: int(random.integers(3, 9))]  # before pawns meet
        fen = BLACK_FIRST if n % 9 == 0 else None
        writer.add(Game(np.array(moves, np.uint16), 800 + n, 1900 - n, result="1-0", scale=n % 5, start_fen=fen))
    writer.close()
    return open_store(path)


@pytest.mark.parametrize(
    ("board_input", "digest"), [("attacks", "4c37ffff81c6ef73"), ("sum", "02f16f70c5b15275"), ("none", "06b96decf0b0af48")]
)
def test_rows_come_in_the_order_of_this_version(board_input: str, digest: str, store: Store) -> None:
    model = ModelConfig(layers=1, width=16, heads=2, context=16, board_input=board_input)  # type: ignore[arg-type]
    reader = RowReader(store, DataConfig(streams=4, shuffle_games=40), model, seed=5)
    found = hashlib.blake2b(digest_size=8)
    for _ in range(30):  # some three epochs
        rows = reader.rows(8)
        for array in (rows.moves, rows.board, rows.state, rows.ratings, rows.targets, rows.results):
            found.update(array.astype("<i8").tobytes())
        found.update((np.diff(rows.segments, axis=1) != 0).tobytes())
    assert found.hexdigest() == digest


def test_replay_s_keys_tell_repetitions_from_other_positions() -> None:
    random = np.random.default_rng(9)
    fens = (chess.STARTING_FEN, "4k3/8/8/8/8/8/8/R3K2R w KQ - 0 1", "8/8/8/8/3pP3/8/8/K6k b - e3 0 1")
    begins, moves, keys = [], [], []
    for n in range(60):
        board, game = chess.Board(fens[n % 3]), []
        while len(game) < 40 and not board.is_game_over():
            legal = list(board.legal_moves)
            keys.append(encoding.position_key(board))
            board.push(legal[int(random.integers(len(legal)))])
            game.append(MOVE_ID[board.peek().uci()])
        begins.append(start_of(fens[n % 3]))
        moves.append(game)
    ids = np.array([m for game in moves for m in game], np.uint16)
    found = replay(ids, np.cumsum([0, *map(len, moves)]), dict(enumerate(begins))).keys
    numbers = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    assert len(numbers) < len(keys) - 50  # many positions come again
    by_hand = np.array([numbers[key] for key in keys])
    assert len(np.unique(found)) == len(numbers)
    assert len(np.unique(np.stack([found.astype(np.uint64), by_hand.astype(np.uint64)]), axis=1)[0]) == len(numbers)
