"""A store in parts that travel: files of limited size, each by itself as varied as may be, and back into a store.

    PART      one line of JSON that names the format, then the xz streams of moves, records and names, then SHA-256 of it all

Games of all rating bands take turns, so that the first part has all games of the scarce bands and the later ones more of the
common ones. In a part they are sorted by their moves, and a game's key is left out: it follows from start and moves. Knows
that format. Does not know how parts travel.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.files import write_bytes
from engine.vocabulary import vocabulary_hash
from training.data.filters import BAND, Duplicates
from training.data.ingest import Report
from training.data.rate import Rate
from training.data.store import GAME_DTYPE, Games, Store, blocks, is_validation, key_of
from training.data.subset import new_store

FORMAT = "transcendence games 1"
SUFFIX = ".games"

_BLOCK = 1 << 14  # games that are moved about at once
_SORTED_BY = 32  # plies: hardly two games are the same for longer
_DIGEST = hashlib.sha256().digest_size
_LONGEST_HEAD = 1 << 12
_FIELDS = [name for name in GAME_DTYPE.names or () if name != "key"]
# Two bytes a ply: the coder knows which of them it is at. 0.1 bits a ply less than with xz's own settings.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 24, "lc": 3, "lp": 1, "pb": 1}]
_FIRST_GUESS = 8.7 / 8  # bytes a ply
_MARGIN = 0.996  # of the size asked for: what is aimed at
_ENOUGH = 0.95
_TRIES = 4


@dataclass(frozen=True)
class Part:
    """What a file holds."""

    path: Path
    games: int
    held_out: int
    """Of these games, those of the validation split."""
    plies: int
    size: int
    """Bytes of the file."""

    def text(self) -> str:
        """For people."""
        bits = self.size * 8 / max(1, self.plies)
        return (
            f"{self.path}: {self.games:,} games ({self.held_out:,} held out), {self.plies / 1e6:.1f} M plies, "
            f"{self.size / 2**20:.1f} MiB, {bits:.2f} bits a ply"
        )


def pack(store: Store, out: Path, *, part_bytes: int, parts: int = 0, seed: int = 1) -> Iterator[Part]:
    """Write ``store`` to ``out`` in files of at most ``part_bytes`` bytes, one by one as they are asked for; no more than
    ``parts`` of them unless that is 0. Raises DataError where ``out`` has parts already or cannot be written, for a size that
    holds no game, for a store without games, and for one whose keys are not those of its games."""
    if not store.games:
        raise DataError(f"expected games in {store.path}, found none")
    if any(out.glob(f"*{SUFFIX}")):
        raise DataError(f"{out} already holds parts of a store; choose another folder or remove them first")
    order = by_turns(np.concatenate([_highest(shard.games) for shard in store.shards]), seed=seed)
    plies = np.concatenate([np.diff(shard.offsets) for shard in store.shards])[order]
    done, number, bytes_a_ply = 0, 0, _FIRST_GUESS
    while done < len(order) and (not parts or number < parts):
        number += 1
        count, games, data = _fill(store, order[done:], plies[done:], part_bytes, bytes_a_ply)
        path = out / f"part-{number}{SUFFIX}"
        _write(path, data)
        part = Part(path, count, int(is_validation(games.records["key"]).sum()), len(games.moves), len(data))
        done, bytes_a_ply = done + count, part.size / max(1, part.plies)
        yield part


def by_turns(highest: NDArray[np.uint16], *, seed: int) -> NDArray[np.int64]:
    """(G,) the games' numbers, so that all bands of BAND points take turns while they last; within a band by chance.

    ``highest`` (G,): the higher rating of each game; 0, not known, is a band too.
    """
    drawn = np.random.default_rng(seed).permutation(len(highest))
    bands = (highest // np.uint16(BAND))[drawn]
    together = np.argsort(bands, kind="stable")
    first = np.searchsorted(bands[together], bands[together])
    turn = np.empty(len(drawn), np.int64)
    turn[together] = np.arange(len(drawn)) - first
    return drawn[np.lexsort((bands, turn))].astype(np.int64)


def _highest(records: NDArray[Any]) -> NDArray[np.uint16]:
    highest: NDArray[np.uint16] = np.maximum(records["white_elo"], records["black_elo"])
    return highest


def _fill(
    store: Store, order: NDArray[np.int64], plies: NDArray[np.int64], limit: int, bytes_a_ply: float
) -> tuple[int, Games, bytes]:
    """How many games of ``order`` fill a part, these games, and the part. How far they shrink is known only by doing it, so a
    part that is too large or too small is made again."""
    before = np.cumsum(plies)
    for attempt in range(_TRIES):
        room = limit * (_MARGIN - 0.02 * attempt) / bytes_a_ply
        count = max(1, int(np.searchsorted(before, room, side="right")))
        games = _chosen(store, order[:count])
        data = b"".join(_encoded(games, store))
        enough = count == len(order) or len(data) >= _ENOUGH * (1 - 0.02 * attempt) * limit
        if len(data) <= limit and (enough or attempt == _TRIES - 1):
            return count, games, data
        bytes_a_ply = len(data) / max(1, before[count - 1])
    raise DataError(f"expected parts that have room for some games of {store.path}, {limit / 2**20:.3g} MiB is too little")


def _chosen(store: Store, numbers: NDArray[np.int64]) -> Games:
    """The games of these numbers, counted over the whole store, in the store's order. Their keys are what their moves say."""
    keep = np.zeros(store.games, np.bool_)
    keep[numbers] = True
    chosen, begin = [], 0
    for block in blocks(store, games=_BLOCK):
        chosen.append(block.take(keep[begin : begin + len(block)]))
        begin += len(block)
    games = _joined(chosen)
    if not np.array_equal(keys_of(games), games.records["key"]):
        raise DataError(f"store {store.path} is damaged: some keys are not those of their games; make it again with bin/data")
    return games


