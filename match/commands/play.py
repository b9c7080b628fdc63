"""What the commands of ``bin/match`` do, once their arguments are read.

Knows folders, progress lines and which tables a command prints. Does not know how games are played or rated.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from engine.encoding import Scale
from engine.errors import MatchError
from engine.figures import has_matplotlib
from engine.files import write_text
from engine.inference.evaluator import Evaluator
from engine.net import Net, find_net
from engine.net_file import digest
from match.play import openings
from match.play.game import Played, Rules
from match.play.results import Results
from match.play.runner import play
from match.play.schedule import SWEEP_TEMPERATURES, fixtures, gauntlet, round_robin
from match.players.client import INSTALL_STOCKFISH, find_stockfish
from match.players.interface import Player
from match.players.net import NetPlayer
from match.players.population import Cast, distinct, read_population
from match.players.stockfish import LEVEL_ANCHORS, PAPER_MOVETIME, SKILL_LEVEL_ELO, level_name, stockfish_level
from match.report import pgn
from match.report import tables as report
from match.statistics.glicko2 import PAPER_LEVELS, Glicko, paper_ratings
from match.statistics.ratings import Rating, rate
from match.statistics.scores import Score, difference, pentanomial
from match.statistics.sprt import Sprt
from match.statistics.verdict import as_json, curve_as_json, judge, the_two, told

_PAPER_ANCHORS = {level_name(level, PAPER_MOVETIME): elo for level, elo in PAPER_LEVELS.items()}
_LINE_S = 60.0  # without a terminal, progress is a line a minute
_FIT_S = 5.0


def cast(arguments: argparse.Namespace) -> Cast:
    """Who makes the players, by the common options."""
    return Cast(
        seed=arguments.seed,
        net_threads=arguments.threads,
        asking_threads=arguments.workers,
        rating=arguments.rating,
        scale=None if arguments.scale is None else int(Scale[arguments.scale.upper()]),
        device=arguments.device,
        take_mate=arguments.take_mate,
    )


def ladder(arguments: argparse.Namespace) -> None:
    """``play`` and ``sweep``: our net at some temperatures against Stockfish levels and others."""
    makes = cast(arguments)
    default = SWEEP_TEMPERATURES if arguments.command == "sweep" else (0.001,)
    heroes: list[Player] = [makes.net(arguments.net, t) for t in dict.fromkeys(arguments.temperature or default)]
    _introduce(heroes[0])
    players = distinct([*heroes, *_opponents(arguments, makes)])
    names = [hero.name for hero in heroes]
    others = [name for name in players if name not in names]
    pairings = gauntlet(names, others) + (round_robin(others) if arguments.opponents_meet else [])
    _run(arguments, players, pairings, names, games=arguments.games)


def _introduce(hero: Player) -> None:
    if isinstance(hero, NetPlayer):
        info = hero.evaluator.net.info
        told = f"conditioned on rating {hero.rating}" if hero.rating else "not conditioned on a rating"
        print(f"net {info.name} ({info.precision}, {info.device}), {told}", file=sys.stderr)


def _opponents(arguments: argparse.Namespace, makes: Cast) -> list[Player]:
    found: list[Player] = []
    builtin = arguments.builtin if arguments.builtin is not None else ["random"]
    if find_stockfish():
        limit = f"movetime={arguments.clock}" if arguments.clock else None
        found += [makes.at_board(stockfish_level(level, limit=limit)) for level in arguments.levels]
    elif arguments.levels:
        print(f"No Stockfish found. {INSTALL_STOCKFISH}. Until then the built-in players stand in.", file=sys.stderr)
        builtin = ["random", "greedy", "sampled"]
    for text in arguments.opponent:
        found += makes.players(text)
    for name in builtin:
        found += (
            [makes.net(arguments.net, 1.0, name=f"{Path(find_net(arguments.net)).stem} sampled")]
            if name == "sampled"
            else (makes.players(name))
        )
    return found


def robin(arguments: argparse.Namespace) -> None:
    """``robin``: everyone against everyone."""
    players = _named(arguments)
    _run(arguments, players, round_robin(list(players)), list(players), games=arguments.games)


def generate(arguments: argparse.Namespace) -> None:
    """``generate``: so many games in all, everyone against everyone, each two with openings of their own."""
    players = _named(arguments)
    pairings = round_robin(list(players))
    games = 2 * math.ceil(arguments.games / len(pairings) / 2)
    _run(arguments, players, pairings, list(players), games=games, shared_openings=False)


def _named(arguments: argparse.Namespace) -> dict[str, Player]:
    makes = cast(arguments)
    players = distinct([player for text in arguments.player for player in makes.players(text)])
    if len(players) < 2:
        raise MatchError(f"expected at least two players, got {', '.join(players) or 'none'}")
    return players


def versus(arguments: argparse.Namespace) -> None:
    """``versus``: two players, and whether one is stronger; with ``--sprt`` until that is decided."""
    test = Sprt(arguments.elo0, arguments.elo1, arguments.alpha, arguments.beta)
    makes = cast(arguments)
    players = distinct([*makes.players(arguments.a), *makes.players(arguments.b)])
    if len(players) != 2:
        raise MatchError(f"expected two players, got {', '.join(players)}; name one of a population by FILE.toml:NAME")
    a, b = players

    def decided(games: Sequence[Score]) -> tuple[str, bool]:
        found = difference(pentanomial(games, a).tolist())
        llr = float(test.llr(np.array(found.counts, np.float64)))
        text = f"Elo {found.elo:+.0f} LOS {found.superiority:.1%}"
        if not arguments.sprt:
            return text, False
        return f"{text} LLR {llr:.2f} ({test.lower:.2f}, {test.upper:.2f})", test.verdict(llr) != "undecided"

    def told(games: Sequence[Score]) -> str:
        found = difference(pentanomial(games, a).tolist())
        return report.head_to_head(a, b, found, test if arguments.sprt else None)

    _run(arguments, players, [(a, b)], [a], games=arguments.games, decided=decided, extra=told)


def anchors(arguments: argparse.Namespace) -> None:
    """``anchors``: Stockfish's levels against each other, our ratings beside Stockfish's own."""
    makes = cast(arguments)
    players = distinct([makes.at_board(stockfish_level(level)) for level in arguments.levels])
    if len(players) < 2:
        raise MatchError("expected at least two --levels")
    _run(arguments, players, round_robin(list(players)), list(players), games=arguments.games, fixed={}, extra=beside_table)


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
    makes = cast(arguments)
    pairings: list[tuple[str, str]] = []
    players: list[Player] = []
    fixed: dict[str, float] = {}
    for level in arguments.levels:
        fast, slow = stockfish_level(level), stockfish_level(level, limit=f"movetime={arguments.movetime}")
        players += [makes.at_board(fast), makes.at_board(slow)]
        pairings.append((fast.name, slow.name))
        if slow.anchor is not None:  # the levels by depth are what is asked about
            fixed[slow.name] = slow.anchor

    def told(games: Sequence[Score]) -> str:
        counts = [pentanomial([s for s in games if {s.white, s.black} == {a, b}], a) for a, b in pairings]
        lines = [report.head_to_head(a, b, difference(c.tolist())) for (a, b), c in zip(pairings, counts, strict=True)]
        pooled = difference(np.sum(counts, axis=0).tolist())
        return "\n".join([*lines, report.head_to_head("all by depth", "all by time", pooled)])

    heroes = [a for a, _ in pairings]
    _run(arguments, distinct(players), pairings, heroes, games=arguments.games, fixed=fixed, extra=told)


Decide = Callable[[Sequence[Score]], tuple[str, bool]]


def _run(
    arguments: argparse.Namespace,
    players: Mapping[str, Player],
    pairings: Sequence[tuple[str, str]],
    heroes: Sequence[str],
    *,
    games: int,
    fixed: Mapping[str, float] | None = None,
    decided: Decide | None = None,
    extra: Callable[[Sequence[Score]], str] | None = None,
    shared_openings: bool = True,
) -> None:
    """Play a schedule in its folder, then print and write all that it says."""
    if games < 1:
        raise MatchError(f"expected --games of at least 1, got {games}")
    out: Path = arguments.out or Path("runs") / f"match-{time.strftime('%Y%m%d-%H%M%S')}"
    rules = Rules(2 * arguments.most_moves, arguments.adjudicate)
    book = _book_of(arguments, pairs=-(-games // 2) * (1 if shared_openings else len(pairings)))
    already_random = str(arguments.openings).startswith("random:")  # shuffled, a longer match would not begin like a shorter
    order_seed = None if already_random else arguments.seed
    schedule = fixtures(pairings, book, games=games, seed=order_seed, shared=shared_openings)
    try:
        results = Results(out, _settings(arguments, players, rules, book))
    except BaseException:
        _close(players)
        raise
    known = {name: player.anchor for name, player in players.items() if player.anchor is not None}
    known = dict(known if fixed is None else fixed)
    try:
        with Progress(len(schedule), results.played, heroes[0], known, decided) as progress:
            if not progress.over:
                play(
                    schedule,
                    players,
                    results=results,
                    at_once=arguments.at_once,
                    workers=arguments.workers,
                    rules=rules,
                    report=progress.add,
                )
    finally:
        _close(players)
        results.close()
    _finish(arguments, results.played, heroes, out, known, extra)


def _close(players: Mapping[str, Player]) -> None:
    for player in players.values():
        player.close()


def _book_of(arguments: argparse.Namespace, *, pairs: int) -> list[openings.Opening]:
    return openings.choose_openings(arguments.openings, pairs=pairs, seed=arguments.seed)


def _settings(
    arguments: argparse.Namespace, players: Mapping[str, Player], rules: Rules, book: Sequence[openings.Opening]
) -> dict[str, Any]:
    """What must be the same when a match goes on; its length may grow."""
    random_book = str(arguments.openings).startswith("random:")
    told = "\n".join(f"{o.fen} {' '.join(o.moves)}" for o in book)
    return {
        "players": {name: identity(player) for name, player in players.items()},
        "rules": asdict(rules),
        "seed": arguments.seed,
        "openings": str(arguments.openings) if random_book else hashlib.sha256(told.encode()).hexdigest()[:16],
    }


def identity(player: Player) -> str:
    """What decides a player's moves, for a match that goes on only with the same."""
    if not isinstance(player, NetPlayer):
        return re.sub(r"anchor=[^,)]+", "anchor=None", repr(player.spec))  # what a player is worth changes none of its games
    net = digest(player.evaluator.net.info.path)
    return f"net {net} {player.sampling} rating={player.rating} scale={player.scale} seed={player.seed}"


