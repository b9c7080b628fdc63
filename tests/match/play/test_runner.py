"""Schedules are played whole, once, in pairs; faults are named and scored; a killed match goes on."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import chess
import pytest

from engine.errors import MatchError
from engine.inference.evaluator import Evaluator
from engine.inference.sampling import Sampling
from engine.net import Net
from match.commands.common import folder_games
from match.play.bulk import play_bulk
from match.play.game import Played, Rules
from match.play.openings import Opening
from match.play.results import Results, read_results
from match.play.runner import play
from match.play.schedule import Fixture, fixtures, gauntlet, round_robin
from match.players.at_board import SpecPlayer
from match.players.builtin import GreedySpec, RandomSpec
from match.players.client import Engines
from match.players.engine import engine_spec
from match.players.interface import Player, Turn
from match.players.net import NetPlayer
from match.players.weakness import Weakness
from tests.match.conftest import fake, needs_stockfish
from tests.paths import ROOT

RULES = Rules(most_plies=60)


def run(folder: Path, schedule: list[Fixture], *players: Player, workers: int = 2) -> list[Played]:
    results = Results(folder)
    try:
        table = {player.name: player for player in players}
        play(schedule, table, results=results, at_once=8, workers=workers, rules=RULES)
    finally:
        results.close()
        for player in players:
            player.close()
    return sorted(results.played, key=lambda game: game.number)


def net_player(path: Path) -> NetPlayer:
    return NetPlayer("net", Evaluator(Net.open(path)), Sampling(temperature=1.0))


def dateless(games: list[Played]) -> list[Played]:
    return [replace(game, date="") for game in games]


def test_every_opening_is_played_from_both_sides(book: list[Opening]) -> None:
    schedule = fixtures(round_robin(["a", "b", "c"]), book, games=8, seed=1)
    assert len(schedule) == 24
    assert [f.number for f in schedule] == list(range(24))
    pairs: dict[str, list[tuple[str, str, str]]] = {}
    for f in schedule:
        pairs.setdefault(f.pair, []).append((f.white, f.black, f.opening.name))
    assert len(pairs) == 12
    assert all(len(p) == 2 and p[0][:2] == p[1][1::-1] and p[0][2] == p[1][2] for p in pairs.values())


def test_a_longer_match_begins_with_the_shorter_one_and_reuses_the_book(book: list[Opening]) -> None:
    short, long = (fixtures(gauntlet(["a"], ["b", "c"]), book, games=games, seed=3) for games in (6, 20))
    assert long[: len(short)] == short
    assert len({f.pair for f in long}) == 20
    assert any(f.opening.name.endswith("(3)") for f in long)


def test_pairings_may_have_openings_of_their_own(book: list[Opening]) -> None:
    pairings = round_robin(["a", "b", "c"])
    games = fixtures(pairings, book, games=4, seed=1, shared=False)
    by_pairing = {pair: [f.opening.name for f in games if {f.white, f.black} == set(pair)] for pair in pairings}
    assert all(len(names) == 4 and names[0] == names[1] != names[2] == names[3] for names in by_pairing.values())
    assert len({name for names in by_pairing.values() for name in names}) == 6  # four lines, two of them begun again
    assert games == fixtures(pairings, book, games=6, seed=1, shared=False)[: len(games)]


def test_net_engine_and_builtin_games_are_all_played(tmp_path: Path, book: list[Opening], random_net: Path) -> None:
    players = (net_player(random_net), SpecPlayer(fake("good"), threads=2), SpecPlayer(RandomSpec()))
    schedule = fixtures(round_robin(["net", "good", "random mover"]), book, games=4, seed=1)
    games = run(tmp_path, schedule, *players)
    assert [g.number for g in games] == list(range(12))
    assert all(g.moves.startswith(" ".join(f.opening.moves)) for g, f in zip(games, schedule, strict=True))
    assert not any(g.reason.startswith("forfeit") for g in games)
    assert max(g.plies for g in games) <= 60


def test_games_do_not_depend_on_company_or_workers(tmp_path: Path, book: list[Opening], random_net: Path) -> None:
    schedule = fixtures([("net", "random mover"), ("random mover", "greedy capturer")], book, games=4, seed=1)

    def players() -> tuple[Player, ...]:
        return net_player(random_net), SpecPlayer(RandomSpec()), SpecPlayer(GreedySpec())

    whole = run(tmp_path / "a", schedule, *players(), workers=2)
    run(tmp_path / "b", schedule[::3], *players(), workers=1)
    with (tmp_path / "b" / "results.jsonl").open("ab") as file:
        file.write(b'{"number": 5, "white": "n')  # a kill in the middle of a line
    assert dateless(run(tmp_path / "b", schedule, *players(), workers=1)) == dateless(whole)


@needs_stockfish
def test_weakened_stockfish_is_deterministic_whichever_worker_plays(tmp_path: Path, book: list[Opening]) -> None:
    def expert(p: float) -> SpecPlayer:
        weak = [Weakness("random", p), Weakness("softmax", 0.3, temperature_cp=150)]
        return SpecPlayer(engine_spec(f"p={p}", ["stockfish"], "depth=1", weaknesses=weak))

    schedule = fixtures(round_robin(["p=0.1", "p=0.2", "p=0.3"]), book, games=6, seed=1)
    whole = run(tmp_path / "a", schedule, expert(0.1), expert(0.2), expert(0.3), workers=2)
    other = run(tmp_path / "b", schedule[::-1], expert(0.1), expert(0.2), expert(0.3), workers=1)
    assert dateless(other) == dateless(whole)
    assert len({game.moves for game in whole}) == len(whole)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("hangs", "hung: no bestmove within 0.3 s"),
        ("crashes", "crashed with exit status 3 before bestmove"),
        ("plays illegally", "illegal move a1a8"),
        ("gives nonsense", "gave 'castles' for a move"),
        ("gives no move", "gave no move"),
        ("says nothing", "gave no move"),
    ],
)
@pytest.mark.parametrize("opponent", ["net", "random mover"])
def test_a_fault_is_named_scored_and_survived(
    tmp_path: Path, book: list[Opening], random_net: Path, kind: str, told: str, opponent: str
) -> None:
    spec = fake(kind, move_s=0.3 if kind == "hangs" else 10)
    players = (SpecPlayer(spec), net_player(random_net), SpecPlayer(RandomSpec()))
    schedule = fixtures([(kind, opponent), ("random mover", "net")], book, games=2, seed=1)
    games = run(tmp_path, schedule, *players, workers=1)
    assert len(games) == 4
    for game in games[:2]:
        assert game.reason == f"forfeit by {kind}: {told}" or game.reason.startswith(f"forfeit by {kind}: {told} (it said")
        assert game.score().points == (0 if game.white == kind else 1)
    assert not any(game.reason.startswith("forfeit") for game in games[2:])


@dataclass(frozen=True)
class Killed:
    """A player whose process is killed in one of its games, as by the system when memory runs out."""

    name: str
    anchor: float | None = None

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        if turn.game == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return next(iter(turn.board.legal_moves))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_worker_is_an_error_even_when_it_is_sent_the_next_game(book: list[Opening]) -> None:
    specs = {name: Killed(name) for name in ("a", "b")}
    games = play_bulk(fixtures([("a", "b")], book, games=40, seed=1), specs, workers=1, rules=RULES)
    played = []
    with pytest.raises(MatchError, match="a worker process ended with status -9"):  # noqa: PT012
        while True:
            played.append(next(games))
            time.sleep(0.3)  # the worker is dead before it is sent more
    assert len(played) == 5


def test_rubbish_is_read_over(tmp_path: Path, book: list[Opening]) -> None:
    players = SpecPlayer(fake("prints rubbish")), SpecPlayer(RandomSpec())
    games = run(tmp_path, fixtures([("prints rubbish", "random mover")], book, games=2, seed=1), *players, workers=1)
    assert not any(game.reason.startswith("forfeit") for game in games)


def test_an_engine_that_crashes_now_and_then_plays_on(tmp_path: Path, book: list[Opening]) -> None:
    players = SpecPlayer(fake("crashes once")), SpecPlayer(fake("good"))
    games = run(tmp_path, fixtures([("crashes once", "good")], book, games=8, seed=1), *players, workers=1)
    assert Counter(game.reason.split(" before")[0] for game in games) == {
        "forfeit by crashes once: crashed with exit status 3": 8
    }
    assert all(game.plies >= 12 for game in games)


@pytest.mark.parametrize("opponent", ["net", "random mover"])
def test_an_engine_that_never_says_uciok_ends_the_match_with_its_name(
    tmp_path: Path, book: list[Opening], random_net: Path, opponent: str
) -> None:
    players = SpecPlayer(fake("never says uciok", start_s=0.3)), net_player(random_net), SpecPlayer(RandomSpec())
    schedule = fixtures([("never says uciok", opponent)], book, games=2, seed=1)
    with pytest.raises(MatchError, match=r"for player 'never says uciok': it hung: no uciok within 0.3 s"):
        run(tmp_path, schedule, *players)


def test_results_of_another_match_are_refused(tmp_path: Path, book: list[Opening]) -> None:
    run(tmp_path, fixtures([("a", "b")], book, games=2, seed=1), SpecPlayer(RandomSpec("a")), SpecPlayer(RandomSpec("b")))
    results = Results(tmp_path)
    with pytest.raises(MatchError, match="games of another match; give --out another folder"):
        results.missing(fixtures([("a", "c")], book, games=2, seed=1))
    results.close()


def test_a_match_is_not_made_shorter(tmp_path: Path, book: list[Opening]) -> None:
    names = ("random mover", "greedy capturer")
    run(tmp_path, fixtures([names], book, games=4, seed=1), SpecPlayer(RandomSpec()), SpecPlayer(GreedySpec()))
    with pytest.raises(MatchError, match="holds game 3, and this match has 2 in all; give the same players"):
        run(tmp_path, fixtures([names], book, games=2, seed=1), SpecPlayer(RandomSpec()), SpecPlayer(GreedySpec()))


def test_two_matches_do_not_share_a_folder(tmp_path: Path) -> None:
    first = Results(tmp_path)
    if os.name == "posix":
        with pytest.raises(MatchError, match="another match is writing to"):
            Results(tmp_path)
    first.close()
    Results(tmp_path).close()


def test_a_file_system_without_locks_is_no_reason_to_refuse_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def no_locks(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    results = Results(tmp_path)
    results.add(PLAYED)
    results.close()
    assert read_results(tmp_path / "results.jsonl") == [PLAYED]


def test_a_match_goes_on_only_with_its_own_settings(tmp_path: Path) -> None:
    Results(tmp_path, {"seed": 1, "players": {"a": "x"}}).close()
    Results(tmp_path, {"seed": 1, "players": {"a": "x"}}).close()
    with pytest.raises(MatchError, match=r"other settings \(seed was 1, is 2\)"):
        Results(tmp_path, {"seed": 2, "players": {"a": "x"}})


PLAYED = Played(0, "a", "b", "o", "a - b / o", "1-0", "checkmate", "fen", "e2e4", 1)


def test_a_damaged_results_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    line = json.dumps(PLAYED.__dict__)
    for text, told in (
        (line + "\n" + line + "\n", "holds a game twice"),
        ("{}\n", "line 1: expected a game"),
        (line.replace("1-0", "*") + "\n", "expected a finished game, got result"),
    ):
        path.write_text(text)
        with pytest.raises(MatchError, match=told):
            read_results(path)


def test_a_reader_leaves_a_half_line_and_the_next_writer_mends_it(tmp_path: Path) -> None:
    """A report while the match is running must not cut off the game that is just being written."""
    path = tmp_path / "results.jsonl"
    line = json.dumps(PLAYED.__dict__)
    next_line = line.replace('"number": 0', '"number": 1')
    writer = Results(tmp_path)
    writer.add(PLAYED)
    with path.open("ab") as file:
        file.write(next_line[:50].encode())
        file.flush()
        assert read_results(path) == [PLAYED]
        assert len(folder_games([tmp_path])) == 1
        file.write(next_line[50:].encode() + b"\n")
    assert [game.number for game in read_results(path)] == [0, 1]
    with path.open("ab") as file:
        file.write(line.replace('"number": 0', '"number": 2')[:50].encode())
    half = path.read_bytes()
    if os.name == "posix":
        with pytest.raises(MatchError, match="another match is writing to"):
            Results(tmp_path)
        assert path.read_bytes() == half
    writer.close()
    mended = Results(tmp_path)
    assert path.read_text() == f"{line}\n{next_line}\n"
    assert [game.number for game in mended.played] == [0, 1]
    mended.close()


@pytest.mark.parametrize("damage", ["[]", "not json"])
def test_damaged_settings_are_named(damage: str, tmp_path: Path) -> None:
    (tmp_path / "match.json").write_text(damage)
    with pytest.raises(MatchError, match=r"match\.json is damaged; give --out another folder"):
        Results(tmp_path, {"seed": 1})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk")
def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path, book: list[Opening]) -> None:
    (tmp_path / "results.jsonl").symlink_to("/dev/full")
    results = Results.__new__(Results)
    results.path, results._synced_s, results.played = tmp_path / "results.jsonl", 0.0, []
    results._file = (tmp_path / "results.jsonl").open("ab", buffering=0)
    with pytest.raises(MatchError, match=r"No space left on device; the games so far are kept: free some room"):
        results.add(PLAYED)
    assert results.played == []
    results.close()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_match_goes_on_without_losing_or_repeating_a_game(tmp_path: Path) -> None:
    population = tmp_path / "two.toml"
    population.write_text('[[player]]\nname = "a"\nbuiltin = "random"\n[[player]]\nname = "b"\nbuiltin = "random"\n')
    words = [
        sys.executable,
        "-m",
        "match",
        "generate",
        population,
        "--games",
        "160",
        "--openings",
        "random:4",
        "--workers",
        "2",
        "--most-moves",
        "60",
        "--no-page",
        "--out",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    kept: list[int] = []
    for _ in range(2):
        began = subprocess.Popen([*words, tmp_path / "a"], env=environment, start_new_session=True, stdout=subprocess.DEVNULL)
        before = kept[-1] if kept else 0
        path = tmp_path / "a" / "results.jsonl"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and (not path.exists() or path.read_bytes().count(b"\n") < before + 25):
            time.sleep(0.005)
        began.send_signal(signal.SIGKILL)
        began.wait()
        kept.append(path.read_bytes().count(b"\n"))
        _wait_for_the_group_to_end(began.pid)
    assert 50 <= kept[-1] < 160
    before_last = path.read_bytes()[: path.read_bytes().rfind(b"\n") + 1]
    subprocess.run([*words, tmp_path / "a"], env=environment, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*words, tmp_path / "b"], env=environment, check=True, stdout=subprocess.DEVNULL)
    assert path.read_bytes().startswith(before_last)
    interrupted, whole = (sorted(read_results(tmp_path / x / "results.jsonl"), key=lambda g: g.number) for x in "ab")
    assert [g.number for g in interrupted] == list(range(160))
    assert dateless(interrupted) == dateless(whole)
    assert (tmp_path / "a" / "games.pgn").read_text().count("[White ") == 160


def _wait_for_the_group_to_end(group: int) -> None:
    """Workers notice by themselves that the match is gone."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("workers outlived the match")


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
def test_a_decided_match_leaves_no_engine_behind_not_even_one_that_hangs(tmp_path: Path, book: list[Opening]) -> None:
    hanging = fake("hangs", move_s=60)
    marked = replace(hanging, setup=replace(hanging.setup, command=(*hanging.setup.command, str(tmp_path))))
    players = {p.name: p for p in (SpecPlayer(marked), SpecPlayer(RandomSpec()), SpecPlayer(RandomSpec("r2")))}
    schedule = fixtures([("random mover", "r2"), ("hangs", "random mover")], book, games=2, seed=1)
    results = Results(tmp_path)
    seen: list[str] = []

    def once_it_runs(game: Played) -> bool:
        deadline = time.monotonic() + 60
        while not seen and time.monotonic() < deadline:
            seen.extend(_running("fake_engine.py", str(tmp_path)))
            time.sleep(0.05)
        return True

    play(schedule, players, results=results, at_once=1, workers=1, rules=RULES, report=once_it_runs)
    results.close()
    assert len(results.played) == 1
    assert len(seen) == 1
    assert not _running("fake_engine.py", str(tmp_path))


def _running(*words: str) -> list[str]:
    """Command lines that hold these words; a zombie has none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text().replace("\0", " ")
        except OSError:
            continue
        if all(word in line for word in words):
            found.append(line)
    return found
