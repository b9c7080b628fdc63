"""Stores into one new store: merged, filtered, sampled.

Knows which games go over and that a half-made copy must not look like a store. Does not know formats of games.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.files import replacing
from training.data.filters import BAND, Duplicates, Filters, Quota
from training.data.ingest import Report
from training.data.rate import Rate
from training.data.store import GAMES_A_SHARD, Games, Store, StoreWriter, alone, blocks


@dataclass(frozen=True)
class Selection:
    """Which games of the stores go over; all of them by default, each once."""

    filters: Filters = field(default_factory=lambda: Filters(min_plies=0))
    games: int = 0
    """How many at most, drawn at random from those that the filters leave; 0 = all."""
    max_per_band: int = 0
    """Most games of a band of 100 points by the higher rating, drawn at random; 0 = no limit."""
    max_per_source: int = 0
    """Most games of a source: the first ones in their stores, after the draws above; 0 = no limit."""
    seed: int = 1
    """Of the draws."""


def copy(stores: Sequence[Store], out: Path, selection: Selection | None = None, *, shard_games: int = GAMES_A_SHARD) -> Report:
    """Write the selected games of all stores, in their order, into a new store at ``out``.

    The store is made beside its place and renamed at the end. Raises DataError when ``out`` exists or cannot be written.
    """
    selection = selection or Selection()
    report, quota = Report(), Quota(max_per_source=selection.max_per_source)
    made_from = [{"store": store.path.name, "fingerprint": store.fingerprint()} for store in stores]
    with new_store(out, shard_games=shard_games) as writer:
        chosen = _drawn(stores, selection, report.rejects)
        with Rate(total_bytes=0) as rate:
            for number, games in _whole(stores):
                kept, full = quota.apply(games.take(chosen[number]))
                report.rejects.update(full)
                report.kept, report.plies = report.kept + len(kept), report.plies + len(kept.moves)
                writer.extend(kept)
                rate.add(len(games))
        writer.note |= {"made_from": made_from, "rejects": dict(report.rejects)}
    return report


@contextlib.contextmanager
def new_store(out: Path, *, shard_games: int = GAMES_A_SHARD) -> Iterator[StoreWriter]:
    """A writer whose store appears at ``out`` when all is well, and not at all otherwise.

    Raises DataError when ``out`` exists or cannot be written.
    """
    if (out / "store.json").exists():
        raise DataError(f"{out} already holds a store; choose another folder or remove it first")
    if out.exists() and any(out.iterdir()):
        raise DataError(f"expected a new or an empty folder at {out}, found files in it; choose another --out")
    with alone(out), replacing(out) as partial:
        shutil.rmtree(partial, ignore_errors=True)
        writer = StoreWriter(partial, games_a_shard=shard_games)
        yield writer
        writer.note |= {"complete": True}
        writer.close()
        if out.exists():
            out.rmdir()


def _whole(stores: Sequence[Store]) -> Iterator[tuple[int, Games]]:
    """The blocks of all stores, numbered."""
    yield from enumerate(games for store in stores for games in blocks(store))


def _drawn(stores: Sequence[Store], selection: Selection, rejects: Counter[str]) -> list[NDArray[np.bool_]]:
    """For each block, which of its games go over; 13 bytes a game in memory."""
    seen = Duplicates()
    masks: list[NDArray[np.bool_]] = []
    highest: list[NDArray[np.uint16]] = []
    for _, games in _whole(stores):
        passed, filtered = selection.filters.passing(games)
        fresh = passed.copy()
        fresh[passed] = seen.new(games.records["key"][passed])
        rejects.update(filtered + Counter(duplicate=int(passed.sum() - fresh.sum())))
        masks.append(fresh)
        highest.append(np.maximum(games.records["white_elo"], games.records["black_elo"]))
    keep = _draw(np.concatenate([*masks, np.zeros(0, np.bool_)]), np.concatenate([*highest, np.zeros(0, np.uint16)]), selection)
    rejects.update(+Counter({"not drawn": int(sum(int(m.sum()) for m in masks) - keep.sum())}))
    return np.split(keep, np.cumsum([len(m) for m in masks])[:-1]) if masks else []


def _draw(keep: NDArray[np.bool_], highest: NDArray[np.uint16], selection: Selection) -> NDArray[np.bool_]:
    """The games that the limits of bands and of all leave, drawn at random."""
    random = np.random.default_rng(selection.seed)
    drawn = keep.copy()
    if selection.max_per_band:
        bands = highest // np.uint16(BAND)
        for band in np.unique(bands[drawn]):
            members = np.flatnonzero(drawn & (bands == band))
            drawn[random.permutation(members)[selection.max_per_band :]] = False
    if selection.games:
        drawn[random.permutation(np.flatnonzero(drawn))[selection.games :]] = False
    return drawn
