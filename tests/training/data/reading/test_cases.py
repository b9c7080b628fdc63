"""Files of many kinds, each with games that are all kept or counted with a reason; their number is counted independently."""

from __future__ import annotations

import gzip
import lzma
import re
from collections import Counter
from pathlib import Path

import pytest

from engine.archives import zstd
from training.data.__main__ import main
from training.data.filters import Filters
from training.data.ingest import Job, ingest
from training.data.store import iterate, open_store

CASES = Path(__file__).with_name("cases")
FILES = sorted(path.name for path in CASES.iterdir())
ALL = Filters(min_plies=0)
TAGS = '[Event "x"]\n[White "a"]\n[Black "b"]\n'


def plain_text(path: Path) -> str:
    raw = path.read_bytes()
    raw = zstd.decompress(raw[12:]) if path.suffix == ".zst" else lzma.decompress(raw) if path.suffix == ".xz" else raw
    return raw.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def counted(text: str) -> int:
    """Results outside tags and comments."""
    bare = re.sub(r"^\[.*|\{[^}]*\}", " ", text, flags=re.MULTILINE)
    return len(re.findall(r"(?<!\S)(?:1-0|0-1|1/2-1/2|\*)(?!\S)", bare))


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("name", FILES)
def test_every_game_of_a_case_is_kept(name: str, fast: bool, tmp_path: Path) -> None:
    report = ingest([CASES / name], tmp_path / "s", job=Job(ALL, fast=fast))
    assert report.read == counted(plain_text(CASES / name)) > 0
    assert (report.kept, report.rejects, report.trouble) == (report.read, Counter(), "")


def test_the_cases_have_the_moves_that_they_show(tmp_path: Path) -> None:
    plies = {
        "bracket-time.pgn": [3],
        "capture-without-x.pgn": [4],
        "en-passant-suffix.pgn": [12],
        "moves-in-uci.pgn": [12],
        "carriage-returns-only.pgn": [14, 12, 12],
        "games-without-tags.pgn": [10, 10, 10],
        "pzstd.zst": [10, 8, 8],
        "terminations.tsv": [10],
    }
    for name, wanted in plies.items():
        ingest([CASES / name], tmp_path / name, job=Job(ALL))
        assert [len(game.moves) for game in iterate(open_store(tmp_path / name))] == wanted, name


GAME = "1. e4 e5 2. Nf3"
TEN_MOVES = " ".join(f"{n}. {'Nf3 Nf6' if n % 2 else 'Ng1 Ng8'}" for n in range(1, 10))
COUNTS: dict[str, tuple[str, int, int, dict[str, int]]] = {
    # text, games kept, kept without a result, left out
    "a line each": ("1. e4 e5 1-0\n1. d4 d5 0-1\n1. c4 *\n", 3, 0, {}),
    "a line each, without numbers": ("e4 e5 1-0\nd4 d5 0-1\nc4 *\n", 3, 0, {}),
    "a line each, without results": ("1. e4 e5\n1. d4 d5\n1. c4\n", 3, 3, {}),
    "all in a line": ("1. e4 e5 1-0 1. d4 d5 0-1 1. c4 *\n", 3, 0, {}),
    "behind a game with tags": (f"{TAGS}\n1. e4 e5 1-0\n1. d4 d5 0-1\n\n{TAGS}\n1. c4 *\n", 3, 0, {}),
    "one of a line each is broken": (
        "1. e4 e5 1-0\n1. d4 (d5 0-1\n1. c4 Ke7 *\n1. a4 *\n",
        2,
        0,
        {"not read to its result": 1, "illegal move": 1},
    ),
    "wrapped before move ten": (f"{TAGS}\n{TEN_MOVES}\n10. a4 a5\n11. b4 b5 *\n", 1, 0, {}),
    "a second move on its own line": ("1. e4 {x}\n1... e5 2. Nf3 *\n", 1, 0, {}),
    "a variation from move 1 on its own line": ("1. e4 (\n1. d4 d5)\n1... e5 *\n", 1, 0, {}),
    "a variation that never ends": (f"{TAGS}\n{GAME} (2. d4 1-0\n\n{TAGS}\n1. d4 *\n", 1, 0, {"not read to its result": 1}),
    "a comment that never ends": (f"{TAGS}\n{GAME} {{ 1-0\n\n{TAGS}\n1. d4 *\n", 1, 0, {"not read to its result": 1}),
    "no result": (f"{TAGS}\n{GAME}\n\n{TAGS}\n1. d4 *\n", 2, 1, {}),
    "half a move at the end": (f"{TAGS}\n1. d4 *\n\n{TAGS}\n1. e4 e5 2. N", 1, 0, {"cut off at the end of the file": 1}),
    "half a move in a line": (f"{TAGS}\n1. d4 *\n\n{TAGS}\n1. e4 e5 2. N\n", 1, 0, {"unreadable": 1}),
    "two empty lines before the moves": (f"{TAGS}\n\n\n{GAME} *\n", 1, 0, {}),
    "an empty line among the moves": (f"{TAGS}\n1. e4 e5\n\n2. Nf3 *\n", 1, 0, {}),
    "as DOS ends a file": (f"{TAGS}\n{GAME} *\x1a", 1, 0, {}),
    "all tags in a line": ('[Event "x"] [White "a"] [FEN "4k3/8/8/8/8/8/8/4K2R w K - 0 1"] 1. O-O Kd7 *\n', 1, 0, {}),
}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("kind", COUNTS)
def test_every_game_is_kept_or_counted_with_its_reason(kind: str, fast: bool, end: str, tmp_path: Path) -> None:
    text, kept, open_ended, rejects = COUNTS[kind]
    path = tmp_path / "g.pgn"
    path.write_bytes(text.replace("\n", end).encode())
    report = ingest([path], tmp_path / "s", job=Job(ALL, fast=fast))
    assert (report.kept, report.open_ended, dict(report.rejects)) == (kept, open_ended, rejects)
    assert ("kept without a result behind the moves" in report.text()) == (open_ended > 0)