class Progress:
    """Games/s, time left, the first hero's score and rating so far: a bar on a terminal, else a line a minute."""

    def __init__(
        self, total: int, played: Sequence[Played], hero: str, known: Mapping[str, float], decided: Decide | None
    ) -> None:
        self._hero, self._known, self._decided = hero, known, decided
        self._scores: list[Score] = []
        self._points, self._games = 0.0, 0
        for game in played:
            self._count(game.score())
        self._bar = tqdm(total=total, initial=len(played), unit="game", disable=None, leave=False)
        self._began = self._fitted = self._told = time.monotonic()
        self._before, self._total = len(played), total
        self._rating = ""
        self.over = self._check()[1]

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def add(self, game: Played) -> bool:
        """Count a game; True when the match is decided."""
        self._count(game.score())
        text, over = self._check()
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update()
        now = time.monotonic()
        if self._bar.disable and now > self._told + _LINE_S:
            self._told = now
            rate_s = (len(self._scores) - self._before) / (now - self._began)
            left_min = (self._total - len(self._scores)) / rate_s / 60
            print(f"{len(self._scores)}/{self._total} games, {rate_s:.1f}/s, {left_min:.0f} min left, {text}", file=sys.stderr)
        return over

    def _check(self) -> tuple[str, bool]:
        if self._decided is not None and self._scores:
            return self._decided(self._scores)
        now = time.monotonic()
        if self._games and self._known and now > self._fitted + _FIT_S:
            self._fitted = now
            self._rating = _quick_rating(self._scores, self._known, self._hero)
        return f"{self._hero}: {self._points:g}/{self._games}{self._rating}", False

    def _count(self, score: Score) -> None:
        self._scores.append(score)
        if self._hero in (score.white, score.black):
            self._games += 1
            self._points += score.points if score.white == self._hero else 1 - score.points


