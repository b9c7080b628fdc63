"""Weights by rating: twice as much every so many points, the mean 1, bounded, and they change what is learnt."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from training.batches.weighting import RatingWeights
from training.config import Config, DataConfig
from training.data.store import GAME_DTYPE, Store
from training.run import checkpoint
from training.run.loop import Processes, Trainer


def weights_of(doubling: float, *, span: float = 20.0) -> RatingWeights:
    records = np.zeros(4, GAME_DTYPE)
    records["white_elo"], records["black_elo"] = [1000, 1400, 1800, 0], [1200, 1600, 2600, 0]
    return RatingWeights(DataConfig(rating_doubling=doubling, rating_span=span), [(records, np.array([10, 20, 30, 40]))])


def test_they_double() -> None:
    found = weights_of(200)(np.array([1300, 1500, 1700], np.uint16))
    assert found is not None
    assert found[1:] / found[:-1] == pytest.approx([2, 2])


def test_they_are_bounded_and_an_unknown_rating_is_a_typical_one() -> None:
    found = weights_of(200, span=16)(np.array([1, 3500, 0, 1500], np.uint16))
    assert found is not None
    assert found[1] / found[0] == pytest.approx(16)
    assert found[2] == found[3]


def test_their_mean_over_the_games_is_one() -> None:
    weights = weights_of(200)
    white, black = weights(np.array([1000, 1400, 1800, 0], np.uint16)), weights(np.array([1200, 1600, 2600, 0], np.uint16))
    assert white is not None
    assert black is not None
    assert ((white + black) / 2) @ [10, 20, 30, 40] / 100 == pytest.approx(1)


def test_none_are_asked_for_by_default() -> None:
    assert weights_of(0)(np.array([1500], np.uint16)) is None


def test_the_reported_loss_is_unweighted_but_the_gradient_is_not(config: Config, store: Store, tmp_path: Path) -> None:
    lines, heads = [], []
    for name, doubling in (("plain", 0.0), ("weighted", 100.0)):
        data = dataclasses.replace(config.data, rating_doubling=doubling)
        told = dataclasses.replace(config, data=data)
        checkpoint.start(tmp_path / name, told, dataset={})
        trainer = Trainer(told, store, folder=tmp_path / name, processes=Processes(), device=torch.device("cpu"))
        lines.append(trainer._train_step(0.5)["move_nll"])
        heads.append(trainer.net.move_head.grad)
    assert lines[0] == pytest.approx(lines[1], abs=1e-6)
    assert heads[0] is not None
    assert heads[1] is not None
    assert not torch.allclose(heads[0], heads[1])
