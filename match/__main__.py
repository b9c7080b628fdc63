"""The command line of matches: who plays, how often, and what is printed at the end.

    match                      the shipped net against Stockfish levels (or built-in players), a table, a PGN
    match play ...             the same with a choice of net, temperatures, opponents
    match rate FILE ...        ratings from any PGN
    match book                 a new opening book

Knows arguments and folders. Does not know how games are played or rated.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import chess.engine
import chess.pgn
from tqdm import tqdm

from engine.encoding import Scale
from engine.errors import MatchError, TranscendenceError
from engine.evaluator import Evaluator
from engine.net import Net, find_net
from engine.sampling import Sampling
from match import openings, report
from match.players import (
    INSTALL_STOCKFISH,
    SKILL_LEVEL_ELO,
    GreedyPlayer,
    NetPlayer,
    Player,
    RandomPlayer,
    UciPlayer,
    find_stockfish,
    stockfish_level,
)
from match.ratings import Score, rate
from match.runner import Played, Results, play, write_pgn
from match.schedule import fixtures, gauntlet

_AT_ONCE = 32  # games side by side: the net answers them in one batch
_ANCHORS = {f"Stockfish level {level}": float(elo) for level, elo in SKILL_LEVEL_ELO.items()}


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/match``."""
    options = argparse.ArgumentParser(prog="match", description="Matches and ratings.")
    commands = options.add_subparsers(dest="command")
    _add_play(commands.add_parser("play", help="our net against Stockfish levels and others (the default)"))
    rating = commands.add_parser("rate", help="ratings from PGN files")
    rating.add_argument("pgn", type=Path, nargs="+")
    rating.add_argument("--anchor", action="append", default=[], metavar="NAME=ELO", help="a player whose rating is known")
    book = commands.add_parser("book", help="make an opening book from the net's own openings, checked by Stockfish")
    book.add_argument("--out", type=Path, default=openings.BOOK)
    book.add_argument("--net", help="the net, an .onnx file (default: the one that ships)")
    book.add_argument("--lines", type=int, default=300)
    book.add_argument("--plies", type=int, default=8)
    book.add_argument("--seed", type=int, default=1)
    return options


