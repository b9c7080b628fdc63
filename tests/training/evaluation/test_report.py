"""The report of a run: groups, means and calibration are what was judged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training.config import Config, DataConfig
from training.data.store import Store
from training.evaluation.__main__ import calibration, figures_of, main
from training.run import checkpoint
from training.run.loop import Processes, Trainer
from training.run.validation import judge, load_validation, metrics_of


def judged(**values: list[float]) -> dict[str, np.ndarray]:
    return {name: np.array(column, np.float32) for name, column in values.items()}


def test_calibration_counts_what_came_true() -> None:
    found = calibration(
        judged(win=[0.9, 0.9, 0.1, 0.5], draw=[0, 0, 0, 0.2], loss=[0.1, 0.1, 0.9, 0.3], result=[0, 2, 2, np.nan])
    )
    assert [(row["plies"], row["made"]) for row in found] == [(1, 0.0), (2, 0.5)]
    assert found[1]["expected"] == pytest.approx(0.9)


def test_groups_are_the_plies_with_that_mover_and_those_men() -> None:
    count = 4
    nll = [1.0, 2.0, 3.0, 4.0]
    rest = dict.fromkeys(("top1", "top3", "wdl_nll", "win", "draw", "loss", "result"), [0.0] * count)
    figures = figures_of(judged(move_nll=nll, **rest), np.array([1400, 1400, 0, 2000]), np.array([32, 12, 13, 2]))
    means = {name: values["move_nll"] for name, values in figures.items() if name != "calibration"}
    assert means == {
        "all": 2.5,
        "unrated": 3.0,
        "rated 1400-1599": 1.5,
        "rated 2000-2199": 4.0,
        "opening, 26 men or more": 1.0,
        "middlegame": 3.0,
        "endgame, 12 men or fewer": 3.0,
    }


def test_the_command_prints_and_writes(
    config: Config, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint.start(tmp_path / "run", config, dataset={"name": "random"})
    Trainer(config, store, folder=tmp_path / "run", processes=Processes(), device=torch.device("cpu")).run()
    assert main([str(tmp_path / "run"), str(store.path), "--plies", "500", "--out", str(tmp_path / "figures.json")]) == 0
    assert "| rated " in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    net, _ = checkpoint.load_net(tmp_path / "run")
    want = metrics_of(judge(net, load_validation(store, DataConfig(), model=config.model, plies=500, legal=True)))
    assert figures["all"]["move_nll"] == pytest.approx(want.move_nll)
    assert sum(v["plies"] for k, v in figures.items() if k.startswith("rated")) == want.plies
    assert main([str(tmp_path / "none"), str(store.path)]) == 2
    assert "expected a run's config" in capsys.readouterr().err
