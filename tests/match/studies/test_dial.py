"""The strength dial at the board: from measured ratings to a net's dial, and from a dial to the players that check it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.dial import Dial, Point, Setting, dial_in
from engine.errors import MatchError
from engine.inference.evaluator import Players
from export import dial as writing
from export.dial import Measured, rising
from match.players.net import NetPlayer
from match.players.population import PlayerFactory
from match.players.searching import SearchSpec
from match.studies import dial as checking
from match.studies.dial import check_table, read_checks, strengths
from tests.nets import tiny_net

DIAL = Dial((Point(504, Setting(1000, 1, 1.0)), Point(800, Setting(1400, 1, 0.5)), Point(1199, Setting(2400, 1, 0.1))))


def _measured(*elos: float) -> list[Measured]:
    return [Measured(Point(elo, Setting(1000 + 100 * i, 1, 1 - i / 10)), 100) for i, elo in enumerate(elos)]


def test_points_that_rise_are_kept() -> None:
    assert rising(_measured(500, 600, 700)) == tuple(m.point for m in _measured(500, 600, 700))


def test_a_dip_is_levelled_and_its_first_setting_is_kept() -> None:
    assert [(p.elo, p.setting.rating) for p in rising(_measured(500, 700, 600, 800))] == [(500, 1000), (650, 1100), (800, 1300)]


def test_levelling_goes_back_as_far_as_it_must() -> None:
    assert [p.elo for p in rising(_measured(550, 600, 700, 340))] == [547.5]


def _pool(path: Path, ratings: dict[str, tuple[float, float, float]]) -> Path:
    rows = [{"name": n, "elo": e, "low": a, "high": b, "games": 60} for n, (e, a, b) in ratings.items()]
    path.write_text(json.dumps({"ratings": rows}), encoding="utf-8")
    return path


def _settings(path: Path, net: Path, *, scale: str = "lichess") -> Path:
    text = "".join(
        f'[[player]]\nname = "told {r}"\nnet = "{net.as_posix()}"\nrating = {r}\nscale = "{scale}"\ntemperature = {t}\n'
        for r, t in ((1000, 1.0), (2000, 0.5))
    )
    path.write_text(text, encoding="utf-8")
    return path


def test_a_net_gets_its_dial_and_plays_by_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = tiny_net(tmp_path / "n.onnx")
    players = _settings(tmp_path / "s.toml", net)
    ratings = _pool(tmp_path / "r.json", {"told 1000": (502.4, 400, 600), "told 2000": (900.0, 800, 1000), "random": (0, 0, 0)})
    assert writing.main([str(net), "--players", str(players), "--ratings", str(ratings)]) == 0
    assert "UCI_Elo 510 to 900" in capsys.readouterr().out
    assert dial_in(net) == Dial((Point(502.4, Setting(1000, 1, 1.0)), Point(900.0, Setting(2000, 1, 0.5))))

    assert checking.main([str(net)]) == 0
    population = tmp_path / "p.toml"
    population.write_text(capsys.readouterr().out, encoding="utf-8")
    found = PlayerFactory().players(str(population))
    assert [p.name.partition(" T=")[0] for p in found] == [
        f"UCI_Elo {e}" for e in (510, 550, 580, 620, 650, 690, 720, 760, 790, 830, 860, 900)
    ]
    assert found[-1].name == "UCI_Elo 900 T=0.5"
    first, last = found[0], found[-1]
    assert isinstance(first, NetPlayer)
    assert isinstance(last, NetPlayer)
    assert (last.rating, last.scale, last.sampling.temperature) == (2000, 1, 0.5)
    assert first.sampling.temperature > 0.95


def test_settings_that_search_are_points_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = tiny_net(tmp_path / "n.onnx")
    players = _settings(tmp_path / "s.toml", net)
    searching = f'[[player]]\nname = "deep"\nnet = "{net.as_posix()}"\nrating = 2500\nscale = "fide"\n'
    with players.open("a", encoding="utf-8") as file:
        file.write(searching + "temperature = 0.5\nnodes = 64\n")
    ratings = {"told 1000": (500.0, 400.0, 600.0), "told 2000": (900.0, 800.0, 1000.0), "deep": (1600.0, 1500.0, 1700.0)}
    pool = _pool(tmp_path / "r.json", ratings)
    assert writing.main([str(net), "--players", str(players), "--ratings", str(pool)]) == 0
    assert "rating 2500 (fide), temperature 0.5, evaluations 64" in capsys.readouterr().out
    dial = dial_in(net)
    assert dial is not None
    assert dial.points[-1] == Point(1600.0, Setting(2500, 3, 0.5, 64))

    assert checking.main([str(net), "--rivals"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "UCI_Elo 1600 T=0.5 nodes=64|3 4"
    names = [line.partition("|")[0] for line in lines]
    assert names == [f"UCI_Elo {e} T=0.5 nodes={dial.at(e).nodes}" for e in strengths(dial, searching=True)]
    assert names[0].startswith("UCI_Elo 10"), "900 is played without a search, 1000 is not"
    population = tmp_path / "p.toml"
    population.write_text(checking.population(net, dial, searching=True), encoding="utf-8")
    last = PlayerFactory().players(f"{population}:{names[-1]}")[0].spec
    assert isinstance(last, SearchSpec)
    assert (last.nodes, last.temperature, last.players) == (64, 0.5, Players(2500, 2500, 3))


def test_strength_needs_a_dial_that_goes_so_far(tmp_path: Path) -> None:
    net = tiny_net(tmp_path / "n.onnx")
    path = tmp_path / "p.toml"
    path.write_text(f'[[player]]\nname = "x"\nnet = "{net.as_posix()}"\nelo = 900\n', encoding="utf-8")
    with pytest.raises(MatchError, match="strength dial"):
        PlayerFactory().players(str(path))
    writing.write_dial(net, DIAL)
    assert len(PlayerFactory().players(str(path))) == 1
    path.write_text(path.read_text(encoding="utf-8").replace("900", "1300"), encoding="utf-8")
    with pytest.raises(MatchError, match="from 510 to 1190"):
        PlayerFactory().players(str(path))
    path.write_text(path.read_text(encoding="utf-8").replace("1300", "900\nrating = 1500"), encoding="utf-8")
    with pytest.raises(MatchError, match="leave out rating"):
        PlayerFactory().players(str(path))


def test_a_check_tells_whether_it_rises_and_how_far_it_is_off(tmp_path: Path) -> None:
    asked = strengths(DIAL)
    assert asked[0] == 510
    assert asked[-1] == 1190
    names = {elo: f"UCI_Elo {elo} T={DIAL.at(elo).temperature:.3g}" for elo in asked}
    rates = {names[elo]: (elo + 10.0, elo - 30.0, elo + 50.0) for elo in asked}
    text = check_table(read_checks(_pool(tmp_path / "c.json", rates), DIAL))
    assert "yes, at every step" in text
    assert "off by 10 on average, +10 at most" in text
    rates[names[asked[3]]] = (400.0, 380.0, 420.0)
    text = check_table(read_checks(_pool(tmp_path / "c.json", rates), DIAL))
    assert "not at 1 step(s)" in text
    assert "with intervals apart" in text
    del rates[names[510]]
    with pytest.raises(MatchError, match="UCI_Elo 510"):
        read_checks(_pool(tmp_path / "c.json", rates), DIAL)


def test_a_check_without_a_bound_is_still_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = tiny_net(tmp_path / "n.onnx")
    writing.write_dial(net, DIAL)
    asked = strengths(DIAL)
    rows = [
        {"name": f"UCI_Elo {elo} T={DIAL.at(elo).temperature:.3g}", "elo": elo, "low": elo - 50, "high": elo + 50, "games": 2}
        for elo in asked
    ]
    rows[0] |= {"low": None}
    rows[-1] |= {"high": None}
    pool = tmp_path / "c.json"
    pool.write_text(json.dumps({"ratings": rows}), encoding="utf-8")
    assert checking.main([str(net), "--checked", str(pool), "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert f"no bound to {asked[0] + 50}" in told
    assert f"{asked[-1] - 50} to no bound" in told
    assert (tmp_path / "dial.txt").read_text(encoding="utf-8").strip() == told.strip()
    pytest.importorskip("matplotlib")
    assert (tmp_path / "dial.png").stat().st_size > 0
