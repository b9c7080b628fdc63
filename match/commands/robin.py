"""``match robin`` and ``match generate``: everyone against everyone.

Knows how many games each pairing plays. Does not know how games are played or rated.
"""

from __future__ import annotations

import argparse
import math

from match.commands.common import named_players, run_match
from match.options import add_match_options, match_options
from match.play.schedule import round_robin
from match.players.population import FORMS


def add_options(options: argparse.ArgumentParser, *, games: int, each: str) -> None:
    """The options of both commands, with the defaults of one."""
    options.add_argument("player", nargs="+", help=FORMS)
    add_match_options(options, games=games, each=each)


def robin(arguments: argparse.Namespace) -> None:
    """``robin``: so many games a pairing."""
    options = match_options(arguments)
    players = named_players(arguments.player, options.nets)
    run_match(options, players, round_robin(list(players)), list(players))


def generate(arguments: argparse.Namespace) -> None:
    """``generate``: so many games in all, each two players with openings of their own."""
    options = match_options(arguments)
    players = named_players(arguments.player, options.nets)
    pairings = round_robin(list(players))
    games = 2 * math.ceil(options.games / len(pairings) / 2)
    run_match(options, players, pairings, list(players), games=games, shared_openings=False)
