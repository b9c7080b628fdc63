"""A store gives back what went in, refuses what is damaged, and never changes how old ones are read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.vocabulary import MOVE_ID
from training.data import store as store_module
from training.data.store import GAME_DTYPE, Game, StoreWriter, alone, blocks, is_validation, iterate, open_store, pack, unpack

FEN = "4k3/8/8/8/8/8/8/R3K2R w KQ - 9 20"


def game(*moves: str, **fields: object) -> Game:
    return Game(np.array([MOVE_ID[m] for m in moves], np.uint16), **fields)  # type: ignore[arg-type]


GAMES = [
    game(
        "e2e4",
        "e7e5",
        white_elo=1500,
        black_elo=1400,
        result="1-0",
        scale=1,
        time_class="blitz",
        termination="time",
        date=20170430,
        source="a",
    ),
    game("e1g1", start_fen=FEN, source="b"),
    game("d2d4", source="a"),
    game("a1a8", start_fen=FEN.replace(" 9 ", " 0 "), result="1/2-1/2"),
]


def written(path: Path, games: list[Game] = GAMES, games_a_shard: int = 3) -> Path:
    writer = StoreWriter(path, games_a_shard=games_a_shard)
    for one in games:
        writer.add(one)
    writer.close()
    return path


def plain(one: Game) -> list[object]:
    return [one.moves.tolist(), *(v for k, v in vars(one).items() if k != "moves")]


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    store = open_store(written(tmp_path / "s"))
    assert [len(shard.games) for shard in store.shards] == [3, 1]
    assert [plain(one) for one in iterate(store)] == [plain(one) for one in GAMES]
    assert list(map(plain, unpack(pack(GAMES)))) == [plain(one) for one in GAMES]


def test_blocks_and_masks_keep_moves_and_games_together(tmp_path: Path) -> None:
    store = open_store(written(tmp_path / "s"))
    got = [one for block in blocks(store, games=2) for one in unpack(block.take(np.arange(len(block)) % 2 == 0))]
    assert [plain(one) for one in got] == [plain(GAMES[0]), plain(GAMES[2]), plain(GAMES[3])]


def test_the_format_is_fixed() -> None:
    """Stores of earlier versions stay readable, and keys decide which games are held out."""
    assert GAME_DTYPE.itemsize == 26
    assert GAME_DTYPE.names == (
        "key",
        "white_elo",
        "black_elo",
        "result",
        "scale",
        "time_class",
        "termination",
        "date",
        "source",
        "start",
    )
    assert game("e2e4", "e7e5").key() == 5597642569133892393
    assert game("e2e4", "e7e5", start_fen=FEN).key() != game("e2e4", "e7e5").key()
    keys = np.array([9, 10, 1009], np.uint64)
    assert is_validation(keys).tolist() == [True, False, True]


def test_many_sources_end_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_MOST_SOURCES", 3)
    games = [game("e2e4", source=f"place {i}") for i in range(6)]
    store = open_store(written(tmp_path / "s", games))
    assert [one.source for one in iterate(store)] == ["place 0", "place 1", "place 2", "other", "other", "other"]


def test_a_store_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="already holds a store"):
        StoreWriter(written(tmp_path / "s"))


def test_going_on_numbers_sources_and_starts_as_before(tmp_path: Path) -> None:
    path = written(tmp_path / "s", GAMES[:2])
    writer = StoreWriter(path, resume=True, games_a_shard=3)
    for one in GAMES[2:]:
        writer.add(one)
    writer.close()
    store = open_store(path)
    assert [plain(one) for one in iterate(store)] == [plain(one) for one in GAMES]
    assert store.meta["games"] == store.games == 4
    assert store.sources == ["a", "b", ""]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: (p / "store.json").unlink(), "expected a token store .a folder with store.json."),
        (lambda p: (p / "store.json").write_text("{"), "is damaged"),
        (lambda p: (p / "store.json").write_text("[]"), "is damaged"),
        (lambda p: (p / "shard-00000" / "moves.npy").write_bytes(b""), "is damaged"),
        (lambda p: (p / "shard-00000" / "moves.npy").write_bytes(b"\x93NUMPY"), "is damaged"),
        (lambda p: shutil.rmtree(p / "shard-00001"), "is damaged"),
        (lambda p: np.save(p / "shard-00000" / "offsets.npy", np.arange(4)), "offsets do not fit"),
        (lambda p: np.save(p / "shard-00000" / "moves.npy", np.zeros(4)), "arrays of other types"),
    ],
)
def test_a_damaged_store_is_refused_by_name(damage: object, message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "s")
    damage(path)  # type: ignore[operator]
    with pytest.raises(DataError, match=message) as caught:
        open_store(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("format", 99), ("vocabulary", "0123456789abcdef")])
def test_a_foreign_store_is_refused(name: str, value: object, tmp_path: Path) -> None:
    path = written(tmp_path / "s")
    meta = json.loads((path / "store.json").read_text())
    (path / "store.json").write_text(json.dumps(meta | {name: value}))
    with pytest.raises(DataError, match=f"{value}.*make the store again"):
        open_store(path)


def test_a_store_too_small_for_the_rule_holds_out_the_game_nearest_to_it(tmp_path: Path) -> None:
    games = [game("e2e4", "e7e5", "g1f3"), game("d2d4", "d7d5", "c2c4"), game("c2c4", "e7e5", "b1c3")]
    keys = np.array([one.key() for one in games], np.uint64)
    assert not is_validation(keys).any()
    store = open_store(written(tmp_path / "s", games))
    held = np.concatenate(store.held_out())
    assert held.sum() == 1
    assert keys[held][0] % np.uint64(1000) == (keys % np.uint64(1000)).min()
    alone = open_store(written(tmp_path / "t", games[:1]))
    assert not np.concatenate(alone.held_out()).any()


def test_the_scale_is_that_of_most_rated_games(tmp_path: Path) -> None:
    games = [game("e2e4", "e7e5", white_elo=1500, black_elo=1400, scale=3) for _ in range(2)]
    games += [game("d2d4", "d7d5", white_elo=1500, black_elo=1400, scale=1), *[game("c2c4", "c7c5") for _ in range(5)]]
    assert open_store(written(tmp_path / "s", games)).scale() == 3
    assert open_store(written(tmp_path / "t", games[-5:])).scale() == 0


def test_two_commands_do_not_make_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with alone(tmp_path / "s"), pytest.raises(DataError, match="another command is making a store"), alone(tmp_path / "s"):
        pass
    with alone(tmp_path / "s"):
        pass
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with alone(Path(".")):
        assert (tmp_path / "here.lock").exists()
