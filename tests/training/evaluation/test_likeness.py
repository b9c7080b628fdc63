"""Human-likeness by setting: the right players' plies, conditioned on what was said, and nothing else changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from engine.dial import Setting
from engine.encoding import rating_bucket
from engine.errors import ConfigError
from tests.nets import random_network
from training.batches.rows import Rows
from training.config import DataConfig
from training.data.store import Store
from training.evaluation.likeness import _error, judge, likeness_table, measure, plies_of
from training.net.model import Transformer
from training.run.validation import Validation, inputs_of, load_validation


@pytest.fixture
def held_out(store: Store) -> Validation:
    return load_validation(store, DataConfig(), model=random_network(context=32).config, plies=400, legal=True)


@pytest.fixture
def rows(held_out: Validation) -> Rows:
    return held_out.rows


@pytest.fixture
def net() -> Transformer:
    return random_network(context=32).eval()


def _a_rating(rows: Rows) -> int:
    """The hundred that most rows have players near to."""
    return max(range(900, 2400, 100), key=lambda rating: int(plies_of(rows, Setting(rating, 1, 1.0)).any(axis=1).sum()))


def test_the_plies_are_those_of_players_near_the_setting_on_its_scale(rows: Rows) -> None:
    rating = _a_rating(rows)
    found = plies_of(rows, Setting(rating, 1, 1.0))
    assert found.any()
    assert (np.abs(rows.elo[found].astype(int) - rating) <= 100).all()
    assert (np.abs(rows.elo[~found].astype(int) - rating) > 100).all()
    assert not plies_of(rows, Setting(rating, 2, 1.0)).any()


def test_losses_are_those_of_the_net_conditioned_so_and_the_rows_stay_as_they_were(
    held_out: Validation, rows: Rows, net: Transformer
) -> None:
    rating = _a_rating(rows)
    before = rows.ratings.copy()
    found = measure(net, held_out, Setting(rating, 1, 0.5), most=10**6)
    assert (rows.ratings == before).all()
    theirs = torch.from_numpy(plies_of(rows, Setting(rating, 1, 0.5)))
    assert found.plies == int(theirs.sum())
    moves, board, state, ratings, segments = inputs_of(rows, torch.device("cpu"))
    told = torch.tensor([rating_bucket(rating)] * 2 + [1]).expand_as(ratings)
    targets = torch.from_numpy(rows.targets.astype(np.int64))[theirs]
    for values, loss in ((told, found.nll), (torch.zeros_like(ratings), found.nll_without), (ratings, found.nll_own)):
        with torch.inference_mode():
            logits = net(moves, board, state, values, segments)[0][theirs]
        assert loss == pytest.approx(float(F.cross_entropy(logits, targets)), rel=1e-4)
    assert held_out.legal is not None
    legal = torch.from_numpy(np.unpackbits(held_out.legal, axis=-1).astype(np.bool_))[theirs]
    with torch.inference_mode():
        logits = net(moves, board, state, told, segments)[0][theirs]
    masked = zip(logits, legal, targets.tolist(), strict=True)
    played = [-float(F.log_softmax(row[mask] / 0.5, 0)[mask[:move].sum()]) for row, mask, move in masked]
    assert found.nll_played == pytest.approx(np.mean(played), rel=1e-4)
    assert found.nll_played < float(F.cross_entropy(logits / 0.5, targets)), "some of it was for illegal moves"
    assert found.nll != found.nll_without
    assert 0 <= found.top1 <= 1


def test_errors_know_that_the_plies_of_a_row_go_together() -> None:
    values = np.repeat(np.random.default_rng(1).normal(size=50), 20)
    alone, together = _error(values, np.arange(1000)), _error(values, np.repeat(np.arange(50), 20))
    assert alone == pytest.approx(values.std(ddof=1) / 1000**0.5)
    assert together == pytest.approx(values[::20].std(ddof=1) / 50**0.5)
    assert np.isnan(_error(values, np.zeros(1000, np.intp)))


def test_few_plies_are_taken_where_few_are_asked_for(held_out: Validation, rows: Rows, net: Transformer) -> None:
    rating = _a_rating(rows)
    whole = measure(net, held_out, Setting(rating, 1, 1.0), most=10**6)
    assert 0 < measure(net, held_out, Setting(rating, 1, 1.0), most=1).plies < whole.plies


def test_a_rating_that_nobody_has_is_an_error(held_out: Validation, net: Transformer) -> None:
    with pytest.raises(ConfigError, match="rated about 3900"):
        measure(net, held_out, Setting(3900, 1, 1.0), most=100)


def test_the_table_has_a_line_for_each_setting(held_out: Validation, rows: Rows, net: Transformer) -> None:
    found = measure(net, held_out, Setting(_a_rating(rows), 1, 0.5), most=500)
    assert len(likeness_table([found, found]).splitlines()) == 3
    assert f"{found.nll_without - found.nll:+.4f}" in likeness_table([found])


def test_judging_all_rows_with_their_own_ratings_is_the_nets_own_answer(
    held_out: Validation, rows: Rows, net: Transformer
) -> None:
    every = np.ones(rows.targets.shape, np.bool_)
    with torch.inference_mode():
        logits = net(*inputs_of(rows, torch.device("cpu")))[0].flatten(0, 1)
    assert torch.allclose(judge(net, held_out, every, ratings=None).logits, logits, atol=1e-5)
