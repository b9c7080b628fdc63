"""What a player is: one who is asked for moves in many games at once, so that a net can answer them all in one batch.

All but nets are also *specs*: small values that a worker process can be sent, to play whole games by itself
(``match.play.bulk``). Knows what is asked and answered. Does not know how players think, openings or scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import chess

from match.players.client import Engines


class Forfeit(Exception):
    """A player did not give a legal move; the text says what it did instead."""


@dataclass(frozen=True)
class Turn:
    """A position in which a player is to move."""

    game: int
    """Number of the game, the same for all its turns."""
    board: chess.Board
    """With its whole move stack; not to be changed."""
    whole: str = ""
    """The UCI ``position`` command with the whole game."""
    short: str = ""
    """The same from the last capture or pawn move on: all that counts for repetitions, and quickly read by an engine."""


class Player(Protocol):
    """One who can be asked for moves."""

    @property
    def name(self) -> str:
        """Unique in a match; PGN and tables show it."""

    @property
    def anchor(self) -> float | None:
        """Fixed rating, where one is known; None to be rated."""

    @property
    def spec(self) -> Spec | None:
        """What a worker process needs to play as this player; None for a net, which stays here."""

    def moves(self, turns: Sequence[Turn]) -> list[chess.Move | Forfeit]:
        """An answer to each turn, in order."""

    def forget(self, game: int) -> None:
        """The game is over."""

    def close(self) -> None:
        """The match is over."""


class Spec(Protocol):
    """A player as a value: picklable, with no process or state of its own."""

    @property
    def name(self) -> str:
        """Unique in a match."""

    @property
    def anchor(self) -> float | None:
        """Fixed rating, where one is known."""

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        """A move. Raises Forfeit when there is none."""
