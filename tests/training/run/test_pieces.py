"""A net comes back in pieces as it left: whole in 8 bits from the first trip, nearer than float16 after the second."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import ConfigError
from training.config import Config, ModelConfig, to_dict
from training.net.model import Transformer
from training.run import metrics_file, pieces
from training.run.checkpoint import load_net
from training.run.warm_start import read_weights

MODEL = ModelConfig(layers=2, width=48, heads=2, context=32, move_rank=8, checks=True)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with random weights of all sizes, and rows of zeros."""
    torch.manual_seed(6)
    net, folder = Transformer(MODEL), tmp_path / "run"
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.3)
    with torch.no_grad():
        net.move_head[::3] = 0
    folder.mkdir()
    save_file(net.state_dict(), str(folder / "model.safetensors"), metadata={"step": "70"})
    (folder / "config.json").write_text(json.dumps(to_dict(Config(MODEL))))
    (folder / "run.json").write_text(json.dumps({"dataset": {"name": "games"}}))
    (folder / "state.pt").write_bytes(b"stays there")
    for step in (35, 70):
        metrics_file.append(folder, train_line(step))
    return folder


def train_line(step: int) -> metrics_file.Record:
    return {
        "kind": "train",
        "step": step,
        "plies": step * 1000,
        "minutes": step / 10,
        "plies_per_s": 900 + step,
        "gflops": 2000.0,
        "mfu": 0.25,
    }


def weights(run: Path) -> dict[str, Tensor]:
    return load_file(str(run / "model.safetensors"))


