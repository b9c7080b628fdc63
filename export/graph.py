"""One ONNX graph from a trained network: prefill, step and batch in one, with a KV cache.

Knows torch's exporter, the dynamic dimensions and the metadata of docs/onnx-contract.md. Does not know
checkpoints' folders, int8, or whether the result is right (``export.verify`` tells).
"""

from __future__ import annotations

import copy
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.encoding import ATTACK_CODES, BOARD_CODES, PIECE_CODES
from engine.files import replacing
from engine.net_file import CONTRACT, PREFIX
from engine.vocabulary import vocabulary_hash
from training.config import ModelConfig
from training.net.model import BoardTable, Transformer

INPUTS = ("moves", "board", "state", "ratings", "past_keys", "past_values", "positions", "past_mask", "new_mask")
OUTPUTS = ("logits", "wdl", "keys", "values")


class _FoldedBoard(nn.Module):
    """A BoardTable with its parts added up: one gather and one sum, which is all that playing needs."""

    offsets: Tensor
    rows: Tensor

    def __init__(self, board: BoardTable) -> None:
        super().__init__()
        self.register_buffer("offsets", board.offsets)
        self.register_buffer("rows", board.table().detach().clone())  # what a constant of the graph is made of

    def forward(self, codes: Tensor) -> Tensor:
        return F.embedding(codes + self.offsets, self.rows).sum(dim=-2)


class _SharedBoard(nn.Module):
    """A BoardTable without own rows: its two parts stay apart, for folded they would be 23 times as many rows."""

    places: Tensor
    square_piece: Tensor
    piece_attack: Tensor

    def __init__(self, board: BoardTable) -> None:
        super().__init__()
        self.register_buffer("places", torch.arange(64) * PIECE_CODES)
        self.register_buffer("square_piece", board.square_piece.detach().flatten(0, 2).clone())
        self.register_buffer("piece_attack", board.piece_attack.detach().flatten(0, 2).clone())

    def forward(self, codes: Tensor) -> Tensor:
        pieces = F.embedding(codes // ATTACK_CODES + self.places, self.square_piece)
        return (pieces + F.embedding(codes, self.piece_attack)).sum(dim=-2)


def _fold(module: nn.Module) -> None:
    """Replace every BoardTable inside ``module``, a net's own or one beside a conv or squares board."""
    for name, child in module.named_children():
        if isinstance(child, BoardTable):
            setattr(module, name, _SharedBoard(child) if child.attacks and child.own is None else _FoldedBoard(child))
        else:
            _fold(child)


class _Step(nn.Module):
    """``Transformer.step`` as a module's forward, for the exporter; a blind net still names its board inputs."""

    def __init__(self, net: Transformer) -> None:
        super().__init__()
        self.net = net

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.net.step(*inputs)


def example_inputs(config: ModelConfig) -> tuple[Tensor, ...]:
    """Inputs with no dimension of size 1 or 0, so that the exporter takes every dynamic one for dynamic."""
    B, T, S = 2, 3, 5
    cache = torch.zeros(config.layers, B, config.heads, S, config.head_width)
    past_mask = torch.arange(S).expand(B, T, S) < torch.tensor([5, 2])[:, None, None]
    return (
        torch.zeros(B, T, dtype=torch.long),
        torch.zeros(B, T, 64, dtype=torch.long),
        torch.zeros(B, T, 4, dtype=torch.long),
        torch.zeros(B, T, 3, dtype=torch.long),
        cache,
        cache.clone(),
        torch.tensor([[5, 6, 7], [2, 3, 4]]),
        past_mask,
        torch.ones(T, T, dtype=torch.bool).tril().repeat(B, 1, 1),
    )


def model_metadata(config: ModelConfig, name: str) -> dict[str, Any]:
    """What the engine must know to feed the net."""
    return {
        "name": name,
        "layers": config.layers,
        "heads": config.heads,
        "head_width": config.head_width,
        "width": config.width,
        "context": config.context,
        "board_input": config.board_input,
        "move_rank": config.move_rank,
        "checks": config.checks,
        "own_rows": config.own_rows,
        "rating_input": config.rating_input,
        "board_codes": BOARD_CODES[config.board_input],
    }


def forget_the_trace(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes at every node and value: stack traces with the paths of this machine, 200 kB in all."""
    graph = model.graph
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer, graph):
        del part.metadata_props[:]


def export_graph(
    net: Transformer, path: Path, *, name: str, training: dict[str, Any], play: dict[str, Any] | None = None
) -> None:
    """Write ``net`` as fp32 ONNX to ``path``, by way of a temporary file beside it."""
    net = copy.deepcopy(net).eval().cpu()
    _fold(net)
    dim = torch.export.Dim.DYNAMIC
    rows, mask = {0: dim, 1: dim}, {0: dim, 1: dim, 2: dim}
    cache = {1: dim, 3: dim}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of operators that are not used here
        program = torch.onnx.export(
            _Step(net),
            example_inputs(net.config),
            dynamo=True,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=((rows, rows, rows, rows, cache, cache, rows, mask, mask),),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    forget_the_trace(model)
    metadata = {
        "contract": CONTRACT,
        "vocabulary": vocabulary_hash(),
        "precision": "fp32",
        "model": json.dumps(model_metadata(net.config, name)),
        "training": json.dumps(training),
        "play": json.dumps(play or {}),
    }
    onnx.helper.set_model_props(model, {PREFIX + k: v for k, v in metadata.items()})
    with replacing(path) as partial:
        onnx.save_model(model, str(partial))
