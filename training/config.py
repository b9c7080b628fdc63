"""What a training run can be told: frozen dataclasses, filled from a TOML preset and the command line.

Knows names, defaults, ranges and how to read and write TOML presets. Does not know torch.
"""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from engine.errors import ConfigError

PRESETS = Path(__file__).parent / "presets"

BoardInput = Literal["none", "sum", "attacks", "conv", "squares"]


@dataclass(frozen=True)
class Range:
    """The numbers that a field may have, for people and for a check."""

    low: float
    high: float = math.inf
    above: bool = False
    """Whether ``low`` itself is left out."""
    below: bool = False
    """Whether ``high`` itself is left out."""

    def holds(self, value: float) -> bool:
        """False for what is no number, too."""
        return (self.low < value if self.above else self.low <= value) and (
            value < self.high if self.below else value <= self.high
        )

    def __str__(self) -> str:
        lowest = f"above {self.low:g}" if self.above else f"{self.low:g} or more"
        if self.high == math.inf:
            return lowest + (" and finite" if self.below else "")
        return f"{lowest} and {'below' if self.below else 'at most'} {self.high:,}"


_COUNT, _WHOLE = Range(1, 10**9), Range(0, 10**9)
_POSITIVE, _NOT_NEGATIVE = Range(0, above=True, below=True), Range(0, below=True)
_SHARE, _PERIOD = Range(0, 1), Range(0)


def _check_fields(section: Any, name: str) -> None:
    """Raise ConfigError where a field of ``section`` has a value that it may not have."""
    for field_name, hint in get_type_hints(type(section), include_extras=True).items():
        value, where = getattr(section, field_name), f"{name}.{field_name}"
        if get_origin(hint) is Annotated:
            kind, allowed = get_args(hint)
            if not allowed.holds(_checked(value, kind, where)):
                raise ConfigError(f"{where} must be {allowed}, got {value}")
        else:
            _checked(value, hint, where)


@dataclass(frozen=True)
class ModelConfig:
    """The network's shape."""

    layers: Annotated[int, _COUNT] = 4
    """Transformer blocks."""
    width: Annotated[int, _COUNT] = 192
    """Size of the residual stream; a multiple of heads."""
    heads: Annotated[int, _COUNT] = 6
    """Attention heads."""
    mlp_ratio: Annotated[int, _COUNT] = 4
    """Hidden size of a block's MLP, in widths."""
    context: Annotated[int, Range(2, 10**9)] = 128
    """Plies a net sees at once; longer games are re-based."""
    board_input: BoardInput = "attacks"
    """How the board enters: none (blind), sum (piece on square), attacks (piece and least attackers of its square), conv and
    squares (attacks, and a small convolutional net or transformer over the 64 squares)."""
    own_rows: bool = True
    """Whether every square, piece and attackers have a row of their own beside those that they share: half of a net's file."""
    board_width: Annotated[int, _COUNT] = 32
    """Numbers a square carries inside the small net of conv and squares; a multiple of 8."""
    board_layers: Annotated[int, _COUNT] = 2
    """Blocks of that small net."""
    move_rank: Annotated[int, _WHOLE] = 0
    """Rank of the product over its two squares that a move's logit gets besides its fixed vector; 0 = none."""
    checks: bool = False
    """Whether that product sees what each square means to the two kings: checks, pins, answers to a check."""
    rating_input: bool = True
    """Whether the players' ratings enter."""

    def __post_init__(self) -> None:
        _check_fields(self, "model")
        if self.width % (2 * self.heads):
            raise ConfigError(f"model.width must be a multiple of 2 x model.heads, got width {self.width}, heads {self.heads}")
        if self.board_width % 8:
            raise ConfigError(f"model.board_width must be a multiple of 8, got {self.board_width}")
        if self.move_rank and self.board_input == "none":
            raise ConfigError(
                f"model.move_rank {self.move_rank} needs a board, and model.board_input is none; give move_rank 0 or another "
                f"board_input"
            )
        if self.checks and not self.move_rank:
            raise ConfigError(
                "model.checks is a part of the product over squares; give model.move_rank (e.g. 64), or checks false"
            )

    @property
    def head_width(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True)
class DataConfig:
    """Which games are read and how."""

    batch_plies: Annotated[int, _COUNT] = 16384
    """Plies a step over all processes; rounded down to whole rows of model.context."""
    rating_dropout: Annotated[float, _SHARE] = 0.15
    """Share of games whose ratings are hidden, so that unconditioned play works."""
    max_rating: Annotated[int, _WHOLE] = 0
    """Only games with no player above this; 0 = all games. The paper's caps are 1000, 1300 and 1500."""
    shuffle_games: Annotated[int, _COUNT] = 1024
    """Games replayed together; the order of all games is random in any case."""
    streams: Annotated[int, _COUNT] = 8
    """Logical streams of games; a multiple of the number of processes. The same rows come with any such number."""
    micro_plies: Annotated[int, _COUNT] = 2048
    """Most plies in one forward and backward pass of a process; a step adds up as many as it needs."""
    rating_doubling: Annotated[float, _NOT_NEGATIVE] = 0.0
    """Points by which a mover must be rated higher for the loss on its moves to weigh twice as much; 0 = all moves alike."""
    rating_span: Annotated[float, Range(1, below=True)] = 20.0
    """Largest ratio of two such weights."""
    mate_weight: Annotated[float, _POSITIVE] = 1.0
    """How much more the loss on a move weighs where it is mate, as the store says that its game ended."""

    def __post_init__(self) -> None:
        _check_fields(self, "data")


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights are changed."""

    kind: Literal["muon", "adamw"] = "muon"
    """muon orthogonalises the blocks' matrices and leaves the rest to AdamW; adamw does all."""
    matrix_lr: Annotated[float, _POSITIVE] = 0.03
    """Learning rate of the blocks' matrices under muon."""
    adam_lr: Annotated[float, _POSITIVE] = 1e-2
    """Learning rate of everything AdamW changes."""
    weight_decay: Annotated[float, _SHARE] = 0.01
    """Decoupled decay of matrices; tables and gains are never decayed."""
    warmup: Annotated[float, Range(0, 1, below=True)] = 0.01
    """Share of the run during which learning rates rise from 0; then they fall linearly to 0."""
    clip: Annotated[float, _NOT_NEGATIVE] = 1.0
    """Largest gradient norm; 0 = no clipping."""
    wdl_weight: Annotated[float, _NOT_NEGATIVE] = 0.15
    """Weight of the win/draw/loss loss beside the move loss."""
    ema: Annotated[float, Range(0, 1, below=True)] = 0.0
    """Decay a step of the moving average of the weights that is validated, saved and exported; 0 = the weights themselves."""

    def __post_init__(self) -> None:
        _check_fields(self, "optimizer")


