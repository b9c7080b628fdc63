"""How fast games become training batches, and in what memory: each figure beside its yardstick, in one run.

    python -m benchmarks.data_bench [--games N] [--store STORE] [--out FILE]

Makes its own games in the form of a Lichess dump (clock and evaluation behind every move). Knows how to time; asks the
real commands. Work of one process is counted in its processor seconds, so that a busy machine disturbs little; what two
processes gain is given in wall seconds and means something on a quiet machine only.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import chess
import chess.pgn
import numpy as np
import torch
from torch.nn import functional

from benchmarks.measuring import heading, in_turns, keep, run
from training.batches.replay import board_codes, replay
from training.batches.rows import RowReader
from training.config import DataConfig, ModelConfig
from training.data.ingest import ingest
from training.data.store import Shard, Store, open_store
from training.net.model import Transformer
from training.run.validation import inputs_of

ROOT = Path(__file__).parents[1]
_CUTS = 40  # games made of one random game by leaving its last plies away: playing takes longer than reading
_MEASURED = """
import resource, sys, time
from training.data.__main__ import main
begin = time.perf_counter()
main(sys.argv[1:])
wall = time.perf_counter() - begin
own, readers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(wall, own.ru_utime + own.ru_stime + readers.ru_utime + readers.ru_stime, peak, readers.ru_maxrss)
"""
_TAGS = """[Event "Rated Blitz game"]
[Site "https://lichess.org/{name}"]
[Date "2017.04.01"]
[Round "-"]
[White "player{name}"]
[Black "another{name}"]
[Result "{result}"]
[UTCDate "2017.04.01"]
[UTCTime "11:32:01"]
[WhiteElo "{white}"]
[BlackElo "{black}"]
[WhiteRatingDiff "+5"]
[BlackRatingDiff "-5"]
[ECO "B30"]
[Opening "Sicilian Defense: Old Sicilian"]
[TimeControl "300+3"]
[Termination "Normal"]

"""


def words_of_a_game(random: np.random.Generator) -> list[str]:
    """Random moves with number, evaluation and clock, one word a ply."""
    board, words = chess.Board(), []
    for _ in range(int(random.integers(40, 140))):
        legal = list(board.legal_moves)
        if not legal:
            break
        number = f"{board.fullmove_number}{'.' if board.turn else '...'}"
        san = board.san_and_push(legal[int(random.integers(len(legal)))])
        words.append(f"{number} {san} {{ [%eval {random.integers(-500, 500) / 100}] [%clk 0:0{random.integers(5)}:00] }}")
    return words


def write_games(path: Path, count: int, *, seed: int = 1) -> None:
    """A PGN file of ``count`` different games: some random ones, each also with its last plies left away."""
    random = np.random.default_rng(seed)
    base = [words_of_a_game(random) for _ in range(-(-count // _CUTS))]
    with path.open("w", encoding="ascii") as out:
        for n in range(count):
            words, cut = base[n % len(base)], n // len(base)
            white, black = random.integers(800, 2400, size=2)
            result = ("1-0", "0-1", "1/2-1/2")[n % 3]
            kept = words[: max(len(words) - cut, 20)]
            out.write(_TAGS.format(name=f"g{n}", result=result, white=white, black=black) + " ".join(kept) + f" {result}\n\n")


def processor_seconds(task: Callable[[], object]) -> float:
    """Seconds of this process's processor time that ``task`` takes."""
    begin = time.process_time()
    task()
    return time.process_time() - begin


def ingest_speeds(pgn: Path, games: int, folder: Path) -> tuple[float, float]:
    """Games a second by our ingest, PGN to store, and by chess.pgn.read_game, of the same file."""
    some, numbers = min(300, games), itertools.count()

    def ours() -> float:
        return games / processor_seconds(lambda: ingest([pgn], folder / f"speed-{next(numbers)}"))

    def python_chess() -> float:
        with pgn.open(encoding="utf-8") as lines:
            return some / processor_seconds(lambda: [chess.pgn.read_game(lines) for _ in range(some)])

    ours_per_s, theirs_per_s = in_turns(3, ours, python_chess)
    return ours_per_s, theirs_per_s


@dataclass(frozen=True)
class Run:
    """One run of the ingest command in an interpreter of its own."""

    wall_s: float
    processor_s: float
    """Of all its processes."""
    peak_mb: float
    """Of the process that writes, plus the largest reader's as often as there are readers."""


