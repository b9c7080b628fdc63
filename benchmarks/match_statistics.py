"""Do the ratings and the sequential test keep their promises? Simulated pools and matches whose truth is known.

    python -m benchmarks.match_statistics [--only ratings tests intervals] [--pools N] [--matches N] [--out FILE]

Coverage and bias of ``match.statistics.ratings.rate`` as users call it, in several designs; error rates and lengths of
``match.statistics.sprt``; how often the interval of two equal players' match misses 0. Every opening favours White by its
own amount, the same in both games of its pair, so that games are not independent but pairs are. Knows how to simulate; asks
the real code.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import heading, run
from match.statistics.ratings import PER_POINT, outcomes, rate
from match.statistics.scores import Score, difference
from match.statistics.sprt import Sprt

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "results" / "matches" / "statistics.txt"
ADVANTAGE, OPENING_SD = 35.0, 40.0  # the book keeps what Stockfish gives neither side more than 60 centipawns
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """A kind of pool."""

    name: str
    anchors: tuple[float, ...]
    """Of the fixed players; empty: ratings are relative to the pool's mean."""
    free: int
    """Players to be rated."""
    span: tuple[float, float]
    """Their true ratings are uniform in this range."""
    pairs: int
    """Opening pairs a pairing."""
    drawn: float
    """Share of draws between equals."""
    everyone: bool = False
    """Whether the free players meet each other as well."""
    opening_sd: float = OPENING_SD
    """How far openings differ in what they are worth to White, in Elo."""


DESIGNS = (
    Design("ladder, 100 pairs a level", (1320, 1468, 1608), 4, (1200, 1700), 100, 0.15),
    Design("ladder, 30 pairs a level", (1320, 1468, 1608), 4, (1200, 1700), 30, 0.15),
    Design("ladder, 10 pairs a level", (1320, 1468, 1608), 4, (1200, 1700), 10, 0.15),
    Design("one anchor, 100 pairs", (1320,), 4, (1000, 1640), 100, 0.15),
    Design("many draws, 100 pairs a level", (1320, 1468, 1608), 4, (1200, 1700), 100, 0.60),
    Design("wild openings, 100 pairs a level", (1320, 1468, 1608), 4, (1200, 1700), 100, 0.15, opening_sd=120.0),
    Design("round robin of 8, no anchor, 20 pairs", (), 8, (-250, 250), 20, 0.15, everyone=True),
)


def log_draw(drawn: float) -> float:
    """ln(nu) at which equals draw so often."""
    return math.log(2 * drawn / (1 - drawn))


def pair_points(difference: Floats, *, drawn: float, random: np.random.Generator, opening_sd: float = OPENING_SD) -> Floats:
    """(..., 2) points of A, first as White, then as Black, for true Elo differences A - B."""
    opening = ADVANTAGE + opening_sd * random.standard_normal(difference.shape)
    d = PER_POINT * np.stack([difference + opening, difference - opening], axis=-1)
    p = outcomes(1 / (1 + np.exp(-d)), np.array(log_draw(drawn)))
    dice = random.random(d.shape)
    return np.asarray(np.where(dice < p[..., 0], 1.0, np.where(dice < p[..., 0] + p[..., 1], 0.5, 0.0)))


def simulate(design: Design, random: np.random.Generator) -> tuple[list[Score], Floats]:
    """A pool's games, and the truth of its free players p0, p1, …"""
    truth = random.uniform(*design.span, size=design.free)
    players = {f"p{i}": float(elo) for i, elo in enumerate(truth)}
    fixed = {f"a{i}": elo for i, elo in enumerate(design.anchors)}
    names = list(players)
    pairings = [(a, b) for a in players for b in fixed]
    pairings += [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]] if design.everyone else []
    elo, scores = players | fixed, []
    for a, b in pairings:
        difference = np.full(design.pairs, elo[a] - elo[b])
        points = pair_points(difference, drawn=design.drawn, random=random, opening_sd=design.opening_sd)
        for i, (first, second) in enumerate(points.tolist()):
            scores += [Score(a, b, first, f"o{i}"), Score(b, a, 1 - second, f"o{i}")]
    return scores, truth


def expected_share(design: Design, elo: float, truth: Floats) -> float:
    """Points a game that a player of this truth should make."""
    others = np.array(design.anchors) if design.anchors else truth[truth != elo]
    return float(np.mean(1 / (1 + np.exp(-PER_POINT * (elo - others)))))


def coverage(design: Design, pools: int, *, resamples: int, seed: int) -> str:
    """A line of the table: how often the 95 % interval holds the truth, and the mean error, over players whose expected
    score is within 10 to 90 %."""
    random = np.random.default_rng(seed)
    errors, inside, widths = [], [], []
    anchors = {f"a{i}": elo for i, elo in enumerate(design.anchors)}
    for number in range(pools):
        scores, truth = simulate(design, random)
        centre = 0.0 if design.anchors else float(truth.mean())
        for r in rate(scores, anchors, resamples=resamples, seed=number):
            if r.anchored:
                continue
            elo = float(truth[int(r.name[1:])])
            if 0.1 <= expected_share(design, elo, truth) <= 0.9:
                errors.append(r.elo - (elo - centre))
                inside.append(r.low <= elo - centre <= r.high)
                widths.append((r.high - r.low) / 2)
    n, share, bias = len(errors), float(np.mean(inside)), float(np.mean(errors))
    noise = 1.96 * float(np.std(errors)) / math.sqrt(n)
    spread = 1.96 * math.sqrt(share * (1 - share) / n)
    return (
        f"{design.name:38} {pools:5} {n:7}   {share:6.1%} +- {spread:4.1%}   {bias:+6.1f} +- {noise:3.1f}   "
        f"{np.std(errors):7.1f}   {np.median(widths):8.1f}"
    )


