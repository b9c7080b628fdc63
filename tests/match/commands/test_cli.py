"""The command line: each command once, and each mistake answered with one clear line."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from engine.encoding import Scale
from match.__main__ import parser
from match.commands import ladder
from match.commands.common import factory_of
from match.options import match_options, net_options
from match.play import book as book_maker
from match.play import openings, results
from match.play.game import Rules
from match.play.results import read_results
from match.players import client as engines
from match.players.stockfish import LEVEL_BY_DEPTH_ELO
from tests.match.conftest import needs_stockfish
from tests.paths import ROOT

Command = Callable[[Sequence[object]], tuple[int, str, str]]
QUICK = ["--most-moves", 12, "--workers", 1]


@needs_stockfish
def test_play_makes_tables_pgn_page_and_goes_on(command: Command, random_net: Path, tmp_path: Path) -> None:
    words = ["--net", random_net, "--levels", 0, "--out", tmp_path / "m", *QUICK]
    status, text, error = command([*words, "--games", 2])
    assert status == 0
    assert "net random (fp32, cpu), conditioned on rating 1500" in error
    assert "random T=0.001 - Stockfish level 0 depth=1" in text
    assert "CCRL; level 0 with 0.1 s a move = 1320" in text
    assert {p.name for p in (tmp_path / "m").iterdir()} >= {
        "games.pgn",
        "table.txt",
        "index.html",
        "results.jsonl",
        "match.json",
    }
    first = read_results(tmp_path / "m" / "results.jsonl")
    status, text, _ = command([*words, "--games", 6])
    assert status == 0
    games = read_results(tmp_path / "m" / "results.jsonl")
    assert len(games) == 12
    assert games[: len(first)] == first
    status, _, error = command([*words, "--games", 6, "--seed", 2])
    assert status == 2
    assert "holds a match with other settings" in error
    assert "seed was 1, is 2" in error


@pytest.mark.parametrize("drawn", ["random:4", "endgame:KQvK"])
def test_a_match_from_drawn_openings_may_grow(drawn: str, command: Command, tmp_path: Path) -> None:
    words = ["versus", "greedy", "random", "--openings", drawn, "--no-page", "--out", tmp_path / "m", *QUICK]
    assert command([*words, "--games", 4])[0] == 0
    first = read_results(tmp_path / "m" / "results.jsonl")
    assert command([*words, "--games", 8])[0] == 0
    grown = read_results(tmp_path / "m" / "results.jsonl")
    assert grown[:4] == first
    assert len(grown) == len({(game.fen, game.moves, game.white) for game in grown}) == 8


def test_without_stockfish_the_built_in_players_stand_in(
    command: Command, random_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ladder, "find_stockfish", lambda: None)
    words = ["play", "--net", random_net, "--games", 2, "--no-page", "--out", tmp_path / "m", *QUICK]
    status, text, error = command(words)
    assert status == 0
    assert "No Stockfish found. Install it: apt install stockfish" in error
    for name in ("random mover", "greedy capturer", "random sampled"):
        assert f"random T=0.001 - {name}" in text


def test_sweep_has_the_papers_temperatures(command: Command, random_net: Path, tmp_path: Path) -> None:
    words = ["sweep", "--net", random_net, "--levels", "--games", 2, "--no-page", "--out", tmp_path / "m", *QUICK]
    status, text, _ = command(words)
    assert status == 0
    for t in ("0.001", "0.01", "0.1", "0.3", "0.5", "0.75", "1", "1.5"):
        assert re.search(rf"random T={re.escape(t)} - random mover +\d", text)


def test_a_net_plays_with_several_numbers_of_evaluations(command: Command, random_net: Path, tmp_path: Path) -> None:
    words = ["play", "--net", random_net, "--levels", "--nodes", 1, "--nodes", 3, "--games", 2, "--no-page", *QUICK]
    status, text, error = command([*words, "--out", tmp_path / "m"])
    assert status == 0, error
    assert "random T=0.001 - random mover" in text
    assert "random T=0.001 nodes=3 - random mover" in text


def test_opponents_that_meet_tie_the_ratings(command: Command, random_net: Path, tmp_path: Path) -> None:
    words = ["play", "--net", random_net, "--levels", "--builtin", "random", "greedy", "--games", 4, "--no-page", *QUICK]

    def meetings(*more: str) -> Counter[frozenset[str]]:
        out = tmp_path / "-".join(["m", *more])
        assert command([*words, *more, "--out", out])[0] == 0
        return Counter(frozenset((game.white, game.black)) for game in read_results(out / "results.jsonl"))

    net, random, greedy = "random T=0.001", "random mover", "greedy capturer"
    ladder_games = {frozenset((net, random)): 4, frozenset((net, greedy)): 4}
    assert meetings() == ladder_games
    assert meetings("--opponents-meet") == ladder_games | {frozenset((greedy, random)): 4}


@needs_stockfish
def test_levels_may_have_a_clock_and_the_net_another_rating(command: Command, random_net: Path, tmp_path: Path) -> None:
    words = ["play", "--net", random_net, "--levels", 1, "--clock", 1, "--builtin", "--games", 2, "--no-page", *QUICK]
    status, text, error = command([*words, "--rating", 1800, "--out", tmp_path / "m"])
    assert status == 0
    assert "random T=0.001 - Stockfish level 1 movetime=1 " in text
    assert "conditioned on rating 1800" in error


def test_versus_stops_when_the_test_decides(command: Command, tmp_path: Path) -> None:
    words = ["versus", "greedy", "random", "--games", 400, "--sprt", "--elo1", 150, "--openings", "random:4", "--no-page"]
    status, text, _ = command([*words, "--out", tmp_path / "m", "--workers", 1])
    assert status == 0
    assert "greedy capturer - random mover:" in text
    assert "verdict: stronger" in text
    played = len(read_results(tmp_path / "m" / "results.jsonl"))
    assert played < 200
    status, text, _ = command([*words, "--out", tmp_path / "m", "--workers", 1])
    assert "verdict: stronger" in text
    assert len(read_results(tmp_path / "m" / "results.jsonl")) == played  # decided is decided


def test_a_verdict_can_be_found_again_from_packed_games(command: Command, random_net: Path, tmp_path: Path) -> None:
    words = ["versus", f"net:{random_net}@0.001", "greedy", "--games", 40, "--openings", "random:4", "--no-page", *QUICK]
    assert command([*words, "--out", tmp_path / "m"])[0] == 0
    packed = tmp_path / "results.jsonl.zst"
    status, text, _ = command(["verdict", tmp_path / "m", "--pack", packed])
    assert status == 0
    assert "verdict: undecided" in text  # 20 opening pairs
    assert packed.stat().st_size < (tmp_path / "m" / "results.jsonl").stat().st_size / 2
    assert command(["verdict", packed])[:2] == (0, text)
    assert command(["verdict", tmp_path])[:2] == (0, text)  # a folder that holds it
    status, _, error = command(["verdict", tmp_path / "m", "--pack", packed])
    assert status == 2
    assert "exists already" in error
    packed.write_bytes(packed.read_bytes()[:-40])
    status, _, error = command(["verdict", packed])
    assert status == 2
    assert error.startswith(f"match: expected the results of a match at {packed}")
    status, _, error = command(["verdict", tmp_path / "nothing"])
    assert status == 2
    assert "results.jsonl.zst" in error


def test_robin_and_generate_and_report(command: Command, tmp_path: Path) -> None:
    population = tmp_path / "p.toml"
    population.write_text("".join(f'[[player]]\nname = "r{i}"\nbuiltin = "random"\n' for i in range(3)))
    status, text, _ = command(["robin", population, "--games", 4, "--no-page", "--out", tmp_path / "a", *QUICK])
    assert status == 0
    assert "12 games" in text
    cut = [game for game in read_results(tmp_path / "a" / "results.jsonl") if game.reason == "length"]
    assert {game.plies for game in cut} == {24}
    status, text, _ = command(["generate", population, "greedy", "--games", 20, "--no-page", "--out", tmp_path / "b", *QUICK])
    assert "24 games" in text  # six pairings, whole opening pairs
    status, text, _ = command(
        ["report", tmp_path / "a", tmp_path / "b", "--anchor", "r0=500", "--out", tmp_path / "c", "--pgn", tmp_path / "all.pgn"]
    )
    assert status == 0
    assert (tmp_path / "all.pgn").read_text().count('[Result "') == 36
    assert '[WhiteElo "500"]' in (tmp_path / "all.pgn").read_text()
    assert "36 games" in text
    assert "=500" in text
    assert (tmp_path / "c" / "index.html").is_file()


@needs_stockfish
def test_anchors_and_equality(command: Command, tmp_path: Path) -> None:
    common = ["--no-page", "--workers", 2, "--levels", 0, 1]
    status, text, _ = command(["anchors", *common, "--games", 8, "--most-moves", 20, "--out", tmp_path / "a"])
    assert status == 0
    assert re.search(r"Stockfish level 1 depth=2 +\d+ +-?\d+ to \d+ +1468 +[+-]\d+", text)
    status, text, _ = command(["equality", *common, "--games", 4, "--most-moves", 3, "--out", tmp_path / "b"])
    assert status == 0
    assert "Stockfish level 0 depth=1 - Stockfish level 0 movetime=100:" in text
    assert "all by depth - all by time:" in text
    assert "=1320" in text
    assert f"={LEVEL_BY_DEPTH_ELO[0]}" not in text  # what is asked about is not fixed


def test_rate_reads_anyones_pgn(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "g.pgn"
    path.write_text(
        "".join(f'[White "a"]\n[Black "b"]\n[Result "{r}"]\n\n1. e4 {r}\n\n' for r in ("1-0", "1/2-1/2", "0-1", "*"))
    )
    status, text, _ = command(["rate", path, "--anchor", "b=1000"])
    assert status == 0
    assert "3 games in 3 opening pairs, 1 of them different, 1 without a result left out" in text
    assert "=1000" in text
    assert "on the scale of the anchors" in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["versus", "no-such-engine", "random"], "expected a UCI engine behind 'no-such-engine', found no such program"),
        (["versus", "'sh", "random"], "expected the command of a UCI engine, got"),
        (["rate", "none.pgn"], "expected a PGN file at none.pgn"),
        (["rate", "BAD"], "expected games in PGN"),
        (["rate", "GOOD", "--anchor", "x"], "expected --anchor NAME=ELO, got 'x'"),
        (["rate", "GOOD", "--anchor", "x=1"], "no player is called 'x'; there are a, b"),
        (["versus", "random", "random"], "two players are called 'random mover'"),
        (["robin", "random"], "expected at least two players, got random mover"),
        (["versus", "random", "greedy", "--elo0", "9", "--elo1", "3"], "--elo0 below --elo1"),
        (["versus", "random", "greedy", "--games", "0"], "expected --games of at least 1"),
        (["versus", "random", "greedy", "--openings", "BAD"], "expected legal UCI moves"),
        (["versus", "random", "greedy", "--openings", "EMPTY"], "found none"),
        (["versus", "random", "greedy", "--out", "GOOD"], "cannot keep results in"),
        (["play", "--net", "none.onnx"], "none.onnx"),
        (["report", "EMPTY"], "expected the folder of a match"),
    ],
)
def test_mistakes_are_answered_in_one_line(command: Command, tmp_path: Path, words: list[str], told: str) -> None:
    (tmp_path / "BAD").write_text("once upon a time")
    (tmp_path / "EMPTY").write_text("")
    (tmp_path / "GOOD").write_text('[White "a"]\n[Black "b"]\n[Result "1-0"]\n\n1. e4 1-0\n')
    named = [tmp_path / word if word in ("BAD", "GOOD", "EMPTY") else word for word in words]
    if words[0] in ("versus", "robin", "play") and "--out" not in words:
        named += ["--out", tmp_path / "m"]
    status, _, error = command(named)
    assert status == 2
    assert told in error
    assert error.startswith("match: ")
    assert error.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk")
def test_a_full_disk_ends_a_match_in_one_line(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "read_results", lambda path: [])  # reading /dev/full has no end
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "results.jsonl").symlink_to("/dev/full")
    status, _, error = command(["versus", "random", "greedy", "--games", 2, "--out", tmp_path / "m", *QUICK])
    assert status == 2
    assert "No space left on device" in error
    assert error.count("\n") == 1


def test_workers_are_the_cores_that_a_match_may_use_and_no_more_than_windows_bears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert parser().parse_args(["play"]).workers == 1
    assert parser().parse_args(["sanity", "--out", "x"]).workers == 1
    assert parser().parse_args(["tournament"]).workers == 1
    monkeypatch.setattr(sys, "platform", "win32")
    assert parser().parse_args(["play", "--workers", "100"]).workers == 60


def test_every_command_has_help_and_a_place_in_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    (commands,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    documented = re.findall(r"`bin/match (\w+)", (ROOT / "docs" / "matches.md").read_text(encoding="utf-8"))
    assert set(commands.choices) == set(documented)
    for name in commands.choices:
        with pytest.raises(SystemExit) as done:
            parser().parse_args([name, "--help"])
        assert done.value.code == 0
        assert f"usage: match {name} " in capsys.readouterr().out


@needs_stockfish
def test_book_makes_level_openings(command: Command, random_net: Path, tmp_path: Path) -> None:
    out = tmp_path / "book.txt"
    status, _, _ = command(["book", "--net", random_net, "--lines", 3, "--plies", 4, "--out", out])
    assert status == 0
    assert len({o.board().epd() for o in openings.load_openings(out)}) == 3
    before = out.read_text(encoding="utf-8")
    status, _, error = command(["book", "--net", random_net, "--lines", 3, "--plies", 4, "--seed", 2, "--out", out])
    assert status == 2
    assert "is there already" in error
    assert out.read_text(encoding="utf-8") == before


@needs_stockfish
def test_a_book_of_more_openings_than_there_are_ends(
    command: Command, random_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_maker, "_FUTILE", 30)
    status, text, _ = command(["book", "--net", random_net, "--lines", 30, "--plies", 1, "--out", tmp_path / "book.txt"])
    assert status == 0
    assert 1 <= len(openings.load_openings(tmp_path / "book.txt")) <= 20
    assert "openings" in text
    assert engines.find_stockfish() is not None


def test_how_nets_play_reaches_every_net() -> None:
    usual, changed = (
        parser().parse_args(["versus", "net", "random", *words]) for words in ([], ["--may-repeat", "--take-mate"])
    )
    factory = factory_of(net_options(usual))
    assert (factory.avoid_repetition, factory.take_mate) == (True, False)
    factory = factory_of(net_options(changed))
    assert (factory.avoid_repetition, factory.take_mate) == (False, True)
    conditioned = parser().parse_args(["versus", "net", "random", "--rating", "1500", "--scale", "fide"])
    factory = factory_of(net_options(conditioned))
    assert (factory.rating, factory.scale) == (1500, Scale.FIDE)


def test_the_paper_stops_after_89_moves_of_both_sides() -> None:
    usual, paper = (
        match_options(parser().parse_args(["versus", "net", "random", *words]))
        for words in ([], ["--most-moves", "89", "--adjudicate", "5", "--at-once", "7"])
    )
    assert (usual.rules, usual.at_once) == (Rules(600, 0), 64)
    assert (paper.rules, paper.at_once) == (Rules(178, 5), 7)
