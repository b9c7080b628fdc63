"""``match versus``: two players, and whether one is stronger; with ``--sprt`` until that is decided.

Knows what is said of the games so far and when they suffice. Does not know the statistics (``match.statistics``).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from engine.errors import MatchError
from match.commands.common import factory_of, run_match
from match.options import add_match_options, match_options
from match.players.population import FORMS, distinct
from match.report import tables
from match.statistics.scores import Score, difference, pentanomial
from match.statistics.sprt import Sprt


def add_options(options: argparse.ArgumentParser) -> None:
    """The options of the command."""
    options.add_argument("a", help=FORMS)
    options.add_argument("b", help="the same")
    options.add_argument("--sprt", action="store_true", help="stop as soon as the test decides")
    options.add_argument("--elo0", type=float, default=0.0, help="not stronger (default: %(default)s)")
    options.add_argument("--elo1", type=float, default=20.0, help="stronger (default: %(default)s)")
    options.add_argument("--alpha", type=float, default=0.05, help="error rate if elo0 is true (default: %(default)s)")
    options.add_argument("--beta", type=float, default=0.05, help="error rate if elo1 is true (default: %(default)s)")
    add_match_options(options, games=1000, each="at most with --sprt")


def versus(arguments: argparse.Namespace) -> None:
    """Play and report."""
    test = Sprt(arguments.elo0, arguments.elo1, arguments.alpha, arguments.beta)
    options, sequential = match_options(arguments), bool(arguments.sprt)
    factory = factory_of(options.nets)
    players = distinct([*factory.players(arguments.a), *factory.players(arguments.b)])
    if len(players) != 2:
        raise MatchError(f"expected two players, got {', '.join(players)}; name one of a population by FILE.toml:NAME")
    a, b = players

    def decide(games: Sequence[Score]) -> tuple[str, bool]:
        now = difference(pentanomial(games, a).tolist())
        llr = float(test.llr(np.array(now.counts, np.float64)))
        text = f"Elo {now.elo:+.0f} LOS {now.superiority:.1%}"
        if not sequential:
            return text, False
        return f"{text} LLR {llr:.2f} ({test.lower:.2f}, {test.upper:.2f})", test.verdict(llr) != "undecided"

    def summary(games: Sequence[Score]) -> str:
        return tables.head_to_head(a, b, difference(pentanomial(games, a).tolist()), test if sequential else None)

    run_match(options, players, [(a, b)], [a], decide=decide, extra=summary)
