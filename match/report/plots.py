"""Plots of a match as PNG bytes: rating against temperature and evaluations a move, score by level, game length.

Knows matplotlib and how players' names tell a level. Does not know files or HTML.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from match.play.game import Played
from match.report.tables import cross_scores
from match.statistics.ratings import Rating
from match.statistics.scores import evaluations_of, temperature_of

_LEVEL = re.compile(r"Stockfish level (\d+)\b")
_MOST_LINES = 14  # of players without a temperature: more cannot be told apart
_LABEL_SHARE = 0.032  # of the picture's height, for a name
_COLOURS = 10
"""Of matplotlib's cycle, C0 to C9."""


def plots(games: Sequence[Played], ratings: Sequence[Rating]) -> dict[str, bytes]:
    """PNG by name; those for which the match has nothing to show are left out."""
    made = {
        "rating-by-temperature": _rating_by_temperature(ratings),
        "rating-by-evaluations": _rating_by_evaluations(ratings),
        "score-by-level": _score_by_level(games),
        "game-length": _game_length(games),
    }
    return {name: png for name, png in made.items() if png is not None}


def _axes(width: float = 7.5, height: float = 4.5) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    return figure, figure.subplots()


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": f"matplotlib {matplotlib.__version__}"})
    return buffer.getvalue()


def _rating_by_temperature(ratings: Sequence[Rating]) -> bytes | None:
    by_net: dict[str, list[tuple[float, Rating]]] = {}
    for r in ratings:
        name_and_temperature = temperature_of(r.name)
        if name_and_temperature and not math.isnan(r.elo):
            by_net.setdefault(name_and_temperature[0], []).append((name_and_temperature[1], r))
    if not by_net:
        return None
    figure, axes = _axes()
    positions = _positions({t for points in by_net.values() for t, _ in points})
    for i, (name, points) in enumerate(sorted(by_net.items())):
        colour = f"C{i % _COLOURS}"
        points.sort(key=lambda point: point[0])
        x, elo = [positions[t] for t, _ in points], np.array([r.elo for _, r in points])
        low, high = np.array([r.low for _, r in points]), np.array([r.high for _, r in points])
        axes.plot(x, elo, "-", color=colour, label=name)
        for place, (_, r) in zip(x, points, strict=True):
            marker = "v" if r.high == r.elo else "^" if r.low == r.elo else "o"  # an arrow: the rating is beyond this bound
            axes.plot(place, r.elo, marker, color=colour)
        axes.fill_between(x, np.maximum(low, elo - 400), np.minimum(high, elo + 400), color=colour, alpha=0.2)
    _reference_lines(axes, ratings)
    axes.set_xticks(list(positions.values()), [f"{t:g}" for t in positions])
    axes.set(xlabel="temperature", ylabel="rating (Elo), band: 95 % interval", title="Rating by temperature")
    axes.legend(loc="best", fontsize=8)
    axes.grid(alpha=0.3)
    return _png(figure)


def _rating_by_evaluations(ratings: Sequence[Rating]) -> bytes | None:
    """Of nets that played with different numbers of evaluations a move."""
    by_net: dict[str, list[tuple[int, Rating]]] = {}
    for r in ratings:
        if (name_and_nodes := evaluations_of(r.name)) and math.isfinite(r.elo):
            by_net.setdefault(name_and_nodes[0], []).append((name_and_nodes[1], r))
    by_net = {name: points for name, points in by_net.items() if len(points) > 1}
    if not by_net:
        return None
    figure, axes = _axes()
    for i, (name, points) in enumerate(sorted(by_net.items())):
        colour = f"C{i % _COLOURS}"
        points.sort(key=lambda point: point[0])
        elo = [r.elo for _, r in points]
        axes.plot([n for n, _ in points], elo, "o-", color=colour, label=name)
        low, high = [max(r.low, r.elo - 400) for _, r in points], [min(r.high, r.elo + 400) for _, r in points]
        axes.fill_between([n for n, _ in points], low, high, color=colour, alpha=0.2)
    _reference_lines(axes, ratings)
    axes.set_xscale("log", base=2)
    asked = sorted({n for points in by_net.values() for n, _ in points})
    axes.set_xticks(asked, [str(n) for n in asked])
    axes.set(xlabel="evaluations a move", ylabel="rating (Elo), band: 95 % interval", title="Rating by evaluations")
    axes.legend(loc="best", fontsize=8)
    axes.grid(alpha=0.3)
    return _png(figure)


def _positions(temperatures: set[float]) -> dict[float, int]:
    """Evenly spaced: the paper's temperatures span three powers of ten, and most of what happens is in the last."""
    return {t: i for i, t in enumerate(sorted(temperatures))}


def _reference_lines(axes: Any, ratings: Sequence[Rating]) -> None:
    """Other players as dashed lines, named at the right edge, those within the picture's range first."""
    low, high = axes.get_ylim()
    others = [r for r in ratings if temperature_of(r.name) is None and math.isfinite(r.elo)]
    near = [r for r in others if low - 400 < r.elo < high + 400] or others
    shown = sorted(near[:_MOST_LINES], key=lambda r: r.elo)
    for r in shown:
        axes.axhline(r.elo, linestyle="--", linewidth=0.8, color="0.5", zorder=0)
    low, high = axes.get_ylim()
    height = low
    for r in shown:
        height = max(r.elo, height + (high - low) * _LABEL_SHARE)  # labels of equal ratings would hide each other
        axes.annotate(
            r.name,
            (1.0, height),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=7,
            va="center",
            annotation_clip=False,
        )


def _score_by_level(games: Sequence[Played]) -> bytes | None:
    results = cross_scores([game.score() for game in games])
    by_player: dict[str, list[tuple[int, float, float]]] = {}
    for (name, other), counter in results.items():
        level = _LEVEL.match(other)
        if level and not _LEVEL.match(name):
            n = sum(counter.values())
            share = (counter[1.0] + counter[0.5] / 2) / n
            variance = sum(c * (points - share) ** 2 for points, c in counter.items()) / n
            by_player.setdefault(name, []).append((int(level[1]), share, 1.96 * math.sqrt(variance / n)))
    if not by_player:
        return None
    figure, axes = _axes()
    for i, (name, points) in enumerate(sorted(by_player.items())):
        points.sort()
        x = [level + (i - len(by_player) / 2) * 0.04 for level, _, _ in points]
        axes.errorbar(x, [100 * p for _, p, _ in points], [100 * e for _, _, e in points], fmt="o-", capsize=2, label=name)
    axes.axhline(50, color="0.5", linewidth=0.8)
    axes.set(xlabel="Stockfish Skill Level", ylabel="score (%), bars: 95 %", title="Score by level", ylim=(-3, 103))
    axes.set_xticks(sorted({level for points in by_player.values() for level, _, _ in points}))
    axes.legend(loc="best", fontsize=8)
    axes.grid(alpha=0.3)
    return _png(figure)


def _game_length(games: Sequence[Played]) -> bytes | None:
    if not games:
        return None
    lengths: Mapping[str, list[float]] = {
        "decisive": [game.plies / 2 for game in games if game.result != "1/2-1/2"],
        "drawn": [game.plies / 2 for game in games if game.result == "1/2-1/2"],
    }
    figure, axes = _axes(height=3.5)
    edges = np.linspace(0, max(max(values, default=1) for values in lengths.values()) + 1, 40)
    axes.hist(list(lengths.values()), bins=edges, stacked=True, label=[f"{name} ({len(v)})" for name, v in lengths.items()])
    axes.set(xlabel="moves", ylabel="games", title="Length of the games")
    axes.legend(fontsize=8)
    return _png(figure)
