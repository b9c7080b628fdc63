"""Keys and values of games that advance together, side by side in the layout that the net reads.

Knows rows and how much of them is asked for; a call about most games of a shelf takes its arrays as they are, so nothing is
copied but when a shelf grows. Does not know chess or nets.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.net import NetInfo, Past

_ROWS = 32
"""Games on a shelf at most: two shelves let the net read one while the games of the other are prepared."""
_STEP = 32
"""Plies by which a shelf grows: growing copies it, and plies of room that are not in use cost attention."""
_MOSTLY = 0.75
"""A shelf is read whole, its other rows in vain, when this share of its rows is asked for."""


class CachedGame(Protocol):
    """A game that lies on a shelf."""

    shelf: Shelf | None
    row: int
    filled: int
    """Plies of it that the shelf holds."""


class Shelf:
    """Rows of keys and values; a row is free again when nobody holds its game any more."""

    def __init__(self, info: NetInfo, rows: int) -> None:
        self.rows = rows
        self._info = info
        self._owners: list[weakref.ref[CachedGame] | None] = [None] * rows
        self._room = 0
        self._keys, self._values = self._reserved(info.context)

    def free(self) -> list[int]:
        """Rows that no living game has."""
        return [row for row, owner in enumerate(self._owners) if owner is None or owner() is None]

    def take(self, reader: CachedGame, row: int) -> None:
        """Give ``reader`` a free row, and what it has read elsewhere a copy there."""
        old, old_row = reader.shelf, reader.row
        if old is not None and reader.filled:
            self.write(row, 0, *old.read(old_row, reader.filled))
        if old is not None:
            old._owners[old_row] = None
        self._owners[row] = weakref.ref(reader)
        reader.shelf, reader.row = self, row

    def read(self, row: int, plies: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(L, H, plies, D) keys and values."""
        return self._laid(self._keys)[:, row, :, :plies], self._laid(self._values)[:, row, :, :plies]

    def write(self, row: int, at: int, keys: NDArray[np.float32], values: NDArray[np.float32]) -> None:
        """Put (L, H, T, D) keys and values behind the first ``at`` plies of a row. No call may be reading the shelf."""
        end = at + keys.shape[2]
        if end > self._room:
            self._lay_out(_STEP * -(-end // _STEP))
        self._laid(self._keys)[:, row, :, at:end], self._laid(self._values)[:, row, :, at:end] = keys, values

    def _reserved(self, plies: int) -> NDArray[np.float32]:
        """Two blocks of memory, each enough for ``plies`` of all rows; what is not used takes no room."""
        info = self._info
        return np.zeros((2, info.layers * self.rows * info.heads * plies * info.head_width), np.float32)

    def _laid(self, block: NDArray[np.float32], room: int | None = None) -> NDArray[np.float32]:
        """(L, rows, H, room, D) the beginning of a block of memory as the net reads it."""
        info, room = self._info, self._room if room is None else room
        shape = (info.layers, self.rows, info.heads, room, info.head_width)
        return block[: math.prod(shape)].reshape(shape)

    def _lay_out(self, room: int) -> None:
        """Change the room of all rows, in place: fresh memory for it took longer than the net."""
        layers = range(self._info.layers)
        kept = min(room, self._room)
        blocks = [self._keys, self._values]
        if math.prod(self._laid(blocks[0], 0).shape[:3]) * room * self._info.head_width > blocks[0].size:
            self._keys, self._values = self._reserved(2 * room)  # a blind net is never re-based: its games outgrow the context
        for old, new in zip(blocks, (self._keys, self._values), strict=True):
            source, target = self._laid(old), self._laid(new, room)
            for layer in layers if room < self._room else reversed(layers):  # so that none is overwritten before it has moved
                target[layer, :, :, :kept] = source[layer, :, :, :kept].copy()
        self._room = room

    def whole(self, readers: Sequence[CachedGame]) -> Past:
        """The past of all rows, of those that ``readers`` do not have empty."""
        lengths = np.zeros(self.rows, np.int64)
        lengths[[reader.row for reader in readers]] = [reader.filled for reader in readers]
        needed = _STEP * -(-max(self._held()) // _STEP)
        if 2 * needed <= self._room:
            self._lay_out(needed)
        return Past(self._laid(self._keys), self._laid(self._values), lengths)

    def _held(self) -> list[int]:
        owners = [owner() for owner in self._owners if owner is not None]
        return [owner.filled for owner in owners if owner is not None]

    def mostly(self, readers: Sequence[CachedGame]) -> bool:
        """Whether ``readers`` are so many of the rows that reading all is cheapest."""
        return len(readers) >= _MOSTLY * self.rows


class Shelves:
    """The shelves of one net."""

    def __init__(self, info: NetInfo) -> None:
        self._info = info

    def seat(self, readers: Sequence[CachedGame]) -> list[list[int]]:
        """Give each reader a row, and say which of ``readers``, by number, share a shelf.

        New games go to free rows of shelves that are asked for as well, for games of one call are likely to meet again:
        a net that plays both colours is asked for two sets of games in turn.
        """
        new = [reader for reader in readers if reader.shelf is None]
        shelves = {id(reader.shelf): reader.shelf for reader in readers if reader.shelf is not None}
        free = [(shelf, row) for shelf in shelves.values() for row in shelf.free()]
        for reader, (shelf, row) in zip(new, free, strict=False):
            shelf.take(reader, row)
        self._shelve(new[len(free) :])
        for shelf in shelves.values():
            self._close_up(shelf, [reader for reader in readers if reader.shelf is shelf])
        together: dict[int, list[int]] = {}
        for i, reader in enumerate(readers):
            together.setdefault(id(reader.shelf), []).append(i)
        return list(together.values())

    def _shelve(self, readers: Sequence[CachedGame]) -> None:
        """Put ``readers`` on new shelves, as equally full as can be."""
        count = -(-len(readers) // _ROWS)
        for n in range(count):
            part = readers[n::count]
            shelf = Shelf(self._info, len(part))
            for row, reader in enumerate(part):
                shelf.take(reader, row)

    def _close_up(self, shelf: Shelf, readers: Sequence[CachedGame]) -> None:
        """Move ``readers`` to a smaller shelf where only ended games keep them from having theirs to themselves."""
        living = shelf.rows - len(shelf.free())
        if not shelf.mostly(readers) and len(readers) >= _MOSTLY * living:
            self._shelve(readers)


def copied(readers: Sequence[CachedGame]) -> Past:
    """The past of a few games of a shelf, or of several shelves, in new arrays."""
    parts = [reader.shelf.read(reader.row, reader.filled) for reader in readers if reader.shelf is not None]
    lengths = np.array([reader.filled for reader in readers])
    L, H, _, D = parts[0][0].shape
    keys, values = np.zeros((2, L, len(parts), H, int(lengths.max()), D), np.float32)
    for i, (own_keys, own_values) in enumerate(parts):
        keys[:, i, :, : lengths[i]], values[:, i, :, : lengths[i]] = own_keys, own_values
    return Past(keys, values, lengths)