def _quick_rating(scores: Sequence[Score], known: Mapping[str, float], hero: str) -> str:
    ratings = {r.name: r for r in rate(scores, known, resamples=20)}
    return f", rating {report.elo(ratings[hero])}" if hero in ratings else ""


def _finish(
    arguments: argparse.Namespace,
    games: Sequence[Played],
    heroes: Sequence[str],
    out: Path,
    known: Mapping[str, float],
    extra: Callable[[Sequence[Score]], str] | None,
) -> None:
    """Tables on the screen; PGN, table.txt and, unless it was declined, plots and a page in the folder."""
    ordered = sorted(games, key=lambda game: game.number)
    pgn.write_pgn(ordered, out / "games.pgn", event=out.name, workers=arguments.workers)
    scores = [game.score() for game in ordered]
    ratings = _rated(scores, known)
    parts = [report.cross_table(scores, heroes), *_rating_parts(ratings, scores), report.endings(ordered)]
    if extra is not None:
        parts.append(extra(scores))
    text = "\n\n".join(parts)
    write_text(out / "table.txt", text + "\n")
    print(f"{text}\n\ngames: {out / 'games.pgn'}")
    if not arguments.no_page:
        _page(ordered, ratings, text, out)


def _rating_parts(ratings: Sequence[Rating], scores: Sequence[Score]) -> list[str]:
    glicko = glicko_column(scores)
    notes = [report.scale(ratings), *([report.GLICKO_NOTE] if glicko else [])]
    return [report.table(ratings, glicko), "\n".join(notes)]


