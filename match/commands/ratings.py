"""Commands about games played earlier: ``rate``, ``report``, ``verdict``, ``curve`` and ``best``.

Knows folders and what each command prints. Does not know how ratings or verdicts are found (``match.statistics``).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from engine.errors import MatchError
from engine.files import write_text
from match.commands.common import folder_games
from match.options import add_anchor_options, add_number_options, anchors_of, notes_of
from match.play.results import pack_results
from match.players.population import read_population
from match.report import finish, pgn
from match.report import verdict as verdict_text
from match.statistics.scores import temperature_of
from match.statistics.verdict import judge, the_two


def add_rate_options(options: argparse.ArgumentParser) -> None:
    """The options of ``rate``."""
    options.add_argument("pgn", type=Path, nargs="+")
    add_anchor_options(options)


def rate(arguments: argparse.Namespace) -> None:
    """``rate``: ratings from anyone's PGN."""
    games = [game for path in arguments.pgn for game in pgn.read_pgn(path)]
    print(finish.rated_text(games, anchors_of(arguments)))


def add_report_options(options: argparse.ArgumentParser) -> None:
    """The options of ``report``."""
    options.add_argument("folder", type=Path, nargs="+", help="of a match")
    options.add_argument("--out", type=Path, help="folder for page and plots (default: the first match's)")
    options.add_argument("--pgn", type=Path, metavar="FILE", help="also write all games there, with the ratings that are known")
    add_anchor_options(options)


def report(arguments: argparse.Namespace) -> None:
    """``report``: the page and plots of finished or interrupted matches, together, and their games as PGN."""
    games = folder_games(arguments.folder)
    if not games:
        raise MatchError("expected finished games, found none")
    if arguments.pgn is not None:
        pgn.write_pgn(games, arguments.pgn, event=arguments.pgn.stem, known=anchors_of(arguments))
    finish.summary(games, anchors_of(arguments), out=arguments.out or arguments.folder[0])


def add_verdict_options(options: argparse.ArgumentParser) -> None:
    """The options of ``verdict``."""
    options.add_argument(
        "folder", type=Path, help="of a match of the net with its best expert (by versus), or its packed games"
    )
    options.add_argument(
        "--pool", type=Path, action="append", default=[], help="folder of a match with the net at temperatures up to 1"
    )
    options.add_argument(
        "--pack", type=Path, metavar="FILE.zst", help="also write the match's games, for anyone to judge again"
    )
    add_number_options(options)


def verdict(arguments: argparse.Namespace) -> None:
    """``verdict``: whether a net beats the best of its experts, from a match of the two and, if wanted, a pool."""
    match = [game.score() for game in folder_games([arguments.folder])]
    pool = [game.score() for game in folder_games(arguments.pool)]
    net, expert = the_two(match)
    ratings = finish.rated(pool, anchors_of(arguments)) if pool else ()
    judged = judge(match, net=net, expert=expert, pool=ratings)
    judged.notes.update(notes_of(arguments.note))
    print(verdict_text.as_text(judged))
    if arguments.pack is not None:
        pack_results(arguments.folder, arguments.pack)
    if arguments.json is not None:
        write_text(arguments.json, json.dumps(verdict_text.as_json(judged), indent=1) + "\n")


def add_curve_options(options: argparse.ArgumentParser) -> None:
    """The options of ``curve``."""
    options.add_argument("folder", type=Path, nargs="+", help="of a match")
    add_number_options(options)


def curve(arguments: argparse.Namespace) -> None:
    """``curve``: ratings of nets by temperature from matches played earlier, with the paper's Glicko-2 where it applies."""
    scores = [game.score() for game in folder_games(arguments.folder)]
    ratings, glicko = finish.rated(scores, anchors_of(arguments)), finish.glicko_column(scores)
    if not any(temperature_of(r.name) for r in ratings):
        raise MatchError("expected games of a net at some temperatures, found none")
    print("\n\n".join(finish.rating_parts(ratings, scores)))
    if arguments.json is not None:
        facts = verdict_text.curve_as_json(ratings, glicko, notes_of(arguments.note))
        write_text(arguments.json, json.dumps(facts, indent=1) + "\n")


def add_best_options(options: argparse.ArgumentParser) -> None:
    """The options of ``best``."""
    options.add_argument("folder", type=Path, nargs="+", help="of a match")
    options.add_argument("--among", type=Path, metavar="FILE.toml", help="only players of this population")


def best(arguments: argparse.Namespace) -> None:
    """``best``: the name of the strongest player of finished matches, for scripts."""
    ranked = [r.name for r in finish.rated([game.score() for game in folder_games(arguments.folder)], {})]
    among = set(ranked if arguments.among is None else read_population(arguments.among))
    names = [name for name in ranked if name in among]
    if not names:
        raise MatchError(f"expected finished games{' of the players in --among' * bool(arguments.among)}, found none")
    print(names[0])
