"""An exported net is the trained net: the proof passes for it and fails for any other."""

from __future__ import annotations

import errno
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import chess
import numpy as np
import onnx
import onnxruntime
import pytest
from safetensors.torch import save_file

from engine.dial import Dial, Point, Setting
from engine.errors import ConfigError, NetError
from engine.net import Net as EngineNet
from export import package as packaging
from export.__main__ import main, training_summary
from export.card import card
from export.card import main as write_card
from export.dial import write_dial
from export.games import Transcript, continued, from_half, of_store, random_games
from export.gate import Fidelity, TwinMatch, check, compare, play_twins, scored
from export.graph import INPUTS, OUTPUTS, export_graph
from export.package import PackageSpec, package
from export.quantize import halve, packed, quantize, rounded
from export.verify import TOLERANCE, Agreement, verify
from match.statistics.scores import Difference
from tests.nets import random_network
from tests.paths import ROOT
from training.config import BoardInput, Config, ModelConfig, to_dict
from training.data.store import Game, StoreWriter, open_store
from training.net.model import Transformer
from training.run import checkpoint, metrics_file

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(scope="module", params=get_args(BoardInput))
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Transformer, Path]:
    net = random_network(request.param, seed=1)
    path = tmp_path_factory.mktemp("net") / "net.onnx"
    export_graph(net, path, name="random", training={"steps": 0}, play={"rating": 2000, "scale": 1})
    return net, path


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> tuple[Transformer, Path]:
    net, path = random_network(seed=1), tmp_path_factory.mktemp("one") / "net.onnx"
    export_graph(net, path, name="random", training={})
    return net, path


def with_first_weights_changed(source: Path, out: Path, *, of: str) -> Path:
    """A net that is wrong in one table or matrix."""
    model = onnx.load(str(source))
    weight = next(w for w in model.graph.initializer if of in w.name)
    values = onnx.numpy_helper.to_array(weight).copy()
    values += 0.05
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save_model(model, str(out))
    return out


def test_torch_and_onnx_agree_in_every_way(exported: tuple[Transformer, Path]) -> None:
    net, path = exported
    found = verify(net, path, games=random_games(6, plies=60, seed=2))
    assert found.positions >= 200
    assert found.worst <= TOLERANCE
    assert not found.enough
    blind = net.config.board_input == "none"
    assert (found.rebased is None, found.fens is None) == (blind, blind)


def test_another_network_is_found_out(exported: tuple[Transformer, Path]) -> None:
    net, path = exported
    other = random_network(net.config.board_input, seed=2)
    with pytest.raises(NetError, match="disagrees"):
        verify(other, path, games=random_games(2, plies=20, seed=2))


def test_each_way_counts() -> None:
    ways = {"prefill": 0.0, "step": 0.0, "batch": 0.0, "rebased": 0.0, "fens": 0.0}
    for way in ways:
        for wrong in (0.01, float("nan")):
            assert not Agreement(1000, 50, **(ways | {way: wrong})).worst <= TOLERANCE
    assert Agreement(1000, 50, **ways).enough
    assert not Agreement(999, 50, **ways).enough
    assert not Agreement(1000, 49, **ways).enough


