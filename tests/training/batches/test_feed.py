"""What feeds a GPU gives what feeds a processor, some steps early."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from tests.training.test_training import losses, make_trainer
from training.batches.feed import Batch, EarlyFeed, Feed, boards_on
from training.batches.rows import RowReader
from training.config import BoardInput, Config
from training.data.store import Store

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def early(config: Config, store: Store, device: str = "cpu") -> EarlyFeed:
    place = torch.device(device)
    reader = RowReader(store, config.data, config.model, seed=3, boards=boards_on(place))
    return EarlyFeed(reader, rows=8, rows_at_once=3, device=place)


def plain(config: Config, store: Store) -> Feed:
    return Feed(RowReader(store, config.data, config.model, seed=3), rows=8, rows_at_once=3, device=torch.device("cpu"))


def assert_equal(a: list[Batch], b: list[Batch]) -> None:
    assert [len(batch) for batch in a] == [len(batch) for batch in b]
    for one, other in zip(a, b, strict=True):
        assert len(one.tensors()) == len(other.tensors())
        for x, y in zip(one.tensors(), other.tensors(), strict=True):
            assert x.dtype == y.dtype
            assert torch.equal(x.cpu(), y.cpu())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("board_input", get_args(BoardInput))
def test_boards_made_on_the_device_are_numpys(config: Config, store: Store, device: str, board_input: BoardInput) -> None:
    data = dataclasses.replace(config.data, rating_doubling=200.0)
    config = dataclasses.replace(config, data=data, model=dataclasses.replace(config.model, board_input=board_input))
    ahead, usual = early(config, store, device), plain(config, store)
    for _ in range(12):
        batches = ahead.step()
        assert_equal(batches, usual.step())
    assert [len(batch) for batch in batches] == [3, 3, 2]


def test_the_state_is_that_of_the_step_handed_out(config: Config, store: Store) -> None:
    ahead, usual = early(config, store), plain(config, store)
    for _ in range(7):
        ahead.step()
        usual.step()
        assert ahead.state() == usual.state()
    again = early(config, store)
    again.step()
    again.restore(ahead.state())
    for _ in range(7):
        assert_equal(again.step(), usual.step())


def test_a_failure_in_the_thread_comes_out(config: Config, store: Store) -> None:
    ahead = early(config, store)
    ahead.step()
    for made in ahead._coming:  # some steps are made already
        made.result()
    early_steps = len(ahead._coming)
    ahead.reader._rows.clear()
    ahead.reader._shard_of = np.array([])  # what a chunk is then made of is no shard's
    for _ in range(early_steps):
        ahead.step()
    with pytest.raises(IndexError):
        ahead.step()


def test_a_run_fed_early_has_the_same_curve_and_may_go_on_fed_late(config: Config, store: Store, tmp_path: Path) -> None:
    make_trainer(config, store, tmp_path / "usual").run()
    trainer = make_trainer(config, store, tmp_path / "early")
    trainer.reader._boards = boards_on(torch.device("cpu"))
    trainer.feed = EarlyFeed(trainer.reader, rows=8, rows_at_once=4, device=torch.device("cpu"))
    trainer._stop.asked = True
    trainer.run()
    make_trainer(config, store, tmp_path / "early").run()
    assert losses(tmp_path / "early") == pytest.approx(losses(tmp_path / "usual"), abs=1e-6)
