"""How low temperature shifts a net's choice on single boards: SVG pictures with arrows, one board a temperature.

Knows the list of example positions (match/studies/boards.txt) and how likely moves are drawn. Does not know nets: it
gets evaluations.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import chess
import chess.svg
import numpy as np
from numpy.typing import NDArray

from engine.errors import MatchError
from engine.inference.evaluation import Evaluation
from engine.inference.sampling import policy

EXAMPLES = Path(__file__).with_name("boards.txt")
TEMPERATURES = (1.0, 0.75, 0.001)

_LEAST = 0.02  # a move less likely than this gets no arrow
_LISTED = 4
_BOARD, _GAP, _HEAD, _LINE = 300, 16, 44, 18  # pixels


@dataclass(frozen=True)
class Example:
    """A named position."""

    name: str
    board: chess.Board
    """With its moves on the stack: the net reads games."""

    @property
    def slug(self) -> str:
        """The name as a file's."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def read_examples(path: Path = EXAMPLES) -> list[Example]:
    """Positions of a file with lines ``name | FEN or start | moves``. Raises MatchError for a line that is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MatchError(f"expected positions at {path}: {error.strerror or error}") from None
    examples = [
        _example(line, f"{path}, line {number}")
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not examples:
        raise MatchError(f"expected positions in {path}, found none")
    return examples


def _example(line: str, where: str) -> Example:
    fields = [part.strip() for part in line.split("|")]
    if len(fields) != 3 or not fields[0]:
        raise MatchError(f"{where}: expected name | FEN or start | moves, got {line!r}")
    try:
        board = chess.Board() if fields[1] == "start" else chess.Board(fields[1])
        for move in fields[2].split():
            board.push_uci(move)
    except ValueError as error:
        raise MatchError(f"{where}: expected a FEN or start and legal UCI moves, {error}") from None
    if board.is_game_over():
        raise MatchError(f"{where}: expected a position with a move to make, the game is over")
    return Example(fields[0], board)


def picture(example: Example, evaluation: Evaluation, *, temperatures: Sequence[float] = TEMPERATURES) -> str:
    """One SVG: the board at each temperature, arrows as strong as moves are likely, the likeliest moves in words."""
    width = len(temperatures) * (_BOARD + _GAP) - _GAP
    height = _HEAD + _BOARD + _LISTED * _LINE + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="0" y="16" font-size="15" font-weight="bold">{html.escape(example.name)}</text>',
    ]
    for i, temperature in enumerate(temperatures):
        shares = policy(evaluation, temperature=temperature)
        parts += _column(example.board, evaluation.moves, shares, x=i * (_BOARD + _GAP), head=f"T = {temperature:g}")
    return "\n".join([*parts, "</svg>\n"])


def _column(
    board: chess.Board, moves: Sequence[chess.Move], shares: NDArray[np.float64], *, x: int, head: str
) -> Iterator[str]:
    yield f'<text x="{x}" y="36" font-size="14">{head}</text>'
    order = np.argsort(-shares, kind="stable")
    drawn = [(moves[i], float(shares[i])) for i in order if shares[i] >= _LEAST]
    arrows = [chess.svg.Arrow(move.from_square, move.to_square, color=_colour(p)) for move, p in reversed(drawn)]
    last = board.peek() if board.move_stack else None
    inner = str(chess.svg.board(board, arrows=arrows, lastmove=last, orientation=board.turn, size=_BOARD, coordinates=False))
    yield inner.replace("<svg ", f'<svg x="{x}" y="{_HEAD}" ', 1)
    for row, i in enumerate(order[:_LISTED], 1):
        text = f"{html.escape(board.san(moves[i]))} {shares[i]:.1%}"
        yield f'<text x="{x}" y="{_HEAD + _BOARD + row * _LINE}" font-size="14">{text}</text>'


def _colour(p: float) -> str:
    """Green, the more opaque the likelier."""
    return f"#15781b{round(40 + 215 * p):02x}"
