"""Smaller twins of a fp32 net: int8 weights, a quarter of the size; or float16 weights and products, for a GPU.

Knows which weights are rounded and how. Does not know torch, or whether a twin is good enough (``export.gate`` tells).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.files import replacing
from engine.vocabulary import MOVE_COUNT

SMALLEST = 4096
"""Weights with fewer values stay as they are."""
SMALLEST_INT8 = 65_536
"""Weights with fewer values become float16 in an int8 twin: in int8, the square pairs and what weighs them cost as much as all
others but the head (docs/results/training/rounding.txt), and save 0.14 MB."""
PRODUCTS = ("MatMul", "Gemm", "Conv")
"""Operators that a GPU computes several times faster in float16."""


def quantize(path: Path, out: Path) -> None:
    """Write the int8 twin of a fp32 net: weights rounded to 8 bits, arithmetic in float32 as before.

    Every large weight becomes int8 and a scale a row (tables) or an output channel (matrices), multiplied back by two
    nodes that ONNX Runtime folds away when it loads the net. What decides moves directly becomes float16 instead: the fixed
    vectors of the moves, and weights below ``SMALLEST_INT8`` (docs/log/2026-11.md has what each costs). Rounding activations as
    well (dynamic quantisation) was tried: another move was best in 8 %.
    """
    model = onnx.load(str(path))
    graph = model.graph
    restored: list[onnx.NodeProto] = []
    for weight in large_weights(graph):
        if MOVE_COUNT in weight.dims or _size(weight) < SMALLEST_INT8:
            restored += _halve_weight(graph, weight)
        else:
            restored += _round_weight(graph, weight)
    _save_twin(model, out, restored, precision="int8")


def halve(path: Path, out: Path) -> None:
    """Write the fp16 twin of a fp32 net: large weights and all matrix products in float16, all else in float32.

    What is small is what loses most by float16 - norms, rotations, softmax and its mask - and what comes in and goes out
    stays as the contract says. On a CPU nothing is gained: ONNX Runtime computes the products in float32 there.
    """
    model = onnx.load(str(path))
    graph = model.graph
    restored = [node for weight in large_weights(graph) for node in _halve_weight(graph, weight)]
    nodes = [part for node in graph.node for part in (_in_half(node) if node.op_type in PRODUCTS else [node])]
    del graph.node[:]
    graph.node.extend(nodes)
    _save_twin(model, out, restored, precision="fp16")


def _in_half(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """A product between casts of what goes in and what comes out; casts that undo each other are folded away at load."""
    inside, (name,) = f"{node.output[0]}.half", node.output
    casts = [
        onnx.helper.make_node("Cast", [source], [f"{inside}.{i}"], to=onnx.TensorProto.FLOAT16)
        for i, source in enumerate(node.input)
    ]
    half = onnx.NodeProto()
    half.CopyFrom(node)
    half.input[:] = [cast.output[0] for cast in casts]
    half.output[:] = [inside]
    return [*casts, half, onnx.helper.make_node("Cast", [inside], [name], to=onnx.TensorProto.FLOAT)]


def _save_twin(model: onnx.ModelProto, out: Path, restored: list[onnx.NodeProto], *, precision: str) -> None:
    """Write ``model`` with the nodes that restore its weights in front, by way of a temporary file."""
    for node in reversed(restored):
        model.graph.node.insert(0, node)
    for prop in model.metadata_props:
        if prop.key == "transcendence.precision":
            prop.value = precision
    with replacing(out) as partial:
        onnx.save_model(model, str(partial))


def large_weights(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    """The float32 weights that a twin has smaller."""
    return [w for w in graph.initializer if w.data_type == onnx.TensorProto.FLOAT and _size(w) >= SMALLEST]


def _size(weight: onnx.TensorProto) -> int:
    return int(np.prod(weight.dims))


def rounded(graph: onnx.GraphProto, weight: onnx.TensorProto) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A weight as int8, and the scales that bring it back.

    A table has a scale a row. In a product each output channel has one: MatMul's (in, out) weights sum over the last axis but
    one; a weight that is reshaped and turned first is (out, in).
    """
    looked_up = any(node.op_type == "Gather" and node.input[0] == weight.name for node in graph.node)
    multiplied = any(node.op_type == "MatMul" and node.input[1] == weight.name for node in graph.node)
    values: NDArray[np.float32] = onnx.numpy_helper.to_array(weight)
    largest = np.abs(values).max(axis=-2 if multiplied and not looked_up else -1, keepdims=True)
    scale = np.maximum(largest, 1e-12).astype(np.float32) / 127
    return np.rint(values / scale).astype(np.int8), scale


def _round_weight(graph: onnx.GraphProto, weight: onnx.TensorProto) -> list[onnx.NodeProto]:
    """Replace one initializer by int8 and scales; returns the nodes that restore it under its old name."""
    name, (values, scale) = weight.name, rounded(graph, weight)
    graph.initializer.remove(weight)
    graph.initializer.append(onnx.numpy_helper.from_array(values, name + ".int8"))
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
