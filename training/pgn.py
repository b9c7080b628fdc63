"""Games from PGN text, by the fast reader where it is installed and by python-chess elsewhere.

Knows how to cut a stream into games, read headers and moves, and what makes a game unusable. Does not know files or
filters by rating.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import chess
import chess.pgn
import numpy as np
from numpy.typing import NDArray

from engine.encoding import Scale
from engine.vocabulary import ID_OF
from training.store import RESULTS, Game
from training.timecontrol import time_class

try:
    import rust_pgn_reader_python_binding as fast_reader
except ImportError:  # no wheel for this platform
    fast_reader = None  # type: ignore[assignment]

_TAG = re.compile(rb'\[\w+\s+"')
_STANDARD = ("", "standard", "normal", "chess", "from position")
_TERMINATIONS = (
    ("checkmate", "checkmate"), ("resign", "resignation"), ("abandon", "abandoned"), ("rules", "rules"), ("draw", "draw"),
    ("repetition", "draw"), ("stalemate", "draw"), ("agreement", "draw"), ("time", "time"), ("normal", "normal"),
)  # fmt: skip


@dataclass(frozen=True)
class Reject:
    """A game that was left out."""

    reason: str
    """Short and the same for all of its kind, so that it can be counted."""


def split_games(lines: Iterable[bytes]) -> Iterator[str]:
    """The text of each game: a tag line that follows moves begins the next one."""
    game: list[bytes] = []
    seen_moves = False
    for line in lines:
        if _TAG.match(line):
            if seen_moves:
                yield _decoded(game)
                game, seen_moves = [], False
        elif line.strip():
            seen_moves = True
        game.append(line)
    if any(line.strip() for line in game):
        yield _decoded(game)


def _decoded(lines: Sequence[bytes]) -> str:
    raw = b"".join(lines).removeprefix(b"\xef\xbb\xbf")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # names of old files; moves are ASCII in any case


def read_games(texts: Sequence[str], *, fast: bool = True) -> Iterator[Game | Reject]:
    """Each text as a game or the reason why not. ``fast`` off reads with python-chess."""
    if fast and fast_reader is not None:
        for view in fast_reader.parse_games_from_strings(list(texts), num_threads=1):
            error = (view.parse_error or "unreadable") if not view.is_valid else ""
            squares = (view.from_squares, view.to_squares, np.maximum(view.promotions, 1) - 1)
            yield _game(view.headers, squares, error=error, checkmate=view.is_checkmate)
    else:
        for text in texts:
            yield _read_slowly(text)


Squares = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int8]]


def _read_slowly(text: str) -> Game | Reject:
    game = chess.pgn.read_game(io.StringIO(text))
    if game is None:
        return Reject("no moves")
    error = str(game.errors[0]) if game.errors else ""
    moves = [(m.from_square, m.to_square, (m.promotion or 1) - 1) for m in game.mainline_moves() if m]
    if len(moves) < len(list(game.mainline_moves())):
        error = "illegal move (null move)"
    columns = np.array(moves, np.int64).reshape(-1, 3).T
    return _game(
        dict(game.headers), (columns[0], columns[1], columns[2]), error=error, checkmate=game.end().board().is_checkmate()
    )


def _game(headers: Mapping[str, str], squares: Squares, *, error: str, checkmate: bool) -> Game | Reject:
    variant = headers.get("Variant", "").lower()
    if variant not in _STANDARD:
        return Reject("another variant")
    if error:
        return Reject("illegal move" if "illegal" in error else "unreadable")
    if not len(squares[0]):
        return Reject("no moves")
    ids = ID_OF[squares]
    if (ids < 0).any():
        return Reject("move outside the vocabulary")
    result, control = headers.get("Result", "*"), headers.get("TimeControl", "")
    fen = headers.get("FEN")
    site = headers.get("Site", "").split("//")[-1].split("/")[0]
    return Game(
        ids.astype(np.uint16), _rating(headers.get("WhiteElo")), _rating(headers.get("BlackElo")),
        result=result if result in RESULTS else "*", scale=_scale(headers), time_class=time_class(control),
        termination="checkmate" if checkmate else _termination(headers.get("Termination", "")), date=_date(headers),
        source=site, start_fen=None if fen in (None, chess.STARTING_FEN) else fen,
    )  # fmt: skip


def _rating(text: str | None) -> int:
    digits = (text or "").rstrip("? ").strip()
    return int(digits) if digits.isdigit() and int(digits) < 5000 else 0


def _scale(headers: Mapping[str, str]) -> Scale:
    site = headers.get("Site", "").lower()
    return Scale.LICHESS if "lichess" in site else Scale.CHESSCOM if "chess.com" in site else Scale.UNKNOWN


def _termination(text: str) -> str:
    lowered = text.lower()
    return next((name for word, name in _TERMINATIONS if word in lowered), "unknown")


def _date(headers: Mapping[str, str]) -> int:
    digits = headers.get("UTCDate", headers.get("Date", "")).replace(".", "")
    return int(digits) if len(digits) == 8 and digits.isdigit() else 0
