"""The map of the hidden layer: it is the layer that the heads read, and its file gives the same picture again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.nets import random_network
from training.batches.rows import Rows
from training.config import BoardInput, DataConfig
from training.data.store import Store
from training.evaluation.latent import as_text, described, draw, hidden_states, main, map_of, principal_plane, read_points
from training.net.model import Transformer
from training.run.validation import inputs_of, load_validation


def net_and_rows(store: Store, board_input: BoardInput = "attacks") -> tuple[Transformer, Rows]:
    net = random_network(board_input, context=32).eval()
    return net, load_validation(store, DataConfig(), model=net.config, plies=200).rows


def test_the_heads_read_just_this_layer(store: Store) -> None:
    net, rows = net_and_rows(store)
    head = net.wdl_head
    hidden, wdl = hidden_states(net, rows)
    assert net.wdl_head is head
    with torch.inference_mode():
        logits, result = net(*inputs_of(rows, torch.device("cpu")))
        by_square = net.pairs(torch.from_numpy(hidden).float(), torch.from_numpy(rows.board.astype(np.int64)).flatten(0, 1))
    assert hidden.shape == (rows.moves.size, net.config.width)
    fixed = hidden @ net.move_head.detach().numpy().T
    assert fixed + by_square.numpy() == pytest.approx(logits.flatten(0, 1).numpy(), abs=1e-4)
    assert wdl == pytest.approx(torch.softmax(result, -1).flatten(0, 1).numpy(), abs=1e-5)


def test_the_plane_is_that_of_the_largest_variance() -> None:
    draws = np.random.default_rng(1)
    hidden = draws.normal(size=(400, 6)) * [9, 0.1, 3, 0.1, 0.1, 0.1] + 5
    points, (first, second) = principal_plane(hidden)
    assert points[:, 0] == pytest.approx(hidden[:, 0] - hidden[:, 0].mean(), abs=1.5)
    assert np.corrcoef(points[:, 1], hidden[:, 2])[0, 1] > 0.99
    assert first > second > 0.05
    assert first + second > 0.99


@pytest.mark.parametrize("board_input", ["attacks", "none"])
def test_a_map_and_its_file(store: Store, board_input: BoardInput, tmp_path: Path) -> None:
    found = map_of(*net_and_rows(store, board_input), plies=60)
    assert found.points.shape == (60, 2)
    assert ((found.expected > 0) & (found.expected < 1)).all()
    assert np.isfinite(found.elo).all()
    if board_input == "attacks":
        assert found.men.min() >= 2
        assert found.men.max() == 32
    else:
        assert np.isnan(found.men).all()
    (tmp_path / "latent.tsv").write_text(as_text(found))
    again = read_points(tmp_path / "latent.tsv")
    assert again.points == pytest.approx(found.points, rel=1e-3)
    assert again.explained_by_plane == pytest.approx(found.explained_by_plane, abs=0.01)
    assert described(again).startswith("60 plies; two directions hold")
    draw(again, tmp_path / "latent.png")
    assert (tmp_path / "latent.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_draws_from_points_and_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["# explained 0.5 0.25", "pc1\tpc2\texpected\tmen\telo", "1\t2\t0.7\t20\tnan", "2\t2\t0.8\t21\tnan"]
    lines.append("0\t1\t0.6\t12\tnan")
    (tmp_path / "p.tsv").write_text("\n".join(lines))
    assert main(["--points", str(tmp_path / "p.tsv"), "--figure", str(tmp_path / "p.png")]) == 0
    assert "hold 75.0%" in capsys.readouterr().out
    assert main([]) == 2
    assert "expected a RUN and a STORE" in capsys.readouterr().err
    (tmp_path / "p.tsv").write_text("rubbish")
    assert main(["--points", str(tmp_path / "p.tsv")]) == 2
    assert "expected points written by training.evaluation.latent" in capsys.readouterr().err
