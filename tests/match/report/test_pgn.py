"""PGN out as python-chess reads it, and in as cutechess-cli and fastchess write it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import chess
import chess.pgn
import pytest

from engine.archives import zstd
from engine.encoding import Scale
from engine.errors import MatchError
from match.play.game import Played
from match.report.pgn import pgn_text, read_pgn, san_moves, scores, unique_games, write_pgn
from tests.match.conftest import START
from training.data.__main__ import main as data_main
from training.data.store import open_store

CUTECHESS = """[Event "?"]
[Site "?"]
[Date "2026.01.02"]
[Round "1"]
[White "net T=0.001"]
[Black "Stockfish level 0"]
[Result "1-0"]
[PlyCount "5"]
[TimeControl "300+1"]

1. e4 {book} e5 {book} 2. Nf3 {+0.34/1 0.010s} Nc6 {[%eval 0.1] (a (nested) line)}
3. Bb5 {+1.00/1 0.011s, Black resigns} 1-0

[Event "?"]
[Round "1"]
[White "Stockfish level 0"]
[Black "net T=0.001"]
[Result "1/2-1/2"]

1. e4 e5 (1... c5 2. Nf3) 2. Nf3 $1 Nc6 3. Bb5! 1/2-1/2

[Event "?"]
[Round "2"]
[White "net T=0.001"]
[Black "Stockfish level 0"]
[Result "0-1"]
[Termination "time forfeit"]

1. d4 d5 {White loses on time} 0-1

[Event "?"]
[Round "2"]
[White "Stockfish level 0"]
[Black "net T=0.001"]
[Result "*"]
[Termination "unterminated"]

