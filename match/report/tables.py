"""What a match says, as plain text: tables of scores and ratings.

Pure: ratings and games in, lines out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from match.play.game import Played
from match.statistics.glicko2 import Glicko
from match.statistics.ratings import Rating, is_resampled
from match.statistics.scores import Difference, Score
from match.statistics.sprt import Sprt

METHOD = "Ratings: maximum likelihood with draws and White's advantage, 95 % intervals by "
RESAMPLED = "bootstrap over opening pairs, "
CURVATURE = "the curvature of the likelihood (a large pool), "
STOCKFISH_SCALE = (
    "on the scale of Stockfish's own Skill Level table (CCRL; level 0 with 0.1 s a move = 1320). = marks players fixed on it, "
    "< and > a bound that an empty or perfect score sets."
)
POOL_SCALE = "with no anchor: the mean of the players that are tied to each other is 0. < and > mark bounds."
OTHER_SCALE = "on the scale of the anchors, which = marks. < and > mark a bound that an empty or perfect score sets."
GLICKO_NOTE = (
    "Glicko-2: the Transcendence paper's protocol, for comparison only (its scale is another: level 1 = 1554; +- 1.96 "
    "deviations; depends on the order of games)."
)


def scale(ratings: Sequence[Rating]) -> str:
    """The sentence that names method and scale."""
    anchors = [r.name for r in ratings if r.anchored]
    stockfish = all(name.startswith("Stockfish level ") for name in anchors)
    intervals = RESAMPLED if is_resampled(len(ratings) - len(anchors)) else CURVATURE
    return METHOD + intervals + (POOL_SCALE if not anchors else STOCKFISH_SCALE if stockfish else OTHER_SCALE)


def ratings_table(ratings: Sequence[Rating], glicko: Mapping[str, Glicko] | None = None) -> str:
    """One line a player, best first. LOS is the likelihood of being stronger than the next one."""
    width = max([len(r.name) for r in ratings] + [6])
    head = f"{'player':{width}}  {'games':>5}  {'points':>7}  {'score':>6}  {'rating':>7}  {'95 % interval':<18}  {'LOS':>5}"
    lines = [head + ("  Glicko-2" if glicko else "")]
    for r in ratings:
        line = f"{r.name:{width}}  {r.games:5}  {r.points:7.1f}  {r.share:6.1%}  {r.text:>7}  {interval(r):<18}  {_los(r):>5}"
        if glicko and r.name in glicko:
            line += f"  {glicko[r.name].rating:.0f} +- {1.96 * glicko[r.name].deviation:.0f}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def interval(r: Rating) -> str:
    """Its 95 % interval, in words where there is none."""
    if r.anchored:
        return "anchor"
    if math.isnan(r.elo):
        return "no tie to a rated player"
    return between(r.low, r.high)


def between(low: float, high: float) -> str:
    """An interval of ratings; an infinite end is no bound."""
    return " to ".join("no bound" if math.isinf(end) else f"{end:.0f}" for end in (low, high))


def _los(r: Rating) -> str:
    return "" if math.isnan(r.superiority) else f"{r.superiority:.1%}"


def cross_scores(scores: Sequence[Score]) -> dict[tuple[str, str], Counter[float]]:
    """How often each player took 1, 1/2 and 0 points from each other one."""
    results: dict[tuple[str, str], Counter[float]] = {}
    for s in scores:
        results.setdefault((s.white, s.black), Counter())[s.points] += 1
        results.setdefault((s.black, s.white), Counter())[1 - s.points] += 1
    return results


def cross_table(scores: Sequence[Score], heroes: Sequence[str]) -> str:
    """Each hero's wins, draws and losses against each opponent."""
    results = {(a, b): c for (a, b), c in cross_scores(scores).items() if a in heroes}
    width = max([len(f"{a} - {b}") for a, b in results] + [6])
    lines = [f"{'match':{width}}  {'won':>4} {'drawn':>5} {'lost':>4}  {'score':>6}"]
    for (name, other), c in sorted(results.items()):
        share = (c[1.0] + c[0.5] / 2) / sum(c.values())
        lines.append(f"{name + ' - ' + other:{width}}  {c[1.0]:4} {c[0.5]:5} {c[0.0]:4}  {share:6.1%}")
    return "\n".join(lines)


def endings(games: Sequence[Played]) -> str:
    """How the games ended, and how many of them were different games; faults are named."""
    reasons = Counter(game.reason.split(":")[0] for game in games)
    unique = len({(game.fen, game.moves) for game in games})
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    lines = [f"{len(games)} games, {unique} of them different: {counted}"]
    faults = Counter(game.reason for game in games if game.reason.startswith("forfeit"))
    lines += [f"  {count} x {fault}" for fault, count in faults.most_common(10)]
    return "\n".join(lines)


def head_to_head(a: str, b: str, difference: Difference, test: Sprt | None = None) -> str:
    """A against B: pairs, score, Elo difference, LOS and, where one runs, the test."""
    low, high = difference.interval
    text = (
        f"{a} - {b}: {difference.score:.1%} of the points, "
        f"Elo {_signed(difference.elo)} (95 %: {_signed(low)} to {_signed(high)}), LOS {difference.superiority:.1%}\n"
        f"{difference.pairs} opening pairs with 0, 1/2, 1, 3/2, 2 points: {', '.join(map(str, difference.counts))}"
    )
    if test is None:
        return text
    llr = float(test.llr(_array(difference.counts)))
    return (
        f"{text}\nSPRT [{test.elo0:g}, {test.elo1:g}], errors {test.alpha:g} and {test.beta:g}: LLR {llr:.2f} "
        f"({test.lower:.2f} to {test.upper:.2f}), verdict: {test.verdict(llr)}"
    )


def _array(counts: Sequence[int]) -> NDArray[np.float64]:
    return np.array(counts, np.float64)


def _signed(number: float) -> str:
    return f"{round(number):+d}" if math.isfinite(number) else ("+inf" if number > 0 else "-inf")
