"""Options that several commands of ``bin/match`` share: words of the command line become values here, and nowhere else.

Knows defaults, ranges and help texts. Does not know what a command does with them.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.encoding import Scale
from engine.errors import MatchError
from engine.machine import cores, worker_processes
from match.play import openings
from match.play.game import Rules
from match.players.stockfish import LEVEL_ANCHORS


@dataclass(frozen=True)
class NetOptions:
    """How nets play, whichever they are."""

    threads: int = 1
    """Of the CPU."""
    device: str = "cpu"
    take_mate: bool = False
    avoid_repetition: bool = True
    rating: int | None = None
    """That nets are conditioned on; 0 = unknown, None = each net's own."""
    scale: int | None = None
    """Of that rating."""
    workers: int = 1
    """Engine games in parallel."""
    seed: int = 1


@dataclass(frozen=True)
class MatchOptions:
    """How a match is played and where it is kept."""

    games: int
    openings: str
    out: Path
    at_once: int
    """Games that a net plays side by side."""
    rules: Rules
    page: bool
    """Whether plots and a page are made at the end."""
    nets: NetOptions

    @property
    def seed(self) -> int:
        """Of openings, order and players."""
        return self.nets.seed

    @property
    def workers(self) -> int:
        """Engine games in parallel."""
        return self.nets.workers


def add_match_options(options: argparse.ArgumentParser, *, games: int, each: str) -> None:
    """Options of every command that plays a match; ``each`` says what ``--games`` counts."""
    options.add_argument("--games", type=int, default=games, help=f"{each} (default: %(default)s)")
    options.add_argument(
        "--openings",
        default=str(openings.BOOK),
        help="PGN, EPD, a file of UCI lines, start, random:PLIES or endgame:KQvK (default: own book)",
    )
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, help="folder for results; a match found there is resumed (default: a new one)")
    options.add_argument("--workers", type=workers, default=cores(), help="engine games in parallel (default: all cores)")
    options.add_argument("--at-once", type=positive, default=64, help="games that a net plays side by side (default: 64)")
    add_net_options(options)
    options.add_argument("--most-moves", type=positive, default=300, help="then it is a draw (the paper: 89; default: 300)")
    options.add_argument(
        "--adjudicate",
        type=count,
        default=0,
        metavar="POINTS",
        help="material lead that wins after ten plies (default: play on)",
    )
    options.add_argument("--no-page", action="store_true", help="no plots and no HTML page at the end")


def match_options(arguments: argparse.Namespace) -> MatchOptions:
    """Raises MatchError for a match without games."""
    if arguments.games < 1:
        raise MatchError(f"expected --games of at least 1, got {arguments.games}")
    return MatchOptions(
        arguments.games,
        str(arguments.openings),
        arguments.out or Path("runs") / f"match-{time.strftime('%Y%m%d-%H%M%S')}",
        arguments.at_once,
        Rules(2 * arguments.most_moves, arguments.adjudicate),
        not arguments.no_page,
        net_options(arguments),
    )


def add_net_options(options: argparse.ArgumentParser) -> None:
    """Options of every command that opens a net."""
    options.add_argument("--threads", type=positive, default=1, help="CPU threads of the net")
    options.add_argument("--device", choices=("cpu", "cuda", "auto"), default="cpu", help="where the net runs")
    options.add_argument(
        "--take-mate", action="store_true", help="nets play a mate in one wherever there is one, as the engine does by default"
    )
    options.add_argument(
        "--may-repeat",
        action="store_true",
        help="nets that stand better do not avoid repetitions, as the engine does by default",
    )
    options.add_argument("--rating", type=int, help="that the net is conditioned on; 0 = unknown (default: the net's own)")
    options.add_argument("--scale", choices=[s.name.lower() for s in Scale], help="of that rating (default: the net's own)")


def net_options(arguments: argparse.Namespace) -> NetOptions:
    """Of a command with ``--seed`` and ``--workers``."""
    return NetOptions(
        threads=arguments.threads,
        device=arguments.device,
        take_mate=arguments.take_mate,
        avoid_repetition=not arguments.may_repeat,
        rating=arguments.rating,
        scale=None if arguments.scale is None else int(Scale[arguments.scale.upper()]),
        workers=arguments.workers,
        seed=arguments.seed,
    )


def add_study_options(options: argparse.ArgumentParser) -> None:
    """Options of every command that looks into one net's choices."""
    options.add_argument("--net", help="the net, an .onnx file (default: the one that ships)")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--workers", type=workers, default=cores(), help="engine games in parallel (default: all cores)")
    add_net_options(options)


def add_anchor_options(options: argparse.ArgumentParser) -> None:
    """Options of every command that rates games played earlier."""
    options.add_argument("--anchor", action="append", default=[], metavar="NAME=ELO", help="a player whose rating is known")
    options.add_argument("--no-anchors", action="store_true", help="leave out Stockfish's own table: the pool's mean is 0")


def anchors_of(arguments: argparse.Namespace) -> dict[str, float]:
    """Fixed ratings by name. Raises MatchError for one that is no number."""
    chosen = {} if arguments.no_anchors else dict(LEVEL_ANCHORS)
    for text in arguments.anchor:
        name, _, elo = text.rpartition("=")
        try:
            chosen[name] = float(elo)
        except ValueError:
            raise MatchError(f"expected --anchor NAME=ELO, got {text!r}") from None
        if not math.isfinite(chosen[name]):
            raise MatchError(f"expected a number of Elo in --anchor NAME=ELO, got {text!r}")
    return chosen


def add_number_options(options: argparse.ArgumentParser) -> None:
    """Options of every command that writes its numbers for other programs."""
    options.add_argument("--json", type=Path, help="also write all numbers there")
    options.add_argument("--note", action="append", default=[], metavar="NAME=VALUE", help="kept with the numbers")
    add_anchor_options(options)


def notes_of(texts: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE by name."""
    return {name: value for name, _, value in (text.partition("=") for text in texts)}


def positive(text: str) -> int:
    """For argparse: a whole number of 1 or more."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def workers(text: str) -> int:
    """For argparse: a number of processes that this system can start."""
    return worker_processes(positive(text))


def count(text: str) -> int:
    """For argparse: a whole number of 0 or more."""
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number
