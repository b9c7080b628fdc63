"""Launchers make their environment once, mend it when it is broken, and never keep a GUI waiting without a word.

They run in a small checkout of their own, with stand-ins for Python, pip, mkdir and sleep; nothing is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(os.name != "posix" or shutil.which("sh") is None, reason="launchers for a POSIX shell")

PYTHON = """#!/bin/sh
# Stands for the base Python and for the one in an environment, which finds its pip beside itself.
bin=$(dirname -- "$0")
echo "$*" >>"$STAGE/calls"
case "$*" in
"-m venv"*)
  [ ! -e "$STAGE/no-venv" ] || exit 1
  [ "$3" != --clear ] || rm -rf "$4"
  for folder in "$@"; do :; done
  mkdir -p "$folder/bin" && cp "$0" "$folder/bin/python" && touch "$folder/bin/pip" "$folder/pyvenv.cfg"
  ;;
"-m pip --version") [ -e "$bin/pip" ] ;;
"-m pip install"*) [ ! -e "$STAGE/offline" ] ;;
"-m ensurepip") [ -e "$STAGE/ensurepip" ] && touch "$bin/pip" ;;
"-P -m engine"*) echo uciok ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A checkout with launchers and stand-ins."""

    stage: Path
    """Folder of the stand-ins' switches and of the calls that they got."""
    root: Path
    """The checkout."""

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        surroundings = {name: text for name, text in os.environ.items() if name != "TRANSCENDENCE_VENV"}
        surroundings |= {"PATH": f"{self.stage / 'path'}:{os.environ['PATH']}", "STAGE": str(self.stage)} | environment
        words = [self.root / command[0], *command[1:]]
        return subprocess.run(
            words, input="uci\n", env=surroundings, cwd=self.stage, capture_output=True, text=True, timeout=20, check=False
        )

    def start(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Start the engine."""
        return self.run("bin/transcendence", **environment)

    def calls(self) -> list[str]:
        """What Python was asked since the last time."""
        file = self.stage / "calls"
        text = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        return text.splitlines()

    def switch(self, name: str) -> None:
        (self.stage / name).touch()

    def stand_in(self, name: str, text: str) -> None:
        path = self.stage / "path" / name
        path.write_text(text)
        path.chmod(0o755)

    def pull(self) -> None:
        """A pyproject.toml that is newer than what was installed."""
        later = time.time() + 60
        os.utime(self.root / "pyproject.toml", (later, later))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    stage, root = tmp_path / "stage", tmp_path / "a checkout"
    (stage / "path").mkdir(parents=True)
    for folder in ("bin", "recipes"):
        shutil.copytree(ROOT / folder, root / folder)
    (root / "pyproject.toml").touch()
    os.utime(root / "pyproject.toml", (1, 1))
    made = Checkout(stage, root.resolve())
    made.stand_in("python3", PYTHON)
    return made


@pytest.fixture
def installed(checkout: Checkout) -> Checkout:
    assert checkout.start().returncode == 0
    checkout.calls()
    return checkout


def plays(run: subprocess.CompletedProcess[str]) -> bool:
    return run.returncode == 0 and run.stdout == "uciok\n"


def test_the_first_start_installs_and_the_next_starts_one_python(checkout: Checkout) -> None:
    first = checkout.start()
    assert plays(first), first.stderr
    assert any(call.startswith("-m pip install") for call in checkout.calls())
    again = checkout.start()
    assert plays(again)
    assert again.stderr == ""
    assert checkout.calls() == ["-P -m engine"]
    assert not Path(f"{checkout.venv}-lock").exists()


def test_a_pull_that_changes_what_is_needed_installs_again(installed: Checkout) -> None:
    installed.pull()
    assert plays(installed.start())
    assert f"-m pip install --quiet --disable-pip-version-check -e {installed.root}" in installed.calls()


def test_without_a_network_the_engine_goes_on_as_it_was(installed: Checkout) -> None:
    installed.pull()
    installed.switch("offline")
    run = installed.start()
    assert plays(run)
    assert "Going on with what was installed earlier" in run.stderr


def test_an_installation_that_fails_at_first_says_how_to_begin_again(checkout: Checkout) -> None:
    checkout.switch("offline")
    for launcher in ("bin/transcendence", "bin/train"):
        run = checkout.run(launcher)
        assert run.returncode == 1
        assert f"Remove {checkout.venv} to begin again." in run.stderr
        assert run.stdout == ""


def test_a_checkout_that_was_moved_is_installed_from_its_new_place(installed: Checkout) -> None:
    moved = Checkout(installed.stage, installed.root.rename(installed.root.with_name("moved")))
    moved.switch("offline")
    assert moved.start().returncode == 1  # the package that it holds points to nowhere
    (moved.stage / "offline").unlink()
    moved.calls()
    assert plays(moved.start())
    assert f"-m pip install --quiet --disable-pip-version-check -e {moved.root}" in moved.calls()
    moved.start()
    assert moved.calls() == ["-P -m engine"]


def test_a_folder_that_cannot_be_written_is_told(checkout: Checkout) -> None:
    (checkout.stage / "file").touch()
    run = checkout.start(TRANSCENDENCE_VENV=str(checkout.stage / "file" / "venv"))
    assert run.returncode == 1
    assert f"cannot write beside {checkout.stage / 'file' / 'venv'}" in run.stderr
    assert "TRANSCENDENCE_VENV" in run.stderr


def test_an_engine_in_a_folder_that_cannot_be_written_plays_on_after_a_pull(installed: Checkout) -> None:
    installed.pull()
    installed.stand_in("mkdir", "#!/bin/sh\necho 'Read-only file system' >&2\nexit 1\n")
    run = installed.start()
    assert plays(run)
    assert "Read-only file system). Going on" in run.stderr


def test_a_lock_whose_owner_left_no_name_is_removed(checkout: Checkout) -> None:
    Path(f"{checkout.venv}-lock").mkdir()
    checkout.stand_in("sleep", '#!/bin/sh\necho sleep >>"$STAGE/slept"\n')
    run = checkout.start()
    assert plays(run)
    assert run.stderr.count("waiting for another installation") == 1
    assert (checkout.stage / "slept").read_text().count("sleep") == 10


def test_a_lock_whose_owner_is_gone_is_removed_at_once(checkout: Checkout) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    lock = Path(f"{checkout.venv}-lock")
    lock.mkdir()
    (lock / "pid").write_text(f"{gone.pid}\n")
    checkout.stand_in("sleep", "#!/bin/sh\nexit 1\n")
    run = checkout.start()
    assert plays(run)
    assert "waiting" not in run.stderr


def test_a_lock_that_is_held_is_waited_for(checkout: Checkout) -> None:
    lock = Path(f"{checkout.venv}-lock")
    lock.mkdir()
    (lock / "pid").write_text(f"{os.getpid()}\n")
    checkout.stand_in(
        "sleep", '#!/bin/sh\necho sleep >>"$STAGE/slept"\n[ $(grep -c . "$STAGE/slept") -lt 20 ] || rm -rf "$LOCK"\n'
    )
    run = checkout.start(LOCK=str(lock))
    assert plays(run)
    assert run.stderr.count(f"waiting for another installation (process {os.getpid()})") == 1
    assert len((checkout.stage / "slept").read_text().splitlines()) == 20


def test_an_environment_without_pip_is_made_again(checkout: Checkout) -> None:
    assert checkout.start().returncode == 0
    (checkout.venv / "bin" / "pip").unlink()
    (checkout.venv / "ready-engine").unlink()
    (checkout.venv / "leftover").touch()
    assert plays(checkout.start())
    assert f"-m venv --clear {checkout.venv}" in checkout.calls()
    assert not (checkout.venv / "leftover").exists()


def test_an_environment_that_only_lacks_pip_gets_one(installed: Checkout) -> None:
    (installed.venv / "bin" / "pip").unlink()
    (installed.venv / "leftover").touch()
    installed.switch("ensurepip")
    installed.pull()
    assert plays(installed.start())
    assert (installed.venv / "leftover").exists()


def test_an_environment_that_lost_its_base_python_is_made_again(installed: Checkout) -> None:
    python = installed.venv / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert plays(installed.start())
    assert f"-m venv --clear {installed.venv}" in installed.calls()


def test_what_is_no_environment_is_not_emptied(checkout: Checkout) -> None:
    (checkout.stage / "home" / "letters").mkdir(parents=True)
    assert plays(checkout.start(TRANSCENDENCE_VENV=str(checkout.stage / "home")))
    assert (checkout.stage / "home" / "letters").exists()


def test_a_venv_that_fails_is_told_and_mended_by_the_next_start(checkout: Checkout) -> None:
    checkout.switch("no-venv")
    run = checkout.start()
    assert run.returncode == 1
    assert f"could not make {checkout.venv}" in run.stderr
    (checkout.stage / "no-venv").unlink()
    assert plays(checkout.start())


def test_training_from_an_exported_net_gets_what_reads_it(checkout: Checkout) -> None:
    assert checkout.run("bin/train", "store", "--init", "net.onnx").returncode == 0
    assert (checkout.venv / "ready-export").exists()


def test_recipes_use_the_environment_that_was_named(checkout: Checkout) -> None:
    venv = checkout.stage / "elsewhere"
    for command in (["recipes/where-it-gains.sh", str(checkout.stage)], ["recipes/dial.sh", str(checkout.stage / "net.onnx")]):
        run = checkout.run(*command, TRANSCENDENCE_VENV="elsewhere", RESULTS=str(checkout.stage / "results"))
        assert run.returncode == 0, run.stderr
    calls = checkout.calls()
    assert any(call.startswith("-m training.latent") for call in calls)
    assert any(call.startswith("-m match.dial") for call in calls)
    assert (venv / "ready-export").exists()
    assert not checkout.venv.exists()


def test_both_systems_install_the_same_torch() -> None:
    pins = [re.findall(r"torch==[\d.]+", (ROOT / "bin" / name).read_text()) for name in ("environment.sh", "environment.bat")]
    assert pins[0] == pins[1]
    assert len(pins[0]) == 1
