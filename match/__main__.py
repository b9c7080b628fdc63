"""The command line of matches: arguments in, a command of ``match.commands.play`` out.

    match                      the shipped net against Stockfish levels (or built-in players), a table, a PGN
    match sweep                the net at many temperatures against levels 0 to 5
    match versus A B           two players, with a sequential test if wanted
    match robin | generate     everyone against everyone; by games a pairing, or by games in all
    match rate | report        ratings from any PGN; plots and a page from results
    match verdict | best       does a net beat the best of its experts; who is the best
    match curve                ratings by temperature from matches played earlier
    match advantage | boards   where low temperature gains; how it shifts the choice on example boards
    match sanity               mates in one, won endgames, leads kept and shuffling: what people notice at once
    match anchors | equality   Stockfish's levels against each other; by depth against by time
    match tournament           the engine in cutechess-cli or fastchess
    match book                 a new opening book

Knows words and defaults only.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.command_line import run_command
from engine.encoding import Scale
from engine.machine import cores, worker_processes
from match.commands import play as commands
from match.commands import sanity as sanity_command
from match.commands import studies, tournament
from match.play import openings
from match.players.population import DEFAULT_TEMPERATURE, FORMS
from match.studies import boards


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/match``."""
    options = argparse.ArgumentParser(prog="match", description="Matches and ratings.")
    all_commands = options.add_subparsers(dest="command")
    play = all_commands.add_parser("play", help="our net against Stockfish levels and others (the default)")
    _ladder(play, levels=[0, 1, 2], games=20)
    sweep = all_commands.add_parser("sweep", help="our net at the paper's temperatures against Stockfish levels 0 to 5")
    _ladder(sweep, levels=[0, 1, 2, 3, 4, 5], games=50)
    versus = all_commands.add_parser("versus", help="A against B: Elo difference, LOS, and a sequential test with --sprt")
    _versus(versus)
    robin = all_commands.add_parser("robin", help="everyone against everyone")
    robin.add_argument("player", nargs="+", help=FORMS)
    _common(robin, games=20, each="a pairing")
    generate = all_commands.add_parser("generate", help="many games of a population, for training data")
    generate.add_argument("player", nargs="+", help=FORMS)
    _common(generate, games=60000, each="in all")
    anchors = all_commands.add_parser("anchors", help="Stockfish's levels against each other, beside Stockfish's own table")
    anchors.add_argument("--levels", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5])
    _common(anchors, games=200, each="a pairing")
    equality = all_commands.add_parser("equality", help="Stockfish levels by depth level + 1 against the same by time")
    equality.add_argument("--levels", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5])
    equality.add_argument("--movetime", type=int, default=100, help="milliseconds a move (default: %(default)s)")
    _common(equality, games=200, each="a level")
    _rating(all_commands.add_parser("rate", help="ratings from PGN files"), all_commands.add_parser("report", help="a page"))
    _verdict(all_commands.add_parser("verdict", help="does a net beat the best of its experts? from matches played earlier"))
    _curve(all_commands.add_parser("curve", help="ratings of nets by temperature, from matches played earlier"))
    best = all_commands.add_parser("best", help="the name of the strongest player of matches, for scripts")
    best.add_argument("folder", type=Path, nargs="+", help="of a match")
    best.add_argument("--among", type=Path, metavar="FILE.toml", help="only players of this population")
    _advantage(all_commands.add_parser("advantage", help="what the net's moves are worth by temperature, judged by Stockfish"))
    _boards(all_commands.add_parser("boards", help="example boards as SVG, with the net's moves by temperature"))
    _sanity(all_commands.add_parser("sanity", help="mates in one, won endgames, leads kept, shuffling"))
    tournament.add_options(all_commands.add_parser("tournament", help="the engine in cutechess-cli or fastchess"))
    _book(all_commands.add_parser("book", help="make an opening book from the net's own openings, checked by Stockfish"))
    return options


