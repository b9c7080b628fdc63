"""The command line of export: a run's folder in, a proven ONNX net with its twins and its card out.

Knows arguments, and what a run's folder tells. Does not know the graph, the proof or the package.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from engine.command_line import run_command
from engine.encoding import Scale
from engine.errors import ConfigError, DataError
from engine.machine import cores
from export.games import Transcript, of_store, random_games
from export.gate import FEWEST_GAMES, MATCH_GAMES
from export.package import TWINS, PackageSpec, package
from export.verify import GAMES, POSITIONS
from training.config import load_config, to_dict
from training.data.store import open_store
from training.run import metrics_file
from training.run.checkpoint import CONFIG, RUN, about, load_net, weights_step
from training.run.metrics_file import METRICS

_ABOUT = ("dataset", "commit", "machine")


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/export``."""
    options = argparse.ArgumentParser(prog="export", description="Turn a training run into a verified ONNX net.")
    options.add_argument("run", type=Path, help="the run's folder, made by bin/train")
    options.add_argument("--out", type=Path, required=True, help="the net to write, e.g. models/mine.onnx")
    options.add_argument("--name", help="the net's name (default: the file's)")
    options.add_argument(
        "--store", type=Path, help="verify on games of this token store, held-out ones first (default: random games)"
    )
    options.add_argument("--games", type=int, default=GAMES, help="games to verify on, at least (default: %(default)s)")
    options.add_argument("--int8", action="store_true", help="also write NET.int8.onnx: a quarter of the size")
    options.add_argument("--fp16", action="store_true", help="also write NET.fp16.onnx: half the size, for CUDA")
    options.add_argument(
        "--match",
        type=int,
        default=MATCH_GAMES,
        help="games of int8 against fp32 that it must not lose; 0 = none (default: %(default)s)",
    )
    options.add_argument("--rating", type=int, default=0, help="rating that play is conditioned on by default; 0 = unknown")
    options.add_argument(
        "--scale",
        choices=[scale.name.lower() for scale in Scale],
        help="rating list of that rating and of UCI_Elo (default: of most games in --store)",
    )
    return options


def main(argv: list[str] | None = None) -> int:
    """Export and verify; returns the exit status."""
    arguments = parser().parse_args(argv)
    return run_command("export", lambda: _export(arguments))


def _export(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out
    if out.suffix != ".onnx":
        raise ConfigError(f"expected --out to end in .onnx, got {out}")
    if arguments.games < 1:
        raise ConfigError(f"expected --games 1 or more, got {arguments.games}")
    if arguments.match and arguments.match < FEWEST_GAMES:
        raise ConfigError(f"expected --match 0, or {FEWEST_GAMES} games or more to decide anything, got {arguments.match}")
    net, config = load_net(arguments.run)
    spec = PackageSpec(
        name=arguments.name or out.stem,
        run=arguments.run.name,
        twins=[precision for precision in TWINS if getattr(arguments, precision)],
        match_games=arguments.match,
        threads=cores(),
        training=training_summary(arguments.run),
        play={"rating": arguments.rating, "scale": _scale(arguments.scale, arguments.store)},
    )
    print(f"exporting {arguments.run}", file=sys.stderr)
    games = _games(arguments.store, count=arguments.games, blind=config.model.board_input == "none")
    for path in package(net, out, spec, games=games):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB" if path.suffix == ".onnx" else path)


def _scale(name: str | None, store: Path | None) -> int:
    """By its name, else that of most games of the store."""
    if name:
        return int(Scale[name.upper()])
    return open_store(store).scale() if store else int(Scale.UNKNOWN)


def _games(store: Path | None, *, count: int, blind: bool) -> list[Transcript]:
    """What the proof is made on: games of the store, else random ones."""
    if store is None:
        return random_games(count, plies=120, seed=1)
    return of_store(store, games=count, positions=POSITIONS, blind=blind)


def training_summary(run: Path) -> dict[str, Any]:
    """What the net's metadata says about its training: data set, commit, the weights it began with where they were not random,
    settings and the last validation line."""
    facts = about(run)
    missing = [key for key in _ABOUT if key not in facts]
    if missing:
        value = {} if missing[0] == "dataset" else "unknown"
        raise ConfigError(
            f"expected {' and '.join(missing)} in {run / RUN}, found none; put it back as it was, or add "
            f"{json.dumps({missing[0]: value})[1:-1]}"
        )
    try:
        lines = metrics_file.read(run)
    except DataError as error:
        raise ConfigError(f"expected a training run with {RUN} and {METRICS} at {run}: {error}") from error
    validations = [line for line in lines if line["kind"] == "validation"]
    last = {k: v for k, v in validations[-1].items() if k != "kind"} if validations else {}
    if "mixed" in facts:  # the lines are those of the run's end, and not of this net
        last = {k: v for k, v in last.items() if not k.startswith("validation_")}
    last |= _weights_progress(run, lines)
    settings = to_dict(load_config(run / CONFIG))
    began: dict[str, Any] = {key: facts[key] for key in ("init", "mixed") if key in facts}
    known = {key: facts[key] for key in _ABOUT}
    return {**known, **began, "config": settings, **last}


def _weights_progress(run: Path, lines: list[metrics_file.Record]) -> dict[str, Any]:
    """Step, plies and minutes of the weights, which are newer than the last validation where a run was stopped or goes on."""
    step = weights_step(run)
    until = [line for line in lines if step is not None and line["step"] <= step]
    return {key: until[-1][key] for key in ("step", "plies", "minutes") if key in until[-1]} if until else {}


if __name__ == "__main__":
    sys.exit(main())
