"""Launchers make their environment once, mend it when it is broken, and start our Python whatever surrounds them.

They run in a small checkout of their own, with stand-ins for Python and pip; nothing is installed. bin/bootstrap.py is the real
one, which both systems share.
"""

from __future__ import annotations

import ast
import fcntl
import os
import platform
import re
import runpy
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.paths import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix" or shutil.which("sh") is None, reason="launchers for a POSIX shell")

AS_THE_STAND_IN = """
import runpy, sys
sys.executable = sys._base_executable = sys.argv[1]
del sys.argv[:2]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
PYTHON = f"""#!/bin/sh
# Stands for the base Python and for the one in an environment, which finds its pip beside itself.
bin=$(dirname -- "$0")
echo "$*" >>"$STAGE/calls"
case "$*" in
"-I "*bootstrap.py*) shift; exec {sys.executable} -I -c '{AS_THE_STAND_IN}' "$0" "$@" ;;
"-I -m venv"*)
  [ ! -e "$STAGE/no-venv" ] || exit 1
  [ "$4" != --clear ] || rm -rf "$5"
  for folder in "$@"; do :; done
  mkdir -p "$folder/bin" && cp "$0" "$folder/bin/python" && touch "$folder/bin/pip" "$folder/pyvenv.cfg"
  ;;
"-I -m pip --version") [ -e "$bin/pip" ] ;;
"-I -m pip install"*)
  while [ -e "$STAGE/slow" ]; do sleep 0.1; done
  [ ! -e "$STAGE/offline" ]
  ;;
