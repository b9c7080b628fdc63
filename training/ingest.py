"""Files of games into a token store: PGN or tab-separated text, filtered, de-duplicated, counted.

Knows the order of work and the report. Does not know formats (``training.pgn``, ``training.tsv``) or the layout of a
store.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from engine.encoding import Scale
from engine.errors import DataError
from training.archives import open_binary
from training.pgn import Reject, read_games, split_games
from training.store import Game, StoreWriter
from training.tsv import read_tsv

_BATCH = 512  # games handed to the reader together
_PACKED = (".zst", ".gz", ".bz2")


@dataclass(frozen=True)
class Filters:
    """Which games are kept."""

    max_rating: int = 0
    """No player above this; games with an unknown rating go too. 0 = no cap. The paper's caps are 1000, 1300, 1500."""
    min_rating: int = 0
    """No player below this; games with an unknown rating go too. 0 = no floor."""
    min_plies: int = 2
    """Shorter games are left out."""
    time_classes: tuple[str, ...] = ()
    """Only these; empty = all."""
    standard_start: bool = False
    """Only games from the initial position."""

    def rejects(self, game: Game) -> str | None:
        """Why a game is left out, or None."""
        low, high = sorted((game.white_elo, game.black_elo))
        if (self.max_rating or self.min_rating) and not low:
            return "unknown rating"
        if self.max_rating and high > self.max_rating:
            return "rating above the cap"
        if low < self.min_rating:
            return "rating below the floor"
        if len(game.moves) < self.min_plies:
            return "too short"
        if self.time_classes and game.time_class not in self.time_classes:
            return "time class"
        if self.standard_start and game.start_fen:
            return "another start"
        return None


@dataclass
class Report:
    """What came in and what was kept."""

    kept: int = 0
    plies: int = 0
    rejects: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        return self.kept + sum(self.rejects.values())

    def text(self) -> str:
        """For people."""
        lines = [f"{self.read:,} games read, {self.kept:,} kept, {self.plies:,} plies"]
        lines += [f"  left out: {count:,} {reason}" for reason, count in self.rejects.most_common()]
        return "\n".join(lines)


def ingest(paths: Iterable[Path], out: Path, *, filters: Filters, scales: Mapping[str, Scale], fast: bool = True) -> Report:
    """Read every file into a new store. Raises DataError for a missing file, a damaged archive or an existing store.

    A damaged file ends the reading of that file: what was good in it is kept, and the report names it.
    """
    report, seen = Report(), set[int]()
    writer = StoreWriter(out)
    with tqdm(unit=" games", disable=None, leave=False) as bar:
        for path in files_of(paths):
            for game in _careful(_read(path, scales, fast=fast), path, report):
                bar.update()
                reason = game.reason if isinstance(game, Reject) else filters.rejects(game)
                if reason is None and isinstance(game, Game):
                    reason = _add(game, writer, seen)
                if reason:
                    report.rejects[reason] += 1
                elif isinstance(game, Game):
                    report.kept, report.plies = report.kept + 1, report.plies + len(game.moves)
    writer.note["rejects"] = dict(report.rejects)
    writer.close()
    return report


def _add(game: Game, writer: StoreWriter, seen: set[int]) -> str | None:
    key = game.key()
    if key in seen:
        return "duplicate"
    seen.add(key)
    writer.add(game)
    return None


def _careful(games: Iterator[Game | Reject], path: Path, report: Report) -> Iterator[Game | Reject]:
    """The games up to the first damage of the file."""
    try:
        yield from games
    except (EOFError, OSError, ValueError) as error:
        report.rejects[f"rest of {path.name}: {type(error).__name__}"] += 1
        print(f"{path}: damaged, read as far as it goes ({error})", file=sys.stderr)
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        report.rejects[f"rest of {path.name}: damaged archive"] += 1
        print(f"{path}: damaged, read as far as it goes ({error})", file=sys.stderr)


def _read(path: Path, scales: Mapping[str, Scale], *, fast: bool) -> Iterator[Game | Reject]:
    if _kind(path) == ".tsv":
        yield from read_tsv(path, scales)
        return
    with open_binary(path) as lines:
        for texts in _batches(split_games(lines)):
            yield from read_games(texts, fast=fast)


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(itertools.islice(texts, _BATCH)):
        yield batch


def _kind(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix in _PACKED else path.suffix


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files meant: a folder stands for the PGN files in it. Raises DataError for what is not there."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and _kind(p) in (".pgn", ".tsv"))
            if not inside:
                raise DataError(f"expected .pgn files (or .pgn.zst, .pgn.gz, .pgn.bz2) in the folder {path}, found none")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise DataError(f"expected a file of games at {path}, found none")
    return found
