"""Smaller twins of a fp32 net: weights of 8 bits and fewer, a quarter of the size; or float16 weights and products, for a GPU.

Knows which weights are rounded and how. Does not know torch, or whether a twin is good enough (``export.gate`` tells).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
TABLE_BITS = 7
"""Of a value of the large tables: the board's is more than half of the file, and bears 7 bits well and 6 not
(docs/results/training/rounding.txt). ``packed`` is made for just these."""
PRODUCTS = ("MatMul", "Gemm", "Conv")
"""Operators that a GPU computes several times faster in float16."""


def quantize(path: Path, out: Path) -> None:
    """Write the int8 twin of a fp32 net: weights rounded to 8 bits, tables to 7, arithmetic in float32 as before.

    Every large weight becomes int8 and a scale a row (tables) or an output channel (matrices), multiplied back by nodes that
    ONNX Runtime folds away when it loads the net; tables are packed into ``TABLE_BITS`` a value. What decides moves directly
    becomes float16 instead: the fixed vectors of the moves, and weights below ``SMALLEST_INT8`` (docs/log/2026-11.md has what
    each costs). Rounding activations as well (dynamic quantisation) was tried: another move was best in 8 %.
    """
    model = onnx.load(str(path))
    graph = model.graph
    restored: list[onnx.NodeProto] = []
    for weight in large_weights(graph):
        if MOVE_COUNT in weight.dims or _size(weight) < SMALLEST_INT8:
            restored += _halve_weight(graph, weight)
        elif is_table(graph, weight) and len(weight.dims) == 2 and weight.dims[1] % 8 == 0:
            restored += _pack_table(graph, weight)
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


def is_table(graph: onnx.GraphProto, weight: onnx.TensorProto) -> bool:
    """Whether rows of a weight are looked up."""
    return any(node.op_type == "Gather" and node.input[0] == weight.name for node in graph.node)


def rounded(graph: onnx.GraphProto, weight: onnx.TensorProto, *, bits: int = 8) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A weight as whole numbers of so many bits, and the scales that bring it back.

    A table has a scale a row. In a product each output channel has one: MatMul's (in, out) weights sum over the last axis but
    one; a weight that is reshaped and turned first is (out, in).
    """
    multiplied = any(node.op_type == "MatMul" and node.input[1] == weight.name for node in graph.node)
    values: NDArray[np.float32] = onnx.numpy_helper.to_array(weight)
    largest = np.abs(values).max(axis=-2 if multiplied and not is_table(graph, weight) else -1, keepdims=True)
    scale = np.maximum(largest, 1e-12).astype(np.float32) / (2 ** (bits - 1) - 1)
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


def packed(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """(N, W) values from -63 to 63 as (N, 7, W / 8) bytes: seven eighths of a row in the high seven bits, and the last eighth
    in the low bits that are left over. Raises ValueError for other values."""
    if values.min() < -63 or values.max() > 63:
        raise ValueError(f"expected values from -63 to 63, got {values.min()} to {values.max()}")
    parts = (values.astype(np.uint8) << 1).reshape(len(values), 8, -1)
    spare = parts[:, 7:] >> np.arange(1, 8, dtype=np.uint8)[:, None] & np.uint8(1)
    whole: NDArray[np.uint8] = np.bitwise_or(parts[:, :7], spare, dtype=np.uint8)
    return whole


def _pack_table(graph: onnx.GraphProto, weight: onnx.TensorProto) -> list[onnx.NodeProto]:
    """Replace one table by what ``packed`` makes of it and scales; returns the nodes that restore it under its old name.

    They compute in bytes for as long as they can: each is folded at load by itself, with all that it makes.
    """
    name, (values, scale) = weight.name, rounded(graph, weight, bits=TABLE_BITS)
    graph.initializer.remove(weight)
    constants: dict[str, NDArray[Any]] = {
        "packed": packed(values),
        "high": np.array(254, np.uint8),
        "low": np.array(1, np.uint8),
        "places": 2 ** np.arange(1, 8, dtype=np.uint8)[None],
        "shape": np.array(weight.dims, np.int64),
        "scale": scale / 2,
    }
    graph.initializer.extend(onnx.numpy_helper.from_array(value, f"{name}.{part}") for part, value in constants.items())

    def node(kind: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
        return onnx.helper.make_node(kind, [f"{name}.{part}" for part in inputs.split()], [f"{name}.{output}"], **attributes)

    restored = [
        node("BitwiseAnd", "packed high", "seven"),  # (N, 7, W / 8)
        node("BitwiseAnd", "packed low", "bits"),
        node("MatMulInteger", "places bits", "sum"),  # (N, 1, W / 8)
        node("Cast", "sum", "eighth", to=onnx.TensorProto.UINT8),
        node("Concat", "seven eighth", "parts", axis=1),
        node("Reshape", "parts shape", "bytes"),
        node("Cast", "bytes", "int8", to=onnx.TensorProto.INT8),  # 128 to 255 become negative
        node("Cast", "int8", "float", to=onnx.TensorProto.FLOAT),
        node("Mul", "float scale", "restored"),
    ]
    restored[-1].output[:] = [name]
    return restored


def _halve_weight(graph: onnx.GraphProto, weight: onnx.TensorProto) -> list[onnx.NodeProto]:
    """Replace one initializer by float16; returns the node that restores it under its old name."""
    name, values = weight.name, onnx.numpy_helper.to_array(weight)
    graph.initializer.remove(weight)
    graph.initializer.append(onnx.numpy_helper.from_array(values.astype(np.float16), name + ".half"))
    return [onnx.helper.make_node("Cast", [name + ".half"], [name], to=onnx.TensorProto.FLOAT)]
