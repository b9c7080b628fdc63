"""Whose moves does a player of a match make: in positions that it met, those of one other player or of another?

It tells an error that a net has kept from one that was outvoted: the experts' error is a player, and so is the base without it.
Knows how positions are drawn from games and how moves are counted. Does not know how players are made, or the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import chess
import numpy as np

from engine.errors import MatchError
from match.play.game import Played
from match.players.client import Engines
from match.players.interface import Spec, Turn
from match.studies.sanity import Share


@dataclass(frozen=True)
class Agreement:
    """How often a player moved as two others would have."""

    same: Share
    """Positions in which the two others would play the same move."""
    as_both: Share
    """Of these: the player's move is that one."""
    as_first: Share
    """Of the positions in which they differ: the player's move is the first one's."""
    as_second: Share
    """The same of the second."""


def draw_moves(games: Sequence[Played], name: str, *, count: int, seed: int) -> list[tuple[Turn, chess.Move]]:
    """Moves that a player made, drawn at random from all of its own in ``games``, each with its turn. Fewer than
    ``count`` where there are not so many. Raises MatchError where the player has made none.
    """
    places = [
        (i, ply)
        for i, game in enumerate(games)
        if name in (game.white, game.black)
        for ply in range(game.opening_plies, game.plies)
        if (chess.Board(game.fen).turn == (ply % 2 == 0)) == (game.white == name)
    ]
    if not places:
        known = sorted({player for game in games for player in (game.white, game.black)})
        raise MatchError(f"expected moves of {name!r} in these games, found none; they are of {', '.join(known) or 'nobody'}")
    drawn = np.random.default_rng(seed).permutation(len(places))[:count]
    return [_turn(games[places[i][0]], places[i][1]) for i in drawn]


def _turn(game: Played, ply: int) -> tuple[Turn, chess.Move]:
    moves = game.moves.split()
    board = game.position(ply)
    whole = f"position fen {game.fen}" + (f" moves {' '.join(moves[:ply])}" if ply else "")
    return Turn(game.number, board, whole, f"position fen {board.fen()}"), chess.Move.from_uci(moves[ply])


def agreement(moves: Sequence[tuple[Turn, chess.Move]], first: Spec, second: Spec, engines: Engines) -> Agreement:
    """Ask both in every position, each as in a game of its own. Raises Forfeit when one gives no move."""
    same = as_both = as_first = as_second = 0
    for turn, played in moves:
        engines.new_game()
        one = first.answer(turn, engines)
        engines.new_game()  # both may be of one engine, whose hash table now knows the position
        other = second.answer(turn, engines)
        if one == other:
            same += 1
            as_both += played == one
        else:
            as_first += played == one
            as_second += played == other
    differ = len(moves) - same
    return Agreement(Share(same, len(moves)), Share(as_both, same), Share(as_first, differ), Share(as_second, differ))


def agreement_table(found: Agreement, *, player: str, first: str, second: str) -> str:
    """For people."""
    rows = [
        (f"{first} and {second} play the same", found.same),
        (f"there {player} plays it too", found.as_both),
        (f"where they differ: as {first}", found.as_first),
        (f"where they differ: as {second}", found.as_second),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{'moves of ' + player:{width}}   share     95 % interval      of"]
    for name, share in rows:
        low, high = share.interval
        lines.append(f"{name:{width}}  {share.value:6.1%}  {low:6.1%} to {high:6.1%}  {share.of:6,}")
    return "\n".join([*lines, "", "intervals: Wilson, as if moves of a game were independent"])
