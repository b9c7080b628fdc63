"""The command line of export: a run's folder in, a verified ONNX net out.

Knows arguments and what belongs beside a net. Does not know the graph or the proof.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, TranscendenceError
from export.graph import export_graph
from export.verify import random_games, verify
from training.checkpoint import METRICS, RUN, load_net
from training.store import open_store


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/export``."""
    options = argparse.ArgumentParser(prog="export", description="Turn a training run into a verified ONNX net.")
    options.add_argument("run", type=Path, help="the run's folder, made by bin/train")
    options.add_argument("--out", type=Path, required=True, help="the net to write, e.g. models/mine.onnx")
    options.add_argument("--name", help="the net's name (default: the file's)")
    options.add_argument("--store", type=Path, help="verify on games of this token store (default: random games)")
    options.add_argument("--games", type=int, default=8, help="games to verify on (default: 8, some 600 positions)")
    options.add_argument("--rating", type=int, default=0, help="rating that play is conditioned on by default; 0 = unknown")
    options.add_argument("--scale", type=int, default=0, help="that rating's scale: 1 lichess, 2 chess.com, 3 fide, 4 engine")
    return options


def main(argv: list[str] | None = None) -> int:
    """Export and verify; returns the exit status."""
    arguments = parser().parse_args(argv)
    try:
        _export(arguments)
    except TranscendenceError as error:
        print(f"export: {error}", file=sys.stderr)
        return 2
    return 0


def _export(arguments: argparse.Namespace) -> None:
    if arguments.out.suffix != ".onnx":
        raise ConfigError(f"expected --out to end in .onnx, got {arguments.out}")
    games = _games(arguments)
    net, _ = load_net(arguments.run)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    candidate = arguments.out.with_name(arguments.out.stem + ".candidate.onnx")
    print(f"exporting {arguments.run} …", file=sys.stderr)
    try:
        export_graph(
            net, candidate, name=arguments.name or arguments.out.stem, training=training_summary(arguments.run),
            play={"rating": arguments.rating, "scale": arguments.scale},
        )  # fmt: skip
        found = verify(net, candidate, games=games)
        os.replace(candidate, arguments.out)
    finally:
        candidate.unlink(missing_ok=True)
    size_mb = arguments.out.stat().st_size / 1e6
    print(f"{arguments.out}: {size_mb:.1f} MB, torch = ONNX on {found.positions} positions of {found.games} games")
    print(json.dumps({"largest logit difference": dataclasses.asdict(found)}))


def _games(arguments: argparse.Namespace) -> list[NDArray[np.uint16]]:
    if arguments.store is None:
        return random_games(arguments.games, plies=120, seed=1)
    shard = open_store(arguments.store).shards[0]
    whole = [g for g in range(len(shard.games)) if shard.games["start"][g] < 0][: arguments.games]
    return [np.asarray(shard.moves[shard.offsets[g] : shard.offsets[g + 1]]) for g in whole]


def training_summary(run: Path) -> dict[str, Any]:
    """What the net's metadata says about its training: data set, commit and the last validation line."""
    try:
        facts = json.loads((run / RUN).read_text(encoding="utf-8"))
        lines = (run / METRICS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"expected a training run with {RUN} and {METRICS} at {run}: {error}") from error
    validations = [line for line in map(json.loads, lines) if line["kind"] == "validation"]
    last = {k: v for k, v in validations[-1].items() if k != "kind"} if validations else {}
    return {"dataset": facts["dataset"], "commit": facts["commit"], **last}


if __name__ == "__main__":
    sys.exit(main())