"-I -m ensurepip") [ -e "$STAGE/ensurepip" ] && touch "$bin/pip" ;;
"-I -c import torch") [ -e "$STAGE/torch" ] ;;
"-I -m engine"*) env >"$STAGE/environment" && echo uciok ;;
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

    @property
    def lock(self) -> Path:
        return self.root / ".venv.lock"

    def begin(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        surroundings = {name: text for name, text in os.environ.items() if name != "TRANSCENDENCE_VENV"}
        surroundings |= {"PATH": f"{self.stage / 'path'}:{os.environ['PATH']}", "STAGE": str(self.stage)} | environment
        words = [str(self.root / command[0]), *command[1:]]
        pipe = subprocess.PIPE
        return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, env=surroundings, cwd=self.stage, text=True)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return end(self.begin(*command, **environment))

    def start(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Start the engine."""
        return self.run("bin/transcendence", **environment)

    def calls(self) -> list[str]:
        """What Python was asked since the last time."""
        file = self.stage / "calls"
        text = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        return text.splitlines()

    def installed(self) -> list[str]:
        """What pip has installed since the last time."""
        return [call.split("-check ")[1] for call in self.calls() if call.startswith("-I -m pip install")]

    def environment(self) -> dict[str, str]:
        """What the engine saw."""
        lines = (self.stage / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def switch(self, name: str) -> None:
        (self.stage / name).touch()

    def stand_in(self, path: str, text: str = PYTHON) -> None:
        file = self.stage / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def pull(self) -> None:
        """A pyproject.toml that is newer than what was installed."""
        later = time.time() + 60
        os.utime(self.root / "pyproject.toml", (later, later))


def end(started: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, errors = started.communicate(input="uci\n", timeout=60)
    return subprocess.CompletedProcess(started.args, started.returncode, out, errors)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    stage, root = tmp_path / "stage", tmp_path / "a checkout"
    for folder in ("bin", "recipes"):
        shutil.copytree(ROOT / folder, root / folder)
    (root / "pyproject.toml").touch()
    os.utime(root / "pyproject.toml", (1, 1))
    made = Checkout(stage, root.resolve())
    made.stand_in("path/python3")
    return made


@pytest.fixture
def installed(checkout: Checkout) -> Checkout:
    assert checkout.start().returncode == 0
    checkout.calls()
    return checkout


def plays(run: subprocess.CompletedProcess[str]) -> bool:
    return run.returncode == 0 and run.stdout == "uciok\n"


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


# Installing --------------------------------------------------------------------------------------------------------


def test_the_first_start_installs_and_the_next_starts_one_python(checkout: Checkout) -> None:
    first = checkout.start()
    assert plays(first), first.stderr
    assert checkout.installed() == [f"--no-deps -e {checkout.root}"]
    again = checkout.start()
    assert plays(again)
    assert again.stderr == ""
    assert checkout.calls() == ["-I -m engine"]


def test_a_pull_that_changes_what_is_needed_installs_once_more(installed: Checkout) -> None:
    installed.pull()
    assert plays(installed.start())
    assert installed.installed() == [f"--retries 1 --no-deps -e {installed.root}"]
    assert plays(installed.start())
    assert installed.calls() == ["-I -m engine"]


def test_without_a_network_the_engine_goes_on_as_it_was_and_tries_again_next_time(installed: Checkout) -> None:
    installed.pull()
    installed.switch("offline")
    for _ in range(2):
        run = installed.start()
        assert plays(run)
        assert "Using what was installed earlier" in run.stderr
        assert len(installed.installed()) == 1


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
    assert moved.installed() == [f"--retries 1 --no-deps -e {moved.root}"]
    moved.start()
    assert moved.calls() == ["-I -m engine"]


def test_torch_is_installed_first_by_its_tested_release_where_it_is_needed_and_absent(checkout: Checkout) -> None:
    assert checkout.run("bin/data").returncode == 0
    assert checkout.installed() == [f"--no-deps -e {checkout.root}"]
    assert checkout.run("bin/train").returncode == 0
    torch, package = checkout.installed()
    assert re.fullmatch(r"torch==[\d.]+", torch)
    assert package == f"--no-deps -e {checkout.root}"
    checkout.switch("torch")
    assert checkout.run("bin/export").returncode == 0
    assert checkout.installed() == [f"--no-deps -e {checkout.root}"]


def requirements(checkout: Checkout, launcher: str) -> list[str]:
    """What pip is asked for with the project's own pyproject.toml, the package itself left out."""
    shutil.copy(ROOT / "pyproject.toml", checkout.root)
    assert checkout.run(launcher).returncode == 0
    asked, package = checkout.installed()[-2:]
    assert package.endswith(f"--no-deps -e {checkout.root}")
    return asked.removeprefix("--retries 1 ").split(" ")


@pytest.mark.skipif(Path("/proc/driver/nvidia/version").exists(), reason="this machine has a GPU")
@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="elsewhere there is no runtime for GPUs")
def test_the_runtime_for_gpus_is_installed_where_there_is_one_and_never_both(checkout: Checkout) -> None:
    words = requirements(checkout, "bin/transcendence")
    assert "onnxruntime>=1.20" in words
    assert not any("gpu" in word for word in words)
    checkout.stand_in("path/nvidia-smi", "#!/bin/sh\n")
    other = checkout.venv / "lib" / "python3.11" / "site-packages" / "onnxruntime-1.25.0.dist-info"
    other.mkdir(parents=True)
    checkout.pull()
    run = checkout.start()
    assert plays(run)
    assert "installing onnxruntime-gpu: an NVIDIA GPU was found" in run.stderr
    assert (checkout.venv / "runtime-gpu").exists()
    calls = checkout.calls()
    assert any("pip uninstall" in call and call.endswith("onnxruntime onnxruntime-gpu") for call in calls)
    asked = next(call for call in calls if "onnxruntime-gpu>=1.20" in call).split()
    assert "onnxruntime>=1.20" not in asked
    assert not any(word.startswith("sys_platform") for word in asked)
    (checkout.stage / "path" / "nvidia-smi").unlink()
    later = time.time() + 3600
    os.utime(checkout.root / "pyproject.toml", (later, later))
    assert plays(checkout.start())
    assert not (checkout.venv / "runtime-gpu").exists()


def test_a_feature_gets_all_that_it_and_the_features_in_it_require(checkout: Checkout) -> None:
    words = requirements(checkout, "bin/test")
    names = {re.split(r"[<>=\[;]", word)[0] for word in words}
    assert {"chess", "numpy", "torch", "onnx", "matplotlib", "pytest", "rust_pgn_reader_python_binding"} <= names
    assert "transcendence-chess" not in names


def test_training_from_an_exported_net_gets_what_reads_it(checkout: Checkout) -> None:
    assert checkout.run("bin/train", "store", "--init", "net.onnx").returncode == 0
    assert (checkout.venv / "ready-export").exists()


