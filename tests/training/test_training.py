"""The loop: it learns, resumes on the same curve, and gives the same curve with two processes as with one."""

from __future__ import annotations

import copy
import dataclasses
import errno
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch

from engine.encoding import BOARD_CODES
from engine.errors import ConfigError, DataError
from engine.net import in_sequence
from engine.vocabulary import MOVE_ID
from tests.paths import ROOT
from tests.training.conftest import random_game
from training.batches.feed import Batch
from training.batches.rows import RowReader, check_games
from training.config import (
    PRESETS,
    BoardInput,
    Config,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    from_dict,
    load_preset,
    to_dict,
)
from training.data.store import GAME_DTYPE, Shard, Store, StoreWriter
from training.net.average import Average
from training.net.model import Transformer, attend
from training.net.optimizer import _iterated, _iterated_by_gram, make_optimizers, orthogonalized, rate_at
from training.run import checkpoint, loop, metrics_file
from training.run.loop import Diverged, Processes, Trainer, compiles, precision_of
from training.run.validation import evaluate, load_validation
from training.run.warm_start import read_weights
from training.train import main, read_options, shares, with_options


def make_trainer(config: Config, store: Store, folder: Path) -> Trainer:
    checkpoint.start(folder, config, dataset={"name": "random"})
    return Trainer(config, store, folder=folder, processes=Processes(), device=torch.device("cpu"))


def with_optimizer(config: Config, **changes: float) -> Config:
    return dataclasses.replace(config, optimizer=dataclasses.replace(config.optimizer, **changes))  # type: ignore[arg-type]


def with_passes_of(config: Config, *, plies: int) -> Config:
    return dataclasses.replace(config, data=dataclasses.replace(config.data, micro_plies=plies))


def train_lines(folder: Path) -> list[dict[str, float]]:
    whole = [line for line in (folder / "metrics.jsonl").read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in map(json.loads, whole) if line["kind"] == "train"]


def losses(folder: Path) -> list[float]:
    return [line["move_nll"] for line in train_lines(folder)]


def test_the_loss_falls_and_the_metrics_are_written(config: Config, store: Store, tmp_path: Path) -> None:
    config = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=40))
    metrics = make_trainer(config, store, tmp_path).run()
    curve = losses(tmp_path)
    assert len(curve) == 40
    assert np.mean(curve[-5:]) < np.mean(curve[:5]) - 0.5
    assert metrics is not None
    assert 0 < metrics.top1 <= metrics.top3 <= 1
    assert metrics.legal_top1 is not None
    assert metrics.legal_nll is not None
    assert metrics.legal_nll < metrics.move_nll


def test_a_run_that_was_stopped_goes_on_with_the_same_curve(config: Config, store: Store, tmp_path: Path) -> None:
    whole = make_trainer(config, store, tmp_path / "whole")
    whole.run()
    cut = make_trainer(config, store, tmp_path / "cut")
    cut._stop.asked = True  # what SIGTERM does, before the first step ends
    cut.run()
    assert cut.step == 1
    again = make_trainer(config, store, tmp_path / "cut")
    assert again.step == 1
    again.run()
    assert losses(tmp_path / "cut") == pytest.approx(losses(tmp_path / "whole"), abs=1e-6)