def worst(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """The largest difference, in parts of the largest weight of its row."""
    assert a.keys() == b.keys()
    return max(float(((a[k] - b[k]).abs() / a[k].abs().amax(dim=-1, keepdim=True).clamp(min=1e-9)).max()) for k in a)


def test_a_net_that_has_room_comes_back_in_one_trip(run: Path, tmp_path: Path) -> None:
    made = pieces.split(run, tmp_path / "out")
    assert {path.name.split("-")[0] for path in made} == {"first", "rest"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [*(path.name for path in made), "config.json", "run.json", "metrics.jsonl"]
    )
    line = pieces.join(tmp_path / "out", tmp_path / "back")
    assert "of step 70, in 16 bits" in line
    assert 0 < worst(weights(run), weights(tmp_path / "back")) < 1 / 64_000
    assert all(tensor.dtype == torch.float32 for tensor in weights(tmp_path / "back").values())
    assert weights(tmp_path / "back")["move_head"][::3].eq(0).all()


def test_a_large_net_comes_in_two_trips_and_the_first_is_a_net(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = pieces.first_bytes(load_net(run)[0])
    monkeypatch.setattr(pieces, "PIECE", size // 3)
    made = pieces.split(run, tmp_path / "1")
    assert [path.stat().st_size for path in made[:3]] == [size // 3] * 3
    assert len(made) == 4
    assert "in 8 bits" in pieces.join(tmp_path / "1", tmp_path / "back")
    assert 1e-4 < worst(weights(run), weights(tmp_path / "back")) < 1 / 127
    pieces.split(run, tmp_path / "2", rest=True)
    assert {path.name.split("-")[0] for path in (tmp_path / "2").iterdir()} == {"rest"}
    assert "in 16 bits" in pieces.join(tmp_path / "2", tmp_path / "back")
    assert worst(weights(run), weights(tmp_path / "back")) < 1 / 64_000


def test_what_came_back_is_a_run_to_begin_with(run: Path, tmp_path: Path) -> None:
    pieces.split(run, tmp_path / "out")
    pieces.join(tmp_path / "out", tmp_path / "back")
    net, config = load_net(tmp_path / "back")
    assert config.model == net.config == MODEL
    begins = read_weights(tmp_path / "back")
    assert (begins.facts["minutes"], begins.facts["plies"]) == (7.0, 70_000)  # from its record: the state stayed there


def test_the_same_weights_are_the_same_pieces(run: Path, tmp_path: Path) -> None:
    names = {tuple(path.name for path in pieces.split(run, tmp_path / str(i))) for i in range(6)}
    assert len(names) == 1


def test_newer_weights_replace_older_ones_on_both_sides(run: Path, tmp_path: Path) -> None:
    out, back = tmp_path / "out", tmp_path / "back"
    pieces.split(run, out)
    pieces.join(out, back)
    newer = {name: tensor + 1 for name, tensor in weights(run).items()}
    save_file(newer, str(run / "model.safetensors"), metadata={"step": "5"})  # a later run may have fewer steps
    made = pieces.split(run, out)
    assert sorted(out.glob("*.piece")) == sorted(made)
    assert "of step 5" in pieces.join(out, back)
    assert worst(newer, weights(back)) < 1 / 64_000


def test_the_rest_of_other_weights_is_left_aside(run: Path, tmp_path: Path) -> None:
    pieces.split(run, tmp_path / "out")
    for path in (tmp_path / "out").glob("rest-*"):
        path.unlink()
    save_file({name: tensor + 1 for name, tensor in weights(run).items()}, str(run / "model.safetensors"))
    pieces.split(run, tmp_path / "other", rest=True)
    pieces.join(tmp_path / "out", tmp_path / "back")
    assert "in 8 bits" in pieces.join(tmp_path / "other", tmp_path / "back")


def test_half_a_rest_of_other_weights_does_not_keep_newer_ones_back(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE", 1 << 18)
    pieces.split(run, tmp_path / "out")
    pieces.join(tmp_path / "out", tmp_path / "back")
    rest = pieces.split(run, tmp_path / "rest", rest=True)
    assert len(rest) > 1
    rest[-1].unlink()
    assert "in 8 bits" in pieces.join(tmp_path / "rest", tmp_path / "back")
    save_file(
        {name: tensor + 1 for name, tensor in weights(run).items()}, str(run / "model.safetensors"), metadata={"step": "7"}
    )
    pieces.split(run, tmp_path / "newer")
    assert "of step 7" in pieces.join(tmp_path / "newer", tmp_path / "back")


@pytest.mark.parametrize(("how", "said"), [("missing", "did not come; bring them again"), ("changed", "damaged")])
def test_pieces_that_are_not_all_there_are_one_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: str, said: str
) -> None:
    monkeypatch.setattr(pieces, "PIECE", 1 << 18)
    made = pieces.split(run, tmp_path / "out")
    if how == "missing":
        made[1].unlink()
    else:
        made[1].write_bytes(b"x" + made[1].read_bytes()[1:])
    assert pieces.main(["join", str(tmp_path / "out"), str(tmp_path / "back")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert not (tmp_path / "back" / "model.safetensors").exists()


def test_a_folder_without_pieces_and_a_run_without_weights_are_one_line(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="found none"):
        pieces.join(tmp_path / "empty", tmp_path / "back")
    (run / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="expected the weights of a run"):
        pieces.split(run, tmp_path / "out")


def test_a_net_that_will_not_fit_is_refused_before_it_is_trained() -> None:
    assert "on the first trip back" in pieces.check("smoke")
    with pytest.raises(ConfigError, match=r"smoke: expected a net that comes back in 60 MiB, got .* parameters"):
        pieces.check("smoke", ["model.width=1536", "model.heads=12"])


@pytest.mark.slow
def test_the_gpus_preset_comes_back_in_one_trip() -> None:
    assert pieces.check("gpu-10min").startswith("gpu-10min: 55,")


def test_speed_is_that_of_the_later_half(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics_file.append(run, {"kind": "validation", "step": 70, "validation_move_nll": 2.5})
    assert pieces.main(["speed", str(run)]) == 0
    assert capsys.readouterr().out == (
        "70 steps, 0.1 M plies in 7.0 minutes, 970 plies/s, 2 TFLOP/s, MFU 25.0%, validation move loss 2.5000\n"
    )
