"""Games from PGN text, by the fast reader where it is installed and by python-chess elsewhere.

Knows headers, moves and what makes a game unusable. A text that the fast reader does not understand is read again by
python-chess, which forgives more. Does not know files or filters.
"""

from __future__ import annotations

import functools
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import chess
import chess.pgn
import numpy as np
from numpy.typing import NDArray

from engine.encoding import Scale
from engine.vocabulary import ID_OF
from training.splitting import LONGEST
from training.store import RESULTS, TERMINATIONS, TIME_CLASSES, Game, Games, pack
from training.timecontrol import time_class

try:
    import rust_pgn_reader_python_binding as fast_reader
except ImportError:  # no wheel for this platform
    fast_reader = None  # type: ignore[assignment]

_STANDARD = ("", "standard", "normal", "chess", "from position")
_TERMINATION_WORDS = (
    ("checkmate", "checkmate"), ("resign", "resignation"), ("abandon", "abandoned"), ("rules", "rules"), ("draw", "draw"),
    ("repetition", "draw"), ("stalemate", "draw"), ("agreement", "draw"), ("time", "time"), ("normal", "normal"),
)  # fmt: skip
_OUTCOMES = {"White": "1-0", "Draw": "1/2-1/2", "Black": "0-1"}
_SITE_HOST = re.compile(r"(?:\w+://)?([^/]*)")
_ASIDE = re.compile(r"\{[^}]*(?:\}|\Z)|;[^\n]*|^%[^\n]*|^\[[^\n]*", re.MULTILINE)
_RESULT = re.compile(r"(?<!\S)(?:1-0|0-1|1/2-1/2|\*)(?!\S)")
_BRACKET = re.compile(r"([()])")
_LETTER = re.compile(r"[A-Za-z]")


@dataclass(frozen=True)
class Reject:
    """A game that was left out."""

    reason: str
    """Short and the same for all of its kind, so that it can be counted."""


TOO_LONG, UNREADABLE, ILLEGAL, NO_MOVES = "longer than 1 MiB", "unreadable", "illegal move", "no moves"
VARIANT, START_POSITION, NO_WORD = "another variant", "impossible start position", "move outside the vocabulary"


@dataclass(frozen=True)
class _Parsed:
    """One game as a reader found it."""

    headers: Mapping[str, str]
    ids: NDArray[np.int16]
    """(P,) vocabulary ids, -1 for none."""
    error: str = ""
    """What stopped the reader, a reason of the list above."""
    checkmate: bool = False
    result: str = "*"
    """What the moves end with."""


def read_games(pieces: Sequence[bytes], *, fast: bool = True) -> tuple[Games, Counter[str]]:
    """The good games among ``pieces``, each the text of a game, and how many were left out for which reason.

    ``fast`` off reads with python-chess.
    """
    rejects: Counter[str] = Counter(TOO_LONG for piece in pieces if len(piece) > LONGEST)
    texts = [_decoded(piece) for piece in pieces if len(piece) <= LONGEST]
    games: list[Game] = []
    bots: list[bool] = []
    for parsed in _parsed(texts, fast=fast):
        game = _game(parsed)
        if isinstance(game, Reject):
            rejects[game.reason] += 1
        else:
            games.append(game)
            bots.append("BOT" in (parsed.headers.get("WhiteTitle"), parsed.headers.get("BlackTitle")))
    return pack(games, bots), rejects


def _decoded(raw: bytes) -> str:
    raw = raw.strip().removeprefix(b"\xef\xbb\xbf")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # names of old files; moves are ASCII in any case


def _parsed(texts: list[str], *, fast: bool) -> Iterator[_Parsed]:
    if fast and fast_reader is not None:
        yield from _read_fast(texts)
    else:
        yield from map(_read_slowly, texts)


def _read_fast(texts: list[str]) -> Iterator[_Parsed]:
    games = fast_reader.parse_games_from_strings(texts, num_threads=1)
    if len(games) != len(texts):  # an empty text is no game to it
        yield from map(_read_slowly, texts)
        return
    place = 0
    for chunk in games.chunks:
        ids = ID_OF[chunk.from_squares, chunk.to_squares, np.maximum(chunk.promotions, 1) - 1]
        ends = chunk.move_offsets.tolist()
        columns = zip(chunk.headers, chunk.parse_errors, chunk.is_checkmate.tolist(), chunk.outcome, strict=True)
        for g, (headers, error, checkmate, outcome) in enumerate(columns):
            if error and "illegal" in error and "FEN" not in error:
                yield _Parsed(headers, ids[:0], ILLEGAL)
            elif error or ends[g] == ends[g + 1]:  # broken tags hide the moves from it
                yield _read_slowly(texts[place])
            else:
                yield _Parsed(headers, ids[ends[g] : ends[g + 1]], "", checkmate, _OUTCOMES.get(outcome or "", "*"))
            place += 1


