"""A quarter of the size: int8 weights, and the gate that decides whether they may be shipped.

Knows which weights are rounded, and how far an int8 net may stray from its fp32 twin. Does not know torch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.errors import NetError
from engine.vocabulary import FLIP, MOVES
from export.verify import Floats, OnnxNet, game_inputs
from training.config import ModelConfig

NLL_TOLERANCE = 0.01
"""Largest rise, in nats, of the loss on the moves that were played."""
SMALLEST = 4096
"""Weights with fewer values stay as they are."""
AGREEMENT_FLOOR = 0.98
"""Smallest share of positions where both nets like the same move best."""


@dataclass(frozen=True)
class Fidelity:
    """How an int8 net compares with its fp32 twin on played games."""

    positions: int
    move_nll_fp32: float
    move_nll_int8: float
    top1_agreement: float

    @property
    def passes(self) -> bool:
        return self.move_nll_int8 - self.move_nll_fp32 <= NLL_TOLERANCE and self.top1_agreement >= AGREEMENT_FLOOR


def quantize(path: Path, out: Path) -> None:
    """Write the int8 twin of a fp32 net: weights rounded to 8 bits, arithmetic in float32 as before.

    Every large weight becomes int8 and a scale a row (tables) or an output channel (matrices), multiplied back by two
    nodes that ONNX Runtime folds away when it loads the net; the head over the moves becomes float16 instead, for in
    int8 it alone changed the best move in 1.4 % of positions, all other weights together in as many. Rounding activations
    as well (dynamic quantisation) was tried: another move was best in 8 %.
    """
    model = onnx.load(str(path))
    graph = model.graph
    gathered = {node.input[0] for node in graph.node if node.op_type == "Gather"}
    restored: list[onnx.NodeProto] = []
    for weight in [w for w in graph.initializer if _is_large(w)]:
        if MOVES in weight.dims:
            restored += _halve_weight(graph, weight)
        else:
            axis = -1 if weight.name in gathered else _contracted_axis(graph, weight)
            restored += _round_weight(graph, weight, axis=axis)
    for node in reversed(restored):
        graph.node.insert(0, node)
    for prop in model.metadata_props:
        if prop.key == "transcendence.precision":
            prop.value = "int8"
    partial = out.with_suffix(".partial")
    onnx.save_model(model, str(partial))
    os.replace(partial, out)


def _is_large(weight: onnx.TensorProto) -> bool:
    return weight.data_type == onnx.TensorProto.FLOAT and int(np.prod(weight.dims)) >= SMALLEST


def _contracted_axis(graph: onnx.GraphProto, weight: onnx.TensorProto) -> int:
    """The axis that a product sums over, so that each output channel has a scale of its own: MatMul's (in, out) weights
    sum over the last but one; a weight that is reshaped and turned first is (out, in)."""
    multiplied = any(node.op_type == "MatMul" and node.input[1] == weight.name for node in graph.node)
    return -2 if multiplied else -1


def _round_weight(graph: onnx.GraphProto, weight: onnx.TensorProto, *, axis: int) -> list[onnx.NodeProto]:
    """Replace one initializer by int8 and scales; returns the nodes that restore it under its old name."""
    name, values = weight.name, onnx.numpy_helper.to_array(weight)
    scale = np.maximum(np.abs(values).max(axis=axis, keepdims=True), 1e-12).astype(np.float32) / 127
    rounded = np.rint(values / scale).astype(np.int8)
    graph.initializer.remove(weight)
    graph.initializer.append(onnx.numpy_helper.from_array(rounded, name + ".int8"))
    graph.initializer.append(onnx.numpy_helper.from_array(scale, name + ".scale"))
    return [
        onnx.helper.make_node("Cast", [name + ".int8"], [name + ".float"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Mul", [name + ".float", name + ".scale"], [name]),
    ]


def _halve_weight(graph: onnx.GraphProto, weight: onnx.TensorProto) -> list[onnx.NodeProto]:
    """Replace one initializer by float16; returns the node that restores it under its old name."""
    name, values = weight.name, onnx.numpy_helper.to_array(weight)
    graph.initializer.remove(weight)
    graph.initializer.append(onnx.numpy_helper.from_array(values.astype(np.float16), name + ".half"))
    return [onnx.helper.make_node("Cast", [name + ".half"], [name], to=onnx.TensorProto.FLOAT)]


def compare(fp32: Path, int8: Path, *, config: ModelConfig, games: Sequence[NDArray[np.uint16]]) -> Fidelity:
    """Ask both nets for every position of ``games`` (ids from White's side, from the initial position)."""
    nets = OnnxNet(fp32, config), OnnxNet(int8, config)
    nll, agree, positions = [0.0, 0.0], 0, 0
    for game in games:
        moves = game[: config.context]
        played = np.where(np.arange(len(moves)) % 2 == 1, FLIP[moves], moves)
        answers = [_log_p(net, moves) for net in nets]
        for i, log_p in enumerate(answers):
            nll[i] -= float(log_p[np.arange(len(moves)), played].sum())
        agree += int((answers[0].argmax(-1) == answers[1].argmax(-1)).sum())
        positions += len(moves)
    return Fidelity(positions, nll[0] / positions, nll[1] / positions, agree / positions)


def check(found: Fidelity, path: Path) -> None:
    """Raise NetError when the int8 net may not be shipped."""
    if not found.passes:
        raise NetError(
            f"{path} strays too far from its fp32 twin: expected a move loss within {NLL_TOLERANCE} nats and the same best "
            f"move in {AGREEMENT_FLOOR:.0%} of positions, got {found}; ship the fp32 net"
        )


def _log_p(net: OnnxNet, moves: NDArray[np.uint16]) -> Floats:
    """(T, MOVES) log-probabilities of all moves at every position of one game."""
    empty = net.empty(1)
    answer, _, _ = net(game_inputs(moves, net.config.board_input), empty, empty, np.zeros(1, np.int64))
    logits = answer[0, :, :-3].astype(np.float64)
    top = logits.max(axis=-1, keepdims=True)
    log_p: Floats = (logits - top - np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))).astype(np.float32)
    return log_p
