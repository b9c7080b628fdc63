"""How fast the trainer is: beside the machine's own matrix products, and beside a plain nanoGPT-style stack.

    python -m benchmarks.training_speed STORE [--preset laptop] [--out FILE]

Every comparison is measured in turns on one thread, so that a busy moment hits all sides; the last lines are the whole trainer
as `bin/train` starts it. Knows how to time. The baseline is written here: learned positions, LayerNorm, GELU, fused attention,
tied embeddings, AdamW, moves only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measuring import heading, in_turns, keep, run
from engine.vocabulary import MOVE_COUNT
from training.batches.rows import RowReader, Rows
from training.config import Config, ModelConfig, load_preset
from training.data.store import Store, open_store
from training.net.model import flops_per_ply
from training.run.loop import Processes, Trainer, keep_freed_memory, precision_of

_ROUNDS = 5
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""Of the products, as ``run.precision`` names them."""


class PlainBlock(nn.Module):
    """A block as nanoGPT has it, without biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, bias=False) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        B, T, W = x.shape
        q, k, v = self.qkv(self.norms[0](x)).view(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(B, T, W))
        return x + self.down(F.gelu(self.up(self.norms[1](x))))  # type: ignore[no-any-return]


class Plain(nn.Module):
    """Moves in, move logits out: as many layers, as wide as ours."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.moves = nn.Embedding(MOVE_COUNT + 1, config.width)
        self.places = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(PlainBlock(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, bias=False)

    def forward(self, moves: Tensor) -> Tensor:
        x = self.moves(moves) + self.places(torch.arange(moves.shape[1]))
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.moves.weight)[..., :MOVE_COUNT]


def plain_step(config: Config, precision: torch.dtype) -> Callable[[Rows], None]:
    """A training step of the plain stack on rows, in as large parts as ours takes."""
    net = Plain(config.model)
    step_net = torch.compile(net, dynamic=False)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    size = config.data.micro_plies // config.model.context

    def step(rows: Rows) -> None:
        optimizer.zero_grad(set_to_none=True)
        for begin in range(0, len(rows), size):
            part = rows.take(slice(begin, begin + size))
            with torch.autocast("cpu", precision, enabled=precision != torch.float32):
                logits = step_net(torch.from_numpy(part.moves))
            loss = F.cross_entropy(logits.float().reshape(-1, MOVE_COUNT), torch.from_numpy(part.targets).reshape(-1))
            (loss * (len(part) / len(rows))).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    return step


def gemm_gflops(dtype: torch.dtype) -> float:
    """GFLOP/s of one product whose shape the trainer knows well: (4096, 1024) x (1024, 1024), one thread."""
    a, b = torch.randn(4096, 1024, dtype=dtype), torch.randn(1024, 1024, dtype=dtype)
    began = time.perf_counter()
    for _ in range(4):
        a @ b
    return 4 * 2 * 4096 * 1024 * 1024 / (time.perf_counter() - began) / 1e9


