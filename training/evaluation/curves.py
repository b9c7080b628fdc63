"""Several runs beside each other: a table of their last validations and a figure of their curves: ``bin/curves``.

Knows metrics.jsonl and how seeds of one setting are named. Does not know torch, nets or data sets.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.command_line import run_command
from engine.errors import DataError
from engine.figures import new_figure, save_figure
from training.run import metrics_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SEED = re.compile(r"-seed\d+$")
_SMOOTH = 25  # windows a training curve is averaged in: few enough to see the trend through the noise of steps


@dataclass(frozen=True)
class RunSetting:
    """Runs that differ in nothing but their seed."""

    name: str
    runs: list[list[metrics_file.Record]]
    """The lines of each run."""

    def last(self, key: str) -> NDArray[np.float64]:
        """A figure of each run's last validation; NaN where it has none, as a blind net has of legality."""
        lines = [_of_kind(run, "validation")[-1] for run in self.runs]
        return np.array([np.nan if line.get(key) is None else line[key] for line in lines], np.float64)


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/curves``."""
    options = argparse.ArgumentParser(
        prog="curves", description="Compare training runs; NAME-seed1, NAME-seed2 … are one line."
    )
    options.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder, made by bin/train")
    options.add_argument("--figure", type=Path, help="a .png or .svg of the losses (needs matplotlib)")
    options.add_argument("--out", type=Path, help="also write the table here")
    return options


def main(argv: list[str] | None = None) -> int:
    """Compare and print; returns the exit status."""
    arguments = parser().parse_args(argv)
    return run_command("curves", lambda: _compare(arguments))


def _compare(arguments: argparse.Namespace) -> None:
    text = curves_table(settings := read(arguments.runs))
    print(text)
    if arguments.out:
        _write(arguments.out, text + "\n")
    if arguments.figure:
        draw(settings, arguments.figure)


def read(folders: Sequence[Path]) -> list[RunSetting]:
    """The settings of some runs, best first. Raises DataError for a folder without metrics or without a validation."""
    found: dict[Path, list[list[metrics_file.Record]]] = {}
    for folder in dict.fromkeys(path.resolve() for path in folders):
        lines = metrics_file.read(folder)
        if not _of_kind(lines, "validation"):
            raise DataError(
                f"expected a validation line in {folder / metrics_file.METRICS}: the run has not come to its first yet"
            )
        found.setdefault(folder.with_name(_SEED.sub("", folder.name)), []).append(lines)
    names = [path.name for path in found]
    settings = [
        RunSetting(path.name if names.count(path.name) == 1 else f"{path.parent.name}/{path.name}", runs)
        for path, runs in found.items()
    ]
    return sorted(settings, key=lambda setting: setting.last("validation_move_nll").mean())


def _of_kind(lines: list[metrics_file.Record], kind: str) -> list[metrics_file.Record]:
    return [line for line in lines if line["kind"] == kind]


def curves_table(settings: Sequence[RunSetting]) -> str:
    """One line a setting, the lowest move loss first: means over seeds, and half the range between them as ±."""
    width = max(len("setting"), *(len(s.name) for s in settings))
    head = f"{'setting':{width}} {'seeds':>5} {'steps':>8} {'plies':>13} {'minutes':>7} {'move loss':>16} {'top-1':>6}"
    lines = [head + f" {'legal only':>10} {'legality':>8} {'result':>7}"]
    lines += [f"{setting.name:{width}} {len(setting.runs):>5} {_figures(setting)}" for setting in settings]
    lines.append("Last validation of each run, losses in nats, means over seeds; ± is half the range between them.")
    return "\n".join(lines)


def _figures(setting: RunSetting) -> str:
    steps, plies, minutes = (setting.last(key).mean() for key in ("step", "plies", "minutes"))
    loss = setting.last("validation_move_nll")
    spread = f"± {np.ptp(loss) / 2:.4f}" if len(loss) > 1 else ""
    of = {key: setting.last(f"validation_{key}").mean() for key in ("top1", "legal_nll", "legal_top1", "wdl_nll")}
    return (
        f"{steps:>8,.0f} {plies:>13,.0f} {minutes:>7.1f} {loss.mean():>7.4f} {spread:8} {of['top1']:>6.1%} "
        f"{_or_dash(of['legal_nll'], '.4f'):>10} {_or_dash(of['legal_top1'], '.2%'):>8} {of['wdl_nll']:>7.4f}"
    )


def _or_dash(value: float, form: str) -> str:
    return "-" if np.isnan(value) else format(value, form)


def draw(settings: Sequence[RunSetting], path: Path) -> None:
    """Losses against plies and against minutes. Raises ConfigError without matplotlib, or when it cannot be written."""
    figure = new_figure(figsize=(11, 5), layout="constrained")
    for axes, key in zip(figure.subplots(1, 2, sharey=True), ("plies", "minutes"), strict=True):
        axes.set(xscale="log", xlabel=key)
        for i, setting in enumerate(settings):
            _draw_setting(axes, setting, key=key, style={"color": f"C{i % 10}", "linestyle": ("-", "--", ":")[i // 10 % 3]})
    first = figure.axes[0]
    first.set(ylabel="move loss, nats (points: validation; faint: training)")
    figure.legend(*first.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=4)
    save_figure(figure, path, dpi=150)


def _draw_setting(axes: Axes, setting: RunSetting, *, key: str, style: dict[str, Any]) -> None:
    for seed, run in enumerate(setting.runs):
        label: dict[str, Any] = {} if seed else {"label": setting.name}  # one line in the legend, whatever the seeds
        axes.plot(*_curve(run, "validation", key, "validation_move_nll"), marker="o", markersize=3, **style, **label)
        axes.plot(*(_smoothed(x) for x in _curve(run, "train", key, "move_nll")), alpha=0.3, **style)


def _curve(run: list[metrics_file.Record], kind: str, x: str, y: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both coordinates of a curve's points. Minutes are rounded: a first step at 0 has no place on a logarithmic axis."""
    lines = [line for line in _of_kind(run, kind) if line[x] > 0]
    return np.array([line[x] for line in lines], np.float64), np.array([line[y] for line in lines], np.float64)


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of ``_SMOOTH`` windows of equal length; the values themselves where there are fewer."""
    windows = np.array_split(values, min(_SMOOTH, max(1, len(values))))
    return np.array([w.mean() for w in windows if len(w)], np.float64)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"could not write the table {path}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
