"""One game between two players, as the runner sees it: whose turn it is, how it ended, what is kept of it.

Knows the rules' endings, adjudication and forfeits. Does not know how players think, or files.
"""

from __future__ import annotations

from dataclasses import dataclass

import chess

from engine.encoding import position_key
from match.material import material_lead
from match.play.schedule import Fixture
from match.players.interface import Forfeit, Turn
from match.statistics.scores import WHITE_POINTS, Score

_ADJUDICATED_PLIES = 10  # a lead must last this long: no exchange takes more


@dataclass(frozen=True)
class Rules:
    """When a game ends that the rules of chess would not end."""

    most_plies: int = 600
    """A game this long is a draw: nets without search can shuffle for ever where no rule ends the game. The paper's
    protocol stops after 89 moves, which is 178."""
    adjudicate_material: int = 0
    """A side that is ahead by so many points of material for ten plies wins; 0 = play on. Off for the paper's protocol."""


@dataclass(frozen=True)
class Played:
    """A finished game, as the results file keeps it."""

    number: int
    white: str
    black: str
    opening: str
    pair: str
    result: str
    reason: str
    """checkmate, stalemate, repetition, fifty moves, material, length, adjudicated, or whose fault it was."""
    fen: str
    moves: str
    """UCI, blank-separated, from ``fen``, the opening's included."""
    opening_plies: int
    date: str = "????.??.??"

    @property
    def plies(self) -> int:
        """Length, the opening's moves included."""
        return self.moves.count(" ") + 1 if self.moves else 0

    def position(self, plies: int) -> chess.Board:
        """The board after so many plies, with them on its stack."""
        board = chess.Board(self.fen)
        for text in self.moves.split()[:plies]:
            board.push_uci(text)
        return board

    def score(self) -> Score:
        """What counts for ratings."""
        return Score(self.white, self.black, WHITE_POINTS[self.result], self.pair)


class LiveGame:
    """A game that is being played."""

    def __init__(self, fixture: Fixture, rules: Rules) -> None:
        self.fixture = fixture
        self._rules = rules
        self.board = chess.Board(fixture.opening.fen)
        self._seen: dict[object, int] = {}
        self._ahead, self._since = 0, 0
        self._whole = (
            "position startpos" if fixture.opening.fen == chess.STARTING_FEN else f"position fen {fixture.opening.fen}"
        )
        self._short = self._whole
        self._count()
        for text in fixture.opening.moves:
            self._push(chess.Move.from_uci(text))
        self.ending = self._ending()

    @property
    def player(self) -> str:
        """Who is to move."""
        return self.fixture.white if self.board.turn else self.fixture.black

    @property
    def turn(self) -> Turn:
        """What that player is asked."""
        return Turn(self.fixture.number, self.board, self._whole, self._short)

    def play(self, answer: chess.Move | Forfeit) -> None:
        """The player's move, or what it did instead."""
        if isinstance(answer, Forfeit) or not self.board.is_legal(answer):
            fault = str(answer) if isinstance(answer, Forfeit) else f"illegal move {answer.uci()}"
            self.ending = ("0-1" if self.board.turn else "1-0", f"forfeit by {self.player}: {fault}")
            return
        self._push(answer)
        self.ending = self._ending()

    def _push(self, move: chess.Move) -> None:
        board, text = self.board, move.uci()
        gap = " " if board.move_stack else " moves "
        self._whole += gap + text
        board.push(move)
        if board.halfmove_clock == 0:
            self._seen.clear()  # no position returns over a capture or pawn move
            self._short = f"position fen {board.fen()}"
        else:
            self._short += (" " if " moves " in self._short else " moves ") + text
        self._count()

    def _count(self) -> None:
        key = position_key(self.board)
        self._times = self._seen.get(key, 0) + 1
        self._seen[key] = self._times

    def _ending(self) -> tuple[str, str] | None:
        """Result and reason, when the game is over: draws by repetition and fifty moves need no claim, as in tournaments
        run by a program."""
        board = self.board
        if not any(board.generate_legal_moves()):
            if board.is_check():
                return ("0-1" if board.turn else "1-0", "checkmate")
            return ("1/2-1/2", "stalemate")
        if board.is_insufficient_material():
            return ("1/2-1/2", "material")
        if self._times >= 3:
            return ("1/2-1/2", "repetition")
        if board.halfmove_clock >= 100:
            return ("1/2-1/2", "fifty moves")
        if len(board.move_stack) >= self._rules.most_plies:
            return ("1/2-1/2", "length")
        return self._adjudicated() if self._rules.adjudicate_material else None

    def _adjudicated(self) -> tuple[str, str] | None:
        lead = material_lead(self.board)
        ahead = 0 if abs(lead) < self._rules.adjudicate_material else (1 if lead > 0 else -1)
        if ahead != self._ahead:
            self._ahead, self._since = ahead, len(self.board.move_stack)
        if not ahead or len(self.board.move_stack) - self._since < _ADJUDICATED_PLIES:
            return None
        return ("1-0" if ahead > 0 else "0-1", "adjudicated: material")

    def finished(self, date: str = "????.??.??") -> Played:
        """The record. Only for a game that has ended."""
        if self.ending is None:
            raise ValueError(f"game {self.fixture.number} is not over")
        f, moves = self.fixture, " ".join(move.uci() for move in self.board.move_stack)
        return Played(
            f.number, f.white, f.black, f.opening.name, f.pair, *self.ending, f.opening.fen, moves, len(f.opening.moves), date
        )