def sprt_line(test: Sprt, elo: float, matches: int, *, drawn: float, seed: int, most: int = 20000) -> str:
    """A line of the table: verdicts and lengths of matches whose true difference is ``elo``."""
    random = np.random.default_rng(seed)
    counts = np.zeros((matches, 5))
    llr, length = np.zeros(matches), np.zeros(matches)
    going = np.arange(matches)
    while len(going) and length[going[0]] < most:
        points = pair_points(np.full(len(going), elo), drawn=drawn, random=random).sum(axis=-1)
        counts[going, np.rint(2 * points).astype(int)] += 1
        length[going] += 1
        llr[going] = test.llr(counts[going])
        going = going[(llr[going] > test.lower) & (llr[going] < test.upper)]
    stronger, not_stronger = float((llr >= test.upper).mean()), float((llr <= test.lower).mean())
    hypothesis = f"[{test.elo0:g}, {test.elo1:g}]"
    wrong = stronger if elo <= test.elo0 else not_stronger if elo >= test.elo1 else math.nan
    errors = "   (any)" if math.isnan(wrong) else f"{wrong:6.1%} +- {1.96 * math.sqrt(wrong * (1 - wrong) / matches):4.1%}"
    return (
        f"{hypothesis:10} {elo:+6.0f} {drawn:7.0%} {matches:8} {stronger:9.1%} {not_stronger:13.1%}   {errors:16} "
        f"{2 * length.mean():9.0f} {2 * np.quantile(length, 0.95):9.0f}"
    )


def interval_line(pairs: int, matches: int, *, drawn: float, seed: int) -> str:
    """A line of the table: how often a match of equals seems to have a winner by its interval."""
    points = pair_points(np.zeros((matches, pairs)), drawn=drawn, random=np.random.default_rng(seed)).sum(axis=-1)
    counts = np.stack([(np.rint(2 * points) == n).sum(axis=1) for n in range(5)], axis=1)
    bounds = np.array([difference(found.tolist()).interval for found in counts])
    above, below = (bounds[:, 0] > 0).mean(), (bounds[:, 1] < 0).mean()
    return f"{pairs:5} {drawn:7.0%} {matches:8} {above:10.1%} {below:10.1%}"


PARTS = ("ratings", "tests", "intervals")


def lines(parts: Sequence[str], pools: int, matches: int, resamples: int) -> Iterator[str]:
    """The report, line by line."""
    yield heading()
    only = f"--only {' '.join(parts)} " if tuple(parts) != PARTS else ""
    yield f"python -m benchmarks.match_statistics {only}--pools {pools} --matches {matches} --resamples {resamples}"
    told = {
        "ratings": lambda: _ratings(pools, resamples),
        "tests": lambda: _tests(matches),
        "intervals": lambda: _intervals(matches),
    }
    for part in parts:
        yield ""
        yield from told[part]()


def _intervals(matches: int) -> Iterator[str]:
    yield "Two equals in a match: how often the 95 % interval of their difference is above 0, or below. Target: 2.5 % each."
    yield "pairs   draws  matches    above 0    below 0"
    for drawn in (0.02, 0.3):
        for pairs in (2, 4, 10, 20, 30, 50, 100, 500):
            yield interval_line(pairs, matches, drawn=drawn, seed=pairs)


def _ratings(pools: int, resamples: int) -> Iterator[str]:
    yield f"Ratings: White is worth {ADVANTAGE:g} Elo, an opening {OPENING_SD:g} (standard deviation; wild: 120) more or less."
    yield "Players whose expected score is within 10 to 90 %. Target: coverage 92 to 98 %, |bias| < 5."
    yield f"{'design':38} {'pools':>5} {'players':>7}   coverage of 95 %   {'bias, Elo':>12}   {'sd, Elo':>7}   half-width"
    for number, design in enumerate(DESIGNS):
        yield coverage(design, pools, resamples=resamples, seed=number)


def _tests(matches: int) -> Iterator[str]:
    yield "Sequential test, errors of 5 % each; checked after every opening pair."
    yield "bounds      truth   draws  matches  stronger  not stronger   wrong             games     95 %"
    for test in (Sprt(0, 20), Sprt(0, 50), Sprt(-30, 0)):
        middle = (test.elo0 + test.elo1) / 2
        for elo in (test.elo0, middle, test.elo1):
            yield sprt_line(test, elo, matches, drawn=0.15, seed=7)
    yield sprt_line(Sprt(0, 20), 0, matches, drawn=0.6, seed=8)
    yield sprt_line(Sprt(0, 20), 20, matches, drawn=0.6, seed=8)


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options.add_argument("--pools", type=int, default=300)
    options.add_argument("--matches", type=int, default=2000)
    options.add_argument("--resamples", type=int, default=400)
    options.add_argument("--out", type=Path, help=f"default: {OUT.name}, or PART.txt beside it where there is one part")
    return options


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables, and keep them in a file."""
    arguments = parser().parse_args(argv)
    began, told = time.monotonic(), []
    for line in lines(arguments.only, arguments.pools, arguments.matches, arguments.resamples):
        print(line, flush=True)
        told.append(line)
    told.append(f"\n{time.monotonic() - began:.0f} s")
    out = arguments.out or (OUT if len(arguments.only) > 1 else OUT.with_name(f"{arguments.only[0]}.txt"))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