class _Moves(chess.pgn.BaseVisitor[_Parsed]):
    """Collects one game from python-chess's reader: the main line up to the result."""

    def begin_game(self) -> None:
        self.headers: dict[str, str] = {}
        self.moves: list[chess.Move] = []
        self.error, self.end, self.board = "", "", chess.Board()

    def visit_header(self, tagname: str, tagvalue: str) -> None:
        self.headers[tagname] = tagvalue

    def begin_variation(self) -> chess.pgn.SkipType:
        return chess.pgn.SKIP

    def visit_move(self, board: chess.Board, move: chess.Move) -> None:
        if not self.end:
            self.moves.append(move)
            self.error = self.error or ("" if move else ILLEGAL)

    def visit_board(self, board: chess.Board) -> None:
        if not self.end:
            self.board = board

    def visit_result(self, result: str) -> None:
        self.end = self.end or result

    def handle_error(self, error: Exception) -> None:
        if not self.end:
            self.error = self.error or (START_POSITION if "fen" in str(error) and not self.moves else ILLEGAL)

    def result(self) -> _Parsed:
        if self.board.chess960 or self.board.uci_variant != "chess":
            self.error = VARIANT
        drops = any(move.drop for move in self.moves)
        squares = [(m.from_square, m.to_square, (m.promotion or 1) - 1) for m in self.moves if m and not drops]
        columns = np.array(squares, np.int64).reshape(-1, 3).T
        checkmate = not self.error and self.board.is_checkmate()
        return _Parsed(self.headers, ID_OF[columns[0], columns[1], columns[2]], self.error, checkmate, self.end or "*")


def _read_slowly(text: str) -> _Parsed:
    parsed = chess.pgn.read_game(io.StringIO(text), Visitor=_Moves)
    if parsed is None:
        return _Parsed({}, np.zeros(0, np.int16), NO_MOVES)
    if not parsed.error and _unknown_words(text):
        return _Parsed(parsed.headers, parsed.ids, UNREADABLE)
    return parsed


def _unknown_words(text: str) -> bool:
    """Whether letters are left that python-chess passed over: half a move at the end of a file, or no chess at all."""
    depth, words = 0, []
    for part in _BRACKET.split(_ASIDE.sub(" ", text)):
        depth = depth + 1 if part == "(" else max(depth - 1, 0) if part == ")" else depth
        words.append(part if depth == 0 else " ")
    line = "".join(words)
    if found := _RESULT.search(line):
        line = line[: found.start()]
    return _LETTER.search(chess.pgn.MOVETEXT_REGEX.sub(" ", line)) is not None


def _game(parsed: _Parsed) -> Game | Reject:
    headers, ids = parsed.headers, parsed.ids
    if headers.get("Variant", "").lower() not in _STANDARD:
        return Reject(VARIANT)
    if parsed.error:
        return Reject(parsed.error)
    if not len(ids):
        return Reject(NO_MOVES)
    if ids.min() < 0:
        return Reject(NO_WORD)
    fen = headers.get("FEN")
    try:
        start_fen = None if fen is None or fen == chess.STARTING_FEN else _start_fen(fen)
    except ValueError:
        return Reject(START_POSITION)
    result = headers.get("Result", "*")
    termination = "checkmate" if parsed.checkmate else _termination(headers.get("Termination", ""))
    return Game(
        ids.astype(np.uint16), _rating(headers.get("WhiteElo")), _rating(headers.get("BlackElo")),
        result=result if result in RESULTS and result != "*" else parsed.result, scale=_scale(headers),
        time_class=_time_class(headers), termination=termination,
        date=_date(headers.get("UTCDate") or headers.get("Date", "")), source=_source(headers), start_fen=start_fen,
    )  # fmt: skip


@functools.lru_cache(1 << 12)
def _start_fen(fen: str) -> str | None:
    """The FEN as python-chess writes it, None for the initial position. Raises ValueError for no possible position."""
    board = chess.Board(fen)
    forgiven = chess.STATUS_BAD_CASTLING_RIGHTS | chess.STATUS_INVALID_EP_SQUARE | _TOO_MANY
    if board.status() & ~forgiven:
        raise ValueError(fen)
    cleaned = board.fen(en_passant="legal")
    return None if cleaned == chess.STARTING_FEN else cleaned


_TOO_MANY = (
    chess.STATUS_TOO_MANY_WHITE_PAWNS | chess.STATUS_TOO_MANY_BLACK_PAWNS
    | chess.STATUS_TOO_MANY_WHITE_PIECES | chess.STATUS_TOO_MANY_BLACK_PIECES | chess.STATUS_TOO_MANY_CHECKERS
)  # fmt: skip


def _rating(text: str | None) -> int:
    digits = (text or "").rstrip("? ").strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 5 and int(digits) < 5000 else 0


def _scale(headers: Mapping[str, str]) -> Scale:
    if named := headers.get("RatingScale"):  # of our own export
        return Scale.__members__.get(named.upper(), Scale.UNKNOWN)
    site = headers.get("Site", "").lower()
    return Scale.LICHESS if "lichess" in site else Scale.CHESSCOM if "chess.com" in site else Scale.UNKNOWN


def _time_class(headers: Mapping[str, str]) -> str:
    named = headers.get("TimeClass", "")  # of our own export
    return named if named in TIME_CLASSES else _class_of(headers.get("TimeControl", ""))


_class_of = functools.lru_cache(1 << 12)(time_class)


@functools.lru_cache(1 << 12)
def _termination(text: str) -> str:
    lowered = text.lower()
    if lowered in TERMINATIONS:
        return lowered
    return next((name for word, name in _TERMINATION_WORDS if word in lowered), "unknown")


@functools.lru_cache(1 << 12)
def _date(text: str) -> int:
    """yyyymmdd, with 00 for a month or a day that is not known."""
    digits = text.replace(".", "").replace("-", "").replace("?", "0")
    return int(digits) if len(digits) == 8 and digits.isascii() and digits.isdigit() and digits[:4] != "0000" else 0


def _source(headers: Mapping[str, str]) -> str:
    """The export's own tag, else the host of the site, which is the same for all games of a server."""
    found = _SITE_HOST.match(headers.get("Site", ""))
    return headers.get("Source") or (found[1] if found else "")
