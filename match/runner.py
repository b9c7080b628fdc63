"""Plays a schedule: many games at once, each result on disk before the next is begun.

Knows turns, ends of games, forfeits and the results file. Does not know ratings or how players think.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import chess
import chess.pgn

from engine.encoding import position_key
from engine.errors import MatchError
from match.players import Forfeit, Player, Turn
from match.ratings import Score
from match.schedule import Fixture

MOST_PLIES = 600
"""A game this long is a draw: nets without search can shuffle for ever where no rule ends the game."""

_WHITE_POINTS = {"1-0": 1.0, "1/2-1/2": 0.5, "0-1": 0.0}


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
    """checkmate, stalemate, repetition, fifty moves, material, length, or whose fault it was."""
    fen: str
    moves: tuple[str, ...]
    """UCI, from ``fen``, the opening's included."""
    opening_plies: int

    def score(self) -> Score:
        return Score(self.white, self.black, _WHITE_POINTS[self.result], self.pair)


class _Game:
    """A game that is being played."""

    def __init__(self, fixture: Fixture) -> None:
        self.fixture = fixture
        self.board = fixture.opening.board()
        replay = self.board.root()
        self._seen = {position_key(replay): 1}
        for move in self.board.move_stack:
            replay.push(move)
            self._count(replay)
        self.ending = self._ending()

    @property
    def player(self) -> str:
        return self.fixture.white if self.board.turn else self.fixture.black

    def play(self, answer: chess.Move | Forfeit) -> None:
        if isinstance(answer, Forfeit) or not self.board.is_legal(answer):
            fault = str(answer) if isinstance(answer, Forfeit) else f"illegal move {answer.uci()}"
            self.ending = ("0-1" if self.board.turn else "1-0", f"forfeit by {self.player}: {fault}")
            return
        self.board.push(answer)
        self._count(self.board)
        self.ending = self._ending()

    def _count(self, board: chess.Board) -> None:
        key = position_key(board)
        self._seen[key] = self._seen.get(key, 0) + 1

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
        if self._seen[position_key(board)] >= 3:
            return ("1/2-1/2", "repetition")
        if board.halfmove_clock >= 100:
            return ("1/2-1/2", "fifty moves")
        if len(board.move_stack) >= MOST_PLIES:
            return ("1/2-1/2", "length")
        return None

    def finished(self) -> Played:
        result, reason = self.ending or ("*", "")
        f, moves = self.fixture, tuple(move.uci() for move in self.board.move_stack)
        return Played(
            f.number, f.white, f.black, f.opening.name, f.pair, result, reason, f.opening.fen, moves, len(f.opening.moves)
        )  # fmt: skip


class Results:
    """The results file: one JSON line a game, flushed to disk, so that a killed match loses no finished game."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.played = read_results(path) if path.exists() else []

    def missing(self, schedule: Sequence[Fixture]) -> list[Fixture]:
        """What is left to play. Raises MatchError when the file belongs to another schedule."""
        wanted = {f.number: f for f in schedule}
        for game in self.played:
            f = wanted.get(game.number)
            if f is None or (f.white, f.black, f.opening.name) != (game.white, game.black, game.opening):
                raise MatchError(f"{self._path} holds games of another match; give --out another folder, or remove it")
        done = {game.number for game in self.played}
        return [f for f in schedule if f.number not in done]

    def add(self, game: Played) -> None:
        """Append one game."""
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(game)) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise MatchError(
                f"cannot write {self._path}: {error.strerror}; the games so far are kept, free some room"
            ) from None
        self.played.append(game)


def read_results(path: Path) -> list[Played]:
    """The games of a results file; a last line that a kill cut short is dropped."""
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        partial = path.with_name(path.name + ".partial")
        partial.write_text(whole, encoding="utf-8")
        os.replace(partial, path)
    try:
        lines = [json.loads(line) for line in whole.splitlines()]
        return [Played(**line | {"moves": tuple(line["moves"])}) for line in lines]
    except (ValueError, TypeError, KeyError) as error:
        raise MatchError(f"{path} is no results file of this program: {error}") from None


def play(
    schedule: Sequence[Fixture], players: Mapping[str, Player], *, results: Results, at_once: int,
    report: Callable[[Played], None] = lambda game: None,
) -> None:  # fmt: skip
    """Play what is missing, ``at_once`` games side by side; ``report`` hears of each as it ends."""
    waiting = results.missing(schedule)[::-1]
    games: list[_Game] = []
    with ThreadPoolExecutor(len(players)) as pool:
        while waiting or games:
            while waiting and len(games) < at_once:
                games.append(_Game(waiting.pop()))
            for game in [g for g in games if g.ending]:
                games.remove(game)
                for name in (game.fixture.white, game.fixture.black):
                    players[name].forget(game.fixture.number)
                results.add(game.finished())
                report(results.played[-1])
            _advance(games, players, pool)


def _advance(games: Sequence[_Game], players: Mapping[str, Player], pool: ThreadPoolExecutor) -> None:
    """One move in every game; each player is asked for all its games together, the players side by side."""
    to_move: dict[str, list[_Game]] = {}
    for game in games:
        to_move.setdefault(game.player, []).append(game)

    def ask(name: str) -> list[chess.Move | Forfeit]:
        return players[name].moves([Turn(game.fixture.number, game.board) for game in to_move[name]])

    for name, answers in zip(to_move, pool.map(ask, to_move), strict=True):
        for game, answer in zip(to_move[name], answers, strict=True):
            game.play(answer)


def write_pgn(games: Sequence[Played], path: Path, *, event: str, date: str) -> None:
    """All games as PGN, by number."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        for game in sorted(games, key=lambda g: g.number):
            print(_pgn(game, event=event, date=date), file=file, end="\n\n")
    os.replace(partial, path)


def _pgn(game: Played, *, event: str, date: str) -> chess.pgn.Game:
    board = chess.Board(game.fen)
    for move in game.moves:
        board.push_uci(move)
    pgn = chess.pgn.Game.from_board(board)
    pgn.headers.update(
        {
            "Event": event, "Site": "?", "Date": date, "Round": str(game.number + 1), "White": game.white, "Black": game.black,
            "Result": game.result, "Opening": game.opening, "Termination": game.reason, "PlyCount": str(len(game.moves)),
        }
    )  # fmt: skip
    return pgn