def test_recipes_use_the_environment_that_was_named(checkout: Checkout) -> None:
    venv = checkout.stage / "elsewhere"
    for command in (["recipes/where-it-gains.sh", str(checkout.stage)], ["recipes/dial.sh", str(checkout.stage / "net.onnx")]):
        run = checkout.run(*command, TRANSCENDENCE_VENV="elsewhere", RESULTS=str(checkout.stage / "results"))
        assert run.returncode == 0, run.stderr
    calls = checkout.calls()
    assert any("-m training.evaluation.latent" in call for call in calls)
    assert any("-m match.studies.dial" in call for call in calls)
    assert (venv / "ready-export").exists()
    assert not checkout.venv.exists()


# What cannot be written, and environments that are broken -----------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_told(checkout: Checkout) -> None:
    checkout.switch("file")
    run = checkout.start(TRANSCENDENCE_VENV=str(checkout.stage / "file" / "venv"))
    assert run.returncode == 1
    assert f"cannot write beside {checkout.stage / 'file' / 'venv'}" in run.stderr
    assert "TRANSCENDENCE_VENV" in run.stderr


def test_an_engine_in_a_folder_that_cannot_be_written_plays_on_after_a_pull(installed: Checkout) -> None:
    installed.pull()
    installed.lock.unlink()
    installed.lock.mkdir()  # cannot be opened for writing, by root either
    run = installed.start()
    assert plays(run)
    assert "cannot write beside" in run.stderr
    assert "Using what was installed earlier" in run.stderr


def test_an_environment_without_pip_is_made_again(checkout: Checkout) -> None:
    assert checkout.start().returncode == 0
    (checkout.venv / "bin" / "pip").unlink()
    (checkout.venv / "ready-engine").unlink()
    (checkout.venv / "leftover").touch()
    assert plays(checkout.start())
    assert f"-I -m venv --clear {checkout.venv}" in checkout.calls()
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
    assert f"-I -m venv --clear {installed.venv}" in installed.calls()


def test_an_environment_that_is_marked_ready_and_does_not_run_is_made_again(installed: Checkout) -> None:
    """As on Windows, where the environment's python.exe is a file of its own and stays when the base Python goes."""
    installed.stand_in(str(installed.venv / "bin" / "python"), "#!/bin/sh\nexit 103\n")
    bootstrap = ["-I", str(installed.root / "bin" / "bootstrap.py"), "engine", "--venv", str(installed.venv)]
    done = subprocess.run(
        [installed.stage / "path" / "python3", *bootstrap], env=os.environ | {"STAGE": str(installed.stage)}, check=False
    )
    assert done.returncode == 0
    assert f"-I -m venv --clear {installed.venv}" in installed.calls()
    assert plays(installed.start())


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


# One installs, others wait ------------------------------------------------------------------------------------------


def waiting(started: subprocess.Popen[str]) -> str:
    """The line that says so, which comes before the wait."""
    assert started.stderr
    for line in started.stderr:
        if "waiting for another installation" in line:
            return line
    raise AssertionError("did not wait")


def test_a_lock_that_is_held_is_waited_for(checkout: Checkout) -> None:
    with checkout.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"{os.getpid()}\n")
        file.flush()
        started = checkout.begin("bin/transcendence")
        assert f"(process {os.getpid()})" in waiting(started)
        assert checkout.installed() == []
    run = end(started)
    assert plays(run)
    assert "waiting" not in run.stderr, "it was said once"


def test_engines_that_are_started_at_once_install_once(checkout: Checkout) -> None:
    started = [checkout.begin("bin/transcendence") for _ in range(3)]
    runs = [end(one) for one in started]
    assert all(map(plays, runs))
    assert checkout.installed() == [f"--no-deps -e {checkout.root}"]


def test_the_lock_of_one_that_was_killed_is_free(checkout: Checkout) -> None:
    hold = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, checkout.lock], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        holder.kill()
    run = checkout.start()
    assert plays(run)
    assert "waiting" not in run.stderr