def glicko_column(scores: Sequence[Score]) -> dict[str, Glicko]:
    """The paper's protocol for the players that met Stockfish levels 1 to 5."""
    return paper_ratings(scores, _PAPER_ANCHORS)


def _page(games: Sequence[Played], ratings: Sequence[Rating], text: str, out: Path) -> None:
    if not has_matplotlib(without="no page with plots"):
        return
    from match.report.page import write_page  # here: it imports matplotlib

    print(f"page: {write_page(games, ratings, text, out)}")


def make_report(arguments: argparse.Namespace) -> None:
    """``report``: the page and plots of finished or interrupted matches, together."""
    games = folder_games(arguments.folder)
    if not games:
        raise MatchError("expected finished games, found none")
    scores = [game.score() for game in games]
    ratings = _rated(scores, _chosen_anchors(arguments))
    names = [r.name for r in ratings if not r.anchored]
    text = "\n\n".join([report.cross_table(scores, names), *_rating_parts(ratings, scores), report.endings(games)])
    out: Path = arguments.out or arguments.folder[0]
    out.mkdir(parents=True, exist_ok=True)
    print(text)
    _page(games, ratings, text, out)


def verdict(arguments: argparse.Namespace) -> None:
    """``verdict``: whether a net beats the best of its experts, from a match of the two and, if wanted, a pool."""
    match = [game.score() for game in folder_games([arguments.folder])]
    pool = [game.score() for game in folder_games(arguments.pool)]
    net, expert = the_two(match)
    found = judge(match, net=net, expert=expert, pool=_rated(pool, _chosen_anchors(arguments)) if pool else ())
    found.notes.update(note.partition("=")[::2] for note in arguments.note)
    print(told(found))
    if arguments.json is not None:
        write_text(arguments.json, json.dumps(as_json(found), indent=1) + "\n")


def curve(arguments: argparse.Namespace) -> None:
    """``curve``: ratings of nets by temperature from matches played earlier, with the paper's Glicko-2 where it applies."""
    scores = [game.score() for game in folder_games(arguments.folder)]
    ratings, glicko = _rated(scores, _chosen_anchors(arguments)), glicko_column(scores)
    if not any(report.temperature_of(r.name) for r in ratings):
        raise MatchError("expected games of a net at some temperatures, found none")
    print("\n\n".join(_rating_parts(ratings, scores)))
    if arguments.json is not None:
        notes = dict(note.partition("=")[::2] for note in arguments.note)
        write_text(arguments.json, json.dumps(curve_as_json(ratings, glicko, notes), indent=1) + "\n")


