"""An exported net turned back into the weights it came from, so that training can continue where only the ONNX file is left.

Knows the graph that ``export.graph`` writes, what its int8 and fp16 twins keep of the weights, and the metadata of
docs/onnx-contract.md. Does not know runs. Nets with a small net over the squares (conv, squares) are not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.attacks import KING_CODES
from engine.encoding import ATTACK_CODES, BOARD_CODES, PIECE_CODES, RATINGS_SIZES, STATE_SIZES
from engine.errors import ConfigError
from engine.net_file import CONTRACTS, PREFIX
from engine.vocabulary import MOVE_COUNT, START, vocabulary_hash
from training.config import ModelConfig, from_dict

if TYPE_CHECKING:
    import onnx

Values = NDArray[Any]

_FOLDED = ("BitwiseAnd", "Cast", "Concat", "MatMulInteger", "Mul", "Reshape", "Transpose")
"""Operators through which a weight comes to where it is used."""

_READABLE = ("none", "sum", "attacks")
_SHAPE = ("layers", "width", "heads", "context", "board_input", "move_rank", "checks", "own_rows", "rating_input")


@dataclass(frozen=True)
class Exported:
    """What an ONNX file holds of the net that was exported."""

    model: ModelConfig
    """The net's shape."""
    weights: dict[str, Tensor]
    """By the names of ``training.net.model.Transformer``'s state; of a twin, as it rounded them."""
    precision: str
    """fp32, int8 or fp16."""
    training: dict[str, Any]
    """How it was trained, as its metadata says."""


def read_exported(path: Path) -> Exported:
    """Read a net that bin/export wrote: fp32 or a twin. Raises ConfigError for any other file."""
    proto = _load(path)
    facts = _metadata(proto, path)
    graph = _Graph(proto.graph, path)
    model = _model(facts, graph)
    weights = {name: torch.tensor(values) for name, values in _weights(graph, model)}
    return Exported(model, weights, facts["precision"], facts["training"])


def split_rows(rows: Values) -> dict[str, Values]:
    """The parts of ``training.net.model.BoardTable`` whose sum is ``rows`` (64 * codes, W), the exporter's one table.

    What they were before is gone; taken apart by means, as much as can be lies in the parts that are met on every board.
    """
    if len(rows) == 64 * PIECE_CODES:
        return {"square_piece": rows.reshape(64, PIECE_CODES, 1, -1)}
    left = rows.reshape(64, PIECE_CODES, ATTACK_CODES, -1)
    square_piece = left.mean(axis=2, keepdims=True)
    left = left - square_piece
    piece_attack = left.mean(axis=0, keepdims=True)
    return {"square_piece": square_piece, "piece_attack": piece_attack, "own": left - piece_attack}


def _load(path: Path) -> onnx.ModelProto:
    try:
        import onnx
    except ImportError as error:
        raise ConfigError(
            f"expected the onnx package, to read {path}; run pip install 'transcendence-chess[export]' (in a checkout, "
            f"bin/export --help prepares it)"
        ) from error
    try:
        return onnx.load(str(path), load_external_data=False)
    except Exception as error:  # the system's, or protobuf's own, which onnx does not name
        raise ConfigError(f"expected a net that bin/export wrote at {path}: {str(error)[:200]}; is the file whole?") from None


def _metadata(proto: onnx.ModelProto, path: Path) -> dict[str, Any]:
    """What the net says of itself, if this program can read it."""
    values = {p.key.removeprefix(PREFIX): p.value for p in proto.metadata_props}
    mine = {"contract": CONTRACTS, "vocabulary": (vocabulary_hash(),)}
    for key, wanted in mine.items():
        if values.get(key) not in wanted:
            raise ConfigError(
                f"expected a net that bin/export wrote, with {PREFIX}{key} {' or '.join(wanted)}, got {values.get(key)} in "
                f"{path}; begin from the folder of the run it came from"
            )
    try:
        facts = {key: json.loads(values[key]) for key in ("model", "training")}
    except (KeyError, ValueError) as error:
        raise ConfigError(f"expected JSON in the metadata of {path}: {error or type(error).__name__}; is it whole?") from None
    return facts | {"precision": values.get("precision", "fp32")}


