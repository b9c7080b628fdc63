"""Processes that speak UCI, and those that do not: each failure is named and ends in time."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from engine.errors import MatchError
from match.players.client import Engine, EngineFailure, Engines, Setup, resolve
from tests.match.conftest import FAKE, needs_stockfish


def setup(kind: str, *, move_s: float = 10.0, start_s: float = 10.0, options: tuple[tuple[str, str], ...] = ()) -> Setup:
    return Setup((sys.executable, str(FAKE), kind), options, start_s, move_s)


def test_a_good_engine_moves_and_ends() -> None:
    engine = Engine(setup("good", options=(("weird name", "3"),)))
    assert engine.best("position startpos moves e2e4", "go depth 1") == "a7a5"
    engine.new_game()
    lines = engine.best_lines("position startpos", "go depth 1", 1)
    assert (lines[0].move, lines[0].score_cp) == ("a2a3", 20)
    engine.close()
    assert engine._process.poll() == 0


def test_what_an_engine_says_besides_is_no_analysis() -> None:
    engine = Engine(setup("chats"))
    lines = engine.best_lines("position startpos", "go depth 1", 1)
    assert (lines[0].move, lines[0].score_cp) == ("a2a3", 20)
    engine.close()


def test_analysis_that_is_no_uci_is_the_engines_failure() -> None:
    engine = Engine(setup("analyses nonsense"))
    with pytest.raises(EngineFailure, match="no UCI: 'info depth 1 score cp high pv a2a3'"):
        engine.best_lines("position startpos", "go depth 1", 2)
    engine.close()


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("hangs", "hung: no bestmove within 0.5 s"),
        ("crashes", "crashed with exit status 3 before bestmove"),
        ("floods", "hung: no bestmove within 0.5 s"),
    ],
)
def test_a_failure_is_named_and_ends_in_time(kind: str, told: str) -> None:
    engine = Engine(setup(kind, move_s=0.5))
    began = time.monotonic()
    with pytest.raises(EngineFailure, match=re.escape(told)):
        engine.best("position startpos", "go depth 1")
    assert time.monotonic() - began < 5
    engine.kill()


@pytest.mark.parametrize(
    ("kind", "told"),
    [("never says uciok", "hung: no uciok within 0.5 s"), ("dies at once", "crashed with exit status 1 before uciok")],
)
def test_an_engine_that_never_speaks_uci_is_an_error_with_its_command(kind: str, told: str) -> None:
    with pytest.raises(MatchError, match=re.escape(told)) as error:
        Engines().take(setup(kind, start_s=0.5 if "never" in kind else 10), True, who="Bob")
    assert "fake_engine.py" in str(error.value)
    assert "'Bob'" in str(error.value)


def test_an_unknown_option_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(MatchError, match=r"has no option 'Skill Level'; it has Weird Name"):
        Engine(setup("good", options=(("Skill Level", "3"),)))


def test_a_missing_program_is_named() -> None:
    with pytest.raises(MatchError, match=r"'no-such-engine', found no such program; give its path"):
        resolve(["no-such-engine", "--uci"])


def test_engines_are_kept_and_replaced_after_a_failure() -> None:
    engines = Engines()
    first = engines.take(setup("good"), True, who="a")
    assert engines.take(setup("good"), True, who="a") is first
    assert engines.take(setup("good"), False, who="a") is not first
    engines.drop(setup("good"), True)
    assert first._process.poll() is not None
    assert engines.take(setup("good"), True, who="a") is not first
    engines.close()


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_a_wrapper_script_dies_with_what_it_started(tmp_path: Path) -> None:
    script = tmp_path / "wrapper.sh"
    script.write_text(f'#!/bin/sh\n"{sys.executable}" "{FAKE}" hangs & echo $! > "{tmp_path}/pid"\nwait\n')
    script.write_text(script.read_text().replace(" & echo", " <&3 & echo").replace("#!/bin/sh\n", "#!/bin/sh\nexec 3<&0\n"))
    script.chmod(0o755)
    engine = Engine(Setup((str(script),), (), 10.0, 0.5))
    with pytest.raises(EngineFailure, match="hung"):
        engine.best("position startpos", "go depth 1")
    engine.kill()
    pid = int((tmp_path / "pid").read_text())
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the wrapper's child outlived it")


@needs_stockfish
def test_stockfish_tells_several_moves_with_scores() -> None:
    engine = Engine(Setup(resolve(["stockfish"]), (("Hash", "1"),)))
    mate = "position fen 6k1/5ppp/8/8/8/8/8/R6K w - - 0 1"
    assert engine.best(mate, "go depth 3") == "a1a8"
    lines = engine.best_lines(mate, "go depth 3", 3)
    assert (lines[0].move, lines[0].score_cp) == ("a1a8", 9999)
    assert len(lines) == 3
    assert lines[0].score_cp > lines[1].score_cp >= lines[2].score_cp
    assert engine.best(mate, "go depth 3") == "a1a8"
    engine.close()
