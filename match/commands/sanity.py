"""What ``bin/match sanity`` does: positions in, the net asked and games played, a table out.

Knows folders, players and Stockfish as the judge. Does not know what is counted (``match.studies.sanity``) or how games
are played.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import chess

from engine.errors import MatchError
from engine.files import write_text
from match.commands.play import Progress, cast, folder_games, identity
from match.commands.studies import evaluate
from match.play.game import Played, Rules
from match.play.results import Results
from match.play.runner import play
from match.play.schedule import Fixture
from match.players.at_board import SpecPlayer
from match.players.client import INSTALL_STOCKFISH, Engine, EngineFailure, Setup, find_stockfish
from match.players.engine import EngineSpec, go_command
from match.players.interface import Forfeit, Player, Turn
from match.players.net import NetPlayer
from match.players.population import FORMS, Cast, distinct
from match.studies import boards, sanity

JUDGE_LIMIT = "depth=10"
_RULES = Rules()
_BATCH = 32


def measure(arguments: argparse.Namespace) -> None:
    """``sanity``: mates in one, won endgames, positions far ahead, and shuffling, of a net at a temperature."""
    makes = cast(arguments)
    hero = makes.net(arguments.net, arguments.temperature)
    others = {text: _one(makes, text) for text in dict.fromkeys((arguments.defender, arguments.opponent))}
    players = distinct([hero, *others.values()])
    try:
        found = _measured(arguments, hero, others, players)
    finally:
        for player in players.values():
            player.close()
    print(found)


def _one(makes: Cast, text: str) -> Player:
    found = makes.players(text)
    if len(found) != 1:
        raise MatchError(f"expected one player ({FORMS}), got {len(found)} in {text!r}; name one by FILE.toml:NAME")
    return found[0]


def _measured(
    arguments: argparse.Namespace, hero: NetPlayer, others: Mapping[str, Player], players: Mapping[str, Player]
) -> str:
    """Everything in its order; the table as text."""
    matches = folder_games(arguments.matches)
    if arguments.matches and not matches:
        raise MatchError("expected finished games in the folders of --from, found none; give others, or leave it out")
    arguments.out.mkdir(parents=True, exist_ok=True)
    asked = _readable(hero, _positions(arguments, matches))
    defender, opponent = others[arguments.defender], others[arguments.opponent]
    fixtures = sanity.schedule(
        hero.name, _endgames(arguments, hero), ahead=asked.ahead, defender=defender.name, opponent=opponent.name
    )
    rows = sanity.mate_rows(asked.mates, _moves(hero, asked.mates))
    played = _played(arguments, fixtures, players, hero)
    rows += [sanity.conversion_row(played, kind, hero.name) for kind in sanity.ENDGAMES]
    rows += [*sanity.ahead_rows(played, hero.name), *_repeats(hero, played, matches)]
    return _write(arguments.out, rows, _notes(arguments, hero, others, played))


def _positions(arguments: argparse.Namespace, matches: Sequence[Played]) -> sanity.Positions:
    """Of a file, or of matches and then kept in the folder; at most as many as were asked for."""
    if arguments.positions or not matches:
        found = sanity.sorted_out(boards.read_examples(_file(arguments)))
        return sanity.Positions(found.mates[: arguments.mates], found.ahead[: arguments.ahead])
    mates = sanity.mate_positions(matches, count=arguments.mates, seed=arguments.seed)
    found = sanity.Positions(mates, _judged(matches, count=arguments.ahead, seed=arguments.seed))
    write_text(arguments.out / "positions.txt", sanity.as_text(found))
    return found


def _file(arguments: argparse.Namespace) -> Path:
    return arguments.positions or sanity.POSITIONS


def _judged(games: Sequence[Played], *, count: int, seed: int) -> list[chess.Board]:
    """Positions in which Stockfish finds a side far ahead. Raises MatchError when there is no Stockfish."""
    if not count:
        return []
    stockfish, go = find_stockfish(), go_command(JUDGE_LIMIT)
    if stockfish is None:
        raise MatchError(f"expected Stockfish to find who is ahead (--ahead 0 does without). {INSTALL_STOCKFISH}")
    try:
        engine = Engine(Setup((stockfish,), (("Hash", "16"),)))
        try:

            def judge(board: chess.Board) -> int:
                return engine.best_lines(f"position fen {board.fen()}", go, 1)[0].score_cp

            return sanity.ahead_positions(games, judge, count=count, seed=seed)
        finally:
            engine.close()
    except EngineFailure as failure:
        raise MatchError(f"expected Stockfish to judge positions: it {failure}") from None


def _readable(hero: NetPlayer, found: sanity.Positions) -> sanity.Positions:
    """A blind net knows positions only by their games from the initial position."""
    if not hero.evaluator.net.info.blind:
        return found
    return sanity.Positions(
        *([board for board in part if board.root().fen() == chess.STARTING_FEN] for part in (found.mates, found.ahead))
    )


def _endgames(arguments: argparse.Namespace, hero: NetPlayer) -> dict[str, list[chess.Board]]:
    """None for a blind net, for the same reason."""
    if hero.evaluator.net.info.blind:
        return {}
    return {
        kind: sanity.endgames(piece, count=arguments.endgames, seed=arguments.seed) for kind, piece in sanity.ENDGAMES.items()
    }


def _moves(hero: NetPlayer, positions: Sequence[chess.Board]) -> list[chess.Move]:
    """As the hero would play at the board, repetitions avoided, in batches."""
    found: list[chess.Move] = []
    for begin in range(0, len(positions), _BATCH):
        numbers = range(begin, min(begin + _BATCH, len(positions)))
        answers = hero.moves([Turn(i, positions[i]) for i in numbers])
        found += [move for move in answers if not isinstance(move, Forfeit)]  # a net gives none
        for i in numbers:
            hero.forget(i)
    return found


def _played(
    arguments: argparse.Namespace, fixtures: Sequence[Fixture], players: Mapping[str, Player], hero: NetPlayer
) -> list[Played]:
    """The games, by the runner of matches: those that the folder holds are not played again."""
    results = Results(arguments.out, _settings(fixtures, players))
    try:
        with Progress(len(fixtures), results.played, hero.name, {}, None) as progress:
            play(
                fixtures,
                players,
                results=results,
                at_once=arguments.at_once,
                workers=arguments.workers,
                rules=_RULES,
                report=progress.add,
            )
    finally:
        results.close()
    return results.played


def _settings(fixtures: Sequence[Fixture], players: Mapping[str, Player]) -> dict[str, Any]:
    """What must be the same when a folder's games are gone on with."""
    told = "\n".join(f"{f.white} {f.black} {f.opening}" for f in fixtures)
    return {
        "players": {name: identity(player) for name, player in players.items()},
        "rules": asdict(_RULES),
        "positions": hashlib.sha256(told.encode()).hexdigest()[:16],
    }


