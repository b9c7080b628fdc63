"""Openings: short lines that games start from, each played from both sides.

    match/play/book.txt holds one line of UCI moves an opening, made by ``match book`` from games that the project's own net
    played, kept where Stockfish finds the position level.

Knows where openings come from. Does not know matches, or how the book was made (``match.play.book``).
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import chess

from engine.errors import MatchError

BOOK = Path(__file__).parent / "book.txt"


@dataclass(frozen=True)
class Opening:
    """A start and some moves."""

    name: str
    fen: str
    moves: tuple[str, ...]
    """UCI."""

    def board(self) -> chess.Board:
        """The position after the moves, with them on its stack."""
        board = chess.Board(self.fen)
        for move in self.moves:
            board.push_uci(move)
        return board


def choose_openings(choice: str | Path, *, pairs: int, seed: int) -> list[Opening]:
    """The openings that a command line chose: a file, ``start`` (the initial position alone), or different ones, as many as
    there are pairs: ``random:PLIES`` (each of so many random moves) or ``endgame:KQvK`` (these men on random squares)."""
    text = str(choice)
    if text == "start":
        return [Opening("start", chess.STARTING_FEN, ())]
    if text.startswith("random:"):
        plies = text.removeprefix("random:")
        if not plies.isdigit() or not 1 <= int(plies) <= 20:
            raise MatchError(f"expected --openings random:PLIES with 1 to 20 plies, got {text!r}")
        return random_openings(int(plies), count=pairs, seed=seed)
    if text.startswith("endgame:"):
        men = text.removeprefix("endgame:")
        boards = random_endgames(men, count=pairs, draws=random.Random(f"endgame {seed} {men}"))
        return [Opening(f"{men} {i}", board.fen(), ()) for i, board in enumerate(boards, 1)]
    return load_openings(Path(choice))


def are_drawn(choice: str | Path) -> bool:
    """Whether such openings are drawn at random, so that a match with more pairs begins like one with fewer."""
    return str(choice).startswith(("random:", "endgame:"))


def random_openings(plies: int, *, count: int, seed: int) -> list[Opening]:
    """Different openings of random legal moves (fewer where there are not so many), the first ones the same for every
    ``count``. Unbalanced, so only sense in pairs."""
    draws = random.Random(f"openings {seed}")
    seen: dict[tuple[str, ...], None] = {}
    for _ in range(20 * count):
        if len(seen) == count:
            break
        board = chess.Board()
        while board.ply() < plies and (legal := list(board.legal_moves)):
            board.push(draws.choice(legal))
        if any(board.generate_legal_moves()):
            seen.setdefault(tuple(move.uci() for move in board.move_stack))
    return [Opening(f"random {i}", chess.STARTING_FEN, moves) for i, moves in enumerate(seen, 1)]


def random_endgames(men: str, *, count: int, draws: random.Random) -> list[chess.Board]:
    """Different positions with the men of such an endgame (``KRPvKR``), either colour the stronger, either side to move, the
    first ones the same for every ``count``. The game is not over and the side to move cannot take anything. Fewer where
    random squares seldom give such a position. Raises MatchError for what is no endgame.
    """
    if not re.fullmatch("K[QRBNP]{0,6}vK[QRBNP]{0,6}", men):
        raise MatchError(f"expected --openings endgame:KQvK, both sides' men as capitals Q R B N P behind their K, got {men!r}")
    by_fen: dict[str, chess.Board] = {}
    for _ in range(1000 + 100 * count):
        if len(by_fen) == count:
            break
        board = _placed(men, draws)
        if board.is_valid() and not board.is_game_over() and not any(board.generate_legal_captures()):
            by_fen.setdefault(board.fen(), board)
    if not by_fen:
        raise MatchError(f"expected an endgame that can be won, got {men!r}")
    return list(by_fen.values())


def _placed(men: str, draws: random.Random) -> chess.Board:
    """Those men on any squares, legal or not."""
    board = chess.Board(None)
    strong = draws.random() < 0.5
    squares = iter(draws.sample(chess.SQUARES, len(men) - 1))
    for color, side in zip((strong, not strong), men.split("v"), strict=True):
        for letter in side:
            board.set_piece_at(next(squares), chess.Piece(chess.Piece.from_symbol(letter).piece_type, color))
    board.turn = draws.random() < 0.5
    return board


def load_openings(path: Path = BOOK) -> list[Opening]:
    """Openings of a .pgn, .epd (or .fen) or book file. Raises MatchError when there is none or one is illegal."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise MatchError(f"expected an opening book at {path}: {error.strerror or error}") from None
    readers = {".pgn": _from_pgn, ".epd": _from_epd, ".fen": _from_epd}
    openings = list(readers.get(path.suffix.lower(), _from_lines)(text, path))
    if not openings:
        raise MatchError(f"expected openings in {path}, found none; give a PGN, an EPD or lines of UCI moves")
    return openings


def _from_lines(text: str, path: Path) -> Iterator[Opening]:
    for number, line in enumerate(text.splitlines(), 1):
        moves = tuple(line.partition("#")[0].split())
        if moves:
            opening = Opening(f"{path.stem} {number}", chess.STARTING_FEN, moves)
            try:
                opening.board()
            except ValueError as error:
                raise MatchError(f"{path}, line {number}: expected legal UCI moves, {error}") from None
            yield opening


def _from_epd(text: str, path: Path) -> Iterator[Opening]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            try:
                board = _position(line)
            except ValueError as error:
                raise MatchError(f"{path}, line {number}: expected EPD or FEN, {error}") from None
            if not board.is_valid():
                raise MatchError(f"{path}, line {number}: expected a position that a game can reach, got {line.strip()!r}")
            yield Opening(f"{path.stem} {number}", board.fen(), ())


def _position(line: str) -> chess.Board:
    """A board from a FEN of six fields, or from an EPD with any operations."""
    fields = line.split()
    if len(fields) == 6 and fields[4].isdigit() and fields[5].isdigit():
        return chess.Board(line)
    return chess.Board.from_epd(line)[0]


def _from_pgn(text: str, path: Path) -> Iterator[Opening]:
    import chess.pgn  # here: it imports chess.engine and asyncio, which no worker process needs

    file = io.StringIO(text)
    number = 0
    while (game := chess.pgn.read_game(file)) is not None:
        number += 1
        if game.errors:
            raise MatchError(f"{path}, game {number}: expected legal moves, {game.errors[0]}")
        moves = tuple(move.uci() for move in game.mainline_moves())
        yield Opening(f"{path.stem} {number}", game.board().fen(), moves)
