"""The strength dial: read from a net's file without opening it, interpolated, and obeyed by the engine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.dial import Dial, Point, Setting, dial_in, dial_of
from engine.encoding import Scale
from engine.errors import NetError
from engine.inference.evaluator import Players
from engine.net import Net
from engine.net_file import digest, find_net, read_metadata
from engine.uci.options import ELO, ELO_RANGE, changed, declared, default_settings, find
from engine.uci.player import Opened, players, strength
from engine.uci.protocol import Declaration, Say, Uci
from engine.uci.session import Session, Write
from tests.engine.uci.test_player import Desk
from tests.engine.uniform import Uniform

DIAL = Dial((Point(504.2, Setting(1000, 1, 1.0)), Point(800.0, Setting(1400, 1, 0.5)), Point(1199.9, Setting(2400, 1, 0.0))))
LICHESS, FIDE = int(Scale.LICHESS), int(Scale.FIDE)
SEARCHING = Dial(
    (
        Point(1000.0, Setting(2200, LICHESS, 0.1)),
        Point(1200.0, Setting(2500, FIDE, 0.0)),
        Point(1400.0, Setting(2500, FIDE, 0.0, nodes=4)),
        Point(1800.0, Setting(2500, FIDE, 0.0, nodes=64)),
    )
)


def test_what_lies_between_two_points() -> None:
    assert DIAL.at(800) == Setting(1400, 1, 0.5)
    assert DIAL.at(1000) == Setting(pytest.approx(1900, abs=1), 1, pytest.approx(0.25, abs=0.001))  # type: ignore[arg-type]


def test_the_range_is_within_what_was_measured_and_holds_at_its_ends() -> None:
    assert (DIAL.low, DIAL.high) == (510, 1190)
    assert DIAL.at(0) == DIAL.at(510)
    assert DIAL.at(9999) == DIAL.at(1190)
    assert DIAL.at(510).temperature < 1.0


def test_evaluations_lie_on_a_line_of_their_logarithms() -> None:
    assert SEARCHING.at(1600) == Setting(2500, FIDE, 0.0, nodes=16)
    assert SEARCHING.at(1300) == Setting(2500, FIDE, 0.0, nodes=2)
    assert SEARCHING.at(1800).nodes == 64
    assert SEARCHING.at(1200).nodes == 1


def test_between_ratings_of_two_scales_there_are_none() -> None:
    assert SEARCHING.at(1090) == Setting(2200, LICHESS, pytest.approx(0.055))  # type: ignore[arg-type]
    assert SEARCHING.at(1110) == Setting(2500, FIDE, pytest.approx(0.045))  # type: ignore[arg-type]


def test_a_dial_of_before_there_was_a_search_is_read() -> None:
    old = {"scale": 1, "points": [[504.2, 1000, 1.0], [800.0, 1400, 0.5], [1199.9, 2400, 0.0]]}
    assert dial_of({"dial": old}) == DIAL


def test_it_survives_being_written_down() -> None:
    for dial in (DIAL, SEARCHING):
        assert dial_of({"rating": 1, "dial": json.loads(json.dumps(dial.as_json()))}) == dial
    assert dial_of({"rating": 1}) is None


@pytest.mark.parametrize(
    "points",
    [
        [],
        [[900, 1, 1]],
        [[900, 1, 1], [900, 2, 0]],
        [[900, 1, 1], [800, 2, 0]],
        [[1, 2]],
        "x",
        [[800, 1, 1], [float("inf"), 2, 0]],
        [[800, 1, float("nan")], [900, 2, 0]],
        [[800, 1, 1], [900, float("inf"), 0]],
        [[800, 1, -1], [900, 2, 0]],
        [[800, 1, 1, 0, 1], [900, 2, 0, 1, 1]],
        [[800, 1, 1, 1], [900, 2, 0, 1]],
        [[800, 1, 1, 1, "x"], [900, 2, 0, 1, 1]],
    ],
)
def test_a_damaged_dial_is_an_error(points: object) -> None:
    with pytest.raises(NetError, match="dial"):
        dial_of({"dial": {"scale": 1, "points": points}})


def test_metadata_is_read_without_opening_the_net() -> None:
    path = find_net()
    info = Net.open(path).info
    found = read_metadata(path)
    assert json.loads(found["model"])["layers"] == info.layers
    assert json.loads(found["play"]) == info.play
    assert json.loads(found["training"]) == info.training


@pytest.mark.parametrize(
    ("content", "said_to_be_none"),
    [
        (b"\x72" + b"\xff" * 9 + b"\x01", True),
        (b"\x72\x80\x80\x80\x80\x80\x80\x01", True),
        (b"", False),
        (b"no net", True),
        (b"\xff" * 40, True),
        (b"\x72\x05\x0a\x03abc", False),
        (b"\x7a\xff", True),
    ],
)
def test_a_file_that_is_no_net_has_no_metadata_or_says_so(content: bytes, said_to_be_none: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    if said_to_be_none:
        with pytest.raises(NetError, match=r"x\.onnx"):
            read_metadata(path)
    else:
        assert read_metadata(path) == {}


def test_the_digest_is_of_all_but_the_metadata(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    whole, path = find_net(), tmp_path / "x.onnx"
    model = onnx.load(str(whole))
    onnx.helper.set_model_props(model, {"transcendence.play": "{}", "author": "somebody"})
    onnx.save_model(model, str(path))
    assert path.read_bytes() != whole.read_bytes()
    assert digest(path) == digest(whole)
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    onnx.save_model(model, str(path))
    assert digest(path) != digest(whole)


def test_advice_on_play_that_is_none_is_an_error() -> None:
    with pytest.raises(NetError, match="advice on play"):
        dial_of([1])  # type: ignore[arg-type]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NetError, match=r"none\.onnx"):
        dial_in(tmp_path / "none.onnx")


def test_the_declared_range_is_the_dials() -> None:
    replies = [a.reply for a in Session(elo_range=(510, 1190)).receive(Uci()) if isinstance(a, Write)]
    line = next(r.text for r in replies if isinstance(r, Declaration) and "UCI_Elo" in r.text)
    assert line == "option name UCI_Elo type spin default 1190 min 510 max 1190"
    assert f"min {ELO_RANGE[0]} max {ELO_RANGE[1]}" in " ".join(declared(ELO_RANGE))


def test_the_dial_sets_the_rating_and_the_temperature_while_strength_is_limited() -> None:
    opened = Opened(Uniform(), "", Uniform, {"rating": 2500, "scale": 3}, DIAL)
    free = replace(default_settings(), temperature=0.3, elo=800)
    assert strength(free, opened) == Setting(2500, 3, 0.3)
    limited = strength(replace(free, limit_strength=True), opened)
    assert limited == Setting(1400, 1, 0.5)
    assert players(limited, None, white=True) == Players(1400, 1400, 1)


def test_the_engine_plays_by_it_and_says_what_lies_beyond() -> None:
    desk = Desk()
    desk.dial = DIAL
    desk.go()
    desk.option("UCI_Elo", "2000")
    desk.option("UCI_LimitStrength", "true")
    told = [r.text for r in desk.replies if isinstance(r, Say)]
    assert told == ["this net can play as 510 to 1190: UCI_Elo 2000 is played as 1190"]
    desk.replies.clear()
    desk.option("UCI_Elo", "800")
    assert desk.replies == []
    desk.go("e2e4")
    assert desk.judge.asked[-1].players == Players(1400, 1400, 1)
    drawn = {str(desk.go().move) for _ in range(40)}
    assert len(drawn) > 3, "temperature 0.5 draws, whatever Temperature says"


def test_a_strength_by_dial_is_told_the_same_rating_of_both() -> None:
    """So it was measured; without a dial the opponent's own rating is told."""
    desk = Desk(rating=2500, scale=3)
    desk.dial = DIAL
    desk.option("UCI_Opponent", "none 2800 human Somebody")
    desk.option("UCI_LimitStrength", "true")
    desk.option("UCI_Elo", "800")
    desk.go()
    assert desk.judge.asked[-1].players == Players(1400, 1400, 1)
    desk.option("UCI_LimitStrength", "false")
    desk.go()
    assert desk.judge.asked[-1].players == Players(2500, 2800, 3)


def test_the_default_is_the_one_that_is_declared() -> None:
    assert default_settings().elo == 1500
    assert default_settings((510, 1190)).elo == 1190
    assert default_settings((1600, 1900)).elo == 1600


@pytest.mark.parametrize(("text", "elo"), [("5000", 4000), ("0", 1), ("-3", 1), ("+900", 900)])
def test_a_strength_beyond_all_reason_is_the_nearest_one(text: str, elo: int) -> None:
    option = find(ELO)
    assert option is not None
    assert changed(default_settings(), option, text).elo == elo


def test_of_a_net_that_is_still_to_be_opened_nothing_is_told() -> None:
    desk = Desk()
    desk.dial = DIAL
    desk.go()
    desk.replies.clear()
    desk.option("Model", "another.onnx")
    desk.option("UCI_LimitStrength", "true")
    desk.option("UCI_Elo", "2000")
    assert [r for r in desk.replies if isinstance(r, Say)] == []
