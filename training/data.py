"""The command line of data: ``ingest`` games into a token store, ``inspect`` one.

Knows arguments and tables for people. Does not know formats.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from engine.encoding import Scale
from engine.errors import DataError, TranscendenceError
from training.ingest import Filters, ingest
from training.store import RESULTS, TIME_CLASSES, Store, is_validation, open_store


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/data``."""
    options = argparse.ArgumentParser(prog="data", description="Games in, token store out.")
    commands = options.add_subparsers(dest="command", required=True)
    reading = commands.add_parser("ingest", help="make a store from PGN (plain, .zst, .gz, .bz2, folders) or .tsv")
    reading.add_argument("games", type=Path, nargs="+")
    reading.add_argument("--out", type=Path, required=True, help="the store's folder, a new one")
    reading.add_argument("--max-rating", type=int, default=0, help="no player above this (the paper: 1000, 1300, 1500)")
    reading.add_argument("--min-rating", type=int, default=0, help="no player below this")
    reading.add_argument("--min-plies", type=int, default=2)
    reading.add_argument("--time-class", action="append", default=[], choices=TIME_CLASSES, help="only these; may be repeated")
    reading.add_argument("--standard-start", action="store_true", help="only games from the initial position")
    reading.add_argument(
        "--scale", action="append", default=[], metavar="SOURCE=SCALE", help="rating scale of a source: lichess, chesscom, fide"
    )
    looking = commands.add_parser("inspect", help="what is in a store")
    looking.add_argument("store", type=Path)
    return options


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    arguments = parser().parse_args(argv)
    try:
        if arguments.command == "ingest":
            _ingest(arguments)
        else:
            print(describe(open_store(arguments.store)))
    except TranscendenceError as error:
        print(f"data: {error}", file=sys.stderr)
        return 2
    return 0


def _ingest(arguments: argparse.Namespace) -> None:
    filters = Filters(
        max_rating=arguments.max_rating, min_rating=arguments.min_rating, min_plies=arguments.min_plies,
        time_classes=tuple(arguments.time_class), standard_start=arguments.standard_start,
    )  # fmt: skip
    report = ingest(arguments.games, arguments.out, filters=filters, scales=dict(_scale(text) for text in arguments.scale))
    print(f"{arguments.out}: {report.text()}")


def _scale(text: str) -> tuple[str, Scale]:
    source, _, name = text.rpartition("=")
    if not source or name.upper() not in Scale.__members__:
        known = ", ".join(scale.name.lower() for scale in Scale)
        raise DataError(f"expected --scale SOURCE=SCALE with a scale of {known}, got {text!r}")
    return source, Scale[name.upper()]


def describe(store: Store) -> str:
    """Games, plies, lengths, results, ratings and splits, as lines for people."""
    games = np.concatenate([np.asarray(shard.games) for shard in store.shards])
    plies = np.concatenate([np.diff(shard.offsets) for shard in store.shards])
    if not len(games):
        return f"{store.path}: no games"
    held_out = int(is_validation(games["key"]).sum())
    highest = np.maximum(games["white_elo"], games["black_elo"])
    results = [f"{name} {int((games['result'] == i).sum()):,}" for i, name in enumerate(RESULTS)]
    lines = [
        f"{store.path}: {len(games):,} games ({held_out:,} held out for validation), {store.plies:,} plies, "
        f"{len(store.shards)} shard(s), fingerprint {store.fingerprint()}",
        f"plies a game: median {int(np.median(plies))}, from {plies.min()} to {plies.max()}",
        f"results: {', '.join(results)}",
        f"starts other than the initial position: {int((games['start'] >= 0).sum()):,}",
        "by the higher rating:",
        f"  {'unknown':>11}  {int((highest == 0).sum()):>9,}",
    ]
    for low in range(0, 3000, 200):
        count = int(((highest >= max(low, 1)) & (highest < low + 200)).sum())
        if count:
            lines.append(f"  {low:>5}-{low + 199:<5}  {count:>9,}")
    lines += [f"left out when made: {count:,} {reason}" for reason, count in store.meta.get("rejects", {}).items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
