"""The command lines for cutechess-cli and fastchess, and what becomes of their PGN."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from match.commands import tournament
from match.commands.tournament import Gauntlet, command
from match.players.stockfish import LEVEL_BY_DEPTH_ELO
from tests.match.conftest import needs_stockfish

Command = Callable[[Sequence[object]], tuple[int, str, str]]


def plan(tmp_path: Path, net: Path) -> Gauntlet:
    return Gauntlet(net, (0.001, 1.0), (0, 2), 10, tmp_path / "openings.pgn", tmp_path / "games.pgn", 2, 7)


@needs_stockfish
def test_cutechess_words(tmp_path: Path, random_net: Path) -> None:
    words = command("/opt/cutechess-cli", plan(tmp_path, random_net))
    text = " ".join(words)
    assert words.count("-engine") == 4
    assert f"name=random T=0.001 cmd={sys.executable} arg=-P arg=-m arg=engine proto=uci option.Model={random_net}" in text
    assert "option.Temperature=0.001" in words
    assert "option.Skill Level=2" in words
    assert "depth=3" in words
    assert "-tournament gauntlet -seeds 2 -games 2 -rounds 5 -repeat" in text
    assert words[-2:] == ["-pgnout", str(tmp_path / "games.pgn")]
    assert "tc=300+1" in words  # tc=inf would make it go infinite, which waits for stop


@needs_stockfish
def test_fastchess_words(tmp_path: Path, random_net: Path) -> None:
    words = command("/opt/fastchess", plan(tmp_path, random_net))
    assert "args=-P -m engine" in words
    assert not any(word.startswith("arg=") for word in words)
    assert words[-2:] == ["-pgnout", f"file={tmp_path / 'games.pgn'}"]


def test_without_a_runner_the_message_says_where_to_get_one(
    command: Command, monkeypatch: pytest.MonkeyPatch, random_net: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    status, _, error = command(["tournament", "--net", random_net])
    assert status == 2
    assert "expected cutechess-cli or fastchess, found no such program; install one of them" in error
    assert "github.com/Disservin/fastchess" in error


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cutechess-cli"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("fake_runner.py")}" "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("FAKE_RUNNER_LOG", str(tmp_path / "log.json"))
    return path


@needs_stockfish
def test_a_tournament_is_run_and_rated(command: Command, runner: Path, random_net: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["tournament", "--runner", runner, "--net", random_net, "--levels", 0, 1, "--games", 12, "--out", out]
    status, text, _ = command(words)
    assert status == 0
    assert "72 games in 36 opening pairs, 1 of them different" in text
    assert f"={LEVEL_BY_DEPTH_ELO[0]}" in text
    assert "random T=0.001" in text
    assert (out / "table.txt").read_text() in text + "\n"
    log = json.loads((tmp_path / "log.json").read_text())
    assert Path(log["cwd"]) == out
    assert (out / "openings.pgn").read_text().count("[White ") >= 200
    status, _, error = command(words)
    assert status == 2
    assert "games.pgn exists" in error


@needs_stockfish
def test_a_runner_that_fails_is_named_with_its_command(
    command: Command, runner: Path, random_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_RUNNER_FAILS", "1")
    status, _, error = command(["tournament", "--runner", runner, "--net", random_net, "--out", tmp_path / "out"])
    assert status == 2
    assert "cutechess-cli ended with status 3" in error


@needs_stockfish
@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, tournament.RUNNERS)), reason="neither cutechess-cli nor fastchess is installed")
def test_a_real_runner_plays_and_its_games_are_rated(random_net: Path, tmp_path: Path) -> None:
    words = ["-m", "match", "tournament", "--net", str(random_net), "--temperature", "0.5", "--levels", "0", "--games", "4"]
    done = subprocess.run([sys.executable, *words, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "4 games in 2 opening pairs" in done.stdout
