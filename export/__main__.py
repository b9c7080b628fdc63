"""The command line of export: a run's folder in, a verified ONNX net out.

Knows arguments and what belongs beside a net. Does not know the graph or the proof.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ConfigError, TranscendenceError
from export.card import card
from export.graph import export_graph
from export.quantize import check, compare, quantize
from export.verify import random_games, verify
from training.checkpoint import CONFIG, METRICS, RUN, load_net, replace_text
from training.config import ModelConfig, load_config, to_dict
from training.store import is_validation, open_store


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/export``."""
    options = argparse.ArgumentParser(prog="export", description="Turn a training run into a verified ONNX net.")
    options.add_argument("run", type=Path, help="the run's folder, made by bin/train")
    options.add_argument("--out", type=Path, required=True, help="the net to write, e.g. models/mine.onnx")
    options.add_argument("--name", help="the net's name (default: the file's)")
    options.add_argument("--store", type=Path, help="verify on this token store's held-out games (default: random games)")
    options.add_argument("--games", type=int, default=50, help="games to verify on (default: 50)")
    options.add_argument("--int8", action="store_true", help="also write NET.int8.onnx, if it passes the gate")
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
    out: Path = arguments.out
    if out.suffix != ".onnx":
        raise ConfigError(f"expected --out to end in .onnx, got {out}")
    net, config = load_net(arguments.run)
    games = _games(arguments)
    out.parent.mkdir(parents=True, exist_ok=True)
    print(f"exporting {arguments.run}", file=sys.stderr)
    report: dict[str, Any] = {"net": arguments.name or out.stem, "run": arguments.run.name}
    play = {"rating": arguments.rating, "scale": arguments.scale}
    with _candidate(out) as candidate:
        export_graph(net, candidate, name=report["net"], training=training_summary(arguments.run), play=play)
        found = verify(net, candidate, games=games)
        os.replace(candidate, out)
    report["torch and ONNX, largest logit difference"] = dataclasses.asdict(found)
    print(f"{out}: {_megabytes(out)}, torch = ONNX within {found.worst:.1e} on {found.positions} positions")
    if arguments.int8:
        report["int8 and fp32"] = _export_int8(out, config.model, games)
    replace_text(out.with_suffix(".verified.json"), json.dumps(report, indent=1) + "\n")
    replace_text(out.with_suffix(".md"), card(out))


def _export_int8(fp32: Path, config: ModelConfig, games: list[NDArray[np.uint16]]) -> dict[str, Any]:
    out = fp32.with_suffix(".int8.onnx")
    with _candidate(out) as candidate:
        quantize(fp32, candidate)
        found = compare(fp32, candidate, config=config, games=games)
        check(found, out)
        os.replace(candidate, out)
    print(
        f"{out}: {_megabytes(out)}, move loss {found.move_nll_int8 - found.move_nll_fp32:+.4f} nats, "
        f"same best move in {found.top1_agreement:.1%} of {found.positions} positions"
    )
    return dataclasses.asdict(found)


@contextlib.contextmanager
def _candidate(out: Path) -> Iterator[Path]:
    """A name beside ``out`` for a net that is not proven yet; whatever is left there goes."""
    candidate = out.with_name(f".candidate-{out.name}")
    try:
        yield candidate
    finally:
        candidate.unlink(missing_ok=True)


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def _games(arguments: argparse.Namespace) -> list[NDArray[np.uint16]]:
    if arguments.store is None:
        return random_games(arguments.games, plies=120, seed=1)
    games: list[NDArray[np.uint16]] = []
    for shard in open_store(arguments.store).shards:
        for g in np.flatnonzero(is_validation(shard.games["key"]) & (shard.games["start"] < 0)):
            if len(games) == arguments.games:
                return games
            games.append(np.asarray(shard.moves[shard.offsets[g] : shard.offsets[g + 1]]))
    return games


def training_summary(run: Path) -> dict[str, Any]:
    """What the net's metadata says about its training: data set, commit and the last validation line."""
    try:
        facts = json.loads((run / RUN).read_text(encoding="utf-8"))
        lines = (run / METRICS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"expected a training run with {RUN} and {METRICS} at {run}: {error}") from error
    validations = [line for line in map(json.loads, lines) if line["kind"] == "validation"]
    last = {k: v for k, v in validations[-1].items() if k != "kind"} if validations else {}
    told = to_dict(load_config(run / CONFIG))
    settings = {section: told[section] for section in ("data", "optimizer", "run")}
    return {"dataset": facts["dataset"], "commit": facts["commit"], "machine": facts["machine"], "config": settings, **last}


if __name__ == "__main__":
    sys.exit(main())
