"""Where games come from: the rating scale and licence of each source, and a table of a store's sources.

Knows the file ``sources.toml`` beside it, or one like it. Does not know formats of games.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.encoding import Scale
from engine.errors import DataError
from training.data.store import Store

_OURS = Path(__file__).with_name("sources.toml")
_SCALES = {scale.name.lower(): scale for scale in Scale}
_KEYS = ("scale", "licence", "again", "note")
_LISTED = 40


@dataclass(frozen=True)
class Source:
    """What is known of one source, or of all games with ratings of one scale."""

    scale: Scale | None = None
    """Of its players' ratings, over what the games say; None = as they say."""
    licence: str = ""
    """Of its games' moves; empty = as for the scale."""
    again: str = ""
    """Where to get the games again; empty = as for the scale."""
    note: str = ""
    """What else a reader should know."""


@dataclass(frozen=True)
class Sources:
    """All that is known."""

    by_name: Mapping[str, Source]
    by_scale: Mapping[Scale, Source]

    def scales(self) -> dict[str, Scale]:
        """The rating scale of each source that has one of its own."""
        return {name: source.scale for name, source in self.by_name.items() if source.scale is not None}

    def about(self, name: str, scale: Scale) -> Source:
        """What is known of the games of a source that have ratings of ``scale``."""
        known, usual = self.by_name.get(name, Source()), self.by_scale.get(scale, Source())
        return replace(known, licence=known.licence or usual.licence, again=known.again or usual.again)


def known_sources(more: Path | None = None) -> Sources:
    """What ships with the program, and on top of it what the file ``more`` says. Raises DataError for a file that says
    something else than ``sources.toml`` does."""
    by_name: dict[str, Source] = {}
    by_scale: dict[Scale, Source] = {}
    for path in [_OURS, *([more] if more else [])]:
        values = _read(path)
        for name, table in values.pop("scale", {}).items():
            by_scale[_scale(name, f"{path} [scale.{name}]")] = _source(table, f"{path} [scale.{name}]")
        by_name |= {name: _source(table, f'{path} ["{name}"]') for name, table in values.items()}
    return Sources(by_name, by_scale)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"expected a TOML file that describes sources at {path}: {error}") from error


def _source(table: Any, where: str) -> Source:
    if not isinstance(table, dict):
        raise DataError(f"{where}: expected a table with {', '.join(_KEYS)}, got {table!r}")
    for key, value in table.items():
        if key not in _KEYS or not isinstance(value, str):
            raise DataError(f"{where}: expected texts under {', '.join(_KEYS)}, got {key} = {value!r}")
    scale = _scale(table["scale"], where) if "scale" in table else None
    return Source(**(table | {"scale": scale}))


def _scale(name: str, where: str) -> Scale:
    if name not in _SCALES:
        raise DataError(f"{where}: expected a rating scale of {', '.join(_SCALES)}, got {name!r}")
    return _SCALES[name]


def sources_table(store: Store, sources: Sources) -> str:
    """A Markdown table of the sources of a store's games, the largest first, with rating scale, licence and availability."""
    counts = _counts(store)
    rows = ["| games | source | ratings | licence of the moves | where to get them again | note |", "| ---: |" + " --- |" * 5]
    rows += list(_rows(counts[:_LISTED], sources))
    if left := counts[_LISTED:]:
        rows.append(f"| {sum(count for count, _, _ in left):,} | {len(left)} smaller ones | | | | |")
    return "\n".join(rows) + "\n"


def _counts(store: Store) -> list[tuple[int, str, Scale]]:
    """Games of each source with ratings of each scale, the most first."""
    totals = np.zeros((len(store.sources), len(Scale)), np.int64)
    for shard in store.shards:
        np.add.at(totals, (shard.games["source"].astype(np.int64), shard.games["scale"].astype(np.int64)), 1)
    counts = [(int(totals[i, s]), name, s) for i, name in enumerate(store.sources) for s in Scale if totals[i, s]]
    return sorted(counts, key=lambda row: (-row[0], row[1], row[2]))


def _rows(counts: list[tuple[int, str, Scale]], sources: Sources) -> Iterator[str]:
    for count, name, scale in counts:
        about = sources.about(name, scale)
        yield f"| {count:,} | {name or 'not named'} | {scale.name.lower()} | {about.licence} | {about.again} | {about.note} |"
