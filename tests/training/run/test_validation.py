"""Metrics of held-out plies, against values worked out by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.vocabulary import MOVE_COUNT
from training.batches.rows import Rows
from training.config import ModelConfig
from training.net.model import Transformer
from training.run.validation import Validation, evaluate, judge

MOVES = [0.5, 0.25, 0.15, 0.1]
"""Probabilities of the moves 0 to 3 at every ply; no other is possible."""
PLAYED = [0, 1, 2, 3]
LEGAL = [[0, 1, 2, 3], [1, 2], [0, 2, 3], [2, 3]]
ODDS = [[0.6, 0.3, 0.1], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.2, 0.7, 0.1]]
"""Of a win, a draw and a loss."""
RESULTS = [0, 2, -100, 1]


class Fixed(Transformer):
    """A net whose output is fixed."""

    def __init__(self) -> None:
        super().__init__(ModelConfig(layers=1, width=4, heads=1))

    def forward(self, moves: Tensor, board: Tensor, state: Tensor, ratings: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
        logits = torch.full((*moves.shape, MOVE_COUNT), -torch.inf)
        logits[..., : len(MOVES)] = torch.tensor(MOVES).log()
        return logits, torch.tensor([ODDS]).log()


def four_plies(*, legal: bool) -> Validation:
    shape = (1, len(PLAYED))
    inputs = (np.zeros((*shape, *rest), np.int64) for rest in ((), (64,), (4,), (3,), ()))
    outcomes = (np.array([PLAYED]), np.array([RESULTS]), np.zeros(shape, np.uint16), np.zeros(shape, np.bool_))
    bits = np.zeros((*shape, MOVE_COUNT), np.bool_)
    for row, moves in zip(bits[0], LEGAL, strict=True):
        row[moves] = True
    return Validation(Rows(*inputs, *outcomes), np.packbits(bits, axis=-1) if legal else None)


def mean_nll(*probabilities: float) -> float:
    return -sum(map(math.log, probabilities)) / len(probabilities)


def test_metrics_are_those_worked_out_by_hand() -> None:
    metrics = dataclasses.asdict(evaluate(Fixed(), four_plies(legal=True)))
    assert metrics == pytest.approx(
        {
            "plies": 4,
            "move_nll": mean_nll(0.5, 0.25, 0.15, 0.1),
            "top1": 1 / 4,
            "top3": 3 / 4,
            "wdl_nll": mean_nll(0.6, 0.2, 0.7),
            "legal_top1": 2 / 4,
            "illegal_mass": (0 + 0.6 + 0.25 + 0.75) / 4,
            "legal_nll": mean_nll(0.5, 0.25 / 0.4, 0.15 / 0.75, 0.1 / 0.25),
        }
    )


def test_what_legal_moves_tell_is_left_out_without_them() -> None:
    metrics = evaluate(Fixed(), four_plies(legal=False))
    assert metrics.move_nll == pytest.approx(mean_nll(*MOVES))
    assert (metrics.legal_top1, metrics.illegal_mass, metrics.legal_nll) == (None, None, None)


def test_every_ply_is_judged_by_itself() -> None:
    judged = judge(Fixed(), four_plies(legal=True))
    assert np.stack([judged[name] for name in ("win", "draw", "loss")], axis=1) == pytest.approx(np.array(ODDS))
    assert judged["result"] == pytest.approx([0, 2, math.nan, 1], nan_ok=True)
    assert judged["top1"].tolist() == [1, 0, 0, 0]
    assert judged["legal_top1"].tolist() == [1, 0, 1, 0]
