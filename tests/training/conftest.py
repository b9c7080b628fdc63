"""A small store of games that the project plays itself: random legal moves with made-up ratings and results."""

from __future__ import annotations

import chess
import numpy as np
import pytest
import torch

from engine.vocabulary import MOVE_ID
from training.config import Config, DataConfig, ModelConfig, OptimizerConfig, RunConfig
from training.data.store import Game, Store, StoreWriter, open_store

BLACK_FIRST = "r3k2r/pppppppp/8/8/8/8/PPPPPPPP/R3K2R b KQkq - 0 1"


def random_game(random: np.random.Generator, *, fen: str | None = None, plies: int = 60) -> Game:
    """One game of random moves; the moves' ids are as White sees them."""
    board, moves = chess.Board(fen or chess.STARTING_FEN), []
    while len(moves) < plies and not board.is_game_over():
        legal = list(board.legal_moves)
        board.push(legal[int(random.integers(len(legal)))])
        moves.append(MOVE_ID[board.peek().uci()])
    elo = random.integers(800, 2400, size=2)
    result = ("1-0", "0-1", "1/2-1/2", "*")[int(random.integers(4))]
    return Game(np.array(moves, np.uint16), int(elo[0]), int(elo[1]), result=result, scale=1, source="random", start_fen=fen)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """On a busy machine two threads wait for each other at every kernel: these small nets then take ten times as long."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """400 random games, some of them from a FEN with Black to move, in several shards."""
    path = tmp_path_factory.mktemp("store") / "games"
    random = np.random.default_rng(7)
    writer = StoreWriter(path, games_a_shard=150)
    for i in range(400):
        writer.add(random_game(random, fen=BLACK_FIRST if i % 10 == 0 else None, plies=20 + i % 60))
    writer.close()
    return open_store(path)


@pytest.fixture
def config() -> Config:
    """A run of 12 tiny steps."""
    return Config(
        model=ModelConfig(layers=1, width=16, heads=2, context=32, board_input="attacks"),
        data=DataConfig(batch_plies=256, shuffle_games=20, streams=4, micro_plies=128),
        optimizer=OptimizerConfig(adam_lr=0.02),
        run=RunConfig(steps=12, log_every=1, validation_plies=400, precision="float32"),
    )
