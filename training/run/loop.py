"""The training loop: rows in, weights, metrics and checkpoints out.

Knows steps, time, processes and signals. Does not know the command line or how rows are made.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from engine.errors import ConfigError, TranscendenceError
from engine.vocabulary import MOVE_COUNT
from training.batches.feed import Batch, ways_for
from training.batches.rows import RowReader, check_games
from training.config import Config, RunConfig
from training.data.store import Store
from training.net.average import Average
from training.net.model import Transformer, flops_per_ply
from training.net.optimizer import make_optimizers, rate_at, set_rate
from training.net.sharding import shard, whole, whole_weights
from training.run import checkpoint, metrics_file
from training.run.progress import RunProgress
from training.run.stopping import StopSignal
from training.run.tensorboard import FigureLog
from training.run.validation import Metrics, Validation, evaluate, load_validation
from training.run.warm_start import fitted

_COMPILED_WARMUP = 50
"""Steps during which a compiled run's rates rise at least: compiling takes minutes of the first, and a short run's warm-up."""


@dataclass(frozen=True)
class Processes:
    """This process among those of the run."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0


class Diverged(TranscendenceError):
    """The loss became NaN or infinite."""


def keep_freed_memory() -> None:
    """Stop glibc from giving large buffers back at each step: the page faults cost several per cent on CPU."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
            libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD


_TURNS = 6
"""Measurements of each of two dtypes."""


def precision_of(run: RunConfig, device: torch.device) -> torch.dtype:
    """The dtype of a run's matrix products on ``device``.

    On CPU bfloat16 pays only with instructions for it, and not with all of them, so it is measured.
    """
    if run.precision != "auto":
        return torch.bfloat16 if run.precision == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    has = torch.cpu.get_capabilities()
    if not (has.get("avx512_bf16") or has.get("amx_bf16")):
        return torch.float32
    # In turns: on a busy machine a slow moment hits both.
    turns = [(product_seconds(torch.bfloat16), product_seconds(torch.float32)) for _ in range(_TURNS)]
    bfloat16_s, float32_s = (min(seconds) for seconds in zip(*turns, strict=True))
    return torch.bfloat16 if bfloat16_s < float32_s else torch.float32


def product_seconds(dtype: torch.dtype) -> float:
    """Seconds of a product of a net's size on the CPU, the best of a few.

    With the same instructions for bfloat16 an AMD EPYC makes 218 GFLOP/s in it and 100 in float32, an Intel Xeon without AMX
    85 and 157 (docs/speed.md).
    """
    x, weights = torch.ones(2048, 320, dtype=dtype), torch.ones(1280, 320, dtype=dtype)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        torch.nn.functional.linear(x, weights)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def compiles(run: RunConfig, device: torch.device) -> bool:
    """Whether a run uses torch.compile: a fifth faster on CPU, after a minute or so of compiling."""
    if run.compile != "auto":
        return run.compile == "on"
    return (device.type == "cuda" or run.minutes >= 15) and _can_compile(device)


def _can_compile(device: torch.device) -> bool:
    """Tried once: it takes a compiler, headers or Triton, and what is missing shows only when it is used."""
    try:
        torch.compile(lambda x: (x.sin() + 1).sum())(torch.ones(64, device=device))
    except Exception as error:  # of whatever the compilers under it raise
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
        print(f"torch.compile does not work here, so the run goes without it and slower: {cause}", file=sys.stderr)
        return False
    return True


class Trainer:
    """One run, in one of its processes."""

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        folder: Path,
        processes: Processes,
        device: torch.device,
        weights: dict[str, Tensor] | None = None,
        stop: StopSignal | None = None,
    ) -> None:
        """``weights``: what a run that has not saved yet begins with, instead of random ones. ``stop``: where it is asked to
        save and end."""
        self.config, self.folder, self.processes, self.device = config, folder, processes, device
        check(config, store, world=processes.world)
        torch.manual_seed(config.run.seed)
        self.net = Transformer(config.model)
        if weights is not None:
            self.net.load_state_dict(fitted(weights, self.net.state_dict()))
        self.average = Average(self.net, config.optimizer.ema) if config.optimizer.ema else None
        self._sharded = config.run.parallel == "fsdp" and processes.world > 1
        for net in [self.net] if self.average is None else [self.net, self.average.net]:
            if self._sharded:
                shard(net, device=device, world=processes.world)
            else:
                net.to(device)
        measured = processes.first and precision_of(config.run, device) == torch.bfloat16
        self.precision = torch.bfloat16 if self._agree(measured)[0] else torch.float32
        self.optimizers = make_optimizers(self.net, config.optimizer, self.precision)
        boards, feed = ways_for(device)
        self.reader = RowReader(
            store, config.data, config.model, seed=config.run.seed, rank=processes.rank, world=processes.world, boards=boards
        )
        self.rows_a_step = config.data.batch_plies // config.model.context // config.data.streams * config.data.streams
        size = max(1, config.data.micro_plies // config.model.context)
        self.feed = feed(self.reader, rows=self.rows_a_step // processes.world, rows_at_once=size, device=device)
        self.step, self.plies, self.minutes = 0, 0, 0.0
        self._validation: Validation | None = None
        self._store = store
        self._stop = StopSignal() if stop is None else stop
        self.compiled = bool(self._agree(processes.first and compiles(config.run, device))[0])
        self._copies = processes.world > 1 and not self._sharded  # each process has the whole net
        self._module: Any = self.net
        if self._copies:
            self._module = DistributedDataParallel(self.net)
        if self.compiled:
            self._module = torch.compile(self._module, dynamic=False)
        self._restore()
        self._board = FigureLog(folder, step=self.step) if config.run.tensorboard and processes.first else None

    def _restore(self) -> None:
        average = None if self.average is None else self.average.net
        progress = checkpoint.resume(self.folder, self.net, average=average, optimizers=self.optimizers)
        if progress is not None:
            self.step, self.plies, self.minutes = progress["step"], progress["plies"], progress["minutes"]
            self.feed.restore(progress["reader"])
        if self._agree(self.step) != [self.step]:
            raise ConfigError(
                f"expected {self.folder} on a disk that all machines of the run share: only some found its checkpoint"
            )

    @property
    def playing(self) -> Transformer:
        """The weights that are validated, saved and exported: the average where there is one."""
        return self.net if self.average is None else self.average.net

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.net.parameters())

    def run(self) -> Metrics | None:
        """Train to the end of the schedule, or until told to stop; returns the last validation of the first process."""
        run = self.config.run
        saved = evaluated = self.minutes
        metrics: Metrics | None = None
        with self._stop.listening(), RunProgress(shown=self.processes.first) as bar:
            while (share := self._share_done()) < 1:
                began, worked = time.monotonic(), time.process_time()
                line = self._train_step(share)
                seconds = time.monotonic() - began
                counted = seconds if run.clock == "wall" else time.process_time() - worked
                self.minutes, stop = self._noticed(self.minutes + counted / 60)
                self._report(line, bar, seconds=seconds)
                validates = not stop and self.minutes - evaluated >= run.evaluate_every_minutes
                if stop or validates or self.minutes - saved >= run.save_every_minutes:
                    self._save()  # before a validation, which may be ended from outside
                    saved = self.minutes
                if validates:
                    metrics, evaluated = self._validate(), self.minutes
                    stop = self._noticed(self.minutes)[1]
                if stop:
                    return metrics
        self._save()
        return self._validate()

    def _share_done(self) -> float:
        run = self.config.run
        return self.minutes / run.minutes if run.minutes else self.step / run.steps

    def _agree(self, *values: float) -> list[float]:
        """The first process's values, in every process: clocks and signals differ, but what follows from them may not."""
        if self.processes.world == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return [float(value) for value in shared]

    def _noticed(self, minutes: float) -> tuple[float, bool]:
        """The first process's ``minutes``, and whether any process was asked to stop."""
        if self.processes.world == 1:
            return minutes, self._stop.asked
        own = [minutes if self.processes.first else 0.0, float(self._stop.asked)]
        shared = torch.tensor(own, dtype=torch.float64, device=self.device)
        dist.all_reduce(shared)
        return float(shared[0]), float(shared[1]) > 0

    def _train_step(self, share: float) -> dict[str, float]:
        config = self.config
        rate = rate_at(share, config.optimizer.warmup)
        set_rate(self.optimizers, min(rate, (self.step + 1) / _COMPILED_WARMUP) if self.compiled else rate)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        batches = self.feed.step()
        rows = sum(map(len, batches))
        sums = torch.zeros(2, device=self.device)
        for batch in batches:
            sums += self._backward(batch, weight=len(batch) / rows, last=batch is batches[-1])
        norm = whole(torch.nn.utils.clip_grad_norm_(self.net.parameters(), config.optimizer.clip or math.inf))
        if self.processes.world > 1:
            dist.all_reduce(sums)
            sums /= self.processes.world
        if not math.isfinite(float(sums[0])) or not math.isfinite(float(norm)):
            raise Diverged(
                f"the loss became {float(sums[0])} at step {self.step}; the last good state is in {self.folder}. Try lower "
                f"optimizer.matrix_lr and adam_lr, or a longer warmup, in a new run"
            )
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        if self.average is not None:
            self.average.update(self.net, step=self.step)
        self.plies += self.rows_a_step * config.model.context
        return {"move_nll": float(sums[0]), "wdl_nll": float(sums[1]), "grad_norm": float(norm)}

    def _backward(self, batch: Batch, *, weight: float, last: bool) -> Tensor:
        """Add the gradients of some rows; returns their share of the two losses."""
        module = self._module
        waits = contextlib.nullcontext() if last or not self._copies else module.no_sync()
        fast = torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)
        with waits:
            with fast:
                logits, wdl = module(*batch.inputs)
            logits, wdl, results = logits.float(), wdl.float(), batch.results.reshape(-1)
            nll = F.cross_entropy(logits.reshape(-1, MOVE_COUNT), batch.targets.reshape(-1), reduction="none")
            weighted = nll if batch.weights is None else nll * batch.weights.reshape(-1)
            known = (results >= 0).sum().clamp(min=1)
            wdl_loss = F.cross_entropy(wdl.reshape(-1, 3), results, ignore_index=-100, reduction="sum") / known
            loss = weighted.mean() + self.config.optimizer.wdl_weight * wdl_loss
            (loss * weight).backward()  # type: ignore[no-untyped-call]
        return torch.stack([nll.detach().mean(), wdl_loss.detach()]) * weight

    def _report(self, losses: dict[str, float], bar: RunProgress, *, seconds: float) -> None:
        if not self.processes.first:
            return
        speed = self.rows_a_step * self.config.model.context / seconds
        bar.show(share=self._share_done(), minutes=self.minutes, step=self.step, plies_per_s=speed, loss=losses["move_nll"])
        if self.step % self.config.run.log_every == 0:
            group, flops = self.optimizers[0].param_groups[0], flops_per_ply(self.config.model) * speed
            peak = self.config.run.peak_tflops * 1e12 * self.processes.world
            line: metrics_file.Record = {
                "kind": "train",
                "step": self.step,
                "plies": self.plies,
                "minutes": round(self.minutes, 3),
                "plies_per_s": round(speed),
                "gflops": round(flops / 1e9, 3),
                **({"mfu": round(flops / peak, 4)} if peak else {}),
                "rate": group["lr"] / group["peak_lr"],
                **losses,
            }
            self._record(line)

    def _record(self, line: metrics_file.Record) -> None:
        metrics_file.append(self.folder, line)
        if self._board is not None:
            self._board.add(line)

    def _validate(self) -> Metrics | None:
        """Metrics on the validation split, by the first process alone."""
        net = self._whole_playing()
        if net is None:
            return None
        if self._validation is None:
            config = self.config
            self._validation = load_validation(
                self._store, config.data, model=config.model, plies=config.run.validation_plies, legal=True
            )
        metrics = evaluate(net, self._validation)
        line = {"kind": "validation", "step": self.step, "plies": self.plies, "minutes": round(self.minutes, 3)}
        self._record(line | {f"validation_{k}": v for k, v in dataclasses.asdict(metrics).items()})
        with contextlib.suppress(OSError):  # who listened may have ended by the same signal
            print(
                f"step {self.step}, {self.plies:,} plies, {self.minutes:.1f} min: {describe(metrics)}",
                file=sys.stderr,
                flush=True,
            )
        return metrics

    def _whole_playing(self) -> Transformer | None:
        """The net that plays, for the first process; a net in pieces is put together there by all."""
        if not self._sharded:
            return self.playing if self.processes.first else None
        weights = whole_weights(self.playing, kept=self.processes.first)
        if not self.processes.first:
            return None
        net = Transformer(self.config.model)
        net.load_state_dict(weights)
        return net.to(self.device)

    def _save(self) -> None:
        progress = {"step": self.step, "plies": self.plies, "minutes": self.minutes, "reader": self._all_reader_states()}
        checkpoint.save(
            self.folder,
            self.playing,
            trained=self.net,
            optimizers=self.optimizers,
            progress=progress,
            first=self.processes.first,
        )

    def _all_reader_states(self) -> dict[str, Any]:
        states: list[dict[str, Any]] = [self.feed.state()]
        if self.processes.world > 1:
            gathered: list[Any] = [None] * self.processes.world
            dist.all_gather_object(gathered, self.feed.state())
            states = gathered
        return {stream: place for state in states for stream, place in state.items()}