def run_ingest(pgn: Path, out: Path, processes: int) -> Run:
    """Ingest by the real command. Linux only, for the memory: a fresh process's ru_maxrss still counts its parent's."""
    command = [sys.executable, "-c", _MEASURED, "ingest", str(pgn), "--out", str(out), "--processes", str(processes)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    wall, processor, own_kb, reader_kb = map(float, done.stdout.split()[-4:])
    return Run(wall, processor, (own_kb + (processes * reader_kb if processes > 1 else 0)) / 1024)


def replay_speeds(shard: Shard, games: int) -> tuple[float, float]:
    """Plies a second of replaying some games at once: boards and state alone, and with attacks."""
    offsets = np.asarray(shard.offsets[: games + 1])
    moves = np.asarray(shard.moves[: offsets[-1]])
    first = np.flatnonzero(shard.games["start"][:games] >= 0)
    if len(first):
        raise SystemExit("the store's first games must begin at the initial position")
    boards, attacks = in_turns(
        7,
        lambda: processor_seconds(lambda: replay(moves, offsets)),
        lambda: processor_seconds(lambda: board_codes(replay(moves, offsets).pieces, "attacks")),
    )
    return len(moves) / boards, len(moves) / attacks


def loader_speed(store: Store, model: ModelConfig, plies: int) -> float:
    """Plies a second of the trainer's reader: games picked at random, replayed, packed and mixed into rows."""
    data = DataConfig(streams=1)

    def chunks() -> Iterator[float]:
        reader = RowReader(store, data, model, seed=1)
        done = 0
        while done < plies:
            begin = time.process_time()
            rows = reader.rows(256)  # some fraction of a chunk, so whole chunks are timed with what they cost
            done += rows.targets.size
            yield time.process_time() - begin

    times = list(chunks())
    return len(times) * 256 * model.context / sum(times)


def step_speed(store: Store, model: ModelConfig) -> tuple[float, float]:
    """Plies a second of one forward and backward pass on one core, and millions of parameters."""
    torch.set_num_threads(1)
    net = Transformer(model)
    rows = RowReader(store, DataConfig(streams=1), model, seed=1).rows(16)

    def step() -> None:
        logits, wdl = net(*inputs_of(rows, torch.device("cpu")))
        loss = functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), torch.from_numpy(rows.targets).reshape(-1))
        loss += functional.cross_entropy(wdl.reshape(-1, 3), torch.from_numpy(rows.results).reshape(-1))
        loss.backward()  # type: ignore[no-untyped-call]

    step()
    seconds = statistics.median(processor_seconds(step) for _ in range(4))
    return rows.targets.size / seconds, sum(p.numel() for p in net.parameters()) / 1e6


def report(games: int, store: Path | None) -> str:
    """All figures as text."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, big = folder / "small.pgn", folder / "big.pgn"
        write_games(small, games)
        write_games(big, 10 * games, seed=2)
        ours, theirs = ingest_speeds(small, games, folder)
        few = run_ingest(small, folder / "s", 1)
        one, two = (run_ingest(big, folder / f"b{n}", n) for n in (1, 2))
        opened = open_store(store or folder / "b1")
        boards, attacks = replay_speeds(opened.shards[0], min(1024, opened.games))
        small_net = ModelConfig(layers=4, width=160, heads=5)
        loader = loader_speed(opened, small_net, 1_000_000)
        loader_sum = loader_speed(opened, ModelConfig(board_input="sum"), 1_000_000)
        step, parameters = step_speed(opened, small_net)
        megabytes, megabytes_big = small.stat().st_size / 1e6, big.stat().st_size / 1e6
    lines = [
        f"{time.strftime('%Y-%m-%d')}, {_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, "
        f"Python {sys.version.split()[0]}, numpy {np.__version__}",
        f"{10 * games:,} games of random moves in the form of a Lichess dump, {megabytes_big:,.0f} MB; the small file: "
        f"{megabytes:,.0f} MB" + (f"; replay and loader on a store of {opened.games:,} games" if store else ""),
        "",
        f"ingest, one process          {ours:,.0f} games/s; chess.pgn.read_game {theirs:,.0f}: {ours / theirs:.1f} x "
        "(bar: 25 x)",
        f"ingest, wall                 one process {10 * games / one.wall_s:,.0f} games/s, two {10 * games / two.wall_s:,.0f}: "
        f"{one.wall_s / two.wall_s:.2f} x (bar: 1.6 x, on two free cores)",
        f"ingest, processor            one process {one.processor_s:.1f} s, two {two.processor_s:.1f} s in all: at most "
        f"{2 * one.processor_s / two.processor_s:.2f} x on two free cores",
        f"peak memory                  {few.peak_mb:.0f} MB, {one.peak_mb:.0f} MB for the large file (bar: 400 MB); "
        f"writer and two readers {two.peak_mb:.0f} MB",
        f"replay, 1,024 games at once  {boards:,.0f} plies/s (bar: 400,000), with attacks {attacks:,.0f} (bar: 60,000)",
        f"training loader              {loader:,.0f} plies/s with attacks (bar: 200,000), {loader_sum:,.0f} with boards alone",
        f"a step at {parameters:.1f} M parameters   {step:,.0f} plies/s forward and backward on one core: the loader is "
        f"{step / loader:.1%} of it (bar: 5 %)",
    ]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor")


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(description="Ingest, memory, replay and the training loader.")
    options.add_argument("--games", type=int, default=20_000, help="in the small file; the big one has ten times as many")
    options.add_argument("--store", type=Path, help="replay and load these games instead of the made ones")
    options.add_argument("--out", type=Path, help="also write the figures here")
    return options


def main() -> None:
    """Measure, print, and write where told."""
    arguments = parser().parse_args()
    text = report(arguments.games, arguments.store)
    keep(f"{heading()}\n{text}", arguments.out)


if __name__ == "__main__":
    run(main)
