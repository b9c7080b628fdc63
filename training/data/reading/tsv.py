"""Games from tab-separated text: one game a line, moves in UCI.

Columns: source, site, white_elo, black_elo, time_control, result, termination, moves (UCI, separated by blanks). The site
lichess or chess.com names a rating list; fide or other stands for games over the board, with FIDE ratings.
No header line; an empty field is unknown. The moves are trusted to be legal, so this importer is for files that a
program of yours wrote; PGN from anywhere goes through ``training.data.reading.pgn``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from engine.encoding import Scale
from engine.errors import DataError
from engine.vocabulary import MOVE_ID
from training.data.reading.framing import LONGEST
from training.data.reading.termination import termination as termination_of
from training.data.reading.timecontrol import time_class
from training.data.store import RESULTS, Game, Games, pack

COLUMNS = 8
UNREADABLE_LINE = "unreadable line"
REFUSED = frozenset({UNREADABLE_LINE})
_SITE_SCALES = {"other": Scale.FIDE, "lichess": Scale.LICHESS, "chess.com": Scale.CHESSCOM, "fide": Scale.FIDE}


def read_lines(lines: Sequence[bytes]) -> tuple[Games, Counter[str]]:
    """The good games among ``lines``, and how many were left out for which reason."""
    games: list[Game] = []
    rejects: Counter[str] = Counter()
    for line in lines:
        if len(line) > LONGEST:
            rejects["line longer than 1 MiB"] += 1
        elif line.strip():
            try:
                games.append(parse_line(line.decode("utf-8", "replace")))
            except DataError:
                rejects[UNREADABLE_LINE] += 1
    return pack(games), rejects


def parse_line(line: str) -> Game:
    """One line as a game. Raises DataError for a line without the columns above."""
    fields = line.removeprefix("\ufeff").rstrip("\r\n").split("\t")
    if len(fields) != COLUMNS:
        raise DataError(f"expected {COLUMNS} tab-separated columns, found {len(fields)}")
    source, site, white, black, control, result, termination, moves = fields
    try:
        ids = np.array([MOVE_ID[m] for m in moves.split(" ")], dtype=np.uint16)
        white_elo, black_elo = (int(float(r)) if r else 0 for r in (white, black))
    except (KeyError, ValueError, OverflowError) as error:
        raise DataError(f"expected UCI moves and whole-number ratings, got {error}") from error
    if not (0 <= white_elo < 5000 and 0 <= black_elo < 5000):
        raise DataError(f"expected ratings from 0 to 4999, got {white_elo} and {black_elo}")
    return Game(
        ids,
        white_elo,
        black_elo,
        result=result if result in RESULTS else "*",
        scale=_SITE_SCALES.get(site.lower(), Scale.UNKNOWN),
        time_class=time_class(control),
        termination=termination_of(termination),
        source=source,
    )


def first_refused(lines: Sequence[bytes]) -> str:
    """What is wrong with the first of ``lines`` that holds no game; empty where all do."""
    for line in lines:
        if len(line) <= LONGEST and line.strip():
            try:
                parse_line(line.decode("utf-8", "replace"))
            except DataError as error:
                return f"{UNREADABLE_LINE}: {error}"
    return ""
