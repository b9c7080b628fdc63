"""What several commands do: players by their names, a match from its options to its report, games played earlier.

Knows options, sessions and reports. Does not know which command it serves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import MatchError
from match.options import MatchOptions, NetOptions
from match.play.game import Played
from match.play.results import read_results, results_of
from match.play.session import Decide, MatchPlan, play_match
from match.players.interface import Player
from match.players.population import PlayerFactory, distinct
from match.report.finish import finish
from match.statistics.scores import Score


def factory_of(options: NetOptions) -> PlayerFactory:
    """Who makes the players."""
    return PlayerFactory(
        seed=options.seed,
        net_threads=options.threads,
        asking_threads=options.workers,
        rating=options.rating,
        scale=options.scale,
        device=options.device,
        take_mate=options.take_mate,
        avoid_repetition=options.avoid_repetition,
    )


def named_players(texts: Sequence[str], options: NetOptions) -> dict[str, Player]:
    """Two or more players by name. Raises MatchError for fewer."""
    factory = factory_of(options)
    players = distinct([player for text in texts for player in factory.players(text)])
    if len(players) < 2:
        raise MatchError(f"expected at least two players, got {', '.join(players) or 'none'}")
    return players


def run_match(
    options: MatchOptions,
    players: Mapping[str, Player],
    pairings: Sequence[tuple[str, str]],
    heroes: Sequence[str],
    *,
    games: int | None = None,
    anchors: Mapping[str, float] | None = None,
    decide: Decide | None = None,
    extra: Callable[[Sequence[Score]], str] | None = None,
    shared_openings: bool = True,
) -> None:
    """Play a match in its folder and report on it; ``games`` of each pairing, by default as the options say."""
    plan = MatchPlan(
        pairings,
        heroes,
        options.games if games is None else games,
        options.openings,
        options.seed,
        shared_openings=shared_openings,
        anchors=anchors,
        decide=decide,
    )
    session = play_match(plan, players, out=options.out, rules=options.rules, at_once=options.at_once, workers=options.workers)
    finish(session, heroes, out=options.out, page=options.page, workers=options.workers, extra=extra)


def folder_games(folders: Sequence[Path]) -> list[Played]:
    """The games of matches played earlier, numbered through: of their folders, or of packed files. Raises MatchError for a
    folder of none."""
    games: list[Played] = []
    for folder in folders:
        games += _games_of(results_of(folder), first=len(games))
    return games


def _games_of(path: Path, *, first: int) -> list[Played]:
    games = sorted(read_results(path), key=lambda game: game.number)  # Glicko-2 depends on the order
    return [replace(game, number=first + i, pair=f"{path.parent.name}/{game.pair}") for i, game in enumerate(games)]
