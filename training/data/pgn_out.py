"""A store's games as PGN again.

Knows tags and standard algebraic notation. Names of players are not in a store, so they come out as ``?``. The tags
Source, RatingScale and TimeClass are our own; ``training.data.reading.pgn`` reads them, so nothing of a store is lost on
the way.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import chess

from engine.encoding import Scale
from engine.vocabulary import UCI_MOVES
from training.data.store import Game

_LINE = 80


def game_text(game: Game) -> str:
    """One game, tags and moves, with the empty line behind it."""
    tags = "".join(f'[{name} "{_escaped(value)}"]\n' for name, value in _tags(game))
    return f"{tags}\n{textwrap.fill(_movetext(game), _LINE, break_on_hyphens=False)}\n\n"


def _tags(game: Game) -> Iterable[tuple[str, str]]:
    date = f"{game.date:08d}"
    days = ".".join("?" * len(part) if not int(part) else part for part in (date[:4], date[4:6], date[6:]))
    yield from (("Event", "?"), ("Site", "?"), ("Date", days), ("Round", "?"), ("White", "?"), ("Black", "?"))
    yield "Result", game.result
    if game.start_fen is not None:
        yield from (("SetUp", "1"), ("FEN", game.start_fen))
    yield from ((name, str(elo)) for name, elo in (("WhiteElo", game.white_elo), ("BlackElo", game.black_elo)) if elo)
    yield from ((name, value) for name, value in _own_tags(game) if value != "unknown")
    yield "Source", game.source  # empty too: the host of a site would stand in for it


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _own_tags(game: Game) -> Iterable[tuple[str, str]]:
    yield "Termination", game.termination
    yield "TimeClass", game.time_class
    yield "RatingScale", Scale(game.scale).name.lower()


def _movetext(game: Game) -> str:
    board = chess.Board(game.start_fen or chess.STARTING_FEN)
    words: list[str] = []
    for move in game.moves.tolist():
        if board.turn or not words:
            words.append(f"{board.fullmove_number}{'.' if board.turn else '...'}")
        words.append(board.san_and_push(chess.Move.from_uci(UCI_MOVES[move])))
    return " ".join([*words, game.result])
