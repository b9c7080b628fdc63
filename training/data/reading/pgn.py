"""Games from PGN text, by the fast reader where it is installed and by python-chess elsewhere.

Knows headers, moves and what makes a game unusable. What the fast reader refuses or does not read to its result is read
again by python-chess, in the dialects that ``training.data.reading.movetext`` knows: so both readers accept the same
games. Does not know files or filters.
"""

from __future__ import annotations

import dataclasses
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
from training.data.reading.framing import LONGEST
from training.data.reading.movetext import read_movetext
from training.data.reading.termination import termination as termination_of
from training.data.reading.timecontrol import time_class
from training.data.store import RESULTS, TIME_CLASSES, Game, Games, pack

try:
    import rust_pgn_reader_python_binding as fast_reader
except ImportError:  # no wheel for this platform
    fast_reader = None  # type: ignore[assignment]

_STANDARD = ("", "standard", "normal", "chess", "from position")
_OUTCOMES = {"White": "1-0", "Draw": "1/2-1/2", "Black": "0-1"}
_SITE_HOST = re.compile(r"(?:\w+://)?([^/]*)")


@dataclass(frozen=True)
class Reject:
    """A game that was left out."""

    reason: str
    """Short and the same for all of its kind, so that it can be counted."""
    detail: str = ""
    """What is wrong with this one."""


TOO_LONG, UNREADABLE, ILLEGAL, NO_MOVES = "longer than 1 MiB", "unreadable", "illegal move", "no moves"
VARIANT, START_POSITION, NO_WORD = "another variant", "impossible start position", "move outside the vocabulary"
UNENDED = "not read to its result"
REFUSED = frozenset({UNREADABLE, ILLEGAL, START_POSITION, UNENDED})
"""Reasons that say that a text is wrong, or in a dialect that is not known."""


@dataclass(frozen=True)
class _Parsed:
    """One game as a reader found it."""

    headers: Mapping[str, str]
    ids: NDArray[np.int16]
    """(P,) vocabulary ids, -1 for none."""
    error: str = ""
    """What stopped the reader, a reason of the list above."""
    detail: str = ""
    checkmate: bool = False
    result: str = ""
    """What the moves end with; empty where no result follows them."""


def read_games(pieces: Sequence[bytes], *, fast: bool = True) -> tuple[Games, Counter[str]]:
    """The good games among ``pieces``, each the text of a game, and how many were left out for which reason.

    ``fast`` off reads with python-chess.
    """
    rejects: Counter[str] = Counter(TOO_LONG for piece in pieces if len(piece) > LONGEST)
    texts = [_decoded(piece) for piece in pieces if len(piece) <= LONGEST]
    games: list[Game] = []
    bots: list[bool] = []
    open_ended: list[bool] = []
    for parsed in _parsed(texts, fast=fast):
        game = _game(parsed)
        if isinstance(game, Reject):
            rejects[game.reason] += 1
        else:
            games.append(game)
            bots.append("BOT" in (parsed.headers.get("WhiteTitle"), parsed.headers.get("BlackTitle")))
            open_ended.append(not parsed.result)
    return pack(games, bots, open_ended), rejects


def first_refused(pieces: Sequence[bytes]) -> str:
    """What is wrong with the first of ``pieces`` that has a reason of REFUSED; empty where none has."""
    for piece in pieces:
        game = _game(_read_slowly(_decoded(piece))) if len(piece) <= LONGEST else None
        if isinstance(game, Reject) and game.reason in REFUSED:
            return f"{game.reason}: {game.detail}" if game.detail else game.reason
    return ""


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
            if _has_careless_tags(headers):
                yield _read_slowly(texts[place])
            elif outcome and not error and ends[g] < ends[g + 1]:
                yield _Parsed(headers, ids[ends[g] : ends[g + 1]], "", "", checkmate, _OUTCOMES.get(outcome, "*"))
            else:
                yield _Parsed(headers, ids[:0], VARIANT) if _is_variant(headers) else _read_slowly(texts[place])
            place += 1


def _has_careless_tags(headers: Mapping[str, str]) -> bool:
    """Whether the fast reader took tags wrongly: blanks or tabs about a name, or a value that has escapes or lacks its end."""
    words = "".join(headers) + "".join(headers.values())
    return "\n" in words or "\t" in words or "\\" in words or "" in headers


