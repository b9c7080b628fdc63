"""Human-likeness by setting: the right players' plies, told what was said, and nothing else changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from engine.dial import Setting
from engine.encoding import rating_bucket
from engine.errors import ConfigError
from tests.nets import random_network
from training.batches import Rows
from training.config import DataConfig
from training.evaluate import inputs_of, load_validation
from training.likeness import judge, measure, plies_of, table
from training.model import Net
from training.store import Store


@pytest.fixture
def rows(store: Store) -> Rows:
    return load_validation(store, DataConfig(), model=random_network(context=32).config, plies=400).rows


@pytest.fixture
def net() -> Net:
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


def test_losses_are_those_of_the_net_told_so_and_the_rows_stay_as_they_were(rows: Rows, net: Net) -> None:
    rating = _a_rating(rows)
    before = rows.ratings.copy()
    found = measure(net, rows, Setting(rating, 1, 0.5), most=10**6)
    assert (rows.ratings == before).all()
    theirs = torch.from_numpy(plies_of(rows, Setting(rating, 1, 0.5)))
    assert found.plies == int(theirs.sum())
    moves, board, state, ratings, segments = inputs_of(rows, torch.device("cpu"))
    told = torch.tensor([rating_bucket(rating)] * 2 + [1]).expand_as(ratings)
    targets = torch.from_numpy(rows.targets.astype(np.int64))[theirs]
    for values, temperature, loss in (
        (told, 1.0, found.nll), (torch.zeros_like(ratings), 1.0, found.nll_untold), (ratings, 1.0, found.nll_own),
        (told, 0.5, found.nll_played),
    ):  # fmt: skip
        with torch.inference_mode():
            logits = net(moves, board, state, values, segments)[0][theirs]
        assert loss == pytest.approx(float(F.cross_entropy(logits / temperature, targets)), rel=1e-4)
    assert found.nll != found.nll_untold
    assert 0 <= found.top1 <= 1


def test_few_plies_are_taken_where_few_are_asked_for(rows: Rows, net: Net) -> None:
    rating = _a_rating(rows)
    whole = measure(net, rows, Setting(rating, 1, 1.0), most=10**6)
    assert 0 < measure(net, rows, Setting(rating, 1, 1.0), most=1).plies < whole.plies


def test_a_rating_that_nobody_has_is_an_error(rows: Rows, net: Net) -> None:
    with pytest.raises(ConfigError, match="rated about 3900"):
        measure(net, rows, Setting(3900, 1, 1.0), most=100)


def test_the_table_has_a_line_for_each_setting(rows: Rows, net: Net) -> None:
    found = measure(net, rows, Setting(_a_rating(rows), 1, 0.5), most=500)
    assert len(table([found, found]).splitlines()) == 3
    assert f"{found.nll_untold - found.nll:+.4f}" in table([found])


def test_judging_all_rows_with_their_own_ratings_is_the_nets_own_answer(rows: Rows, net: Net) -> None:
    every = np.ones(rows.targets.shape, np.bool_)
    with torch.inference_mode():
        logits = net(*inputs_of(rows, torch.device("cpu")))[0].flatten(0, 1)
    assert torch.allclose(judge(net, rows, every, ratings=None).logits, logits, atol=1e-5)
