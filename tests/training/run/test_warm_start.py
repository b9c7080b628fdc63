"""Weights to begin with: a net that was exported is read back as it was, and a run goes on from it."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from engine.errors import ConfigError
from export.__main__ import training_summary
from export.card import card
from export.games import Arrays, random_games
from export.graph import export_graph
from export.quantize import halve, quantize
from export.verify import OnnxNet
from tests.paths import ROOT
from training.config import BoardInput, Config, ModelConfig, to_dict
from training.data.store import Store
from training.net.model import Transformer
from training.run import checkpoint, metrics_file
from training.run.loop import Processes, Trainer
from training.run.onnx_weights import split_rows
from training.run.warm_start import Initial, describe, read_weights
from training.train import configured, main, read_options

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

SHIPPED = ROOT / "models" / "transcendence.onnx"
TRAINING = {"minutes": 20.5, "plies": 3_000_000}


def random_net(board_input: BoardInput, *, own_rows: bool = True) -> Transformer:
    """Every weight random, those too that begin as zeros; the blind one knows no ratings, and its qkv are large enough
    that the exporter leaves them as they are; it turns smaller ones."""
    torch.manual_seed(3)
    ratings, ratio = board_input != "none", 2 if board_input == "sum" else 4
    config = ModelConfig(
        layers=2,
        width=64 if board_input == "none" else 48,
        heads=2,
        mlp_ratio=ratio,
        context=40,
        board_input=board_input,
        move_rank=6 if board_input == "attacks" else 0,
        checks=board_input == "attacks",
        own_rows=own_rows,
        rating_input=ratings,
    )
    net = Transformer(config)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.1)
    return net


@pytest.fixture(scope="module", params=["attacks", "attacks, shared rows", "sum", "none"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Transformer, Path]:
    board_input, _, shared = request.param.partition(", ")
    net, path = random_net(board_input, own_rows=not shared), tmp_path_factory.mktemp("net") / "net.onnx"
    export_graph(net, path, name="random", training=TRAINING)
    return net, path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net of the runs' shape, exported."""
    torch.manual_seed(4)
    net = Transformer(ModelConfig(layers=1, width=16, heads=2, context=32, board_input="sum"))
    path = tmp_path_factory.mktemp("small") / "small.onnx"
    export_graph(net, path, name="small", training=TRAINING)
    return path


def game_inputs(config: ModelConfig) -> Arrays:
    (game,) = random_games(1, plies=config.context, seed=6)
    return game.inputs(config)


def by_torch(found: Initial) -> NDArray[np.float32]:
    """(T, MOVE_COUNT + 3) for a random game, by the weights that were read."""
    net = Transformer(found.model)
    net.load_state_dict(found.weights)
    tensors = [torch.from_numpy(game_inputs(found.model)[name]) for name in ("moves", "board", "state", "ratings")]
    with torch.inference_mode():
        logits, wdl = net(*tensors, torch.zeros_like(tensors[0]))
    return np.asarray(torch.cat([logits, wdl], dim=-1)[0])


def by_onnx(path: Path, config: ModelConfig) -> NDArray[np.float32]:
    """The same by ONNX Runtime."""
    net = OnnxNet(path, config)
    return net(game_inputs(config), net.empty(1), net.empty(1), np.array([0]))[0][0]