def _ladder(options: argparse.ArgumentParser, *, levels: list[int], games: int) -> None:
    options.add_argument("--net", help="the net, an .onnx file (default: the one that ships)")
    options.add_argument("--temperature", type=float, action="append", help="several make a sweep")
    options.add_argument("--levels", type=int, nargs="*", default=levels, help="Stockfish Skill Levels (default: %(default)s)")
    options.add_argument(
        "--clock", type=_positive, metavar="MS", help="milliseconds a move of those levels (default: none, by depth level + 1)"
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
    _common(options, games=games, each="a temperature and opponent")


def _versus(options: argparse.ArgumentParser) -> None:
    options.add_argument("a", help=FORMS)
    options.add_argument("b", help="the same")
    options.add_argument("--sprt", action="store_true", help="stop as soon as the test decides")
    options.add_argument("--elo0", type=float, default=0.0, help="not stronger (default: %(default)s)")
    options.add_argument("--elo1", type=float, default=20.0, help="stronger (default: %(default)s)")
    options.add_argument("--alpha", type=float, default=0.05, help="error rate if elo0 is true (default: %(default)s)")
    options.add_argument("--beta", type=float, default=0.05, help="error rate if elo1 is true (default: %(default)s)")
    _common(options, games=1000, each="at most with --sprt")


def _common(options: argparse.ArgumentParser, *, games: int, each: str) -> None:
    options.add_argument("--games", type=int, default=games, help=f"{each} (default: %(default)s)")
    options.add_argument(
        "--openings",
        default=str(openings.BOOK),
        help="PGN, EPD, a file of UCI lines, start, or random:PLIES (default: own book)",
    )
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, help="folder for results; a match found there goes on (default: a new one)")
    options.add_argument("--workers", type=_workers, default=cores(), help="games of engines at a time (default: all cores)")
    options.add_argument("--at-once", type=_positive, default=64, help="games that a net plays side by side (default: 64)")
    _net_options(options)
    options.add_argument("--most-moves", type=_positive, default=300, help="then it is a draw (the paper: 89; default: 300)")
    options.add_argument(
        "--adjudicate", type=int, default=0, metavar="POINTS", help="material lead that wins after ten plies (default: play on)"
    )
    options.add_argument("--no-page", action="store_true", help="no plots and no HTML page at the end")


def _net_options(options: argparse.ArgumentParser) -> None:
    options.add_argument("--threads", type=_positive, default=1, help="CPU threads of the net")
    options.add_argument("--device", choices=("cpu", "cuda", "auto"), default="cpu", help="where the net runs")
    options.add_argument(
        "--take-mate", action="store_true", help="nets play a mate in one wherever there is one, as the engine does by default"
    )
    options.add_argument("--rating", type=int, help="that the net is conditioned on; 0 = unknown (default: the net's own)")
    options.add_argument("--scale", choices=[s.name.lower() for s in Scale], help="of that rating (default: the net's own)")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _workers(text: str) -> int:
    return worker_processes(_positive(text))


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _rating(rate: argparse.ArgumentParser, report: argparse.ArgumentParser) -> None:
    rate.add_argument("pgn", type=Path, nargs="+")
    report.add_argument("folder", type=Path, nargs="+", help="of a match")
    report.add_argument("--out", type=Path, help="folder for page and plots (default: the first match's)")
    for options in (rate, report):
        _anchors(options)


def _anchors(options: argparse.ArgumentParser) -> None:
    options.add_argument("--anchor", action="append", default=[], metavar="NAME=ELO", help="a player whose rating is known")
    options.add_argument("--no-anchors", action="store_true", help="forget Stockfish's own table: the pool's mean is 0")


def _verdict(options: argparse.ArgumentParser) -> None:
    options.add_argument("folder", type=Path, help="of a match of the net with its best expert (by versus)")
    options.add_argument(
        "--pool", type=Path, action="append", default=[], help="folder of a match with the net at temperatures up to 1"
    )
    _numbers(options)


