"""Games from tab-separated text: one game a line, moves in UCI.

Columns: source, site, white_elo, black_elo, time_control, result, termination, moves (UCI, separated by blanks). The site
lichess or chess.com names a rating list; fide or other stands for games over the board, with FIDE ratings.
No header line; an empty field is unknown. The moves are trusted to be legal, so this importer is for files that a
program of yours wrote; PGN from anywhere goes through ``training.pgn``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from engine.encoding import Scale
from engine.errors import DataError
from engine.vocabulary import MOVE_ID
from training.splitting import LONGEST
from training.store import RESULTS, Game, Games, pack
from training.timecontrol import time_class

COLUMNS = 8
_SITE_SCALES = {"other": Scale.FIDE, "lichess": Scale.LICHESS, "chess.com": Scale.CHESSCOM, "fide": Scale.FIDE}
_TERMINATION_WORDS = (
    ("mate", "checkmate"), ("resign", "resignation"), ("abandon", "abandoned"), ("draw", "draw"), ("stale", "draw"),
    ("repetition", "draw"), ("50", "draw"), ("insufficient", "draw"), ("agree", "draw"), ("time", "time"), ("normal", "normal"),
)  # fmt: skip


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
                rejects["unreadable line"] += 1
    return pack(games), rejects


def parse_line(line: str, *, place: str = "line", scales: Mapping[str, Scale] | None = None) -> Game:
    """One line as a game. Raises DataError, with ``place`` in it, for a line without the columns above.

    ``scales`` gives the rating scale of a source by name, where the site column does not tell it.
    """
    fields = line.rstrip("\r\n").split("\t")
    if len(fields) != COLUMNS:
        raise DataError(f"{place}: expected {COLUMNS} tab-separated columns, found {len(fields)}")
    source, site, white, black, control, result, termination, moves = fields
    try:
        ids = np.array([MOVE_ID[m] for m in moves.split(" ")], dtype=np.uint16)
        white_elo, black_elo = (int(float(r)) if r else 0 for r in (white, black))
    except (KeyError, ValueError, OverflowError) as error:
        raise DataError(f"{place}: expected UCI moves and whole-number ratings, got {error}") from error
    if not (0 <= white_elo < 5000 and 0 <= black_elo < 5000):
        raise DataError(f"{place}: expected ratings from 0 to 4999, got {white_elo} and {black_elo}")
    return Game(
        ids, white_elo, black_elo, result=result if result in RESULTS else "*",
        scale=(scales or {}).get(source, _SITE_SCALES.get(site.lower(), Scale.UNKNOWN)), time_class=time_class(control),
        termination=_termination(termination), source=source,
    )  # fmt: skip


def _termination(text: str) -> str:
    lowered = text.lower()
    return next((name for word, name in _TERMINATION_WORDS if word in lowered.replace("stalemate", "stale")), "unknown")