def alternately(tasks: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Median figure of each task, run in turns; the first round warms up."""
    for task in tasks.values():
        task()
    return dict(zip(tasks, in_turns(_ROUNDS, *tasks.values()), strict=True))


def one_thread(store: Store, config: Config, folder: Path) -> dict[str, float]:
    """GFLOP/s of products and plies/s of whole training steps, ours and the plain one in both precisions, in one run."""
    trainers = {name: _trainer(store, config, name, folder / name) for name in PRECISIONS}
    reader = RowReader(store, config.data, config.model, seed=2)
    rows = trainers["float32"].rows_a_step
    plies = rows * config.model.context
    plain = {name: plain_step(config, precision) for name, precision in PRECISIONS.items()}

    def rate(step: Callable[[], object]) -> float:
        began = time.perf_counter()
        step()
        return plies / (time.perf_counter() - began)

    tasks: dict[str, Callable[[], float]] = {
        "sgemm": lambda: gemm_gflops(torch.float32),
        "bf16 gemm": lambda: gemm_gflops(torch.bfloat16),
    }
    for name, trainer in trainers.items():
        tasks[f"ours {name}"] = lambda trainer=trainer: rate(lambda: trainer._train_step(0.5))  # type: ignore[misc]
    for name, step in plain.items():
        tasks[f"plain {name}"] = lambda step=step: rate(lambda: step(reader.rows(rows)))  # type: ignore[misc]
    return alternately(tasks)


def _trainer(store: Store, config: Config, precision: str, folder: Path) -> Trainer:
    run = dataclasses.replace(config.run, precision=precision)  # type: ignore[arg-type]
    config = dataclasses.replace(config, run=run)
    return Trainer(config, store, folder=folder, processes=Processes(), device=torch.device("cpu"))


def whole_trainer(store: Path, preset: str, minutes: float, folder: Path) -> float:
    """Median plies/s of `bin/train` with a process a core."""
    command = [sys.executable, "-m", "training.train", str(store), "--preset", preset, "--out", str(folder)]
    arguments = ["--minutes", str(minutes), "--set", "run.log_every=1", "--set", "run.compile=on"]
    subprocess.run([*command, *arguments], check=True, capture_output=True)
    lines = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    speeds = [float(line["plies_per_s"]) for line in lines if line["kind"] == "train"]
    return statistics.median(speeds[len(speeds) // 3 :])  # compiling comes first


def all_cores_gemm(dtype: torch.dtype) -> float:
    """GFLOP/s of one-thread products on all cores at once."""
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        return statistics.median(sum(pool.map(lambda _: gemm_gflops(dtype), range(cores))) for _ in range(_ROUNDS))


def report(path: Path, preset: str, minutes: float) -> str:
    """All figures as text."""
    keep_freed_memory()
    torch.set_num_threads(1)
    config = load_preset(preset, ["run.compile=on"])
    flops = flops_per_ply(config.model)
    store = open_store(path)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        speed = one_thread(store, config, Path(folder) / "one")
        sgemm, bf16 = all_cores_gemm(torch.float32), all_cores_gemm(torch.bfloat16)
        whole = whole_trainer(path, preset, minutes, Path(folder) / "all")
    chosen = precision_of(config.run, torch.device("cpu"))
    ours, all_own = speed[f"ours {_name(chosen)}"], whole * flops / 1e9
    own = ours * flops / 1e9
    rows = {
        "model FLOPs a ply": f"{flops / 1e6:.1f} M (6 a multiplied weight, 12 L W T for attention)",
        "one thread, products": f"sgemm {speed['sgemm']:.0f} GFLOP/s, bfloat16 {speed['bf16 gemm']:.0f} GFLOP/s",
        "one thread, ours": f"{_both(speed, 'ours')}; {_name(chosen)} is taken",
        "": f"{own:.0f} GFLOP/s: {own / speed['sgemm']:.0%} of sgemm (bar: 55 %), {own / speed['bf16 gemm']:.0%} of bfloat16",
        "one thread, plain stack": f"{_both(speed, 'plain')}: ours "
        f"{ours / speed['plain float32']:.2f} x and {ours / speed['plain bfloat16']:.2f} x (bar: 1 x)",
        "all cores, products": f"sgemm {sgemm:.0f} GFLOP/s, bfloat16 {bf16:.0f} GFLOP/s",
        "all cores, bin/train": f"{whole:.0f} plies/s = {all_own:.0f} GFLOP/s: {all_own / sgemm:.0%} of sgemm, "
        f"{all_own / bf16:.0%} of bfloat16",
    }
    head = f"preset {preset} on {store.path.name}, {heading()}, load before {load:.1f}"
    return "\n".join([head, "", *(f"{name:26}{value}" for name, value in rows.items())]) + "\n"


def _name(precision: torch.dtype) -> str:
    return next(name for name, dtype in PRECISIONS.items() if dtype == precision)


def _both(speed: Mapping[str, float], whose: str) -> str:
    return "plies/s " + ", ".join(f"{speed[f'{whose} {name}']:.0f} in {name}" for name in PRECISIONS)


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(description="The trainer's speed beside products and a plain stack.")
    options.add_argument("store", type=Path)
    options.add_argument("--preset", default="laptop")
    options.add_argument("--minutes", type=float, default=2.0, help="of the whole trainer at the end")
    options.add_argument("--out", type=Path, help="also write the figures here")
    return options


def main() -> None:
    """Measure, print, and write where told."""
    arguments = parser().parse_args()
    text = report(arguments.store, arguments.preset, arguments.minutes)
    keep(text, arguments.out)


if __name__ == "__main__":
    run(main)
