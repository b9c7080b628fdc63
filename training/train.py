"""The command line of training: a data set and a preset in, a run's folder out.

Knows arguments, devices and how to start several processes. Does not know the loop itself (``training.run.loop``).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import math
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
import torch.distributed as dist

from engine.errors import ConfigError, TranscendenceError
from engine.machine import cores
from training.batches.rows import Packing
from training.config import BoardInput, Config, ModelConfig, load_config, load_preset
from training.data.store import open_store
from training.run import checkpoint, warm_start
from training.run.launch import LOST, end_with_launcher, is_launched, launch, speaks
from training.run.loop import Processes, Trainer, check, describe, keep_freed_memory
from training.run.stopping import StopSignal
from training.run.validation import Metrics
from training.run.warm_start import Initial

_GROWING = {"move_rank", "checks"}
"""Parts of a net's shape that --init can add to it."""


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/train``."""
    options = argparse.ArgumentParser(prog="train", description="Train a net on a token store.")
    options.add_argument("store", type=Path, help="token store made by bin/data")
    options.add_argument("--out", type=Path, required=True, help="the run's folder; a run found there is resumed")
    options.add_argument("--preset", default="laptop", help="name of a preset, or a TOML file (default: laptop)")
    options.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="any setting, e.g. model.layers=8"
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


@dataclass(frozen=True)
class TrainOptions:
    """What the command line asks for; None where it leaves a setting to the preset."""

    store: Path
    out: Path
    preset: str
    changes: tuple[str, ...]
    """Of ``--set``."""
    init: Path | None
    minutes: float | None
    steps: int | None
    seed: int | None
    board_input: BoardInput | None
    max_rating: int | None
    tensorboard: bool
    processes: int
    """0 = what fits; ``threads`` likewise."""
    threads: int
    device: str


def read_options(argv: list[str] | None) -> TrainOptions:
    """The options in ``argv``, or in the words that this program was started with."""
    words = vars(parser().parse_args(argv))
    return TrainOptions(changes=tuple(words.pop("set")), **words)


def main(argv: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    options, stop = read_options(argv), StopSignal()
    with stop.listening(to_the_end=argv is None):
        try:
            return _start(options, argv if argv is not None else sys.argv[1:], stop)
        except TranscendenceError as error:
            if speaks():
                print(f"train: {error}", file=sys.stderr)
            return 2
        except Exception as error:
            if "RANK" not in os.environ:
                raise
            return _failed_among_others(error)


def _failed_among_others(error: Exception) -> int:
    """What a process says of a fault while others run: nothing, where it only lost them or another has spoken."""
    if _is_loss_of_others(error):
        if not is_launched():
            print(f"train: lost the other processes of the run: {str(error).splitlines()[0]}", file=sys.stderr)
        return LOST
    if speaks():
        traceback.print_exception(error)
    return 1


def _is_loss_of_others(error: Exception) -> bool:
    """Gloo's errors have no class of their own."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error).lower())


