"""A net's strength dial at the board: players that check it, and what the check found.

    python -m match.studies.dial NET                                  a population of the net at strengths over its dial's range
    python -m match.studies.dial NET --checked curve.json --out DIR   dial.txt and dial.png of the ratings that these
    players got

Knows the dial and a table of ratings. Does not know how a dial is measured (recipes/dial.sh) or written (``export.dial``).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.command_line import run_command
from engine.dial import Dial, dial_in
from engine.errors import MatchError
from engine.figures import has_matplotlib, new_figure, save_figure
from engine.files import write_text
from match.report.tables import between

CHECKED = 8
"""Strengths that are checked."""


@dataclass(frozen=True)
class Check:
    """A strength that was asked for, and what was played."""

    asked: int
    rating: int
    temperature: float
    elo: float
    low: float
    """Minus infinity where there is no bound: nothing was won."""
    high: float


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(prog="match.studies.dial", description="Check a net's strength dial.")
    options.add_argument("net", type=Path, help="the .onnx file")
    options.add_argument("--checked", type=Path, help="JSON of bin/match curve about the players that this command names")
    options.add_argument("--out", type=Path, help="folder for dial.txt and dial.png")
    return options


def main(argv: list[str] | None = None) -> int:
    """Print the players, or the table; returns the exit status."""
    arguments = parser().parse_args(argv)
    return run_command("match.studies.dial", lambda: _show(arguments.net, arguments.checked, out=arguments.out))


def _show(net: Path, checked: Path | None, *, out: Path | None) -> None:
    """Print the players of a net's dial or, where their ratings are in the folder ``checked``, how well it keeps."""
    dial = dial_in(net)
    if dial is None:
        raise MatchError(f"expected a net with a strength dial, {net.name} has none; run recipes/dial.sh")
    if checked is None:
        print(population(net, dial), end="")
        return
    checks = read_checks(checked, dial)
    text = check_table(checks)
    print(text)
    if out:
        write_text(out / "dial.txt", text + "\n")
        _draw(checks, out / "dial.png")


def strengths(dial: Dial, count: int = CHECKED) -> list[int]:
    """Strengths from one end of the dial to the other, in tens."""
    return sorted({round((dial.low + (dial.high - dial.low) * i / (count - 1)) / 10) * 10 for i in range(count)})


def population(net: Path, dial: Dial) -> str:
    """TOML with a player for each strength."""
    players = (
        f'[[player]]\nname = "{_name(elo, dial)}"\nnet = {json.dumps(str(net), ensure_ascii=False)}\nelo = {elo}\n'
        for elo in strengths(dial)
    )
    return "\n".join(players)


def _name(elo: int, dial: Dial) -> str:
    """With the temperature, as all names of a net's players have it."""
    return f"UCI_Elo {elo} T={dial.at(elo).temperature:.3g}"


def read_checks(path: Path, dial: Dial) -> list[Check]:
    """What was measured for each strength, rising. Raises MatchError."""
    try:
        by_name = {r["name"]: r for r in json.loads(path.read_text(encoding="utf-8"))["ratings"]}
        return [_check(elo, dial, by_name[_name(elo, dial)]) for elo in strengths(dial)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MatchError(f"expected ratings of the players that this command names in {path}: {error!r}") from None


def _check(elo: int, dial: Dial, rated: Mapping[str, Any]) -> Check:
    setting = dial.at(elo)
    low, high = (
        default if rated[bound] is None else float(rated[bound]) for bound, default in (("low", -math.inf), ("high", math.inf))
    )
    return Check(elo, setting.rating, setting.temperature, float(rated["elo"]), low, high)


def check_table(checks: Sequence[Check]) -> str:
    """The check as text."""
    lines = ["UCI_Elo input  temperature  rating  95 % interval    off by"]
    for c in checks:
        interval = between(c.low, c.high)
        lines.append(f"{c.asked:7} {c.rating:5}  {c.temperature:11.2f}  {c.elo:6.0f}  {interval:>13}  {c.elo - c.asked:+8.0f}")
    falls = [(a, b) for a, b in itertools.pairwise(checks) if b.elo < a.elo]
    lines.append("")
    lines.append(f"rating rises with UCI_Elo: {'yes, at every step' if not falls else f'not at {len(falls)} step(s)'}")
    for a, b in falls:
        word = "with intervals apart" if b.high < a.low else "within the intervals"
        lines.append(f"  from {a.asked} to {b.asked} it falls by {a.elo - b.elo:.0f}, {word}")
    off = [c.elo - c.asked for c in checks]
    lines.append(f"off by {sum(map(abs, off)) / len(off):.0f} on average, {max(off, key=abs):+.0f} at most")
    return "\n".join(lines)


def _draw(checks: Sequence[Check], path: Path) -> None:
    if not has_matplotlib(without="no figure"):
        return
    figure = new_figure(figsize=(5.6, 4.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    asked = [c.asked for c in checks]
    axes.plot(asked, asked, "--", color="0.6", linewidth=1, label="as asked")
    axes.plot(asked, [c.elo for c in checks], "o", color="C0", label="as played (95 %)")
    bound = [c for c in checks if math.isfinite(c.low) and math.isfinite(c.high)]
    errors = [[c.elo - c.low for c in bound], [c.high - c.elo for c in bound]]
    axes.errorbar([c.asked for c in bound], [c.elo for c in bound], yerr=errors, fmt="none", ecolor="C0", capsize=3)
    axes.set(xlabel="UCI_Elo", ylabel="rating in matches")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    save_figure(figure, path, metadata={"Software": None})


if __name__ == "__main__":
    sys.exit(main())
