"""``match anchors`` and ``match equality``: Stockfish's levels against each other, and by depth against by time.

Knows what Stockfish says of its levels. Does not know how games are played or rated.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from engine.errors import MatchError
from match.commands.common import factory_of, run_match
from match.options import add_match_options, match_options
from match.play.schedule import round_robin
from match.players.interface import Player
from match.players.population import distinct
from match.players.stockfish import SKILL_LEVEL_ELO, level_name, stockfish_level
from match.report import tables
from match.statistics.ratings import rate
from match.statistics.scores import Score, difference, pentanomial

_LEVELS = [0, 1, 2, 3, 4, 5]


def add_anchors_options(options: argparse.ArgumentParser) -> None:
    """The options of ``anchors``."""
    options.add_argument("--levels", type=int, nargs="+", default=_LEVELS)
    add_match_options(options, games=200, each="a pairing")


def add_equality_options(options: argparse.ArgumentParser) -> None:
    """The options of ``equality``."""
    options.add_argument("--levels", type=int, nargs="+", default=_LEVELS)
    options.add_argument("--movetime", type=int, default=100, help="milliseconds a move (default: %(default)s)")
    add_match_options(options, games=200, each="a level")


def anchors(arguments: argparse.Namespace) -> None:
    """``anchors``: Stockfish's levels against each other, our ratings beside Stockfish's own."""
    options = match_options(arguments)
    factory = factory_of(options.nets)
    players = distinct([factory.at_board(stockfish_level(level)) for level in arguments.levels])
    if len(players) < 2:
        raise MatchError("expected at least two --levels")
    run_match(options, players, round_robin(list(players)), list(players), anchors={}, extra=beside_table)


def beside_table(games: Sequence[Score]) -> str:
    """Ratings of Stockfish's levels from their games alone, moved to the mean of Stockfish's table, beside that table."""
    its_own = {level_name(level): elo for level, elo in SKILL_LEVEL_ELO.items()}
    ratings = [r for r in rate(games, {}) if r.name in its_own]
    shift = sum(its_own[r.name] - r.elo for r in ratings) / len(ratings)
    lines = [f"{'level':26}  {'ours':>5}  {'95 % interval':15}  {'Stockfish':>9}  {'difference':>10}"]
    for r in sorted(ratings, key=lambda r: its_own[r.name]):
        own, span = r.elo + shift, f"{r.low + shift:.0f} to {r.high + shift:.0f}"
        lines.append(f"{r.name:26}  {own:5.0f}  {span:15}  {its_own[r.name]:9.0f}  {own - its_own[r.name]:+10.0f}")
    return "\n".join(["The levels among themselves, moved to the mean of Stockfish's own table:", *lines])


def equality(arguments: argparse.Namespace) -> None:
    """``equality``: each level by depth against the same level by time."""
    options = match_options(arguments)
    factory = factory_of(options.nets)
    pairings: list[tuple[str, str]] = []
    players: list[Player] = []
    known: dict[str, float] = {}
    for level in arguments.levels:
        fast, slow = stockfish_level(level), stockfish_level(level, limit=f"movetime={arguments.movetime}")
        players += [factory.at_board(fast), factory.at_board(slow)]
        pairings.append((fast.name, slow.name))
        if slow.anchor is not None:  # the levels by depth are what is asked about
            known[slow.name] = slow.anchor

    def summary(games: Sequence[Score]) -> str:
        counts = [pentanomial([s for s in games if {s.white, s.black} == {a, b}], a) for a, b in pairings]
        lines = [tables.head_to_head(a, b, difference(c.tolist())) for (a, b), c in zip(pairings, counts, strict=True)]
        pooled = difference(np.sum(counts, axis=0).tolist())
        return "\n".join([*lines, tables.head_to_head("all by depth", "all by time", pooled)])

    run_match(options, distinct(players), pairings, [a for a, _ in pairings], anchors=known, extra=summary)
