"""What a match says, as plain text: a table of scores and ratings.

Pure: ratings and games in, lines out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from match.ratings import Rating
from match.runner import Played

SCALE = """\
Ratings: maximum likelihood with draws, 95 % intervals by bootstrap over opening pairs, on the scale of Stockfish's own
Skill Level table (CCRL; level 0 = 1320). = marks players fixed on it, < and > a bound that an empty or perfect score sets."""


def table(ratings: Sequence[Rating]) -> str:
    """One line a player, best first."""
    width = max([len(r.name) for r in ratings] + [6])
    lines = [f"{'player':{width}}  {'games':>5}  {'points':>7}  {'score':>6}  {'rating':>7}  95 % interval"]
    lines += [
        f"{r.name:{width}}  {r.games:5}  {r.points:7.1f}  {r.share:6.1%}  {_elo(r):>7}  {_interval(r)}".rstrip()
        for r in ratings
    ]
    return "\n".join(lines)


def _elo(r: Rating) -> str:
    if math.isnan(r.elo):
        return "?"
    if r.low == r.elo != r.high:
        return f">{r.elo:.0f}"
    if r.high == r.elo != r.low:
        return f"<{r.elo:.0f}"
    return f"{'=' if r.anchored else ''}{r.elo:.0f}"


def _interval(r: Rating) -> str:
    if r.anchored:
        return "anchor"
    if math.isnan(r.elo):
        return "unknown (no game against a rated player)"
    low = "no bound" if math.isinf(r.low) else f"{r.low:.0f}"
    high = "no bound" if math.isinf(r.high) else f"{r.high:.0f}"
    return f"{low} to {high}"


def cross_table(games: Sequence[Played], heroes: Sequence[str]) -> str:
    """Each hero's wins, draws and losses against each opponent."""
    results: dict[tuple[str, str], Counter[float]] = {}
    for game in games:
        points = game.score().points
        for name, other, own in ((game.white, game.black, points), (game.black, game.white, 1 - points)):
            if name in heroes:
                results.setdefault((name, other), Counter())[own] += 1
    width = max([len(f"{a} - {b}") for a, b in results] + [6])
    lines = [f"{'match':{width}}  {'won':>4} {'drawn':>5} {'lost':>4}  {'score':>6}"]
    for (name, other), c in sorted(results.items()):
        share = (c[1.0] + c[0.5] / 2) / sum(c.values())
        lines.append(f"{name + ' - ' + other:{width}}  {c[1.0]:4} {c[0.5]:5} {c[0.0]:4}  {share:6.1%}")
    return "\n".join(lines)


def endings(games: Sequence[Played]) -> str:
    """How the games ended, and how many of them were different games."""
    reasons = Counter(game.reason.split(":")[0] for game in games)
    unique = len({(game.fen, game.moves) for game in games})
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return f"{len(games)} games, {unique} of them different: {counted}"
