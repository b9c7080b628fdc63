"""The command line of training: a data set and a preset in, a run's folder out.

Knows arguments, devices and how to start several processes. Does not know the loop itself (``training.loop``).
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import torch
import torch.distributed as dist

from engine.errors import TranscendenceError
from training import checkpoint
from training.batches import Packing
from training.config import BoardInput, Config, load_preset
from training.evaluate import Metrics
from training.loop import Processes, Trainer, describe, keep_freed_memory
from training.store import open_store


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/train``."""
    options = argparse.ArgumentParser(prog="train", description="Train a net on a token store.")
    options.add_argument("store", type=Path, help="token store made by bin/data")
    options.add_argument("--out", type=Path, required=True, help="the run's folder; a run found there goes on")
    options.add_argument("--preset", default="laptop", help="name of a preset, or a TOML file (default: laptop)")
    options.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="any setting, e.g. model.layers=8",
    )
    options.add_argument("--minutes", type=float, help="length of the run, instead of the preset's")
    options.add_argument("--steps", type=int, help="length in steps, instead of the preset's minutes")
    options.add_argument("--seed", type=int, help="seed of weights and game order")
    options.add_argument("--board-input", choices=get_args(BoardInput), help="instead of the preset's")
    options.add_argument("--max-rating", type=int, help="only games with no player above this rating")
    options.add_argument("--tensorboard", action="store_true", help="write the figures for TensorBoard too (an extra)")
    options.add_argument("--processes", type=int, default=0, help="processes on this machine (default: one a core on CPU)")
    options.add_argument("--threads", type=int, default=1, help="CPU threads a process")
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return options


def main(argv: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    arguments = parser().parse_args(argv)
    try:
        return _start(arguments, argv if argv is not None else sys.argv[1:])
    except TranscendenceError as error:
        print(f"train: {error}", file=sys.stderr)
        return 2


def _start(arguments: argparse.Namespace, argv: list[str]) -> int:
    device = _device(arguments.device)
    if "RANK" in os.environ:
        return _train(arguments, device, Processes(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = arguments.processes or (torch.cuda.device_count() if device == "cuda" else cores // arguments.threads)
    if processes <= 1:
        return _train(arguments, device, Processes())
    open_store(arguments.store)  # so that a missing store is one clear line, not one from every process
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
        "-m",
        "training.train",
    ]
    environment = {"OMP_NUM_THREADS": str(arguments.threads), "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run([*command, *argv], env=os.environ | environment, check=False).returncode


def _device(wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def _train(arguments: argparse.Namespace, device: str, processes: Processes) -> int:
    keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    if processes.world > 1:
        dist.init_process_group("nccl" if device == "cuda" else "gloo")
    place = torch.device(device, int(os.environ.get("LOCAL_RANK", 0))) if device == "cuda" else torch.device("cpu")
    try:
        metrics = _trained(arguments, place, processes)
        if processes.world > 1:
            dist.barrier()  # the first process validates a little longer; who leaves before it may abort it
    finally:
        if processes.world > 1:
            dist.destroy_process_group()
    if processes.first and metrics:
        print(f"{arguments.out}: {describe(metrics)}")
    return 0


def _trained(arguments: argparse.Namespace, device: torch.device, processes: Processes) -> Metrics | None:
    """Train to the end or to a stop. What holds the process group goes with this frame, as it must before the group does."""
    store = open_store(arguments.store)
    config = with_arguments(load_preset(arguments.preset, arguments.set), arguments)
    dataset = {"name": arguments.store.name, "games": store.games, "plies": store.plies, "fingerprint": store.fingerprint()}
    if processes.first:
        checkpoint.start(arguments.out, config, dataset=dataset)
    trainer = Trainer(config, store, folder=arguments.out, processes=processes, device=device)
    if processes.first:
        packing = trainer.reader.packing()
        checkpoint.note(arguments.out, packing=dataclasses.asdict(packing))
        print(_beginning(trainer, processes, device.type, packing), file=sys.stderr)
    return trainer.run()


def _beginning(trainer: Trainer, processes: Processes, device: str, packing: Packing) -> str:
    how = str(trainer.precision).removeprefix("torch.") + (", compiled" if trainer.compiled else "")
    size = f"{trainer.parameters:,} parameters, {trainer.reader.games:,} games"
    rows = f"no padding, {packing.read_again:.1%} of plies read again, {packing.left_out:.1%} left out"
    return f"{size}, {processes.world} process(es) on {device} ({how}), {rows}, from step {trainer.step}"


def with_arguments(config: Config, arguments: argparse.Namespace) -> Config:
    """``config`` with what the command line says instead."""
    run, model, data = config.run, config.model, config.data
    if arguments.steps:
        run = dataclasses.replace(run, steps=arguments.steps, minutes=0.0)
    if arguments.minutes:
        run = dataclasses.replace(run, minutes=arguments.minutes, steps=0)
    if arguments.seed is not None:
        run = dataclasses.replace(run, seed=arguments.seed)
    if arguments.tensorboard:
        run = dataclasses.replace(run, tensorboard=True)
    if arguments.board_input:
        model = dataclasses.replace(model, board_input=arguments.board_input)
    if arguments.max_rating:
        data = dataclasses.replace(data, max_rating=arguments.max_rating)
    return dataclasses.replace(config, run=run, model=model, data=data)


if __name__ == "__main__":
    sys.exit(main())
