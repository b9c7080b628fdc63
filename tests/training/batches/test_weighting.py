"""Weights of moves: twice as much every so many points, the mean 1, bounded; mates more; and they change what is learnt."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.vocabulary import MOVE_ID
from training.batches.rows import RowReader, build_rows
from training.batches.weighting import MoveWeights
from training.config import Config, DataConfig, ModelConfig
from training.data.store import GAME_DTYPE, Game, Store, StoreWriter, open_store
from training.run import checkpoint
from training.run.loop import Processes, Trainer
from training.run.validation import inputs_of


def weights_of(doubling: float, *, span: float = 20.0, mate: float = 1.0) -> MoveWeights:
    records = np.zeros(4, GAME_DTYPE)
    records["white_elo"], records["black_elo"] = [1000, 1400, 1800, 0], [1200, 1600, 2600, 0]
    data = DataConfig(rating_doubling=doubling, rating_span=span, mate_weight=mate)
    return MoveWeights(data, [(records, np.array([10, 20, 30, 40]))])


def no_mates(count: int) -> NDArray[np.bool_]:
    return np.zeros(count, np.bool_)


def test_they_double() -> None:
    found = weights_of(200)(np.array([1300, 1500, 1700], np.uint16), no_mates(3))
    assert found is not None
    assert found[1:] / found[:-1] == pytest.approx([2, 2])


def test_they_are_bounded_and_an_unknown_rating_is_a_typical_one() -> None:
    found = weights_of(200, span=16)(np.array([1, 3500, 0, 1500], np.uint16), no_mates(4))
    assert found is not None
    assert found[1] / found[0] == pytest.approx(16)
    assert found[2] == found[3]


def test_their_mean_over_the_games_is_one() -> None:
    weights = weights_of(200)
    white = weights(np.array([1000, 1400, 1800, 0], np.uint16), no_mates(4))
    black = weights(np.array([1200, 1600, 2600, 0], np.uint16), no_mates(4))
    assert white is not None
    assert black is not None
    assert ((white + black) / 2) @ [10, 20, 30, 40] / 100 == pytest.approx(1)


def test_none_are_asked_for_by_default() -> None:
    assert weights_of(0)(np.array([1500], np.uint16), np.array([True])) is None


@pytest.mark.parametrize("doubling", [0, 200])
def test_a_mate_weighs_more(doubling: float) -> None:
    weights = weights_of(doubling, mate=16)(np.array([1500, 1500], np.uint16), np.array([False, True]))
    assert weights is not None
    assert weights.dtype == np.float32
    assert weights[1] == pytest.approx(16 * weights[0])


def test_rows_know_which_moves_mate(tmp_path: Path) -> None:
    fools_mate = np.array([MOVE_ID[move] for move in ("f2f3", "e7e5", "g2g4", "d8h4")], np.uint16)
    writer = StoreWriter(tmp_path / "games")
    writer.add(Game(fools_mate, result="0-1", termination="checkmate"))
    writer.add(Game(fools_mate[:3], result="0-1", termination="resignation"))
    writer.close()
    model = ModelConfig(layers=1, width=16, heads=2, context=7)
    shard = open_store(tmp_path / "games").shards[0]
    rows = build_rows(shard, np.arange(2), starts=[None] * 2, model=model, dropout=np.zeros(2, np.bool_))
    assert rows.mates.tolist() == [[False, False, False, True, False, False, False]]


@pytest.mark.parametrize("doubling", [0.0, 100.0])
def test_the_reported_loss_is_unweighted_but_the_gradient_is_not(
    doubling: float, config: Config, store: Store, tmp_path: Path
) -> None:
    data = dataclasses.replace(config.data, rating_doubling=doubling)
    config = dataclasses.replace(config, data=data, optimizer=dataclasses.replace(config.optimizer, clip=0.0))
    checkpoint.start(tmp_path, config, dataset={})
    trainer = Trainer(config, store, folder=tmp_path, processes=Processes(), device=torch.device("cpu"))
    torch.nn.init.normal_(trainer.net.move_head, std=0.3)
    before = copy.deepcopy(trainer.net)
    reader = RowReader(store, data, config.model, seed=config.run.seed)
    rows = reader.rows(trainer.rows_a_step)
    log_p = before(*inputs_of(rows, torch.device("cpu")))[0].log_softmax(-1)
    nll = -log_p.gather(-1, torch.from_numpy(rows.targets)[..., None])[..., 0]
    weights = reader.weights(rows.elo, rows.mates)
    weighted = nll if weights is None else nll * torch.from_numpy(weights)
    (want,) = torch.autograd.grad(weighted.mean(), before.move_head)
    assert trainer._train_step(0.5)["move_nll"] == pytest.approx(nll.mean().item())
    assert trainer.net.move_head.grad is not None
    assert torch.allclose(trainer.net.move_head.grad, want, rtol=1e-3, atol=1e-7)