def _model(facts: dict[str, Any], graph: _Graph) -> ModelConfig:
    """The shape as the run's config had it; older nets carry only what an engine needs, which leaves out the MLP's size."""
    shape = facts["training"].get("config", {}).get("model")
    if shape is None:
        shape = {key: facts["model"][key] for key in _SHAPE if key in facts["model"]}
        if len(graph.matrices) > 2:
            wide, width = graph.matrices[2].shape
            shape["mlp_ratio"] = max(1, wide // width)
    model = from_dict({"model": shape}, where=str(graph.path)).model
    if model.board_input not in _READABLE:
        raise ConfigError(
            f"expected a net whose board input is {', '.join(_READABLE)}, got {model.board_input} in {graph.path}: its net "
            f"over the squares cannot be read back from a graph; begin from the folder of the run it came from"
        )
    return model


class _Graph:
    """The constants of a graph: under their names, and those that are multiplied with activations in order of use."""

    def __init__(self, graph: onnx.GraphProto, path: Path) -> None:
        self.path = path
        self._initializers = {weight.name: weight for weight in graph.initializer}
        self._made_by = {node.output[0]: node for node in graph.node if node.op_type in _FOLDED}
        factors = (self._constant(node.input[1]) for node in graph.node if node.op_type == "MatMul")
        self.matrices = [values.T for values in factors if values is not None and values.ndim == 2]
        """(out, in) each, in the order of ``_matrix_shapes``. They have no names that tell: the exporter folds that they are
        turned, of qkv in small nets only."""

    def _constant(self, name: str) -> Values | None:
        """An initializer, or what is made of some without an input: the weights that a twin restores, and qkv once it is
        turned. None for all else."""
        import onnx
        from onnx.reference import ReferenceEvaluator

        if name in self._initializers:
            return onnx.numpy_helper.to_array(self._initializers[name])
        node = self._made_by.get(name)
        if node is None:
            return None
        values = {}
        for source in node.input:
            value = self._constant(source)
            if value is None:
                return None
            values[source] = value
        (folded,) = ReferenceEvaluator(node).run(None, values)
        return np.asarray(folded)

    def table(self, name: str, shape: tuple[int, ...]) -> Values:
        """A constant that kept its name."""
        return self.checked(name, self._constant(name), shape)

    def checked(self, name: str, values: Values | None, shape: tuple[int, ...]) -> Values:
        """``values`` if they have this shape. Raises ConfigError otherwise."""
        if values is None or values.shape != shape:
            came = "none" if values is None else f"{values.shape}"
            raise ConfigError(
                f"expected {name} of shape {shape} in {self.path}, got {came}; begin from the folder of the run it came from"
            )
        return values


def _weights(graph: _Graph, model: ModelConfig) -> Iterator[tuple[str, Values]]:
    """All weights of a ``Net`` of this shape, by name."""
    W = model.width
    yield "move", graph.table("net.move", (START + 1, W))
    if model.board_input != "none":
        yield from ((f"board.{part}", values) for part, values in _board_tables(graph, model).items())
        yield "state.weight", graph.table("net.state.weight", (sum(STATE_SIZES), W))
    if model.rating_input:
        yield "ratings.weight", graph.table("net.ratings.weight", (sum(RATINGS_SIZES), W))
    for name, shape in _pair_tables(model):
        yield f"pairs.{name}", graph.table(f"net.pairs.{name}", shape)
    shapes = dict(_matrix_shapes(model))
    if len(graph.matrices) != len(shapes):
        raise ConfigError(
            f"expected {len(shapes)} matrices for {model.layers} blocks and the heads in {graph.path}, got "
            f"{len(graph.matrices)}; begin from the folder of the run it came from"
        )
    for (name, shape), values in zip(shapes.items(), graph.matrices, strict=True):
        checked = graph.checked(name, values, shape)
        yield name, checked.reshape(3, W, W) if name.endswith("qkv") else checked


def _board_tables(graph: _Graph, model: ModelConfig) -> dict[str, Values]:
    """The parts of ``training.net.model.BoardTable`` by name."""
    W = model.width
    if model.board_input == "attacks" and not model.own_rows:
        return {
            "square_piece": graph.table("net.board.square_piece", (64 * PIECE_CODES, W)).reshape(64, PIECE_CODES, 1, W),
            "piece_attack": graph.table("net.board.piece_attack", (BOARD_CODES["attacks"], W)).reshape(1, PIECE_CODES, -1, W),
        }
    return split_rows(graph.table("net.board.rows", (64 * BOARD_CODES[model.board_input], W)))


def _matrix_shapes(model: ModelConfig) -> Iterator[tuple[str, tuple[int, int]]]:
    """Names and (out, in) shapes of what a step multiplies with, in its order."""
    W, hidden = model.width, model.mlp_ratio * model.width
    for i in range(model.layers):
        yield f"blocks.{i}.qkv", (3 * W, W)
        yield f"blocks.{i}.out", (W, W)
        yield f"blocks.{i}.up", (hidden, W)
        yield f"blocks.{i}.down", (W, hidden)
    yield "move_head", (MOVE_COUNT, W)
    if model.move_rank:
        yield "pairs.gate", (model.move_rank, W)
    yield "wdl_head", (3, W)


def _pair_tables(model: ModelConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the tables of ``training.net.move_head.SquarePairs``, where a net of this shape has one."""
    R, C = model.move_rank, BOARD_CODES[model.board_input]
    if R:
        yield "gate_bias", (R,)
        yield "kinds", (PIECE_CODES, 64, 64)
        yield from ((f"place_{end}", (64, R)) for end in ("from", "to"))
        yield from ((f"code_{end}", (C, R)) for end in ("from", "to"))
    if model.checks:
        yield from ((f"king_{end}", (KING_CODES, R)) for end in ("from", "to"))
