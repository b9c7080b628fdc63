"""The token store: games as flat, memory-mapped arrays on disk.

    STORE/
      store.json            format, vocabulary hash, totals, source names, FEN starts, reject counts
      shard-00000/
        moves.npy           (P,) uint16, one id of engine.vocabulary a ply, as White sees the moves
        offsets.npy         (G + 1,) int64, game g's plies are moves[offsets[g]:offsets[g + 1]]
        games.npy           (G,) GAME_DTYPE, one record a game

Knows the layout, its version and how to write it without ever leaving a half-written shard behind. Does not know
PGN, filters or tensors.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.vocabulary import vocabulary_hash

FORMAT = 1
GAMES_A_SHARD = 1 << 17

GAME_DTYPE = np.dtype(
    [
        ("key", "<u8"),  # blake2b of start and moves: de-duplicates and splits
        ("white_elo", "<u2"),  # 0 = unknown
        ("black_elo", "<u2"),
        ("result", "u1"),  # index into RESULTS
        ("scale", "u1"),  # engine.encoding.Scale
        ("time_class", "u1"),  # index into TIME_CLASSES
        ("termination", "u1"),  # index into TERMINATIONS
        ("date", "<u4"),  # yyyymmdd, 0 = unknown
        ("source", "<u2"),  # index into the store's sources
        ("start", "<i4"),  # index into the store's starts (FENs), -1 = the initial position
    ]
)
"""One game's record; every field is fixed-width, so the array can be memory-mapped and filtered at once."""

RESULTS = ("1-0", "1/2-1/2", "0-1", "*")
TIME_CLASSES = ("unknown", "ultrabullet", "bullet", "blitz", "rapid", "classical", "correspondence")
TERMINATIONS = ("unknown", "normal", "checkmate", "resignation", "time", "draw", "abandoned", "rules")

VALIDATION_PER_MILLE = 10
"""A game belongs to the validation split when its key modulo 1000 is below this."""


@dataclass
class Game:
    """One game on its way into a store."""

    moves: NDArray[np.uint16]
    """(P,) ids as White sees the moves."""
    white_elo: int = 0
    black_elo: int = 0
    result: str = "*"
    scale: int = 0
    time_class: str = "unknown"
    termination: str = "unknown"
    date: int = 0
    source: str = ""
    start_fen: str | None = None
    """None for the initial position."""

    def key(self) -> int:
        """Equal for games with the same start and the same moves, whatever their headers say."""
        start = (self.start_fen or "").encode("utf-8")
        digest = hashlib.blake2b(start + b"\0" + self.moves.astype("<u2").tobytes(), digest_size=8).digest()
        return int.from_bytes(digest, "little")


@dataclass(frozen=True)
class Shard:
    """One memory-mapped shard."""

    moves: NDArray[np.uint16]
    """(P,) ids, memory-mapped."""
    offsets: NDArray[np.int64]
    """(G + 1,)"""
    games: NDArray[Any]
    """(G,) GAME_DTYPE, memory-mapped."""


@dataclass(frozen=True)
class Store:
    """An opened store."""

    path: Path
    shards: Sequence[Shard]
    sources: Sequence[str]
    starts: Sequence[str]
    meta: dict[str, Any]

    @property
    def games(self) -> int:
        return sum(len(shard.games) for shard in self.shards)

    @property
    def plies(self) -> int:
        return sum(len(shard.moves) for shard in self.shards)

    def fingerprint(self) -> str:
        """Sixteen hex digits that change when the games do; runs record it."""
        digest = hashlib.blake2b(digest_size=8)
        for shard in self.shards:
            digest.update(np.ascontiguousarray(shard.games["key"]).tobytes())
        return digest.hexdigest()


