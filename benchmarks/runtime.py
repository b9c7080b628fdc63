"""How fast the engine starts, replies and batches, and what memory it takes: each figure beside its yardstick, in one run.

    python -m benchmarks.runtime [--net NET] [--out FILE]

Knows how to time; asks the real engine process and the real net. Run it on a quiet machine. Every ratio is of two things
measured alternately in this same run, so it means something on another machine too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import chess
import numpy as np

from benchmarks.measuring import heading, in_turns, keep, run
from benchmarks.paper_way import CharModel
from engine.inference.evaluator import Evaluator, Request
from engine.net import Net, Outputs, Past, Tokens, find_net
from engine.uci.player import Opened, UciPlayer
from engine.uci.protocol import BestMove, Go, Position, Reply, parse
from engine.uci.session import Search

ROOT = Path(__file__).parents[1]
_BARE = "import chess, numpy, onnxruntime as o; s = o.SessionOptions(); s.intra_op_num_threads = 1; o.InferenceSession({!r}, s)"


def timed(task: Callable[[], object]) -> float:
    """Seconds that ``task`` takes."""
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


def python(code: str) -> float:
    """Seconds of a fresh interpreter that runs ``code`` to its end."""
    return timed(lambda: subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True))


class Engine:
    """The engine as a process, as a GUI starts it."""

    def __init__(self, net: Path) -> None:
        command = [sys.executable, "-m", "engine", "--model", str(net)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, *lines: str, until: str) -> None:
        """Send lines, read to the line that begins with ``until``."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("".join(f"{line}\n" for line in lines))
        self._process.stdin.flush()
        while not self._process.stdout.readline().startswith(until):
            pass

    def resident_mb(self) -> float:
        """Memory in use now; Linux only."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def quit(self) -> None:
        """End it."""
        self._process.communicate("quit\n", timeout=10)


def start(net: Path, *, until_ready: bool) -> float:
    """Seconds from starting the process to ``uciok``, or to ``readyok``."""
    started = time.perf_counter()
    engine = Engine(net)
    engine.ask("uci", until="uciok")
    if until_ready:
        engine.ask("isready", until="readyok")
    seconds = time.perf_counter() - started
    engine.quit()
    return seconds


class Timed:
    """A net that remembers how long it was at work."""

    def __init__(self, net: Net) -> None:
        self._net, self.info, self.seconds = net, net.info, 0.0

    def run(self, tokens: Tokens, past: Past) -> Outputs:
        started = time.perf_counter()
        outputs = self._net.run(tokens, past)
        self.seconds += time.perf_counter() - started
        return outputs


def random_game(plies: int, *, seed: int) -> chess.Board:
    """A game of random moves, not over."""
    random = np.random.default_rng(seed)
    while True:
        board = chess.Board()
        while len(board.move_stack) < plies and not board.is_game_over():
            board.push(list(board.legal_moves)[int(random.integers(board.legal_moves.count()))])
        if len(board.move_stack) == plies and not board.is_game_over():
            return board


def reply_seconds(net: Net, *, plies: int, repeats: int) -> tuple[float, float]:
    """Median seconds of an evaluation ``plies`` into a game: two new plies on a warm cache, and without a cache."""
    evaluator = Evaluator(net, hash_mb=0)
    board = random_game(plies, seed=1)
    before = board.copy()
    before.pop()
    before.pop()

    def warm() -> float:
        cache = evaluator.new_game()
        evaluator.evaluate([Request(before, cache)])
        return timed(lambda: evaluator.evaluate([Request(board, cache)]))

    def cold() -> float:
        return timed(lambda: evaluator.evaluate([Request(board, evaluator.new_game())]))

    with_cache, without = in_turns(repeats, warm, cold)
    return with_cache, without


def outside_seconds(net: Net, *, games: int) -> tuple[float, float]:
    """Median seconds of one UCI reply in a game, inside the ONNX call and outside: parsing, rules, sampling, printing."""
    timed_net = Timed(net)
    evaluator = Evaluator(timed_net)  # type: ignore[arg-type]
    replies: list[Reply] = []
    opened = Opened(evaluator, "", lambda: evaluator)
    player = UciPlayer(replies.append, lambda search: None, opener=lambda settings: opened)
    inside, outside = [], []
    random = np.random.default_rng(1)
    for _ in range(games):
        board, moves = chess.Board(), list[str]()
        while len(moves) < 100 and not board.is_game_over():
            board.push(list(board.legal_moves)[int(random.integers(board.legal_moves.count()))])
            moves.append(board.peek().uci())
            if board.is_game_over():
                break
            text = f"position startpos moves {' '.join(moves)}"
            before = timed_net.seconds
            started = time.perf_counter()
            position, go = parse(text), parse("go wtime 60000 btime 60000")
            assert isinstance(position, Position)
            assert isinstance(go, Go)
            player.perform(position)
            player.perform(Search(go))
            total = time.perf_counter() - started
            inside.append(timed_net.seconds - before)
            outside.append(total - inside[-1])
            best = replies[-1]
            assert isinstance(best, BestMove)
            moves.append(str(best.move))
            board.push_uci(moves[-1])
    return statistics.median(inside), statistics.median(outside)


def plies_per_second(net: Net, *, batch: int, turns: int) -> float:
    """Evaluated positions a second of ``batch`` games that advance together by two plies a turn."""
    evaluator = Evaluator(net, hash_mb=0)
    random = np.random.default_rng(2)
    boards = [chess.Board() for _ in range(batch)]
    caches = [evaluator.new_game() for _ in boards]
    seconds, asked = 0.0, 0
    for turn in range(turns + 1):
        for board in boards:
            for _ in range(2):
                if not board.is_game_over():
                    board.push(list(board.legal_moves)[int(random.integers(board.legal_moves.count()))])
        live = [i for i, board in enumerate(boards) if not board.is_game_over()]
        took = timed(lambda live=live: evaluator.evaluate([Request(boards[i], caches[i]) for i in live]))  # type: ignore[misc]
        if turn:  # the first finds everything cold
            seconds, asked = seconds + took, asked + len(live)
    return asked / seconds


def memory(net: Path, *, games: int) -> tuple[float, float]:
    """Resident MB of the engine after ten games of 120 plies, and how much it grew over ``games`` more."""
    engine = Engine(net)
    engine.ask("uci", "isready", until="readyok")

    def game(number: int) -> None:
        whole = [move.uci() for move in random_game(120, seed=number).move_stack]
        engine.ask("ucinewgame", "isready", until="readyok")
        for ply in range(1, 121, 2):
            engine.ask(f"position startpos moves {' '.join(whole[:ply])}", "go wtime 60000 btime 60000", until="bestmove")

    for number in range(10):
        game(number)
    first = engine.resident_mb()
    for number in range(10, 10 + games):
        game(number)
    grown = engine.resident_mb() - first
    engine.quit()
    return first, grown


def report(net_path: Path) -> str:
    """All figures as text."""
    net = Net.open(net_path, threads=1)
    repeats = 15
    code = _BARE.format(str(net_path))
    bare, uciok, opening, ready = in_turns(
        repeats,
        lambda: python("pass"),
        lambda: start(net_path, until_ready=False),
        lambda: python(code),
        lambda: start(net_path, until_ready=True),
    )
    warm, cold = reply_seconds(net, plies=80, repeats=31)
    inside, outside = outside_seconds(net, games=6)
    two_threads = Net.open(net_path, threads=2)
    one, many = in_turns(5, *(lambda batch=batch: plies_per_second(two_threads, batch=batch, turns=60) for batch in (1, 64)))
    resident, grown = memory(net_path, games=200)
    paper = CharModel(net.info, seed=1)
    paper_move = statistics.median(paper.move_seconds(plies=80) for _ in range(5))
    paper_start = statistics.median(python("import chess, torch; import benchmarks.paper_way") for _ in range(5))
    size = net_path.stat().st_size / 1e6
    rows = {
        "start to uciok": f"{uciok:.3f} s; python -c pass {bare:.3f} s: {uciok - bare:+.3f} s (bar: +0.150 s)",
        "start to readyok": f"{ready:.3f} s; bare imports and session {opening:.3f} s: {ready / opening:.2f} x (bar: 1.3 x)",
        "reply 80 plies in": f"{1e3 * warm:.2f} ms; without cache {1e3 * cold:.2f} ms: 1/{cold / warm:.1f} (bar: 1/5)",
        "UCI reply, median": f"{1e3 * inside:.2f} ms in ONNX, {1e3 * outside:.2f} ms outside (bar: 1 ms)",
        "positions/s, 2 threads": f"{one:.0f} one by one, {many:.0f} at batch 64: {many / one:.1f} x (bar: 8 x)",
        "memory in a game": f"{resident:.0f} MB (bar: 250 MB), {grown:+.1f} MB after 200 more games (bar: +5 MB)",
        f"paper's way, {paper.size / 1e6:.1f} M": f"{1e3 * paper_move:.0f} ms a move 80 plies in "
        f"({paper_move / warm:.0f} x ours), start {paper_start:.2f} s ({paper_start / ready:.1f} x ours)",
    }
    head = f"net {net.info.name} ({net.info.precision}, {net.info.board_input}, {size:.1f} MB), {heading()}"
    lines = [head, "", *(f"{name:26}{value}" for name, value in rows.items())]
    return "\n".join(lines) + "\n"


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(description="Start, reply, batch and memory of the engine.")
    options.add_argument("--net", help="an .onnx file (default: the net that ships)")
    options.add_argument("--out", type=Path, help="also write the figures here")
    return options


def main() -> None:
    """Measure, print, and write where told."""
    arguments = parser().parse_args()
    text = report(find_net(arguments.net))
    keep(text, arguments.out)


if __name__ == "__main__":
    run(main)
