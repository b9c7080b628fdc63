"""This engine in a tournament that cutechess-cli or fastchess runs: the same question put to someone else's arbiter.

Knows both programs' command lines, and rates the PGN that they leave. Does not play a game itself.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import chess

from engine.errors import MatchError
from engine.machine import cores
from engine.net import find_net
from match.options import positive, workers
from match.play import openings
from match.play.game import Played
from match.players.client import resolve
from match.players.stockfish import LEVEL_ANCHORS, level_name
from match.report import finish, pgn

RUNNERS = ("cutechess-cli", "fastchess")

_ROOT = Path(__file__).resolve().parents[2]
_CLOCK = "300+1"  # nobody needs it: Stockfish stops at its depth and the net never thinks long; without one, go is infinite
_INSTALL = (
    "install one of them: cutechess (github.com/cutechess/cutechess, or your distribution's package) or fastchess "
    "(github.com/Disservin/fastchess), and put it on the PATH or name it with --runner; match sweep needs neither"
)


@dataclass(frozen=True)
class Gauntlet:
    """A gauntlet: each temperature against each Stockfish level."""

    net: Path
    temperatures: tuple[float, ...]
    levels: tuple[int, ...]
    games: int
    """A temperature and level, even."""
    openings: Path
    """PGN."""
    pgn: Path
    concurrency: int
    seed: int


def add_options(options: argparse.ArgumentParser) -> None:
    """The options of ``match tournament``."""
    options.add_argument("--runner", help="cutechess-cli or fastchess, or a path to one (default: the one that is found)")
    options.add_argument("--net", help="the net, an .onnx file (default: the one that ships)")
    options.add_argument(
        "--temperature", type=float, action="append", help="several are several players (default: 0.001 0.5 1)"
    )
    options.add_argument("--levels", type=int, nargs="+", default=[0, 1, 2], help="Stockfish Skill Levels (default: 0 1 2)")
    options.add_argument("--games", type=positive, default=20, help="a temperature and level (default: 20)")
    options.add_argument("--openings", default=str(openings.BOOK), help="PGN, EPD or a file of UCI lines (default: own book)")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--workers", type=workers, default=cores(), help="games at a time (default: all cores)")
    options.add_argument("--out", type=Path, help="folder for the PGN and the table (default: a new one)")
    options.add_argument("--dry-run", action="store_true", help="print the runner's command, start nothing")


def run(arguments: argparse.Namespace) -> None:
    """Run the tournament and rate its games. Raises MatchError when no runner is installed, or when it fails."""
    runner = find_runner(arguments.runner)
    out: Path = arguments.out or Path("runs") / f"tournament-{time.strftime('%Y%m%d-%H%M%S')}"
    out.mkdir(parents=True, exist_ok=True)
    plan = Gauntlet(
        find_net(arguments.net).absolute(),
        tuple(dict.fromkeys(arguments.temperature or [0.001, 0.5, 1.0])),
        tuple(arguments.levels),
        2 * -(-arguments.games // 2),
        (out / "openings.pgn").absolute(),
        (out / "games.pgn").absolute(),
        arguments.workers,
        arguments.seed,
    )
    _write_openings(arguments.openings, plan)
    words = command(runner, plan)
    if arguments.dry_run:
        print(shlex.join(words))
        return
    if plan.pgn.exists():
        raise MatchError(f"{plan.pgn} exists: {Path(runner).stem} would add to it; give --out another folder, or remove it")
    _play(words, out)
    text = finish.rated_text(pgn.read_pgn(plan.pgn), LEVEL_ANCHORS)
    (out / "table.txt").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}\n\ngames: {plan.pgn}")


def find_runner(wanted: str | None) -> str:
    """The program to run. Raises MatchError, saying where to get one, when there is none."""
    for name in [wanted] if wanted else RUNNERS:
        path = shutil.which(name)
        if path:
            return str(Path(path).absolute())
    raise MatchError(f"expected {wanted or ' or '.join(RUNNERS)}, found no such program; {_INSTALL}")


def command(runner: str, plan: Gauntlet) -> list[str]:
    """The runner's command line."""
    fast = "fastchess" in Path(runner).stem.lower()
    words = [runner]
    for temperature in plan.temperatures:
        words += _our_engine(plan, temperature, fast=fast)
    for level in plan.levels:
        words += [
            "-engine",
            f"name={level_name(level)}",
            f"cmd={resolve(['stockfish'])[0]}",
            "proto=uci",
            f"depth={level + 1}",
            f"option.Skill Level={level}",
            "option.Hash=16",
        ]
    words += ["-each", f"tc={_CLOCK}", "-tournament", "gauntlet", "-seeds", str(len(plan.temperatures))]
    words += ["-games", "2", "-rounds", str(plan.games // 2), "-repeat"]
    words += ["-openings", f"file={plan.openings}", "format=pgn", "order=random", "-srand", str(plan.seed)]
    words += ["-maxmoves", "300", "-recover", "-concurrency", str(plan.concurrency)]
    return [*words, "-pgnout", f"file={plan.pgn}" if fast else str(plan.pgn)]


def _our_engine(plan: Gauntlet, temperature: float, *, fast: bool) -> list[str]:
    words = ["-P", "-m", "engine"]
    arguments = [f"args={shlex.join(words)}"] if fast else [f"arg={word}" for word in words]
    return [
        "-engine",
        f"name={plan.net.stem} T={temperature:g}",
        f"cmd={sys.executable}",
        *arguments,
        "proto=uci",
        f"option.Model={plan.net}",
        f"option.Temperature={temperature:g}",
    ]


def _write_openings(chosen: str, plan: Gauntlet) -> None:
    book = openings.choose_openings(chosen, pairs=plan.games // 2, seed=plan.seed)
    games = [Played(i, "?", "?", o.name, "", "*", "", o.fen, " ".join(o.moves), len(o.moves)) for i, o in enumerate(book)]
    if all(not game.moves and game.fen == chess.STARTING_FEN for game in games):
        raise MatchError("expected openings with moves or positions: from the initial position games would repeat themselves")
    pgn.write_pgn(games, plan.openings, event="openings")


def _play(words: Sequence[str], out: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))}
    try:
        status = subprocess.run(words, cwd=out, env=environment, check=False).returncode
    except OSError as error:
        raise MatchError(f"cannot start {words[0]}: {error.strerror or error}") from None
    if status != 0:
        raise MatchError(
            f"{words[0]} ended with status {status}; its own words above say why. Its command: {shlex.join(words)}"
        )