def test_games_beyond_the_context_and_from_fens_are_read_by_the_engine(one: tuple[Transformer, Path], tmp_path: Path) -> None:
    """What a wrong evaluator would do is found by these two ways alone: here the net is right, and half its context a lie."""
    net, path = one
    model = onnx.load(str(path))
    for prop in model.metadata_props:
        if prop.key == "transcendence.model":
            prop.value = json.dumps(json.loads(prop.value) | {"context": net.config.context // 2})
    short = tmp_path / "short.onnx"
    onnx.save_model(model, str(short))
    with pytest.raises(NetError, match=r"rebased=0\.\d+, fens=\d\.\d+e-"):
        verify(net, short, games=random_games(3, plies=40, seed=2))


def test_half_a_game_goes_on_as_the_whole_one() -> None:
    (whole,) = random_games(1, plies=31, seed=5)
    half = from_half(whole)
    assert half.fen is not None
    *_, last = half.boards()
    *_, wanted = whole.boards()
    assert last.fen(en_passant="legal") == wanted.fen(en_passant="legal")
    black = chess.Board(half.fen).turn == chess.BLACK
    assert black
    assert half.played().tolist() == whole.played()[15:].tolist()


def test_names_and_metadata_are_the_contracts(exported: tuple[Transformer, Path]) -> None:
    net, path = exported
    model = onnx.load(str(path))
    assert tuple(i.name for i in model.graph.input) == INPUTS
    assert tuple(o.name for o in model.graph.output) == OUTPUTS
    props = {p.key: p.value for p in model.metadata_props}
    assert props["transcendence.contract"] == "2"
    assert props["transcendence.precision"] == "fp32"
    assert json.loads(props["transcendence.model"])["board_input"] == net.config.board_input
    assert json.loads(props["transcendence.play"]) == {"rating": 2000, "scale": 1}


def test_a_net_keeps_no_path_of_the_machine_that_made_it(exported: tuple[Transformer, Path]) -> None:
    for path in (exported[1], ROOT / "models" / "transcendence.onnx"):
        content = path.read_bytes()
        assert b"graph.py" not in content
        assert b"stack_trace" not in content


def test_int8_is_far_smaller_and_close(exported: tuple[Transformer, Path], tmp_path: Path) -> None:
    net, path = exported
    out = tmp_path / "int8.onnx"
    quantize(path, out)
    assert out.stat().st_size < 0.6 * path.stat().st_size  # half of these tiny nets is the head, in float16
    found = compare(path, out, config=net.config, games=random_games(4, plies=60, seed=3))
    assert abs(found.move_nll - found.move_nll_fp32) < 0.01
    assert found.top1_agreement > 0.9
    assert EngineNet.open(out).info.precision == "int8"


def test_a_table_is_packed_without_loss(one: tuple[Transformer, Path], tmp_path: Path) -> None:
    """ONNX Runtime restores from the packed bytes just what rounding to seven bits made."""
    graph = onnx.load(str(one[1])).graph
    board = next(w for w in graph.initializer if w.name == "net.board.rows")
    values, scale = rounded(graph, board, bits=7)
    assert (values.min(), values.max()) == (-63, 63)
    out = tmp_path / "int8.onnx"
    quantize(one[1], out)
    twin = onnx.load(str(out)).graph
    assert {w.name: w for w in twin.initializer}["net.board.rows.packed"].dims == [len(values), 7, values.shape[1] // 8]
    made_by = {node.output[0]: node for node in twin.node}
    nodes, wanted = [], ["net.board.rows"]
    while wanted:
        if node := made_by.get(wanted.pop()):
            nodes.insert(0, node)
            wanted += node.input
    table = onnx.helper.make_tensor_value_info("net.board.rows", onnx.TensorProto.FLOAT, None)
    alone = onnx.helper.make_graph(nodes, "table", [], [table], initializer=list(twin.initializer))
    model = onnx.helper.make_model(alone, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    restored = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {})[0]
    assert np.allclose(restored, values * scale, rtol=1e-6, atol=0)
    with pytest.raises(ValueError, match="from -63 to 63, got -3 to 64"):
        packed(np.full((1, 8), 64, np.int8) - np.array([[67, 0, 0, 0, 0, 0, 0, 0]], np.int8))


def test_fp16_is_half_the_size_and_closer(exported: tuple[Transformer, Path], tmp_path: Path) -> None:
    net, path = exported
    out = tmp_path / "fp16.onnx"
    halve(path, out)
    assert out.stat().st_size < 0.75 * path.stat().st_size
    found = compare(path, out, config=net.config, games=random_games(4, plies=60, seed=3))
    assert found.passes
    assert EngineNet.open(out).info.precision == "fp16"
    products = [node for node in onnx.load(str(out)).graph.node if node.op_type == "MatMul"]
    assert products
    assert all(name.startswith(node.output[0]) for node in products for name in node.input)  # all go through a cast


def test_the_gates_close() -> None:
    check(Fidelity(100, 2.0, 2.009, 0.99), Path("net.onnx"))
    for bad in (Fidelity(100, 2.0, 2.02, 0.99), Fidelity(100, 2.0, 2.0, 0.97), Fidelity(100, 2.0, float("nan"), 0.99)):
        with pytest.raises(NetError, match="strays"):
            check(bad, Path("net.onnx"))
    check(TwinMatch(400, Difference((), 0.47, 0.02)), Path("net.onnx"))
    for bad_match in (TwinMatch(400, Difference((), 0.45, 0.02)), TwinMatch(400, Difference((), float("nan"), 0.02))):
        with pytest.raises(NetError, match="weaker than its fp32 twin"):
            check(bad_match, Path("net.onnx"))


def test_a_match_is_scored_by_opening_pairs() -> None:
    def pair(number: int, *results: str) -> list[dict[str, str]]:
        colours = ("twin", "fp32"), ("fp32", "twin")
        return [
            {"white": white, "black": black, "result": result, "pair": str(number)}
            for (white, black), result in zip(colours, results, strict=True)
        ]

    even = scored([game for n in range(200) for game in pair(n, "1-0", "1-0")])
    assert even.games == 400
    assert even.difference.score == 0.5
    assert even.passes
    lost = scored([game for n in range(200) for game in pair(n, *(("0-1", "1-0") if n % 3 else ("1-0", "0-1")))])
    assert lost.difference.score == pytest.approx(67 / 200)
    assert not lost.passes
    with pytest.raises(NetError, match="two opening pairs"):
        scored(pair(1, "1-0", "1-0"))


@pytest.mark.parametrize("make", [quantize, halve])
def test_a_wrong_net_does_not_pass_for_a_twin(one: tuple[Transformer, Path], tmp_path: Path, make: Any) -> None:
    net, path = one
    twin = tmp_path / "twin.onnx"
    make(with_first_weights_changed(path, tmp_path / "wrong.onnx", of="board.rows"), twin)
    assert not compare(path, twin, config=net.config, games=random_games(2, plies=40, seed=3)).passes


def test_games_of_a_store(tmp_path: Path) -> None:
    fen = "r3k2r/pppppppp/8/8/8/8/PPPPPPPP/R3K2R b KQkq - 0 1"
    random = np.random.default_rng(1)
    writer = StoreWriter(tmp_path / "store")
    for number in range(600):
        start = fen if number % 2 else None
        game = continued(Transcript(np.zeros(0, np.uint16), start), plies=8, random=random)
        writer.add(Game(game.moves, start_fen=start))
    writer.close()
    held = int(np.concatenate(open_store(tmp_path / "store").held_out()).sum())
    every = of_store(tmp_path / "store", games=held, positions=1, blind=False)
    for_blind = of_store(tmp_path / "store", games=10_000, positions=10_000, blind=True)
    assert {game.fen for game in every} == {None, fen}
    assert {game.fen for game in for_blind} == {None}
    assert 2 < len(every) == held < 30
    assert len(for_blind) == 300, "too few were held out, so all that it can read"
    more = of_store(tmp_path / "store", games=held + 5, positions=1, blind=False)
    assert len(more) == held + 5
    assert all(np.array_equal(a.moves, b.moves) for a, b in zip(every, more, strict=False)), "held-out ones first"
    assert len(of_store(tmp_path / "store", games=2, positions=20, blind=False)) == 3
    net = random_network(seed=1)
    net_path = tmp_path / "net.onnx"
    export_graph(net, net_path, name="random", training={})
    assert verify(net, net_path, games=every).games == len(every)


def test_a_store_without_games_is_told(tmp_path: Path) -> None:
    StoreWriter(tmp_path / "store").close()
    with pytest.raises(ConfigError, match="expected games in"):
        of_store(tmp_path / "store", games=1, positions=1, blind=False)


# The package -----------------------------------------------------------------------------------------------------


def order(*twins: str, match_games: int = 0) -> PackageSpec:
    return PackageSpec(name="mine", run="run", twins=twins, match_games=match_games, training={}, play={})


def test_a_package_is_whole(tmp_path: Path) -> None:
    games = random_games(3, plies=30, seed=4)
    made = package(random_network(seed=1), tmp_path / "mine.onnx", order("fp16"), games=games)
    names = ["mine.fp16.onnx", "mine.md", "mine.onnx", "mine.verified.json"]
    assert sorted(path.name for path in made) == sorted(path.name for path in tmp_path.iterdir()) == names
    text = (tmp_path / "mine.md").read_text()
    assert "beyond the context" in text
    assert "fp16 and fp32" in text
    assert "a proof should rest on 1,000 positions and 50 games" in text
    report = json.loads((tmp_path / "mine.verified.json").read_text())
    assert report["torch and ONNX, largest logit difference"]["games"] == 3
    assert report["fp16 and fp32"]["move_nll_fp16"] > 0


def test_what_fails_is_not_packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A net that is wrong, a twin that strays, and one that loses its match: each leaves nothing, and what was there stays."""
    net, out, games = random_network(seed=1), tmp_path / "mine.onnx", random_games(3, plies=30, seed=4)
    (tmp_path / "mine.md").write_text("the old card")

    def wrong_export(net: Transformer, path: Path, **rest: Any) -> None:
        export_graph(net, path.with_suffix(".tmp"), **rest)
        with_first_weights_changed(path.with_suffix(".tmp"), path, of="move")

    def wrong_twin(fp32: Path, twin: Path) -> None:
        quantize(with_first_weights_changed(fp32, twin.with_suffix(".tmp"), of="board.rows"), twin)

    def fair_twin(fp32: Path, twin: Path) -> None:
        halve(fp32, twin)

    with monkeypatch.context() as patched:
        patched.setattr(packaging, "export_graph", wrong_export)
        with pytest.raises(NetError, match="disagrees"):
            package(net, out, order(), games=games)
    with monkeypatch.context() as patched:
        patched.setitem(packaging.TWINS, "int8", wrong_twin)
        with pytest.raises(NetError, match="strays"):
            package(net, out, order("int8"), games=games)
    with monkeypatch.context() as patched:
        patched.setitem(packaging.TWINS, "int8", fair_twin)
        patched.setattr(packaging, "play_twins", lambda *a, **k: TwinMatch(400, Difference((), 0.4, 0.01)))
        with pytest.raises(NetError, match="weaker"):
            package(net, out, order("int8", match_games=400), games=games)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.md"]
    assert (tmp_path / "mine.md").read_text() == "the old card"


@pytest.fixture
def unproven(one: tuple[Transformer, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages are of the same net, which nobody exports again or proves."""

    def proven(net: Transformer, fp32: Path, spec: PackageSpec, *, games: Sequence[Transcript]) -> dict[str, Any]:
        for path in (fp32, *(fp32.with_suffix(f".{precision}.onnx") for precision in spec.twins)):
            shutil.copyfile(one[1], path)
        return {}

    monkeypatch.setattr(packaging, "_proven", proven)


@pytest.mark.usefixtures("unproven")
def test_a_twin_of_the_net_that_was_there_before_is_renamed(
    one: tuple[Transformer, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package(one[0], tmp_path / "mine.onnx", order("int8", "fp16"), games=[])
    assert capsys.readouterr().err == ""
    package(one[0], tmp_path / "mine.onnx", order("int8"), games=[])
    names = ["mine.fp16.onnx.old", "mine.int8.onnx", "mine.md", "mine.onnx", "mine.verified.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert "mine.fp16.onnx: renamed to mine.fp16.onnx.old" in capsys.readouterr().err


@pytest.mark.usefixtures("unproven")
def test_a_file_that_cannot_be_replaced_is_named(one: tuple[Transformer, Path], tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").mkdir()
    with pytest.raises(NetError, match=r"cannot write .*mine\.onnx: "):
        package(one[0], tmp_path / "mine.onnx", order(), games=[])
    assert list(tmp_path.glob(".candidate-*")) == []


def test_the_twins_meet_in_a_real_match_and_the_weaker_one_loses(one: tuple[Transformer, Path]) -> None:
    found = play_twins(ROOT / "models" / "transcendence.onnx", one[1], games=4, threads=1)
    assert found.games == 4
    assert found.difference.score < 0.5


@pytest.mark.parametrize("name", ["mine-v1.2.onnx", "mine-v1.2.int8.onnx"])
def test_the_card_of_a_net_with_a_dot_in_its_name_has_its_own_proof(
    one: tuple[Transformer, Path], tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(one[1].read_bytes())
    for proof, share in (("mine-v1", 0.1), ("mine-v1.2", 0.99)):
        twin = {"positions": 1000, "move_nll_fp32": 2.0, "move_nll_int8": 2.001, "top1_agreement": share}
        (tmp_path / f"{proof}.verified.json").write_text(json.dumps({"int8 and fp32": twin}))
    text = card(tmp_path / name)
    assert "99.0%" in text
    assert "10.0%" not in text


def test_the_card_of_a_mixed_net_says_of_what(one: tuple[Transformer, Path], tmp_path: Path) -> None:
    training = {"mixed": {"share": 0.35, "with": {"name": "first.onnx"}}}
    export_graph(one[0], tmp_path / "net.onnx", name="net", training=training, play={})
    text = card(tmp_path / "net.onnx", curves=tmp_path / "curves.png")
    assert "| weights | 0.35 of this run's + 0.65 of first.onnx's (training.run.mixing) |" in text
    assert "The curve is that of the last run" in text


def test_the_card_begins_with_the_strength(one: tuple[Transformer, Path], tmp_path: Path) -> None:
    export_graph(one[0], tmp_path / "net.onnx", name="mine (1.2)", training={}, play={"rating": 2500, "scale": 3})
    row = "mine (1.2) T=0.001       800    389.5   48.7%     1280  1256 to 1305        100.0%"
    (tmp_path / "levels.txt").write_text(
        f"player  games  points  score  rating\nother T=0.001  800  1.0  0.1%  100  50 to 150  1%\n{row}\n"
    )
    (tmp_path / "anchor.txt").write_text(row.replace("1280  1256 to 1305", "=1280  anchor"))
    lines = card(tmp_path / "net.onnx", matches=[tmp_path / "levels.txt", tmp_path / "anchor.txt"]).splitlines()
    assert lines[4].startswith(
        "| strength | 1280 (95 %: 1256 to 1305) at temperature 0.001, one evaluation a move, without TakeMate,"
    )
    assert "800 games ([levels.txt](levels.txt)) |" in lines[4]
    assert "| conditioned on | a rating of 2500 (fide), unless set otherwise; this is not its strength |" in lines
    assert "| strength |" not in card(tmp_path / "net.onnx", matches=[tmp_path / "anchor.txt"])


def test_the_card_tells_the_match(one: tuple[Transformer, Path], tmp_path: Path) -> None:
    _, path = one
    (tmp_path / "net.onnx").write_bytes(path.read_bytes())
    match = {"games": 400, "score": 0.51, "error": 0.01, "elo": 7.0, "low": -7.0, "high": 21.0}
    twin = {"positions": 1000, "move_nll_fp32": 2.0, "move_nll_int8": 2.001, "top1_agreement": 0.99}
    for facts, wanted in ((twin | {"match": match}, "in 400 games against each other 51.0%"), (twin, "no match in this proof")):
        (tmp_path / "net.verified.json").write_text(json.dumps({"int8 and fp32": facts}))
        assert wanted in card(tmp_path / "net.onnx")


def test_the_card_shows_speed_dial_and_curves(one: tuple[Transformer, Path], tmp_path: Path) -> None:
    net, speed = tmp_path / "net.onnx", tmp_path / "evidence" / "speed.txt"
    net.write_bytes(one[1].read_bytes())
    write_dial(net, Dial((Point(501.0, Setting(1000, 1, 1.0)), Point(900.0, Setting(1500, 1, 0.1)))))
    speed.parent.mkdir()
    speed.write_text("device          cpu\ntime per move   4.2 ms in a game of 40 plies, 5.0 ms for its first\n")
    text = card(net, speed=speed, curves=tmp_path / "evidence" / "curves.png")
    assert (
        "| time per move | 4.2 ms in a game of 40 plies, 5.0 ms for its first ([evidence/speed.txt](evidence/speed.txt)) |"
        in text
    )
    assert "| strength dial | UCI_Elo 510 to 900 |" in text
    assert "(evidence/curves.png)" in text
    speed.write_text("device cpu\n")
    with pytest.raises(ConfigError, match="time per move"):
        card(net, speed=speed)


def test_the_card_holds_sources_note_and_evaluation(
    one: tuple[Transformer, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, sources, note, evaluation = (tmp_path / name for name in ("net.onnx", "sources.txt", "note.md", "evaluation.json"))
    net.write_bytes(one[1].read_bytes())
    sources.write_text("| source | games |\n")
    note.write_text("Weak in endgames.\n")
    columns = {
        "plies": 1000,
        "top1": 0.51,
        "top3": 0.75,
        "move_nll": 1.6,
        "legal_nll": 1.5,
        "wdl_nll": 0.9,
        "legal_top1": 0.999,
    }
    calibration = [{"expected": 0.25, "made": 0.375, "plies": 2000}]
    evaluation.write_text(json.dumps({"run": "mine", "all": columns, "calibration": calibration}))
    words = [str(net), "--sources", str(sources), "--note", str(note), "--evaluation", str(evaluation)]
    assert write_card(words) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'net.md'}\n"
    text = (tmp_path / "net.md").read_text()
    assert "`bin/data sources`, [sources.txt](sources.txt).\n\n| source | games |\n" in text
    assert text.index("Weak in endgames.") < text.index("## Training")
    assert "`bin/evaluate`, [evaluation.json](evaluation.json).\n\n| plies of | number |" in text
    assert "| all | 1,000 | 51.0% | 75.0% | 1.6000 | 1.5000 | 0.9000 | 99.90% |" in text
    assert "| 0.250 | 0.375 | 2,000 |" in text
    evaluation.write_text("no JSON")
    assert write_card(words) == 2
    assert f"expected JSON at {evaluation}" in capsys.readouterr().err
    note.unlink()
    assert write_card(words) == 2
    assert f"expected a file at {note}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--out", "net.bin"], "expected --out to end in .onnx, got net.bin"),
        (["--out", "net.onnx", "--games", "0"], "expected --games 1 or more, got 0"),
        (["--out", "net.onnx", "--match", "2"], "expected --match 0, or 4 games or more to decide anything, got 2"),
    ],
)
def test_options_that_make_no_sense_are_one_line(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *words]) == 2
    assert capsys.readouterr().err == f"export: {told}\n"


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


def test_a_run_that_does_not_say_where_it_came_from_is_one_line(
    one: tuple[Transformer, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(model=one[0].config)
    checkpoint.start(tmp_path, config, dataset={"name": "random"})
    save_file(one[0].state_dict(), str(tmp_path / "model.safetensors"))
    (tmp_path / "metrics.jsonl").write_text("")
    whole = json.loads((tmp_path / "run.json").read_text())
    for text, wanted in (
        (json.dumps({k: v for k, v in whole.items() if k != "commit"}), 'expected commit in .*add "commit": "unknown"'),
        (json.dumps({}), 'expected dataset and commit and machine in .*add "dataset": {}'),
        ("[1]", "expected what is known of a run at .*a list and no table"),
        ("", "expected what is known of a run at "),
    ):
        (tmp_path / "run.json").write_text(text)
        assert main([str(tmp_path), "--out", str(tmp_path / "net.onnx")]) == 2
        error = capsys.readouterr().err
        assert re.search(wanted, error), error
        assert error.count("\n") == 1
    (tmp_path / "run.json").write_text(json.dumps(whole))
    assert training_summary(tmp_path)["dataset"] == {"name": "random"}
    for step, kind in ((50, "validation"), (99, "train"), (120, "train")):
        metrics_file.append(tmp_path, {"kind": kind, "step": step, "plies": 100 * step, "minutes": step / 10})
    save_file(one[0].state_dict(), str(tmp_path / "model.safetensors"), metadata={"step": "99"})
    told = training_summary(tmp_path)
    assert (told["step"], told["plies"], told["minutes"]) == (99, 9900, 9.9), (
        "neither the last validation's nor the last line's"
    )


def test_a_place_without_permission_is_one_line(
    one: tuple[Transformer, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faked: who runs the tests may be allowed everything."""

    def refused(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refused)
    order = PackageSpec(name="random", run="run", twins=(), match_games=0)
    with pytest.raises(NetError, match=r"cannot write to .*: Permission denied; .*give --out a place you may write to"):
        package(one[0], tmp_path / "net.onnx", order, games=random_games(1, plies=4, seed=1))
    monkeypatch.undo()
    monkeypatch.setattr(packaging, "write_text", refused)
    with pytest.raises(NetError, match="Permission denied"):
        package(one[0], tmp_path / "net.onnx", order, games=random_games(2, plies=40, seed=1))
    assert list(tmp_path.iterdir()) == []
