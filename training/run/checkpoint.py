"""A run's folder: config, metrics, and checkpoints that a kill at any moment cannot spoil.

    RUN/
      config.json           training.config.Config
      run.json              data set fingerprint, environment, command, the weights it began with
      metrics.jsonl         one JSON object a line: training lines and validation lines
      model.safetensors     the newest weights
      state.pt              optimisers and progress, of the same step
      lock                  held by the training that writes here

Knows files and their order of writing. Does not know the training loop.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pickle
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from engine.errors import ConfigError
from engine.files import lock, replacing, write_text
from training.config import Config, DataConfig, load_config, to_dict
from training.net.model import Transformer
from training.net.sharding import is_sharded, load_state, load_weights, whole_state, whole_weights
from training.run.metrics_file import METRICS as METRICS

WEIGHTS, STATE, CONFIG, RUN, LOCK = "model.safetensors", "state.pt", "config.json", "run.json", "lock"


def save(
    folder: Path,
    playing: Transformer,
    *,
    trained: Transformer,
    optimizers: list[Optimizer],
    progress: dict[str, Any],
    first: bool = True,
) -> None:
    """Write the weights that play, and the state: those that are trained (the same ones unless they are averaged), the
    optimisers and the progress. A kill between the two files leaves a state that is whole and can be resumed.

    Every process calls this, for a net in pieces is put together by all; the ``first`` one writes."""
    state: dict[str, Any] = {"progress": progress, "weights": whole_weights(trained, kept=first)}
    weights = state["weights"] if playing is trained else whole_weights(playing, kept=first)
    state["optimizers"] = [whole_state(o, kept=first) for o in optimizers]
    if playing is not trained:
        state["average"] = weights
    if first:
        _write(folder, weights, state)


def _write(folder: Path, weights: dict[str, Tensor], state: dict[str, Any]) -> None:
    try:
        with replacing(folder / WEIGHTS) as partial, replacing(folder / STATE) as partial_state:
            save_file(weights, str(partial), metadata={"step": str(state["progress"]["step"])})
            torch.save(state, partial_state)
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors wrap what the system says
        raise ConfigError(
            f"cannot save to {folder}: {error}. The checkpoint before is whole; free some room and give the same command again"
        ) from error


def resume(
    folder: Path, net: Transformer, *, average: Transformer | None, optimizers: list[Optimizer]
) -> dict[str, Any] | None:
    """Load the newest state into ``net``, its ``average`` and ``optimizers``; None when the run has not saved yet."""
    path = folder / STATE
    if not has_saved(folder):
        return None
    state = _state(path, mmap=is_sharded(net))
    try:
        load_weights(net, state["weights"])
        if average is not None:
            load_weights(average, state["average"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            load_state(optimizer, saved)
        progress: dict[str, Any] = state["progress"]
    except (RuntimeError, ValueError, KeyError, IndexError) as error:
        raise ConfigError(f"{path} does not fit this run's config ({_short(error)}); give another --out") from error
    return progress


def _state(path: Path, *, mmap: bool) -> dict[str, Any]:
    """What a run saved. Raises ConfigError for a file that is empty, cut off or something else."""
    try:
        state = torch.load(path, weights_only=True, map_location="cpu", mmap=mmap)
        if not isinstance(state, dict):
            raise ValueError(f"it holds a {type(state).__name__}")
    except (RuntimeError, ValueError, KeyError, IndexError, TypeError, OSError, EOFError, pickle.UnpicklingError) as error:
        raise ConfigError(
            f"expected the state of a run at {path}, and the file is damaged ({_short(error)}); put a copy of it back, or "
            f"remove it and begin another run with the weights beside it: --init {path.parent} and another --out"
        ) from error
    return state


def _short(error: BaseException) -> str:
    """An error in a few words of one line; some say nothing but their name."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def has_saved(folder: Path) -> bool:
    """Whether there is a state that a run in ``folder`` can resume from."""
    return (folder / STATE).is_file()


def progress(folder: Path) -> dict[str, Any] | None:
    """Step, plies and minutes of the newest state; None when the run has not saved yet, or its state is gone."""
    path = folder / STATE
    if not has_saved(folder):
        return None
    progress_so_far = _state(path, mmap=True).get("progress")
    if not isinstance(progress_so_far, dict):
        raise ConfigError(f"expected the state of a run at {path}, and it says nothing of progress; is it another program's?")
    return progress_so_far


