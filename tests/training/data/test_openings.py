"""Opening lines out of a store: legal, different, of the lengths asked for, as its games begin."""

from __future__ import annotations

from pathlib import Path

import chess
import numpy as np
import pytest

from engine.vocabulary import UCI_MOVES
from match.play.openings import load_openings
from tests.training.data.conftest import Corpus
from training.data.__main__ import main
from training.data.openings import late_positions, opening_lines
from training.data.store import Store, iterate, open_store


@pytest.fixture(scope="module")
def store(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = tmp_path_factory.mktemp("openings") / "s"
    assert main(["ingest", str(corpus.path), "--out", str(path)]) == 0
    return open_store(path)


def test_lines_are_beginnings_of_games(store: Store) -> None:
    games = [" ".join(UCI_MOVES[move] for move in game.moves) for game in iterate(store) if game.start_fen is None]
    lines = opening_lines(store, lines=20, shortest=3, longest=6, seed=1)
    assert len(lines) == len(set(lines)) == 20
    assert {len(line.split()) for line in lines} == {3, 4, 5, 6}
    for line in lines:
        assert any(game.startswith(line) for game in games)
    assert opening_lines(store, lines=20, shortest=3, longest=6, seed=1) == lines
    assert opening_lines(store, lines=20, shortest=3, longest=6, seed=2) != lines


def test_matches_read_what_the_command_writes(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "lines.txt"
    assert main(["openings", str(store.path), "--lines", "5", "--plies", "4-4", "--out", str(out)]) == 0
    assert "5 lines" in capsys.readouterr().out
    assert [len(opening.moves) for opening in load_openings(out)] == [4] * 5
    assert all(opening.board().fullmove_number == 3 and opening.board().turn is chess.WHITE for opening in load_openings(out))


@pytest.mark.parametrize("plies", ["6", "9-6", "0-4", "a-b", "-"])
def test_lengths_that_make_no_sense_are_refused(plies: str, store: Store, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["openings", str(store.path), "--plies", plies, "--out", str(tmp_path / "x")])
    assert refused.value.code == 2


def test_no_lines_at_all_are_refused(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openings", str(store.path), "--lines", "0", "--out", str(tmp_path / "x")]) == 2
    assert "expected one line or more, got 0" in capsys.readouterr().err


def test_a_store_of_short_games_is_refused(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openings", str(store.path), "--plies", "5-5000", "--out", str(tmp_path / "x")]) == 2
    assert "expected games of more than 5000 plies" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_positions_are_those_that_games_come_to(store: Store) -> None:
    held_out = np.concatenate(store.held_out())
    reached = set()
    for game, left_out in zip(iterate(store), held_out, strict=True):
        board = chess.Board(game.start_fen or chess.STARTING_FEN)
        for move in () if left_out or game.start_fen else game.moves:
            board.push_uci(UCI_MOVES[move])
            reached.add(board.epd())
    positions = late_positions(store, positions=20, fewest=29, most=31, seed=1)
    assert len(positions) == len(set(positions)) == 20
    assert reached.issuperset(positions)
    assert {len(chess.Board(f"{epd} 0 1").piece_map()) for epd in positions} == {29, 30, 31}
    assert late_positions(store, positions=20, fewest=29, most=31, seed=1) == positions


def test_matches_read_positions_too(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "late.epd"
    assert main(["openings", str(store.path), "--lines", "3", "--men", "28-31", "--out", str(out)]) == 0
    assert [len(opening.moves) for opening in load_openings(out)] == [0] * 3


def test_positions_in_a_file_of_lines_are_refused(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openings", str(store.path), "--men", "3-12", "--out", str(tmp_path / "late.txt")]) == 2
    assert "expected --out FILE.epd with --men" in capsys.readouterr().err


def test_a_store_whose_games_never_have_so_few_men_is_refused(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["openings", str(store.path), "--men", "1-2", "--out", str(tmp_path / "late.epd")]) == 2
    assert "expected games that come to 1 to 2 men" in capsys.readouterr().err
