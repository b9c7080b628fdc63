"""The real process: what leaves it and when, and that nothing ends it but ``quit`` and the end of its input."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine import __version__
from engine.uci.options import Settings
from engine.uci.player import Opened
from engine.uci.process import Process
from tests.engine.uci.driver import Client, in_process, in_thread, surroundings
from tests.engine.uniform import open_uniform

ENGINE = [sys.executable, "-m", "engine"]
HEAVY = {"chess", "numpy", "onnxruntime", "torch"}
WATCHED_START = f"""
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in {HEAVY!r}:
            os.write(2, ("IMPORT " + name + chr(10)).encode())
sys.meta_path.insert(0, Watch())
from engine.__main__ import main
sys.exit(main())
"""

Start = Callable[..., tuple[Client, "subprocess.Popen[bytes]"]]


@pytest.fixture
def start(random_net: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts engines with a random net in a folder that is not ours, and sees that all are gone afterwards."""
    running: list[tuple[Client, subprocess.Popen[bytes]]] = []

    def begin(*arguments: str, net: Path = random_net) -> tuple[Client, subprocess.Popen[bytes]]:
        running.append(in_process([*ENGINE, *arguments], cwd=tmp_path, TRANSCENDENCE_MODEL=str(net)))
        return running[-1]

    yield begin
    for client, process in running:
        client.rest()
        assert process.wait(timeout=10) == 0
        assert process.stderr
        with process.stderr:
            assert b"Traceback" not in process.stderr.read()


def test_uciok_is_out_before_anything_heavy_is_imported(random_net: Path, tmp_path: Path) -> None:
    """Imports are written to stderr, which here is the same pipe, so the order of lines is the order of events."""
    watched = [sys.executable, "-c", WATCHED_START]
    client, process = in_process(watched, cwd=tmp_path, stderr=subprocess.STDOUT, TRANSCENDENCE_MODEL=str(random_net))
    client.send("uci", "isready", "go depth 1")
    lines = client.until("bestmove", patience_s=60)
    client.rest()
    assert process.wait(timeout=10) == 0
    imports = [line.removeprefix("IMPORT ") for line in lines if line.startswith("IMPORT ")]
    assert set(imports) == HEAVY - {"torch"}
    assert lines.index("uciok") < lines.index(f"IMPORT {imports[0]}")


def test_nothing_but_uci_reaches_stdout(tmp_path: Path) -> None:
    """Whatever libraries print, from Python or from C, goes to stderr."""
    script = (
        "import os; from engine.__main__ import _private_stdout; sink = _private_stdout()\n"
        "print('from Python', flush=True); os.write(1, b'from C'); sink.write(b'uciok\\n'); sink.flush()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=tmp_path, env=surroundings(), check=True)
    assert done.stdout == b"uciok\n"
    assert b"from Python" in done.stderr
    assert b"from C" in done.stderr


def test_one_move_from_a_pipe(start: Start) -> None:
    client, _ = start()
    client.send("uci")
    assert client.until("uciok")[0].startswith("id name Transcendence")
    client.send("isready")
    assert client.until("readyok", patience_s=60) == ["readyok"]
    client.send("position startpos moves e2e4", "go movetime 100")
    *lines, best = client.until("bestmove")
    assert lines[0].startswith("info string net")
    assert " score cp " in lines[-1]
    assert best.split()[1] in lines[-1].split(" pv ")[1]


@pytest.mark.parametrize(
    ("go", "end"),
    [
        ("go infinite", b"quit\n"),
        ("go infinite", b""),
        ("go ponder", b""),
        ("go perft 30", b"quit\n"),
        ("go depth 1", b"quit"),
        ("isready", b""),
    ],
)
def test_it_ends_at_once_with_status_0(start: Start, go: str, end: bytes) -> None:
    client, process = start()
    client.send("isready")
    client.until("readyok", patience_s=60)
    client.send(go)
    client.send_bytes(end)
    began = time.monotonic()
    client.rest()
    assert process.wait(timeout=10) == 0
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        (["uci", "position startpos", "go movetime 100"], ["uciok", "bestmove"]),
        (["isready"], ["readyok"]),
        (["go infinite"], ["bestmove"]),
        (["go ponder wtime 1000 btime 1000"], ["bestmove"]),
        (["go perft 2"], ["info string Nodes searched: 400", "bestmove"]),
        (["position startpos moves f2f3 e7e5 g2g4 d8h4", "go infinite"], ["bestmove (none)"]),
        (["go depth 1", "position startpos moves e2e4", "go nodes 1", "isready"], ["bestmove", "readyok", "bestmove"]),
    ],
)
def test_the_end_of_the_input_ends_nothing_that_was_asked(asked: list[str], answers: list[str]) -> None:
    """As from printf through a pipe."""
    engine = in_thread(open_uniform)
    engine.client.send(*asked)
    lines = engine.client.rest()
    assert [line for line in lines if line.startswith(tuple(answers))] != []
    for answer in set(answers):
        assert sum(line.startswith(answer) for line in lines) == answers.count(answer), lines
    engine.thread.join(timeout=5)
    assert not engine.thread.is_alive()


def test_printf_through_a_pipe_gets_its_move(random_net: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        ENGINE,
        input=b"uci\nposition startpos\ngo movetime 100\n",
        capture_output=True,
        cwd=tmp_path,
        env=surroundings(TRANSCENDENCE_MODEL=str(random_net)),
        check=True,
    )
    assert done.stdout.splitlines()[-1].startswith(b"bestmove")


def test_what_takes_too_long_after_the_end_of_the_input_is_stopped() -> None:
    said = io.BytesIO()
    assert Process(io.BytesIO(b"go perft 30\n"), said, opener=open_uniform, finish_s=0.3).run()
    lines = said.getvalue().splitlines()
    assert b"info string perft stopped" in lines
    assert lines[-1].startswith(b"bestmove")