class _Moves(chess.pgn.BaseVisitor[_Parsed]):
    """Collects one game from python-chess's reader; its text is the main line up to the result, and no more."""

    def begin_game(self) -> None:
        self.headers: dict[str, str] = {}
        self.moves: list[chess.Move] = []
        self.error, self.detail, self.end, self.board = "", "", "", chess.Board()

    def visit_header(self, tagname: str, tagvalue: str) -> None:
        self.headers[tagname] = tagvalue

    def visit_move(self, board: chess.Board, move: chess.Move) -> None:
        self.moves.append(move)
        if not move:
            self._stop(ILLEGAL, f"null move in {board.fen()}")

    def visit_board(self, board: chess.Board) -> None:
        self.board = board

    def visit_result(self, result: str) -> None:
        self.end = result

    def handle_error(self, error: Exception) -> None:
        self._stop(START_POSITION if "fen" in str(error) and not self.moves else ILLEGAL, str(error))

    def _stop(self, reason: str, detail: str) -> None:
        if not self.error:
            self.error, self.detail = reason, detail

    def result(self) -> _Parsed:
        if self.board.chess960 or self.board.uci_variant != "chess":
            self.error = VARIANT
        drops = any(move.drop for move in self.moves)
        squares = [(m.from_square, m.to_square, (m.promotion or 1) - 1) for m in self.moves if m and not drops]
        columns = np.array(squares, np.int64).reshape(-1, 3).T
        ids = ID_OF[columns[0], columns[1], columns[2]]
        checkmate = not self.error and self.board.is_checkmate()
        return _Parsed(self.headers, ids, self.error, self.detail, checkmate, self.end)


def _read_slowly(text: str) -> _Parsed:
    movetext = read_movetext(text)
    plain = f"{movetext.head}\n\n{' '.join(movetext.words)} {movetext.result}\n"
    parsed = chess.pgn.read_game(io.StringIO(plain), Visitor=_Moves) or _Parsed({}, np.zeros(0, np.int16))
    after = f"after {len(movetext.words)} plies"
    if not parsed.error and movetext.unread:
        return dataclasses.replace(parsed, error=UNREADABLE, detail=f"{movetext.unread!r} {after}")
    if not parsed.error and movetext.unclosed:
        return dataclasses.replace(parsed, error=UNENDED, detail=f"a {movetext.unclosed} without an end {after}")
    return parsed


def _is_variant(headers: Mapping[str, str]) -> bool:
    return headers.get("Variant", "").lower() not in _STANDARD


def _game(parsed: _Parsed) -> Game | Reject:
    headers, ids = parsed.headers, parsed.ids
    if _is_variant(headers):
        return Reject(VARIANT)
    if parsed.error:
        return Reject(parsed.error, parsed.detail)
    if not len(ids):
        return Reject(NO_MOVES)
    if ids.min() < 0:
        return Reject(NO_WORD)
    fen = headers.get("FEN")
    try:
        start_fen = None if fen is None or fen == chess.STARTING_FEN else _start_fen(fen)
    except ValueError:
        return Reject(START_POSITION, str(fen))
    result = headers.get("Result", "*")
    termination = "checkmate" if parsed.checkmate else termination_of(headers.get("Termination", ""))
    return Game(
        ids.astype(np.uint16),
        _rating(headers.get("WhiteElo")),
        _rating(headers.get("BlackElo")),
        result=result if result in RESULTS and result != "*" else parsed.result or "*",
        scale=_scale(headers),
        time_class=_time_class(headers),
        termination=termination,
        date=_date(headers.get("UTCDate") or headers.get("Date", "")),
        source=_source(headers),
        start_fen=start_fen,
    )


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
    chess.STATUS_TOO_MANY_WHITE_PAWNS
    | chess.STATUS_TOO_MANY_BLACK_PAWNS
    | chess.STATUS_TOO_MANY_WHITE_PIECES
    | chess.STATUS_TOO_MANY_BLACK_PIECES
    | chess.STATUS_TOO_MANY_CHECKERS
)


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
def _date(text: str) -> int:
    """yyyymmdd, with 00 for a month or a day that is not known."""
    digits = text.replace(".", "").replace("-", "").replace("?", "0")
    return int(digits) if len(digits) == 8 and digits.isascii() and digits.isdigit() and digits[:4] != "0000" else 0


def _source(headers: Mapping[str, str]) -> str:
    """The export's own tag, else the host of the site, which is the same for all games of a server."""
    if (own := headers.get("Source")) is not None:
        return own
    host = _SITE_HOST.match(headers.get("Site", ""))
    return host[1] if host else ""
