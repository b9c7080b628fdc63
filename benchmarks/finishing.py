"""Whether the search finishes what is won: mates in one and in two, king and queen or rook against a bare king.

    python -m benchmarks.finishing [--net FILE] [--nodes N] [--endgames N] [--workers N] [--out FILE]

Mates in one are the positions of ``bin/match sanity``, mates in two (Stockfish's, from games of this project's players) those
of tests/engine/search/mates_in_two.txt. A mate in two counts if the move played is one that mates in two, whatever is replied.
Endgames are played to their end against Stockfish at depth 6. Knows how to count; searches as ``bin/match`` does.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import chess

from benchmarks.measuring import heading, keep, run
from engine.machine import cores
from engine.net_file import find_net
from engine.search.mates import always_mates_next
from match.play.bulk import play_bulk
from match.play.game import Played, Rules
from match.players.client import Engines
from match.players.engine import engine_spec
from match.players.interface import Spec, Turn
from match.players.searching import SearchSpec
from match.studies import boards, sanity

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "results" / "search" / "finishing.txt"
MATES_IN_TWO = ROOT / "tests" / "engine" / "search" / "mates_in_two.txt"
FEWEST = 2
"""Evaluations of the smallest search."""


def mates_in_two() -> list[chess.Board]:
    """Positions of which Stockfish says that the side to move mates in two, and not in one."""
    return [chess.Board(line) for line in MATES_IN_TWO.read_text(encoding="utf-8").splitlines()]


def mates_next(board: chess.Board, move: chess.Move) -> bool:
    """Whether the side that plays ``move`` mates with its next one, whatever is replied."""
    board = board.copy(stack=False)
    board.push(move)
    return always_mates_next(board)


def mate_rows(spec: SearchSpec, fewest: SearchSpec) -> Iterator[sanity.Row]:
    """Mates in one by the smallest search, mates in two by ``spec``."""
    engines = Engines()
    one = sanity.sorted_out(boards.read_examples(sanity.POSITIONS)).mates
    moves = [fewest.answer(Turn(i, board), engines) for i, board in enumerate(one)]
    given = sum(move in sanity.mating_moves(board) for board, move in zip(one, moves, strict=True))
    yield sanity.Row(f"mate in one, {fewest.nodes} evaluations", sanity.Share(given, len(one)))
    two = mates_in_two()
    moves = [spec.answer(Turn(i, board), engines) for i, board in enumerate(two)]
    given = sum(mates_next(board, move) for board, move in zip(two, moves, strict=True))
    yield sanity.Row(f"mate in two, {spec.nodes} evaluations", sanity.Share(given, len(two)))


def endgame_rows(spec: SearchSpec, *, count: int, workers: int, seed: int) -> tuple[list[sanity.Row], list[str]]:
    """Won endgames, and how those of each kind ended."""
    defender = engine_spec("Stockfish depth 6", ["stockfish"], "depth=6")
    starts = {kind: sanity.endgames(kind, count=count, seed=seed) for kind in sanity.ENDGAMES}
    schedule = sanity.schedule(spec.name, starts, ahead=[], defender=defender.name, opponent=defender.name)
    specs: dict[str, Spec] = {spec.name: spec, defender.name: defender}
    played: list[Played] = list(play_bulk(schedule, specs, workers=workers, rules=Rules()))
    rows = [sanity.conversion_row(played, kind, spec.name) for kind in starts]
    return rows, [f"{kind}: {sanity.endings(played, kind)}" for kind in starts]


def report(rows: Sequence[sanity.Row], notes: Sequence[str]) -> str:
    """For people."""
    lines = [f"{'':32}  share     95 % interval     n  moves to mate"]
    for row in rows:
        low, high = row.share.interval
        moves = "" if row.moves_to_mate is None else f"  {row.moves_to_mate:.1f}"
        lines.append(f"{row.name:32} {row.share.value:6.1%}  {low:6.1%} to {high:6.1%}  {row.share.of:4d}{moves}")
    return "\n".join([*lines, "", *notes, ""])


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--net", help="an ONNX file (default: the net that ships)")
    options.add_argument("--nodes", type=int, default=256, help="evaluations a move (default: %(default)s)")
    options.add_argument("--endgames", type=int, default=100, help="of each kind (default: %(default)s)")
    options.add_argument("--workers", type=int, default=cores(), help="processes (default: %(default)s)")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, default=OUT)
    return options


def main() -> None:
    """Measure, print and write."""
    arguments = parser().parse_args()
    file = find_net(arguments.net)
    of_net = functools.partial(SearchSpec, file=file, temperature=0.0, seed=arguments.seed)
    spec = of_net(f"{file.stem} nodes={arguments.nodes}", nodes=arguments.nodes)
    rows = list(mate_rows(spec, of_net(f"{file.stem} nodes={FEWEST}", nodes=FEWEST)))
    more, endings = endgame_rows(spec, count=arguments.endgames, workers=arguments.workers, seed=arguments.seed)
    notes = [f"net: {file.name}; Stockfish at depth 6 defends; intervals: Wilson; moves to mate: the net's own, mean", *endings]
    keep(f"{heading()}\n\n{report([*rows, *more], notes)}", arguments.out)


if __name__ == "__main__":
    run(main)
