"""Stores into stores: each game once, drawn fairly and repeatably, and no half-made copy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from training.data.filters import Filters
from training.data.store import Game, Store, StoreWriter, iterate, open_store
from training.data.subset import Selection, copy

FENS = ("4k3/8/8/8/8/8/8/R3K2R w KQ - 9 20", "4k3/8/8/8/8/8/8/R3K2R w KQ - 0 20")


def store_of(path: Path, numbers: range) -> Store:
    """One game for each number, which is its first move and makes its rating, source and start."""
    writer = StoreWriter(path, games_a_shard=70)
    for n in numbers:
        fen = FENS[n % 2] if n % 5 == 0 else None
        writer.add(Game(np.array([n, n % 7], np.uint16), 1000 + n, 900, source=f"s{n % 3}", start_fen=fen))
    writer.close()
    return open_store(path)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Store]:
    folder = tmp_path_factory.mktemp("stores")
    return [store_of(folder / "a", range(200)), store_of(folder / "b", range(399, 150, -1))]


def numbers(store: Store) -> list[int]:
    return [int(game.moves[0]) for game in iterate(store)]


def test_merge_takes_each_game_once(two: list[Store], tmp_path: Path) -> None:
    report = copy(two, tmp_path / "m", shard_games=90)
    merged = open_store(tmp_path / "m")
    assert numbers(merged) == [*range(200), *range(399, 199, -1)]
    assert report.rejects == Counter({"duplicate": 49})
    assert report.kept == merged.games == 400
    for game in iterate(merged):
        n = int(game.moves[0])
        assert (game.white_elo, game.source) == (1000 + n, f"s{n % 3}")
        assert game.start_fen == (FENS[n % 2] if n % 5 == 0 else None)
    assert [part["fingerprint"] for part in merged.meta["made_from"]] == [store.fingerprint() for store in two]


def test_filter(two: list[Store], tmp_path: Path) -> None:
    report = copy(two, tmp_path / "f", Selection(Filters(max_rating=1190, min_rating=900, starts="standard")))
    assert numbers(open_store(tmp_path / "f")) == [n for n in range(191) if n % 5]
    assert report.rejects["rating above the cap"] == 9 + 209
    assert sum(report.rejects.values()) + report.kept == 200 + 249


def test_a_sample_is_drawn_from_all_and_the_same_again(two: list[Store], tmp_path: Path) -> None:
    for name, seed in (("1", 1), ("2", 1), ("3", 2)):
        report = copy(two, tmp_path / name, Selection(games=100, seed=seed))
        assert (report.kept, report.rejects["not drawn"]) == (100, 300)
    drawn = [numbers(open_store(tmp_path / name)) for name in "123"]
    assert drawn[0] == drawn[1] != drawn[2]
    assert 30 < sum(n < 200 for n in drawn[0]) < 70
    assert len(set(drawn[0])) == 100


def test_bands_and_sources_are_levelled(two: list[Store], tmp_path: Path) -> None:
    copy(two, tmp_path / "b", Selection(max_per_band=20))
    ratings = Counter((1000 + n) // 100 for n in numbers(open_store(tmp_path / "b")))
    assert ratings == {10: 20, 11: 20, 12: 20, 13: 20}
    assert numbers(open_store(tmp_path / "b"))[:20] != list(range(20))  # drawn, not the first
    copy(two, tmp_path / "s", Selection(max_per_source=5))
    assert Counter(game.source for game in iterate(open_store(tmp_path / "s"))) == {"s0": 5, "s1": 5, "s2": 5}


def test_what_is_there_is_not_written_over(two: list[Store], tmp_path: Path) -> None:
    copy(two, tmp_path / "m")
    with pytest.raises(DataError, match="already holds a store"):
        copy(two, tmp_path / "m")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match="found files in it"):
        copy(two, tmp_path / "mine")


def test_an_interrupted_copy_leaves_nothing(two: list[Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(StoreWriter, "extend", stop)
    with pytest.raises(KeyboardInterrupt):
        copy(two, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_nothing_left_is_an_empty_store(two: list[Store], tmp_path: Path) -> None:
    copy(two, tmp_path / "m", Selection(Filters(min_rating=3000)))
    assert open_store(tmp_path / "m").games == 0
