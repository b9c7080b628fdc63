"""The command line: each option arrives where it should, and a mistake is one line."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from engine.encoding import Scale
from tests.paths import ROOT
from tests.training.data.conftest import Corpus
from training.data import __main__ as data
from training.data.__main__ import main
from training.data.filters import Filters
from training.data.ingest import Job, Report
from training.data.sources import known_sources
from training.data.store import Store, StoreWriter, iterate, open_store
from training.data.subset import Selection


@pytest.fixture
def made_store(corpus: Corpus, tmp_path: Path) -> Path:
    assert main(["ingest", str(corpus.path), "--min-plies", "0", "--out", str(tmp_path / "s")]) == 0
    return tmp_path / "s"


def test_ingest_tells_what_it_kept_and_why_not(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["ingest", str(corpus.path), "--out", str(tmp_path / "s"), "--max-rating", "1600", "--min-rating", "500"]
    command += ["--no-bots", "--min-plies", "9", "--max-per-band", "3", "--scale", "London ENG=fide"]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "700 games read" in told
    reasons = ["unknown rating", "rating above the cap", "rating below the floor", "too short", "bot", "rating band is full"]
    for reason in reasons:
        assert f" {reason}\n" in told, reason
    games = list(iterate(open_store(tmp_path / "s")))
    assert {game.scale == Scale.FIDE for game in games} == {True, False}
    for game in games:
        assert 500 <= min(game.white_elo, game.black_elo) <= max(game.white_elo, game.black_elo) <= 1600
        assert len(game.moves) >= 9
        assert (game.scale == Scale.FIDE) == (game.source == "London ENG")
    bands = Counter(max(game.white_elo, game.black_elo) // 100 for game in games)
    assert max(bands.values()) == 3


OF_EVERY_FILTER = (
    "--max-rating 1600 --min-rating 400 --min-plies 5 --time-class blitz --time-class bullet --termination time --result 1-0 "
    "--starts fen --since 1998 --until 2017-04 --max-per-band 3 --max-per-source 70"
)
FILTERS = Filters(
    max_rating=1600,
    min_rating=400,
    min_plies=5,
    time_classes=("blitz", "bullet"),
    terminations=("time",),
    results=("1-0",),
    starts="fen",
    since=19980000,
    until=20170499,
)


def test_every_option_of_ingest_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[Path], Path, Job, int]] = []

    def keep(games: list[Path], out: Path, *, job: Job, processes: int) -> Report:
        asked.append((games, out, job, processes))
        return Report(kept=1)

    monkeypatch.setattr(data, "ingest", keep)
    more = tmp_path / "more.toml"
    more.write_text('["Paris FRA"]\nscale = "fide"\n')
    known = known_sources().scales()
    assert main(["ingest", "a.pgn", "--out", "s"]) == 0
    command = ["ingest", "a.pgn", "b", "--out", "t", *OF_EVERY_FILTER.split(), "--no-bots", "--format", "tsv", "--slow"]
    command += ["--processes", "3", "--scale", "lichess.org=chesscom", "--scale", "London=fide", "--sources", str(more)]
    assert main(command) == 0
    scales = {**known, "Paris FRA": Scale.FIDE, "lichess.org": Scale.CHESSCOM, "London": Scale.FIDE}
    every = Job(dataclasses.replace(FILTERS, bots=False), scales, max_per_band=3, max_per_source=70, format="tsv", fast=False)
    assert asked == [([Path("a.pgn")], Path("s"), Job(scales=known), 1), ([Path("a.pgn"), Path("b")], Path("t"), every, 3)]


def test_every_option_of_sample_arrives(made_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[Path], Path, Selection]] = []

    def keep(stores: list[Store], out: Path, selection: Selection) -> Report:
        asked.append(([store.path for store in stores], out, selection))
        return Report(kept=1)

    monkeypatch.setattr(data, "copy", keep)
    two = [str(made_store), str(made_store)]
    assert main(["merge", *two, "--out", "s"]) == 0
    assert main(["sample", *two, "--out", "t", "--games", "9", "--seed", "4", *OF_EVERY_FILTER.split()]) == 0
    every = Selection(FILTERS, games=9, max_per_band=3, max_per_source=70, seed=4)
    assert asked == [([made_store] * 2, Path("s"), Selection()), ([made_store] * 2, Path("t"), every)]


def test_inspect_tells_what_is_in_it(made_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["inspect", str(made_store)]) == 0
    told, store = capsys.readouterr().out, open_store(made_store)
    games = list(iterate(store))
    highest = np.array([max(game.white_elo, game.black_elo) for game in games])
    assert f"{len(games):,} games" in told
    assert f"{store.plies:,} plies" in told
    assert f"1-0 {sum(game.result == '1-0' for game in games)}" in told
    assert f"   1400-1599   {((highest >= 1400) & (highest < 1600)).sum():>11,}" in told
    assert f"starts other than the initial position: {sum(game.start_fen is not None for game in games)}" in told
    assert f"  London ENG: {sum(game.source == 'London ENG' for game in games)}" in told
    assert "left out when made: " in told
    assert "illegal move" in told
    assert "dates: 19980000 to 20170430" in told


def test_inspect_counts_openings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pgn = tmp_path / "g.pgn"
    french, other = "1. e4 e6 2. d4 d5", "1. d4 Nf6 2. c4 e6"
    pgn.write_text(
        "".join(f'[Event "x"]\n\n{moves} *\n\n' for moves in (f"{french} 3. e5", f"{french} 3. Nc3", other, "1. a3"))
    )
    main(["ingest", str(pgn), "--min-plies", "1", "--out", str(tmp_path / "s")])
    assert main(["inspect", str(tmp_path / "s")]) == 0
    told = capsys.readouterr().out
    assert "openings (2 different ones of 4 plies):" in told
    assert [line.split() for line in told.splitlines() if line.startswith("  1.")] == [
        ["1.e4", "e6", "2.d4", "d5", "2", "66.7%"],
        ["1.d4", "Nf6", "2.c4", "e6", "1", "33.3%"],
    ]


def test_inspect_of_an_empty_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    StoreWriter(tmp_path / "s").close()
    assert main(["inspect", str(tmp_path / "s")]) == 0
    assert "no games" in capsys.readouterr().out


def test_stores_into_stores(made_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = open_store(made_store).games
    assert main(["filter", str(made_store), "--max-rating", "1500", "--out", str(tmp_path / "low")]) == 0
    assert main(["filter", str(made_store), "--min-rating", "1501", "--out", str(tmp_path / "high")]) == 0
    assert main(["merge", str(tmp_path / "low"), str(tmp_path / "high"), str(made_store), "--out", str(tmp_path / "all")]) == 0
    assert open_store(tmp_path / "all").games == whole
    assert main(["sample", str(made_store), "--games", "50", "--seed", "4", "--out", str(tmp_path / "few")]) == 0
    assert open_store(tmp_path / "few").games == 50
    capsys.readouterr()
    assert main(["inspect", str(tmp_path / "few")]) == 0
    assert f"left out when made: {whole - 50:,} not drawn" in capsys.readouterr().out


def test_export_writes_to_standard_output(made_store: Path) -> None:
    command = [sys.executable, "-m", "training.data", "export", str(made_store)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.count("[Event ") == open_store(made_store).games
    assert done.stderr == ""


def test_a_reader_that_goes_away_is_no_error(made_store: Path) -> None:
    command = f"{sys.executable} -m training.data export {made_store} | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == '[Event "?"]\n'
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["ingest", "nosuch.pgn", "--out", "x"], "expected a file of games at nosuch.pgn, found none"),
        (["ingest", ".", "--out", "x"], "expected .pgn files"),
        (["inspect", "nosuch"], "expected a token store"),
        (["ingest", "a.pgn", "--out", "x", "--scale", "lichess"], "expected --scale SOURCE=SCALE"),
        (["ingest", "a.pgn", "--out", "x", "--since", "31.1.2013"], "expected a date like 2013, 2013-01 or 2013-01-31"),
        (["ingest", "a.pgn", "--out", "x", "--max-rating", "1000", "--min-rating", "1200"], "expected a floor below the cap"),
        (["merge", "nosuch", "--out", "x"], "expected a token store"),
        (["diversity", "nosuch"], "expected a token store"),
    ],
)
def test_a_mistake_is_one_line(
    command: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_command_needs_neither_torch_nor_matplotlib() -> None:
    """The launcher installs the small [data] extra only."""
    script = (
        "import sys, training.data.__main__; print([name for name in ('torch', 'matplotlib', 'onnxruntime') if name in "
        "sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_a_negative_number_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ingest", "a.pgn", "--out", "x", "--max-rating", "-5"])
    assert "max-rating" in capsys.readouterr().err
