"""What has been read of one game, and which plies of it the net must still be told.

Knows how a game becomes the net's inputs, when what was read still holds, and re-basing of long games. Does not know where
keys and values lie (``engine.inference.kv_pool``) or how the net is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import chess
import numpy as np
from numpy.typing import NDArray

from engine.encoding import board_codes, move_id, position_key, rating_bucket, state_codes
from engine.inference.evaluation import packed_move
from engine.inference.kv_pool import Shelf
from engine.net import NetInfo
from engine.vocabulary import START

_FIRST_ROOM = 64  # positions that a game has room for before its arrays grow


@dataclass(frozen=True)
class Players:
    """The ratings that a game is conditioned on, in points; 0 = unknown."""

    white: int = 0
    black: int = 0
    scale: int = 0
    """Of ``engine.encoding.Scale``."""


@dataclass(frozen=True)
class Plies:
    """T plies of one game as the net is asked about them."""

    moves: NDArray[np.int64]
    """(T,)"""
    board: NDArray[np.uint16]
    """(T, 64) ``engine.encoding.board_codes``"""
    state: NDArray[np.int64]
    """(T, 4)"""
    ratings: NDArray[np.int64]
    """(T, 3)"""

    def __len__(self) -> int:
        return len(self.moves)


class GameCache:
    """One game: its positions' features, and how many plies from ``base`` on its row of the shelf holds.

    Position *p* is the one after *p* moves. Made by ``Evaluator.new_game``; only the evaluator looks inside.
    """

    def __init__(self, info: NetInfo, *, line_room: int = 0) -> None:
        self._info, self._line_room = info, line_room
        self.shelf: Shelf | None = None
        self.row = 0
        self.base, self.filled = 0, 0
        self.players = Players()
        self._root: Hashable = None
        self._board = chess.Board()
        self._moves: list[chess.Move] = []  # the very objects of who asked: comparing with them again takes no time
        self._seen: list[Hashable] = []
        self._digests: list[bytes] = []
        self._led = np.zeros(_FIRST_ROOM, np.int64)  # the move that led to each position, as its mover sees it
        self._codes = np.zeros((_FIRST_ROOM, 64), np.uint16)
        self._state = np.zeros((_FIRST_ROOM, 4), np.int64)

    def follow(self, board: chess.Board, players: Players) -> None:
        """Make this cache speak of ``board``; whatever of it was read before and still holds is kept."""
        root = board.root()
        root_key = (position_key(root), root.halfmove_clock, root.chess960)
        if root_key != self._root:
            self._begin(root, root_key)
        if players != self.players:
            self.players, self.filled = players, 0
        self._rewind(_common(self._moves, board.move_stack))
        base = 0 if self._info.blind else base_of(len(board.move_stack) + self._line_room, self._info.context)
        if base != self.base:
            if base < self.base:  # what lies before the old base was never looked at
                self._begin(root, root_key)
            self.base, self.filled = base, 0
        for move in board.move_stack[len(self._moves) :]:
            self._push(move)
        self.filled = min(self.filled, len(self._moves) - self.base)  # logits are not kept: the last ply is asked

    def cache_key(self) -> bytes:
        """A digest of all that the answer depends on: the same position after other moves is another question."""
        players = self.players
        asked = f"{players.white} {players.black} {players.scale}".encode("ascii")
        return hashlib.blake2b(self._digests[-1] + asked, digest_size=16).digest()

    def _begin(self, root: chess.Board, key: Hashable) -> None:
        self._root, self._board, self.base, self.filled = key, root.copy(), 0, 0
        self._moves.clear()
        self._seen.clear()
        self._digests = [hashlib.blake2b(repr(key).encode("ascii"), digest_size=16).digest()]
        self._read_position(START)

    def _rewind(self, moves: int) -> None:
        while len(self._moves) > moves:
            self._board.pop()
            self._moves.pop()
        del self._seen[moves + 1 :], self._digests[moves + 1 :]
        self.filled = max(0, min(self.filled, moves + 1 - self.base))

    def _push(self, move: chess.Move) -> None:
        led = move_id(move, not self._board.turn)  # first, for it may raise
        packed = packed_move(move).to_bytes(2, "big")
        self._board.push(move)
        self._moves.append(move)
        self._digests.append(hashlib.blake2b(self._digests[-1] + packed, digest_size=16).digest())
        self._read_position(led)

    def _read_position(self, led: int) -> None:
        board, position = self._board, len(self._moves)
        key = position_key(board)
        since = max(0, position - board.halfmove_clock)  # no position returns over a capture or pawn move
        repetitions = self._seen[since:].count(key)
        self._seen.append(key)
        if position < self.base:
            return  # before a long game's base nothing is asked
        while position >= len(self._led):
            self._led, self._codes, self._state = _doubled(self._led), _doubled(self._codes), _doubled(self._state)
        self._led[position] = led
        self._codes[position] = board_codes(board, self._info.board_input, checks=self._info.checks)
        self._state[position] = state_codes(board, repetitions)

    def unread(self) -> Plies:
        """The plies that the shelf does not hold yet."""
        begin, end = self.base + self.filled, len(self._moves) + 1
        led = self._led[begin:end]
        if begin == self.base:
            led = led.copy()
            led[0] = START
        return Plies(led, self._codes[begin:end], self._state[begin:end], self._ratings(begin, end))

    def _ratings(self, begin: int, end: int) -> NDArray[np.int64]:
        """(end - begin, 3) of those positions, from their movers' sides."""
        players = self.players
        own, theirs = rating_bucket(players.white), rating_bucket(players.black)
        ratings = np.array([[own, theirs, players.scale]] * (end - begin), np.int64)
        white_first = self._board.turn ^ bool((len(self._moves) - begin) % 2)
        ratings[int(white_first) :: 2, :2] = theirs, own
        return ratings

    def append(self, keys: NDArray[np.float32], values: NDArray[np.float32]) -> None:
        """Keep (L, H, T, D) keys and values of the T plies that ``unread`` gave."""
        if self.shelf is None:
            raise ValueError("expected a game with a row on a shelf: Shelves.seat gives one")
        self.shelf.write(self.row, self.filled, keys, values)
        self.filled += keys.shape[2]


def base_of(position: int, context: int) -> int:
    """Where reading begins so that ``position`` fits the context. By the position alone, so that an answer never depends on
    how the game came here; in steps of half a context, so that a long game is seldom read again."""
    over, half = position + 1 - context, max(1, context // 2)
    return 0 if over <= 0 else half * -(-over // half)


def _doubled(array: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([array, np.zeros_like(array)])


def _common(a: list[chess.Move], b: list[chess.Move]) -> int:
    """Length of the longest common beginning."""
    if a == b[: len(a)]:
        return len(a)
    return next(i for i, move in enumerate(a) if i >= len(b) or b[i] != move)
