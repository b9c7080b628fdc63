"""The command line of matches: the first word names a command of ``match.commands``.

    match                      the shipped net against Stockfish levels (or built-in players), a table, a PGN
    match sweep                the net at many temperatures against levels 0 to 5
    match versus A B           two players, with a sequential test if wanted
    match robin | generate     everyone against everyone; by games a pairing, or by games in all
    match rate | report        ratings from any PGN; plots and a page from results
    match verdict | best       does a net beat the best of its experts; who is the best
    match curve                ratings by temperature from matches played earlier
    match advantage | boards   where low temperature gains; how it shifts the choice on example boards
    match agreement            does a player move as one other would, or as another
    match sanity               mates in one, won endgames, leads kept and shuffling: what people notice at once
    match anchors | equality   Stockfish's levels against each other; by depth against by time
    match tournament           the engine in cutechess-cli or fastchess
    match book                 a new opening book

Knows commands and their order in ``--help``. Does not know their options.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from engine.command_line import run_command
from match.commands import book, ladder, levels, ratings, robin, sanity, studies, tournament, versus


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/match``."""
    options = argparse.ArgumentParser(prog="match", description="Matches and ratings.")
    commands = options.add_subparsers(dest="command")

    def command(name: str, run: Callable[[argparse.Namespace], None], description: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=description)
        added.set_defaults(run=run)
        return added

    play = command("play", ladder.play, "our net against Stockfish levels and others (the default)")
    ladder.add_options(play, levels=[0, 1, 2], games=20)
    sweep = command("sweep", ladder.sweep, "our net at the paper's temperatures against Stockfish levels 0 to 5")
    ladder.add_options(sweep, levels=[0, 1, 2, 3, 4, 5], games=50)
    versus.add_options(command("versus", versus.versus, "A against B: Elo difference, LOS, a sequential test with --sprt"))
    robin.add_options(command("robin", robin.robin, "everyone against everyone"), games=20, each="a pairing")
    generate = command("generate", robin.generate, "many games of a population, for training data")
    robin.add_options(generate, games=60000, each="in all")
    levels.add_anchors_options(
        command("anchors", levels.anchors, "Stockfish's levels against each other, beside Stockfish's own table")
    )
    levels.add_equality_options(
        command("equality", levels.equality, "Stockfish levels by depth level + 1 against the same by time")
    )
    ratings.add_rate_options(command("rate", ratings.rate, "ratings from PGN files"))
    ratings.add_report_options(command("report", ratings.report, "plots and a page of matches played earlier"))
    ratings.add_verdict_options(
        command("verdict", ratings.verdict, "does a net beat the best of its experts? from matches played earlier")
    )
    ratings.add_curve_options(command("curve", ratings.curve, "ratings of nets by temperature, from matches played earlier"))
    ratings.add_best_options(command("best", ratings.best, "the name of the strongest player of matches, for scripts"))
    studies.add_advantage_options(
        command("advantage", studies.advantage, "what the net's moves are worth by temperature, judged by Stockfish")
    )
    studies.add_boards_options(command("boards", studies.boards, "example boards as SVG, with the net's moves by temperature"))
    studies.add_agreement_options(
        command("agreement", studies.agreement, "whose moves a player of a match makes: one other's or another's")
    )
    sanity.add_options(command("sanity", sanity.sanity, "mates in one, won endgames, leads kept, shuffling"))
    tournament.add_options(command("tournament", tournament.run, "the engine in cutechess-cli or fastchess"))
    book.add_options(command("book", book.book, "make an opening book from the net's own openings, checked by Stockfish"))
    return options


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words = ["play", *words]
    arguments = parser().parse_args(words)
    interrupted = "stopped; the same command with the same --out resumes it"
    return run_command("match", lambda: arguments.run(arguments), interrupted=interrupted)


if __name__ == "__main__":
    sys.exit(main())
