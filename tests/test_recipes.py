"""Recipes: they are sound shell, their steps are done once, and what was stopped or failed is done again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.paths import ROOT

RECIPES = ROOT / "recipes"
pytestmark = pytest.mark.skipif(os.name != "posix" or shutil.which("sh") is None, reason="recipes are for a POSIX shell")


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    lines = f'set -eu\nout="{folder}"\n. "{RECIPES}/steps.sh"\n{script}\n'
    return subprocess.run(["sh", "-c", lines], capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.sh")), ids=lambda path: path.name)
def test_shell_that_parses(path: Path) -> None:
    assert subprocess.run(["sh", "-n", path], timeout=20, check=False).returncode == 0
    assert os.access(path, os.X_OK) == (path.name != "steps.sh")


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.sh")), ids=lambda path: path.name)
def test_files_of_the_checkout_that_a_recipe_names_are_there(path: Path) -> None:
    named = re.findall(r"\$root/((?:match|models|recipes|docs|training|engine|bin|benchmarks)/[\w./-]+)", path.read_text())
    made = {"models/evidence"}
    assert [name for name in named if not (ROOT / name).exists() and name not in made] == []


def test_a_step_is_done_once_and_timed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    clock = f'echo 100 >"{tmp_path}/now"\ndate() {{ cat "{tmp_path}/now"; }}\n'
    for _ in range(2):
        assert shell(f'{clock}once greet sh -c \'echo done >>"{log}"; echo 107 >"{tmp_path}/now"\'', tmp_path).returncode == 0
    assert log.read_text() == "done\n"
    assert (tmp_path / "done" / "greet").read_text() == "7\n"


def test_a_step_that_fails_ends_the_recipe_and_is_done_again(tmp_path: Path) -> None:
    failed = shell("once work false\necho after", tmp_path)
    assert failed.returncode != 0
    assert "after" not in failed.stdout
    assert shell("once work true\necho after", tmp_path).stdout == "after\n"


def test_a_step_that_was_told_to_stop_is_not_taken_for_done(tmp_path: Path) -> None:
    """A training that gets SIGTERM with its recipe saves, and ends with status 0."""
    stopped = shell("once train sh -c 'kill -TERM $PPID'\necho after", tmp_path)
    assert stopped.returncode == 130
    assert "after" not in stopped.stdout
    assert not (tmp_path / "done" / "train").exists()


def test_results_are_not_gone_on_with_under_other_settings(tmp_path: Path) -> None:
    for _ in range(2):
        assert shell('settled train "MINUTES=45 TRAIN=--set a=1"', tmp_path).returncode == 0
    other = shell('settled train "MINUTES=300 TRAIN=--set a=1"\necho after', tmp_path)
    assert other.returncode == 2
    assert "was begun with: MINUTES=45 TRAIN=--set a=1" in other.stderr
    assert "after" not in other.stdout


def test_the_seconds_of_a_training_are_those_of_all_its_attempts(tmp_path: Path) -> None:
    lines = ['{"kind": "train", "step": 1, "minutes": 0.5}', '{"kind": "validation", "step": 9, "minutes": 12.25, "plies": 7}']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    assert shell(f'trained_seconds "{tmp_path}"', tmp_path).stdout == "735\n"


@pytest.mark.parametrize("text", ['a "net"', "C:\\nets\\x.onnx", "it's $(here) `and` %s there", "åß ♞", ""])
def test_text_for_toml_may_hold_anything(text: str, tmp_path: Path) -> None:
    quoted = "'" + text.replace("'", "'\\''") + "'"
    told = shell(f"printf 'net = %s\\n' \"$(toml_text {quoted})\"", tmp_path).stdout
    assert tomllib.loads(told) == {"net": text}


def test_no_recipe_puts_a_path_into_toml_as_it_is() -> None:
    """Names of players hold ratings, scales, temperatures and widths, which bring no quotes."""
    players = [
        f"{path.name}: {line}"
        for path in RECIPES.glob("*.sh")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"printf .*(net|engine) = \"?%s", line)
    ]
    assert players
    assert [line for line in players if re.search(r"(net|engine) = \"%s", line)] == []


@pytest.mark.parametrize(
    "words", [["transcendence.sh", "nobody"], ["transcendence.sh"], ["lichess-caps.sh"], ["teachers.sh"], ["teachers.sh", "x"]]
)
def test_a_missing_argument_is_named(words: list[str], tmp_path: Path) -> None:
    run = subprocess.run(
        [RECIPES / words[0], *words[1:]], capture_output=True, text=True, timeout=20, cwd=tmp_path, check=False
    )
    assert run.returncode != 0
    assert "expected" in run.stderr
