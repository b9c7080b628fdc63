"""A whole match in its folder: openings and schedule, the games that are missing, progress on the screen.

Knows what must stay the same when a match is resumed. Does not know tables or plots, or what a match is for.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from engine.errors import MatchError
from engine.net_file import digest
from match.play import openings
from match.play.game import Played, Rules
from match.play.results import Results
from match.play.runner import play
from match.play.schedule import fixtures
from match.players.interface import Player
from match.players.net import NetPlayer
from match.players.searching import SearchSpec
from match.statistics.ratings import rate
from match.statistics.scores import Score

_LINE_S = 60.0  # without a terminal, progress is a line a minute
_FIT_S = 5.0

Decide = Callable[[Sequence[Score]], tuple[str, bool]]
"""What progress says of the games so far, and whether they decide the match."""


@dataclass(frozen=True)
class MatchPlan:
    """What a match consists of."""

    pairings: Sequence[tuple[str, str]]
    heroes: Sequence[str]
    """Whose scores the tables show; progress shows the first one's."""
    games: int
    """Of each pairing."""
    openings: str
    seed: int
    shared_openings: bool = True
    """Whether all pairings play the same openings, or each has its own."""
    anchors: Mapping[str, float] | None = None
    """Fixed ratings; None = those that the players bring."""
    decide: Decide | None = None


@dataclass(frozen=True)
class PlayedMatch:
    """A match that was played."""

    played: Sequence[Played]
    """By number."""
    anchors: Mapping[str, float]


def play_match(
    plan: MatchPlan, players: Mapping[str, Player], *, out: Path, rules: Rules, at_once: int, workers: int
) -> PlayedMatch:
    """Play what the folder ``out`` does not hold yet, and close the players. Raises MatchError."""
    if not plan.pairings:
        _close(players)
        raise MatchError("expected at least two players who meet, got none; name opponents (--levels, --builtin, --opponent)")
    pairs = -(-plan.games // 2) * (1 if plan.shared_openings else len(plan.pairings))
    try:
        book = openings.choose_openings(plan.openings, pairs=pairs, seed=plan.seed)
        drawn = openings.are_drawn(plan.openings)  # shuffled, a longer match would not begin like a shorter
        order_seed = None if drawn else plan.seed
        schedule = fixtures(plan.pairings, book, games=plan.games, seed=order_seed, shared=plan.shared_openings)
        results = Results(out, _settings(plan, players, rules, book))
    except BaseException:
        _close(players)
        raise
    anchors = {name: player.anchor for name, player in players.items() if player.anchor is not None}
    anchors = dict(anchors if plan.anchors is None else plan.anchors)
    try:
        with MatchProgress(len(schedule), results.played, plan.heroes[0], anchors, plan.decide) as progress:
            if not progress.over:
                play(schedule, players, results=results, at_once=at_once, workers=workers, rules=rules, report=progress.add)
    finally:
        _close(players)
        results.close()
    return PlayedMatch(sorted(results.played, key=lambda game: game.number), anchors)


def _close(players: Mapping[str, Player]) -> None:
    for player in players.values():
        player.close()


def _settings(plan: MatchPlan, players: Mapping[str, Player], rules: Rules, book: Sequence[openings.Opening]) -> dict[str, Any]:
    """What must be the same when a match is resumed; its length may grow."""
    lines = "\n".join(f"{o.fen} {' '.join(o.moves)}" for o in book)
    return {
        "players": {name: identity(player) for name, player in players.items()},
        "rules": asdict(rules),
        "seed": plan.seed,
        "openings": plan.openings if openings.are_drawn(plan.openings) else hashlib.sha256(lines.encode()).hexdigest()[:16],
    }


def identity(player: Player) -> str:
    """What decides a player's moves, for a match is resumed only with the same."""
    if isinstance(player, NetPlayer):
        return _net_identity(player)
    spec = player.spec
    if isinstance(spec, SearchSpec):
        spec = replace(spec, file=Path(digest(spec.file)))  # what it computes, wherever it lies
    return re.sub(r"anchor=[^,)]+", "anchor=None", repr(spec))  # what a player is worth changes none of its games


def _net_identity(player: NetPlayer) -> str:
    net = digest(player.evaluator.net.info.path)
    return f"net {net} {player.sampling} rating={player.rating} scale={player.scale} seed={player.seed}"


class MatchProgress:
    """Games/s, time left, the first hero's score and rating so far: a bar on a terminal, else a line a minute."""

    def __init__(
        self, total: int, played: Sequence[Played], hero: str, known: Mapping[str, float], decide: Decide | None
    ) -> None:
        self._hero, self._known, self._decide = hero, known, decide
        self._scores: list[Score] = []
        self._points, self._games = 0.0, 0
        for game in played:
            self._count(game.score())
        self._bar = tqdm(total=total, initial=len(played), unit="game", disable=None, leave=False)
        self._began = self._fitted = self._shown = time.monotonic()
        self._before, self._total = len(played), total
        self._rating = ""
        self.over = self._check()[1]

    def __enter__(self) -> MatchProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def add(self, game: Played) -> bool:
        """Count a game; True when the match is decided."""
        self._count(game.score())
        text, over = self._check()
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update()
        now = time.monotonic()
        if self._bar.disable and now > self._shown + _LINE_S:
            self._shown = now
            rate_s = (len(self._scores) - self._before) / (now - self._began)
            left_min = (self._total - len(self._scores)) / rate_s / 60
            print(f"{len(self._scores)}/{self._total} games, {rate_s:.1f}/s, {left_min:.0f} min left, {text}", file=sys.stderr)
        return over

    def _check(self) -> tuple[str, bool]:
        if self._decide is not None and self._scores:
            return self._decide(self._scores)
        now = time.monotonic()
        if self._games and self._known and now > self._fitted + _FIT_S:
            self._fitted = now
            self._rating = _quick_rating(self._scores, self._known, self._hero)
        return f"{self._hero}: {self._points:g}/{self._games}{self._rating}", False

    def _count(self, score: Score) -> None:
        self._scores.append(score)
        if self._hero in (score.white, score.black):
            self._games += 1
            self._points += score.points if score.white == self._hero else 1 - score.points


def _quick_rating(scores: Sequence[Score], known: Mapping[str, float], hero: str) -> str:
    ratings = {r.name: r for r in rate(scores, known, resamples=20)}
    return f", rating {ratings[hero].text}" if hero in ratings else ""
