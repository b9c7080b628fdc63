"""The replay on the training device gives what numpy's gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.training.conftest import BLACK_FIRST, random_game
from training.batches import device_replay
from training.batches.replay import board_codes, replay
from training.batches.rows import start_of

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
def test_both_replays_agree_on_ten_thousand_plies(device: str) -> None:
    random = np.random.default_rng(11)
    promoting = "8/PPP2k2/8/8/8/8/ppp2K2/8 w - - 0 1"
    fens = [BLACK_FIRST if i % 5 == 0 else promoting if i % 5 == 1 else None for i in range(120)]
    games = [random_game(random, fen=fen, plies=40 + 2 * i) for i, fen in enumerate(fens)]
    moves, offsets = np.concatenate([g.moves for g in games]), np.cumsum([0, *(len(g.moves) for g in games)])
    starts = {i: start_of(fen) for i, fen in enumerate(fens) if fen}
    want = replay(moves, offsets, starts)
    pieces, state, black = device_replay.DeviceReplay(torch.device(device)).positions(moves, offsets, starts)
    assert len(moves) > 10_000
    assert (pieces.cpu().numpy() == want.pieces).all()
    assert (state.cpu().numpy() == want.state).all()
    assert (black.cpu().numpy() == want.black).all()
    assert want.state[:, 2].max() == 2
    for board_input, checks in (("none", False), ("sum", False), ("sum", True), ("attacks", False), ("attacks", True)):
        found = device_replay.board_codes(pieces, board_input, checks=checks)
        assert (found.cpu().numpy() == board_codes(want.pieces, board_input, checks=checks)).all()
