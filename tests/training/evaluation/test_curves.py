"""Runs beside each other: seeds become one line, the best setting comes first, and what is missing is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.evaluation import curves
from training.run import metrics_file


def make_run(folder: Path, loss: float, *, steps: int = 40, legal: float | None = 0.99) -> Path:
    """A made-up run whose loss falls to ``loss``."""
    folder.mkdir(parents=True)
    for step in range(1, steps + 1):
        where = {"step": step, "plies": 100 * step, "minutes": round(step / 100 - 0.01, 3)}
        metrics_file.append(folder, {"kind": "train", **where, "move_nll": loss + 4 / step})
        if step % 10 == 0:
            figures = {"move_nll": loss + 3 / step - 3 / steps, "top1": 0.25, "legal_nll": legal and loss / 2}
            figures |= {"legal_top1": legal, "wdl_nll": 0.9}
            metrics_file.append(folder, {"kind": "validation", **where, **{f"validation_{k}": v for k, v in figures.items()}})
    return folder


def test_seeds_of_a_setting_are_one_line_and_the_best_comes_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [make_run(tmp_path / "blind-seed1", 4.0, legal=None), make_run(tmp_path / "sum", 3.5)]
    runs += [make_run(tmp_path / f"attacks-seed{seed}", 3 + seed / 100) for seed in (1, 2, 12)]
    assert curves.main([*map(str, runs), "--out", str(tmp_path / "table.txt")]) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "table.txt").read_text() == printed
    lines = printed.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["attacks", "3"], ["sum", "1"], ["blind", "1"]]
    assert "40         4,000     0.4  3.0500 ± 0.0550  25.0%     1.5250   99.00%  0.9000" in lines[1]
    assert lines[3].split()[-3:] == ["-", "-", "0.9000"]
    assert "±" not in lines[2]


def test_settings_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / place / "base-seed1", 3.0) for place in ("old", "new")]
    assert sorted(setting.name for setting in curves.read([*runs, runs[0] / "."])) == ["new/base", "old/base"]


def test_the_last_line_of_a_step_counts(tmp_path: Path) -> None:
    """A killed run goes on before the place where it died, and may have died in the middle of a line."""
    run = make_run(tmp_path / "run", 3.0)
    again = {"kind": "validation", "step": 40, "plies": 4000, "minutes": 0.5, "validation_move_nll": 2.5}
    metrics_file.append(run, again)
    with (run / metrics_file.METRICS).open("a") as file:
        file.write('{"kind": "vali')
    assert metrics_file.read(run)[-1] == again
    assert len(metrics_file.read(run)) == 44
    later = again | {"step": again["step"] + 1}
    metrics_file.append(run, later)
    assert metrics_file.read(run)[-1] == later, "the line behind one that was cut short is whole"
    assert len(metrics_file.read(run)) == 45
    assert curves.read([run])[0].last("validation_move_nll") == [2.5]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_figure_is_drawn(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    runs = [make_run(tmp_path / "a-seed1", 3.0, steps=30), make_run(tmp_path / "a-seed2", 3.1), make_run(tmp_path / "b", 4.0)]
    assert curves.main([*map(str, runs), "--figure", str(tmp_path / f"curves.{suffix}")]) == 0
    assert (tmp_path / f"curves.{suffix}").stat().st_size > 10_000


def test_what_is_missing_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    young = tmp_path / "young"
    young.mkdir()
    metrics_file.append(young, {"kind": "train", "step": 1})
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / metrics_file.METRICS).write_text(json.dumps(["no", "line"]) + "\n")
    run = make_run(tmp_path / "run", 3.0)
    for arguments, message in [
        ([tmp_path / "nosuch"], "expected a run's metrics at"),
        ([run, young], "has not come to its first yet"),
        ([broken], "expected a run's metrics at"),
        ([run, "--figure", tmp_path / "nosuch" / "x.png"], "could not write the figure"),
        ([run, "--out", tmp_path / "nosuch" / "x.txt"], "could not write the table"),
    ]:
        assert curves.main([str(a) for a in arguments]) == 2
        assert message in capsys.readouterr().err
