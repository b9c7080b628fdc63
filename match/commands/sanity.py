"""What ``bin/match sanity`` does: positions in, the net asked and games played, a table out.

Knows folders, players and Stockfish as the judge. Does not know what is counted (``match.studies.sanity``) or how games
are played.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import chess

from engine.errors import MatchError
from engine.files import write_text
from match.commands.common import factory_of, folder_games
from match.commands.studies import evaluate
from match.options import NetOptions, add_study_options, count, net_options, positive
from match.play.game import Played, Rules
from match.play.results import Results
from match.play.runner import play
from match.play.schedule import Fixture
from match.play.session import MatchProgress, identity
from match.players.at_board import SpecPlayer
from match.players.client import INSTALL_STOCKFISH, Engine, EngineFailure, Setup, find_stockfish
from match.players.engine import EngineSpec, go_command
from match.players.interface import Forfeit, Player, Turn
from match.players.net import NetPlayer
from match.players.population import DEFAULT_TEMPERATURE, FORMS, PlayerFactory, distinct
from match.studies import boards
from match.studies import sanity as sanity_study

JUDGE_LIMIT = "depth=10"
_RULES = Rules()
_BATCH = 32


@dataclass(frozen=True)
class SanityOptions:
    """What is asked of the net, and where the answers go."""

    net: str | None
    temperature: float
    matches: tuple[Path, ...]
    """Folders of matches played earlier."""
    positions: Path | None
    mates: int
    endgames: int
    """Of each kind."""
    ahead: int
    defender: str
    opponent: str
    out: Path
    at_once: int
    nets: NetOptions


def add_options(options: argparse.ArgumentParser) -> None:
    """The options of the command."""
    options.add_argument("--temperature", type=float, default=DEFAULT_TEMPERATURE, help="of the net (default: %(default)s)")
    options.add_argument(
        "--from",
        dest="matches",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="of a match: positions come from it unless --positions is given; the net's shuffling there is counted too",
    )
    options.add_argument("--positions", type=Path, metavar="FILE", help="as --from alone writes them (default: own file)")
    options.add_argument("--mates", type=count, default=300, help="positions with a mate in one (default: %(default)s)")
    options.add_argument("--endgames", type=count, default=100, help="games of each kind (default: %(default)s)")
    options.add_argument("--ahead", type=count, default=150, help="games from +5, at most (default: %(default)s)")
    options.add_argument("--defender", default="stockfish@depth=6", help="of endgames, full skill (default: %(default)s)")
    options.add_argument("--opponent", default="stockfish:0", help="from +5 (default: %(default)s)")
    options.add_argument(
        "--out", type=Path, required=True, help="folder for table, numbers and games; games found there are kept"
    )
    options.add_argument("--at-once", type=positive, default=64, help="games that the net plays side by side (default: 64)")
    add_study_options(options)


def sanity(arguments: argparse.Namespace) -> None:
    """Mates in one, won endgames, positions far ahead, and shuffling, of a net at a temperature."""
    options = SanityOptions(
        arguments.net,
        arguments.temperature,
        tuple(arguments.matches),
        arguments.positions,
        arguments.mates,
        arguments.endgames,
        arguments.ahead,
        arguments.defender,
        arguments.opponent,
        arguments.out,
        arguments.at_once,
        net_options(arguments),
    )
    print(measure(options))


def measure(options: SanityOptions) -> str:
    """The table as text; it and all numbers are written to the folder."""
    factory = factory_of(options.nets)
    hero = factory.net(options.net, options.temperature)
    others = {text: _one(factory, text) for text in dict.fromkeys((options.defender, options.opponent))}
    players = distinct([hero, *others.values()])
    try:
        return _measured(options, hero, others, players)
    finally:
        for player in players.values():
            player.close()


def _one(factory: PlayerFactory, text: str) -> Player:
    players = factory.players(text)
    if len(players) != 1:
        raise MatchError(f"expected one player ({FORMS}), got {len(players)} in {text!r}; name one by FILE.toml:NAME")
    return players[0]


def _measured(options: SanityOptions, hero: NetPlayer, others: Mapping[str, Player], players: Mapping[str, Player]) -> str:
    """Everything in its order; the table as text."""
    matches = folder_games(options.matches)
    if options.matches and not matches:
        raise MatchError("expected finished games in the folders of --from, found none; give others, or leave it out")
    options.out.mkdir(parents=True, exist_ok=True)
    asked = _readable(hero, _positions(options, matches))
    defender, opponent = others[options.defender], others[options.opponent]
    fixtures = sanity_study.schedule(
        hero.name, _endgames(options, hero), ahead=asked.ahead, defender=defender.name, opponent=opponent.name
    )
    rows = sanity_study.mate_rows(asked.mates, _moves(hero, asked.mates))
    played = _played(options, fixtures, players, hero)
    rows += [sanity_study.conversion_row(played, kind, hero.name) for kind in sanity_study.ENDGAMES]
    rows += [*sanity_study.ahead_rows(played, hero.name), *_repeats(hero, played, matches)]
    return _write(options.out, rows, _notes(options, hero, others, played))


def _positions(options: SanityOptions, matches: Sequence[Played]) -> sanity_study.SanityPositions:
    """Of a file, or of matches and then kept in the folder; at most as many as were asked for."""
    if options.positions or not matches:
        positions = sanity_study.sorted_out(boards.read_examples(_file(options)))
        return sanity_study.SanityPositions(positions.mates[: options.mates], positions.ahead[: options.ahead])
    mates = sanity_study.mate_positions(matches, count=options.mates, seed=options.nets.seed)
    positions = sanity_study.SanityPositions(mates, _judged(matches, count=options.ahead, seed=options.nets.seed))
    write_text(options.out / "positions.txt", sanity_study.as_text(positions))
    return positions


def _file(options: SanityOptions) -> Path:
    return options.positions or sanity_study.POSITIONS


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

            return sanity_study.ahead_positions(games, judge, count=count, seed=seed)
        finally:
            engine.close()
    except EngineFailure as failure:
        raise MatchError(f"expected Stockfish to judge positions: it {failure}") from None


def _readable(hero: NetPlayer, positions: sanity_study.SanityPositions) -> sanity_study.SanityPositions:
    """A blind net knows positions only by their games from the initial position."""
    if not hero.evaluator.net.info.blind:
        return positions
    return sanity_study.SanityPositions(
        *([board for board in part if board.root().fen() == chess.STARTING_FEN] for part in (positions.mates, positions.ahead))
    )


def _endgames(options: SanityOptions, hero: NetPlayer) -> dict[str, list[chess.Board]]:
    """None for a blind net, for the same reason."""
    if hero.evaluator.net.info.blind:
        return {}
    return {kind: sanity_study.endgames(kind, count=options.endgames, seed=options.nets.seed) for kind in sanity_study.ENDGAMES}


def _moves(hero: NetPlayer, positions: Sequence[chess.Board]) -> list[chess.Move]:
    """As the hero would play at the board, repetitions avoided, in batches."""
    moves: list[chess.Move] = []
    for begin in range(0, len(positions), _BATCH):
        numbers = range(begin, min(begin + _BATCH, len(positions)))
        answers = hero.moves([Turn(i, positions[i]) for i in numbers])
        moves += [move for move in answers if not isinstance(move, Forfeit)]  # a net gives none
        for i in numbers:
            hero.forget(i)
    return moves


def _played(
    options: SanityOptions, fixtures: Sequence[Fixture], players: Mapping[str, Player], hero: NetPlayer
) -> list[Played]:
    """The games, by the runner of matches: those that the folder holds are not played again."""
    results = Results(options.out, _settings(fixtures, players))
    try:
        with MatchProgress(len(fixtures), results.played, hero.name, {}, None) as progress:
            play(
                fixtures,
                players,
                results=results,
                at_once=options.at_once,
                workers=options.nets.workers,
                rules=_RULES,
                report=progress.add,
            )
    finally:
        results.close()
    return results.played


def _settings(fixtures: Sequence[Fixture], players: Mapping[str, Player]) -> dict[str, Any]:
    """What must be the same when a folder's games are resumed."""
    lines = "\n".join(f"{f.white} {f.black} {f.opening}" for f in fixtures)
    return {
        "players": {name: identity(player) for name, player in players.items()},
        "rules": asdict(_RULES),
        "positions": hashlib.sha256(lines.encode()).hexdigest()[:16],
    }


