"""What each choice of the trainer is worth: equal time or equally many plies for every setting, several seeds, one table.

    python -m benchmarks.choices STORE [--steps 64] [--equal time] [--seeds 2] [--only laptop sum] [--out FILE]

Short runs mislead: what is worth 0.15 nats after 80 steps may be worth 0.01 after 600. So take --steps 600 where it matters.

Equal time, on a machine that others use too: how many plies a second each setting reads is first measured in turns, then
each setting trains for as many steps as it gets done while the reference does ``--steps``. The same command again resumes.
Knows settings and how to start the trainer; what a run reached it reads by ``training.evaluation.curves``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.measuring import heading, keep, run
from engine.errors import ConfigError
from engine.files import write_text
from training.config import load_preset
from training.data.store import Store, open_store
from training.evaluation.curves import curves_table, read
from training.run import metrics_file
from training.run.loop import Processes, Trainer, keep_freed_memory

REFERENCE = "laptop"
_NO_PAIRS = ("model.move_rank=0", "model.checks=false")
_SIX_BLOCKS = ("model.layers=6", "model.width=256", "model.heads=4")
SETTINGS: dict[str, tuple[str, ...]] = {
    REFERENCE: (),
    "first-generation": (*_SIX_BLOCKS, *_NO_PAIRS),
    "no-pairs": _NO_PAIRS,
    "rank-16": ("model.move_rank=16",),
    "rank-128": ("model.move_rank=128",),
    "no-checks": ("model.checks=false",),
    "shared-rows": ("model.own_rows=false",),
    "shared-6x320": ("model.own_rows=false", "model.layers=6"),
    "shared-4x384": ("model.own_rows=false", "model.width=384", "model.heads=6"),
    "6x256": _SIX_BLOCKS,
    "5x320": ("model.layers=5",),
    "wdl-0.3": ("optimizer.wdl_weight=0.3",),
    "wdl-0.6": ("optimizer.wdl_weight=0.6",),
    "none": ("model.board_input=none", *_NO_PAIRS),
    "sum": ("model.board_input=sum",),
    "conv": ("model.board_input=conv",),
    "squares": ("model.board_input=squares",),
    "adamw-0.001": ("optimizer.kind=adamw", "optimizer.adam_lr=0.001"),
    "adamw-0.003": ("optimizer.kind=adamw", "optimizer.adam_lr=0.003"),
    "adamw-0.01": ("optimizer.kind=adamw", "optimizer.adam_lr=0.01"),
    "no-wdl": ("optimizer.wdl_weight=0",),
    "no-ratings": ("model.rating_input=false",),
    "weights-200": ("data.rating_doubling=200",),
    "ema-0.98": ("optimizer.ema=0.98",),
    "batch-4096": ("data.batch_plies=4096",),
    "batch-2048": ("data.batch_plies=2048",),
}
"""Name -> what differs from the reference, the preset ``laptop``."""
_COMMON = ("run.minutes=0", "run.compile=off", "run.log_every=5", "run.validation_plies=40000")


def changes(name: str, steps: int) -> list[str]:
    """The changes of a setting to the preset, as ``--set`` takes them."""
    return [*_COMMON, f"run.steps={steps}", *SETTINGS[name]]


def plies_per_second(store: Store, names: list[str], *, rounds: int = 4) -> dict[str, float]:
    """Plies a processor second on one thread, measured in turns so that a busy moment hits all; median of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        trainers = {name: _trainer(store, name, Path(folder) / name) for name in names}
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for i in range(rounds + 1):
            for name, trainer in trainers.items():
                began = time.process_time()
                trainer._train_step(0.5)
                if i:  # the first is slow: memory, chunk of games
                    seconds[name].append(time.process_time() - began)
    plies = {name: trainer.rows_a_step * trainer.config.model.context for name, trainer in trainers.items()}
    return {name: plies[name] / statistics.median(seconds[name]) for name in names}


def _trainer(store: Store, name: str, folder: Path) -> Trainer:
    config = load_preset("laptop", changes(name, 100))
    return Trainer(config, store, folder=folder, processes=Processes(), device=torch.device("cpu"))


def steps_of(name: str, speeds: dict[str, float], reference_steps: int, *, timed: bool = True) -> int:
    """Steps of a setting in the time that the reference needs for ``reference_steps``, or those for as many plies."""
    batch = {n: load_preset("laptop", changes(n, 1)).data.batch_plies for n in (name, REFERENCE)}
    plies = reference_steps * batch[REFERENCE] * (speeds[name] / speeds[REFERENCE] if timed else 1)
    return max(1, round(plies / batch[name]))


Job = tuple[str, Sequence[str], int, int]
"""A run: its name, its changes to the preset, its steps, its seed."""


