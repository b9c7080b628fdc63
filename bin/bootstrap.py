"""Makes the virtual environment that a launcher needs: ``python -I bootstrap.py FEATURE --venv FOLDER``.

environment.sh and environment.bat start this where something is missing. Knows the lock, venv, pip and the marks by which both
see that nothing is to be done. Needs the standard library alone, and runs on an old Python far enough to say that it is one.
Nothing goes to standard output: the engine's belongs to UCI.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST = (3, 11)
EARLIER = 10
"""Exit status where nothing could be installed and an earlier installation has to do: the next start tries again."""
TORCH = "torch==2.13.0"
"""The tested release, installed first and by itself: pip then keeps it whatever the extra allows. It is the CPU build where pip
is set up to find one, which spares several GB."""
NEEDS_TORCH = ("train", "export", "test")
PACKAGE = "transcendence-chess"
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
"""17 MB, for CPUs; 255 MB, for NVIDIA GPUs too. They share their files, so an environment has one of them."""

_LOOK_EVERY_S = 0.5
_LOCKED_BYTE = 4096  # of the lock's file on Windows, where nobody could read a byte that is locked


class Trouble(Exception):
    """The environment cannot be made. Its arguments: what is wrong, and how to mend it."""


@dataclass(frozen=True)
class Place:
    """What is installed, and where."""

    root: Path
    """The checkout."""
    venv: Path
    feature: str
    """An extra of the package, or ``engine`` for the package alone."""

    @property
    def python(self) -> Path:
        return self.venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def mark(self) -> Path:
        """Is there, and newer than the pyproject.toml that was installed."""
        return self.venv / f"ready-{self.feature}"

    @property
    def checkout(self) -> Path:
        """Holds the path of the checkout that the installed package points to."""
        return self.venv / "checkout"

    @property
    def gpu_mark(self) -> Path:
        """Is there where the runtime is the one for GPUs; environment.sh compares it with the driver."""
        return self.venv / "runtime-gpu"

    def installed(self) -> bool:
        """True if the feature of this checkout was installed once."""
        try:
            points_here = self.checkout.read_bytes().rstrip(b"\n") == os.fsencode(self.root)
        except OSError:
            return False
        return points_here and self.mark.exists() and self.python.exists()

    def ready(self) -> bool:
        """True if it was installed as the checkout is now, and no GPU has come since."""
        return self.installed() and self.mark.stat().st_mtime > self.changed() and (self.gpu_mark.exists() or not has_gpu())

    def changed(self) -> float:
        """When what the package needs has changed last, in seconds since 1970."""
        return (self.root / "pyproject.toml").stat().st_mtime


def main() -> int:
    """Prepare what the command line names; returns the exit status: 0, EARLIER, or what else a failure gives."""
    place = _place()
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        oldest = ".".join(map(str, OLDEST))
        say(f"expected Python {oldest} or newer, got {version} ({sys.executable}). Install it and try again.")
        return 1
    try:
        with alone(place):
            if not (place.ready() and run(str(place.python), "-I", "-c", "", quiet=True)):
                install(place)
    except Trouble as trouble:
        return give_up(place, *trouble.args)
    except KeyboardInterrupt:
        say("interrupted; the next start finishes the installation")
        return 130
    return 0


def _place() -> Place:
    options = argparse.ArgumentParser(prog="bootstrap", description="Make the virtual environment that a launcher needs.")
    options.add_argument("feature", help="an extra of the package, or engine")
    options.add_argument("--venv", type=Path, required=True, help="the environment's folder")
    arguments = options.parse_args()
    return Place(Path(__file__).resolve().parents[1], Path(os.path.abspath(arguments.venv)), arguments.feature)


def say(*words: str) -> None:
    """One line for people. A GUI that has closed its end must not end an installation."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"transcendence: {' '.join(words)}\n")
        sys.stderr.flush()


def give_up(place: Place, trouble: str, remedy: str) -> int:
    """Say what is wrong; where there is an earlier installation of this checkout, it is used."""
    if place.installed():
        say(trouble, "Using what was installed earlier, which may lack something new.")
        return EARLIER
    say(trouble, remedy)
    return 1


# One process installs, others wait: a tournament manager starts several engines at once -----------------------------


@contextlib.contextmanager
def alone(place: Place) -> Iterator[None]:
    """Hold the environment's lock. It goes with the process that has it, and with the pip that this one has started.

    Raises Trouble where the lock's file cannot be written.
    """
    try:
        place.venv.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{place.venv}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        remedy = f"Make {place.venv.parent} writable, or set TRANSCENDENCE_VENV to a folder that you may write."
        raise Trouble(f"cannot write beside {place.venv} ({error}).", remedy) from None
    try:
        _wait_for(lock)
        os.set_inheritable(lock, True)
        os.write(lock, b"%-20d" % os.getpid())
        yield
    finally:
        os.close(lock)


def _wait_for(lock: int) -> None:
    said = False
    while not _taken(lock):
        if not said:
            owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip() if hasattr(os, "pread") else ""
            say(f"waiting for another installation (process {owner or 'unknown'})")
        said = True
        time.sleep(_LOOK_EVERY_S)


