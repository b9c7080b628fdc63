"""Several processes of one run: each knows its place, a stop reaches all, and one that fails ends the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.paths import ROOT
from training.run.launch import launch

pytestmark = pytest.mark.skipif(os.name != "posix", reason="one process on Windows")


def _python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_each_process_knows_its_place_and_all_the_same_port(tmp_path: Path) -> None:
    text = "import os, pathlib; e = os.environ; pathlib.Path(e['OUT'], e['RANK']).write_text("
    text += "' '.join((e['LOCAL_RANK'], e['WORLD_SIZE'], e['MASTER_ADDR'], e['MASTER_PORT'])))"
    assert launch(_python(text), processes=3, environment={"OUT": str(tmp_path)}) == 0
    told = [(tmp_path / str(rank)).read_text().split() for rank in range(3)]
    assert [line[:3] for line in told] == [[str(rank), "3", "127.0.0.1"] for rank in range(3)]
    assert len({line[3] for line in told}) == 1


def test_one_that_fails_ends_the_others_and_its_status_is_told() -> None:
    began = time.monotonic()
    text = "from training.run.stopping import kinds; import os, signal, sys, time\n"
    text += "signal.pthread_sigmask(signal.SIG_UNBLOCK, kinds())\n"
    text += "sys.exit(2) if os.environ['RANK'] == '1' else time.sleep(60)"
    assert launch(_python(text), processes=2, environment={}) == 2
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_all_save_and_end(kind: signal.Signals, tmp_path: Path) -> None:
    child = (
        "import os, pathlib, time; from training.run.stopping import StopSignal\n"
        "stop = StopSignal()\n"
        "with stop.listening(to_the_end=True):\n"
        "    pathlib.Path(os.environ['OUT'], 'ready' + os.environ['RANK']).touch()\n"
        "    while not stop.asked: time.sleep(0.01)\n"
        "    pathlib.Path(os.environ['OUT'], 'saved' + os.environ['RANK']).touch()\n"
    )
    parent = (
        f"import sys; from training.run.launch import launch; from training.run.stopping import StopSignal\n"
        f"stop = StopSignal()\n"
        f"with stop.listening(to_the_end=True):\n"
        f"    command, out = [sys.executable, '-c', {child!r}], {{'OUT': {str(tmp_path)!r}}}\n"
        f"    status = launch(command, processes=2, environment=out, stop=stop)\n"
        f"sys.exit(status)\n"
    )
    with subprocess.Popen(_python(parent), cwd=ROOT, start_new_session=True) as process:
        while len(list(tmp_path.glob("ready*"))) < 2:
            time.sleep(0.05)
        if kind == signal.SIGINT:
            os.killpg(process.pid, kind)  # as a terminal does
        else:
            process.send_signal(kind)
        assert process.wait(timeout=30) == 0
    assert {path.name for path in tmp_path.glob("saved*")} == {"saved0", "saved1"}