def load_net(folder: Path) -> tuple[Transformer, Config]:
    """The newest weights of a run. Raises ConfigError when the folder holds no run or the weights do not fit."""
    config = load_config(folder / CONFIG)
    net = Transformer(config.model)
    try:
        net.load_state_dict(load_file(str(folder / WEIGHTS)))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ConfigError(f"expected the weights of this run at {folder / WEIGHTS}: {_short(error)}") from error
    return net, config


def weights_step(folder: Path) -> int | None:
    """After how many steps the newest weights were saved; None where they do not say so. Raises ConfigError without weights."""
    path = folder / WEIGHTS
    try:
        with safe_open(str(path), "pt") as weights:
            told = (weights.metadata() or {}).get("step", "")
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"expected the weights of this run at {path}: {_short(error)}") from error
    return int(told) if told.isdigit() else None


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """The run's folder for this process alone: two trainings would overwrite each other's state. Raises ConfigError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("ab")
    except OSError as error:
        raise _unwritable(folder, error) from None
    with file:
        if not lock(file):
            raise ConfigError(f"another training is writing to {folder}; wait for it, stop it, or choose another --out")
        yield


def start(folder: Path, config: Config, *, dataset: dict[str, Any], init: dict[str, Any] | None = None) -> None:
    """Make the run's folder, or check that the run in it has the same config and data set. Raises ConfigError otherwise.

    ``init``: the weights it begins with, for the record. A run that has saved keeps what it began with; one that has not
    begins now.
    """
    if (folder / CONFIG).is_file():
        _check_same(folder, config, dataset)
        if has_saved(folder):
            return
        if (folder / WEIGHTS).is_file():
            raise ConfigError(
                f"{folder} holds weights, and no {STATE} to resume from; begin another run with --init {folder} and another "
                f"--out"
            )
    began = {"init": init} if init else {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / RUN, json.dumps({"dataset": dataset, **began, **_environment()}, indent=1))
        write_text(folder / CONFIG, json.dumps(to_dict(config), indent=1))  # last: it says that a run is here
    except OSError as error:
        raise _unwritable(folder, error) from None


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"expected a folder that can be written at {folder}: {error.strerror or error}")


def _check_same(folder: Path, config: Config, dataset: dict[str, Any]) -> None:
    if _learning(load_config(folder / CONFIG)) != _learning(config):
        raise ConfigError(f"{folder} holds a run with another config; choose another --out")
    before = about(folder).get("dataset", {})
    if before.get("fingerprint") != dataset.get("fingerprint"):
        raise ConfigError(
            f"{folder} holds a run on other games: expected the data set {before.get('name')!r} with fingerprint "
            f"{before.get('fingerprint')}, got {dataset.get('name')!r} with {dataset.get('fingerprint')}; choose another --out"
        )


def began_with(folder: Path) -> dict[str, Any]:
    """What is known of the weights that a run began with; empty where they were random."""
    began: dict[str, Any] = about(folder).get("init", {})
    return began


def note(folder: Path, **facts: Any) -> None:
    """Add what is known only later to run.json."""
    try:
        write_text(folder / RUN, json.dumps(about(folder) | facts, indent=1))
    except OSError as error:
        raise _unwritable(folder, error) from None


def about(folder: Path) -> dict[str, Any]:
    """What run.json says. Raises ConfigError where there is none, or it is damaged."""
    path = folder / RUN
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise ValueError(f"a {type(facts).__name__} and no table")
        for key in ("dataset", "init"):
            if not isinstance(facts.get(key, {}), dict):
                raise ValueError(f"{key} is no table")
    except (OSError, ValueError) as error:
        raise ConfigError(f"expected what is known of a run at {path}: {_short(error)}") from error
    return facts


def _learning(config: Config) -> Config:
    """What must stay as it was for a run to be resumed: all but how processes share the work and where figures go."""
    run = dataclasses.replace(config.run, parallel="ddp", tensorboard=False, peak_tflops=0.0)
    return dataclasses.replace(config, run=run, data=dataclasses.replace(config.data, micro_plies=DataConfig().micro_plies))


def _environment() -> dict[str, Any]:
    return {
        "command": shlex.join(["train", *sys.argv[1:]]),
        "commit": commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def commit() -> str:
    """The checkout's commit, or "unknown" outside one."""
    try:
        return subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