def _joined(parts: Sequence[Games]) -> Games:
    """Games of blocks of one store."""
    lengths = np.concatenate([part.lengths for part in parts])
    return Games(
        np.concatenate([part.moves for part in parts]),
        _offsets(lengths),
        np.concatenate([part.records for part in parts]),
        parts[0].sources,
        parts[0].starts,
        np.concatenate([part.bots for part in parts]),
    )


def _offsets(lengths: NDArray[Any]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def keys_of(games: Games) -> NDArray[np.uint64]:
    """(G,) the key of each game, from its start and moves alone."""
    starts = [fen.encode("utf-8") for fen in games.starts]
    moves = memoryview(games.moves.astype("<u2").tobytes())
    ends = pairwise((games.offsets * 2).tolist())
    keys = (
        key_of(b"" if start < 0 else starts[start], moves[begin:end])
        for (begin, end), start in zip(ends, games.records["start"].tolist(), strict=True)
    )
    return np.fromiter(keys, np.uint64, count=len(games))


def _by_moves(games: Games) -> NDArray[np.int64]:
    """(G,) the games' numbers, sorted by their first moves."""
    columns = np.arange(_SORTED_BY)
    moves = np.append(games.moves, np.uint16(0)).astype(">u2")  # the last one stands where a game has no more
    place = np.minimum(games.offsets[:-1, None] + columns, len(games.moves))
    first = moves[place]
    first[columns >= games.lengths[:, None]] = 0
    return np.argsort(np.ascontiguousarray(first).view(f"S{2 * _SORTED_BY}")[:, 0], kind="stable")


def _arranged(games: Games, order: NDArray[np.int64]) -> Iterator[Games]:
    """The games in another order, in blocks."""
    for begin in range(0, len(order), _BLOCK):
        picked = order[begin : begin + _BLOCK]
        lengths = games.lengths[picked]
        offsets = _offsets(lengths)
        plies = np.arange(offsets[-1]) + np.repeat(games.offsets[picked] - offsets[:-1], lengths)
        yield Games(games.moves[plies], offsets, games.records[picked], games.sources, games.starts, games.bots[picked])


def _encoded(games: Games, store: Store) -> Iterator[bytes]:
    """The bytes of a part."""
    order = _by_moves(games)
    records = games.records[order]
    sources, source = np.unique(records["source"], return_inverse=True)
    starts, start = np.unique(records["start"][records["start"] >= 0], return_inverse=True)
    records["source"] = source
    records["start"][records["start"] >= 0] = start
    names = {
        "sources": [games.sources[i] for i in sources],
        "starts": [games.starts[i] for i in starts],
        "made_from": {"store": store.path.name, "fingerprint": store.fingerprint()},
    }
    columns = [games.lengths[order].astype("<u4"), *(records[name] for name in _FIELDS)]
    sections = {
        "moves": _shrunk(block.moves.astype("<u2").tobytes() for block in _arranged(games, order)),
        "records": _shrunk(np.ascontiguousarray(column).tobytes() for column in columns),
        "names": _shrunk([json.dumps(names).encode("utf-8")]),
    }
    sizes = {name: len(data) for name, data in sections.items()}
    head = {"format": FORMAT, "vocabulary": vocabulary_hash(), "games": len(games), "plies": len(games.moves), "sizes": sizes}
    digest = hashlib.sha256()
    for piece in (json.dumps(head).encode("utf-8") + b"\n", *sections.values()):
        digest.update(piece)
        yield piece
    yield digest.digest()


def _shrunk(pieces: Iterator[bytes] | Sequence[bytes]) -> bytes:
    packer = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=_FILTERS)
    return b"".join([*(packer.compress(piece) for piece in pieces), packer.flush()])


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
    except OSError as error:
        raise DataError(f"could not write {path}: {error.strerror or error}; make room or choose another --out") from error


