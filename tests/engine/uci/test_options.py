"""The table of options: the rules that clients demand of a declaration, and what each option reads."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.build.options import manual
from engine.errors import OptionError
from engine.uci.options import OPTIONS, Opponent, Option, Settings, changed, default_settings, find
from tests.paths import ROOT

IDS = [option.name for option in OPTIONS]

VALUES: list[tuple[str, str, object]] = [
    ("Temperature", "0.001", 0.001),
    ("Temperature", "0", 0.0),
    ("Temperature", "1", 1.0),
    ("Temperature", ".5", 0.5),
    ("Temperature", "1e-05", 1e-05),
    ("Temperature", "1e-3", 1e-3),
    ("Temperature", "0,7", 0.7),
    ("Temperature", "2.", 2.0),
    ("TemperatureOpening", "1", 1.0),
    ("TemperatureOpening", "<empty>", None),
    ("TemperatureOpening", "", None),
    ("TemperatureOpeningPlies", "16", 16),
    ("TopP", "0,9", 0.9),
    ("TopP", "1", 1.0),
    ("Seed", "7", 7),
    ("AvoidRepetition", "FALSE", False),
    ("TakeMate", "false", False),
    ("Model", "/a b/ö.onnx", "/a b/ö.onnx"),
    ("Model", "<empty>", ""),
    ("Device", "CUDA", "cuda"),
    ("Threads", "4", 4),
    ("Hash", "512", 512),
    ("Nodes", "64", 64),
    ("CPuct", "2,5", 2.5),
    ("FirstPlay", "0", 0.0),
    ("PriorTemperature", "1.3", 1.3),
    ("DrawScore", "0.4", 0.4),
    ("MultiPV", "500", 500),
    ("Ponder", "true", True),
    ("Move Overhead", "100", 100),
    ("MoveDelay", "1500", 1500),
    ("UCI_ShowWDL", "true", True),
    ("UCI_LimitStrength", "true", True),
    ("UCI_Elo", "+1200", 1200),
    ("UCI_Opponent", "GM 2800 human Gary Kasparov", Opponent("GM", 2800, "Gary Kasparov")),
    ("UCI_Opponent", "none none computer Shredder 13", Opponent("", 0, "Shredder 13")),
    ("UCI_Opponent", "<empty>", None),
    ("UCI_AnalyseMode", "true", True),
    ("UCI_Chess960", "true", True),
    ("SyzygyPath", "/a:/b c", "/a:/b c"),
    ("Log File", "x.log", "x.log"),
]

RUBBISH = [
    ("Temperature", ["", "<empty>", "nan", "inf", "-inf", "-1", "hot", "1,000.5", "1 2", "0x1", "1_0", "١", "101", "1e999"]),
    ("TemperatureOpening", ["cold", "-0.5"]),
    ("TopP", ["0", "1.01", "-1", "nan", "all"]),
    ("TemperatureOpeningPlies", ["-1", "1001", "ten"]),
    ("Seed", ["-1", "2147483648", "1.5", "", "9" * 5000]),
    ("AvoidRepetition", ["1", "yes", "on", ""]),
    ("TakeMate", ["0"]),
    ("Device", ["gpu", ""]),
    ("Threads", ["0", "1025"]),
    ("Hash", ["0", "x"]),
    ("Nodes", ["0", "-1", "1e3", "1000000001"]),
    ("CPuct", ["0", "-1", "nan", "101"]),
    ("FirstPlay", ["-0.1", "1.1", "x"]),
    ("PriorTemperature", ["0", "inf"]),
    ("DrawScore", ["-0.1", "1.1"]),
    ("MultiPV", ["0", "501", "2.0"]),
    ("Ponder", ["maybe"]),
    ("Move Overhead", ["-1", "10001"]),
    ("MoveDelay", ["-1", "600001"]),
    ("UCI_ShowWDL", ["2"]),
    ("UCI_LimitStrength", [""]),
    ("UCI_Elo", ["strong", "", "1200.5"]),
    ("UCI_Opponent", ["GM", "GM 2800", "GM high human X", "GM 2800 alien X"]),
    ("UCI_AnalyseMode", ["x"]),
    ("UCI_Chess960", ["x"]),
]


@pytest.mark.parametrize("option", OPTIONS, ids=IDS)
def test_declarations_obey_every_client(option: Option) -> None:
    words = {"name", "type", "default", "min", "max", "var"}
    assert not words & set(re.findall(r"\w+", option.name.lower()))
    assert not words & set(re.findall(r"\w+", option.default.lower()))
    kinds = {
        "check": r"default (true|false)",
        "spin": r"default -?\d+ min -?\d+ max -?\d+",
        "button": r"",
        "combo": r"default \S+( var \S+)+",
        "string": r"default \S+",
    }
    pattern = rf"option name {re.escape(option.name)} type {option.kind} {kinds[option.kind]}".strip()
    assert re.fullmatch(pattern, option.declaration())
    assert "  " not in option.name
    if option.kind == "spin":
        assert option.low <= int(option.default) <= option.high
        assert option.low < option.high
    if option.kind == "combo":
        assert option.default in option.choices


def test_every_setting_has_one_option_and_names_are_unique_in_any_case() -> None:
    assert sorted(o.field for o in OPTIONS if o.field) == sorted(f.name for f in fields(Settings))
    assert len({o.name.lower() for o in OPTIONS}) == len(OPTIONS)


def test_every_option_is_tested() -> None:
    assert {name for name, _, _ in VALUES} == {o.name for o in OPTIONS if o.kind != "button"}


@pytest.mark.parametrize(("name", "text", "value"), VALUES)
def test_values(name: str, text: str, value: object) -> None:
    option = find(name.upper())
    assert option
    assert getattr(changed(default_settings(), option, text), option.field) == value


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in RUBBISH for text in texts])
def test_rubbish_is_refused_with_name_and_value(name: str, text: str) -> None:
    option = find(name)
    assert option
    with pytest.raises(OptionError, match=f"option {re.escape(name)} takes .*, got '{re.escape(text)}'; it stays "):
        changed(default_settings(), option, text)


@given(st.sampled_from(OPTIONS), st.text(max_size=40))
def test_a_value_is_read_or_refused(option: Option, text: str) -> None:
    """Nothing but OptionError comes out of a value, and one option changes one setting."""
    before = default_settings()
    try:
        after = changed(before, option, text)
    except OptionError:
        return
    different = [f.name for f in fields(Settings) if getattr(before, f.name) != getattr(after, f.name)]
    assert different in ([], [option.field])


def test_what_lichess_bot_ships_with_is_accepted() -> None:
    shipped = {"Move Overhead": "100", "Threads": "4", "Hash": "512", "SyzygyPath": "./syzygy/", "UCI_ShowWDL": "true"}
    settings = default_settings()
    for name, value in shipped.items():
        option = find(name)
        assert option
        settings = changed(settings, option, value)
    assert (settings.threads, settings.hash_mb, settings.move_overhead_ms) == (4, 512, 100)


def test_the_page_of_options_is_up_to_date() -> None:
    page = ROOT / "docs" / "options.md"
    assert page.read_text(encoding="utf-8") == manual(), "run: python -m docs.build.options > docs/options.md"
