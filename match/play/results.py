"""The results file: one JSON line a game, on disk before the next is begun, so that a killed match can be resumed.

Knows how lines are written, read and checked against a schedule, and what a match must have in common with its earlier
part. Does not know how games are played.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from engine.archives import open_output, read_whole
from engine.errors import DataError, MatchError
from engine.files import lock, write_text
from match.play.game import Played
from match.play.schedule import Fixture
from match.statistics.scores import WHITE_POINTS

RESULTS = "results.jsonl"
PACKED = "results.jsonl.zst"
"""What a match's folder holds, and the same games packed."""

_SYNC_S = 1.0  # a kill loses nothing that was written; only a power cut needs the disk to be told, and not every time


class Results:
    """The results of one match, in a folder of its own."""

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        self.path = folder / RESULTS
        self._synced_s = 0.0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = self.path.open("ab", buffering=0)
        except OSError as error:
            raise MatchError(f"cannot keep results in {folder}: {error.strerror or error}; give --out another folder") from None
        try:
            # Two matches in one folder would play the same games twice; without locks, reading finds games counted twice.
            if not lock(self._file):
                raise MatchError(f"another match is writing to {folder}; wait for it, or give --out another folder")
            _check_settings(folder / "match.json", settings)
            _mend(self.path, self._file)
            self.played = read_results(self.path)
        except BaseException:
            self._file.close()
            raise

    def missing(self, schedule: Sequence[Fixture]) -> list[Fixture]:
        """What is left to play. Raises MatchError when the file belongs to another schedule."""
        wanted = {f.number: f for f in schedule}
        for game in self.played:
            f = wanted.get(game.number)
            if f is None:
                raise MatchError(
                    f"{self.path} holds game {game.number + 1}, and this match has {len(schedule)} in all; give the same "
                    f"players and --games as large as before, or another --out"
                )
            if (f.white, f.black, f.opening.name) != (game.white, game.black, game.opening):
                raise MatchError(f"{self.path} holds games of another match; give --out another folder, or remove it")
        done = {game.number for game in self.played}
        return [f for f in schedule if f.number not in done]

    def add(self, game: Played) -> None:
        """Append one game. Raises MatchError when the disk is full."""
        line = json.dumps(asdict(game)).encode() + b"\n"
        try:
            written = self._file.write(line)
            if written != len(line):
                raise OSError(28, "No space left on device")
            if time.monotonic() > self._synced_s + _SYNC_S:
                os.fsync(self._file.fileno())
                self._synced_s = time.monotonic()
        except OSError as error:
            raise MatchError(
                f"cannot write {self.path}: {error.strerror or error}; the games so far are kept: free some room and give "
                f"the same command again"
            ) from None
        self.played.append(game)

    def close(self) -> None:
        """Nothing more will be added."""
        self._file.close()


def _check_settings(path: Path, settings: Mapping[str, Any] | None) -> None:
    """A match is resumed only with what it began with: games of other settings in one table would be a lie."""
    if settings is None:
        return
    text = json.dumps(settings, indent=1, sort_keys=True)
    if not path.exists():
        write_text(path, text + "\n")
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(before, dict):
            raise ValueError
    except ValueError:
        raise MatchError(f"{path} is damaged; give --out another folder, or remove this one") from None
    now = json.loads(text)
    changed = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    if changed:
        changes = "; ".join(f"{key} was {_short(before.get(key))}, is {_short(now.get(key))}" for key in changed)
        raise MatchError(f"{path.parent} holds a match with other settings ({changes}); give --out another folder")


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 200 else text[:200] + " …"


def _mend(path: Path, file: IO[bytes]) -> None:
    """Drop a last line that a kill cut short. Only for who holds the lock: to anyone else it is a line being written."""
    with path.open("rb") as reading:
        size = reading.seek(0, os.SEEK_END)
        reading.seek(0)
        whole = reading.read(size).rfind(b"\n") + 1
    if whole != size:
        file.truncate(whole)  # nothing is copied, so a full disk is no obstacle


def read_results(path: Path) -> list[Played]:
    """The games of a results file, which is left as it is; a last line without an end is still being written, and no game
    yet. Raises MatchError for a file that is none, or that counts a game twice; it may be packed with zstd."""
    raw = _text_of(path)
    games = list(_games(path, raw[: raw.rfind(b"\n") + 1]))
    if len({game.number for game in games}) != len(games):
        raise MatchError(f"{path} holds a game twice: two matches wrote to it at once? Give --out another folder")
    return games


def results_of(folder: Path) -> Path:
    """The results file in the folder of a match, or ``folder`` itself where it is such a file. Raises MatchError."""
    path = next((path for path in (folder / RESULTS, folder / PACKED, folder) if path.is_file()), None)
    if path is None or not path.name.endswith((".jsonl", ".jsonl.zst")):
        raise MatchError(f"expected the folder of a match (with {RESULTS} or {PACKED}), or such a file, got {folder}")
    return path


def pack_results(folder: Path, out: Path) -> None:
    """The games of a match as one small file, which ``read_results`` reads too. Raises MatchError for no match, DataError for
    a file that exists."""
    raw = _text_of(results_of(folder))
    with open_output(out) as packed:
        packed.write(raw)


def _text_of(path: Path) -> bytes:
    """A results file, packed or not."""
    try:
        return read_whole(path)
    except DataError as error:
        raise MatchError(f"expected the results of a match at {path}: {error}") from None


def _games(path: Path, raw: bytes) -> Iterator[Played]:
    for number, line in enumerate(raw.splitlines(), 1):
        try:
            game = Played(**json.loads(line))
            valid = game.result in WHITE_POINTS and isinstance(game.moves, str)
        except (ValueError, TypeError) as error:
            raise MatchError(f"{path}, line {number}: expected a game of this program, {error}") from None
        if not valid:
            raise MatchError(f"{path}, line {number}: expected a finished game, got result {game.result!r}")
        yield game