def test_lines_of_tab_separated_games_may_end_as_on_any_computer(tmp_path: Path) -> None:
    line = (CASES / "terminations.tsv").read_bytes().rstrip(b"\n")
    lines = [b"\xef\xbb\xbf" + line, line.replace(b"d2d4 e5d4", b"b1c3 a7a6"), b"no game", line.replace(b" e5d4", b" d7d6")]
    for number, end in enumerate((b"\n", b"\r\n", b"\r")):
        (tmp_path / "g.tsv").write_bytes(end.join(lines))
        report = ingest([tmp_path / "g.tsv"], tmp_path / str(number), job=Job(ALL))
        assert (report.kept, report.rejects) == (3, Counter({"unreadable line": 1}))
        assert [game.source for game in iterate(open_store(tmp_path / str(number)))] == ["case"] * 3


LOST = {
    "nothing in it": (b"\n", "nothing was kept"),
    "no chess": (b"once upon a time\n", "nothing was kept"),
    "half a game": (b'[Event "x"]\n\n1. e4 e5 2. N', "nothing was kept; 1 file was not read to the end"),
    "a game and a half": (b'[Event "x"]\n\n1. e4 e5 *\n\n[Event "y"]\n\n1. d4 d5 2. N', "1 file was not read to the end"),
    "half a member": (gzip.compress(b"1. e4 e5 *\n\n") + gzip.compress(b"x")[:-6], "1 file was not read to the end"),
    "zip": (b"PK\3\4" + bytes(100), "nothing was kept; 1 file was not read to the end"),
    "UTF-16": (TAGS.encode("utf-16"), "nothing was kept; 1 file was not read to the end"),
}


@pytest.mark.parametrize("kind", LOST)
def test_what_is_lost_is_the_last_line_and_the_status(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, last = LOST[kind]
    (tmp_path / "g.pgn").write_bytes(content)
    assert main(["ingest", str(tmp_path / "g.pgn"), "--out", str(tmp_path / "s")]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[-1].strip() == last
    assert "Traceback" not in told.err


def test_half_a_game_before_damage_is_counted_and_a_whole_one_kept(tmp_path: Path) -> None:
    whole, half = gzip.compress(f"{TAGS}\n{GAME} *\n".encode()), gzip.compress(f"{TAGS}\n{GAME}\n".encode())
    for number, (good, kept) in enumerate(((whole, 1), (half, 0))):
        (tmp_path / "g.gz").write_bytes(good + b"garbage")
        report = ingest([tmp_path / "g.gz"], tmp_path / str(number), job=Job(ALL))
        assert (report.kept, report.rejects["cut off at the end of the file"], len(report.damaged)) == (kept, 1 - kept, 1)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("g.pgn", f"{TAGS}\n1. e4 e5 2. Ke3 *\n\n" * 3 + f"{TAGS}\n1. d4 *\n", "3 of 4 .* illegal move: .* 'Ke3' in .* w KQkq"),
        ("g.pgn", f"{TAGS}\n1. d4 *\n\n" + f"{TAGS}\n1. e4 e5 2. Sf3 *\n\n" * 2, "2 of 3 .* unreadable: 'Sf3' after 2 plies"),
        ("g.tsv", "a\tb\nx\n", "2 of 2 .* unreadable line: expected 8 tab-separated columns, found 2"),
    ],
)
def test_a_file_of_which_most_is_refused_says_why(name: str, text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "good.pgn").write_text(f"{TAGS}\n1. c4 c5 *\n\n{TAGS}\n1. e4 e5 2. Ke3 *\n")  # half of it is not most of it
    report = ingest([tmp_path / name, tmp_path / "good.pgn"], tmp_path / "s", job=Job(ALL))
    assert len(report.refused) == 1
    assert re.search(f"{name}: {why}", report.text())


def test_a_folder_reads_names_in_capitals_and_names_what_it_passes_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "games"
    (folder / "deep").mkdir(parents=True)
    read = ("GAMES.PGN", "b.Pgn", "deep/c.PGN.ZST", "d.pgn.xz", "e.TSV")
    passed_over = ("f.txt", "g.pgn.zip", "h.zst", "i.pgn.partial", "j")
    for name in (*read, *passed_over, "notes.md", "picture.png", "LICENSE"):
        games = name in ("f.txt", "j") or name in read
        (folder / name).write_text(f"\ufeff{TAGS}\n1. e4 *\n" if games else "Not a game.\n")
    (folder / "gone.pgn").symlink_to(tmp_path / "nowhere.pgn")
    (folder / "linked").symlink_to(tmp_path)
    report = ingest([folder], tmp_path / "s", job=Job(ALL))
    assert (report.kept, report.rejects) == (1, Counter({"duplicate": 3, "unreadable line": 4}))
    lines = capsys.readouterr().err.splitlines()
    named = sorted(Path(line.split(": ")[0]).name for line in lines if ": not read, for" in line)
    assert named == sorted((*passed_over, "gone.pgn", "linked"))
