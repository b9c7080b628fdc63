"""The command line of data: games into a token store, stores into stores, a store back into PGN or into parts that travel.

Knows arguments and what is printed. Does not know formats.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from pathlib import Path

from engine.archives import open_output
from engine.command_line import run_command
from engine.encoding import Scale
from engine.errors import DataError
from engine.figures import expect_matplotlib
from engine.files import write_text
from training.data.filters import Filters
from training.data.ingest import Job, Report, ingest
from training.data.openings import late_positions, opening_lines
from training.data.pack import pack, unpack
from training.data.pgn_out import game_text
from training.data.rate import Rate
from training.data.sources import known_sources, sources_table
from training.data.store import RESULTS, TERMINATIONS, TIME_CLASSES, iterate, open_store
from training.data.subset import Selection, copy
from training.data.summary import describe
from training.evaluation.diversity import DEFAULT_CAPS, diversity_table, draw, measure


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/data``."""
    options = argparse.ArgumentParser(prog="data", description="Games in, token store out; docs/data.md tells more.")
    commands = options.add_subparsers(dest="command", required=True)
    reading = commands.add_parser("ingest", help="make a store from PGN (plain, .zst, .gz, .bz2, .xz, folders) or .tsv")
    reading.add_argument("games", type=Path, nargs="+", help="files or folders; - is standard input")
    reading.add_argument("--out", type=Path, required=True, help="the store's folder; an unfinished one is resumed")
    reading.add_argument("--processes", type=_count, default=1, help="that read moves, beside the one that writes")
    reading.add_argument("--format", choices=("auto", "pgn", "tsv"), default="auto", help="auto = by the file's name")
    reading.add_argument("--slow", action="store_true", help="read PGN with python-chess, some 45 times slower")
    reading.add_argument(
        "--scale", action="append", default=[], metavar="SOURCE=SCALE", help="rating scale of a source: lichess, chesscom, fide"
    )
    reading.add_argument("--sources", type=Path, help="a file like training/data/sources.toml, read on top of that one")
    reading.add_argument("--no-bots", action="store_true", help="without games of players titled BOT (PGN only)")
    _add_filters(reading, min_plies=2)
    looking = commands.add_parser("inspect", help="what is in a store")
    looking.add_argument("store", type=Path)
    naming = commands.add_parser("sources", help="where a store's games come from, as a table with licences")
    naming.add_argument("store", type=Path)
    naming.add_argument("--sources", type=Path, help="a file like training/data/sources.toml, read on top of that one")
    _add_copying(commands.add_parser("merge", help="several stores into a new one, each game once"))
    _add_copying(commands.add_parser("filter", help="some games of stores into a new one"))
    sampling = commands.add_parser("sample", help="games drawn at random into a new store")
    sampling.add_argument("--games", type=_positive, required=True, help="how many")
    _add_copying(sampling)
    writing = commands.add_parser("export", help="a store as PGN")
    writing.add_argument("store", type=Path)
    writing.add_argument("--out", type=Path, default=Path("-"), help=".pgn, .pgn.zst, .pgn.gz, .pgn.bz2; - is standard output")
    packing = commands.add_parser("pack", help="a store as files of limited size that travel; the first are the most varied")
    packing.add_argument("store", type=Path)
    packing.add_argument("--out", type=Path, required=True, help="folder of the parts")
    packing.add_argument("--part-mib", type=_size, default=40.0, help="largest size of a part in MiB (default %(default)s)")
    packing.add_argument("--parts", type=_count, default=0, help="only the first ones; 0 = all")
    packing.add_argument("--seed", type=int, default=1, help="of the order of games")
    unpacking = commands.add_parser("unpack", help="such parts back into one store")
    unpacking.add_argument("parts", type=Path, nargs="+")
    unpacking.add_argument("--out", type=Path, required=True, help="the new store's folder")
    opening = commands.add_parser(
        "openings", help="how people's games begin, or where they come to, for bin/match generate --openings"
    )
    opening.add_argument("store", type=Path)
    opening.add_argument("--lines", type=_count, default=1000, help="how many different ones")
    opening.add_argument("--plies", type=_span, default=(6, 16), metavar="A-B", help="length of each (default 6-16)")
    opening.add_argument(
        "--men", type=_span, metavar="A-B", help="instead: positions with so many men on the board, one of a game"
    )
    opening.add_argument("--seed", type=int, default=1)
    opening.add_argument("--out", type=Path, required=True, help="a text file, a line of UCI moves each; with --men an .epd")
    comparing = commands.add_parser("diversity", help="how much players differ in the same position, by rating cap")
    comparing.add_argument("store", type=Path)
    comparing.add_argument("--caps", type=_count, nargs="+", default=DEFAULT_CAPS, help="no player above; 0 = all games")
    comparing.add_argument("--more-than", type=_count, default=100, help="only positions seen more often than this")
    comparing.add_argument("--plies", type=_count, default=40, help="of each game, its first ones; 0 = all (8 bytes a ply)")
    comparing.add_argument("--games", type=_count, default=0, help="of each cap; 0 = as many as the poorest cap has")
    comparing.add_argument("--seed", type=int, default=1)
    comparing.add_argument("--figure", type=Path, help="a .png or .svg of the distributions (needs matplotlib)")
    return options


