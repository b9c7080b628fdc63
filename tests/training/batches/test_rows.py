"""Rows must say exactly what each mover saw, and come in the same order however many processes read them."""

from __future__ import annotations

import dataclasses

import chess
import numpy as np
import pytest

from engine import encoding
from engine.errors import DataError
from engine.vocabulary import FLIP, START, UCI_MOVES
from training.batches.rows import RowReader, Rows, build_rows, join, start_of
from training.config import Config, DataConfig, ModelConfig
from training.data.store import Store, StoreWriter, is_validation, open_store


def first_games(store: Store, count: int) -> Rows:
    shard = store.shards[0]
    games = np.arange(count)
    starts = [start_of(store.starts[i]) if i >= 0 else None for i in shard.games["start"][:count]]
    model = ModelConfig(layers=1, width=16, heads=2, context=16, board_input="attacks")
    return build_rows(shard, games, starts=starts, model=model, dropout=np.zeros(count, np.bool_))


def test_rows_say_what_python_chess_says(store: Store) -> None:
    rows, shard = first_games(store, 12), store.shards[0]
    flat = [getattr(rows, name).reshape(-1, *getattr(rows, name).shape[2:]) for name in ("board", "state", "targets", "moves")]
    at = 0
    for g in range(12):
        start = int(shard.games["start"][g])
        board = chess.Board(store.starts[start]) if start >= 0 else chess.Board()
        seen: dict[object, int] = {}
        for ply, move in enumerate(shard.moves[shard.offsets[g] : shard.offsets[g + 1]]):
            if at >= len(flat[0]):
                return
            key = encoding.position_key(board)
            assert flat[0][at].tolist() == encoding.board_codes(board, "attacks").tolist()
            assert flat[1][at].tolist() == encoding.state_codes(board, seen.get(key, 0)).tolist()
            played = chess.Move.from_uci(UCI_MOVES[move])
            assert flat[2][at] == encoding.move_id(played, board.turn)
            led = START if ply == 0 or at % 16 == 0 else encoding.move_id(board.peek(), board.turn)
            assert flat[3][at] == led
            seen[key] = seen.get(key, 0) + 1
            board.push(played)
            at += 1
    pytest.fail("the rows held more plies than the games")


def test_ratings_and_results_are_the_movers(store: Store) -> None:
    rows, shard = first_games(store, 5), store.shards[0]
    record = shard.games[1]  # game 0 starts from a FEN, game 1 with White's move
    begin = int(shard.offsets[1])
    row, column = divmod(begin, 16)
    white, black = encoding.rating_bucket(int(record["white_elo"])), encoding.rating_bucket(int(record["black_elo"]))
    assert rows.ratings[row, column].tolist() == [white, black, 1]
    row, column = divmod(begin + 1, 16)
    assert rows.ratings[row, column].tolist() == [black, white, 1]
    wanted = {0: (0, 2), 1: (1, 1), 2: (2, 0), 3: (-100, -100)}[int(record["result"])]
    flat = rows.results.reshape(-1)
    assert (flat[begin], flat[begin + 1]) == wanted


def test_elo_is_the_movers(store: Store) -> None:
    rows, shard = first_games(store, 5), store.shards[0]
    elo = rows.elo.reshape(-1)
    for g, sides in ((0, ("black_elo", "white_elo")), (1, ("white_elo", "black_elo"))):  # game 0 starts with Black's move
        begin, end = shard.offsets[g : g + 2].tolist()
        points = [int(shard.games[g][side]) for side in sides]
        assert points[0] != points[1]
        assert elo[begin:end].tolist() == [points[i % 2] for i in range(end - begin)]


def test_no_ply_of_another_game_shares_a_segment(store: Store) -> None:
    rows, shard = first_games(store, 12), store.shards[0]
    lengths = np.diff(shard.offsets[:13])
    wanted = np.repeat(np.arange(12), lengths)[: rows.segments.size]
    assert rows.segments.reshape(-1).tolist() == wanted.tolist()


def test_a_blind_net_reads_every_game_from_its_beginning(store: Store) -> None:
    model = ModelConfig(layers=1, width=16, heads=2, context=64, board_input="none")
    shard = store.shards[0]
    standard = np.flatnonzero(shard.games["start"] < 0)[:20]
    rows = build_rows(shard, standard, starts=[None] * 20, model=model, dropout=np.zeros(20, np.bool_))
    assert len(rows) > 5
    for row in range(len(rows)):
        begins = np.flatnonzero(np.diff(rows.segments[row], prepend=-1))
        assert (rows.moves[row, begins] == START).all()
        for begin in begins:
            game = standard[rows.segments[row, begin]]
            first = shard.moves[shard.offsets[game]]
            assert rows.targets[row, begin] == first


def test_one_process_and_two_read_the_same_steps(store: Store, config: Config) -> None:
    alone = RowReader(store, config.data, config.model, seed=3)
    shared = [RowReader(store, config.data, config.model, seed=3, rank=r, world=2) for r in range(2)]
    for _ in range(30):
        one = alone.rows(8)
        two = join([reader.rows(4) for reader in shared])
        assert sorted(map(bytes, one.targets)) == sorted(map(bytes, two.targets))


def test_a_restored_reader_goes_on_with_the_same_rows(store: Store, config: Config) -> None:
    reader = RowReader(store, config.data, config.model, seed=3)
    for _ in range(13):
        reader.rows(8)
    other = RowReader(store, config.data, config.model, seed=3)
    other.restore(reader.state())
    for _ in range(13):
        a, b = reader.rows(8), other.rows(8)
        assert (a.targets == b.targets).all()
        assert (a.ratings == b.ratings).all()


def test_training_never_reads_a_validation_game(store: Store, config: Config) -> None:
    reader = RowReader(store, config.data, config.model, seed=1)
    held_out = sum(int(is_validation(s.games["key"]).sum()) for s in store.shards)
    assert held_out > 0
    assert reader.games == store.games - held_out


def test_a_rating_cap_leaves_only_players_below_it(store: Store, config: Config) -> None:
    data = DataConfig(max_rating=1500, streams=4, shuffle_games=20)
    reader = RowReader(store, data, config.model, seed=1)
    assert 0 < reader.games < store.games
    rows = reader.rows(32)
    assert rows.ratings[..., :2].max() <= encoding.rating_bucket(1500)


def test_too_few_games_is_one_clear_line(store: Store, config: Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("few") / "games"
    writer = StoreWriter(path)
    writer.close()
    with pytest.raises(DataError, match="expected a game for training"):
        RowReader(open_store(path), config.data, config.model, seed=1)


def test_the_flip_of_a_start_is_a_start() -> None:
    assert FLIP[START] == START


def test_packing_says_what_is_read_again_and_what_is_left_out(store: Store, config: Config) -> None:
    seeing = RowReader(store, config.data, config.model, seed=3).packing()
    assert seeing.read_again == 0
    assert 0 <= seeing.left_out < 0.05
    model = dataclasses.replace(config.model, board_input="none", context=96)  # no game is longer
    blind = RowReader(store, config.data, model, seed=3).packing()
    assert 0.1 < blind.read_again < 0.4
    assert seeing.left_out < blind.left_out < 0.2
