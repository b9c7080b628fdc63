"""A run's folder: config, metrics, and checkpoints that a kill at any moment cannot spoil.

    RUN/
      config.json           training.config.Config
      run.json              data set fingerprint, environment, command
      metrics.jsonl         one JSON object a line: training lines and validation lines
      model.safetensors     the newest weights
      state.pt              optimisers and progress, of the same step

Knows files and their order of writing. Does not know the training loop.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.optim import Optimizer

from engine.errors import ConfigError
from training.config import Config, load_config, to_dict
from training.model import Net

WEIGHTS, STATE, CONFIG, RUN, METRICS = "model.safetensors", "state.pt", "config.json", "run.json", "metrics.jsonl"


def replace_text(path: Path, text: str) -> None:
    """Write ``text`` so that a reader sees the old file or the new one, never half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def save(folder: Path, net: Net, *, optimizers: list[Optimizer], progress: dict[str, Any]) -> None:
    """Write weights and state. The state names its step, so a kill between the two files is noticed on resume."""
    step = str(progress["step"])
    weights = {name: tensor.detach().contiguous() for name, tensor in net.state_dict().items()}
    partial = folder / (WEIGHTS + ".partial")
    save_file(weights, str(partial), metadata={"step": step})
    state = {"progress": progress, "weights": weights, "optimizers": [o.state_dict() for o in optimizers]}
    partial_state = folder / (STATE + ".partial")
    torch.save(state, partial_state)
    os.replace(partial_state, folder / STATE)
    os.replace(partial, folder / WEIGHTS)


def resume(folder: Path, net: Net, *, optimizers: list[Optimizer]) -> dict[str, Any] | None:
    """Load the newest state into ``net`` and ``optimizers``; None when the run has not saved yet."""
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        state = torch.load(path, weights_only=True)
        net.load_state_dict(state["weights"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
    except (RuntimeError, ValueError, KeyError) as error:
        raise ConfigError(f"{path} does not fit this run's config ({str(error)[:200]}); give another --out") from error
    progress: dict[str, Any] = state["progress"]
    return progress


def load_net(folder: Path) -> tuple[Net, Config]:
    """The newest weights of a run. Raises ConfigError when the folder holds no run or the weights do not fit."""
    config = load_config(folder / CONFIG)
    net = Net(config.model)
    try:
        net.load_state_dict(load_file(str(folder / WEIGHTS)))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ConfigError(f"expected the weights of this run at {folder / WEIGHTS}: {str(error)[:200]}") from error
    return net, config


def start(folder: Path, config: Config, *, dataset: dict[str, Any]) -> None:
    """Make the run's folder, or check that the run in it has the same config. Raises ConfigError when it differs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CONFIG
    if path.is_file():
        if to_dict(load_config(path)) != to_dict(config):
            raise ConfigError(f"{folder} holds a run with another config; choose another --out")
        return
    replace_text(path, json.dumps(to_dict(config), indent=1))
    replace_text(folder / RUN, json.dumps({"dataset": dataset, **_environment()}, indent=1))


def _environment() -> dict[str, Any]:
    return {
        "command": shlex.join(["train", *sys.argv[1:]]), "commit": commit(), "python": platform.python_version(),
        "torch": torch.__version__, "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }  # fmt: skip


def commit() -> str:
    """The checkout's commit, or "unknown" outside one."""
    try:
        return subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def append_metrics(folder: Path, line: dict[str, Any]) -> None:
    """One more line of metrics.jsonl."""
    with (folder / METRICS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
