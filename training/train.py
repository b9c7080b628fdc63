"""The command line of training: a data set and a preset in, a run's folder out.

Knows arguments, devices and how to start several processes. Does not know the loop itself (``training.loop``).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import torch
import torch.distributed as dist

from engine.errors import ConfigError, TranscendenceError
from engine.machine import cores
from training import checkpoint, initial
from training.batches import Packing
from training.config import BoardInput, Config, ModelConfig, load_config, load_preset
from training.evaluate import Metrics
from training.initial import Initial
from training.launch import launch
from training.loop import Processes, Trainer, check, describe, keep_freed_memory
from training.store import open_store

_GROWING = {"move_rank", "checks"}
"""Parts of a net's shape that --init can add to it."""


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
    options.add_argument(
        "--init",
        type=Path,
        metavar="NET",
        help="weights to begin with: a run's folder or an exported net; its shape replaces the preset's",
    )
    options.add_argument("--minutes", type=float, help="length of the run, instead of the preset's")
    options.add_argument("--steps", type=int, help="length in steps, instead of the preset's minutes")
    options.add_argument("--seed", type=int, help="seed of weights and game order")
    options.add_argument("--board-input", choices=get_args(BoardInput), help="instead of the preset's")
    options.add_argument("--max-rating", type=int, help="only games with no player above this rating")
    options.add_argument("--tensorboard", action="store_true", help="write the figures for TensorBoard too (an extra)")
    options.add_argument(
        "--processes",
        type=int,
        default=0,
        help="processes on this machine (default: as many as cores or GPUs and data.streams allow)",
    )
    options.add_argument("--threads", type=int, default=0, help="CPU threads a process (default: its share of the cores)")
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
    store, (config, _) = open_store(arguments.store), configured(arguments)
    places = torch.cuda.device_count() if device == "cuda" else max(1, cores() // max(1, arguments.threads))
    if sys.platform == "win32":
        places = 1  # PyTorch for Windows comes without what processes find each other by; threads use the cores
    processes = arguments.processes or shares(config.data.streams, places)
    check(config, store, world=processes)  # so that what cannot be run is one clear line, not one from every process
    arguments.threads = arguments.threads or max(1, cores() // processes)
    if processes == 1:
        return _train(arguments, device, Processes())
    found = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"OMP_NUM_THREADS": str(arguments.threads), "PYTHONPATH": os.pathsep.join(found)}
    return launch([sys.executable, "-m", "training.train", *argv], processes=processes, environment=environment)


def shares(streams: int, places: int) -> int:
    """How many processes to start on ``places`` cores or GPUs: as many as ``streams`` can be dealt to evenly."""
    return max(n for n in range(1, max(1, places) + 1) if streams % n == 0)


def _device(wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def _train(arguments: argparse.Namespace, device: str, processes: Processes) -> int:
    keep_freed_memory()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    place = torch.device(device, int(os.environ.get("LOCAL_RANK", 0))) if device == "cuda" else torch.device("cpu")
    if device == "cuda":
        torch.cuda.set_device(place)  # where NCCL puts what it gathers
    if processes.world > 1:
        dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        with checkpoint.held(arguments.out) if processes.first else contextlib.nullcontext():
            metrics = _trained(arguments, place, processes)
        gc.collect()  # a net in pieces refers to itself, and to the process group: without this it may outlive the group
        if processes.world > 1:
            dist.barrier()  # the first process validates a little longer; who leaves before it may abort it
    finally:
        if processes.world > 1:
            dist.destroy_process_group()
    if processes.first and metrics:
        print(f"{arguments.out}: {describe(metrics)}")
    return 0


def _trained(arguments: argparse.Namespace, device: torch.device, processes: Processes) -> Metrics | None:
    """Train to the end or to a stop. What holds the process group goes with this frame and the next
    collection, as it must before the group does."""
    trainer = _trainer(arguments, device, processes)
    if processes.first:
        packing = trainer.reader.packing()
        checkpoint.note(arguments.out, packing=dataclasses.asdict(packing))
        print(_beginning(trainer, processes, device.type, packing), file=sys.stderr)
    return trainer.run()


def _trainer(arguments: argparse.Namespace, device: torch.device, processes: Processes) -> Trainer:
    """The run where it stands; its folder is there when the first process returns."""
    store = open_store(arguments.store)
    config, begins = configured(arguments)
    dataset = {"name": arguments.store.name, "games": store.games, "plies": store.plies, "fingerprint": store.fingerprint()}
    if processes.first:
        checkpoint.start(arguments.out, config, dataset=dataset, init=begins.facts if begins else None)
        if begins:
            print(f"begins with the weights of {initial.describe(begins.facts)}", file=sys.stderr)
    weights = begins.weights if begins else None
    return Trainer(config, store, folder=arguments.out, processes=processes, device=device, weights=weights)


def _beginning(trainer: Trainer, processes: Processes, device: str, packing: Packing) -> str:
    how = str(trainer.precision).removeprefix("torch.") + (", compiled" if trainer.compiled else "")
    size = f"{trainer.parameters:,} parameters, {trainer.reader.games:,} games"
    rows = f"no padding, {packing.read_again:.1%} of plies read again, {packing.left_out:.1%} left out"
    return f"{size}, {processes.world} process(es) on {device} ({how}), {rows}, from step {trainer.step}"


def configured(arguments: argparse.Namespace) -> tuple[Config, Initial | None]:
    """The run's config, and the weights that it begins with: None for random ones, or where it goes on from its own.

    The config's shape is that of ``--init``, and what the command line adds of _GROWING. A run that goes on does not read it
    again: it may be gone by now, or have been
    trained further. Raises ConfigError for what does not fit together.
    """
    config = with_arguments(load_preset(arguments.preset, arguments.set), arguments)
    if arguments.init is None:
        return config, None
    if checkpoint.has_saved(arguments.out):
        _check_began(arguments.out, arguments.init)
        begins, model = None, load_config(arguments.out / checkpoint.CONFIG).model
    else:
        begins = initial.read_weights(arguments.init)
        model = begins.model
    if begins and _GROWING & {key for _, key in _told_of_shape(arguments)}:
        model = initial.grown(model, config.model)
    _check_shape(arguments, config.model, model)
    return dataclasses.replace(config, model=model), begins


def _check_began(out: Path, init: Path) -> None:
    """Raise ConfigError if the run in ``out`` began with other weights than ``init``."""
    began = checkpoint.began_with(out).get("name")
    if began != initial.name_of(init):
        mend = f"give --init {began}" if began else "leave --init out"
        raise ConfigError(
            f"{out} holds a run that began with {began or 'random weights'}, got --init {init}; {mend} to go on with it, or "
            f"choose another --out"
        )


def _check_shape(arguments: argparse.Namespace, wanted: ModelConfig, model: ModelConfig) -> None:
    """Raise ConfigError if the command line asks for another shape than ``model``, which --init has."""
    for flag, key in _told_of_shape(arguments):
        if getattr(wanted, key) != getattr(model, key):
            raise ConfigError(
                f"expected the shape of --init {arguments.init}, whose model.{key} is {getattr(model, key)}, got {flag} "
                f"{getattr(wanted, key)}; leave it out, or begin with random weights"
            )


def _told_of_shape(arguments: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Flag and key of each part of the net's shape that the command line names."""
    for change in arguments.set:
        name = change.partition("=")[0].strip()
        if name.startswith("model."):
            yield f"--set {name}", name.removeprefix("model.")
    if arguments.board_input:
        yield "--board-input", "board_input"


def _headless(arguments: argparse.Namespace) -> dict[str, Any]:
    """What a preset's shape must do without in a net made blind by --board-input; not what the command line asks for itself."""
    off = {"move_rank": 0, "checks": False} if arguments.board_input == "none" else {}
    asked = {key for _, key in _told_of_shape(arguments)}
    return {key: value for key, value in off.items() if key not in asked}


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
        model = dataclasses.replace(model, board_input=arguments.board_input, **_headless(arguments))
    if arguments.max_rating:
        data = dataclasses.replace(data, max_rating=arguments.max_rating)
    return dataclasses.replace(config, run=run, model=model, data=data)


if __name__ == "__main__":
    sys.exit(main())
