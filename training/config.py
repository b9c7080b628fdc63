"""What a training run can be told: frozen dataclasses, filled from a TOML preset and the command line.

Knows names, defaults, ranges and how to read and write TOML presets. Does not know torch.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.errors import ConfigError

PRESETS = Path(__file__).parent / "presets"

BoardInput = Literal["none", "sum", "attacks"]


@dataclass(frozen=True)
class ModelConfig:
    """The network's shape."""

    layers: int = 4
    """Transformer blocks."""
    width: int = 192
    """Size of the residual stream; a multiple of heads."""
    heads: int = 6
    """Attention heads."""
    mlp_ratio: int = 4
    """Hidden size of a block's MLP, in widths."""
    context: int = 128
    """Plies a net sees at once; longer games are re-based."""
    board_input: BoardInput = "attacks"
    """How the board enters: none (blind), sum (piece on square), attacks (piece and least attackers of its square)."""
    rating_input: bool = True
    """Whether the players' ratings enter."""

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ConfigError(f"model.width must be a multiple of 2 x model.heads, got width {self.width}, heads {self.heads}")

    @property
    def head_width(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True)
class DataConfig:
    """Which games are read and how."""

    batch_plies: int = 16384
    """Plies a step over all processes; rounded down to whole rows of model.context."""
    rating_dropout: float = 0.15
    """Share of games whose ratings are hidden, so that unconditioned play works."""
    max_rating: int = 0
    """Only games with no player above this; 0 = all games. The paper's caps are 1000, 1300 and 1500."""
    shuffle_games: int = 1024
    """Games replayed together; the order of all games is random in any case."""
    streams: int = 8
    """Logical streams of games; a multiple of the number of processes. The same rows come with any such number."""
    micro_plies: int = 2048
    """Most plies in one forward and backward pass of a process; a step adds up as many as it needs."""


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights are changed."""

    kind: Literal["muon", "adamw"] = "muon"
    """muon orthogonalises the blocks' matrices and leaves the rest to AdamW; adamw does all."""
    matrix_lr: float = 0.03
    """Learning rate of the blocks' matrices under muon."""
    adam_lr: float = 1e-2
    """Learning rate of everything AdamW changes."""
    weight_decay: float = 0.01
    """Decoupled decay of matrices; tables and gains are never decayed."""
    warmup: float = 0.01
    """Share of the run during which learning rates rise from 0; then they fall linearly to 0."""
    clip: float = 1.0
    """Largest gradient norm; 0 = no clipping."""
    wdl_weight: float = 0.15
    """Weight of the win/draw/loss loss beside the move loss."""


@dataclass(frozen=True)
class RunConfig:
    """How long a run takes and what it leaves."""

    minutes: float = 0.0
    """Length of the run in training minutes, the schedule fully decayed at their end; 0 = use steps."""
    steps: int = 0
    """Length of the run in optimiser steps, where minutes is 0."""
    seed: int = 1
    """Seed of initial weights, game order and dropout."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the matrix products; weights stay float32. auto = bfloat16 where the processor or GPU multiplies it fast."""
    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile. auto = on for CUDA, and on CPU for runs above 15 minutes where a C++ compiler is found."""
    log_every: int = 10
    """Steps between two lines of metrics.jsonl."""
    evaluate_every_minutes: float = 10.0
    """Training minutes between two evaluations on the validation split; one comes at the end in any case."""
    save_every_minutes: float = 5.0
    """Training minutes between two checkpoints; one comes at the end in any case."""
    validation_plies: int = 20000
    """Plies of the validation split that are read in an evaluation."""


@dataclass(frozen=True)
class Config:
    """Everything about a run but its data set and its folder."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    run: RunConfig = field(default_factory=RunConfig)


def load_preset(name: str) -> Config:
    """A preset that ships, by name, or a TOML file, by path. Raises ConfigError for a missing or misspelt one."""
    path = PRESETS / f"{name}.toml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PRESETS.glob("*.toml")))
        raise ConfigError(f"expected a preset ({known}) or a TOML file, got {name!r}")
    try:
        return from_dict(tomllib.loads(path.read_text(encoding="utf-8")), where=str(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no valid TOML: {error}") from error


def from_dict(values: dict[str, Any], where: str) -> Config:
    """A config from nested tables; what is absent keeps its default. Raises ConfigError for an unknown key."""
    parts: dict[str, Any] = {}
    sections = {f.name: f.default_factory for f in dataclasses.fields(Config)}
    for section, table in values.items():
        if section not in sections:
            raise ConfigError(f"{where}: unknown section [{section}]; known are {', '.join(sections)}")
        parts[section] = _section(sections[section], table, where=f"{where} [{section}]")
    return Config(**parts)


def _section(kind: Any, table: dict[str, Any], where: str) -> Any:
    known = {f.name for f in dataclasses.fields(kind)}
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
    return kind(**table)


def to_dict(config: Config) -> dict[str, Any]:
    """Nested plain values, as saved in config.json and in the ONNX metadata."""
    return dataclasses.asdict(config)


def load_config(path: Path) -> Config:
    """The config a run saved beside its checkpoints. Raises ConfigError when it is missing or damaged."""
    try:
        return from_dict(json.loads(path.read_text(encoding="utf-8")), where=str(path))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"expected a run's config at {path}: {error}") from error
