"""A net between two of a shape."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.nets import random_network
from training.config import Config, to_dict
from training.run import checkpoint, metrics_file
from training.run.mixing import main


def run_of(folder: Path, *, seed: int, context: int = 48) -> Path:
    net = random_network(seed=seed, context=context)
    checkpoint.start(folder, Config(model=net.config), dataset={"name": "random"})
    save_file(net.state_dict(), str(folder / checkpoint.WEIGHTS))
    metrics_file.append(folder, {"kind": "validation", "step": 7, "plies": 70, "minutes": 0.5})
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