def _add_copying(command: argparse.ArgumentParser) -> None:
    command.add_argument("stores", type=Path, nargs="+")
    command.add_argument("--out", type=Path, required=True, help="the new store's folder")
    command.add_argument("--seed", type=int, default=1, help="of what is drawn at random")
    _add_filters(command, min_plies=0)


def _add_filters(command: argparse.ArgumentParser, *, min_plies: int) -> None:
    filters = command.add_argument_group("which games", "those that pass all of these")
    filters.add_argument("--max-rating", type=_count, default=0, help="no player above this (the paper: 1000, 1300, 1500)")
    filters.add_argument("--min-rating", type=_count, default=0, help="no player below this")
    filters.add_argument("--min-plies", type=_count, default=min_plies, help="no shorter games (default %(default)s)")
    filters.add_argument("--time-class", action="append", default=[], choices=TIME_CLASSES, help="only these; may be repeated")
    filters.add_argument("--termination", action="append", default=[], choices=TERMINATIONS, help="only these; may be repeated")
    filters.add_argument("--result", action="append", default=[], choices=RESULTS, help="only these; may be repeated")
    filters.add_argument("--starts", choices=("any", "standard", "fen"), default="any", help="the initial position, or others")
    filters.add_argument("--since", default="", metavar="DATE", help="first day: 2013, 2013-01 or 2013-01-31")
    filters.add_argument("--until", default="", metavar="DATE", help="last day, written the same way")
    filters.add_argument("--max-per-band", type=_count, default=0, help="games of each 100 points by the higher rating")
    filters.add_argument("--max-per-source", type=_count, default=0, help="games of each source")


def _positive(text: str) -> int:
    if not (number := _count(text)):
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {text!r}")
    return number


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 up, got {text!r}")
    return int(text)


def _span(text: str) -> tuple[int, int]:
    shortest, _, longest = text.partition("-")
    if not (shortest.isdigit() and longest.isdigit()) or not 1 <= int(shortest) <= int(longest):
        raise argparse.ArgumentTypeError(f"expected two numbers like 6-16, got {text!r}")
    return int(shortest), int(longest)


