"""TensorBoard sees the numbers of metrics.jsonl; without TensorBoard one line says what to install."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import ModuleType

import pytest

from engine.errors import ConfigError
from tests.training.test_training import make_trainer
from training.config import Config
from training.data.store import Store
from training.net.model import flops_per_ply
from training.run import metrics_file

_MODULE = "torch.utils.tensorboard"
Scalar = tuple[str, float, int]


@pytest.fixture
def scalars(monkeypatch: pytest.MonkeyPatch) -> list[Scalar]:
    """What a writer in TensorBoard's place was given."""
    given: list[Scalar] = []

    class SummaryWriter:
        def __init__(self, log_dir: str, purge_step: int) -> None:
            assert purge_step == 1

        def add_scalar(self, tag: str, value: float, step: int) -> None:
            given.append((tag, value, step))

        def flush(self) -> None:
            pass

    module = ModuleType(_MODULE)
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, _MODULE, module)
    return given


def told(config: Config) -> Config:
    return dataclasses.replace(config, run=dataclasses.replace(config.run, tensorboard=True, steps=2))


def test_every_number_of_the_record_is_shown(config: Config, store: Store, tmp_path: Path, scalars: list[Scalar]) -> None:
    make_trainer(told(config), store, tmp_path).run()
    lines = metrics_file.read(tmp_path)
    assert [line["kind"] for line in lines] == ["train", "train", "validation"]
    for line in lines[:2]:
        for name in ("move_nll", "plies_per_s", "gflops", "grad_norm"):
            assert (f"train/{name}", line[name], line["step"]) in scalars
        assert line["gflops"] == pytest.approx(flops_per_ply(config.model) * line["plies_per_s"] / 1e9, abs=0.01)
    assert ("validation/top1", lines[2]["validation_top1"], 2) in scalars
    assert not {tag for tag, _, _ in scalars if "kind" in tag or "step" in tag}


def test_without_tensorboard_one_line_says_what_to_install(
    config: Config, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, _MODULE, None)
    with pytest.raises(ConfigError, match=r"pip install 'transcendence-chess\[tensorboard\]'"):
        make_trainer(told(config), store, tmp_path)


def test_the_real_writer_leaves_events(config: Config, store: Store, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    make_trainer(told(config), store, tmp_path).run()
    assert list(tmp_path.glob("events.out.tfevents*"))
