"""A net's strength dial at the board: players that check it, and what the check found.

    python -m match.studies.dial NET                                  a population of the net at strengths over its dial's range
    that need no search; with --searching those that search, with --rivals a line for each of these: NAME|LEVEL LEVEL, the
    Stockfish levels that it should meet
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
from match.players.stockfish import LEVEL_BY_DEPTH_ELO
from match.report.tables import between

CHECKED = 12
"""Strengths that are checked."""
_RIVALS = 2
"""Stockfish levels that a strength which searches meets: the nearest ones whose rating is known."""


@dataclass(frozen=True)
class Check:
    """A strength that was asked for, and what was played."""

    asked: int
    rating: int
    temperature: float
    nodes: int
    elo: float
    low: float
    """Minus infinity where there is no bound: nothing was won."""
    high: float


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(prog="match.studies.dial", description="Check a net's strength dial.")
    options.add_argument("net", type=Path, help="the .onnx file")
    options.add_argument("--checked", type=Path, help="JSON of bin/match curve about the players that this command names")
    options.add_argument("--searching", action="store_true", help="the players that search instead of the others")
    options.add_argument("--rivals", action="store_true", help="which Stockfish levels the players that search should meet")
    options.add_argument("--out", type=Path, help="folder for dial.txt and dial.png")
    return options


def main(argv: list[str] | None = None) -> int:
    """Print the players, or the table; returns the exit status."""
    arguments = parser().parse_args(argv)
    show = _show_rivals if arguments.rivals else _show_checks if arguments.checked else _show_players
    return run_command("match.studies.dial", lambda: show(arguments))


def _dial(net: Path) -> Dial:
    dial = dial_in(net)
    if dial is None:
        raise MatchError(f"expected a net with a strength dial, {net.name} has none; run recipes/dial.sh")
    return dial


def _show_players(arguments: argparse.Namespace) -> None:
    print(population(arguments.net, _dial(arguments.net), searching=arguments.searching), end="")


def _show_rivals(arguments: argparse.Namespace) -> None:
    dial = _dial(arguments.net)
    for elo in strengths(dial, searching=True):
        print(f"{_name(elo, dial)}|{' '.join(map(str, rivals(elo)))}")


def _show_checks(arguments: argparse.Namespace) -> None:
    """How well a dial keeps, by the ratings in the file ``--checked``."""
    checks, out = read_checks(arguments.checked, _dial(arguments.net)), arguments.out
    text = check_table(checks)
    print(text)
    if out:
        write_text(out / "dial.txt", text + "\n")
        _draw(checks, out / "dial.png")


def strengths(dial: Dial, *, searching: bool | None = None) -> list[int]:
    """Strengths from one end of the dial to the other, in tens: all, or those that search, or those that do not."""
    steps = (dial.low + (dial.high - dial.low) * i / (CHECKED - 1) for i in range(CHECKED))
    elos = sorted({round(elo / 10) * 10 for elo in steps})
    return [elo for elo in elos if searching in (None, dial.at(elo).nodes > 1)]


def rivals(elo: float) -> list[int]:
    """The Stockfish levels by depth whose known ratings are nearest to a strength, rising."""
    near = sorted(LEVEL_BY_DEPTH_ELO, key=lambda level: abs(LEVEL_BY_DEPTH_ELO[level] - elo))
    return sorted(near[:_RIVALS])


def population(net: Path, dial: Dial, *, searching: bool) -> str:
    """TOML with a player for each strength that searches, or does not."""
    players = (
        f'[[player]]\nname = "{_name(elo, dial)}"\nnet = {json.dumps(str(net), ensure_ascii=False)}\nelo = {elo}\n'
        for elo in strengths(dial, searching=searching)
    )
    return "\n".join(players)


def _name(elo: int, dial: Dial) -> str:
    """With the temperature and the evaluations, as all names of a net's players have them."""
    setting = dial.at(elo)
    return f"UCI_Elo {elo} T={setting.temperature:.3g}" + (f" nodes={setting.nodes}" if setting.nodes > 1 else "")


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
    return Check(elo, setting.rating, setting.temperature, setting.nodes, float(rated["elo"]), low, high)


def check_table(checks: Sequence[Check]) -> str:
    """The check as text."""
    lines = ["UCI_Elo  conditioned on  temperature  evaluations  rating  95 % interval    off by"]
    for c in checks:
        how = f"{c.asked:7}  {c.rating:14}  {c.temperature:11.2f}  {c.nodes:11}"
        lines.append(f"{how}  {c.elo:6.0f}  {between(c.low, c.high):>13}  {c.elo - c.asked:+8.0f}")
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