def _size(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not 0 < size < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of MiB above 0, got {text!r}")
    return size


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    arguments = parser().parse_args(argv)
    commands = {
        "ingest": _ingest,
        "merge": _copy,
        "filter": _copy,
        "sample": _copy,
        "export": _export,
        "diversity": _diversity,
        "inspect": _inspect,
        "sources": _sources,
        "pack": _pack,
        "unpack": _unpack,
        "openings": _openings,
    }
    return run_command("data", lambda: commands[arguments.command](arguments))


def _ingest(arguments: argparse.Namespace) -> int:
    scales = known_sources(arguments.sources).scales() | dict(_scale(text) for text in arguments.scale)
    job = Job(
        _filters(arguments),
        scales,
        max_per_band=arguments.max_per_band,
        max_per_source=arguments.max_per_source,
        format=arguments.format,
        fast=not arguments.slow,
    )
    report = ingest(arguments.games, arguments.out, job=job, processes=arguments.processes)
    return _finished(arguments.out, report)


def _finished(out: Path, report: Report) -> int:
    print(f"{out}: {report.text()}")
    return 130 if report.stopped else int(bool(report.trouble))


def _inspect(arguments: argparse.Namespace) -> int:
    print(describe(open_store(arguments.store)), flush=True)
    return 0


def _sources(arguments: argparse.Namespace) -> int:
    print(sources_table(open_store(arguments.store), known_sources(arguments.sources)), end="", flush=True)
    return 0


def _copy(arguments: argparse.Namespace) -> int:
    selection = Selection(
        _filters(arguments),
        games=getattr(arguments, "games", 0),
        max_per_band=arguments.max_per_band,
        max_per_source=arguments.max_per_source,
        seed=arguments.seed,
    )
    return _finished(arguments.out, copy([open_store(path) for path in arguments.stores], arguments.out, selection))


def _export(arguments: argparse.Namespace) -> int:
    store = open_store(arguments.store)
    with open_output(arguments.out) as out, Rate(total_bytes=0) as rate:
        for game in iterate(store):
            out.write(game_text(game).encode("utf-8"))
            rate.add(1)
    return 0


def _pack(arguments: argparse.Namespace) -> int:
    size = int(arguments.part_mib * 2**20)
    for part in pack(open_store(arguments.store), arguments.out, part_bytes=size, parts=arguments.parts, seed=arguments.seed):
        print(part.text(), flush=True)
    return 0


def _unpack(arguments: argparse.Namespace) -> int:
    return _finished(arguments.out, unpack(arguments.parts, arguments.out))


def _openings(arguments: argparse.Namespace) -> int:
    store = open_store(arguments.store)
    if arguments.men:
        if arguments.out.suffix != ".epd":
            raise DataError(
                f"expected --out FILE.epd with --men, got {arguments.out}: bin/match knows positions by that ending"
            )
        fewest, most = arguments.men
        lines = late_positions(store, positions=arguments.lines, fewest=fewest, most=most, seed=arguments.seed)
    else:
        shortest, longest = arguments.plies
        lines = opening_lines(store, lines=arguments.lines, shortest=shortest, longest=longest, seed=arguments.seed)
    write_text(arguments.out, "".join(f"{line}\n" for line in lines))
    print(f"{arguments.out}: {len(lines):,} lines")
    return 0


def _diversity(arguments: argparse.Namespace) -> int:
    if arguments.figure:
        expect_matplotlib()
    result = measure(
        open_store(arguments.store),
        caps=arguments.caps,
        more_than=arguments.more_than,
        plies=arguments.plies,
        games=arguments.games,
        seed=arguments.seed,
    )
    print(diversity_table(result))
    if arguments.figure:
        draw(result, arguments.figure)
    return 0


def _filters(arguments: argparse.Namespace) -> Filters:
    return Filters(
        max_rating=arguments.max_rating,
        min_rating=arguments.min_rating,
        min_plies=arguments.min_plies,
        time_classes=tuple(arguments.time_class),
        terminations=tuple(arguments.termination),
        results=tuple(arguments.result),
        starts=arguments.starts,
        bots=not getattr(arguments, "no_bots", False),
        since=_day(arguments.since, "00"),
        until=_day(arguments.until, "99"),
    )


def _day(text: str, missing: str) -> int:
    """yyyymmdd; a month or a day that is not given becomes ``missing``, which is before or after all real ones."""
    if not text:
        return 0
    parts = re.fullmatch(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?", text)
    if not parts:
        raise DataError(f"expected a date like 2013, 2013-01 or 2013-01-31, got {text!r}")
    return int("".join(part or missing for part in parts.groups()))


def _scale(text: str) -> tuple[str, Scale]:
    source, _, name = text.rpartition("=")
    if not source or name.upper() not in Scale.__members__:
        known = ", ".join(scale.name.lower() for scale in Scale)
        raise DataError(f"expected --scale SOURCE=SCALE with a scale of {known}, got {text!r}")
    return source, Scale[name.upper()]


if __name__ == "__main__":
    sys.exit(main())