def _repeats(hero: NetPlayer, played: Sequence[Played], matches: Sequence[Played]) -> list[sanity_study.Row]:
    """Shuffling in each kind of game and in all of them."""
    ends = [game for kind in sanity_study.ENDGAMES for game in sanity_study.of_kind(played, kind)]
    ahead = sanity_study.of_kind(played, sanity_study.AHEAD)
    where = {"endgames": ends, "+5": ahead, "matches": list(matches), "all": [*ends, *ahead, *matches]}
    rows = []
    for name, games in where.items():
        lead = sanity_study.lead_of(games, hero.name)
        rows.append(sanity_study.repeats_row(name, lead, evaluate(hero, [board for board, _ in lead.repeated])))
    return rows


def _notes(
    options: SanityOptions, hero: NetPlayer, others: Mapping[str, Player], played: Sequence[Played]
) -> dict[str, object]:
    info, matches = hero.evaluator.net.info, ", ".join(folder.resolve().name for folder in options.matches)
    notes: dict[str, object] = {
        "net": f"{info.name} ({info.precision}), "
        + (f"conditioned on rating {hero.rating}" if hero.rating else "not conditioned on a rating"),
        "temperature": options.temperature,
        "seed": options.nets.seed,
        "positions": matches if matches and not options.positions else _file(options).name,
        "matches": matches or "none given",
        "defender of endgames": _description(others[options.defender]),
        "opponent from +5": _description(others[options.opponent]),
    }
    notes |= {f"endings, {kind}": sanity_study.endings(played, kind) for kind in sanity_study.ENDGAMES}
    notes["endings, +5"] = sanity_study.endings(played, sanity_study.AHEAD)
    forfeits = sum(game.reason.startswith("forfeit") for game in played)
    if forfeits:
        notes["not counted"] = f"{forfeits} games that ended by a forfeit"
    if info.blind:
        notes["not asked"] = "positions without their games (endgames among them): the net is blind"
    return notes


def _description(player: Player) -> str:
    """A player's name and, of an engine, what it says that it is."""
    if not (isinstance(player, SpecPlayer) and isinstance(player.spec, EngineSpec)):
        return player.name
    try:
        engine = Engine(player.spec.setup)
    except EngineFailure as failure:
        raise MatchError(f"expected {player.name} to tell its version: it {failure}") from None
    engine.close()
    return f"{player.name} ({engine.name})"


def _write(out: Path, rows: Sequence[sanity_study.Row], notes: Mapping[str, object]) -> str:
    text = sanity_study.sanity_table(rows, notes)
    write_text(out / "sanity.json", json.dumps(sanity_study.as_json(rows, notes), indent=1) + "\n")
    write_text(out / "sanity.txt", text + "\n")
    return text
