"""However a run is told to stop, it saves what it has and leaves without a fuss; and what started it takes it along."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.test_training import start_command, train_lines
from training.config import Config
from training.data.store import Store
from training.run import checkpoint
from training.run.stopping import StopSignal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

Kill = Callable[["subprocess.Popen[str]"], None]


def endless(config: Config, **run: float) -> Config:
    return dataclasses.replace(config, run=dataclasses.replace(config.run, steps=1_000_000, **run))


def wait_for(folder: Path, lines: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        if (folder / checkpoint.METRICS).is_file() and len(train_lines(folder)) >= lines:
            return
        time.sleep(0.01)
    raise AssertionError(f"it did not train: {process.communicate()}")


def group_twice(process: subprocess.Popen[str]) -> None:
    """As a scheduler and ``timeout`` do; and the launcher passes its own on as well."""
    for _ in range(2):
        os.killpg(process.pid, signal.SIGTERM)
        time.sleep(0.02)


def launcher_alone(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)


def terminal_thrice(process: subprocess.Popen[str]) -> None:
    for _ in range(3):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.3)


def launcher_interrupted(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


SAVING = {"save_every_minutes": 1e-9}
VALIDATING = {"evaluate_every_minutes": 1e-9, "validation_plies": 4000}


@pytest.mark.parametrize(
    ("processes", "kill", "run"),
    [
        (2, group_twice, {}),
        (2, launcher_alone, {}),
        (2, terminal_thrice, SAVING),
        (2, launcher_interrupted, VALIDATING),
        (1, group_twice, SAVING),
        (1, group_twice, VALIDATING),
    ],
)
def test_a_stop_saves_and_leaves(
    processes: int, kill: Kill, run: dict[str, float], config: Config, store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    with start_command(endless(config, **run), store, folder, processes=processes, session=True) as process:
        wait_for(folder, 3, process)
        kill(process)
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    progress = checkpoint.progress(folder)
    assert progress is not None
    assert progress["step"] == train_lines(folder)[-1]["step"]


def test_a_stop_while_it_starts_is_not_lost(config: Config, store: Store, tmp_path: Path) -> None:
    """The processes read PyTorch for seconds, and hear nothing meanwhile."""
    folder = tmp_path / "run"
    with start_command(endless(config), store, folder, processes=2, session=True) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.is_file():
            pytest.skip("no list of child processes here")
        while process.poll() is None and len(children.read_text().split()) < 2:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def test_the_processes_save_and_end_when_their_launcher_is_killed(config: Config, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with start_command(endless(config), store, folder, processes=2, session=True) as process:
        wait_for(folder, 3, process)
        process.kill()
        _, errors = process.communicate(timeout=200)  # the pipes close when the last process has ended
    assert "Traceback" not in errors
    progress = checkpoint.progress(folder)
    assert progress is not None
    assert progress["step"] == train_lines(folder)[-1]["step"]
    with checkpoint.held(folder):
        pass


def test_a_killed_process_ends_the_run_with_one_line(config: Config, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with start_command(endless(config), store, folder, processes=2, session=True) as process:
        wait_for(folder, 3, process)
        last = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[-1]
        os.kill(int(last), signal.SIGKILL)
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 128 + signal.SIGKILL
    assert "Traceback" not in errors
    assert errors.count("train: one of the run's processes was ended by SIGKILL (out of memory?)") == 1


def test_what_one_process_cannot_do_is_one_line_from_all(config: Config, store: Store, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    folder = tmp_path / "run"
    with checkpoint.held(folder), start_command(config, store, folder, processes=2) as process:
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 2
    assert [line for line in errors.splitlines() if line.startswith("train: ")] == errors.splitlines()
    assert errors.count("\n") == 1
    assert "another training is writing to" in errors


def test_any_number_of_signals_is_one_wish() -> None:
    stop = StopSignal()
    handler = signal.getsignal(signal.SIGTERM)
    with stop.listening():
        assert not stop.asked
        for kind in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.raise_signal(kind)
        assert stop.asked
    assert signal.getsignal(signal.SIGTERM) == handler
