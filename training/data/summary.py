"""What is in a store, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator

import chess
import numpy as np
from numpy.typing import NDArray

from engine.encoding import Scale
from engine.vocabulary import UCI_MOVES
from training.data.store import RESULTS, TERMINATIONS, TIME_CLASSES, Store

_OPENING_PLIES = 4
_MOST_LISTED = 10
_RATING_STEP = 200


def describe(store: Store) -> str:
    """Games, plies, lengths, results, ratings, openings, sources, splits and what was left out."""
    games = np.concatenate([np.asarray(shard.games) for shard in store.shards])
    if not len(games):
        return "\n".join([f"{store.path}: no games", *_history(store)])
    plies = np.concatenate([np.diff(shard.offsets) for shard in store.shards])
    held_out = sum(int(split.sum()) for split in store.held_out())
    lines = [
        f"{store.path}: {len(games):,} games ({held_out:,} split out for validation), {store.plies:,} plies, "
        f"{len(store.shards)} shard(s), fingerprint {store.fingerprint()}",
        f"plies a game: median {int(np.median(plies))}, from {plies.min()} to {plies.max()}",
    ]
    for title, column, names in (
        ("results", "result", RESULTS),
        ("time classes", "time_class", TIME_CLASSES),
        ("terminations", "termination", TERMINATIONS),
        ("rating scales", "scale", [s.name.lower() for s in Scale]),
    ):
        counts = np.bincount(games[column], minlength=len(names)).tolist()
        lines.append(f"{title}: " + ", ".join(f"{name} {n:,}" for name, n in zip(names, counts, strict=True) if n))
    lines += [*_dates(games["date"]), f"starts other than the initial position: {int((games['start'] >= 0).sum()):,}"]
    highest = np.maximum(games["white_elo"], games["black_elo"]).astype(np.int64)
    lines += [*_ratings(highest), *_openings(store), *_sources(store, games["source"]), *_history(store)]
    return "\n".join(lines)


def _dates(dates: NDArray[np.uint32]) -> Iterator[str]:
    if (known := dates[dates > 0]).size:
        yield f"dates: {known.min()} to {known.max()}, unknown {len(dates) - len(known):,}"


def _ratings(highest: NDArray[np.int64]) -> Iterator[str]:
    yield "by the higher rating:"
    yield f"  {'unknown':>11}  {int((highest == 0).sum()):>11,}"
    known = highest[highest > 0]
    for band, count in zip(*np.unique(known // _RATING_STEP, return_counts=True), strict=True):
        low = int(band) * _RATING_STEP
        yield f"  {low:>5}-{low + _RATING_STEP - 1:<5}  {int(count):>11,}"


def _openings(store: Store) -> Iterator[str]:
    """The commonest first moves of games from the initial position."""
    lines: dict[int, int] = {}
    for shard in store.shards:
        fit = np.flatnonzero((shard.games["start"] < 0) & (np.diff(shard.offsets) >= _OPENING_PLIES))
        code = np.zeros(len(fit), np.uint64)
        for ply in range(_OPENING_PLIES):
            code = (code << np.uint64(16)) | shard.moves[shard.offsets[fit] + ply].astype(np.uint64)
        for key, count in zip(*np.unique(code, return_counts=True), strict=True):
            lines[int(key)] = lines.get(int(key), 0) + int(count)
    if lines:
        total = sum(lines.values())
        yield f"openings ({len(lines):,} different ones of {_OPENING_PLIES} plies):"
        for key, count in sorted(lines.items(), key=lambda item: -item[1])[:_MOST_LISTED]:
            yield f"  {_line(key):<24}  {count:>11,}  {count / total:6.1%}"


def _line(key: int) -> str:
    board, words = chess.Board(), []
    for ply in range(_OPENING_PLIES):
        move = key >> 16 * (_OPENING_PLIES - 1 - ply) & 0xFFFF
        number = f"{board.fullmove_number}." if board.turn else ""
        words.append(number + board.san_and_push(chess.Move.from_uci(UCI_MOVES[move])))
    return " ".join(words)


def _sources(store: Store, sources: NDArray[np.uint16]) -> Iterator[str]:
    counts = np.bincount(sources, minlength=len(store.sources))
    order = np.argsort(-counts, kind="stable")
    yield f"sources ({len(store.sources):,}):"
    for i in order[:_MOST_LISTED].tolist():
        yield f"  {store.sources[i] or 'not named'}: {int(counts[i]):,}"


def _history(store: Store) -> Iterator[str]:
    if not store.meta.get("complete", True):
        yield "unfinished: the command that made it was interrupted; the same command resumes it"
    yield from (f"left out when made: {count:,} {reason}" for reason, count in store.meta.get("rejects", {}).items())
    yield from (f"damaged file: {name}" for name in store.meta.get("progress", {}).get("damaged", []))
    for part in store.meta.get("made_from", []):
        yield f"made from: store {part['store']}, fingerprint {part['fingerprint']}"
