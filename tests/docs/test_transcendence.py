"""The pages docs/transcendence*.md: every number from a file, and nothing claimed that was not run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from docs.build.tables import NOT_RUN
from docs.build.transcendence import TEMPLATES, main, page
from docs.build.transcendence_evidence import Evidence, interval
from docs.build.transcendence_figures import draw
from engine.errors import MatchError
from match.play.results import read_results
from match.report.verdict import as_json, curve_as_json
from match.statistics.glicko2 import Glicko
from match.statistics.verdict import judge
from match.studies import advantage
from tests.match.statistics.test_verdict import EXPERT, NET, curve, simulated
from tests.paths import ROOT

TEMPLATE = "\n".join(path.read_text(encoding="utf-8") for path in TEMPLATES)
POPULATION = '[[player]]\nname = "expert 1"\nbuiltin = "random"\nweakness = [{ error = "random", probability = %s }]\n'


def experiment(results: Path, name: str, elo: float, *, noise: float = 0.3) -> dict[str, Any]:
    """Files that recipes/transcendence.sh would leave."""
    folder = results / name
    folder.mkdir(parents=True)
    pool = curve((0.001, 950), (0.5, 900), (1, 650))
    found = judge(simulated(elo, pairs=400), net=NET, expert=EXPERT, pool=pool)
    found.notes.update(games="60000", minutes="45", preset="laptop")
    (folder / "verdict.json").write_text(json.dumps(as_json(found)))
    (folder.parent / "population.toml").write_text(POPULATION % noise)
    return as_json(found)


def test_nothing_run_nothing_claimed(tmp_path: Path) -> None:
    text = page(TEMPLATE, Evidence(tmp_path))
    assert "{{" not in text
    assert text.count("*not run yet*") >= 20
    assert not re.search(r"\*\*(transcends|does not transcend|undecided)\*\*", text)
    assert not re.search(r"[+−-]\d+ \(", text)


def test_verdicts_are_told_with_their_numbers(tmp_path: Path) -> None:
    noisy = experiment(tmp_path, "noisy/net", 400)
    experiment(tmp_path, "herd/net", -100)
    text = page(TEMPLATE, Evidence(tmp_path))
    assert f"**transcends**: {noisy['elo']:+.0f} ({noisy['low']:+.0f} to {noisy['high']:+.0f}) Elo" in text
    assert "| herd/net | does not transcend | **does not transcend** |" in text
    assert "| verdict | does not transcend | does not transcend | yes |" in text
    assert "| specialists | transcends | *not run yet* |" in text
    assert f"| net − best expert, 95 % lower bound | above +300 | {noisy['low']:+.0f} | yes |" in text
    assert text.count("95 % lower bound") == 1
    assert "| rating falls as T rises to 1 | within errors | +300 (+265 to +335) | yes |" in text
    assert "None: every verdict is the expected one." in text
    assert "| 0.5 | 200 | 900 (875 to 925) |" in text


def test_a_verdict_by_votes_alone_needs_no_pool(tmp_path: Path) -> None:
    experiment(tmp_path, "noisy/net", 400)
    alone = judge(simulated(200, pairs=400), net=NET, expert=EXPERT)
    alone.notes.update(games="60000", minutes="45")
    (tmp_path / "noisy" / "net-votes").mkdir()
    (tmp_path / "noisy" / "net-votes" / "verdict.json").write_text(json.dumps(as_json(alone)))
    evidence = Evidence(tmp_path)
    text = page(TEMPLATE, evidence)
    votes = as_json(alone)
    assert text.count(f"{votes['elo']:+.0f} ({votes['low']:+.0f} to {votes['high']:+.0f})") >= 3
    assert "| expert 1 |" in page("{{experts: noisy}}", evidence)  # from the arm that has a pool


def test_a_verdict_against_theory_is_not_hidden(tmp_path: Path) -> None:
    noisy = experiment(tmp_path, "noisy/net", -100)
    text = page(TEMPLATE, Evidence(tmp_path))
    assert f"| net − best expert, 95 % lower bound | above +300 | {noisy['low']:+.0f} | **no** |" in text
    assert '*noisy/net*: expected "transcends", found **does not transcend**' in text


def test_the_slope_goes_by_noise_and_figures_are_drawn(tmp_path: Path) -> None:
    for noise, elo in ((0.4, 60), (0.05, -200), (0.2, 0)):
        experiment(tmp_path, f"noise-{noise * 100:.0f}/net", elo, noise=noise)
    evidence = Evidence(tmp_path)
    several = "".join(POPULATION % noise for noise in (0.35, 0.49)).replace("expert 1", "expert 2", 1)
    experiment(tmp_path, "noisy/net", 200)
    (tmp_path / "noisy/population.toml").write_text(several)
    experiment(tmp_path, "herd/net", -50)
    with (tmp_path / "herd/population.toml").open("a") as more:
        more.write('[[player]]\nname = "else"\nbuiltin = "random"\nweakness = [{ error = "habit", probability = 0.1 }]\n')
    assert [shares for shares, _ in evidence.slope()] == [(0.05, 0.05), (0.2, 0.2), (0.4, 0.4), (0.35, 0.49)]
    rows = page("{{slope}}", evidence).splitlines()[2:]
    assert rows[0].startswith("| 5% | noise-5/net | -")
    assert rows[-1].startswith("| 35 to 49% | noisy/net | +")
    assert rows[-1].endswith("| **transcends** | 60,000 |  | 45 |")
    experiment(tmp_path, "specialists/net", 100)
    rewards = advantage.Advantage((0.001, 0.75, 1.0), np.random.default_rng(1).random((20, 3)), np.full((3, 3), 0.5))
    (tmp_path / "specialists/net/advantage.json").write_text(json.dumps(advantage.as_json(rewards)))
    assert main(["--results", str(tmp_path), "--out", str(tmp_path / "pages")]) == 0
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {"verdicts.png", "temperature.png", "noise.png"}
    assert [path.name for path in sorted((tmp_path / "pages").iterdir())] == [path.name for path in TEMPLATES]
    text = "".join(path.read_text() for path in (tmp_path / "pages").iterdir())
    assert "figures/noise.png)" in text
    assert "specialists/net/advantage.png)" in text
    assert "20 states, one a game" in text


def test_trainings_with_other_seeds_stand_in_one_table(tmp_path: Path) -> None:
    assert page("{{seeds: noisy}}", Evidence(tmp_path)) == NOT_RUN
    first, second = (experiment(tmp_path, f"noisy/{arm}", elo) for arm, elo in (("net", 100), ("net-seed-2", 140)))
    votes = experiment(tmp_path, "noisy/net-seed-2-votes", 60)
    evidence = Evidence(tmp_path)
    differences = [interval(found) for found in (first, second, votes)]
    assert page("{{seeds: noisy}}", evidence).splitlines()[2:] == [
        f"| 1 | *not run yet* | {differences[0]} |",
        f"| 2 | {differences[2]} | {differences[1]} |",
        f"| *mean* | {votes['elo']:+.0f} | {(first['elo'] + second['elo']) / 2:+.0f} |",
        f"| *standard deviation* |  | {abs(first['elo'] - second['elo']) / 2**0.5:.0f} |",
    ]
    (tmp_path / "noisy" / "net-seed-2" / "validation.jsonl").write_text('{"plies": 2000000}\n')
    assert page("{{verdicts}}", evidence).count("| 2.0 M |") == 2  # of the seed's two matches
    assert draw(evidence)


def test_what_a_low_temperature_gains_with_a_search(tmp_path: Path) -> None:
    results = tmp_path / "docs" / "results" / "transcendence"
    assert page("{{searching}}", Evidence(results)) == "*not run yet*"
    (results.parent / "search").mkdir(parents=True)
    (results.parent / "search" / "temperatures-64.txt").write_text(
        "net T=1 nodes=64 - Stockfish level 2 depth=3  6 5 19 28.3%\n"
        "net T=0.001 nodes=64               90     64.5   71.7%     1676  1608 to 1753        80.6%\n"
        "Stockfish level 2 depth=3         120     44.0   36.7%    =1324  anchor             100.0%\n"
        "net T=1 nodes=64                   90     11.5   12.8%      -12  -110 to 67\n"
    )
    assert page("{{searching}}", Evidence(results)).splitlines() == [
        "| temperature | 64 evaluations |",
        "| --- | --- |",
        "| 0.001 | 1676 (1608 to 1753) |",
        "| 1 | -12 (-110 to 67) |",
    ]


PACKED = sorted((ROOT / "docs" / "results" / "transcendence").glob("*/*/results.jsonl.zst"))


def test_the_games_of_a_verdict_are_committed() -> None:
    assert "noisy/net" in {f"{path.parents[1].name}/{path.parent.name}" for path in PACKED}


@pytest.mark.parametrize("path", PACKED, ids=lambda path: f"{path.parents[1].name}/{path.parent.name}")
def test_anyone_can_judge_the_games_of_a_verdict_again(path: Path) -> None:
    said = json.loads((path.parent / "verdict.json").read_text())
    games = read_results(path)
    found = as_json(judge([game.score() for game in games], net=said["net"], expert=said["expert"]))
    for key in ("verdict", "games", "pentanomial"):
        assert found[key] == said[key]
    for key in ("elo", "low", "high"):
        assert found[key] == pytest.approx(said[key])
    for game in games[::20]:  # and they are games, with the results that they say
        board = game.position(game.plies)
        assert board.is_checkmate() == (game.reason == "checkmate")
        assert game.reason != "checkmate" or board.result() == game.result


def test_the_rule_is_weighed_on_the_games_that_both_matches_hold() -> None:
    evidence = Evidence(ROOT / "docs" / "results" / "transcendence")
    found = evidence.rule("noisy")
    assert found is not None
    assert [round(bound) for bound in found] == [132, 108, 156]
    assert "{:+.0f} ({:+.0f} to {:+.0f})".format(*found) in page("{{rule: noisy}}", evidence)
    assert page("{{rule: herd}}", evidence) == "*not run yet*"


def test_what_a_net_has_read_stands_beside_what_was_asked_for(tmp_path: Path) -> None:
    experiment(tmp_path, "noisy/net", 400)
    assert "| 60,000 |  | 45 |" in page("{{verdicts}}", Evidence(tmp_path))
    (tmp_path / "noisy" / "net" / "validation.jsonl").write_text('{"plies": 1000000}\n{"plies": 18410000}\n')
    assert "| 60,000 | 18.4 M | 45 |" in page("{{verdicts}}", Evidence(tmp_path))


def test_a_bound_is_no_rating(tmp_path: Path) -> None:
    found = experiment(tmp_path, "noisy/net", 400)
    for rating, low, high in zip(found["ratings"], (None, 500.0, None), (300.0, None, 900.0), strict=False):
        rating["low"], rating["high"] = low, high
        rating["elo"] = 700.0 if high == 900 else low or high
    (tmp_path / "noisy" / "net" / "verdict.json").write_text(json.dumps(found))
    text = page("{{temperatures: noisy/net}}{{experts: noisy}}", Evidence(tmp_path))
    for words in ("below 300", "above 500", "700 (open to 900)"):
        assert f"| {words} |" in text


def people(results: Path, *caps: int) -> None:
    """Files that recipes/lichess-caps.sh would leave."""
    pool = curve((0.001, 1100), (1, 700))
    for cap in caps:
        renamed = [r if r.name == EXPERT else type(r)(**{**vars(r), "name": r.name.replace("net", f"cap {cap}")}) for r in pool]
        folder = results / "human" / f"cap-{cap}"
        folder.mkdir(parents=True)
        values = curve_as_json(renamed, {}, {"cap": str(cap), "games": "26,075", "minutes": "60"})
        (folder / "ours.json").write_text(json.dumps(values))
        (folder / "validation.jsonl").write_text('{"plies": 7500000}\n')


def test_people(tmp_path: Path) -> None:
    people(tmp_path, 1500, 1000)
    lines = page("{{caps: ours}}", Evidence(tmp_path)).splitlines()
    assert lines[0] == "| temperature | cap 1000 | cap 1500 |"
    assert lines[2] == "| 0.001 | 1100 (1075 to 1125) | 1100 (1075 to 1125) |"


def test_what_low_temperature_adds_below_a_cap(tmp_path: Path) -> None:
    people(tmp_path, 1000)
    (paper := tmp_path / "human" / "cap-1000" / "paper.json").write_text(
        json.dumps(
            curve_as_json(
                [type(r)(**{**vars(r), "name": r.name.replace("net", "cap 1000")}) for r in curve((0.001, 1000), (1, 640))],
                {"cap 1000 T=0.001": Glicko(1500, 60), "cap 1000 T=1": Glicko(1080, 60)},
                {"cap": "1000", "games": "26,075", "minutes": "60"},
            )
        )
    )
    text = page("{{caps-gains}}", Evidence(tmp_path))
    assert "| plies read | 7.5 M |" in text
    assert "| from T = 1 to 0.001, our protocol | +400 (+365 to +435) |" in text  # 25 each way, in quadrature
    assert "| the same, the paper's protocol | +360 (+325 to +395) |" in text
    assert "| the same in Glicko-2 | +420 |" in text
    assert "| the paper's own nets, Glicko-2 | +572 |" in text
    assert text.count(NOT_RUN) == 2  # the stand-in's matches
    for match, elo in (("stand-in", 60), ("stand-in-votes", 40)):
        found = as_json(judge(simulated(elo, pairs=400), net=NET, expert=EXPERT))
        (paper.parent / match).mkdir()
        (paper.parent / match / "verdict.json").write_text(json.dumps(found))
        assert f"| {found['elo']:+.0f} ({found['low']:+.0f} to" in page("{{caps-gains}}", Evidence(tmp_path))


def test_a_gain_over_what_lost_nearly_all_has_one_bound(tmp_path: Path) -> None:
    people(tmp_path, 1000)
    path = tmp_path / "human" / "cap-1000" / "ours.json"
    values = json.loads(path.read_text())
    warm = next(rating for rating in values["ratings"] if rating["name"] == "cap 1000 T=1")
    warm["low"], warm["high"] = None, 760
    path.write_text(json.dumps(values))
    assert "| from T = 1 to 0.001, our protocol | +400 (+335 to no bound) |" in page("{{caps-gains}}", Evidence(tmp_path))
    warm["elo"] = None
    path.write_text(json.dumps(values))
    assert "| from T = 1 to 0.001, our protocol | ? |" in page("{{caps-gains}}", Evidence(tmp_path))


def test_places_that_nothing_fills_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MatchError, match="expected a place of"):
        page("{{nonsense: x}}", Evidence(tmp_path))
    experiment(tmp_path, "noisy/net", 0)
    (tmp_path / "noisy/net/verdict.json").write_text("{")
    with pytest.raises(MatchError, match="expected a result file"):
        page(TEMPLATE, Evidence(tmp_path))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_the_committed_pages_are_those_of_the_committed_results(template: Path) -> None:
    made = page(template.read_text(encoding="utf-8"), Evidence(ROOT / "docs" / "results" / "transcendence"))
    assert (ROOT / "docs" / template.name).read_text(encoding="utf-8") == made, "run: python -m docs.build.transcendence"