@dataclass(frozen=True)
class RunConfig:
    """How long a run takes and what it leaves."""

    minutes: Annotated[float, _NOT_NEGATIVE] = 0.0
    """Length of the run in training minutes, the schedule fully decayed at their end; 0 = use steps."""
    steps: Annotated[int, _WHOLE] = 0
    """Length of the run in optimiser steps, where minutes is 0."""
    clock: Literal["wall", "cpu"] = "wall"
    """What minutes are of. cpu = processor time of the first process, which fair comparisons on a busy machine need."""
    seed: Annotated[int, Range(0, 2**63 - 1)] = 1
    """Seed of initial weights, game order and dropout."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the matrix products; weights stay float32. auto = bfloat16 on a GPU that has it, and on a CPU where it is measured to
    be the faster."""
    compile: Literal["auto", "on", "off"] = "auto"
    """torch.compile. auto = on for CUDA, and on CPU for runs above 15 minutes where a C++ compiler is found."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """How several processes share a net: ddp = each has all of it; fsdp = each keeps a part, for nets that fill a GPU."""
    peak_tflops: Annotated[float, _NOT_NEGATIVE] = 0.0
    """TFLOP/s that the device could do at its best: then metrics.jsonl tells the share of it that the net's products take, as
    ``mfu``. 0 = unknown."""
    tensorboard: bool = False
    """Whether the figures of metrics.jsonl are written for TensorBoard too, which must be installed."""
    log_every: Annotated[int, _COUNT] = 10
    """Steps between two lines of metrics.jsonl."""
    evaluate_every_minutes: Annotated[float, _PERIOD] = 10.0
    """Training minutes between two evaluations on the validation split; one comes at the end in any case."""
    save_every_minutes: Annotated[float, _PERIOD] = 5.0
    """Training minutes between two checkpoints; one comes at the end in any case."""
    validation_plies: Annotated[int, _COUNT] = 20000
    """Plies of the validation split that are read in an evaluation."""

    def __post_init__(self) -> None:
        _check_fields(self, "run")


@dataclass(frozen=True)
class Config:
    """Everything about a run but its data set and its folder."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    run: RunConfig = field(default_factory=RunConfig)


def load_preset(name: str, changes: Sequence[str] = ()) -> Config:
    """A preset that ships, by name, or a TOML file, by path, with ``changes`` such as ``model.layers=8`` on top.

    Raises ConfigError for a missing or misspelt one.
    """
    values = _read_preset(name)
    for change in changes:
        key, equals, text = change.partition("=")
        section, dot, field_name = key.strip().partition(".")
        if not (equals and dot):
            raise ConfigError(f"expected SECTION.KEY=VALUE, e.g. model.layers=8, got {change!r}")
        values.setdefault(section, {})[field_name] = _value_of(text.strip())
    return from_dict(values, where=" ".join([name, *changes]))


def _read_preset(name: str, inner: tuple[str, ...] = ()) -> dict[str, Any]:
    """Nested tables of a preset, laid over those of the preset that it ``extends``."""
    path = PRESETS / f"{name}.toml"
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PRESETS.glob("*.toml")))
        raise ConfigError(f"expected a preset ({known}) or a TOML file, got {name!r}")
    if name in inner:
        raise ConfigError(f"{path} extends itself by way of {' and '.join(inner)}")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}") from error
    under = _read_preset(str(values.pop("extends")), (*inner, name)) if "extends" in values else {}
    for section, table in values.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: expected sections [model], [data], [optimizer], [run], got the key {section!r} outside")
        under[section] = under.get(section, {}) | table
    return under


def _value_of(text: str) -> Any:
    """A value as TOML reads it; a bare word is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


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
    hints = get_type_hints(kind)
    values = {name: _checked(value, hints[name], where=f"{where} {name}") for name, value in table.items()}
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _checked(value: Any, kind: Any, where: str) -> Any:
    """``value`` if it is of the type that the field has. Raises ConfigError otherwise."""
    choices = get_args(kind)
    if choices:
        if value not in choices:
            raise ConfigError(f"{where}: expected one of {', '.join(map(str, choices))}, got {value!r}")
        return value
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{where}: expected {_KINDS[kind]}, got {value!r}")
    return value


_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


def to_dict(config: Config) -> dict[str, Any]:
    """Nested plain values, as saved in config.json and in the ONNX metadata."""
    return dataclasses.asdict(config)


def load_config(path: Path) -> Config:
    """The config a run saved beside its checkpoints. Raises ConfigError when it is missing or damaged."""
    try:
        return from_dict(json.loads(path.read_text(encoding="utf-8")), where=str(path))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"expected a run's config at {path}: {error}") from error