def run_all(store: Path, out: Path, jobs: Sequence[Job], *, at_once: int) -> None:
    """Train the runs that are not finished, each on one thread, so many side by side; NAME of seed S is OUT/NAME-seedS."""
    running: list[tuple[str, subprocess.Popen[bytes]]] = []
    left: list[Job | None] = [job for job in jobs if not is_finished(out / f"{job[0]}-seed{job[3]}", steps=job[2])]
    try:
        for job in [*left, *[None] * at_once]:
            if len(running) == at_once or (job is None and running):
                before, process = running.pop(0)
                if process.wait():
                    raise ConfigError(f"the run {before} failed; see above")
            if job is not None:
                name, changed, _, seed = job
                running.append((f"{name}-seed{seed}", _started(store, out / f"{name}-seed{seed}", changed, seed=seed)))
    finally:
        for _, process in running:
            process.terminate()  # it saves what it has


def _started(store: Path, out: Path, changed: Sequence[str], *, seed: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "training.train", str(store), "--preset", "laptop", "--seed", str(seed), "--out", str(out)]
    command += ["--processes", "1", "--threads", "1", *(word for change in changed for word in ("--set", change))]
    return subprocess.Popen(command)


def is_finished(run: Path, *, steps: int) -> bool:
    """Whether a run has been validated after its last step."""
    if not (run / metrics_file.METRICS).is_file():
        return False
    return any(line["kind"] == "validation" and line["step"] == steps for line in metrics_file.read(run)[-1:])


def speeds_of(store: Path, out: Path, names: list[str]) -> dict[str, float]:
    """The measured speeds, from the file of an earlier start with the same settings or from measuring now."""
    path = out / "speeds.json"
    names = sorted({REFERENCE, *names})
    speeds: dict[str, float] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if not set(names) <= speeds.keys():
        keep_freed_memory()
        torch.set_num_threads(1)
        out.mkdir(parents=True, exist_ok=True)
        speeds = plies_per_second(open_store(store), names)  # all of them in turns: old figures were of another moment
        write_text(path, json.dumps(speeds, indent=1) + "\n")
    return speeds


def report(store: Path, out: Path, names: list[str], speeds: dict[str, float], *, length: str) -> str:
    """The table, what each name changes, and the speeds behind the equal times."""
    runs = sorted(run for name in names for run in out.glob(f"{name}-seed*"))
    lines = [
        f"{store.name}: every setting {length} on one thread; spread = half the range over the seeds.",
        "Each is `bin/train STORE --preset laptop` with:",
        *(f"  {name:12} {speeds[name]:6.0f} plies/s   {' '.join('--set ' + c for c in SETTINGS[name])}" for name in names),
    ]
    return "\n".join([curves_table(read(runs)), "", *lines]) + "\n"


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(description="What each choice of the trainer is worth, at equal time.")
    options.add_argument("store", type=Path)
    options.add_argument("--runs", type=Path, default=Path("runs/choices"))
    options.add_argument("--steps", type=int, default=64, help="of the reference, the preset laptop")
    options.add_argument("--equal", choices=("time", "plies"), default="time", help="what all settings get as much of")
    options.add_argument("--seeds", type=int, default=2)
    options.add_argument("--only", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    options.add_argument("--at-once", type=int, default=2, help="runs side by side, a thread each")
    options.add_argument("--compile", action="store_true", help="compile every run: faster where one takes 10 minutes or more")
    options.add_argument("--speeds", action="store_true", help="only measure how many plies a second each setting reads")
    options.add_argument("--out", type=Path, help="also write the table here")
    return options


def main() -> None:
    """Measure, train, print, and write where told."""
    arguments = parser().parse_args()
    speeds = speeds_of(arguments.store, arguments.runs, arguments.only)
    if arguments.speeds:
        keep(f"{heading()}\n{speed_table(speeds, arguments.only)}", arguments.out)
        return
    timed = arguments.equal == "time"
    steps = {n: steps_of(n, speeds, arguments.steps, timed=timed) for n in arguments.only}
    more = ["run.compile=on"] if arguments.compile else []
    jobs = [(n, changes(n, steps[n]) + more, steps[n], seed) for n in arguments.only for seed in range(1, arguments.seeds + 1)]
    run_all(arguments.store, arguments.runs, jobs, at_once=arguments.at_once)
    length = (
        f"in the time that the preset laptop needs for {arguments.steps} steps"
        if timed
        else f"for as many plies as {arguments.steps} steps of the preset laptop have"
    )
    text = report(arguments.store, arguments.runs, arguments.only, speeds, length=length)
    keep(f"{heading()}\n{text}", arguments.out)


def speed_table(speeds: dict[str, float], names: list[str]) -> str:
    """Each setting's plies a processor second, and beside the first one's."""
    rows = (f"{name:18} {speeds[name]:6.0f}  {speeds[name] / speeds[names[0]]:5.2f}" for name in names)
    return "\n".join(["setting          plies/s  to the first (one thread, not compiled, in turns)", *rows]) + "\n"


if __name__ == "__main__":
    run(main)
