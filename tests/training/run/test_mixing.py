"""A net between two of a shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import ConfigError
from export.__main__ import training_summary
from tests.nets import random_network
from training.config import Config, to_dict
from training.run import checkpoint, metrics_file
from training.run.mixing import main
from training.run.warm_start import read_weights


def run_of(folder: Path, *, seed: int, context: int = 48, init: dict[str, Any] | None = None) -> Path:
    net = random_network(seed=seed, context=context)
    checkpoint.start(folder, Config(model=net.config), dataset={"name": "random"}, init=init)
    save_file(net.state_dict(), str(folder / checkpoint.WEIGHTS), metadata={"step": "7"})
    line = {"kind": "validation", "step": 7, "plies": 70, "minutes": 0.5, "validation_move_nll": 2.5}
    metrics_file.append(folder, line)
    return folder


def test_a_share_of_the_way(tmp_path: Path) -> None:
    last, first, out = run_of(tmp_path / "last", seed=1), run_of(tmp_path / "first", seed=2), tmp_path / "mixed"
    assert main([str(last), str(first), "--share", "0.25", "--out", str(out)]) == 0
    nets = {name: checkpoint.load_net(tmp_path / name)[0].state_dict() for name in ("first", "last", "mixed")}
    for name, values in nets["mixed"].items():
        assert torch.allclose(values, 0.75 * nets["first"][name] + 0.25 * nets["last"][name], atol=1e-6)
    mixed = json.loads((out / checkpoint.RUN).read_text())["mixed"]
    assert (mixed["share"], mixed["with"]["name"], mixed["with"]["plies"]) == (0.25, "first", 70)
    assert json.loads((out / checkpoint.CONFIG).read_text()) == to_dict(checkpoint.load_net(last)[1])
    assert not checkpoint.has_saved(out)
    told = training_summary(out)
    assert (told["step"], told["plies"], told["mixed"]["share"]) == (7, 70, 0.25)
    assert not [key for key in told if key.startswith("validation_")], "these are the run's, and not the mixed net's"
    with pytest.raises(ConfigError, match=r"holds weights, and no state\.pt to resume from"):
        checkpoint.start(out, checkpoint.load_net(out)[1], dataset={"name": "random"})


def test_only_what_a_run_began_with_is_mixed_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, other = run_of(tmp_path / "first", seed=2), run_of(tmp_path / "other", seed=3)
    last = run_of(tmp_path / "last", seed=1, init=read_weights(first).facts)
    assert main([str(last), str(other), "--share", "0.5", "--out", str(tmp_path / "mixed")]) == 2
    assert "began with, first (sha256" in capsys.readouterr().err
    assert main([str(last), str(first), "--share", "0.5", "--out", str(tmp_path / "mixed")]) == 0


@pytest.mark.parametrize(("share", "context", "told"), [("1.5", 48, "expected a share"), ("0.5", 32, "two nets of one shape")])
def test_what_cannot_be_mixed_is_one_line(
    share: str, context: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last, first = run_of(tmp_path / "last", seed=1), run_of(tmp_path / "first", seed=2, context=context)
    assert main([str(last), str(first), "--share", share, "--out", str(tmp_path / "mixed")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "mixed").exists()
    assert main([str(last), str(last), "--share", "0.5", "--out", str(first)]) == 2
    assert "expected a new folder" in capsys.readouterr().err
