"""The verdict on matches whose truth is known: better, worse and equal nets, temperatures that help and that do not."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from engine.errors import MatchError
from match.play.game import Played
from match.report.verdict import as_json, as_text
from match.statistics.ratings import Rating
from match.statistics.scores import Score, elo_of
from match.statistics.verdict import MEANING, Verdict, check_temperatures, judge, the_two
from tests.match.conftest import START

NET, EXPERT = "net T=0.001", "expert 1"
Command = Callable[[Sequence[object]], tuple[int, str, str]]


def simulated(elo: float, *, pairs: int, seed: int = 1, net: str = NET) -> list[Score]:
    """Opening pairs in which the net stands ``elo`` above the expert; no draws."""
    draws = np.random.default_rng(seed)
    wins = draws.random((pairs, 2)) < 1 / (1 + 10 ** (-elo / 400))
    games = []
    for i, (first, second) in enumerate(wins):
        games += [Score(net, EXPERT, float(first), f"o{i}"), Score(EXPERT, net, float(not second), f"o{i}")]
    return games


@pytest.mark.parametrize(
    ("elo", "pairs", "word"),
    [(80, 500, "transcends"), (-80, 500, "does not transcend"), (0, 500, "undecided"), (20, 60, "undecided")],
)
def test_the_three_verdicts(elo: float, pairs: int, word: str) -> None:
    found = judge(simulated(elo, pairs=pairs), net=NET, expert=EXPERT)
    low, high = found.difference.interval
    assert found.word == word
    assert low < elo < high
    assert f"verdict: {word} ({MEANING[word]})" in as_text(found)
    assert f"{found.difference.pairs} opening pairs" in as_text(found)


def test_few_pairs_decide_nothing() -> None:
    def judged(pairs: int) -> Verdict:
        won = [Score(*((NET, EXPERT, 1.0) if first else (EXPERT, NET, 0.0)), f"o{i}") for i in range(pairs) for first in (0, 1)]
        return judge(won, net=NET, expert=EXPERT)

    assert judged(29).difference.interval[0] > 0
    assert judged(29).word == "undecided"
    assert judged(30).word == "transcends"


def test_the_other_side_gets_the_other_verdict() -> None:
    games = simulated(100, pairs=300)
    assert judge(games, net=EXPERT, expert=NET).word == "does not transcend"


def test_games_against_others_do_not_count() -> None:
    others = [Score(NET, "expert 2", 1.0, f"x{i}") for i in range(400)]
    found = judge([*simulated(-100, pairs=300), *others, *others], net=NET, expert=EXPERT)
    assert found.word == "does not transcend"
    assert found.difference.pairs == 300


def test_verdict_needs_pairs_and_the_right_players() -> None:
    with pytest.raises(MatchError, match=r"complete opening pairs of .net T=0\.001. against .expert 1., found none"):
        judge(simulated(0, pairs=5)[:1], net=NET, expert=EXPERT)
    assert the_two(simulated(0, pairs=1)) == (NET, EXPERT)
    with pytest.raises(MatchError, match="one net with one expert, got a, b"):
        the_two([Score("a", "b", 1.0)])


def curve(*points: tuple[float, float], expert: float = 800, error: float = 25) -> list[Rating]:
    rated = [Rating(f"net T={t:g}", elo, elo - error, elo + error, 200, 100.0, anchored=False) for t, elo in points]
    return [*rated, Rating(EXPERT, expert, expert - error, expert + error, 200, 100.0, anchored=False)]


def test_a_falling_curve_passes_and_noise_within_errors_does_too() -> None:
    checks = check_temperatures(curve((0.001, 950), (0.1, 960), (0.5, 900), (1, 650), (1.5, 990)), net=NET, expert=EXPERT)
    assert checks.falls
    assert checks.rises == ()
    assert checks.gain is not None
    assert checks.gain.elo == 300
    assert checks.gain.high == pytest.approx(300 + 25 * math.sqrt(2))
    assert not checks.average_is_above
    assert checks.average is not None
    assert checks.average.high < 0


def test_one_rise_among_many_pairs_must_be_larger() -> None:
    """A rise of 35 is 1.9 errors: with one pair 1.6 are enough, with six it takes 2.4."""
    assert check_temperatures(curve((0.001, 925), (0.1, 960)), net=NET, expert=EXPERT).rises == ((0.001, 0.1, 35),)
    six = curve((0.001, 925), (0.1, 960), (0.5, 900), (1, 650))
    assert check_temperatures(six, net=NET, expert=EXPERT).rises == ()


def test_a_rise_beyond_errors_is_named() -> None:
    pool = curve((0.001, 850), (0.3, 1000), (1, 700))
    checks = check_temperatures(pool, net=NET, expert=EXPERT)
    assert not checks.falls
    assert checks.rises == ((0.001, 0.3, 150),)
    text = as_text(judge(simulated(50, pairs=50), net=NET, expert=EXPERT, pool=pool))
    assert "rating falls as temperature rises to 1: no, +150" in text
    assert "from 0.001 to 0.3 it rises by 150" in text


def test_a_flat_curve_does_not_fall_and_a_strong_average_is_told() -> None:
    assert not check_temperatures(curve((0.001, 900), (1, 895)), net=NET, expert=EXPERT).falls
    strong = check_temperatures(curve((0.001, 1200), (1, 1000)), net=NET, expert=EXPERT)
    assert strong.average_is_above


def test_without_temperature_one_nothing_is_claimed() -> None:
    checks = check_temperatures(curve((0.001, 900), (0.5, 700)), net=NET, expert=EXPERT)
    assert not checks.falls
    assert checks.average is None
    assert not checks.average_is_above


def write_match(folder: Path, games: Sequence[Score]) -> Path:
    folder.mkdir(parents=True)
    results = {1.0: "1-0", 0.5: "1/2-1/2", 0.0: "0-1"}
    lines = [
        json.dumps(asdict(Played(i, s.white, s.black, s.pair, s.pair, results[s.points], "checkmate", START, "e2e4", 0)))
        for i, s in enumerate(games)
    ]
    (folder / "results.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_the_command_reads_folders_and_writes_json(command: Command, tmp_path: Path) -> None:
    match = write_match(tmp_path / "match", simulated(120, pairs=200))
    sweep = [*simulated(120, pairs=100), *simulated(-150, pairs=100, net="net T=1")]
    pool = write_match(tmp_path / "sweep", sweep)
    status, text, _ = command(["verdict", match, "--pool", pool, "--json", tmp_path / "v.json", "--note", "games=60000"])
    assert status == 0
    assert "verdict: transcends" in text
    assert "rating falls as temperature rises to 1: yes" in text
    found = json.loads((tmp_path / "v.json").read_text())
    assert found["verdict"] == "transcends"
    assert found["games"] == 400
    assert found["notes"] == {"games": "60000"}
    assert found["elo"] == pytest.approx(elo_of(found["score"]), abs=0.01)
    assert [r["name"] for r in found["ratings"]] == ["net T=0.001", EXPERT, "net T=1"]
    assert not found["temperatures"]["average_is_above"]
    status, text, _ = command(["best", pool])
    assert (status, text) == (0, "net T=0.001\n")
    (tmp_path / "p.toml").write_text(f'[[player]]\nname = "{EXPERT}"\nbuiltin = "random"\n')
    assert command(["best", pool, "--among", tmp_path / "p.toml"])[1] == f"{EXPERT}\n"
    status, _, error = command(["verdict", tmp_path])
    assert status == 2
    assert "expected the folder of a match" in error


def test_json_has_no_infinite_numbers() -> None:
    perfect = [Score(NET, EXPERT, 1.0, f"o{i // 2}") if i % 2 else Score(EXPERT, NET, 0.0, f"o{i // 2}") for i in range(8)]
    text = json.dumps(as_json(judge(perfect, net=NET, expert=EXPERT)), allow_nan=False)
    assert json.loads(text)["elo"] is None


def test_curve_writes_ratings_with_the_papers_column(command: Command, tmp_path: Path) -> None:
    other = "Stockfish level 1 movetime=100"
    games = [
        Score(s.white.replace(EXPERT, other), s.black.replace(EXPERT, other), s.points, s.pair) for s in simulated(0, pairs=20)
    ]
    folder = write_match(tmp_path / "m", games)
    status, text, _ = command(["curve", folder, "--json", tmp_path / "c.json", "--note", "cap=1000"])
    assert status == 0
    assert "Glicko-2" in text
    found = json.loads((tmp_path / "c.json").read_text())
    (net,) = [r for r in found["ratings"] if r["name"] == NET]
    assert net["low"] < net["elo"] < net["high"]
    assert net["glicko"] > 1300
    assert net["glicko_error"] > 0
    assert found["notes"] == {"cap": "1000"}
    status, _, error = command(["curve", write_match(tmp_path / "n", [Score("a", "b", 1.0)])])
    assert (status, "a net at some temperatures" in error) == (2, True)
