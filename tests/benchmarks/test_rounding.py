"""Each kind of weight is rounded by itself."""

from __future__ import annotations

from pathlib import Path

import onnx

from benchmarks.rounding import KINDS, kind_of, table
from export.games import random_games
from export.quantize import large_weights
from tests.nets import random_network, tiny_net
from tests.paths import ROOT


def test_every_large_weight_of_the_net_that_ships_has_a_kind() -> None:
    graph = onnx.load(str(ROOT / "models" / "transcendence.onnx")).graph
    for weight in graph.initializer:  # smaller there, under longer names
        weight.data_type = onnx.TensorProto.FLOAT
    assert {kind_of(weight, width=320) for weight in large_weights(graph) if not weight.name.endswith(".scale")} == set(KINDS)


def test_a_table_of_a_small_net(tmp_path: Path) -> None:
    config = random_network(context=48).config
    lines = table(
        tiny_net(tmp_path / "net.onnx"), tmp_path / "rounded.onnx", config, random_games(2, plies=40, seed=1)
    ).splitlines()
    kinds = [line[:24].strip() for line in lines[2:]]
    fewer = ["board in 7 bits", "board in 6 bits", "board in 5 bits"]
    assert kinds[-5:] == ["all of them", *fewer, "the twin of bin/export"]
    assert set(kinds[:-5]) <= set(KINDS)
    assert "head" in kinds
    nats = {kind: float(line.split()[-1]) for kind, line in zip(kinds, lines[2:], strict=True)}
    assert nats["all of them"] > max(nats[kind] for kind in kinds[:-5])
    assert nats["board"] < nats[fewer[0]] < nats[fewer[1]] < nats[fewer[2]]
    assert nats["the twin of bin/export"] < nats["all of them"]
    assert all(80 <= float(line.split()[-2].rstrip("%")) <= 100 for line in lines[2:])