def start_command(
    config: Config, store: Store, folder: Path, *, processes: int, session: bool = False
) -> subprocess.Popen[str]:
    """Train as ``bin/train`` does, in processes of its own; those of a ``session`` are a group of their own for signals."""
    preset = folder.with_suffix(".toml")
    sections = [[f"[{s}]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())] for s, table in to_dict(config).items()]
    preset.write_text("\n".join(line for section in sections for line in section))
    command = [sys.executable, "-m", "training.train", str(store.path), "--out", str(folder)]
    command += ["--preset", str(preset), "--processes", str(processes), "--device", "cpu"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=session
    )


def run_command(config: Config, store: Store, folder: Path, *, processes: int) -> None:
    with start_command(config, store, folder, processes=processes) as process:
        _, errors = process.communicate(timeout=110)
    assert process.returncode == 0, errors


def test_two_processes_train_as_one(config: Config, store: Store, tmp_path: Path) -> None:
    for processes in (1, 2):
        run_command(config, store, tmp_path / str(processes), processes=processes)
    assert losses(tmp_path / "2") == pytest.approx(losses(tmp_path / "1"), abs=2e-3)


def test_a_net_in_pieces_trains_as_a_whole_one_and_goes_on_with_any_number_of_processes(
    config: Config, store: Store, tmp_path: Path
) -> None:
    """Three stretches of 8 steps: by one process throughout; by one, by two that share the net, and by one again."""
    config = dataclasses.replace(config, optimizer=dataclasses.replace(config.optimizer, ema=0.8))
    for steps, processes in ((8, 1), (16, 2), (24, 1)):
        told = dataclasses.replace(config, run=dataclasses.replace(config.run, steps=steps))
        shared = dataclasses.replace(told, run=dataclasses.replace(told.run, parallel="fsdp"))
        for folder in (tmp_path / "whole", tmp_path / "pieces"):
            (folder / checkpoint.CONFIG).unlink(missing_ok=True)  # a longer run from the same state
        make_trainer(told, store, tmp_path / "whole").run()
        if processes == 2:
            run_command(shared, store, tmp_path / "pieces", processes=2)
        else:
            make_trainer(told, store, tmp_path / "pieces").run()
    assert losses(tmp_path / "pieces") == pytest.approx(losses(tmp_path / "whole"), abs=2e-3)
    assert len(losses(tmp_path / "pieces")) == 24
    validation = load_validation(store, config.data, model=config.model, plies=400)
    pieces, whole = (evaluate(checkpoint.load_net(tmp_path / name)[0], validation) for name in ("pieces", "whole"))
    assert pieces.move_nll == pytest.approx(whole.move_nll, abs=5e-3)  # of the averaged weights
    reached = [line for line in metrics_file.read(tmp_path / "pieces") if line["kind"] == "validation" and line["step"] == 16]
    alone = [line for line in metrics_file.read(tmp_path / "whole") if line["kind"] == "validation" and line["step"] == 16]
    assert reached[0]["validation_move_nll"] == pytest.approx(alone[0]["validation_move_nll"], abs=5e-3)


def test_a_run_goes_on_with_its_own_games_only(config: Config, tmp_path: Path) -> None:
    for fingerprint in ("aa", "aa"):
        checkpoint.start(tmp_path, config, dataset={"name": "mine", "fingerprint": fingerprint})
    with pytest.raises(ConfigError, match=r"expected the data set 'mine' with fingerprint aa, got 'yours' with bb"):
        checkpoint.start(tmp_path, config, dataset={"name": "yours", "fingerprint": "bb"})


def test_what_is_known_later_is_added_to_run_json(config: Config, tmp_path: Path) -> None:
    checkpoint.start(tmp_path, config, dataset={"name": "mine"})
    checkpoint.note(tmp_path, packing={"left_out": 0.25})
    about = json.loads((tmp_path / checkpoint.RUN).read_text())
    assert about["packing"] == {"left_out": 0.25}
    assert about["dataset"] == {"name": "mine"}
    assert {"commit", "torch", "python", "machine", "command"} <= about.keys()


def test_how_processes_share_a_net_may_change_in_a_run(config: Config, tmp_path: Path) -> None:
    checkpoint.start(tmp_path, config, dataset={})
    checkpoint.start(tmp_path, dataclasses.replace(config, run=dataclasses.replace(config.run, parallel="fsdp")), dataset={})


def test_two_processes_agree_when_the_clock_decides(config: Config, store: Store, tmp_path: Path) -> None:
    """Each has a clock of its own; a save that only one of them thinks due would leave it waiting for ever."""
    run = dataclasses.replace(
        config.run, steps=0, minutes=0.04, save_every_minutes=0.0005, evaluate_every_minutes=0.02, log_every=1
    )
    run_command(dataclasses.replace(config, run=run), store, tmp_path / "run", processes=2)
    assert checkpoint.load_net(tmp_path / "run")
    assert len(losses(tmp_path / "run")) > 10


def test_bfloat16_learns_as_float32_does(config: Config, store: Store, tmp_path: Path) -> None:
    curves = []
    for precision in ("float32", "bfloat16"):
        run = dataclasses.replace(config.run, precision=precision)  # type: ignore[arg-type]
        trainer = make_trainer(dataclasses.replace(config, run=run), store, tmp_path / precision)
        trainer.run()
        assert all(p.dtype == torch.float32 for p in trainer.net.parameters())
        curves.append(losses(tmp_path / precision))
    assert curves[1] == pytest.approx(curves[0], abs=0.05)
    assert curves[1] != curves[0]


@pytest.mark.parametrize(
    ("has", "bfloat16_s", "chosen"),
    [
        ({"avx512_bf16": True}, 0.5, torch.bfloat16),
        ({"avx512_bf16": True}, 1.5, torch.float32),  # the instructions are there and do not pay
        ({"amx_bf16": True}, 0.1, torch.bfloat16),
        ({}, 0.1, torch.float32),
    ],
)
def test_products_have_the_precision_that_was_measured_to_be_faster(
    config: Config, monkeypatch: pytest.MonkeyPatch, has: dict[str, bool], bfloat16_s: float, chosen: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    monkeypatch.setattr(loop, "product_seconds", lambda dtype: bfloat16_s if dtype == torch.bfloat16 else 1.0)
    cpu = torch.device("cpu")
    assert precision_of(dataclasses.replace(config.run, precision="auto"), cpu) == chosen
    assert precision_of(dataclasses.replace(config.run, precision="float32"), cpu) == torch.float32
    assert precision_of(dataclasses.replace(config.run, precision="bfloat16"), cpu) == torch.bfloat16


def test_attention_on_cpu_is_the_fused_one() -> None:
    torch.manual_seed(5)
    q, k, v = (torch.randn(2, 3, 7, 8) for _ in range(3))
    mask = torch.ones(2, 1, 7, 7, dtype=torch.bool).tril() & (torch.arange(7) > 1)[None, None, None, :]
    mask |= torch.eye(7, dtype=torch.bool)
    want = attend(q, k, v, mask)
    got = attend(q.bfloat16(), k.bfloat16(), v.bfloat16(), mask)
    assert got.float() == pytest.approx(want.numpy(), abs=0.05)


def test_a_loss_that_is_no_number_stops_the_run(config: Config, store: Store, tmp_path: Path) -> None:
    trainer = make_trainer(config, store, tmp_path)
    with torch.no_grad():
        trainer.net.move_head.fill_(torch.nan)
    with pytest.raises(Diverged, match="last good state"):
        trainer.run()
    assert not (tmp_path / checkpoint.WEIGHTS).exists()


def test_the_saved_weights_are_the_trained_ones(config: Config, store: Store, tmp_path: Path) -> None:
    trainer = make_trainer(config, store, tmp_path)
    trainer.run()
    loaded, saved_config = checkpoint.load_net(tmp_path)
    assert saved_config == config
    validation = load_validation(store, config.data, model=config.model, plies=300)
    assert evaluate(loaded, validation) == evaluate(trainer.net, validation)


@pytest.mark.parametrize("plies", [1, 50])
def test_a_few_validation_plies_are_a_row_at_least(config: Config, store: Store, plies: int) -> None:
    assert len(load_validation(store, config.data, model=config.model, plies=plies, legal=True).rows) >= 1


def test_many_shards_leave_no_more_out_than_one(config: Config) -> None:
    random, turns = np.random.default_rng(1), np.array([MOVE_ID[move] for move in ("g1f3", "g8f6", "f3g1", "f6g8")], np.uint16)

    def shard(games: int) -> Shard:
        lengths = random.integers(34, 102, size=games)
        records = np.zeros(games, GAME_DTYPE)
        records["key"], records["start"] = random.integers(0, 2**63, size=games, dtype=np.uint64), -1
        moves = np.concatenate([np.resize(turns, length) for length in lengths])
        return Shard(moves, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), records)

    store = Store(Path("many"), [shard(110) for _ in range(300)], [""], [], {})
    data, model = DataConfig(), dataclasses.replace(config.model, context=128)
    check_games(store, data, model)
    assert RowReader(store, data, model, seed=1).packing().left_out < 0.01
    assert len(load_validation(store, data, model=model, plies=2000).rows) >= 15


def test_a_resumed_run_may_take_smaller_passes_on_the_same_curve(config: Config, store: Store, tmp_path: Path) -> None:
    config = with_optimizer(config, wdl_weight=0.0)  # the result loss is a mean over each pass
    make_trainer(config, store, tmp_path / "whole").run()
    cut = make_trainer(config, store, tmp_path / "cut")
    cut._stop.asked = True
    cut.run()
    again = make_trainer(with_passes_of(config, plies=config.data.micro_plies // 2), store, tmp_path / "cut")
    assert again.step == 1
    again.run()
    assert losses(tmp_path / "cut") == pytest.approx(losses(tmp_path / "whole"), abs=1e-4)


def random_trainer(config: Config, store: Store, folder: Path) -> Trainer:
    """With random weights everywhere: heads begin as zeros, which let no gradient through."""
    trainer = make_trainer(config, store, folder)
    for p in trainer.net.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return trainer


def mean_losses(net: Transformer, batches: list[Batch]) -> torch.Tensor:
    """(2,) of the moves over all plies, and of the results over each pass's known ones; a pass counts by its rows."""
    parts = []
    for batch in batches:
        moves, results = (logits.log_softmax(-1) for logits in net(*batch.inputs))
        known = batch.results >= 0
        move_nll = -moves.gather(-1, batch.targets[..., None]).mean()
        wdl_nll = -results[known].gather(-1, batch.results[known][:, None]).mean()
        parts.append(len(batch) * torch.stack([move_nll, wdl_nll]))
    return torch.stack(parts).sum(0) / sum(map(len, batches))


@pytest.mark.parametrize(("wdl_weight", "passes"), [(0.0, [3, 3, 2]), (0.5, [3, 3, 2]), (0.5, [8])])
def test_the_gradient_of_a_step_is_that_of_both_losses(
    wdl_weight: float, passes: list[int], config: Config, store: Store, tmp_path: Path
) -> None:
    config = with_passes_of(with_optimizer(config, wdl_weight=wdl_weight, clip=0.0), plies=passes[0] * config.model.context)
    trainer = random_trainer(config, store, tmp_path)
    before, place = copy.deepcopy(trainer.net), trainer.feed.state()
    batches = trainer.feed.step()
    assert [len(batch) for batch in batches] == passes
    assert any((batch.results < 0).any() for batch in batches)
    move_nll, wdl_nll = mean_losses(before, batches)
    want = torch.autograd.grad(move_nll + wdl_weight * wdl_nll, list(before.parameters()))
    trainer.feed.restore(place)
    line = trainer._train_step(0.5)
    for (name, p), gradient in zip(trainer.net.named_parameters(), want, strict=True):
        assert p.grad is not None
        assert torch.allclose(p.grad, gradient, rtol=1e-3, atol=1e-6), name
    assert line["move_nll"] == pytest.approx(move_nll.item())
    assert line["wdl_nll"] == pytest.approx(wdl_nll.item())
    assert line["grad_norm"] == pytest.approx(torch.nn.utils.get_total_norm(want).item(), rel=1e-3)


def test_a_pass_without_a_known_result_teaches_moves_alone(config: Config, store: Store, tmp_path: Path) -> None:
    trainer = random_trainer(config, store, tmp_path)
    batch = trainer.feed.step()[0]
    unknown = dataclasses.replace(batch, results=torch.full_like(batch.results, -100))
    move_nll, wdl_nll = trainer._backward(unknown, weight=1.0, last=True).tolist()
    assert move_nll > 0
    assert wdl_nll == 0
    assert trainer.net.move_head.grad is not None
    assert trainer.net.wdl_head.grad is not None
    assert trainer.net.move_head.grad.any()
    assert not trainer.net.wdl_head.grad.any()


def test_a_gradient_is_clipped_to_its_largest_norm(config: Config, store: Store, tmp_path: Path) -> None:
    trainer = random_trainer(with_optimizer(config, clip=1e-3), store, tmp_path)
    line = trainer._train_step(0.5)
    assert line["grad_norm"] > 0.1, "the norm before"
    clipped = torch.nn.utils.get_total_norm([p.grad for p in trainer.net.parameters() if p.grad is not None])
    assert clipped.item() == pytest.approx(1e-3, rel=1e-2)


def test_a_run_whose_record_was_not_written_begins_again(config: Config, store: Store, tmp_path: Path) -> None:
    make_trainer(config, store, tmp_path)
    assert (tmp_path / checkpoint.RUN).stat().st_mtime_ns <= (tmp_path / checkpoint.CONFIG).stat().st_mtime_ns
    (tmp_path / checkpoint.CONFIG).unlink()  # as after a kill between the two
    make_trainer(config, store, tmp_path)
    assert (tmp_path / checkpoint.CONFIG).is_file()


def test_another_config_in_the_same_folder_is_refused(config: Config, store: Store, tmp_path: Path) -> None:
    make_trainer(config, store, tmp_path)
    other = dataclasses.replace(config, model=dataclasses.replace(config.model, layers=2))
    with pytest.raises(ConfigError, match="another config"):
        make_trainer(other, store, tmp_path)


def test_orthogonalized_levels_the_singular_values() -> None:
    torch.manual_seed(1)
    stack = torch.randn(2, 40, 24) * torch.tensor([1e-3, 100.0])[:, None, None]
    values = torch.linalg.svdvals(orthogonalized(stack))
    assert values.min() > 0.4
    assert values.max() < 1.4


def test_a_wide_matrix_is_orthogonalized_by_its_gram_matrix_alike() -> None:
    torch.manual_seed(1)
    decaying = torch.logspace(0, -3, 24)[:, None] * torch.randn(2, 24, 96)  # singular values of three orders
    wide = decaying / decaying.norm(dim=(-2, -1), keepdim=True)
    assert torch.allclose(_iterated_by_gram(wide), _iterated(wide), atol=1e-5)
    for matrix in (wide, wide.mT):
        values = torch.linalg.svdvals(orthogonalized(matrix))
        assert torch.allclose(values, torch.linalg.svdvals(_iterated(wide)), atol=1e-5)
    assert torch.linalg.svdvals(orthogonalized(wide, torch.bfloat16)).max() < 1.4


def test_the_rate_rises_then_falls_to_nothing() -> None:
    assert rate_at(0.0, 0.1) < 0.02
    assert rate_at(0.1, 0.1) == pytest.approx(1.0)
    assert rate_at(0.55, 0.1) == pytest.approx(0.5)
    assert rate_at(1.0, 0.1) == 0.0
    assert max(rate_at(progress / 10_000, 0.0001) for progress in range(100)) <= 1.0


@pytest.mark.parametrize("board_input", get_args(BoardInput))
def test_steps_with_a_cache_equal_the_training_pass(board_input: BoardInput) -> None:
    torch.manual_seed(2)
    rank = 0 if board_input == "none" else 4
    net = Transformer(
        ModelConfig(layers=2, width=16, heads=2, context=32, board_input=board_input, board_width=16, move_rank=rank)
    )
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.3)
    B, T, cut = 2, 12, 5

    def sequence(length: int, *, new: int, past: int) -> list[torch.Tensor]:
        lines = in_sequence(np.full(B, length), new=new, past=past)
        return [torch.from_numpy(array) for array in (lines.positions, lines.past_mask, lines.new_mask)]

    moves, state = torch.randint(0, 1968, (B, T)), torch.randint(0, 3, (B, T, 4))
    board, ratings = torch.zeros(B, T, 64, dtype=torch.long), torch.randint(0, 5, (B, T, 3))
    board[..., :13] = torch.arange(13) * (BOARD_CODES[board_input] // 13)  # each piece once
    want, want_wdl = net(moves, board, state, ratings, torch.zeros(B, T, dtype=torch.long))
    empty = torch.zeros(2, B, 2, 0, 8)
    first = [x[:, :cut] for x in (moves, board, state, ratings)]
    rest = [x[:, cut:] for x in (moves, board, state, ratings)]
    logits, wdl, keys, values = net.step(*first, empty, empty, *sequence(0, new=cut, past=0))
    junk = torch.full((2, B, 2, 3, 8), 50.0)  # padding behind the cached plies must not be seen
    keys, values = torch.cat([keys, junk], dim=3), torch.cat([values, junk], dim=3)
    later, later_wdl, _, _ = net.step(*rest, keys, values, *sequence(cut, new=T - cut, past=cut + 3))
    assert torch.allclose(torch.cat([logits, later], dim=1), want, atol=1e-4)
    assert torch.allclose(torch.cat([wdl, later_wdl], dim=1), want_wdl, atol=1e-4)


def test_packed_games_do_not_see_each_other() -> None:
    torch.manual_seed(3)
    net = Transformer(ModelConfig(layers=2, width=16, heads=2, context=32, board_input="none"))
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.3)
    moves = torch.randint(0, 1968, (1, 10))
    zeros = (
        torch.zeros(1, 10, 64, dtype=torch.long),
        torch.zeros(1, 10, 4, dtype=torch.long),
        torch.zeros(1, 10, 3, dtype=torch.long),
    )
    segments = torch.tensor([[0] * 4 + [1] * 6])
    both, _ = net(moves, *zeros, segments)
    alone, _ = net(moves[:, 4:], *(z[:, 4:] for z in zeros), segments[:, 4:])
    assert torch.allclose(both[:, 4:], alone, atol=1e-4)


def test_every_board_input_learns_through_all_its_weights() -> None:
    for board_input in get_args(BoardInput):
        net = Transformer(ModelConfig(layers=1, width=16, heads=2, context=32, board_input=board_input, board_width=16))
        for p in net.parameters():
            torch.nn.init.normal_(p, std=0.3)
        shape = (3, 8)
        moves, state, board = torch.randint(0, 9, shape), torch.randint(0, 3, (*shape, 4)), torch.randint(0, 13, (*shape, 64))
        logits, wdl = net(moves, board, state, torch.randint(0, 5, (*shape, 3)), torch.zeros(shape, dtype=torch.long))
        (logits.square().mean() + wdl.square().mean()).backward()  # type: ignore[no-untyped-call]
        silent = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
        assert silent == []


def test_muon_has_the_blocks_and_the_small_board_net_and_adamw_the_rest() -> None:
    net = Transformer(ModelConfig(layers=2, width=16, heads=2, board_input="conv", board_layers=1))
    muon, adamw = (
        {id(p) for g in o.param_groups for p in g["params"]} for o in make_optimizers(net, OptimizerConfig(kind="muon"))
    )
    assert muon | adamw == {id(p) for p in net.parameters()}
    assert not muon & adamw
    assert len(muon) == 2 * 4 + 3
    assert id(net.move_head) in adamw


@pytest.mark.parametrize(("kind", "rate"), [("muon", 0.2), ("adamw", 0.1)])
def test_matrices_decay_without_a_gradient_and_tables_do_not(kind: Literal["muon", "adamw"], rate: float) -> None:
    net = Transformer(ModelConfig(layers=1, width=16, heads=2))
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.3)
        p.grad = torch.zeros_like(p)
    before = copy.deepcopy(net)
    for optimizer in make_optimizers(net, OptimizerConfig(kind=kind, matrix_lr=0.2, adam_lr=0.1, weight_decay=0.5)):
        optimizer.step()
    matrices = {id(p) for p in net.matrices()}
    for p, old in zip(net.parameters(), before.parameters(), strict=True):
        assert torch.allclose(p, old * (1 - rate * 0.5) if id(p) in matrices else old)


@pytest.mark.parametrize("name", sorted(p.stem for p in PRESETS.glob("*.toml")))
def test_presets_load(name: str) -> None:
    assert from_dict(to_dict(load_preset(name)), where="test") == load_preset(name)


def test_a_blind_twin_differs_from_its_board_fed_one_in_nothing_else() -> None:
    twins = [p.stem for p in PRESETS.glob("*-blind.toml")]
    assert sorted(twins) == ["laptop-blind", "smoke-blind"]
    for twin in twins:
        seeing = load_preset(twin.removesuffix("-blind"))
        model = dataclasses.replace(seeing.model, board_input="none", move_rank=0, checks=False)
        assert load_preset(twin) == dataclasses.replace(seeing, model=model)


def test_the_share_of_the_peak_is_told_where_the_peak_is_known(config: Config, store: Store, tmp_path: Path) -> None:
    for name, peak in (("known", 0.5), ("unknown", 0.0)):
        run = dataclasses.replace(config.run, steps=2, peak_tflops=peak)
        make_trainer(dataclasses.replace(config, run=run), store, tmp_path / name).run()
    known, unknown = (
        [line for line in metrics_file.read(tmp_path / name) if line["kind"] == "train"] for name in ("known", "unknown")
    )
    assert all(line["mfu"] == pytest.approx(line["gflops"] / 500, abs=1e-4) for line in known)
    assert not any("mfu" in line for line in unknown)


def test_changes_lie_over_the_preset() -> None:
    changed = load_preset("laptop", ["model.layers=2", "optimizer.kind=adamw", "run.minutes=1.5"])
    assert (changed.model.layers, changed.optimizer.kind, changed.run.minutes) == (2, "adamw", 1.5)
    assert changed.model.width == load_preset("laptop").model.width


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("", []),
        ("--seed 0", ["run.seed=0"]),
        ("--tensorboard", ["run.tensorboard=true"]),
        ("--max-rating 1500", ["data.max_rating=1500"]),
        ("--steps 9", ["run.steps=9", "run.minutes=0"]),
        ("--minutes 0.5", ["run.minutes=0.5", "run.steps=0"]),
        ("--board-input conv", ["model.board_input=conv"]),
        ("--seed 7 --max-rating 1500 --tensorboard", ["run.seed=7", "data.max_rating=1500", "run.tensorboard=true"]),
    ],
)
def test_options_lie_over_the_preset(words: str, changes: list[str]) -> None:
    options = read_options(["games", "--out", "run", *words.split()])
    assert with_options(load_preset("smoke"), options) == load_preset("smoke", changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\nwdth = 64\n", r"unknown key 'wdth'; known are .*width"),
        ("[model]\nwidth = 64.5\n", r"\[model\] width: expected a whole number, got 64.5"),
        ("[optimizer]\nema = true\n", r"ema: expected a number, got True"),
        ("[model]\nboard_input = 'all'\n", r"expected one of none, sum, attacks, conv, squares, got 'all'"),
        ("[modle]\nwidth = 64\n", r"unknown section \[modle\]"),
        ("width = 64\n", r"got the key 'width' outside"),
        ("[model\n", r"is no valid TOML"),
        ("extends = 'nosuch'\n", r"expected a preset"),
    ],
)
def test_a_mistake_in_a_preset_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_preset(str(path))