def test_the_lock_is_kept_while_the_pip_of_one_that_was_killed_still_runs(checkout: Checkout) -> None:
    """A GUI loses patience and kills what it has started; two pips in one folder would break it."""
    checkout.switch("slow")
    first = checkout.begin("bin/transcendence")
    until(lambda: "pip install" in (checkout.stage / "calls").read_text() if (checkout.stage / "calls").exists() else False)
    os.kill(int(checkout.lock.read_text()), signal.SIGKILL)
    assert first.wait(timeout=60) == 1
    second = checkout.begin("bin/transcendence")
    waiting(second)
    (checkout.stage / "slow").unlink()
    assert plays(end(second))
    first.communicate(timeout=60)


# Isolation -----------------------------------------------------------------------------------------------------------


def foreign_folder(folder: Path) -> Path:
    """A folder with modules that must not run."""
    folder.mkdir(parents=True)
    for name in ("chess", "engine", "random", "numpy", "site", "sitecustomize", "encodings"):
        (folder / f"{name}.py").write_text("raise SystemExit('a foreign module has run')\n")
    return folder


@pytest.fixture
def our_environment(tmp_path: Path) -> dict[str, str]:
    """An environment that is ready for the real launchers: this Python's packages under a Python of its own."""
    venv = tmp_path / "our venv"
    packages = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    packages.parent.mkdir(parents=True)
    packages.symlink_to(sysconfig.get_paths()["purelib"])
    (venv / "bin").mkdir()
    base = Path(getattr(sys, "_base_executable", sys.executable))
    (venv / "bin" / "python").symlink_to(base)
    (venv / "pyvenv.cfg").write_text(f"home = {base.parent}\ninclude-system-site-packages = false\n")
    (venv / "checkout").write_text(f"{ROOT.resolve()}\n")
    (venv / "ready-engine").touch()
    return os.environ | {"TRANSCENDENCE_VENV": str(venv)}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"PYTHONHOME": "{bundle}/usr", "PYTHONPATH": "{foreign}"},
        {"PYTHONHOME": "{bundle}/usr:{bundle}/usr", "APPDIR": "{bundle}", "LD_LIBRARY_PATH": "{bundle}/usr/lib:"},
        {"PYTHONPATH": "{foreign}", "PYTHONSTARTUP": "{foreign}/random.py", "PYTHONINSPECT": "1", "PYTHONWARNINGS": "error"},
        {"LD_LIBRARY_PATH": "{bundle}/usr/lib"},
        {"PYTHONPLATLIBDIR": "lib99", "PYTHONEXECUTABLE": "{bundle}/usr/bin/python3", "PYTHONUSERBASE": "{foreign}"},
    ],
    ids=["working folder", "home", "AppImage", "path", "libraries", "others"],
)
def test_the_engine_plays_whatever_surrounds_it(
    our_environment: dict[str, str], variables: dict[str, str], random_net: Path, tmp_path: Path
) -> None:
    foreign, bundle = foreign_folder(tmp_path / "foreign"), tmp_path / "bundle"
    (bundle / "usr" / "lib").mkdir(parents=True)
    for library in ("libm.so.6", "libstdc++.so.6", "libpython3.11.so.1.0"):
        (bundle / "usr" / "lib" / library).write_text("of another system")
    told = {name: text.format(bundle=bundle, foreign=foreign) for name, text in variables.items()}
    done = subprocess.run(
        [ROOT / "bin" / "transcendence"],
        input="uci\nisready\nposition startpos\ngo movetime 100\n",
        capture_output=True,
        text=True,
        cwd=foreign,
        env=our_environment | told | {"TRANSCENDENCE_MODEL": str(random_net)},
        check=False,
    )
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert "uciok" in lines
    assert lines[-1].startswith("bestmove")


def test_what_a_bundle_leaves_is_dropped_and_what_a_gpu_needs_is_kept(installed: Checkout) -> None:
    bundle, cuda, other = (installed.stage / name for name in ("bundle", "cuda", "other"))
    for file in (bundle / "lib" / "libcudart.so.12", cuda / "libcudart.so.12", other / "libssl.so.3"):
        file.parent.mkdir(parents=True)
        file.touch()
    places = [bundle / "lib", cuda, other, "/tmp/.mount_ABCdef/usr/lib", "lib", "", "/usr/lib"]
    assert plays(installed.start(LD_LIBRARY_PATH=":".join(map(str, places)), APPDIR=str(bundle), PYTHONPATH="/somewhere"))
    seen = installed.environment()
    assert seen["LD_LIBRARY_PATH"] == f"{cuda}:/usr/lib"
    assert "PYTHONPATH" not in seen
    assert plays(installed.start(LD_LIBRARY_PATH=str(bundle), APPDIR=str(bundle)))
    assert "LD_LIBRARY_PATH" not in installed.environment()


