"""Games from tab-separated text: one game a line, moves in UCI.

Columns: source, site, white_elo, black_elo, time_control, result, termination, moves (UCI, separated by blanks).
No header line; an empty field is unknown; plain, .zst or .gz. The moves are trusted to be legal, so this importer
is for files that a program of yours wrote; PGN from anywhere goes through ``training.pgn``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from engine.encoding import Scale
from engine.errors import DataError
from engine.vocabulary import MOVE_ID
from training.archives import open_text
from training.store import RESULTS, Game
from training.timecontrol import time_class

COLUMNS = 8
_SITE_SCALES = {"lichess": Scale.LICHESS, "chess.com": Scale.CHESSCOM, "fide": Scale.FIDE}
_TERMINATION_WORDS = (
    ("mate", "checkmate"), ("resign", "resignation"), ("abandon", "abandoned"), ("draw", "draw"), ("stale", "draw"),
    ("repetition", "draw"), ("50", "draw"), ("insufficient", "draw"), ("agree", "draw"), ("time", "time"), ("normal", "normal"),
)  # fmt: skip


def read_tsv(path: Path, scales: Mapping[str, Scale] | None = None) -> Iterator[Game]:
    """Every game of one file. Raises DataError, naming the line, for a line that does not have the columns above.

    ``scales`` gives the rating scale of a source by name, where the site column does not tell it.
    """
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            yield parse_line(line, place=f"{path}, line {number}", scales=scales or {})


def parse_line(line: str, *, place: str, scales: Mapping[str, Scale]) -> Game:
    """One line as a game; ``place`` names it in errors."""
    fields = line.rstrip("\r\n").split("\t")
    if len(fields) != COLUMNS:
        raise DataError(f"{place}: expected {COLUMNS} tab-separated columns, found {len(fields)}")
    source, site, white, black, control, result, termination, moves = fields
    try:
        ids = np.array([MOVE_ID[m] for m in moves.split(" ")], dtype=np.uint16)
        white_elo, black_elo = (int(float(r)) if r else 0 for r in (white, black))
    except (KeyError, ValueError) as error:
        raise DataError(f"{place}: expected UCI moves and whole-number ratings, got {error}") from error
    return Game(
        ids, white_elo, black_elo, result=result if result in RESULTS else "*",
        scale=scales.get(source, _SITE_SCALES.get(site.lower(), Scale.UNKNOWN)), time_class=time_class(control),
        termination=_termination(termination), source=source,
    )  # fmt: skip


def _termination(text: str) -> str:
    lowered = text.lower()
    return next((name for word, name in _TERMINATION_WORDS if word in lowered.replace("stalemate", "stale")), "unknown")