1. d4 *
"""


def random_game(seed: int) -> tuple[str, list[str], list[str]]:
    draws, board = random.Random(seed), chess.Board()
    if seed % 3 == 0:
        board = chess.Board("1n2k2n/P6P/8/q2Q2q1/2q5/1Q3Q2/p6p/1N2K2N w - - 0 1")
    fen, moves, sans = board.fen(), [], []
    while not board.is_game_over() and len(moves) < 120:
        move = draws.choice(list(board.legal_moves))
        moves.append(move.uci())
        sans.append(board.san(move))
        board.push(move)
    return fen, moves, sans


@pytest.mark.parametrize("seed", range(45))
def test_san_is_that_of_python_chess(seed: int) -> None:
    fen, moves, sans = random_game(seed)
    assert list(san_moves(fen, moves)) == sans


@pytest.mark.parametrize("seed", [1, 3])
def test_a_written_game_is_read_back(tmp_path: Path, seed: int) -> None:
    fen, moves, _ = random_game(seed)
    played = Played(4, 'A "quoted" \\ one', "B", "o 1", "p", "1/2-1/2", "length", fen, " ".join(moves), 2, "2026.11.23")
    game = chess.pgn.read_game(io.StringIO(pgn_text(played, "test")))
    assert game is not None
    assert not game.errors
    assert [move.uci() for move in game.mainline_moves()] == moves
    write_pgn([played], tmp_path / "g.pgn", event="test")
    assert read_pgn(tmp_path / "g.pgn")[0].tags["White"] == 'A "quoted" \\ one'
    assert (game.headers["Round"], game.headers["Date"], game.headers["PlyCount"]) == ("5", "2026.11.23", str(len(moves)))
    assert ("FEN" in game.headers) == (fen != START)
    assert max(map(len, pgn_text(played, "test").splitlines())) < 120


def test_ratings_that_are_known_are_named_as_the_importer_reads_them(tmp_path: Path) -> None:
    played = Played(0, "a", "b", "o", "p", "1-0", "x", START, "e2e4 e7e5", 0)
    write_pgn([played], tmp_path / "g.pgn", event="e", known={"a": 1987.6, "c": 1200})
    assert data_main(["ingest", str(tmp_path / "g.pgn"), "--out", str(tmp_path / "store")]) == 0
    record = open_store(tmp_path / "store").shards[0].games[0]
    assert (record["white_elo"], record["black_elo"], record["scale"]) == (1988, 0, Scale.ENGINE)
    assert open_store(tmp_path / "store").sources == ["bin/match"]
    write_pgn([played], tmp_path / "g.pgn", event="e", known={"c": 1200})
    assert not {"WhiteElo", "BlackElo", "RatingScale", "Source"} & read_pgn(tmp_path / "g.pgn")[0].tags.keys()


def test_black_to_move_is_numbered_with_dots() -> None:
    fen = "4k3/8/8/8/8/8/4p3/K7 b - - 0 31"
    text = pgn_text(Played(0, "a", "b", "o", "", "0-1", "x", fen, "e2e1q a1a2 e1e2", 0), "e")
    assert text.endswith("31... e1=Q+ 32. Ka2 Qe2+ 0-1\n\n")


def test_cutechess_games_are_paired_counted_and_compared(tmp_path: Path) -> None:
    path = tmp_path / "games.pgn"
    path.write_text(CUTECHESS)
    games = read_pgn(path)
    assert len(games) == 4
    found = scores(games)
    assert [(s.white, s.points) for s in found] == [("net T=0.001", 1.0), ("Stockfish level 0", 0.5), ("net T=0.001", 0.0)]
    assert found[0].pair == found[1].pair != found[2].pair
    assert games[0].moves == games[1].moves == "e4 e5 Nf3 Nc6 Bb5"
    assert unique_games(games) == 3


def test_programs_that_number_every_game_are_paired_by_start(tmp_path: Path) -> None:
    text = ""
    for i, (white, black, fen) in enumerate(
        [("a", "b", "F1"), ("a", "b", "F2"), ("b", "a", "F2"), ("b", "a", "F1"), ("a", "b", "F1")]
    ):
        text += f'[Round "{i}"]\n[White "{white}"]\n[Black "{black}"]\n[Result "1-0"]\n[FEN "{fen}"]\n\n1-0\n\n'
    (tmp_path / "g.pgn").write_text(text)
    pairs = [s.pair for s in scores(read_pgn(tmp_path / "g.pgn"))]
    assert pairs[0] == pairs[3]
    assert pairs[1] == pairs[2]
    assert len(set(pairs)) == 3


def test_our_own_games_keep_their_pairs(tmp_path: Path) -> None:
    games = [
        Played(i, "ab"[i % 2], "ba"[i % 2], f"o{i // 2}", f"p{i // 2}", "1-0", "x", START, f"e2e{3 + i % 2}", 0)
        for i in range(4)
    ]
    write_pgn(games[::-1], tmp_path / "g.pgn", event="e")
    found = scores(read_pgn(tmp_path / "g.pgn"))
    assert [s.pair for s in found] == ["p0", "p0", "p1", "p1"]
    assert found == [game.score() for game in games]


def test_many_games_are_written_by_several_processes_in_order(tmp_path: Path) -> None:
    games = [Played(i, "a", "b", "o", "p", "1-0", "x", START, "e2e4 e7e5", 0) for i in range(2100)]
    write_pgn(games, tmp_path / "two.pgn", event="e", workers=2)
    write_pgn(games, tmp_path / "one.pgn", event="e", workers=1)
    assert (tmp_path / "two.pgn").read_bytes() == (tmp_path / "one.pgn").read_bytes()


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", b"once upon a time\n[not a tag\n", b"1. e4 e5 1-0\n"]
)
def test_what_is_no_pgn_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pgn"
    path.write_bytes(content)
    with pytest.raises(MatchError, match="expected games in PGN"):
        read_pgn(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_packed_files_are_opened_as_bin_data_opens_them(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "g.pgn"
    path.write_bytes(pack(CUTECHESS.replace("\n", "\r\n").replace("net T", "Zoë T").encode("latin-1")))
    assert [game.tags["White"] for game in read_pgn(path)].count("Zoë T=0.001") == 2
    if pack is not bytes:
        path.write_bytes(path.read_bytes()[:-5])
        with pytest.raises(MatchError, match=r"expected a PGN file at .*g\.pgn: it is damaged"):
            read_pgn(path)


@pytest.mark.parametrize(
    ("raw", "named"), [(CUTECHESS.encode("utf-16"), "UTF-16; convert it"), (b"PK\3\4" + bytes(9), r"a \.zip archive")]
)
def test_what_is_no_text_is_named(tmp_path: Path, raw: bytes, named: str) -> None:
    (tmp_path / "g.pgn").write_bytes(raw)
    with pytest.raises(MatchError, match=named):
        read_pgn(tmp_path / "g.pgn")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pgn", tmp_path):
        with pytest.raises(MatchError, match="expected a PGN file at"):
            read_pgn(path)
