"""A trained run judged on held-out games, by the mover's rating and by the phase of the game: ``bin/evaluate``.

Knows groups of plies and tables. Does not know how a ply is judged (``training.run.validation``).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.command_line import run_command
from engine.encoding import men_on
from engine.files import write_text
from training.batches.rows import Rows
from training.data.store import open_store
from training.run.checkpoint import load_net
from training.run.validation import Losses, judge, load_validation, metrics_of

_BAND_POINTS = 200
_OPENING_PIECES, _ENDGAME_PIECES = 26, 12  # men on the board, kings and pawns too: at least, at most
_COLUMNS = ("plies", "top1", "top3", "move_nll", "legal_nll", "wdl_nll", "legal_top1")


def parser() -> argparse.ArgumentParser:
    """The options of ``bin/evaluate``."""
    options = argparse.ArgumentParser(prog="evaluate", description="Judge a trained run on held-out games.")
    options.add_argument("run", type=Path, help="the run's folder, made by bin/train")
    options.add_argument("store", type=Path, help="token store; its validation split is read")
    options.add_argument("--plies", type=int, default=100_000, help="how much of it (default: %(default)s)")
    options.add_argument("--hide-ratings", action="store_true", help="as if all players were unrated")
    options.add_argument("--out", type=Path, help="also write the figures as JSON")
    return options


def main(argv: list[str] | None = None) -> int:
    """Judge and print; returns the exit status."""
    arguments = parser().parse_args(argv)
    return run_command("evaluate", lambda: _evaluate(arguments))


def _evaluate(arguments: argparse.Namespace) -> None:
    net, config = load_net(arguments.run)
    store = open_store(arguments.store)
    validation = load_validation(store, config.data, model=config.model, plies=arguments.plies, legal=True)
    bands = _band_of(validation.rows)
    if arguments.hide_ratings:
        validation.rows.ratings[:] = 0
    figures = figures_of(judge(net.eval(), validation), bands, _men(validation.rows, config.model.board_input))
    print(as_text(figures))
    if arguments.out:
        head = {"run": arguments.run.name, "store": store.fingerprint(), "ratings hidden": arguments.hide_ratings}
        write_text(arguments.out, json.dumps(head | figures, indent=1) + "\n")


def figures_of(judged: Losses, bands: NDArray[np.int64], men: NDArray[np.int64] | None) -> dict[str, Any]:
    """Metrics of all plies, of each rating band and phase, and how often what the net expected came true."""
    figures: dict[str, Any] = {"all": dataclasses.asdict(metrics_of(judged))}
    for name, chosen in (*_bands(bands), *(_phases(men) if men is not None else ())):
        if chosen.any():
            figures[name] = dataclasses.asdict(metrics_of(judged, chosen))
    return figures | {"calibration": calibration(judged)}


def calibration(judged: Losses, bins: int = 10) -> list[dict[str, float]]:
    """Expected score of the mover (win + draw / 2) in equal bins, against the score that was made."""
    known = np.isfinite(judged["result"])
    expected = (judged["win"] + judged["draw"] / 2)[known]
    made = 1 - judged["result"][known] / 2
    place = np.minimum((expected * bins).astype(np.int64), bins - 1)
    return [
        {"plies": int(here.sum()), "expected": float(expected[here].mean()), "made": float(made[here].mean())}
        for here in (place == b for b in range(bins))
        if here.any()
    ]


def _band_of(rows: Rows) -> NDArray[np.int64]:
    """(P,) lower end of the mover's rating band, 0 unknown; from the input's buckets of a hundred points."""
    bucket = rows.ratings[..., 0].ravel().astype(np.int64)
    return np.where(bucket > 0, (bucket + 4) * 100 // _BAND_POINTS * _BAND_POINTS, 0)


def _bands(bands: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for low in np.unique(bands):
        yield f"rated {low}-{low + _BAND_POINTS - 1}" if low else "unrated", bands == low


def _men(rows: Rows, board_input: str) -> NDArray[np.int64] | None:
    """(P,) men on the board; None for a blind net, whose rows hold no boards."""
    return None if board_input == "none" else men_on(rows.board.reshape(-1, 64), board_input)


def _phases(men: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    yield f"opening, {_OPENING_PIECES} men or more", men >= _OPENING_PIECES
    yield "middlegame", (men < _OPENING_PIECES) & (men > _ENDGAME_PIECES)
    yield f"endgame, {_ENDGAME_PIECES} men or fewer", men <= _ENDGAME_PIECES


def as_text(figures: dict[str, Any]) -> str:
    """Two tables in Markdown."""
    lines = [
        "| plies of | number | top-1 | top-3 | move loss | legal moves only | result loss | strict legality |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, values in figures.items():
        if name != "calibration":
            lines.append(f"| {name} | {' | '.join(_cell(column, values[column]) for column in _COLUMNS)} |")
    lines += ["", "| expected score | score made | plies |", "| --- | --- | --- |"]
    lines += [f"| {row['expected']:.3f} | {row['made']:.3f} | {row['plies']:,} |" for row in figures["calibration"]]
    return "\n".join(lines)


def _cell(column: str, value: float | None) -> str:
    if value is None:
        return ""
    if column == "plies":
        return f"{value:,}"
    return f"{value:.4f}" if column.endswith("nll") else f"{value:.1%}" if column != "legal_top1" else f"{value:.2%}"


if __name__ == "__main__":
    sys.exit(main())