def unpack(paths: Sequence[Path], out: Path) -> Report:
    """The games of some parts as a new store at ``out``, each once. Raises DataError for a file that is no part or is damaged,
    and where ``out`` exists or cannot be written."""
    report, seen = Report(), Duplicates()
    made_from: list[dict[str, str]] = []
    with new_store(out) as writer, Rate(total_bytes=0) as rate:
        for path in paths:
            games, origin = read_part(path)
            made_from += [] if origin in made_from else [origin]
            fresh = seen.new(games.records["key"])
            report.rejects.update(+Counter(duplicate=int((~fresh).sum())))
            # A store's first held-out games are what a run validates on: by their keys they come as if by chance.
            order = np.argsort(games.records["key"])
            for block in _arranged(games, order[fresh[order]]):
                report.kept, report.plies = report.kept + len(block), report.plies + len(block.moves)
                writer.extend(block)
                rate.add(len(block))
        writer.note |= {"made_from": made_from, "rejects": dict(report.rejects)}
    return report


def read_part(path: Path) -> tuple[Games, dict[str, str]]:
    """The games of a part, sorted by their moves, and the name and fingerprint of the store that they come from. Raises
    DataError for a file that is no part, is damaged or has another vocabulary."""
    data, head, begin = _opened(path)
    columns = {}
    try:
        for name, size in head["sizes"].items():
            columns[name] = lzma.decompress(data[begin : begin + size], lzma.FORMAT_XZ)
            begin += size
        names = json.loads(columns["names"])
        moves = np.frombuffer(columns["moves"], "<u2").astype(np.uint16, copy=False)
        lengths, records = _columns(columns["records"], head["games"])
        if lengths.sum() != len(moves):
            raise ValueError("its games and moves do not fit together")
    except (lzma.LZMAError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}); pack or bring it again") from error
    marked = np.zeros(len(records), np.bool_)
    games = Games(moves, _offsets(lengths), records, names["sources"], names["starts"], marked)
    records["key"] = keys_of(games)
    return games, names["made_from"]


def _opened(path: Path) -> tuple[memoryview, dict[str, Any], int]:
    """The bytes of a part, what its head says, and where the first stream begins."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"expected a part made by bin/data pack at {path}: {error.strerror or error}") from error
    try:
        line, newline, _ = data[:_LONGEST_HEAD].partition(b"\n")
        head = json.loads(line)
        known = bool(newline) and head["format"] == FORMAT
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise DataError(f"expected a part made by bin/data pack at {path}, got another kind of file")
    view = memoryview(data)
    if hashlib.sha256(view[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise DataError(f"{path} is damaged (its checksum does not fit); pack or bring it again")
    if head["vocabulary"] != vocabulary_hash():
        raise DataError(
            f"{path} has vocabulary {head['vocabulary']}, this program reads {vocabulary_hash()}; pack its store again"
        )
    return view[:-_DIGEST], head, len(line) + 1


def _columns(data: bytes, games: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Lengths (G,) and records (G,) without their keys."""
    lengths = np.frombuffer(data, "<u4", games)
    records, begin = np.zeros(games, GAME_DTYPE), lengths.nbytes
    for name in _FIELDS:
        column = np.frombuffer(data, GAME_DTYPE[name], games, begin)
        records[name], begin = column, begin + column.nbytes
    return lengths.astype(np.int64), records