def _repeats(hero: NetPlayer, played: Sequence[Played], matches: Sequence[Played]) -> list[sanity.Row]:
    """Shuffling in each kind of game and in all of them."""
    ends = [game for kind in sanity.ENDGAMES for game in sanity.of_kind(played, kind)]
    ahead = sanity.of_kind(played, sanity.AHEAD)
    where = {"endgames": ends, "+5": ahead, "matches": list(matches), "all": [*ends, *ahead, *matches]}
    rows = []
    for name, games in where.items():
        lead = sanity.lead_of(games, hero.name)
        rows.append(sanity.repeats_row(name, lead, evaluate(hero, [board for board, _ in lead.repeated])))
    return rows


def _notes(
    arguments: argparse.Namespace, hero: NetPlayer, others: Mapping[str, Player], played: Sequence[Played]
) -> dict[str, object]:
    info, matches = hero.evaluator.net.info, ", ".join(folder.resolve().name for folder in arguments.matches)
    notes: dict[str, object] = {
        "net": f"{info.name} ({info.precision}), "
        + (f"conditioned on rating {hero.rating}" if hero.rating else "not conditioned on a rating"),
        "temperature": arguments.temperature,
        "seed": arguments.seed,
        "positions": matches if matches and not arguments.positions else _file(arguments).name,
        "matches": matches or "none given",
        "defender of endgames": _told(others[arguments.defender]),
        "opponent from +5": _told(others[arguments.opponent]),
    }
    notes |= {f"endings, {kind}": sanity.endings(played, kind) for kind in sanity.ENDGAMES}
    notes["endings, +5"] = sanity.endings(played, sanity.AHEAD)
    forfeits = sum(game.reason.startswith("forfeit") for game in played)
    if forfeits:
        notes["not counted"] = f"{forfeits} games that ended by a forfeit"
    if info.blind:
        notes["not asked"] = "positions without their games (endgames among them): the net is blind"
    return notes


def _told(player: Player) -> str:
    """A player's name and, of an engine, what it says that it is."""
    if not (isinstance(player, SpecPlayer) and isinstance(player.spec, EngineSpec)):
        return player.name
    try:
        engine = Engine(player.spec.setup)
    except EngineFailure as failure:
        raise MatchError(f"expected {player.name} to tell its version: it {failure}") from None
    engine.close()
    return f"{player.name} ({engine.name})"


def _write(out: Path, rows: Sequence[sanity.Row], notes: Mapping[str, object]) -> str:
    text = sanity.table(rows, notes)
    write_text(out / "sanity.json", json.dumps(sanity.as_json(rows, notes), indent=1) + "\n")
    write_text(out / "sanity.txt", text + "\n")
    return text