@pytest.mark.parametrize(("opens_in_s", "answer"), [(0.3, b"readyok\n"), (4.0, b"")])
def test_quit_waits_for_readyok_if_that_takes_less_than_a_second(opens_in_s: float, answer: bytes) -> None:
    def slowly(settings: Settings) -> Opened:
        time.sleep(opens_in_s)
        return open_uniform(settings)

    said = io.BytesIO()
    process = Process(io.BytesIO(b"isready\nquit\n"), said, opener=slowly)
    process.run()
    assert said.getvalue() == answer
    process.rest()


def test_quit_while_the_net_is_being_loaded(start: Start) -> None:
    client, process = start()
    client.send("uci", "isready", "quit")
    client.until("uciok")
    client.rest()
    assert process.wait(timeout=10) == 0


def test_it_survives_bytes_that_are_not_text(start: Start) -> None:
    client, _ = start()
    client.send_bytes("setoption name UCI_Opponent value none none computer Köppen\r\n".encode("latin-1"))
    client.send_bytes(b"\xff\xfe\x00uci\n\x80\x81\n\0\0\n\r\n\r\r\n\x1b[A\n" + b"x" * 200_000 + b"\n")
    client.send_bytes(b"setoption name a" + b" " * 200_000 + b"value\n")
    client.send_bytes(b"position\tstartpos\tmoves\te2e4\r\nisready\r\n")
    assert client.until("readyok", patience_s=60)[-1] == "readyok"
    client.send_bytes(b"go depth 1\r\n")
    assert client.until("bestmove")


def test_a_thousand_plies_are_digested_in_milliseconds(start: Start) -> None:
    client, _ = start()
    there_and_back = ["g1f3", "g8f6", "f3g1", "f6g8"] * 250
    client.send("isready", f"position startpos moves {' '.join(there_and_back[:-2])}", "go depth 1")
    client.until("bestmove", patience_s=60)
    began = time.monotonic()
    for _ in range(10):
        client.send(f"position startpos moves {' '.join(there_and_back)}", "go depth 1")
        client.until("bestmove")
        client.send(f"position startpos moves {' '.join(there_and_back[:-2])}", "go depth 1")
        client.until("bestmove")
    assert (time.monotonic() - began) / 20 < 0.5  # some seconds, if all moves were read anew each time


def test_the_model_argument_wins_over_the_environment(start: Start, random_net: Path, tmp_path: Path) -> None:
    client, _ = start("--model", str(random_net), net=tmp_path / "none.onnx")
    client.send("go depth 1")
    assert client.until("bestmove", patience_s=60)[0].startswith("info string net")


@pytest.mark.parametrize("content", [None, b"", b"not a net"], ids=["missing", "empty", "foreign"])
def test_without_a_net_it_says_so_at_each_go_and_still_gives_a_move(
    start: Start, random_net: Path, tmp_path: Path, content: bytes | None
) -> None:
    broken = tmp_path / "bröken net.onnx"
    if content is not None:
        broken.write_bytes(content)
    client, _ = start()
    client.send("isready")
    client.until("readyok", patience_s=60)
    client.send(f"setoption name Model value {broken}", "isready")
    said = client.until("readyok")[0]
    assert said.startswith("info string no net")
    assert "bröken net.onnx" in said
    for _ in range(2):
        client.send("position startpos", "go depth 1")
        reason, info, best = client.until("bestmove")
        assert reason == said
        assert info.startswith("info depth 0 seldepth 0 multipv 1 score cp 0")
        assert best == "bestmove a2a3"
    client.send(f"setoption name Model value {random_net}", "go depth 1")
    assert any(line.startswith("info depth 1") for line in client.until("bestmove"))


def test_a_net_that_was_mended_is_found_by_the_next_game(start: Start, random_net: Path, tmp_path: Path) -> None:
    late = tmp_path / "late.onnx"
    client, _ = start(net=late)
    client.send("isready")
    assert client.until("readyok", patience_s=60)[0].startswith("info string no net")
    late.write_bytes(random_net.read_bytes())
    client.send("ucinewgame", "isready")
    assert client.until("readyok") == ["readyok"]
    client.send("go depth 1")
    assert client.until("bestmove")[0].startswith("info string net")


def test_the_log_file_holds_both_directions(start: Start, tmp_path: Path) -> None:
    client, _ = start()
    client.send("setoption name Log File value engine log.txt", "isready")
    client.until("readyok", patience_s=60)
    client.send("isready")
    client.until("readyok")
    client.send("setoption name Log File value", "isready")
    client.until("readyok")
    log = [line.split(None, 1)[1] for line in (tmp_path / "engine log.txt").read_text(encoding="utf-8").splitlines()]
    asked = log.index("> isready")
    assert log[asked : asked + 3] == ["> isready", "< readyok", "> setoption name Log File value"]


@pytest.mark.parametrize(
    ("argument", "status", "out", "error"),
    [
        ("--version", 0, rf"Transcendence {re.escape(__version__)}\n", ""),
        ("--help", 0, r"usage: transcendence (?s:.*)--model PATH(?s:.*)", ""),
        ("--nonsense", 2, "", r"usage: transcendence (?s:.*)unrecognized arguments: --nonsense\n"),
    ],
)
def test_the_command_line(argument: str, status: int, out: str, error: str, tmp_path: Path) -> None:
    done = subprocess.run([*ENGINE, argument], capture_output=True, text=True, cwd=tmp_path, env=surroundings(), check=False)
    assert done.returncode == status
    assert re.fullmatch(out, done.stdout)
    assert re.fullmatch(error, done.stderr)
