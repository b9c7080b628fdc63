"""How many games a minute: bulk games of weakened players, and our sweep beside the paper's way, in one run.

    python -m benchmarks.match_speed [--net FILE] [--seconds N] [--out FILE]

Bulk: a population of Stockfish at depth 1 with stated weaknesses, in worker processes. Sweep: the same net, opponents and
openings, played one game at a time with 0.1 s a move (the paper's protocol) and then as ``match sweep`` does. Knows how to
count; plays with the real runner. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.measuring import heading, run
from engine.machine import cores
from match.play.game import Played, Rules
from match.play.openings import load_openings
from match.play.results import Results
from match.play.runner import play
from match.play.schedule import SWEEP_TEMPERATURES, Fixture, fixtures, gauntlet, round_robin
from match.players.at_board import SpecPlayer
from match.players.engine import engine_spec
from match.players.interface import Player
from match.players.population import PlayerFactory, distinct
from match.players.stockfish import stockfish_level
from match.players.weakness import Weakness

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "results" / "matches" / "speed.txt"
LEVELS = (0, 1, 2, 3, 4, 5)


def rate_of(
    players: Sequence[Player], schedule: Sequence[Fixture], *, at_once: int, workers: int, seconds: float
) -> tuple[float, int, float]:
    """Games a second, games and mean plies, of as much of the schedule as ends in that time."""
    ended: list[Played] = []
    began = time.monotonic()

    def stop(game: Played) -> bool:
        ended.append(game)
        return time.monotonic() > began + seconds

    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(folder))
        try:
            play(schedule, distinct(players), results=results, at_once=at_once, workers=workers, rules=Rules(), report=stop)
        finally:
            results.close()
    passed = time.monotonic() - began
    for player in players:
        player.close()
    return len(ended) / passed, len(ended), sum(game.plies for game in ended) / len(ended)


def bulk_players(error: str) -> list[Player]:
    """Eight experts of one kind."""
    return [
        SpecPlayer(engine_spec(f"{error} {p}", ["stockfish"], "depth=1", weaknesses=[Weakness(error, p)]))
        for p in (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
    ]


def bulk(error: str, seconds: float) -> str:
    """A line: games a second of a round robin."""
    players = bulk_players(error)
    schedule = fixtures(round_robin([p.name for p in players]), load_openings(), games=400, seed=1)
    workers = cores()
    before = _processor_s()
    per_second, games, plies = rate_of(players, schedule, at_once=1, workers=workers, seconds=seconds)
    return (
        f"bulk, Stockfish at depth 1, weakness {error:8} {per_second:6.1f} games/s with {workers} workers; "
        f"{games / (_processor_s() - before):.1f} games a processor second ({games} games of {plies:.0f} plies, start included)"
    )


def _processor_s() -> float:
    """Of this process, and of the workers and engines that have ended: on a busy machine the fairer clock."""
    return sum(who.ru_utime + who.ru_stime for who in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def sweep(net: str | None, seconds: float) -> Iterator[str]:
    """Lines: the paper's way, ours, and their ratio."""

    def rate_as(level: Callable[[PlayerFactory, int], Player], at_once: int) -> tuple[float, int, float]:
        makes = PlayerFactory(asking_threads=cores())
        heroes: list[Player] = [makes.net(net, t) for t in SWEEP_TEMPERATURES]
        others = [level(makes, number) for number in LEVELS]
        pairings = gauntlet([p.name for p in heroes], [p.name for p in others])
        schedule = fixtures(pairings, load_openings(), games=20, seed=1)
        return rate_of([*heroes, *others], schedule, at_once=at_once, workers=1, seconds=seconds)

    slow = rate_as(lambda _, number: SpecPlayer(stockfish_level(number, limit="movetime=100")), 1)
    fast = rate_as(lambda makes, number: makes.at_board(stockfish_level(number)), 64)
    for name, (per_second, games, plies) in (("one at a time, 0.1 s a move", slow), ("side by side, depth L + 1", fast)):
        yield f"sweep, {name:30} {60 * per_second:7.1f} games/min ({games} games of {plies:.0f} plies)"
    by_plies = fast[0] * fast[2] / (slow[0] * slow[2])
    yield f"ratio {fast[0] / slow[0]:.1f} (bar: 20); by plies, for short games end first: {by_plies:.1f}"


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--net", help="the net, an .onnx file (default: the one that ships)")
    options.add_argument("--seconds", type=float, default=60.0, help="for each way (default: %(default)s)")
    options.add_argument("--out", type=Path, default=OUT)
    return options


def main(argv: Sequence[str] | None = None) -> None:
    """Print the figures, and keep them in a file."""
    arguments = parser().parse_args(argv)
    lines: list[str] = []

    def tell(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "?"
    tell(f"{heading()}, load before: {load}")
    for error in ("random", "softmax"):
        tell(bulk(error, arguments.seconds))
    try:
        for line in sweep(arguments.net, arguments.seconds):
            tell(line)
    finally:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