def _taken(lock: int) -> bool:
    """Take the lock unless another process has it. Where the disk knows no locks, nobody is kept out."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(lock, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
            os.lseek(lock, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


# Installing --------------------------------------------------------------------------------------------------------


def install(place: Place) -> None:
    """The feature into the environment, which is made if need be. Raises Trouble."""
    say(f"preparing {place.venv} for '{place.feature}' (a few minutes at most)")
    newer = max(time.time(), place.changed() + 1)  # a clock may be wrong; what is pulled meanwhile is newer still
    make_environment(place)
    python = str(place.python)
    if place.feature in NEEDS_TORCH and not run(python, "-I", "-c", "import torch", quiet=True):
        _pip(place, TORCH)
    runtime = RUNTIMES[has_gpu()]
    say(f"installing {runtime}: {'an' if has_gpu() else 'no'} NVIDIA GPU was found")
    remove_other(place, runtime)
    requirements = wanted(place, runtime)
    if requirements:
        _pip(place, *requirements)
    _pip(place, "--no-deps", "-e", str(place.root))
    try:
        if has_driver():
            place.gpu_mark.touch()
        else:
            place.gpu_mark.unlink(missing_ok=True)
        place.checkout.write_bytes(os.fsencode(place.root) + b"\n")
        place.mark.touch()
        os.utime(place.mark, (newer, newer))
    except OSError as error:
        raise Trouble(f"could not write {place.mark} ({error}).", "Make its folder writable.") from None
    say("ready")


def has_gpu() -> bool:
    """Whether there is an NVIDIA driver, and a build of the runtime that could use it."""
    return platform.machine().lower() in ("x86_64", "amd64") and has_driver()


def has_driver() -> bool:
    """Whether there is an NVIDIA driver."""
    if sys.platform == "win32":
        return os.path.exists(os.path.join(os.environ.get("SYSTEMROOT", ""), "System32", "nvcuda.dll"))
    return os.path.exists("/proc/driver/nvidia/version") or shutil.which("nvidia-smi") is not None


def wanted(place: Place, runtime: str) -> list[str]:
    """What the feature requires, by pyproject.toml; of the two runtimes the given one.

    The package itself is installed without what it requires: pip would take the runtime for GPUs everywhere.
    """
    import tomllib  # not in the Pythons that are only told that they are too old

    project = tomllib.loads((place.root / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    extras = project.get("optional-dependencies", {})
    waiting = list(project.get("dependencies", []))
    waiting += extras.get(place.feature, [])
    required: dict[str, None] = {}
    while waiting:
        requirement = waiting.pop(0)
        name, bracket, rest = requirement.partition("[")
        if name.strip() == PACKAGE and bracket:
            for extra in rest.partition("]")[0].split(","):
                waiting += extras.get(extra.strip(), [])
        elif not requirement.startswith(RUNTIMES):
            required[requirement] = None
        elif requirement.startswith(RUNTIMES[1]) == (runtime == RUNTIMES[1]):
            required[requirement.partition(";")[0].strip()] = None
    return list(required)


def remove_other(place: Place, runtime: str) -> None:
    """Uninstall both runtimes where the other one is installed: removing one of two takes files of both."""
    (other,) = set(RUNTIMES) - {runtime}
    pattern = other.replace("-", "_") + "-*.dist-info"
    if any(place.venv.glob(f"[Ll]ib/**/site-packages/{pattern}")):
        run(str(place.python), "-I", "-m", "pip", "uninstall", "--quiet", "--yes", *RUNTIMES, quiet=True)


def make_environment(place: Place) -> None:
    """See that there is one with a Python that runs, is not too old and has a pip. Raises Trouble.

    One without was interrupted, or has lost the Python that it was made from. Only what is a virtual environment is emptied:
    TRANSCENDENCE_VENV may name anything.
    """
    python = str(place.python)
    if run(python, "-I", "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})", quiet=True) and (
        run(python, "-I", "-m", "pip", "--version", quiet=True) or run(python, "-I", "-m", "ensurepip", quiet=True)
    ):
        return
    base = getattr(sys, "_base_executable", None) or sys.executable
    clear = ["--clear"] if (place.venv / "pyvenv.cfg").exists() else []
    if not run(base, "-I", "-m", "venv", *clear, str(place.venv)):
        raise Trouble(f"could not make {place.venv}; see the lines above.", "Remove it to begin again.")


def _pip(place: Place, *wanted: str) -> None:
    command = [str(place.python), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if place.mark.exists():  # something works already: no long wait where there is no network
        command += ["--retries", "1"]
    if not run(*command, *wanted):
        raise Trouble("the installation failed; see the lines above.", f"Remove {place.venv} to begin again.")


def run(*command: str, quiet: bool = False) -> bool:
    """True if a command ends with status 0. What it says goes to standard error, ``quiet`` nowhere."""
    output = subprocess.DEVNULL if quiet else 2
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_surroundings(), close_fds=False, check=False
        )
    except OSError:
        return False
    return done.returncode == 0


def _surroundings() -> dict[str, str]:
    """The environment without what leads Python to other modules, or pip to another place than the one it is started in."""
    astray = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "__PYVENV_LAUNCHER__")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON") and name not in astray}
    return {**kept, "PIP_USER": "0"}


if __name__ == "__main__":
    sys.exit(main())
