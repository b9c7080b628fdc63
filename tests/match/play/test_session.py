"""What progress shows while a match is played."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.errors import MatchError
from match.play.game import Rules
from match.play.session import MatchPlan, _quick_rating, identity, play_match
from match.players.population import PlayerFactory
from match.statistics.scores import Score
from tests.paths import ROOT


@pytest.mark.parametrize(("points", "sign"), [([0.0, 0.0], "<"), ([1.0, 1.0], ">"), ([1.0, 0.0], "")])
def test_the_rating_so_far_is_marked_where_it_is_only_a_bound(points: list[float], sign: str) -> None:
    scores = [Score("net", "level", p, f"pair {i}") for i, p in enumerate(points)]
    text = _quick_rating(scores, {"level": 1500.0}, "net")
    assert text.startswith(f", rating {sign}")
    assert text.removeprefix(f", rating {sign}").isdigit()


def test_a_rating_without_a_tie_to_an_anchor_is_unknown() -> None:
    scores = [Score("net", "a", 1.0, "1"), Score("b", "level", 0.5, "2")]
    assert _quick_rating(scores, {"level": 1500.0}, "net") == ", rating ?"


def test_a_searching_net_is_known_by_what_it_computes_and_not_by_its_place(random_net: Path, tmp_path: Path) -> None:
    def known(path: Path) -> str:
        (player,) = PlayerFactory().players(f"net:{path}@0.001,nodes=8")
        return identity(player)

    path = tmp_path / "net.onnx"
    shutil.copyfile(random_net, path)
    (tmp_path / "there").mkdir()
    there = Path(shutil.copyfile(path, tmp_path / "there" / "net.onnx"))
    assert known(there) == known(path)
    shutil.copyfile(ROOT / "models" / "transcendence.onnx", path)
    assert known(there) != known(path)


def test_a_match_without_opponents_is_refused(tmp_path: Path) -> None:
    plan = MatchPlan([], ["net"], 2, "random:4", 1)
    with pytest.raises(MatchError, match="expected at least two players who meet, got none"):
        play_match(plan, {}, out=tmp_path / "match", rules=Rules(), at_once=1, workers=1)
    assert not (tmp_path / "match").exists()
