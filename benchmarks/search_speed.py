"""How many positions a second the search evaluates on one core, what a move takes, and a reply beside another net's.

    python -m benchmarks.search_speed [--net NET] [--against NET] [--out FILE]

Searches begin at different lengths of a game that the net played against itself. Batched and one by one, and the two nets, are
measured in turns; seconds are processor time of this process, so a busy machine disturbs little. `transposed` is what a
table of positions could save. Knows how to time; searches as the engine does.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import chess
import numpy as np

from benchmarks.measuring import heading, in_turns, keep, run
from engine.inference.evaluation import Evaluation
from engine.inference.evaluator import Evaluator, Request
from engine.inference.game_cache import Players
from engine.inference.sampling import Sampling, choose
from engine.net import Net
from engine.net_file import find_net
from engine.search.leaves import NetLeaves
from engine.search.search import Limits, search
from engine.search.tree import Node, Tree

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "results" / "search" / "speed.txt"
PLIES = (8, 24, 40, 60, 80)
VISITS = 400
MOVES = (1, 4, 16, 64, 256, 1024)
"""Evaluations a move that are timed."""
_MEGABYTES = 64


class Counted:
    """``NetLeaves`` that counts what it evaluates."""

    def __init__(self, leaves: NetLeaves) -> None:
        self.leaves, self.evaluated = leaves, 0

    def __call__(self, nodes: Sequence[Node]) -> Sequence[Evaluation]:
        self.evaluated += len(nodes)
        return self.leaves(nodes)


def played(net: Net, *, plies: int, seed: int = 5) -> list[chess.Move]:
    """The moves of a game of that length of the net against itself at temperature 0.5."""
    evaluator, random = Evaluator(net), np.random.default_rng(seed)
    while True:
        board, cache = chess.Board(), evaluator.new_game()
        while board.ply() < plies and not board.is_game_over():
            evaluation = evaluator.evaluate([Request(board, cache)])[0]
            board.push(choose(evaluation, board, Sampling(temperature=0.5), random=random).move)
        if board.ply() == plies:
            return list(board.move_stack)


def after(moves: Sequence[chess.Move]) -> chess.Board:
    board = chess.Board()
    for move in moves:
        board.push(move)
    return board


@dataclass(frozen=True)
class Searched:
    """What one search did and took; what the game itself costs is left out."""

    visits: int
    evaluations: int
    seconds: float
    transposed: float
    """The share of evaluations spent on positions that the tree had by another order of moves, 0..1."""


def searched(net: Net, board: chess.Board, *, batch: int = 16, visits: int = VISITS) -> Searched:
    """A search with a tree of its own."""
    counted = Counted(NetLeaves(net, megabytes=_MEGABYTES))
    tree = Tree(board)
    root = counted.leaves.begin(board, Players(), tree.walk())
    for node in tree.gather(1):
        tree.learn(node, root)
    began = time.process_time()
    search(tree, counted, Limits(visits, batch=batch))
    return Searched(tree.root.visits, counted.evaluated, time.process_time() - began, transposed(tree))


def transposed(tree: Tree) -> float:
    """Of the positions that the net evaluated, the share that another line of the tree leads to as well, each but the first."""
    keys = [node.key for node in tree.walk() if node.wdl is not None and not node.ends]
    return 1 - len(set(keys)) / len(keys)


def speed_lines(net: Net, moves: Sequence[chess.Move]) -> list[str]:
    """A line for each length of the game, and one for all."""
    lines = [f"{'plies of the game':18}  {'visits':>6}  {'evaluations':>11}  {'a second':>8}  {'one by one':>10}  {'ratio':>5}"]
    total = np.zeros(5)
    for plies in PLIES:
        board = after(moves[:plies])
        many, single = searched(net, board, batch=16), searched(net, board, batch=1)
        total += many.visits, many.evaluations, many.seconds, single.evaluations, single.seconds
        fast, slowly = many.evaluations / many.seconds, single.evaluations / single.seconds
        lines.append(f"{plies:18}  {many.visits:6}  {many.evaluations:11}  {fast:8.0f}  {slowly:10.0f}  {fast / slowly:5.2f}")
    fast, slowly = total[1] / total[2], total[3] / total[4]
    lines.append(f"{'all':>18}  {total[0]:6.0f}  {total[1]:11.0f}  {fast:8.0f}  {slowly:10.0f}  {fast / slowly:5.2f}")
    return lines


def move_lines(net: Net, moves: Sequence[chess.Move]) -> list[str]:
    """What a move takes by its evaluations, the game's last plies read as well, which every reply begins with."""
    lines = [f"{'evaluations a move':18}  {'ms a move':>9}  {'transposed':>10}  means over {len(PLIES)} positions"]
    reply = 1e3 * reply_seconds(Evaluator(net, hash_mb=0), moves)
    for visits in MOVES:
        done = [searched(net, after(moves[:plies]), visits=visits) for plies in PLIES]
        spent = 1e3 * statistics.mean(one.seconds for one in done) * (visits > 1)
        again = statistics.mean(one.transposed for one in done)
        lines.append(f"{visits:18}  {reply + spent:9.1f}  {again:10.1%}")
    return lines


def reply_seconds(evaluator: Evaluator, moves: Sequence[chess.Move]) -> float:
    """Median of the replies to every second ply of a game."""
    board, cache, times = chess.Board(), evaluator.new_game(), list[float]()
    for number, move in enumerate(moves):
        board.push(move)
        if number % 2 == 0:
            began = time.process_time()
            evaluator.evaluate([Request(board, cache)])
            times.append(time.process_time() - began)
    return statistics.median(times)


def report(net: Net, against: Net | None) -> str:
    """All figures as text."""
    moves = played(net, plies=max(PLIES))
    lines = [
        f"net {net.info.name} ({net.info.precision}), {heading()}, one thread, processor time",
        "",
        *speed_lines(net, moves),
        "",
        *move_lines(net, moves),
    ]
    if against is not None:
        evaluators = [Evaluator(one, hash_mb=0) for one in (net, against)]
        own, other = in_turns(15, *(functools.partial(reply_seconds, evaluator, moves) for evaluator in evaluators))
        names = f"{against.info.path.name}, {against.info.path.stat().st_size / 1e6:.1f} MB"
        lines += ["", f"a reply, in turns: {1e3 * own:.2f} ms; {names}: {1e3 * other:.2f} ms; ratio {own / other:.2f}"]
    return "\n".join(lines) + "\n"


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(description="Speed of the search, and of a reply beside another net's.")
    options.add_argument("--net", help="an .onnx file (default: the net that ships)")
    options.add_argument("--against", type=Path, metavar="NET", help="another one, whose replies are timed in turns")
    options.add_argument("--out", type=Path, default=OUT)
    return options


def main() -> None:
    """Measure, print and write."""
    arguments = parser().parse_args()
    against = Net.open(arguments.against, threads=1) if arguments.against else None
    keep(report(Net.open(find_net(arguments.net), threads=1), against), arguments.out)


if __name__ == "__main__":
    run(main)
