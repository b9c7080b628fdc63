"""The figures of docs/transcendence*.md, as PNG in the results' folder: verdicts, temperature, noise, rating caps, gains.

Knows matplotlib and ``docs.build.transcendence_evidence.Evidence``. Draws only what has been run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from docs.build.transcendence_evidence import EXPECTED, Evidence, Experiment, curve_of, games_of_experts, read_json
from match.studies import advantage

_COLOURS = {"transcends": "C2", "does not transcend": "C3", "undecided": "C7"}
_ARMS = {
    "net": "as the engine plays",
    "net-votes": "by its votes alone",
    "blind": "blind, as the engine plays",
    "blind-votes": "blind, by its votes",
}
"""Names of the arms. Squares are blind nets; hollow marks, below the line of the others, are votes alone."""


def draw(evidence: Evidence) -> list[Path]:
    """Make all figures for which there are results; returns their paths."""
    folder = evidence.folder / "figures"
    makers: dict[str, Callable[[Evidence], Figure | None]] = {
        "verdicts": _verdicts,
        "temperature": _temperature,
        "noise": _noise,
        "caps": _caps,
    }
    made: list[Path] = []
    for name, make in makers.items():
        figure = make(evidence)
        if figure is not None:
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(folder / f"{name}.png", metadata={"Software": None})  # the same picture whatever the version
            made.append(folder / f"{name}.png")
    for path in sorted(evidence.folder.glob("*/*/advantage.json")):
        picture = path.with_suffix(".png")
        picture.write_bytes(advantage.figure(advantage.from_json(read_json(path))))
        made.append(picture)
    return made


def _axes(width: float = 8.0, height: float = 4.4) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    return figure, figure.subplots()


def _verdicts(evidence: Evidence) -> Figure | None:
    """Net - best expert with its interval, a line for each population that theory speaks of."""
    measured = [e for e in evidence.experiments() if e.population in EXPECTED and e.seed == 1 and e.values["elo"] is not None]
    if not measured:
        return None
    populations = list(dict.fromkeys(e.population for e in measured))
    figure, axes = _axes(height=1.5 + 0.45 * len(populations))
    for e in measured:
        low, high = _bounds(e)
        colour = _COLOURS[e.values["verdict"]]
        place = populations.index(e.population) + (0.13 if e.arm.endswith("-votes") else -0.13)
        axes.plot([low, high], [place, place], "-", color=colour, linewidth=2)
        axes.plot(e.values["elo"], place, **_mark(e.arm, colour))
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set_yticks(range(len(populations)), [name.replace("-", " ") for name in populations])
    axes.set_ylim(len(populations) - 0.4, -0.6)
    axes.set(xlabel="net at temperature 0.001 minus its best expert, head to head (Elo, 95 %)")
    shown = [arm for arm in _ARMS if arm in {e.arm for e in measured}]
    keys = [Line2D([], [], linestyle="", **_mark(arm, "0.3")) for arm in shown]
    figure.legend(keys, [_ARMS[arm] for arm in shown], fontsize=8, loc="outside lower center", ncols=4)
    axes.grid(axis="x", alpha=0.3)
    return figure


def _mark(arm: str, colour: str) -> dict[str, Any]:
    filling = "white" if arm.endswith("-votes") else colour
    return {"marker": "s" if arm.startswith("blind") else "o", "color": colour, "markerfacecolor": filling}


def _bounds(e: Experiment) -> tuple[float, float]:
    elo, low, high = (e.values[key] for key in ("elo", "low", "high"))
    return elo - 400 if low is None else low, elo + 400 if high is None else high


def _temperature(evidence: Evidence) -> Figure | None:
    """Rating minus the best expert's by temperature, a line a net of the populations that theory speaks of."""
    measured = [e for e in evidence.experiments() if e.curve and e.best and e.best["elo"] is not None]
    measured = [e for e in measured if e.population in EXPECTED and e.seed == 1]
    if not measured:
        return None
    figure, axes = _axes()
    steps = sorted({t for e in measured for t, _ in e.curve})
    for i, e in enumerate(measured):
        base = e.best["elo"] if e.best else 0.0
        _band(axes, [(steps.index(t), r) for t, r in e.curve], base=base, colour=f"C{i % 10}", label=_label(e))
    axes.axhline(0, color="0.3", linewidth=0.8)
    axes.set_xticks(range(len(steps)), [f"{t:g}" for t in steps])
    axes.set(xlabel="temperature", ylabel="Elo above the best expert, 95 % band")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return figure


def _band(axes: Any, points: Sequence[tuple[int, dict[str, Any]]], *, base: float, colour: str, label: str) -> None:
    x = [place for place, _ in points]
    elo = [r["elo"] - base for _, r in points]
    low = [max((-math.inf if r["low"] is None else r["low"]) - base, y - 400) for (_, r), y in zip(points, elo, strict=True)]
    high = [min((math.inf if r["high"] is None else r["high"]) - base, y + 400) for (_, r), y in zip(points, elo, strict=True)]
    axes.plot(x, elo, "o-", color=colour, label=label)
    axes.fill_between(x, low, high, color=colour, alpha=0.15)


def _noise(evidence: Evidence) -> Figure | None:
    """Where transcendence begins: a line for each arm and number of games."""
    found = [(shares, e) for shares, e in evidence.slope() if e.seed == 1 and e.values["elo"] is not None]
    if not found:
        return None
    figure, axes = _axes()
    lines = sorted({(e.arm, games_of_experts(e)) for _, e in found}, reverse=True)
    for i, (arm, games) in enumerate(lines):
        points = [(shares, e) for shares, e in found if (e.arm, games_of_experts(e)) == (arm, games)]
        bounds = [_bounds(e) for _, e in points]
        elo = [e.values["elo"] for _, e in points]
        errors = [
            [y - low for y, (low, _) in zip(elo, bounds, strict=True)],
            [high - y for y, (_, high) in zip(elo, bounds, strict=True)],
        ]
        noise = [50 * (low + high) for (low, high), _ in points]
        spread = [50 * (high - low) for (low, high), _ in points]
        names = {e.population for _, e in points}
        label = f"{points[0][1].name if len(names) == 1 else arm}, {games:,} games of the experts"
        axes.errorbar(noise, elo, errors, spread, fmt="s-" if arm == "blind" else "o-", color=f"C{i}", capsize=3, label=label)
    axes.axhline(0, color="0.3", linewidth=0.8)
    axes.set(xlabel="random moves of the experts, % (bars: least to greatest)", ylabel="net − best expert (Elo, bars: 95 %)")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return figure


def _label(e: Experiment) -> str:
    """For a reader who does not know the folders."""
    return e.population.replace("-", " ") + (", blind" if e.arm == "blind" else "")


def _caps(evidence: Evidence) -> Figure | None:
    """The human arm: rating by temperature for each cap, by our protocol."""
    caps = evidence.caps("ours")
    curves = {v["notes"]["cap"]: curve_of(v["ratings"], f"cap {v['notes']['cap']}") for v in caps}
    steps = sorted({t for curve in curves.values() for t, _ in curve})
    if not steps:
        return None
    figure, axes = _axes()
    for i, (cap, curve) in enumerate(curves.items()):
        _band(axes, [(steps.index(t), r) for t, r in curve], base=0.0, colour=f"C{i}", label=f"cap {cap}")
    axes.set_xticks(range(len(steps)), [f"{t:g}" for t in steps])
    axes.set(xlabel="temperature", ylabel="rating on Stockfish's scale (band: 95 %)")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return figure