def check(config: Config, store: Store, *, world: int) -> None:
    """What can be known before a run of ``world`` processes begins. Raises ConfigError or DataError for what cannot be run."""
    streams = config.data.streams
    if world < 1 or streams % world:
        fit = ", ".join(str(n) for n in range(1, streams + 1) if streams % n == 0)
        raise ConfigError(
            f"expected a number of processes that divides data.streams ({streams}), i.e. one of {fit}, got {world}; give "
            f"--processes, or another data.streams with --set"
        )
    if config.data.batch_plies < config.model.context * config.data.streams:
        raise ConfigError(
            f"data.batch_plies must be at least model.context x data.streams = {config.model.context * config.data.streams}, "
            f"got {config.data.batch_plies}"
        )
    if not config.run.minutes and not config.run.steps:
        raise ConfigError("expected run.minutes or run.steps above 0 (--minutes, --steps)")
    check_games(store, config.data, config.model)


def describe(metrics: Metrics) -> str:
    """One line for people."""
    text = f"move loss {metrics.move_nll:.4f} nats, top-1 {metrics.top1:.1%}, top-3 {metrics.top3:.1%}"
    text += f", result loss {metrics.wdl_nll:.4f}"
    if metrics.legal_top1 is not None:
        text += f", strict legality {metrics.legal_top1:.2%}"
    return text
