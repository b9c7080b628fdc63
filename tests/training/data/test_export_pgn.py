"""A store as PGN: python-chess must agree with the notation, and reading it back must give the same store."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import chess
import chess.pgn
import numpy as np
import pytest

from engine.vocabulary import MOVE_ID
from tests.training.data.conftest import Corpus
from training.data.__main__ import main
from training.data.filters import Filters
from training.data.ingest import Job, ingest
from training.data.pgn_out import game_text
from training.data.reading.pgn import read_games
from training.data.store import Game, Store, iterate, open_store

HARD = (
    "4k3/8/8/1N3N2/8/1N3N2/8/4K3 w - - 0 1",  # four knights, one square
    "1k6/8/8/Q6Q/8/8/8/Q3K2Q w - - 0 1",
    "4r1k1/8/8/8/8/4N3/8/N3K3 w - - 0 1",  # a pinned rival
    "r3k2r/pPpppppp/8/8/8/8/P1PPPP1p/R3K1R1 b Qkq - 0 1",
)


@pytest.fixture(scope="module")
def store(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = tmp_path_factory.mktemp("export") / "s"
    ingest([corpus.path], path, job=Job(Filters(min_plies=0)))
    return open_store(path)


def test_python_chess_reads_the_same_games(store: Store) -> None:
    text = io.StringIO("".join(game_text(game) for game in iterate(store)))
    for game in iterate(store):
        read = chess.pgn.read_game(text)
        assert read is not None
        assert not read.errors
        assert read.headers["Result"] == game.result
        assert len(list(read.mainline_moves())) == len(game.moves)
    assert chess.pgn.read_game(text) is None


@pytest.mark.parametrize("name", ["out.pgn", "out.pgn.zst", "out.pgn.gz", "out.pgn.bz2"])
def test_there_and_back_is_the_same_store(name: str, store: Store, tmp_path: Path) -> None:
    assert main(["export", str(store.path), "--out", str(tmp_path / name)]) == 0
    assert main(["ingest", str(tmp_path / name), "--min-plies", "0", "--out", str(tmp_path / "again")]) == 0
    again = open_store(tmp_path / "again")
    assert (again.sources, again.starts) == (store.sources, store.starts)
    for a, b in zip(store.shards, again.shards, strict=True):
        assert np.array_equal(a.moves, b.moves)
        assert np.array_equal(a.offsets, b.offsets)
        assert np.array_equal(a.games, b.games)


@pytest.mark.parametrize("source", ["", "?", "unknown", "C:\\games\\", 'the "old" ones'])
def test_every_source_comes_back(source: str) -> None:
    game = Game(np.array([MOVE_ID["e2e4"], MOVE_ID["e7e5"]], np.uint16), source=source)
    read, _ = read_games([game_text(game).encode()])
    assert read.sources[read.records["source"][0]] == source


def test_lines_are_short_and_dates_are_whole(store: Store) -> None:
    text = game_text(next(game for game in iterate(store) if len(game.moves) > 20 and game.start_fen is None))
    assert max(map(len, text.splitlines())) <= 80
    assert '[Date "1998.??.??"]' in game_text(Game(np.array([1], np.uint16), date=19980000))
    assert '[Date "????.??.??"]' in game_text(Game(np.array([1], np.uint16)))


def test_a_file_that_is_there_is_not_written_over(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.pgn").write_text("dear")
    assert main(["export", str(store.path), "--out", str(tmp_path / "mine.pgn")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "mine.pgn").read_text() == "dear"


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_leaves_no_half_file(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "full.pgn.partial").symlink_to("/dev/full")
    assert main(["export", str(store.path), "--out", str(tmp_path / "full.pgn")]) == 2
    error = capsys.readouterr().err
    assert "could not write" in error
    assert "No space left" in error
    assert list(tmp_path.iterdir()) == []