def _add_play(options: argparse.ArgumentParser) -> None:
    options.add_argument("--net", help="the net, an .onnx file (default: the one that ships)")
    options.add_argument("--temperature", type=float, action="append", help="several make a sweep (default: 0.001)")
    options.add_argument("--rating", type=int, help="that the net is conditioned on; 0 = unknown (default: the net's own)")
    options.add_argument("--scale", choices=[s.name.lower() for s in Scale], help="of that rating (default: the net's own)")
    options.add_argument("--levels", type=int, nargs="*", default=[0, 1, 2], help="Stockfish Skill Levels (default: 0 1 2)")
    options.add_argument("--engine", action="append", default=[], metavar="COMMAND", help="another UCI engine as opponent")
    options.add_argument("--engine-limit", default="movetime=100", help="depth=N, nodes=N, movetime=MS (default: %(default)s)")
    options.add_argument(
        "--builtin",
        nargs="*",
        choices=("random", "greedy", "sampled"),
        help="random mover, greedy capturer, the net at temperature 1 (default: random; all of them without Stockfish)",
    )
    options.add_argument("--games", type=int, default=20, help="against each opponent (default: 20)")
    options.add_argument("--openings", type=Path, default=openings.BOOK, help="PGN, EPD or a file of UCI lines")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--threads", type=int, default=1, help="CPU threads of the net")
    options.add_argument("--out", type=Path, help="folder for results; a match found there goes on (default: a new one)")


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words = ["play", *words]
    arguments = parser().parse_args(words)
    try:
        {"play": _play, "rate": _rate, "book": _book}[arguments.command](arguments)
    except TranscendenceError as error:
        print(f"match: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("match: stopped; the same command with the same --out goes on", file=sys.stderr)
        return 130
    return 0


def _play(arguments: argparse.Namespace) -> None:
    started = time.strftime("%Y%m%d-%H%M%S")
    out: Path = arguments.out or Path("runs") / f"match-{started}"
    heroes = _heroes(arguments)
    book = openings.load_openings(arguments.openings)
    players: dict[str, Player] = {}
    try:
        for player in [*heroes, *_opponents(arguments, heroes[0])]:
            players[player.name] = player
        names = [hero.name for hero in heroes]
        schedule = fixtures(
            gauntlet(names, [n for n in players if n not in names]), book, games=arguments.games, seed=arguments.seed
        )
        out.mkdir(parents=True, exist_ok=True)
        results = Results(out / "results.jsonl")
        with tqdm(total=len(schedule), initial=len(results.played), unit="game", disable=None, leave=False) as bar:
            tally = _Tally(bar, names[0])
            play(schedule, players, results=results, at_once=_AT_ONCE, report=tally.add)
    finally:
        for player in players.values():
            player.close()
    _finish(results.played, names, out)


class _Tally:
    """The progress line: the first hero's score so far."""

    def __init__(self, bar: tqdm, hero: str) -> None:
        self._bar, self._hero, self._points, self._games = bar, hero, 0.0, 0

    def add(self, game: Played) -> None:
        self._bar.update()
        if self._hero in (game.white, game.black):
            points = game.score().points
            self._points += points if game.white == self._hero else 1 - points
            self._games += 1
            self._bar.set_postfix_str(f"{self._hero}: {self._points:g}/{self._games}")


def _heroes(arguments: argparse.Namespace) -> list[NetPlayer]:
    net = Net.open(find_net(arguments.net), threads=arguments.threads)
    rating = int(net.info.play.get("rating", 0)) if arguments.rating is None else arguments.rating
    scale = int(net.info.play.get("scale", 0)) if arguments.scale is None else int(Scale[arguments.scale.upper()])
    evaluator = Evaluator(net)
    told = f"conditioned on rating {rating}" if rating else "not conditioned on a rating"
    print(f"net {net.info.name} ({net.info.precision}, {net.info.device}), {told}", file=sys.stderr)

    def hero(temperature: float) -> NetPlayer:
        sampling = Sampling(temperature=temperature)
        name = f"{net.info.name} T={temperature:g}"
        return NetPlayer(name, evaluator, sampling, seed=arguments.seed, rating=rating, scale=scale)

    return [hero(t) for t in arguments.temperature or [0.001]]


def _opponents(arguments: argparse.Namespace, hero: NetPlayer) -> list[Player]:
    cores = os.cpu_count() or 1
    found: list[Player] = []
    builtin = arguments.builtin if arguments.builtin is not None else ["random"]
    if find_stockfish():
        found += [stockfish_level(level, processes=cores) for level in arguments.levels]
    elif arguments.levels:
        print(f"No Stockfish found. {INSTALL_STOCKFISH}. Until then the built-in players stand in.", file=sys.stderr)
        builtin = ["random", "greedy", "sampled"]
    found += [_engine(command, arguments.engine_limit, cores) for command in arguments.engine]
    return [*found, *(_builtin(name, hero, arguments.seed) for name in builtin)]


def _builtin(name: str, hero: NetPlayer, seed: int) -> Player:
    if name == "random":
        return RandomPlayer(seed=seed)
    if name == "greedy":
        return GreedyPlayer(seed=seed)
    sampled = Sampling(temperature=1.0)
    return dataclasses.replace(hero, name=f"{hero.evaluator.net.info.name} sampled", sampling=sampled, seed=seed + 1)


def _engine(command: str, limit: str, cores: int) -> UciPlayer:
    kind, _, amount = limit.partition("=")
    if kind not in ("depth", "nodes", "movetime") or not amount.isdigit():
        raise MatchError(f"expected --engine-limit depth=N, nodes=N or movetime=MS, got {limit!r}")
    limits = {
        "depth": chess.engine.Limit(depth=int(amount)),
        "nodes": chess.engine.Limit(nodes=int(amount)),
        "movetime": chess.engine.Limit(time=int(amount) / 1000),
    }
    words = shlex.split(command)
    return UciPlayer(Path(words[0]).stem, words, limits[kind], processes=cores)


def _finish(games: Sequence[Played], heroes: Sequence[str], out: Path) -> None:
    write_pgn(games, out / "games.pgn", event=out.name, date=time.strftime("%Y.%m.%d"))
    scores = [game.score() for game in games]
    text = "\n\n".join(
        [report.cross_table(games, heroes), report.table(rate(scores, _ANCHORS)), report.SCALE, report.endings(games)]
    )
    (out / "table.txt").write_text(text + "\n", encoding="utf-8")
    print(f"{text}\n\ngames: {out / 'games.pgn'}")


def _rate(arguments: argparse.Namespace) -> None:
    anchors = dict(_ANCHORS)
    for text in arguments.anchor:
        name, _, elo = text.rpartition("=")
        try:
            anchors[name] = float(elo)
        except ValueError:
            raise MatchError(f"expected --anchor NAME=ELO, got {text!r}") from None
    scores = [score for path in arguments.pgn for score in _pgn_scores(path)]
    if not scores:
        raise MatchError("expected games with a result, found none")
    print(f"{report.table(rate(scores, anchors))}\n\n{report.SCALE}")


def _pgn_scores(path: Path) -> list[Score]:
    points = {"1-0": 1.0, "1/2-1/2": 0.5, "0-1": 0.0}
    scores = []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            while (headers := chess.pgn.read_headers(file)) is not None:
                if headers.get("Result") in points:
                    pair = headers.get("Opening", "") if "PlyCount" in headers else ""
                    scores.append(Score(headers["White"], headers["Black"], points[headers["Result"]], pair))
    except OSError as error:
        raise MatchError(f"expected a PGN file at {path}: {error.strerror}") from None
    return scores


def _book(arguments: argparse.Namespace) -> None:
    stockfish = find_stockfish()
    if stockfish is None:
        raise MatchError(f"expected Stockfish to judge the openings. {INSTALL_STOCKFISH}")
    evaluator = Evaluator(Net.open(find_net(arguments.net)))
    made = openings.make_book(evaluator, stockfish, lines=arguments.lines, plies=arguments.plies, seed=arguments.seed)
    lines = [" ".join(opening.moves) for opening in tqdm(made, total=arguments.lines, disable=None, leave=False)]
    name = evaluator.net.info.name
    head = f"# {len(lines)} openings of {arguments.plies} plies, drawn from the net {name} at T=1, level by Stockfish\n"
    partial = arguments.out.with_name(arguments.out.name + ".partial")
    partial.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    os.replace(partial, arguments.out)
    print(f"{arguments.out}: {len(lines)} openings")


if __name__ == "__main__":
    sys.exit(main())