def best(arguments: argparse.Namespace) -> None:
    """``best``: the name of the strongest player of finished matches, for scripts."""
    rated = [r.name for r in _rated([game.score() for game in folder_games(arguments.folder)], {})]
    among = set(rated if arguments.among is None else read_population(arguments.among))
    found = [name for name in rated if name in among]
    if not found:
        raise MatchError(f"expected finished games{' of the players in --among' * bool(arguments.among)}, found none")
    print(found[0])


def folder_games(folders: Sequence[Path]) -> list[Played]:
    """The games of matches played earlier, numbered through. Raises MatchError for a folder of none."""
    games: list[Played] = []
    for folder in folders:
        path = folder / "results.jsonl"
        if not path.is_file():
            raise MatchError(f"expected the folder of a match (with results.jsonl), got {folder}")
        games += _games_of(path, first=len(games))
    return games


def _games_of(path: Path, *, first: int) -> list[Played]:
    from match.play.results import read_results

    found = sorted(read_results(path), key=lambda game: game.number)  # Glicko-2 depends on the order
    return [replace(game, number=first + i, pair=f"{path.parent.name}/{game.pair}") for i, game in enumerate(found)]


def _chosen_anchors(arguments: argparse.Namespace) -> dict[str, float]:
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


def _rated(scores: Sequence[Score], known: Mapping[str, float]) -> list[Rating]:
    """``rate`` with a bar on a terminal, else a line a minute: a pool of thousands takes a while."""
    told = time.monotonic()
    form = "ratings: {percentage:3.0f}% {bar} {elapsed}"
    with tqdm(total=1.0, disable=None, leave=False, delay=1, bar_format=form) as bar:

        def progress(share: float) -> None:
            nonlocal told
            bar.update(share - bar.n)
            if bar.disable and time.monotonic() > told + _LINE_S:
                told = time.monotonic()
                print(f"ratings: {share:.0%} done", file=sys.stderr)

        return rate(scores, known, progress=progress)


def rate_files(arguments: argparse.Namespace) -> None:
    """``rate``: ratings from anyone's PGN."""
    games = [game for path in arguments.pgn for game in pgn.read_pgn(path)]
    print(rated_text(games, _chosen_anchors(arguments)))


def rated_text(games: Sequence[pgn.PgnGame], known: Mapping[str, float]) -> str:
    """All that PGN games say."""
    scores = pgn.scores(games)
    if not scores:
        raise MatchError("expected games with a result (1-0, 0-1 or 1/2-1/2), found none")
    ratings = _rated(scores, known)
    missing = [name for name in known if name not in LEVEL_ANCHORS and name not in {r.name for r in ratings}]
    if missing:
        raise MatchError(f"no player is called {missing[0]!r}; there are {', '.join(sorted(r.name for r in ratings))}")
    left_out = f", {len(games) - len(scores)} without a result left out" if len(scores) < len(games) else ""
    pairs = len({(frozenset((s.white, s.black)), s.pair) for s in scores})
    counted = f"{len(scores)} games in {pairs} opening pairs, {pgn.unique_games(games)} of them different{left_out}"
    return "\n\n".join([*_rating_parts(ratings, scores), counted])


def make_book(arguments: argparse.Namespace) -> None:
    """``book``: an opening book from the net's own games."""
    stockfish = find_stockfish()
    if stockfish is None:
        raise MatchError(f"expected Stockfish to judge the openings. {INSTALL_STOCKFISH}")
    evaluator = Evaluator(Net.open(find_net(arguments.net)))
    made = openings.make_book(evaluator, stockfish, lines=arguments.lines, plies=arguments.plies, seed=arguments.seed)
    lines = [" ".join(opening.moves) for opening in tqdm(made, total=arguments.lines, disable=None, leave=False)]
    name = evaluator.net.info.name
    head = f"# {len(lines)} openings of {arguments.plies} plies, drawn from the net {name} at T=1, level by Stockfish\n"
    write_text(arguments.out, head + "\n".join(lines) + "\n")
    print(f"{arguments.out}: {len(lines)} openings")


__all__ = [
    "Progress",
    "anchors",
    "best",
    "equality",
    "folder_games",
    "generate",
    "identity",
    "ladder",
    "make_book",
    "make_report",
    "rate_files",
    "robin",
    "verdict",
    "versus",
]