def is_validation(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which games belong to the validation split: decided by the game alone, so re-runs and merges agree."""
    return keys % np.uint64(1000) < VALIDATION_PER_MILLE


def open_store(path: Path) -> Store:
    """Open a store for reading. Raises DataError for a missing, foreign or damaged one."""
    file = path / "store.json"
    if not file.is_file():
        raise DataError(f"expected a token store (a folder with store.json), found none at {path}; make one with bin/data")
    try:
        meta = json.loads(file.read_text(encoding="utf-8"))
        if meta["format"] != FORMAT or meta["vocabulary"] != vocabulary_hash():
            raise DataError(
                f"store {path} has format {meta['format']} and vocabulary {meta['vocabulary']}, this program reads format "
                f"{FORMAT} and vocabulary {vocabulary_hash()}; make the store again with bin/data"
            )
        shards = [_open_shard(path / name) for name in meta["shards"]]
    except (KeyError, ValueError, OSError) as error:
        raise DataError(f"store {path} is damaged ({error}); make it again with bin/data") from error
    return Store(path, shards, meta["sources"], meta["starts"], meta)


def _open_shard(folder: Path) -> Shard:
    arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("moves", "offsets", "games")]
    shard = Shard(*arrays)
    if len(shard.offsets) != len(shard.games) + 1 or shard.offsets[-1] != len(shard.moves):
        raise ValueError(f"{folder.name}: offsets do not fit the moves")
    return shard


@dataclass
class StoreWriter:
    """Appends games and writes them shard by shard; ``close`` makes the store readable.

    Each shard is written beside its place and renamed, and store.json is renewed after every shard, so whatever
    happens the store on disk is whole and holds all finished shards.
    """

    path: Path
    games_a_shard: int = GAMES_A_SHARD
    note: dict[str, Any] = field(default_factory=dict)
    _pending: list[Game] = field(default_factory=list)
    _shards: list[str] = field(default_factory=list)
    _sources: dict[str, int] = field(default_factory=dict)
    _starts: dict[str, int] = field(default_factory=dict)
    _games: int = 0
    _plies: int = 0

    def __post_init__(self) -> None:
        if (self.path / "store.json").exists():
            raise DataError(f"{self.path} already holds a store; choose another folder or remove it first")
        self.path.mkdir(parents=True, exist_ok=True)

    def add(self, game: Game) -> None:
        """Append one game; writes a shard whenever enough have come together."""
        self._pending.append(game)
        if len(self._pending) >= self.games_a_shard:
            self._write_shard()

    def close(self) -> None:
        """Write what is pending and the final store.json."""
        if self._pending or not self._shards:
            self._write_shard()

    def _record(self, game: Game) -> tuple[Any, ...]:
        source = self._sources.setdefault(game.source, len(self._sources))
        start = -1 if game.start_fen is None else self._starts.setdefault(game.start_fen, len(self._starts))
        return (
            game.key(), game.white_elo, game.black_elo, RESULTS.index(game.result), game.scale,
            TIME_CLASSES.index(game.time_class), TERMINATIONS.index(game.termination), game.date, source, start,
        )  # fmt: skip

    def _write_shard(self) -> None:
        name = f"shard-{len(self._shards):05d}"
        games = np.array([self._record(g) for g in self._pending], dtype=GAME_DTYPE)
        offsets = np.cumsum([0] + [len(g.moves) for g in self._pending], dtype=np.int64)
        moves = np.concatenate([g.moves for g in self._pending] or [np.zeros(0, np.uint16)]).astype(np.uint16)
        partial = self.path / f"{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for file, array in (("moves", moves), ("offsets", offsets), ("games", games)):
            np.save(partial / f"{file}.npy", array)
        os.replace(partial, self.path / name)
        self._shards.append(name)
        self._games += len(games)
        self._plies += len(moves)
        self._pending.clear()
        self._write_meta()

    def _write_meta(self) -> None:
        meta = {
            "format": FORMAT, "vocabulary": vocabulary_hash(), "games": self._games, "plies": self._plies,
            "shards": self._shards, "sources": list(self._sources), "starts": list(self._starts), **self.note,
        }  # fmt: skip
        partial = self.path / "store.json.partial"
        partial.write_text(json.dumps(meta, indent=1), encoding="utf-8")
        os.replace(partial, self.path / "store.json")


def iterate(store: Store) -> Iterator[Game]:
    """Every game of a store, in order."""
    for shard in store.shards:
        for g, record in enumerate(shard.games):
            start = int(record["start"])
            yield Game(
                np.asarray(shard.moves[shard.offsets[g] : shard.offsets[g + 1]]),
                int(record["white_elo"]), int(record["black_elo"]), RESULTS[record["result"]], int(record["scale"]),
                TIME_CLASSES[record["time_class"]], TERMINATIONS[record["termination"]], int(record["date"]),
                store.sources[record["source"]], None if start < 0 else store.starts[start],
            )  # fmt: skip
