"""Stores in parts: every game comes back as it was, the first part is the most varied, and damage is one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from training.data import __main__ as data
from training.data.pack import Part, by_turns, pack, read_part, unpack
from training.data.store import Game, Store, StoreWriter, is_validation, iterate, open_store

FEN = "4k3/8/8/8/8/8/8/R3K2R w KQ - 9 20"
SCARCE, COMMON = 2900, 1500
LIMIT = 40_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """3,000 games of made-up moves in several shards; one in fifty is of a scarce band, one in twenty starts from a FEN."""
    random = np.random.default_rng(5)
    writer = StoreWriter(tmp_path_factory.mktemp("stores") / "all", games_a_shard=700)
    for n in range(3000):
        moves = random.integers(0, 1968, size=int(random.integers(4, 90)) if n else 0, dtype=np.uint16)
        rating = SCARCE if n % 50 == 0 else COMMON
        writer.add(
            Game(
                moves,
                rating - n % 90,
                rating,
                result=("1-0", "0-1", "1/2-1/2", "*")[n % 4],
                scale=n % 3,
                time_class="blitz",
                termination="time",
                date=20200101 + n % 28,
                source=f"s{n % 7}",
                start_fen=FEN if n % 20 == 0 else None,
            )
        )
    writer.close()
    return open_store(writer.path)


@pytest.fixture(scope="module")
def parts(store: Store, tmp_path_factory: pytest.TempPathFactory) -> list[Part]:
    return list(pack(store, tmp_path_factory.mktemp("parts"), part_bytes=LIMIT))


def as_text(game: Game) -> str:
    return f"{game.moves.tolist()} {game.start_fen} {game.white_elo} {game.black_elo} {game.result} {game.scale} " + (
        f"{game.time_class} {game.termination} {game.date} {game.source} {game.key()}"
    )


def test_every_game_comes_back_as_it_was(store: Store, parts: list[Part], tmp_path: Path) -> None:
    report = unpack([part.path for part in parts], tmp_path / "back")
    back = open_store(tmp_path / "back")
    assert sorted(map(as_text, iterate(back))) == sorted(map(as_text, iterate(store)))
    assert (report.kept, report.plies, back.meta["complete"]) == (store.games, store.plies, True)
    assert back.meta["made_from"] == [{"store": "all", "fingerprint": store.fingerprint()}]
    for shard in back.shards:
        assert [int(key) for key in shard.games["key"]] == [
            game.key() for game in iterate(Store(back.path, [shard], back.sources, back.starts, {}))
        ]


def test_parts_have_the_size_asked_for_and_say_what_they_hold(store: Store, parts: list[Part]) -> None:
    assert len(parts) > 3
    for part in parts:
        assert part.size == part.path.stat().st_size <= LIMIT
        games, _ = read_part(part.path)
        assert (part.games, part.plies) == (len(games), len(games.moves))
        assert part.held_out == is_validation(games.records["key"]).sum() > 0
    assert all(part.size > 0.9 * LIMIT for part in parts[:-1])
    assert sum(part.games for part in parts) == store.games


def test_scarce_bands_are_all_in_the_first_part(parts: list[Part]) -> None:
    scarce = [int((read_part(part.path)[0].records["black_elo"] == SCARCE).sum()) for part in parts]
    assert scarce == [60] + [0] * (len(parts) - 1)


def test_bands_take_turns_and_chance_decides_within_them() -> None:
    highest = np.array([1510] * 4 + [0, 1600, 1699, 1590], np.uint16)
    order = by_turns(highest, seed=1)
    assert sorted(order.tolist()) == list(range(8))
    assert (highest[order] // 100).tolist() == [0, 15, 16, 15, 16, 15, 15, 15]
    assert by_turns(highest, seed=1).tolist() == order.tolist()
    assert any(by_turns(highest, seed=seed).tolist() != order.tolist() for seed in range(2, 6))


def test_the_first_games_of_an_unpacked_store_are_no_one_opening(parts: list[Part], tmp_path: Path) -> None:
    games, _ = read_part(parts[0].path)
    played = games.lengths > 0
    first = games.moves[games.offsets[:-1][played]].astype(np.int64)
    assert (np.diff(first) >= 0).all()  # as a part has them
    unpack([parts[0].path], tmp_path / "back")
    shard = open_store(tmp_path / "back").shards[0]
    begins = shard.offsets[:-1][np.diff(shard.offsets) > 0][:40]
    assert len(set((shard.moves[begins] // 400).tolist())) > 3


def test_some_parts_are_a_store_and_a_part_given_twice_counts_once(store: Store, parts: list[Part], tmp_path: Path) -> None:
    report = unpack([parts[1].path, parts[0].path, parts[1].path], tmp_path / "back")
    assert report.kept == parts[0].games + parts[1].games == open_store(tmp_path / "back").games
    assert report.rejects["duplicate"] == parts[1].games


def test_no_more_parts_than_asked_for_and_the_same_ones(store: Store, parts: list[Part], tmp_path: Path) -> None:
    again = list(pack(store, tmp_path, part_bytes=LIMIT, parts=2))
    assert [part.path.read_bytes() for part in again] == [part.path.read_bytes() for part in parts[:2]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-1.games", "part-2.games"]
    with pytest.raises(DataError, match="already holds parts"):
        next(pack(store, tmp_path, part_bytes=LIMIT))


def test_a_size_that_holds_nothing_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is too little"):
        next(pack(store, tmp_path, part_bytes=300))


def test_keys_that_do_not_follow_from_the_moves_are_not_left_out(store: Store, tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "spoilt")
    writer.add(Game(np.array([1, 2, 3], np.uint16)))
    writer.close()
    file = tmp_path / "spoilt" / "shard-00000" / "games.npy"
    records = np.load(file)
    records["key"] += 1
    np.save(file, records)
    with pytest.raises(DataError, match="damaged: some keys"):
        next(pack(open_store(tmp_path / "spoilt"), tmp_path / "parts", part_bytes=LIMIT))


def spoil(part: Part, to: Path, *, how: str) -> Path:
    whole = bytearray(part.path.read_bytes())
    match how:
        case "changed":
            whole[len(whole) // 2] ^= 1
        case "cut":
            del whole[-100:]
        case "foreign":
            whole[:] = b"PK\x03\x04 something else\n" + bytes(200)
        case "empty":
            whole.clear()
        case "older":
            whole = whole.replace(b'"format": "transcendence games 1"', b'"format": "transcendence games 0"')
    to.write_bytes(whole)
    return to


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("changed", "is damaged (its checksum does not fit); pack or bring it again"),
        ("cut", "is damaged (its checksum does not fit); pack or bring it again"),
        ("foreign", "got another kind of file"),
        ("empty", "got another kind of file"),
        ("older", "got another kind of file"),
    ],
)
def test_what_is_no_whole_part_is_one_line_and_leaves_nothing(
    parts: list[Part], tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str, said: str
) -> None:
    path = spoil(parts[0], tmp_path / "part-9.games", how=how)
    assert data.main(["unpack", str(parts[1].path), str(path), "--out", str(tmp_path / "back")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert str(path) in error
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_part_of_another_vocabulary_is_refused(parts: list[Part], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.pack.vocabulary_hash", lambda: "another")
    with pytest.raises(DataError, match=r"vocabulary \w+, this program reads another"):
        unpack([parts[0].path], tmp_path / "back")


def test_the_command_packs_and_unpacks(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data.main(["pack", str(store.path), "--out", str(tmp_path / "parts"), "--part-mib", "0.05", "--parts", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [str(tmp_path / "parts" / f"part-{n}.games") for n in (1, 2)]
    assert all("held out" in line and "bits a ply" in line for line in lines)
    files = sorted(map(str, (tmp_path / "parts").iterdir()))
    assert data.main(["unpack", *files, "--out", str(tmp_path / "back")]) == 0
    assert 0 < json.loads((tmp_path / "back" / "store.json").read_text())["games"] < store.games
    with pytest.raises(SystemExit):
        data.main(["pack", str(store.path), "--out", "x", "--part-mib", "-1"])