def _curve(options: argparse.ArgumentParser) -> None:
    options.add_argument("folder", type=Path, nargs="+", help="of a match")
    _numbers(options)


def _numbers(options: argparse.ArgumentParser) -> None:
    options.add_argument("--json", type=Path, help="also write all numbers there")
    options.add_argument("--note", action="append", default=[], metavar="NAME=VALUE", help="kept with the numbers")
    _anchors(options)


def _advantage(options: argparse.ArgumentParser) -> None:
    options.add_argument("folder", type=Path, help="of a match: its games give the states")
    options.add_argument("--states", type=_positive, default=500, help="one a game (default: %(default)s)")
    options.add_argument("--limit", default="depth=10", help="of Stockfish for all moves of a state (default: %(default)s)")
    options.add_argument("--out", type=Path, required=True, help="folder for table, numbers and figure")
    _study(options)


def _boards(options: argparse.ArgumentParser) -> None:
    options.add_argument("--positions", type=Path, default=boards.EXAMPLES, help="lines of name | FEN or start | moves")
    options.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    _study(options)


def _sanity(options: argparse.ArgumentParser) -> None:
    options.add_argument("--temperature", type=float, default=DEFAULT_TEMPERATURE, help="of the net (default: %(default)s)")
    options.add_argument(
        "--from",
        dest="matches",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="of a match: positions come from it unless --positions is given; the net's shuffling there is counted too",
    )
    options.add_argument("--positions", type=Path, metavar="FILE", help="as --from alone writes them (default: own file)")
    options.add_argument("--mates", type=_count, default=300, help="positions with a mate in one (default: %(default)s)")
    options.add_argument("--endgames", type=_count, default=100, help="games of each kind (default: %(default)s)")
    options.add_argument("--ahead", type=_count, default=150, help="games from +5, at most (default: %(default)s)")
    options.add_argument("--defender", default="stockfish@depth=6", help="of endgames, full skill (default: %(default)s)")
    options.add_argument("--opponent", default="stockfish:0", help="from +5 (default: %(default)s)")
    options.add_argument("--out", type=Path, required=True, help="folder for table, numbers and games; the same goes on")
    options.add_argument("--at-once", type=_positive, default=64, help="games that the net plays side by side (default: 64)")
    _study(options)


def _study(options: argparse.ArgumentParser) -> None:
    options.add_argument("--net", help="the net, an .onnx file (default: the one that ships)")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--workers", type=_workers, default=cores(), help="games of engines at a time (default: all cores)")
    _net_options(options)


def _book(options: argparse.ArgumentParser) -> None:
    options.add_argument("--out", type=Path, default=openings.BOOK)
    options.add_argument("--net", help="the net, an .onnx file (default: the one that ships)")
    options.add_argument("--lines", type=int, default=300)
    options.add_argument("--plies", type=int, default=8)
    options.add_argument("--seed", type=int, default=1)


_COMMANDS = {
    "play": commands.ladder,
    "sweep": commands.ladder,
    "versus": commands.versus,
    "robin": commands.robin,
    "generate": commands.generate,
    "anchors": commands.anchors,
    "equality": commands.equality,
    "rate": commands.rate_files,
    "report": commands.make_report,
    "book": commands.make_book,
    "tournament": tournament.run,
    "verdict": commands.verdict,
    "best": commands.best,
    "curve": commands.curve,
    "advantage": studies.gains,
    "boards": studies.examples,
    "sanity": sanity_command.measure,
}


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words = ["play", *words]
    arguments = parser().parse_args(words)
    interrupted = "stopped; the same command with the same --out resumes it"
    return run_command("match", lambda: _COMMANDS[arguments.command](arguments), interrupted=interrupted)


if __name__ == "__main__":
    sys.exit(main())
