"""Rows on their way to the net: each step's as tensors on the training device, in parts of one pass each.

Knows readers, tensors, and for a GPU how to make the next step's rows while it works on this one's. Does not know nets or
losses.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.batches.device_replay import DeviceReplay, board_codes
from training.batches.replay import Start
from training.batches.rows import Boards, RowReader, Rows, boards_by_numpy

_AHEAD = 3
"""Steps whose rows are made early: only some need new games replayed, which then may take longer than a step."""

_INPUTS = ("moves", "board", "state", "ratings", "segments")


@dataclass(frozen=True)
class Batch:
    """Rows of one forward and backward pass, on the training device."""

    inputs: tuple[Tensor, ...]
    """What ``training.net.model.Transformer`` takes, int64."""
    targets: Tensor
    """(R, T) int64, as in ``training.batches.rows.Rows``."""
    results: Tensor
    """(R, T) int64"""
    weights: Tensor | None
    """(R, T) of the loss on each move; None where all weigh alike."""

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: slice) -> Batch:
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Batch(tuple(x[rows] for x in self.inputs), self.targets[rows], self.results[rows], weights)

    def tensors(self) -> list[Tensor]:
        """All that it holds."""
        return [*self.inputs, self.targets, self.results, *([] if self.weights is None else [self.weights])]


class Feed:
    """The rows of one step after another, from ``reader``: ``rows`` a step of this process, ``rows_at_once`` a pass."""

    def __init__(self, reader: RowReader, *, rows: int, rows_at_once: int, device: torch.device) -> None:
        self.reader, self.device = reader, device
        self._rows, self._rows_at_once = rows, rows_at_once

    def step(self) -> list[Batch]:
        """The passes of the next step."""
        whole = self._batch(self.reader.parts(self._rows))
        return [whole.take(slice(begin, begin + self._rows_at_once)) for begin in range(0, len(whole), self._rows_at_once)]

    def state(self) -> dict[str, Any]:
        """Where the reader stood after the step handed out last; give it to ``restore``."""
        return self.reader.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken."""
        self.reader.restore(state)

    def _batch(self, parts: list[Rows]) -> Batch:
        def of(name: str) -> Tensor:
            return self._joined([getattr(part, name) for part in parts]).long()

        weights = self.reader.weights(
            np.concatenate([part.elo for part in parts]), np.concatenate([part.mates for part in parts])
        )
        return Batch(
            tuple(of(name) for name in _INPUTS),
            of("targets"),
            of("results"),
            None if weights is None else self._joined([weights]),
        )

    def _joined(self, arrays: list[Any]) -> Tensor:
        if isinstance(arrays[0], Tensor):
            return torch.cat(arrays)
        joined = np.concatenate(arrays)
        tensor = torch.from_numpy(joined.astype(np.int32) if joined.dtype == np.uint16 else joined)  # torch knows no uint16
        if self.device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)


class EarlyFeed(Feed):
    """Makes the next steps' rows in a thread, and on a GPU in a stream of its own, while this step's are learned from."""

    def __init__(self, reader: RowReader, *, rows: int, rows_at_once: int, device: torch.device) -> None:
        super().__init__(reader, rows=rows, rows_at_once=rows_at_once, device=device)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rows")
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._coming: deque[Future[_Made]] = deque()
        self._state = reader.state()

    def step(self) -> list[Batch]:
        while len(self._coming) <= _AHEAD:
            self._coming.append(self._thread.submit(self._make))
        made = self._coming.popleft().result()
        self._state = made.state
        if made.ready is not None:
            learning = torch.cuda.current_stream(self.device)
            learning.wait_event(made.ready)
            for tensor in (t for batch in made.batches for t in batch.tensors()):
                tensor.record_stream(learning)  # so that its memory is not used again before the step has read it
        return made.batches

    def state(self) -> dict[str, Any]:
        return self._state

    def restore(self, state: dict[str, Any]) -> None:
        for made in self._coming:
            made.result()
        self._coming.clear()
        self._state = state
        super().restore(state)

    def _make(self) -> _Made:
        here: AbstractContextManager[Any] = contextlib.nullcontext()
        if self._stream is not None:
            here = torch.cuda.stream(self._stream)
        with here:
            batches = super().step()
            ready = None if self._stream is None else self._stream.record_event()
        return _Made(batches, self.reader.state(), ready)


@dataclass(frozen=True)
class _Made:
    """One step's rows, made early."""

    batches: list[Batch]
    state: dict[str, Any]
    """The reader's, after them."""
    ready: torch.cuda.Event | None
    """Comes when the tensors hold what they are to hold."""


def boards_on(device: torch.device) -> Boards:
    """What replays games on a device: as ``training.batches.rows.boards_by_numpy``, in tensors."""
    tables = DeviceReplay(device)

    def boards(
        moves: NDArray[np.uint16],
        offsets: NDArray[np.int64],
        starts: dict[int, Start],
        *,
        order: NDArray[np.int64],
        board_input: str,
        checks: bool,
    ) -> tuple[Tensor, Tensor]:
        pieces, state, _ = tables.positions(moves, offsets, starts)
        places = torch.from_numpy(order).to(device)
        return board_codes(pieces, board_input, checks=checks).short()[places], state[places]

    return boards


def ways_for(device: torch.device) -> tuple[Boards, Callable[..., Feed]]:
    """How boards are made and rows fed to a net on ``device``: a GPU's step outruns numpy, a processor has no time to spare."""
    return (boards_on(device), EarlyFeed) if device.type == "cuda" else (boards_by_numpy, Feed)
