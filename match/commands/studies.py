"""What the commands that look into a net's choices do: where low temperature gains, how it shifts single boards, and whose
moves they are.

Knows folders, players and Stockfish as the judge. Does not know what is measured (``match.studies.advantage``,
``match.studies.boards``, ``match.studies.agreement``).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import chess

from engine.errors import MatchError
from engine.figures import has_matplotlib
from engine.files import write_text
from engine.inference.evaluation import Evaluation
from engine.inference.evaluator import Players, Request
from match.commands.common import factory_of
from match.options import add_study_options, net_options, positive
from match.play.results import read_results, results_of
from match.players.client import INSTALL_STOCKFISH, Engine, EngineFailure, Engines, Setup, find_stockfish
from match.players.engine import go_command
from match.players.interface import Forfeit, Spec
from match.players.net import NetPlayer
from match.players.population import PlayerFactory
from match.studies import advantage as advantage_study
from match.studies import agreement as agreement_study
from match.studies import boards as board_study

_BATCH = 32


def evaluate(player: NetPlayer, positions: Sequence[chess.Board]) -> list[Evaluation]:
    """What the net makes of each position, with its game and the player's rating."""
    evaluator = player.evaluator
    players = Players(player.rating, player.rating, player.scale if player.rating else 0)
    evaluations: list[Evaluation] = []
    for begin in range(0, len(positions), _BATCH):
        part = positions[begin : begin + _BATCH]
        evaluations += evaluator.evaluate([Request(board, evaluator.new_game(), players) for board in part])
    return evaluations


def add_advantage_options(options: argparse.ArgumentParser) -> None:
    """The options of ``advantage``."""
    options.add_argument("folder", type=Path, help="of a match: its games give the states")
    options.add_argument("--states", type=positive, default=500, help="one a game (default: %(default)s)")
    options.add_argument("--limit", default="depth=10", help="of Stockfish for all moves of a state (default: %(default)s)")
    options.add_argument("--out", type=Path, required=True, help="folder for table, numbers and figure")
    add_study_options(options)


def add_boards_options(options: argparse.ArgumentParser) -> None:
    """The options of ``boards``."""
    options.add_argument("--positions", type=Path, default=board_study.EXAMPLES, help="lines of name | FEN or start | moves")
    options.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    add_study_options(options)


def add_agreement_options(options: argparse.ArgumentParser) -> None:
    """The options of ``agreement``."""
    options.add_argument("folder", type=Path, help="of a match, or its packed results")
    options.add_argument("first", help="a player, as in a match: herd-0.toml, stockfish@depth=1, …")
    options.add_argument("second", help="another one")
    options.add_argument("--of", required=True, metavar="NAME", help="the player of the match whose moves are looked at")
    options.add_argument("--positions", type=positive, default=2000, help="drawn from its games (default: %(default)s)")
    options.add_argument("--out", type=Path, help="also write the table here")
    add_study_options(options)


def agreement(arguments: argparse.Namespace) -> None:
    """``agreement``: whether a player of a match moves as one other player would, or as another."""
    games = read_results(results_of(arguments.folder))
    moves = agreement_study.draw_moves(games, arguments.of, count=arguments.positions, seed=arguments.seed)
    factory = factory_of(net_options(arguments))
    first, second = (_spec(factory, text) for text in (arguments.first, arguments.second))
    engines = Engines()
    try:
        found = agreement_study.agreement(moves, first, second, engines)
    except Forfeit as forfeit:
        raise MatchError(f"expected {first.name} and {second.name} to move in every position; one of them {forfeit}") from None
    finally:
        engines.close()
    text = agreement_study.agreement_table(found, player=arguments.of, first=first.name, second=second.name)
    print(text)
    if arguments.out:
        write_text(arguments.out, text + "\n")


def _spec(factory: PlayerFactory, text: str) -> Spec:
    """One player who is asked by himself."""
    players = factory.players(text)
    if len(players) != 1:
        raise MatchError(f"expected one player, got the {len(players)} of {text}; name one as {text}:NAME")
    if (spec := players[0].spec) is None:
        raise MatchError(
            f"expected a player who can be asked by himself, got the net {text}; give it a search ({text}@0,nodes=64)"
        )
    return spec


def advantage(arguments: argparse.Namespace) -> None:
    """``advantage``: what the net's moves are worth at several temperatures, in states of games that were played."""
    stockfish = find_stockfish()
    if stockfish is None:
        raise MatchError(f"expected Stockfish to judge the moves. {INSTALL_STOCKFISH}")
    path = results_of(arguments.folder)
    player = factory_of(net_options(arguments)).net(arguments.net, 1.0)
    states = advantage_study.draw_states(read_results(path), count=arguments.states, seed=arguments.seed)
    rewards = _judged(states, stockfish, limit=arguments.limit, workers=arguments.workers)
    measured = advantage_study.measure(evaluate(player, states), rewards, advantage_study.TEMPERATURES)
    notes = {"net": player.evaluator.net.info.name, "limit": arguments.limit, "seed": arguments.seed}
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_text(arguments.out / "advantage.json", json.dumps(advantage_study.as_json(measured, **notes)) + "\n")
    write_text(arguments.out / "advantage.txt", advantage_study.advantage_table(measured) + "\n")
    print(advantage_study.advantage_table(measured))
    if has_matplotlib(without="no figure"):
        (arguments.out / "advantage.png").write_bytes(advantage_study.figure(measured))


def _judged(states: Sequence[chess.Board], stockfish: str, *, limit: str, workers: int) -> list[dict[chess.Move, float]]:
    go, setup = go_command(limit), Setup((stockfish,), (("UCI_ShowWDL", "true"), ("Hash", "16")))
    engines: list[Engine] = []
    try:
        for _ in range(workers):
            engines.append(Engine(setup))  # noqa: PERF401 (those that started must be closed when a later one does not)
        return advantage_study.judge_states(states, [advantage_study.asks(engine, go) for engine in engines])
    except EngineFailure as failure:
        raise MatchError(f"expected Stockfish to judge the moves: it {failure}") from None
    finally:
        for engine in engines:
            engine.close()


def boards(arguments: argparse.Namespace) -> None:
    """``boards``: example positions as SVG, with the net's moves at several temperatures."""
    player = factory_of(net_options(arguments)).net(arguments.net, 1.0)
    chosen = board_study.read_examples(arguments.positions)
    if player.evaluator.net.info.blind:  # it knows positions only by their games
        chosen = [example for example in chosen if example.board.root().fen() == chess.STARTING_FEN]
    arguments.out.mkdir(parents=True, exist_ok=True)
    for example, evaluation in zip(chosen, evaluate(player, [e.board for e in chosen]), strict=True):
        path = arguments.out / f"{example.slug}.svg"
        write_text(path, board_study.picture(example, evaluation))
        print(path)