def test_every_number_of_every_section_has_a_range() -> None:
    """Whoever makes it, from a preset, --set or Python; and the message names it."""
    for section in dataclasses.fields(Config):
        kind = section.default_factory
        for name, hint in get_type_hints(kind, include_extras=True).items():
            if get_origin(hint) is Literal or hint is bool:
                continue
            number, allowed = get_args(hint)
            wrong = [allowed.low if allowed.above else allowed.low - 1, *([math.nan, -math.inf] if number is float else [])]
            if allowed.high < math.inf:
                wrong.append(allowed.high if allowed.below else allowed.high + 1)
            for value in wrong:
                with pytest.raises(ConfigError, match=rf"{section.name}\.{name} must be .*, got {value}"):
                    kind(**{name: number(value)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.heads=0", r"model\.heads must be 1 or more"),
        ("data.streams=0", r"data\.streams must be 1 or more"),
        ("optimizer.ema=1.5", r"optimizer\.ema must be 0 or more and below 1, got 1\.5"),
        ("data.rating_dropout=7", r"data\.rating_dropout must be 0 or more and at most 1, got 7"),
        ("run.minutes=inf", r"run\.minutes must be 0 or more and finite, got inf"),
    ],
)
def test_a_number_out_of_its_range_is_refused(change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_preset("smoke", [change])


NO_LENGTHS = ("--minutes 0", "--minutes -1", "--minutes nan", "--minutes inf", "--steps 0", "--processes -2", "--threads -1")


@pytest.mark.parametrize("length", NO_LENGTHS)
def test_a_length_that_is_none_is_one_line(
    length: str, store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([str(store.path), "--out", str(tmp_path / "run"), "--preset", "smoke", *length.split()]) == 2
    error = capfd.readouterr().err
    assert error.startswith(f"train: expected {length.split()[0]} ")
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_preset_that_extends_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"extends = {json.dumps(str(path))}\n")
    with pytest.raises(ConfigError, match="extends itself"):
        load_preset(str(path))


def test_the_average_of_the_weights_is_what_plays_and_survives_a_stop(config: Config, store: Store, tmp_path: Path) -> None:
    config = dataclasses.replace(config, optimizer=dataclasses.replace(config.optimizer, ema=0.8))
    whole = make_trainer(config, store, tmp_path / "whole")
    whole.run()
    cut = make_trainer(config, store, tmp_path / "cut")
    cut._stop.asked = True
    cut.run()
    again = make_trainer(config, store, tmp_path / "cut")
    again.run()
    playing = [checkpoint.load_net(tmp_path / name)[0].move_head for name in ("whole", "cut")]
    assert torch.allclose(*playing, atol=1e-6)
    assert torch.equal(playing[0], whole.playing.move_head)
    assert not torch.allclose(playing[0], whole.net.move_head, atol=1e-4)


def test_the_average_is_the_mean_that_its_decay_says(config: Config) -> None:
    net = Transformer(config.model)
    average = Average(net, decay=0.9)
    want = net.move_head.detach().clone()
    for step in range(1, 300):
        with torch.no_grad():
            net.move_head.normal_()
        average.update(net, step=step)
        keep = min(0.9, step / (10 + step))
        want = want * keep + net.move_head.detach() * (1 - keep)
    assert torch.allclose(average.net.move_head, want, atol=1e-5)


def test_a_killed_run_goes_on_with_the_same_curve(config: Config, store: Store, tmp_path: Path) -> None:
    """SIGKILL at whatever step it strikes: what was saved before goes on, and every step's loss is the whole run's."""
    run = dataclasses.replace(config.run, steps=120, save_every_minutes=1e-6)
    config = dataclasses.replace(config, run=run)
    run_command(config, store, tmp_path / "whole", processes=1)
    with start_command(config, store, tmp_path / "cut", processes=1) as process:
        metrics = tmp_path / "cut" / checkpoint.METRICS
        while process.poll() is None and not (metrics.is_file() and len(losses(tmp_path / "cut")) > 15):
            time.sleep(0.005)
        process.kill()
    before = len(losses(tmp_path / "cut"))
    assert 15 < before < 120
    run_command(config, store, tmp_path / "cut", processes=1)
    by_step = {line["step"]: line["move_nll"] for line in train_lines(tmp_path / "cut")}
    assert [by_step[step] for step in range(1, 121)] == pytest.approx(losses(tmp_path / "whole"), abs=1e-6)


def test_no_room_on_the_disk_is_one_line(config: Config, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(config, store, tmp_path)
    trainer._save()
    kept = (tmp_path / checkpoint.STATE).read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ConfigError, match=r"No space left on device.*give the same command again"):
        trainer._save()
    assert (tmp_path / checkpoint.STATE).read_bytes() == kept


@pytest.mark.parametrize("damage", ["empty", "half", "text", "another's"])
def test_a_damaged_state_is_one_line_and_its_weights_are_not_lost(
    damage: str, config: Config, store: Store, tmp_path: Path
) -> None:
    trainer = make_trainer(config, store, tmp_path)
    trainer._save()
    path, whole = tmp_path / checkpoint.STATE, (tmp_path / checkpoint.STATE).read_bytes()
    if damage == "another's":
        torch.save([1, 2], path)
    else:
        path.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "text": b"no state at all"}[damage])
    for ask in (lambda: make_trainer(config, store, tmp_path), lambda: checkpoint.progress(tmp_path)):
        with pytest.raises(ConfigError, match=r"state\.pt, and the file is damaged.*--init .* and another --out") as told:
            ask()
        assert "\n" not in str(told.value)
    path.unlink()
    assert read_weights(tmp_path).model == config.model


