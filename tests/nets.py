"""Small random nets for tests: the real network, exported by the real exporter, so no contract is mimicked."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from export.graph import export_graph
from training.config import BoardInput, ModelConfig
from training.net.model import Transformer


def random_network(board_input: BoardInput = "attacks", *, seed: int = 1, context: int = 48) -> Transformer:
    """A network with random weights everywhere, so that every input matters; blind and ``sum`` ones have no square pairs."""
    torch.manual_seed(seed)
    rank = 0 if board_input in ("none", "sum") else 8
    model = ModelConfig(layers=2, width=32, heads=2, context=context, board_input=board_input, move_rank=rank, checks=rank > 0)
    net = Transformer(model)
    for name, p in net.named_parameters():
        if not name.endswith("square_piece"):
            torch.nn.init.normal_(p, std=0.1)
    return net


def tiny_net(path: Path, *, board_input: BoardInput = "attacks", seed: int = 1) -> Path:
    """An exported random network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_graph(
            random_network(board_input, seed=seed), path, name=path.stem, training={}, play={"rating": 1500, "scale": 1}
        )
    return path
