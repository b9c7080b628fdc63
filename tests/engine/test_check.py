"""``--check``, the report for people."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from engine.check import check, client_lines, installed, program


def test_a_good_net_is_described(random_net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(str(random_net)) == 0
    report = capsys.readouterr().out
    for part in (
        "Transcendence",
        "ONNX Runtime",
        str(random_net),
        "device          cpu",
        "time per move",
        "cutechess-cli -engine",
    ):
        assert part in report


def test_a_missing_net_is_no_traceback_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(str(tmp_path / "none.onnx")) == 1
    report = capsys.readouterr().out
    assert "NOT READY TO PLAY" in report
    assert "none.onnx" in report
    assert "lichess-bot" in report


def test_the_program_is_an_absolute_path() -> None:
    assert Path(program()[0]).is_absolute()


def test_blanks_and_backslashes_survive_pasting() -> None:
    lines = client_lines("/my engines/bin/transcendence", ("-m", "engine"))
    command = next(line for line in lines.split("\n") if line.startswith("cutechess-cli"))
    assert "cmd=/my engines/bin/transcendence" in shlex.split(command.removesuffix("\\"))
    assert "arg=-m" in shlex.split(command.removesuffix("\\"))
    assert 'args="-m engine"' in lines
    assert 'dir: "/my engines/bin"' in lines


def test_install_says_what_to_give_to_a_gui(capsys: pytest.CaptureFixture[str]) -> None:
    assert installed() == 0
    assert str(program()[0]) in capsys.readouterr().out


def test_install_says_what_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "engine.inference.evaluator", None)
    assert installed() == 1
    assert "NOT INSTALLED COMPLETELY" in capsys.readouterr().out