def test_what_is_saved_is_on_the_disk_before_it_has_its_name(
    config: Config, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, synced, renamed = make_trainer(config, store, tmp_path), set[int](), []

    def sync(file: int) -> None:
        synced.add(os.fstat(file).st_ino)

    def replace(source: Path, target: Path) -> None:
        renamed.append((target.name, source.stat().st_ino in synced))
        os.rename(source, target)

    monkeypatch.setattr(checkpoint.os, "fsync", sync)
    monkeypatch.setattr(checkpoint.os, "replace", replace)
    trainer._save()
    checkpoint.note(tmp_path, more=1)
    assert renamed == [(checkpoint.STATE, True), (checkpoint.WEIGHTS, True), (checkpoint.RUN, True)]
    assert os.name != "posix" or tmp_path.stat().st_ino in synced


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing", "--out", "x"], "expected a token store"),
        (["missing", "--out", "x", "--preset", "nosuch", "--processes", "1"], "expected a token store"),
    ],
)
def test_a_users_mistake_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_an_unknown_preset_is_one_line(store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(store.path), "--out", str(tmp_path / "x"), "--preset", "nosuch", "--processes", "1"]) == 2
    assert "expected a preset (" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("games", "plies", "message"),
    [(5, 60, "expected at least 8 games to train on"), (20, 10, "found 190 in"), (1, 60, "expected at least 8 games")],
)
def test_a_store_that_is_too_small_is_one_line_before_anything_is_written(
    games: int, plies: int, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    random, writer = np.random.default_rng(1), StoreWriter(tmp_path / "few")
    for _ in range(games):
        writer.add(random_game(random, plies=plies))
    writer.close()
    assert main([str(tmp_path / "few"), "--out", str(tmp_path / "run"), "--processes", "2", "--steps", "1"]) == 2
    error = capfd.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_as_many_processes_as_the_streams_can_be_dealt_to() -> None:
    assert [shares(8, places) for places in (0, 1, 2, 3, 6, 8, 12, 16)] == [1, 1, 2, 2, 4, 8, 8, 8]


def test_a_number_of_processes_that_does_not_fit_says_which_do(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([str(store.path), "--out", str(tmp_path / "run"), "--processes", "3", "--preset", "smoke"]) == 2
    assert "one of 1, 2, 4, 8, got 3" in capfd.readouterr().err


def test_a_folder_that_cannot_be_made_is_one_line(store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    arguments = [str(store.path), "--out", str(tmp_path / "file" / "run"), "--processes", "1", "--preset", "smoke"]
    assert main(arguments) == 2
    assert "expected a folder that can be written at" in capfd.readouterr().err


def test_two_trainings_do_not_share_a_folder(store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fcntl")
    arguments = [str(store.path), "--out", str(tmp_path), "--processes", "1", "--preset", "smoke", "--steps", "1"]
    with checkpoint.held(tmp_path):
        assert main(arguments) == 2
        assert "another training is writing to" in capfd.readouterr().err
        assert not (tmp_path / checkpoint.CONFIG).exists()
    with checkpoint.held(tmp_path):
        pass


def test_without_what_compiling_takes_a_run_goes_on_without_it(
    config: Config, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def missing(*_: object, **__: object) -> object:
        raise RuntimeError("Python.h: No such file\nand more")

    run = dataclasses.replace(config.run, minutes=60.0)
    monkeypatch.setattr(torch, "compile", missing)
    assert not compiles(run, torch.device("cpu"))
    assert capfd.readouterr().err == (
        "torch.compile does not work here, so the run goes without it and slower: Python.h: No such file\n"
    )
    assert not compiles(dataclasses.replace(run, minutes=1.0), torch.device("cpu"))
    assert capfd.readouterr().err == "", "a short run does not try"


def test_a_split_of_short_games_has_short_rows(config: Config, store: Store) -> None:
    model = dataclasses.replace(config.model, context=500)
    validation = load_validation(store, config.data, model=model, plies=10_000, legal=True)
    assert 20 <= validation.rows.moves.shape[1] < 90
    assert validation.legal is not None
    assert evaluate(Transformer(model), validation).plies == validation.rows.moves.size


def test_a_cap_without_games_is_refused(store: Store, config: Config) -> None:
    with pytest.raises(DataError, match="rated at most 500"):
        load_validation(store, DataConfig(max_rating=500), model=config.model, plies=100)


@pytest.mark.parametrize("board_input", ["none", "attacks"])
def test_the_played_move_is_among_the_legal_ones(config: Config, store: Store, board_input: BoardInput) -> None:
    """A blind net's rows read a cut game again; the legal moves must follow."""
    model = dataclasses.replace(config.model, board_input=board_input)
    validation = load_validation(store, config.data, model=model, plies=10_000, legal=True)
    assert validation.legal is not None
    legal = np.unpackbits(validation.legal, axis=-1)
    assert legal.shape[:2] == validation.rows.targets.shape
    assert np.take_along_axis(legal, validation.rows.targets[..., None], axis=-1).all()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_line(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(store.path), "--out", str(tmp_path / "run"), "--preset", "smoke", "--steps", "1", "--device", "cuda"]) == 2
    error = capsys.readouterr().err
    assert "expected a GPU for --device cuda" in error
    assert error.count("\n") == 1
