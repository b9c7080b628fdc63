"""Plays a schedule: many games at once, each result on disk as soon as it is there.

Games with a net advance together, so that the net answers them in one batch; games between other players are played by
worker processes. Knows turns and which way a game takes. Does not know ratings or how players think.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import chess

from match.play.bulk import play_bulk
from match.play.game import LiveGame, Played, Rules
from match.play.results import Results
from match.play.schedule import Fixture
from match.players.interface import Forfeit, Player
from match.players.net import NetPlayer, moves_together


def play(
    schedule: Sequence[Fixture],
    players: Mapping[str, Player],
    *,
    results: Results,
    at_once: int,
    workers: int = 1,
    rules: Rules | None = None,
    report: Callable[[Played], bool | None] = lambda game: None,
) -> None:
    """Play what is missing; ``report`` hears of each game as it ends, and ends the match by returning True."""
    rules = rules or Rules()
    missing = results.missing(schedule)
    specs = {name: spec for name, player in players.items() if (spec := player.spec) is not None}
    alone = [f for f in missing if f.white in specs and f.black in specs]
    with_net = [f for f in missing if not (f.white in specs and f.black in specs)]
    for games in (
        play_batched(with_net, players, at_once=at_once, rules=rules),
        play_bulk(alone, specs, workers=workers, rules=rules),
    ):
        for game in games:
            results.add(game)
            if report(game):
                return


def play_batched(schedule: Sequence[Fixture], players: Mapping[str, Player], *, at_once: int, rules: Rules) -> Iterator[Played]:
    """The games as they end, ``at_once`` side by side."""
    waiting = list(schedule[::-1])
    games: list[LiveGame] = []
    with ThreadPoolExecutor(len(players)) as pool:
        while waiting or games:
            while waiting and len(games) < at_once:
                games.append(LiveGame(waiting.pop(), rules))
            over = [game for game in games if game.ending]
            games = [game for game in games if not game.ending]
            for game in over:
                for name in (game.fixture.white, game.fixture.black):
                    players[name].forget(game.fixture.number)
                yield game.finished(time.strftime("%Y.%m.%d"))
            _advance(games, players, pool)


def _advance(games: Sequence[LiveGame], players: Mapping[str, Player], pool: ThreadPoolExecutor) -> None:
    """One move in every game; each player is asked for all its games together, players with the same net as one, and all
    who are asked think side by side."""
    to_move: dict[object, list[LiveGame]] = {}
    for game in games:
        player = players[game.player]
        to_move.setdefault(id(player.evaluator) if isinstance(player, NetPlayer) else game.player, []).append(game)

    def ask(group: Sequence[LiveGame]) -> list[chess.Move | Forfeit]:
        nets = [(player, game.turn) for game in group if isinstance(player := players[game.player], NetPlayer)]
        return moves_together(nets) if nets else players[group[0].player].moves([game.turn for game in group])

    groups = list(to_move.values())
    for group, answers in zip(groups, pool.map(ask, groups), strict=True):
        for game, answer in zip(group, answers, strict=True):
            game.play(answer)
