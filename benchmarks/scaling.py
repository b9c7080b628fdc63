"""How the loss falls with the size of a net and the plies that it reads: runs of several of both, a fit, a forecast.

    python -m benchmarks.scaling STORE [--widths 128 192 320] [--steps 150 300 600] [--runs DIR] [--ratings FILE] [--out FILE]

``recipes/scaling.sh`` trains, lets the nets play for ratings, and makes docs/results/training/scaling.txt.

Every width trains for every number of steps, each run with its own whole schedule, as a run that is cut short has not
cooled down. The fit is L = E + A / N^a + B / D^b (Hoffmann et al., "Training Compute-Optimal Large Language Models", 2022),
with N the weights that are multiplied and D the plies read. Its spread is that of the fits that leave one run out each, which
tells what hangs on a single run and nothing about other nets, games or far larger sizes. If ratings of the runs' nets are
given, a line through rating and loss forecasts ratings too. Knows runs, fits and forecasts; how a run is started is
``benchmarks.choices``'s.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.choices import REFERENCE, changes, run_all
from benchmarks.measuring import heading, keep, run
from engine.files import write_text
from training.config import Config, load_preset
from training.net.model import flops_per_ply
from training.run import metrics_file

_HEAD_WIDTH = 64
_EXPONENTS = np.linspace(0.05, 1.2, 47)
"""Tried for a and b; for each pair the other three follow by least squares."""
GPU_FLOPS = 0.3 * 989e12
"""A second: 30 % of an H100's dense bfloat16 peak. An assumption, for no run of ours on a GPU has been measured."""
FORECASTS = (
    ("the preset laptop, 36.5 million plies", 4, 320, 3.65e7),
    ("the preset laptop, 90 million plies", 4, 320, 9e7),
    ("the preset laptop, a Lichess month", 4, 320, 7e9),
    ("12 x 512, a Lichess month", 12, 512, 7e9),
    ("16 x 1024, a Lichess month", 16, 1024, 7e9),
)
"""Forecasts: name, layers, width, plies. A month of rated games has some 90 million games and 7 billion plies."""


@dataclass(frozen=True)
class Trial:
    """One finished run."""

    weights: float
    """That are multiplied for a ply."""
    plies: float
    loss: float
    """Nats a move, held out."""
    rating: float | None = None
    """Elo, if its net has played."""
    error: float = 0.0
    """95 % of it, half the interval."""


@dataclass(frozen=True)
class Fit:
    """L = floor + size / N^a + reading / D^b."""

    floor: float
    size: float
    a: float
    reading: float
    b: float

    def loss(self, weights: float, plies: float) -> float:
        """Nats a move."""
        return float(self.floor + self.size / weights**self.a + self.reading / plies**self.b)


def multiplied(config: Config) -> float:
    """Weights that are multiplied for a ply: the model FLOPs over 6."""
    return flops_per_ply(config.model) / 6


def fitted(trials: Sequence[Trial]) -> Fit:
    """The fit with the least squares among exponents of a grid, floor and both weights at least 0. Raises ValueError for
    fewer than five runs, which any curve of five numbers meets."""
    if len(trials) < 5:
        raise ValueError(f"expected five runs or more, got {len(trials)}")
    weights, plies, losses = (np.array(column) for column in zip(*((t.weights, t.plies, t.loss) for t in trials), strict=True))
    best, best_error = None, np.inf
    for a, b in itertools.product(_EXPONENTS, _EXPONENTS):
        columns = np.stack([np.ones_like(losses), weights**-a, plies**-b], axis=1)
        values, error = _least_squares(columns, losses)
        if error < best_error:
            best, best_error = Fit(float(values[0]), float(values[1]), float(a), float(values[2]), float(b)), error
    assert best is not None
    return best