def _start(options: TrainOptions, argv: list[str], stop: StopSignal) -> int:
    for flag, value in (("--processes", options.processes), ("--threads", options.threads)):
        if value < 0:
            raise ConfigError(f"expected {flag} of 1 or more, or 0 for what fits, got {value}")
    device = _device(options.device)
    if "RANK" in os.environ:
        end_with_launcher()
        return _train(options, device, Processes(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])), stop)
    store, (config, _) = open_store(options.store), configured(options)
    places = torch.cuda.device_count() if device == "cuda" else max(1, cores() // max(1, options.threads))
    if sys.platform == "win32":
        places = 1  # PyTorch for Windows comes without what processes find each other by; threads use the cores
    processes = options.processes or shares(config.data.streams, places)
    check(config, store, world=processes)  # so that what cannot be run is one clear line, not one from every process
    options = dataclasses.replace(options, threads=options.threads or max(1, cores() // processes))
    if processes == 1:
        return _train(options, device, Processes(), stop)
    if stop.asked:
        return 0
    environment = {"OMP_NUM_THREADS": str(options.threads)}
    status = launch(_command(argv), processes=processes, environment=environment, stop=stop)
    _report_a_dead_process(status)
    return status


def _command(argv: list[str]) -> list[str]:
    """This training in a process of its own: our modules from here, and none from the working folder or PYTHONPATH."""
    root = str(Path(__file__).resolve().parents[1])
    start = f"import sys; sys.path.insert(0, {root!r}); from training.train import main; sys.exit(main())"
    return [sys.executable, "-I", "-c", start, *argv]


def _report_a_dead_process(status: int) -> None:
    """Of one that could not speak for itself."""
    if status > 128 or status == LOST:
        how = f"by {signal.Signals(status - 128).name}" if status > 128 else "without a word"
        memory = " (out of memory?)" if status == 128 + 9 else ""
        print(
            f"train: one of the run's processes was ended {how}{memory}; what was saved is whole: give the same command again "
            f"to resume, with fewer --processes or a smaller data.micro_plies if memory is short",
            file=sys.stderr,
        )


def shares(streams: int, places: int) -> int:
    """How many processes to start on ``places`` cores or GPUs: as many as ``streams`` can be dealt to evenly."""
    return max(n for n in range(1, max(1, places) + 1) if streams % n == 0)


def _device(wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"expected a GPU for --device cuda, but PyTorch {torch.__version__} finds none that it can use; give --device cpu"
        )
    return wanted


def _train(options: TrainOptions, device: str, processes: Processes, stop: StopSignal) -> int:
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    place = torch.device(device, int(os.environ.get("LOCAL_RANK", 0))) if device == "cuda" else torch.device("cpu")
    if device == "cuda":
        torch.cuda.set_device(place)  # where NCCL puts what it gathers
    if processes.world > 1:
        dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        with checkpoint.held(options.out) if processes.first else contextlib.nullcontext():
            metrics = _trained(options, place, processes, stop)
        gc.collect()  # a net in pieces refers to itself, and to the process group: without this it may outlive the group
        if processes.world > 1:
            dist.barrier()  # the first process validates a little longer; who leaves before it may abort it
    finally:
        if processes.world > 1:
            dist.destroy_process_group()
    if processes.first and metrics:
        with contextlib.suppress(OSError):  # who listened may have ended by the same signal
            print(f"{options.out}: {describe(metrics)}", flush=True)
    return 0


def _trained(options: TrainOptions, device: torch.device, processes: Processes, stop: StopSignal) -> Metrics | None:
    """Train to the end or to a stop. What holds the process group goes with this frame and the next
    collection, as it must before the group does."""
    trainer = _trainer(options, device, processes, stop)
    if processes.first:
        packing = trainer.reader.packing()
        checkpoint.note(options.out, packing=dataclasses.asdict(packing))
        with contextlib.suppress(OSError):
            print(_beginning(trainer, processes, device.type, packing), file=sys.stderr)
    return trainer.run()


def _trainer(options: TrainOptions, device: torch.device, processes: Processes, stop: StopSignal) -> Trainer:
    """The run where it stands; its folder is there when the first process returns."""
    store = open_store(options.store)
    config, begins = configured(options)
    dataset = {"name": options.store.name, "games": store.games, "plies": store.plies, "fingerprint": store.fingerprint()}
    if processes.first:
        checkpoint.start(options.out, config, dataset=dataset, init=begins.facts if begins else None)
        if begins:
            print(f"begins with the weights of {warm_start.describe(begins.facts)}", file=sys.stderr)
    weights = begins.weights if begins else None
    return Trainer(config, store, folder=options.out, processes=processes, device=device, weights=weights, stop=stop)


def _beginning(trainer: Trainer, processes: Processes, device: str, packing: Packing) -> str:
    how = str(trainer.precision).removeprefix("torch.") + (", compiled" if trainer.compiled else "")
    size = f"{trainer.parameters:,} parameters, {trainer.reader.games:,} games"
    rows = f"no padding, {packing.read_again:.1%} of plies read again, {packing.left_out:.1%} left out"
    return f"{size}, {processes.world} process(es) on {device} ({how}), {rows}, from step {trainer.step}"


def configured(options: TrainOptions) -> tuple[Config, Initial | None]:
    """The run's config, and the weights that it begins with: None for random ones, or where it resumes its own.

    The config's shape is that of ``--init``, and what the command line adds of _GROWING. A resumed run does not read it
    again: it may be gone by now, or have been trained further. Raises ConfigError for what does not fit together.
    """
    config = with_options(load_preset(options.preset, options.changes), options)
    if options.init is None:
        return config, None
    if checkpoint.has_saved(options.out):
        _check_began(options.out, options.init)
        begins, model = None, load_config(options.out / checkpoint.CONFIG).model
    else:
        begins = warm_start.read_weights(options.init)
        model = begins.model
    if begins and _GROWING & {key for _, key in _named_shape(options)}:
        model = warm_start.grown(model, config.model)
    _check_shape(options, config.model, model)
    return dataclasses.replace(config, model=model), begins


def _check_began(out: Path, init: Path) -> None:
    """Raise ConfigError if the run in ``out`` began with other weights than ``init``."""
    began = checkpoint.began_with(out).get("name")
    if began != warm_start.name_of(init):
        mend = f"give --init {began}" if began else "leave --init out"
        raise ConfigError(
            f"{out} holds a run that began with {began or 'random weights'}, got --init {init}; {mend} to resume it, or "
            f"choose another --out"
        )


def _check_shape(options: TrainOptions, wanted: ModelConfig, model: ModelConfig) -> None:
    """Raise ConfigError if the command line asks for another shape than ``model``, which --init has."""
    for flag, key in _named_shape(options):
        if getattr(wanted, key) != getattr(model, key):
            raise ConfigError(
                f"expected the shape of --init {options.init}, whose model.{key} is {getattr(model, key)}, got {flag} "
                f"{getattr(wanted, key)}; leave it out, or begin with random weights"
            )


def _named_shape(options: TrainOptions) -> Iterator[tuple[str, str]]:
    """Flag and key of each part of the net's shape that the command line names."""
    for change in options.changes:
        name = change.partition("=")[0].strip()
        if name.startswith("model."):
            yield f"--set {name}", name.removeprefix("model.")
    if options.board_input:
        yield "--board-input", "board_input"


def _headless(options: TrainOptions) -> dict[str, Any]:
    """What a preset's shape must do without in a net made blind by --board-input; not what the command line asks for itself."""
    off = {"move_rank": 0, "checks": False} if options.board_input == "none" else {}
    asked = {key for _, key in _named_shape(options)}
    return {key: value for key, value in off.items() if key not in asked}


def with_options(config: Config, options: TrainOptions) -> Config:
    """``config`` with what the command line says instead."""
    run, model, data = config.run, config.model, config.data
    if options.steps is not None:
        _check_length("--steps", options.steps)
        run = dataclasses.replace(run, steps=options.steps, minutes=0.0)
    if options.minutes is not None:
        _check_length("--minutes", options.minutes)
        run = dataclasses.replace(run, minutes=options.minutes, steps=0)
    if options.seed is not None:
        run = dataclasses.replace(run, seed=options.seed)
    if options.tensorboard:
        run = dataclasses.replace(run, tensorboard=True)
    if options.board_input:
        model = dataclasses.replace(model, board_input=options.board_input, **_headless(options))
    if options.max_rating is not None:
        data = dataclasses.replace(data, max_rating=options.max_rating)
    return dataclasses.replace(config, run=run, model=model, data=data)


def _check_length(flag: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ConfigError(f"expected {flag} above 0, got {value}; leave it out for the preset's length")


if __name__ == "__main__":
    sys.exit(main())
