"""``match`` and ``match sweep``: our net at some temperatures, with or without a search, against Stockfish levels and others.

Knows who plays whom. Does not know how games are played or rated.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from engine.net import find_net
from match.commands.common import factory_of, run_match
from match.options import MatchOptions, add_match_options, match_options, positive
from match.play.schedule import SWEEP_TEMPERATURES, gauntlet, round_robin
from match.players.client import INSTALL_STOCKFISH, find_stockfish
from match.players.interface import Player
from match.players.net import NetPlayer
from match.players.population import FORMS, PlayerFactory, distinct
from match.players.stockfish import stockfish_level

_TEMPERATURE = 0.001
_WITHOUT_STOCKFISH = ("random", "greedy", "sampled")


@dataclass(frozen=True)
class LadderOptions:
    """Whom our net meets."""

    match: MatchOptions
    net: str | None
    temperatures: tuple[float, ...]
    nodes: tuple[int, ...]
    """Evaluations a move; 1 = no search."""
    levels: tuple[int, ...]
    """Stockfish Skill Levels."""
    clock_ms: int | None
    """A move of those levels; None = by depth."""
    opponents: tuple[str, ...]
    builtin: tuple[str, ...]
    opponents_meet: bool


def add_options(options: argparse.ArgumentParser, *, levels: list[int], games: int) -> None:
    """The options of both commands, with the defaults of one."""
    options.add_argument("--net", help="the net, an .onnx file (default: the one that ships)")
    options.add_argument("--temperature", type=float, action="append", help="several make a sweep")
    options.add_argument(
        "--nodes",
        type=positive,
        action="append",
        help="evaluations a move; from 2 on a search; several make a curve (default: 1)",
    )
    options.add_argument("--levels", type=int, nargs="*", default=levels, help="Stockfish Skill Levels (default: %(default)s)")
    options.add_argument(
        "--clock", type=positive, metavar="MS", help="milliseconds a move of those levels (default: none, by depth level + 1)"
    )
    options.add_argument("--opponent", action="append", default=[], metavar="PLAYER", help=f"another opponent: {FORMS}")
    options.add_argument(
        "--builtin",
        nargs="*",
        choices=("random", "greedy", "sampled"),
        help="random mover, greedy capturer, the net at temperature 1 (default: random; all of them without Stockfish)",
    )
    options.add_argument(
        "--opponents-meet", action="store_true", help="opponents play each other too, which ties their ratings"
    )
    add_match_options(options, games=games, each="a temperature and opponent")


def play(arguments: argparse.Namespace) -> None:
    """``play``: at one temperature, if no others are named."""
    run(_options(arguments, temperatures=(_TEMPERATURE,)))


def sweep(arguments: argparse.Namespace) -> None:
    """``sweep``: at the paper's temperatures."""
    run(_options(arguments, temperatures=SWEEP_TEMPERATURES))


def _options(arguments: argparse.Namespace, *, temperatures: tuple[float, ...]) -> LadderOptions:
    return LadderOptions(
        match_options(arguments),
        arguments.net,
        tuple(dict.fromkeys(arguments.temperature or temperatures)),
        tuple(dict.fromkeys(arguments.nodes or [1])),
        tuple(arguments.levels),
        arguments.clock,
        tuple(arguments.opponent),
        ("random",) if arguments.builtin is None else tuple(arguments.builtin),
        arguments.opponents_meet,
    )


def run(options: LadderOptions) -> None:
    """Play the ladder and report."""
    factory = factory_of(options.match.nets)
    heroes = [factory.net_or_search(options.net, t, nodes=n) for n in options.nodes for t in options.temperatures]
    _introduce(factory.net(options.net, options.temperatures[0]))
    players = distinct([*heroes, *_opponents(options, factory)])
    names = [hero.name for hero in heroes]
    others = [name for name in players if name not in names]
    pairings = gauntlet(names, others) + (round_robin(others) if options.opponents_meet else [])
    run_match(options.match, players, pairings, names)


def _introduce(hero: NetPlayer) -> None:
    info = hero.evaluator.net.info
    rating = f"conditioned on rating {hero.rating}" if hero.rating else "not conditioned on a rating"
    print(f"net {info.name} ({info.precision}, {info.device}), {rating}", file=sys.stderr)


def _opponents(options: LadderOptions, factory: PlayerFactory) -> list[Player]:
    players: list[Player] = []
    builtin = options.builtin
    if find_stockfish():
        limit = f"movetime={options.clock_ms}" if options.clock_ms else None
        players += [factory.at_board(stockfish_level(level, limit=limit)) for level in options.levels]
    elif options.levels:
        print(f"No Stockfish found. {INSTALL_STOCKFISH}. Until then the built-in players stand in.", file=sys.stderr)
        builtin = _WITHOUT_STOCKFISH
    for text in options.opponents:
        players += factory.players(text)
    for name in builtin:
        if name == "sampled":
            players.append(factory.net(options.net, 1.0, name=f"{Path(find_net(options.net)).stem} sampled"))
        else:
            players += factory.players(name)
    return players
