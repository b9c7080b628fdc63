"""Stated weaknesses: how a player that has one errs, and where.

Knows phases of the game, which pieces a move concerns, and the kinds of error. Pure but for the engine that it is handed
as a function: the same random numbers give the same errors. Does not know processes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import chess

from engine.errors import MatchError
from match.players.client import EngineLine
from match.players.interface import Forfeit

ERRORS = ("random", "softmax", "worst", "habit")
PHASES = ("opening", "middlegame", "endgame")
PIECES = tuple(chess.piece_name(kind) for kind in chess.PIECE_TYPES)

_OPENING_PLIES = 20
_ENDGAME_PIECES = 6

AskLines = Callable[[int], list[EngineLine]]
"""The base player's best moves, as many as wanted, best first."""


@dataclass(frozen=True)
class Weakness:
    """One way to err. Of a player's weaknesses the first that strikes decides the move."""

    error: str
    """random: any legal move. softmax: one of the base's ``lines`` best moves, p proportional to exp(score /
    temperature_cp). worst: the last of these. habit: always the same kind of move, the leftmost pawn that can advance or
    capture, else the leftmost piece: an error that all who have it share, and that can be learnt from their games."""
    probability: float = 1.0
    """How often it strikes where it can."""
    phases: tuple[str, ...] = ()
    """Only in these: opening (the first ten moves), endgame (at most six pieces besides kings and pawns), middlegame (the
    rest); empty = in all."""
    pieces: tuple[str, ...] = ()
    """Only when the move that the base would play moves or captures one of these; empty = always."""
    temperature_cp: float = 100.0
    """Of softmax, in centipawns."""
    lines: int = 4
    """Moves that softmax and worst choose among."""

    def __post_init__(self) -> None:
        _one_of("error", self.error, ERRORS)
        for phase in self.phases:
            _one_of("phases", phase, PHASES)
        for piece in self.pieces:
            _one_of("pieces", piece, PIECES)
        if not 0 <= self.probability <= 1:
            raise MatchError(f"expected a weakness's probability from 0 to 1, got {self.probability}")
        if self.temperature_cp <= 0 or self.lines < 2:
            raise MatchError(f"expected temperature_cp > 0 and lines >= 2, got {self.temperature_cp} and {self.lines}")


def _one_of(field: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise MatchError(f"expected a weakness's {field} to be of {', '.join(known)}, got {value!r}")


def phase(board: chess.Board) -> str:
    """Which part of the game a position belongs to."""
    if (board.occupied & ~board.pawns & ~board.kings).bit_count() <= _ENDGAME_PIECES:
        return "endgame"
    return "opening" if board.ply() < _OPENING_PLIES else "middlegame"


def weak_move(weaknesses: Sequence[Weakness], board: chess.Board, draws: random.Random, ask: AskLines) -> chess.Move:
    """The move of a player that has these weaknesses. The base is asked only where it matters, and its scores only when
    a softmax or worst strikes. Raises Forfeit when the base gives no move."""
    best: chess.Move | None = None
    for weakness in weaknesses:
        if weakness.phases and phase(board) not in weakness.phases:
            continue
        if draws.random() >= weakness.probability:
            continue
        if weakness.pieces:
            best = best or move_of(ask(1)[0].move)
            if not concerns(board, best, weakness.pieces):
                continue
        return _err(weakness, board, draws, ask)
    return best or move_of(ask(1)[0].move)


def concerns(board: chess.Board, move: chess.Move, pieces: Sequence[str]) -> bool:
    """Whether the move moves or captures one of these piece types."""
    taken = chess.PAWN if board.is_en_passant(move) else board.piece_type_at(move.to_square)
    return any(kind and chess.piece_name(kind) in pieces for kind in (board.piece_type_at(move.from_square), taken))


def _err(weakness: Weakness, board: chess.Board, draws: random.Random, ask: AskLines) -> chess.Move:
    if weakness.error == "random":
        return draws.choice(list(board.legal_moves))
    if weakness.error == "habit":
        return min(board.legal_moves, key=lambda move: _leftmost(board, move))
    lines = ask(weakness.lines)
    if weakness.error == "worst":
        return move_of(lines[-1].move)
    top = max(line.score_cp for line in lines)
    weights = [math.exp((line.score_cp - top) / weakness.temperature_cp) for line in lines]
    return move_of(draws.choices(lines, weights)[0].move)


def _leftmost(board: chess.Board, move: chess.Move) -> tuple[bool, int, int, int]:
    flip = 0 if board.turn else 56
    start = move.from_square ^ flip
    not_pawn = board.piece_type_at(move.from_square) != chess.PAWN
    return not_pawn, chess.square_file(start), start, -((move.to_square ^ flip) + 64 * (move.promotion or 0))


def move_of(text: str) -> chess.Move:
    """A move that an engine wrote. Raises Forfeit when it is none."""
    if text in ("", "0000", "(none)"):
        raise Forfeit("gave no move")
    try:
        return chess.Move.from_uci(text)
    except ValueError:
        raise Forfeit(f"gave {text[:20]!r} for a move") from None