def test_libraries_are_preloaded_unless_a_bundle_wants_them(installed: Checkout) -> None:
    library = f"{installed.stage / 'libnone.so'}"  # that it is absent is no more than a line of the loader
    assert installed.start(LD_PRELOAD=library).returncode == 0
    assert installed.environment()["LD_PRELOAD"] == library
    assert installed.start(LD_PRELOAD=library, PYTHONHOME="/somewhere").returncode == 0
    assert "LD_PRELOAD" not in installed.environment()


def test_no_environment_is_made_from_the_python_of_a_bundle(checkout: Checkout) -> None:
    """It is gone when the GUI ends."""
    bundle = checkout.stage / "bundle"
    checkout.stand_in("bundle/usr/bin/python3", '#!/bin/sh\ntouch "$STAGE/bundle\'s python"\n')
    path = f"{bundle}/usr/bin:{checkout.stage / 'path'}:{os.environ['PATH']}"
    assert plays(checkout.start(APPDIR=str(bundle), PATH=path))
    assert not (checkout.stage / "bundle's python").exists()


def test_pip_installs_here_whatever_its_variables_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap = runpy.run_path(str(ROOT / "bin" / "bootstrap.py"))
    for name in ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_NO_INDEX"):
        monkeypatch.setenv(name, "1")
    out = tmp_path / "out"
    assert bootstrap["run"]("sh", "-c", f"env > {out}")
    seen = dict(line.split("=", 1) for line in out.read_text().splitlines() if "=" in line)
    assert not {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX"} & seen.keys()
    assert (seen["PIP_USER"], seen["PIP_NO_INDEX"]) == ("0", "1")


def test_processes_of_a_training_run_no_foreign_module(tmp_path: Path) -> None:
    from training.train import _command

    foreign = foreign_folder(tmp_path / "foreign")
    done = subprocess.run(
        _command(["--help"]),
        cwd=foreign,
        env=os.environ | {"PYTHONPATH": str(foreign)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--processes" in done.stdout


# Both systems --------------------------------------------------------------------------------------------------------


def test_the_bootstrap_is_read_by_old_pythons_and_says_that_they_are_old(tmp_path: Path) -> None:
    bootstrap = ROOT / "bin" / "bootstrap.py"
    ast.parse(bootstrap.read_text(encoding="utf-8"), feature_version=(3, 8))
    as_an_old_one = (
        "import runpy, sys; sys.version_info = (3, 8, 10); del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", as_an_old_one, str(bootstrap), "engine", "--venv", str(tmp_path / "venv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "expected Python 3.11 or newer, got 3.8.10" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def launched(text: IO[str]) -> tuple[list[str], list[str]]:
    """Features that a launcher prepares, and what it starts."""
    lines = [line.strip() for line in text if not line.startswith(("#", "rem"))]
    prepared = [word for line in lines for word in re.findall(r'(?:^prepare|environment\.bat") ([\w$%]+)', line)]
    return prepared, [module for line in lines for module in re.findall(r'(?:python"|PYTHON%") -I -m ([\w.]+)', line)]


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "bin").glob("*.bat") if path.stem != "environment"))
def test_both_systems_prepare_and_start_the_same(name: str) -> None:
    with (ROOT / "bin" / name).open() as shell, (ROOT / "bin" / f"{name}.bat").open() as windows:
        (features, modules), (windows_features, windows_modules) = launched(shell), launched(windows)
    assert [word.lower().strip("$%") for word in features] == [word.lower().strip("$%") for word in windows_features]
    assert len(features) == 1
    assert modules
    assert modules == windows_modules


def test_each_launcher_has_a_twin_for_windows() -> None:
    files = {path.name for path in (ROOT / "bin").iterdir() if path.is_file()} - {
        "environment.sh",
        "environment.bat",
        "bootstrap.py",
    }
    assert {name for name in files if not name.endswith(".bat")} == {
        name.removesuffix(".bat") for name in files if name.endswith(".bat")
    }
