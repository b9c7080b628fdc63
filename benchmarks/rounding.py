"""Which weights of a net cost what when they are rounded to int8: each kind, the largest in fewer bits too, and the int8 twin.

    python -m benchmarks.rounding NET.onnx RUN STORE [--positions 2000] [--out FILE]      NET: fp32, by bin/export from RUN

For each: the share of positions with the same best move as fp32, and the divergence from fp32's probabilities. Knows kinds of
weights by their names and shapes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from benchmarks.measuring import heading, keep, run
from engine.vocabulary import MOVE_COUNT
from export.games import Transcript, of_store
from export.gate import log_probabilities
from export.quantize import large_weights, quantize, rounded
from export.verify import OnnxNet
from training.config import ModelConfig
from training.run.checkpoint import load_net

KINDS = (
    "board",
    "moves read",
    "state and ratings",
    "attention in",
    "attention out",
    "MLP up",
    "MLP down",
    "square pairs",
    "their weights",
    "head",
)

_BY_NAME = {
    "net.board": "board",
    "net.pairs": "square pairs",
    "qkv": "attention in",
    "net.move": "moves read",
    "net.state": "state and ratings",
    "net.ratings": "state and ratings",
}


def kind_of(weight: onnx.TensorProto, *, width: int) -> str:
    """One of ``KINDS``."""
    if MOVE_COUNT in weight.dims:
        return "head"
    for part, kind in _BY_NAME.items():
        if part in weight.name:
            return kind
    into, out = weight.dims[-2:]
    if into != width:
        return "MLP down"
    return "attention out" if out == width else "MLP up" if out > width else "their weights"


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(description="What each kind of weight costs in int8.")
    options.add_argument("net", type=Path)
    options.add_argument("run", type=Path)
    options.add_argument("store", type=Path)
    options.add_argument("--positions", type=int, default=2000, help="held-out positions, at least (default: %(default)s)")
    options.add_argument("--out", type=Path, help="also write the table here")
    return options


def main() -> None:
    """Round, compare, print, and write where told."""
    arguments = parser().parse_args()
    config = load_net(arguments.run)[1].model
    games = of_store(arguments.store, games=10, positions=arguments.positions, blind=config.board_input == "none")
    with tempfile.TemporaryDirectory() as folder:
        text = table(arguments.net, Path(folder) / "rounded.onnx", config, games)
    keep(f"{heading()}\n{text}", arguments.out)


def table(net: Path, scratch: Path, config: ModelConfig, games: list[Transcript]) -> str:
    """A line for each kind that the net has, one for all of them, three for the board in fewer bits, one for the twin."""
    want = _answers(net, config, games)

    def line(name: str, write: Callable[[Path], None]) -> str:
        write(scratch)
        found = _answers(scratch, config, games)
        same = float((found.argmax(-1) == want.argmax(-1)).mean())
        divergence = float((np.exp(want) * (want - found)).sum(-1).mean())
        return f"{name:24}{same:12.2%}{divergence * 1e6:16.1f}"

    def only(kinds: tuple[str, ...], *, bits: int = 8) -> Callable[[Path], None]:
        return lambda path: _write_rounded(net, path, kinds, width=config.width, bits=bits)

    there = {kind_of(w, width=config.width) for w in large_weights(onnx.load(str(net)).graph)}
    lines = [
        f"{len(want):,} held-out positions",
        f"{'in int8':24}{'same move':>12}{'nats, 1e-6':>16}",
        *(line(kind, only((kind,))) for kind in KINDS if kind in there),
        line("all of them", only(KINDS)),
        *(line(f"board in {bits} bits", only(("board",), bits=bits)) for bits in (7, 6, 5) if "board" in there),
        line("the twin of bin/export", lambda path: quantize(net, path)),
    ]
    return "\n".join(lines) + "\n"


def _write_rounded(net: Path, out: Path, kinds: tuple[str, ...], *, width: int, bits: int) -> None:
    """The net with weights of some kinds as so many bits have them, in float32."""
    model = onnx.load(str(net))
    for weight in large_weights(model.graph):
        if kind_of(weight, width=width) in kinds:
            values, scale = rounded(model.graph, weight, bits=bits)
            weight.CopyFrom(onnx.numpy_helper.from_array(values * scale, weight.name))
    onnx.save_model(model, str(out))


def _answers(net: Path, config: ModelConfig, games: list[Transcript]) -> NDArray[np.float32]:
    """(P, MOVE_COUNT) log-probabilities of all positions."""
    asked = OnnxNet(net, config)
    return np.concatenate([log_probabilities(asked, Transcript(g.moves[: config.context], g.fen)) for g in games])


if __name__ == "__main__":
    run(main)
