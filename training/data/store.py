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

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.files import PARTIAL, lock, replacing, write_text
from engine.vocabulary import vocabulary_hash

FORMAT = 1
GAMES_A_SHARD = 1 << 17

_MOST_SOURCES = 60_000  # the field has 16 bits; old collections name a place in every event
_OTHER_SOURCES = "other"

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
_PER_MILLE = np.uint64(1000)
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
        return key_of((self.start_fen or "").encode("utf-8"), self.moves.astype("<u2").tobytes())


def key_of(start: bytes, moves: bytes | memoryview) -> int:
    """A game's key: ``start`` is its FEN, empty for the initial position, ``moves`` its ids as little-endian uint16."""
    return int.from_bytes(hashlib.blake2b(b"".join([start, b"\0", moves]), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Games:
    """Many games as arrays: how they travel between processes and in and out of stores."""

    moves: NDArray[np.uint16]
    """(P,) ids as White sees the moves, games one after another."""
    offsets: NDArray[np.int64]
    """(G + 1,) game g's plies are moves[offsets[g]:offsets[g + 1]]."""
    records: NDArray[Any]
    """(G,) GAME_DTYPE; ``source`` and ``start`` count in the two lists below."""
    sources: list[str]
    starts: list[str]
    bots: NDArray[np.bool_]
    """(G,) True where a player is marked as a computer; a filter's food, not stored."""
    open_ended: NDArray[np.bool_] | None = None
    """(G,) True where no result follows the moves in their text, so that some may be missing; counted, not stored."""

    def __len__(self) -> int:
        return len(self.records)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(G,) plies of each game."""
        return np.diff(self.offsets)

    def take(self, keep: NDArray[np.bool_]) -> Games:
        """The games where ``keep`` (G,) is True, in the same order; the two lists stay."""
        if keep.all():
            return self
        lengths = self.lengths
        offsets = np.concatenate([[0], np.cumsum(lengths[keep])]).astype(np.int64)
        moves = self.moves[self.offsets[0] : self.offsets[-1]][np.repeat(keep, lengths)]
        open_ended = None if self.open_ended is None else self.open_ended[keep]
        return Games(moves, offsets, self.records[keep], self.sources, self.starts, self.bots[keep], open_ended)


def pack(games: Sequence[Game], bots: Sequence[bool] = (), open_ended: Sequence[bool] = ()) -> Games:
    """Games as arrays."""
    sources: dict[str, int] = {}
    starts: dict[str, int] = {}
    records = [
        (
            g.key(),
            g.white_elo,
            g.black_elo,
            _RESULT[g.result],
            g.scale,
            _TIME_CLASS[g.time_class],
            _TERMINATION[g.termination],
            g.date,
            sources.setdefault(g.source, len(sources)),
            -1 if g.start_fen is None else starts.setdefault(g.start_fen, len(starts)),
        )
        for g in games
    ]
    moves = np.concatenate([g.moves for g in games]) if games else np.zeros(0, np.uint16)
    offsets = np.cumsum([0] + [len(g.moves) for g in games], dtype=np.int64)
    marked = np.array(bots or [False] * len(games), np.bool_)
    packed = np.array(records, GAME_DTYPE)
    unended = np.array(open_ended, np.bool_) if open_ended else None
    return Games(moves.astype(np.uint16), offsets, packed, list(sources), list(starts), marked, unended)


_RESULT = {name: i for i, name in enumerate(RESULTS)}
_TIME_CLASS = {name: i for i, name in enumerate(TIME_CLASSES)}
_TERMINATION = {name: i for i, name in enumerate(TERMINATIONS)}


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

    def held_out(self) -> list[NDArray[np.bool_]]:
        """Which games of each shard are the validation split: those that ``is_validation`` says, or in a store too small to
        have one of these, the game that is nearest to it."""
        keys = [np.asarray(shard.games["key"]) for shard in self.shards]
        splits = [is_validation(some) for some in keys]
        if self.games > 1 and not any(some.any() for some in splits):
            nearest = min(int((some % _PER_MILLE).min()) for some in keys if len(some))
            splits = [some % _PER_MILLE == nearest for some in keys]
        return splits

    def scale(self) -> int:
        """The rating list (``engine.encoding.Scale``) of most rated games; 0 where none is known."""
        counts = np.zeros(256, np.int64)
        for shard in self.shards:
            counts += np.bincount(shard.games["scale"][np.asarray(shard.games["white_elo"]) > 0], minlength=256)
        counts[0] = 0
        return int(np.argmax(counts))

    def fingerprint(self) -> str:
        """Sixteen hex digits that change when the games do; runs record it."""
        digest = hashlib.blake2b(digest_size=8)
        for shard in self.shards:
            digest.update(np.ascontiguousarray(shard.games["key"]).tobytes())
        return digest.hexdigest()


def is_validation(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which games belong to the validation split: decided by the game alone, so re-runs and merges agree."""
    return keys % _PER_MILLE < VALIDATION_PER_MILLE


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
    except (KeyError, TypeError, ValueError, EOFError, OSError) as error:
        raise DataError(f"store {path} is damaged ({error}); make it again with bin/data") from error
    return Store(path, shards, meta["sources"], meta["starts"], meta)


def _open_shard(folder: Path) -> Shard:
    arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("moves", "offsets", "games")]
    shard = Shard(*arrays)
    if [array.dtype for array in arrays] != [np.dtype(np.uint16), np.dtype(np.int64), GAME_DTYPE]:
        raise ValueError(f"{folder.name}: arrays of other types than this format has")
    if len(shard.offsets) != len(shard.games) + 1 or shard.offsets[-1] != len(shard.moves):
        raise ValueError(f"{folder.name}: offsets do not fit the moves")
    return shard


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep the place of a store for this process while it is made. Raises DataError where another one makes a store there, or
    where nothing can be written."""
    path = path.resolve()  # "." has no name
    name = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = name.open("ab")
    except OSError as error:
        raise DataError(f"expected a folder that can be made at {path}: {error.strerror or error}") from error
    with file:
        if not lock(file):
            raise DataError(f"another command is making a store at {path}; wait for it, or choose another --out")
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows keeps a file that is open
                name.unlink()


@dataclass
class StoreWriter:
    """Appends games and writes them shard by shard; ``close`` makes the store readable.

    Each shard is written beside its place and renamed, and store.json is renewed after every shard, so whatever
    happens the store on disk is whole and holds all finished shards. ``resume`` continues behind them. Raises DataError
    for a place that already holds a store and for a disk that takes no more.
    """

    path: Path
    games_a_shard: int = GAMES_A_SHARD
    note: dict[str, Any] = field(default_factory=dict)
    """Goes into store.json beside the totals."""
    resume: bool = False
    _pending: list[Games] = field(default_factory=list)
    _shards: list[str] = field(default_factory=list)
    _sources: dict[str, int] = field(default_factory=dict)
    _starts: dict[str, int] = field(default_factory=dict)
    _waiting: int = 0
    _games: int = 0
    _plies: int = 0

    def __post_init__(self) -> None:
        if (self.path / "store.json").exists():
            if not self.resume:
                raise DataError(f"{self.path} already holds a store; choose another folder or remove it first")
            self._go_on(open_store(self.path))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"expected a folder that can be made at {self.path}: {error.strerror or error}") from error

    def _go_on(self, store: Store) -> None:
        self._shards = list(store.meta["shards"])
        self._sources = {name: i for i, name in enumerate(store.sources)}
        self._starts = {fen: i for i, fen in enumerate(store.starts)}
        self._games, self._plies = store.games, store.plies
        own = ("format", "vocabulary", "games", "plies", "shards", "sources", "starts")
        self.note = {name: value for name, value in store.meta.items() if name not in own} | self.note

    def add(self, game: Game) -> None:
        """Append one game; writes a shard whenever enough have come together."""
        self.extend(pack([game]))

    def extend(self, games: Games) -> None:
        """Append games; they stay together in one shard, so a shard may hold a few more than ``games_a_shard``."""
        if len(games):
            self._pending.append(self._renumbered(games))
            self._waiting += len(games)
        if self._waiting >= self.games_a_shard:
            self.flush()

    def flush(self) -> None:
        """Write what is pending as a shard, and store.json with the present ``note``."""
        try:
            if self._waiting or not self._shards:
                self._write_shard()
            self._write_meta()
        except OSError as error:
            self._clear_partial()
            raise DataError(
                f"could not write to the store {self.path}: {error.strerror or error}; what it holds is whole. "
                "Make room or choose another --out, then give the same command again"
            ) from error

    def close(self) -> None:
        """Write what is pending and the final store.json."""
        self.flush()

    def _renumbered(self, games: Games) -> Games:
        """Sources and starts by this store's numbers."""
        records = games.records.copy()
        if len(games.sources):
            source = np.array([self._source(name) for name in games.sources])
            records["source"] = source[games.records["source"]]
        if len(games.starts):
            used = np.unique(games.records["start"])
            start = np.full(len(games.starts) + 1, -1, np.int32)  # the last entry is found by -1, the initial position
            for i in used[used >= 0]:
                start[i] = self._starts.setdefault(games.starts[i], len(self._starts))
            records["start"] = start[games.records["start"]]
        moves = np.asarray(games.moves[games.offsets[0] : games.offsets[-1]])
        return Games(moves, games.offsets - games.offsets[0], records, [], [], games.bots)

    def _source(self, name: str) -> int:
        if name not in self._sources and len(self._sources) >= _MOST_SOURCES:
            name = _OTHER_SOURCES
        return self._sources.setdefault(name, len(self._sources))

    def _write_shard(self) -> None:
        name = f"shard-{len(self._shards):05d}"
        parts = self._pending or [pack([])]
        lengths = np.concatenate([part.lengths for part in parts])
        arrays: dict[str, NDArray[Any]] = {
            "moves": np.concatenate([part.moves for part in parts]),
            "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            "games": np.concatenate([part.records for part in parts]),
        }
        with replacing(self.path / name) as partial:
            for stale in (partial, self.path / name):  # of a run that was killed here: store.json does not name it
                shutil.rmtree(stale, ignore_errors=True)
            partial.mkdir()
            for file, array in arrays.items():
                with (partial / f"{file}.npy").open("wb") as stream:
                    np.save(stream, array)
                    _to_disk(stream)
        self._shards.append(name)
        self._games += len(lengths)
        self._plies += len(arrays["moves"])
        self._pending.clear()
        self._waiting = 0

    def _write_meta(self) -> None:
        meta = {
            "format": FORMAT,
            "vocabulary": vocabulary_hash(),
            "games": self._games,
            "plies": self._plies,
            "shards": self._shards,
            "sources": list(self._sources),
            "starts": list(self._starts),
            **self.note,
        }
        write_text(self.path / "store.json", json.dumps(meta, indent=1))

    def _clear_partial(self) -> None:
        for stale in self.path.glob(f"*{PARTIAL}"):
            if stale.is_dir():
                shutil.rmtree(stale, ignore_errors=True)
            else:
                stale.unlink(missing_ok=True)


def _to_disk(stream: IO[Any]) -> None:
    """Before the folder gets its name: see ``engine.files``."""
    stream.flush()
    os.fsync(stream.fileno())


def blocks(store: Store, games: int = 1 << 14) -> Iterator[Games]:
    """A store's games in order, in blocks of at most ``games``."""
    sources, starts = list(store.sources), list(store.starts)
    for shard in store.shards:
        for begin in range(0, len(shard.games), games):
            offsets = np.asarray(shard.offsets[begin : begin + games + 1])
            records = np.asarray(shard.games[begin : begin + games])
            moves = shard.moves[offsets[0] : offsets[-1]]
            yield Games(moves, offsets - offsets[0], records, sources, starts, np.zeros(len(records), np.bool_))


def iterate(store: Store) -> Iterator[Game]:
    """Every game of a store, in order."""
    for block in blocks(store):
        yield from unpack(block)


def unpack(games: Games) -> Iterator[Game]:
    """Each game by itself."""
    for g, record in enumerate(games.records):
        start = int(record["start"])
        yield Game(
            np.asarray(games.moves[games.offsets[g] : games.offsets[g + 1]]),
            int(record["white_elo"]),
            int(record["black_elo"]),
            RESULTS[record["result"]],
            int(record["scale"]),
            TIME_CLASSES[record["time_class"]],
            TERMINATIONS[record["termination"]],
            int(record["date"]),
            games.sources[record["source"]],
            None if start < 0 else games.starts[start],
        )
