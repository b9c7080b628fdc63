"""The recipe for a borrowed GPU, as it runs there: parts in, a stop in the middle of the training, a net back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import chess
import pytest

from tests.paths import ROOT
from training.data.pack import pack
from training.data.store import Store, open_store
from training.run import metrics_file, pieces
from training.run.checkpoint import load_net

RECIPE = ROOT / "recipes" / "gpu-short.sh"
PRESET = """
[model]
layers = 1
width = 16
heads = 2
context = 32
move_rank = 4
checks = true
[data]
batch_plies = 256
micro_plies = 256
shuffle_games = 20
streams = 1
[run]
minutes = 9
log_every = 1
precision = "float32"
compile = "off"
peak_tflops = 1
validation_plies = 300
"""

pytestmark = pytest.mark.skipif(os.name != "posix" or shutil.which("sh") is None, reason="a recipe for a POSIX shell")


@pytest.fixture
def there(store: Store, tmp_path: Path) -> dict[str, str]:
    """The environment of the other machine, where two parts have just arrived."""
    for part in pack(store, tmp_path / "parts", part_bytes=14_000):
        folder = tmp_path / "work" / "carry" / part.path.stem
        shutil.copytree(Path(chess.__file__).parent, folder / "site" / "chess", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(part.path, folder)
    (tmp_path / "tiny.toml").write_text(PRESET)
    names = {"WORK": "work", "TMPDIR": "tmp", "OUT": "out", "PRESET": "tiny.toml"}
    return os.environ | {name: str(tmp_path / value) for name, value in names.items()} | {"PYTHON": sys.executable}


def recipe(there: dict[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["sh", str(RECIPE), *words], env=there, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/"
    )


def output(started: subprocess.Popen[str], *, status: int = 0) -> str:
    text, _ = started.communicate(timeout=500)
    assert started.returncode == status, text
    return text


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_is_trained_when_it_must_stop_comes_back(store: Store, there: dict[str, str], tmp_path: Path) -> None:
    scratch = tmp_path / "tmp" / "gpu-short"
    for number in ("1", "2"):
        assert "kept" in output(recipe(there, "receive", number))
    assert "is here already" in output(recipe(there, "receive", "1"))
    assert not list((tmp_path / "work" / "carry" / "part-1").glob("*"))
    training = recipe(there, "train", "5")
    metrics = scratch / "run" / "metrics.jsonl"
    wait_for(lambda: metrics.is_file() and metrics.read_text().count("\n") > 2, training)
    training.send_signal(signal.SIGTERM)
    assert "MFU" in output(training)
    assert open_store(scratch / "stores" / "all-2").games > open_store(scratch / "stores" / "part-1").games
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir() if path.suffix != ".piece"} == {
        "config.json",
        "run.json",
        "metrics.jsonl",
        "log.txt",
    }
    assert len(list(out.iterdir())) <= 8
    pieces.join(out, tmp_path / "run")
    net, config = load_net(tmp_path / "run")
    assert (net.config.width, config.run.minutes) == (16, 5.0)
    lines = metrics_file.read(tmp_path / "run")
    assert all(line["mfu"] == pytest.approx(line["gflops"] / 1000, abs=1e-3) for line in lines if line["kind"] == "train")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["dataset"]["name"] == "all-2"
    rest = {**there, "OUT": str(tmp_path / "second")}
    output(recipe(rest, "rest"))
    assert {path.name.split("-")[0] for path in (tmp_path / "second").iterdir()} == {"rest"}


def wait_for(happened: object, training: subprocess.Popen[str]) -> None:
    assert callable(happened)
    until = time.monotonic() + 400
    while not happened():
        assert training.poll() is None, output(training)
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["receive", "9"], "expected a part at"),
        (["pack", "/nowhere"], "expected a token store, got /nowhere"),
        (["no-such-word"], "gpu-short.sh train [MINUTES]"),
    ],
)
def test_what_cannot_be_done_is_said(there: dict[str, str], words: list[str], said: str) -> None:
    text = output(recipe(there, *words), status=2)
    assert said in text
    assert "Traceback" not in text


def test_training_needs_no_reader_of_files_that_only_bin_data_reads() -> None:
    missing = ["rust_pgn_reader_python_binding", "backports", "backports.zstd", "compression.zstd", "onnx", "onnxruntime"]
    code = f"import sys; sys.modules |= dict.fromkeys({missing}); "
    code += "import training.data.__main__, training.train, training.run.pieces"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