def changed(source: Path, out: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy with other metadata."""
    model = onnx.load(str(source))
    props = {p.key: p.value for p in model.metadata_props}
    change(props)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, props)
    onnx.save_model(model, str(out))
    return out


def other_model(**facts: Any) -> Callable[[dict[str, Any]], None]:
    def change(props: dict[str, Any]) -> None:
        props["transcendence.model"] = json.dumps(json.loads(props["transcendence.model"]) | facts)

    return change


# Reading a graph back ----------------------------------------------------------------------------------------------


def test_an_exported_net_is_read_back(exported: tuple[Transformer, Path]) -> None:
    net, path = exported
    found = read_weights(path)
    assert found.model == net.config
    assert found.weights.keys() == net.state_dict().keys()
    for name, values in net.state_dict().items():
        if not name.startswith("board."):
            assert torch.equal(found.weights[name], values), name
    assert by_torch(found) == pytest.approx(by_onnx(path, net.config), abs=1e-5)
    assert found.facts | TRAINING == found.facts
    assert (found.facts["name"], found.facts["kind"]) == ("net.onnx", "fp32 net")


@pytest.mark.parametrize(("make", "kind", "tolerance"), [(quantize, "int8 net", 1e-4), (halve, "fp16 net", 0.02)])
def test_a_twin_is_read_back_as_it_was_rounded(
    exported: tuple[Transformer, Path], tmp_path: Path, make: Any, kind: str, tolerance: float
) -> None:
    """int8 computes in float32, so the rounded weights give its own logits; fp16's products are rounded as well."""
    net, path = exported
    twin = tmp_path / "twin.onnx"
    make(path, twin)
    found = read_weights(twin)
    assert found.facts["kind"] == kind
    assert not torch.equal(found.weights["move_head"], net.move_head)
    assert by_torch(found) == pytest.approx(by_onnx(twin, net.config), abs=tolerance)


def test_the_net_that_ships_is_read_back() -> None:
    found = read_weights(SHIPPED)
    assert re.fullmatch(r"transcendence\.onnx \(\d+\.\d minutes, \d+\.\d M plies\)", describe(found.facts))
    assert by_torch(found) == pytest.approx(by_onnx(SHIPPED, found.model), abs=1e-3)


def test_a_folded_table_is_taken_apart() -> None:
    random = np.random.default_rng(2)
    square_piece, piece_attack = random.normal(size=(64, 13, 1, 4)), random.normal(size=(1, 13, 36, 4))
    piece_attack -= piece_attack.mean(axis=2, keepdims=True)
    rows = (square_piece + piece_attack).reshape(64 * 468, 4).astype(np.float32)
    parts = split_rows(rows)
    assert sum(parts.values()).reshape(rows.shape) == pytest.approx(rows, abs=1e-6)
    assert parts["square_piece"] == pytest.approx(square_piece, abs=1e-5)
    assert parts["piece_attack"] == pytest.approx(piece_attack, abs=1e-5)
    assert np.abs(parts["own"]).max() < 1e-5
    assert split_rows(rows[: 64 * 13])["square_piece"].shape == (64, 13, 1, 4)


# What cannot be begun with -----------------------------------------------------------------------------------------


def test_what_is_no_net_is_told(tmp_path: Path) -> None:
    (tmp_path / "net.txt").write_text("weights")
    (tmp_path / "junk.onnx").write_bytes(b"\x08\x07junk")
    onnx.save_model(onnx.ModelProto(ir_version=10), str(tmp_path / "foreign.onnx"))
    for name, message in {
        "nothing": "got nothing there",
        "net.txt": "got a file of another kind",
        "junk.onnx": "expected a net that bin/export wrote",
        "foreign.onnx": r"transcendence\.contract 1 or 2, got None",
        ".": "expected a run's config",
    }.items():
        with pytest.raises(ConfigError, match=message):
            read_weights(tmp_path / name)


def test_a_graph_that_cannot_be_read_is_told(small: Path, tmp_path: Path) -> None:
    def no_json(props: dict[str, Any]) -> None:
        props["transcendence.model"] = "{"

    def other_moves(props: dict[str, Any]) -> None:
        props["transcendence.vocabulary"] = "other"

    for change, message in (
        (other_model(board_input="conv"), "got conv .* begin from the folder of the run"),
        (other_model(layers=2), "expected 10 matrices for 2 blocks and the heads .* got 6"),
        (other_model(width=32), r"expected net.move of shape \(1969, 32\) .* got \(1969, 16\)"),
        (other_model(layers="one"), "layers: expected a whole number"),
        (no_json, "expected JSON in the metadata"),
        (other_moves, r"transcendence\.vocabulary .* got other"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_weights(changed(small, tmp_path / "changed.onnx", change))


def test_matrices_in_another_order_are_told(small: Path, tmp_path: Path) -> None:
    model = onnx.load(str(small))
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save_model(model, str(tmp_path / "backwards.onnx"))
    with pytest.raises(ConfigError, match=r"expected blocks.0.qkv of shape .* got \(3, 16\)"):
        read_weights(tmp_path / "backwards.onnx")


def test_without_the_package_that_reads_nets_it_says_how_to_get_it(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"pip install 'transcendence-chess\[export\]'"):
        read_weights(small)


# A run that begins with weights ------------------------------------------------------------------------------------


def train(config: Config, store: Store, out: Path, *more: str) -> int:
    """As bin/train does, in one process."""
    return train_by(to_dict(config), store, out, *more)


def train_by(tables: dict[str, Any], store: Store, out: Path, *more: str) -> int:
    preset = out.with_suffix(".toml")
    sections = [[f"[{s}]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())] for s, table in tables.items()]
    preset.write_text("\n".join(line for section in sections for line in section))
    told = [str(store.path), "--out", str(out), "--preset", str(preset), "--processes", "1", "--device", "cpu"]
    return main([*told, *more])


def losses(folder: Path) -> list[float]:
    return [line["move_nll"] for line in metrics_file.read(folder) if line["kind"] == "train"]


@pytest.fixture(scope="module")
def trained(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 40 steps."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    tables = {
        "model": {"layers": 1, "width": 16, "heads": 2, "context": 32, "board_input": "sum"},
        "data": {"batch_plies": 256, "shuffle_games": 20, "streams": 4, "micro_plies": 128},
        "optimizer": {"adam_lr": 0.02},
        "run": {"steps": 40, "log_every": 1, "validation_plies": 400, "precision": "float32"},
    }
    assert train_by(tables, store, folder) == 0
    return folder


def test_a_run_begins_with_another_runs_weights(
    config: Config, store: Store, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its shape is the other's, not the preset's; its first loss is the other's last."""
    assert config.model.board_input == "attacks"
    assert train(config, store, tmp_path / "second", "--init", str(trained)) == 0
    about = json.loads((tmp_path / "second" / "run.json").read_text())
    before = checkpoint.progress(trained)
    assert before is not None
    assert about["init"]["name"] == "first"
    assert about["init"]["kind"] == "run"
    assert about["init"]["plies"] == before["plies"] == 40 * 256
    assert re.search(r"begins with the weights of first \(\d+\.\d minutes, 10,240 plies\)", capsys.readouterr().err)
    assert checkpoint.load_net(tmp_path / "second")[1].model.board_input == "sum"
    assert losses(trained)[0] > 7.5
    assert losses(tmp_path / "second")[0] == pytest.approx(np.mean(losses(trained)[-5:]), abs=0.4)
    progress = checkpoint.progress(tmp_path / "second")
    assert progress is not None
    assert progress["step"] == 12


def test_a_run_begins_with_an_exported_net_and_its_card_tells(
    config: Config, store: Store, trained: Path, tmp_path: Path
) -> None:
    """A chain of three: its record has all training of all of them."""
    for number, init in enumerate((trained, tmp_path / "net0.onnx")):
        run, net = tmp_path / f"run{number}", tmp_path / f"net{number}.onnx"
        assert train(config, store, run, "--init", str(init)) == 0
        export_graph(checkpoint.load_net(run)[0], net, name="mine", training=training_summary(run))
    assert losses(tmp_path / "run1")[0] < losses(trained)[0] - 0.5
    text = card(tmp_path / "net1.onnx")
    assert re.search(
        r"\| began with the weights of \| net0\.onnx \(fp32 net, \d+\.\d minutes, 13,312 plies, sha256 \w{16}\)", text
    )
    assert f"| plies in all | {(40 + 12 + 12) * 256:,} |" in text
    assert re.search(r"\| minutes in all \| \d+\.\d \|", text)
    again = read_weights(tmp_path / "net1.onnx")
    assert again.model == checkpoint.load_net(trained)[1].model
    assert again.facts["plies"] == (40 + 12 + 12) * 256
    assert again.facts["init"]["init"]["name"] == "first"


def test_a_run_that_goes_on_keeps_its_own_weights(
    config: Config, store: Store, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """NET is not even read: here it is gone. Another one is refused."""
    copy, out = tmp_path / "copy", tmp_path / "run"
    shutil.copytree(trained, copy)
    assert train(config, store, out, "--init", str(copy)) == 0
    before = (out / "model.safetensors").read_bytes(), json.loads((out / "run.json").read_text())["init"]
    shutil.rmtree(copy)
    capsys.readouterr()
    assert train(config, store, out, "--init", str(copy)) == 0
    assert "from step 12" in capsys.readouterr().err
    assert ((out / "model.safetensors").read_bytes(), json.loads((out / "run.json").read_text())["init"]) == before
    assert train(config, store, out, "--init", str(tmp_path / "other.onnx")) == 2
    assert "began with copy, got --init" in capsys.readouterr().err


def test_a_run_that_began_with_random_weights_takes_no_others(
    config: Config, store: Store, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(config, store, trained, "--init", str(trained)) == 2
    assert "began with random weights" in capsys.readouterr().err


def test_a_run_that_has_not_saved_begins_anew(config: Config, tmp_path: Path) -> None:
    """Killed before its first save, it has no weights of its own: what the command says now is what is recorded."""
    for init in ({"name": "one"}, None, {"name": "two"}):
        checkpoint.start(tmp_path, config, dataset={}, init=init)
        assert checkpoint.began_with(tmp_path) == (init or {})
    (tmp_path / checkpoint.STATE).touch()
    checkpoint.start(tmp_path, config, dataset={})
    assert checkpoint.began_with(tmp_path) == {"name": "two"}


def test_the_average_begins_with_the_weights_too(config: Config, store: Store, trained: Path, tmp_path: Path) -> None:
    found = read_weights(trained)
    told = dataclasses.replace(config, model=found.model, optimizer=dataclasses.replace(config.optimizer, ema=0.9))
    trainer = Trainer(told, store, folder=tmp_path, processes=Processes(), device=torch.device("cpu"), weights=found.weights)
    assert trainer.average is not None
    for net in (trainer.net, trainer.average.net):
        assert all(torch.equal(values, found.weights[name]) for name, values in net.state_dict().items())


def test_another_shape_than_the_nets_is_refused(
    config: Config, store: Store, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for told, message in (
        (("--set", "model.layers=2"), "whose model.layers is 1, got --set model.layers 2"),
        (("--board-input", "none"), "whose model.board_input is sum, got --board-input none"),
    ):
        assert train(config, store, tmp_path / "run", "--init", str(small), *told) == 2
        assert message in capsys.readouterr().err
    same = ("--set", "model.layers=1", "--board-input", "sum", "--steps", "1")
    assert train(config, store, tmp_path / "run", "--init", str(small), *same) == 0


def test_the_command_of_the_docs_fits_the_net_that_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    told = re.search(r"bin/train (data/mine --init (?:.*\\\n)*.*)", (ROOT / "docs" / "training.md").read_text("utf-8"))
    assert told is not None
    config, begins = configured(read_options(shlex.split(told[1].replace("\\\n", " "))))
    assert begins is not None
    assert (config.model.layers, config.model.width, config.run.minutes) == (4, 320, 5)
    assert (config.optimizer.matrix_lr, config.optimizer.adam_lr) == (0.003, 0.0035)


def test_weights_from_a_folder_without_its_history(trained: Path, tmp_path: Path) -> None:
    """Config and weights are enough; how long they were trained is not known then, and not made up."""
    for name in (checkpoint.CONFIG, checkpoint.WEIGHTS):
        shutil.copy(trained / name, tmp_path)
    facts = read_weights(tmp_path).facts
    assert facts.keys() == {"name", "kind", "sha256"}
    assert describe(facts) == tmp_path.name
