"""The head over pairs of squares: training's way and play's way are one function, with one gradient."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.errors import ConfigError
from engine.vocabulary import MOVE_COUNT, MOVE_ID
from export.games import Arrays, Transcript, random_games
from training.config import ModelConfig, from_dict
from training.net.model import Transformer
from training.net.move_head import SquarePairs, _by_sorting, _rows_gradient
from training.run.warm_start import fitted, grown

CONFIG = ModelConfig(layers=1, width=16, heads=2, context=64, move_rank=6, checks=True)
PROMOTING = "8/PPP2k2/8/8/8/8/ppp2K2/8 w - - 0 1"


def positions(config: ModelConfig) -> Tensor:
    """(N, 64) board codes of random games, one of them with pawns that can promote on both sides."""
    promotion = Transcript(np.array([MOVE_ID["a7a8q"], MOVE_ID["a2a1q"], MOVE_ID["b7b8n"]], np.uint16), PROMOTING)
    games: list[Arrays] = [game.inputs(config) for game in (*random_games(4, plies=60, seed=5), promotion)]
    return torch.cat([torch.from_numpy(game["board"][0]) for game in games])


@pytest.mark.parametrize(
    "config",
    [CONFIG, dataclasses.replace(CONFIG, checks=False), dataclasses.replace(CONFIG, board_input="sum")],
    ids=["checks", "attacks", "sum"],
)
def test_both_ways_give_the_same_logits_and_gradients(config: ModelConfig) -> None:
    torch.manual_seed(2)
    head, board = SquarePairs(config), positions(config)
    for p in head.parameters():
        torch.nn.init.normal_(p, std=0.5)
    h = torch.randn(len(board), config.width)
    weights = torch.randn(len(board), MOVE_COUNT)
    gradients, logits = [], []
    for way in (head, head.everywhere):
        head.zero_grad()
        hidden = h.clone().requires_grad_()
        logits.append(way(hidden, board))
        (logits[-1] * weights).sum().backward()  # type: ignore[no-untyped-call]
        gradients.append([hidden.grad, *(p.grad for p in head.parameters())])
    torch.testing.assert_close(logits[0], logits[1], atol=1e-4, rtol=1e-4)
    for a, b in zip(*gradients, strict=True):
        assert a is not None
        assert a.abs().max() > 0
        torch.testing.assert_close(a, b, atol=1e-2, rtol=1e-3)


def test_a_gpus_way_of_adding_up_rows_is_a_processors() -> None:
    random = torch.Generator().manual_seed(4)
    gradient, rows = torch.randn(500, 6, generator=random), torch.randint(0, 40, (500,), generator=random)
    added = _rows_gradient(gradient, rows, 50)
    assert added[40:].eq(0).all()
    torch.testing.assert_close(_by_sorting(gradient, rows, 50), added)


def test_a_million_small_gradients_do_not_get_lost_in_bfloat16() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    gradient = torch.ones(100_000, 2, dtype=torch.bfloat16, device=device)  # added one by one they would end at 256
    added = _rows_gradient(gradient, torch.zeros(100_000, dtype=torch.long, device=device), 3)
    assert added[0].tolist() == pytest.approx([100_000] * 2, rel=0.01)


def test_moves_from_squares_without_an_own_man_get_nothing() -> None:
    torch.manual_seed(2)
    head = SquarePairs(CONFIG)
    torch.nn.init.normal_(head.gate)
    board = positions(CONFIG)[:1]  # the initial position
    logits = head(torch.randn(1, CONFIG.width), board)[0]
    assert all(logits[MOVE_ID[move]] == 0 for move in ("e4e5", "e7e5", "d8d1", "a7a8q", "a2a1q"))
    assert all(logits[MOVE_ID[move]] != 0 for move in ("e2e4", "g1f3", "a1a8"))


def test_a_promotion_counts_for_every_piece() -> None:
    torch.manual_seed(2)
    head = SquarePairs(CONFIG)
    torch.nn.init.normal_(head.gate)
    logits = head(torch.randn(1, CONFIG.width), positions(CONFIG)[-3:-2])[0].detach()
    assert len({float(logits[MOVE_ID["a7a8" + piece]]) for piece in "nbrq"}) == 1
    assert logits[MOVE_ID["a7a8q"]] != 0


def test_a_new_head_changes_nothing() -> None:
    torch.manual_seed(3)
    plain = Transformer(dataclasses.replace(CONFIG, move_rank=0, checks=False))
    for p in plain.parameters():
        torch.nn.init.normal_(p, std=0.1)
    wanted = grown(plain.config, CONFIG)
    assert wanted == CONFIG
    net = Transformer(wanted)
    net.load_state_dict(fitted(plain.state_dict(), net.state_dict()))
    inputs = {name: torch.from_numpy(a) for name, a in random_games(1, plies=40, seed=1)[0].inputs(CONFIG).items()}
    args = inputs["state"], inputs["ratings"], torch.zeros_like(inputs["moves"])
    with torch.inference_mode():
        a = plain(inputs["moves"], inputs["board"] % 468, *args)
        b = net(inputs["moves"], inputs["board"], *args)
    assert torch.equal(a[0], b[0])
    assert torch.equal(a[1], b[1])


def test_checks_that_join_a_trained_head_change_nothing() -> None:
    torch.manual_seed(3)
    without = SquarePairs(dataclasses.replace(CONFIG, checks=False))
    for p in without.parameters():
        torch.nn.init.normal_(p, std=0.5)
    head = SquarePairs(CONFIG)
    weights = {f"pairs.{name}": values for name, values in without.state_dict().items()}
    fresh = {f"pairs.{name}": values for name, values in head.state_dict().items()}
    head.load_state_dict({name.removeprefix("pairs."): v for name, v in fitted(weights, fresh).items()})
    board, h = positions(CONFIG), torch.randn(len(positions(CONFIG)), CONFIG.width)
    torch.testing.assert_close(head(h, board), without(h, board % 468))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"move_rank": -1}, r"model\.move_rank must be 0 or more .*, got -1"),
        ({"move_rank": 8, "board_input": "none"}, r"model\.move_rank 8 needs a board, and model\.board_input is none"),
        ({"checks": True}, r"model\.checks .* give model\.move_rank"),
        ({"checks": True, "board_input": "none"}, r"model\.checks .* give model\.move_rank"),
    ],
)
def test_a_head_that_cannot_be_is_one_clear_line(model: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_dict({"model": model}, where="test")
