"""An exported net is the trained net: the proof passes for it and fails for any other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from engine.errors import NetError
from export.__main__ import main
from export.graph import INPUTS, OUTPUTS, export_graph
from export.quantize import Fidelity, check, compare, quantize
from export.verify import TOLERANCE, random_games, verify
from tests.nets import random_network
from training.config import Config, ModelConfig, to_dict
from training.model import Net

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(scope="module", params=["none", "sum", "attacks"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Net, Path]:
    net = random_network(request.param, seed=1)
    path = tmp_path_factory.mktemp("net") / "net.onnx"
    export_graph(net, path, name="random", training={"steps": 0}, play={"rating": 2000, "scale": 1})
    return net, path


def test_torch_and_onnx_agree(exported: tuple[Net, Path]) -> None:
    net, path = exported
    found = verify(net, path, games=random_games(6, plies=60, seed=2))
    assert found.positions >= 200
    assert found.worst <= TOLERANCE


def test_another_network_is_found_out(exported: tuple[Net, Path]) -> None:
    net, path = exported
    other = random_network(net.config.board_input, seed=2)
    with pytest.raises(NetError, match="disagrees"):
        verify(other, path, games=random_games(2, plies=20, seed=2))


def test_names_and_metadata_are_the_contracts(exported: tuple[Net, Path]) -> None:
    net, path = exported
    model = onnx.load(str(path))
    assert tuple(i.name for i in model.graph.input) == INPUTS
    assert tuple(o.name for o in model.graph.output) == OUTPUTS
    props = {p.key: p.value for p in model.metadata_props}
    assert props["transcendence.contract"] == "1"
    assert props["transcendence.precision"] == "fp32"
    assert json.loads(props["transcendence.model"])["board_input"] == net.config.board_input
    assert json.loads(props["transcendence.play"]) == {"rating": 2000, "scale": 1}


def test_int8_is_far_smaller_and_close(exported: tuple[Net, Path], tmp_path: Path) -> None:
    net, path = exported
    out = tmp_path / "int8.onnx"
    quantize(path, out)
    assert out.stat().st_size < 0.6 * path.stat().st_size  # half of these tiny nets is the head, in float16
    found = compare(path, out, config=net.config, games=random_games(4, plies=60, seed=3))
    assert abs(found.move_nll_int8 - found.move_nll_fp32) < 0.01
    assert found.top1_agreement > 0.9
    props = {p.key: p.value for p in onnx.load(str(out)).metadata_props}
    assert props["transcendence.precision"] == "int8"


def test_the_gate_closes() -> None:
    check(Fidelity(100, 2.0, 2.009, 0.99), Path("net.onnx"))
    with pytest.raises(NetError, match="strays"):
        check(Fidelity(100, 2.0, 2.02, 0.99), Path("net.onnx"))
    with pytest.raises(NetError, match="strays"):
        check(Fidelity(100, 2.0, 2.0, 0.97), Path("net.onnx"))


def test_a_wrong_net_does_not_pass_for_int8(exported: tuple[Net, Path], tmp_path: Path) -> None:
    net, path = exported
    other = tmp_path / "other.onnx"
    export_graph(random_network(net.config.board_input, seed=9), other, name="other", training={})
    assert not compare(path, other, config=net.config, games=random_games(2, plies=40, seed=3)).passes


def test_a_missing_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing"), "--out", str(tmp_path / "net.onnx")]) == 2
    error = capsys.readouterr().err
    assert "expected a run's config" in error
    assert not (tmp_path / "net.onnx").exists()


def test_truncated_weights_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Config(model=ModelConfig(layers=1, width=16, heads=2))
    (tmp_path / "config.json").write_text(json.dumps(to_dict(config)))
    (tmp_path / "model.safetensors").write_bytes(np.zeros(100, np.uint8).tobytes())
    assert main([str(tmp_path), "--out", str(tmp_path / "net.onnx")]) == 2
    assert "expected the weights of this run" in capsys.readouterr().err