def _least_squares(columns: NDArray[np.float64], losses: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Values of at least 0 for the columns, and the sum of squares that is left: the best over all sets of columns that are
    used at all, which are eight at most."""
    best, best_error = np.zeros(columns.shape[1]), float(np.sum(losses**2))
    for used in itertools.product((False, True), repeat=columns.shape[1]):
        if not any(used):
            continue
        values = np.zeros(columns.shape[1])
        values[list(used)] = np.linalg.lstsq(columns[:, list(used)], losses, rcond=None)[0]
        error = float(np.sum((columns @ values - losses) ** 2))
        if (values >= 0).all() and error < best_error:
            best, best_error = values, error
    return best, best_error


FEWEST = 6
"""Runs: a fit takes five, and each is left out once."""


def without_each(trials: Sequence[Trial]) -> list[Fit]:
    """The fits that leave one run out each."""
    return [fitted([*trials[:i], *trials[i + 1 :]]) for i in range(len(trials))]


@dataclass(frozen=True)
class Line:
    """rating = at + slope * (loss - mean)."""

    at: float
    slope: float
    mean: float
    scatter: float
    """Standard deviation of the ratings about the line, Elo."""

    def rating(self, loss: float) -> float:
        """Elo."""
        return self.at + self.slope * (loss - self.mean)


def rated_line(trials: Sequence[Trial]) -> Line | None:
    """The line of least squares through rating and loss, or None where fewer than three runs have ratings."""
    rated = [(t.loss, t.rating) for t in trials if t.rating is not None]
    if len(rated) < 3:
        return None
    losses, ratings = np.array(rated).T
    mean = float(losses.mean())
    slope, at = np.polyfit(losses - mean, ratings, 1)
    off = ratings - (at + slope * (losses - mean))
    return Line(float(at), float(slope), mean, float(np.sqrt((off**2).sum() / (len(rated) - 2))))


def report(trials: Sequence[Trial], forecasts: Sequence[tuple[str, int, int, float]] = FORECASTS) -> str:
    """Runs beside the fit, its numbers, and forecasts with the range over the fits that leave one run out."""
    fit, others, line = fitted(trials), without_each(trials), rated_line(trials)
    lines = ["weights, M  plies, M    loss     fit    off" + "  rating (95 %)" * (line is not None)]
    for t in trials:
        foretold = fit.loss(t.weights, t.plies)
        row = f"{t.weights / 1e6:10.2f}  {t.plies / 1e6:8.2f}  {t.loss:.4f}  {foretold:.4f}  {foretold - t.loss:+.3f}"
        lines.append(row if t.rating is None else f"{row}  {t.rating:6.0f} +- {t.error:.0f}")
    lines += [
        "",
        f"loss = {fit.floor:.3f} + {fit.size:.4g} / weights^{fit.a:.3f} + {fit.reading:.4g} / plies^{fit.b:.3f}",
        f"without one run each: floor {_range(o.floor for o in others)}, exponents {_range(o.a for o in others)} "
        f"and {_range(o.b for o in others)}",
    ]
    if line is not None:
        per_tenth = f"{-line.slope / 10:.0f} for each 0.1 nats below {line.mean:.3f}"
        lines.append(f"rating = {line.at:.0f} + {per_tenth}, scatter {line.scatter:.0f}")
    lines += ["", f"forecast (range without one run each); hours at {GPU_FLOPS / 1e12:.0f} TFLOP/s, which is assumed"]
    return "\n".join([*lines, *_forecast_table(fit, others, line, forecasts)]) + "\n"


def _forecast_table(
    fit: Fit, others: Sequence[Fit], line: Line | None, forecasts: Sequence[tuple[str, int, int, float]]
) -> list[str]:
    heads = ["loss", "range", *(["rating", "range"] if line else []), "weights, M", "EFLOP", "hours, 1 GPU", "8 GPUs", "net"]
    rows = [heads]
    for name, layers, width, plies in forecasts:
        weights = multiplied(_config(width, layers=layers))
        loss, losses = fit.loss(weights, plies), [o.loss(weights, plies) for o in others]
        cells = [f"{loss:.3f}", _range(losses)]
        if line is not None:
            ratings = [line.rating(other) for other in losses]
            cells += [f"{line.rating(loss):.0f}", f"{min(ratings):.0f} to {max(ratings):.0f}"]
        flop = 6 * weights * plies
        hours = flop / GPU_FLOPS / 3600
        rows.append([*cells, f"{weights / 1e6:.1f}", f"{flop / 1e18:.3f}", f"{hours:.2f}", f"{hours / 8:.2f}", name])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return ["  ".join([*(cell.rjust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]) for row in rows]


def _range(values: Iterable[float]) -> str:
    numbers = list(values)
    return f"{min(numbers):.3f} to {max(numbers):.3f}"


def _config(width: int, *, layers: int = 4, steps: int = 1) -> Config:
    return load_preset("laptop", _changes(width, layers=layers, steps=steps))


def _changes(width: int, *, layers: int = 4, steps: int) -> list[str]:
    return [*changes(REFERENCE, steps), f"model.layers={layers}", f"model.width={width}", f"model.heads={width // _HEAD_WIDTH}"]


def finished(run: Path, config: Config, rating: tuple[float, float] | None = None) -> Trial:
    """What a run came to, with the rating of its net and the half of its interval."""
    last = [line for line in metrics_file.read(run) if line["kind"] == "validation"][-1]
    elo, error = rating or (None, 0.0)
    return Trial(multiplied(config), float(last["plies"]), float(last["validation_move_nll"]), elo, error)


def ratings_of(file: Path | None) -> dict[str, tuple[float, float]]:
    """Rating and half of the 95 % interval of WIDTH-STEPS, from what ``bin/match curve --json`` wrote of nets named
    "WIDTH-STEPS T=0.001". Empty without a file."""
    if file is None:
        return {}
    rated = json.loads(file.read_text(encoding="utf-8"))["ratings"]
    bounded = (r for r in rated if not r["anchored"] and None not in (r["elo"], r["low"], r["high"]))
    return {r["name"].split(" T=")[0]: (r["elo"], (r["high"] - r["low"]) / 2) for r in bounded}


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(description="How the loss falls with size and reading.")
    options.add_argument("store", type=Path)
    options.add_argument(
        "--widths", type=int, nargs="+", default=[128, 192, 320], help="of nets of four blocks, multiples of 64"
    )
    options.add_argument("--steps", type=int, nargs="+", default=[150, 300, 600], help="of 8,192 plies")
    options.add_argument("--runs", type=Path, default=Path("runs/scaling"))
    options.add_argument("--at-once", type=int, default=2, help="runs side by side, a thread each")
    options.add_argument("--ratings", type=Path, metavar="FILE", help="ratings of the runs' nets, by bin/match curve --json")
    options.add_argument("--json", type=Path, help="also write the runs' figures here")
    options.add_argument("--out", type=Path, help="also write the table here")
    return options


def main() -> None:
    """Train what is missing, fit, print, and write where told."""
    options = parser()
    arguments = options.parse_args()
    grid = list(itertools.product(arguments.steps, arguments.widths))
    if len(grid) < FEWEST:
        options.error(f"expected {FEWEST} runs or more, widths times steps, to fit a law to, got {len(grid)}")
    jobs = [(f"{width}-{steps}", _changes(width, steps=steps), steps, 1) for steps, width in grid]
    run_all(arguments.store, arguments.runs, jobs, at_once=arguments.at_once)
    ratings = ratings_of(arguments.ratings)
    names = [(width, f"{width}-{steps}") for steps, width in grid]
    trials = [finished(arguments.runs / f"{name}-seed1", _config(width), ratings.get(name)) for width, name in names]
    keep(f"{heading()}\n\n{report(trials)}", arguments.out)
    if arguments.json:
        write_text(arguments.json, json.dumps([vars(t) for t in trials], indent=1) + "\n")


if __name__ == "__main__":
    run(main)
