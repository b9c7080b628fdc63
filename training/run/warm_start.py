"""Weights to begin with: another run's, or an exported net's.

Knows where they come from, what is worth recording of it, and how a net begins that has more parts. Does not know how a run
uses them, or how a graph is read (``training.run.onnx_weights`` does).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import ConfigError
from training.config import ModelConfig
from training.run import checkpoint, metrics_file
from training.run.onnx_weights import read_exported


@dataclass(frozen=True)
class Initial:
    """The weights of a net, and where they come from."""

    model: ModelConfig
    """The net's shape."""
    weights: dict[str, Tensor]
    """By the names of ``training.net.model.Transformer``'s state."""
    facts: dict[str, Any]
    """For the record: ``name``, ``kind`` (run, fp32 net, int8 net or fp16 net), ``sha256`` of the file (16 hex digits),
    ``minutes`` and ``plies`` of all its training where they are known, and its own ``init`` where it had one."""


def read_weights(path: Path) -> Initial:
    """The weights of a run's folder or of a net that bin/export wrote. Raises ConfigError for anything else."""
    if path.is_dir():
        return _of_run(path)
    if path.is_file() and path.suffix == ".onnx":
        return _of_net(path)
    came = "a file of another kind" if path.is_file() else "nothing there"
    raise ConfigError(
        f"expected a run's folder (with {checkpoint.CONFIG} and {checkpoint.WEIGHTS}) or a net that bin/export wrote (.onnx) "
        f"at {path}, got {came}"
    )


def grown(model: ModelConfig, wanted: ModelConfig) -> ModelConfig:
    """``model`` with the parts that ``wanted`` has and it lacks, of those that can begin without changing what a net says."""
    return dataclasses.replace(model, move_rank=model.move_rank or wanted.move_rank, checks=model.checks or wanted.checks)


def fitted(weights: Mapping[str, Tensor], fresh: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``weights`` and, for parts that only the ``fresh`` state of a grown net has, weights that leave its answers as they were.

    A fresh product over squares adds nothing, for its gate is zero; tables that join a trained one are zero themselves.
    """
    keeps = not any(name.startswith("pairs.") for name in weights)
    added = {name: values if keeps else torch.zeros_like(values) for name, values in fresh.items() if name not in weights}
    return dict(weights) | added


def name_of(path: Path) -> str:
    """What the record calls the weights at ``path``."""
    return path.resolve().name


def describe(facts: dict[str, Any]) -> str:
    """One line for people: ``transcendence.onnx (95.0 minutes, 47.8 M plies)``."""
    if "minutes" not in facts or "plies" not in facts:
        return str(facts["name"])
    plies = facts["plies"]
    read = f"{plies / 1e6:.1f} M plies" if plies >= 100_000 else f"{plies:,} plies"
    return f"{facts['name']} ({facts['minutes']:.1f} minutes, {read})"


def _of_run(folder: Path) -> Initial:
    net, config = checkpoint.load_net(folder)
    earlier = checkpoint.began_with(folder) if (folder / checkpoint.RUN).is_file() else {}
    facts = {"name": name_of(folder), "kind": "run", "sha256": _digest(folder / checkpoint.WEIGHTS)}
    return Initial(config.model, net.state_dict(), facts | _history(progress(folder), earlier))


def progress(folder: Path) -> dict[str, Any]:
    """Step, plies and minutes of a run's newest weights, as far as they are known; by its record where its state stayed on
    another machine."""
    found = checkpoint.progress(folder)
    if found is None and (folder / metrics_file.METRICS).is_file():
        found = next(iter(metrics_file.read(folder)[-1:]), None)
    return {key: found[key] for key in ("step", "plies", "minutes") if key in found} if found else {}


def _of_net(path: Path) -> Initial:
    exported = read_exported(path)
    facts = {"name": name_of(path), "kind": f"{exported.precision} net", "sha256": _digest(path)}
    return Initial(exported.model, exported.weights, facts | _history(exported.training, exported.training.get("init", {})))


def _history(own: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """All training that the weights have had: their ``own`` and that of the weights they began with."""
    nothing = {"minutes": 0, "plies": 0}
    before = earlier or nothing
    total = {key: own[key] + before[key] for key in nothing if key in own and key in before}
    return total | ({"init": earlier} if earlier else {})


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
