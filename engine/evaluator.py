"""Positions in, legal moves with logits and win/draw/loss out; each ply of a game is read once.

Knows how a game becomes tokens, the key/value cache and when it still holds, re-basing of long games, and batches of
games of different lengths. Does not know how a move is chosen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import chess
import numpy as np
from numpy.typing import NDArray

from engine.encoding import board_codes, move_id, piece_codes, position_key, rating_bucket, state_codes
from engine.errors import PositionError
from engine.evaluation import Evaluation as Evaluation
from engine.evaluation import Remembered, packed_move
from engine.net import Net, NetInfo, Past, Tokens
from engine.vocabulary import START

_OUTSIDE = -1e4  # logit of a legal move that the vocabulary lacks (castling of Chess960): chosen only when alone
_NEVER_ASKED = (np.zeros(0, np.uint8), np.zeros(0, np.int64))  # stands for positions before a long game's base
_STEP_PLIES = 4  # a call takes games with at most this many new plies together; longer ones go by powers of two


@dataclass(frozen=True)
class Players:
    """The ratings that a game is conditioned on, in points; 0 = unknown."""

    white: int = 0
    black: int = 0
    scale: int = 0
    """Of ``engine.encoding.Scale``."""


@dataclass(frozen=True)
class _Plies:
    """T plies of one game as the net is asked about them, but for attacks: those are found for many games at once."""

    moves: NDArray[np.int64]
    """(T,)"""
    pieces: NDArray[np.uint8]
    """(T, 64) ``engine.encoding.piece_codes``"""
    state: NDArray[np.int64]
    """(T, 4)"""
    ratings: NDArray[np.int64]
    """(T, 3)"""

    def __len__(self) -> int:
        return len(self.moves)


class GameCache:
    """What has been read of one game: its positions' features, and keys and values from ply ``base`` on.

    Position *p* is the one after *p* moves. Made by ``Evaluator.new_game``; only the evaluator looks inside.
    """

    def __init__(self, info: NetInfo) -> None:
        self._info = info
        self.root: Hashable = None
        self.players = Players()
        self.board = chess.Board()
        self.keys_seen: list[Hashable] = []
        self.features: list[tuple[NDArray[np.uint8], NDArray[np.int64]]] = []  # piece codes and state
        self.base, self.filled = 0, 0
        room = info.context
        shape = (info.layers, info.heads, room, info.head_width)
        self.keys, self.values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def follow(self, board: chess.Board, players: Players) -> None:
        """Make this cache speak of ``board``; whatever of it was read before and still holds is kept."""
        root = board.root()
        root_key = (position_key(root), root.halfmove_clock, root.chess960)
        if root_key != self.root:
            self._begin(root, root_key)
        if players != self.players:
            self.players, self.filled = players, 0
        self._rewind(_common(self.board.move_stack, board.move_stack))
        base = self._base_of(len(board.move_stack))
        if base != self.base:
            if base < self.base:  # what lies before the old base was never looked at
                self._begin(root, root_key)
            self.base, self.filled = base, 0
        for move in board.move_stack[len(self.board.move_stack) :]:
            self.board.push(move)
            self._read_position()
        self.filled = min(self.filled, len(self.features) - 1 - self.base)  # logits are not kept: the last ply is asked

    def _begin(self, root: chess.Board, key: Hashable) -> None:
        self.root, self.board, self.base, self.filled = key, root.copy(), 0, 0
        self.keys_seen.clear()
        self.features.clear()
        self._read_position()

    def _rewind(self, moves: int) -> None:
        while len(self.board.move_stack) > moves:
            self.board.pop()
        del self.keys_seen[moves + 1 :], self.features[moves + 1 :]
        self.filled = max(0, min(self.filled, moves + 1 - self.base))

    def _read_position(self) -> None:
        key = position_key(self.board)
        since = max(0, len(self.keys_seen) - self.board.halfmove_clock)  # no position returns over a capture or pawn move
        repetitions = self.keys_seen[since:].count(key)
        self.keys_seen.append(key)
        if len(self.features) < self.base:
            self.features.append(_NEVER_ASKED)
        else:
            self.features.append((piece_codes(self.board), state_codes(self.board, repetitions)))

    def _base_of(self, position: int) -> int:
        """Where reading begins so that ``position`` fits the context. By the position alone, so that an answer never
        depends on how the game came here; in steps of half a context, so that a long game is seldom read again."""
        over, half = position + 1 - self._info.context, max(1, self._info.context // 2)
        return 0 if over <= 0 or self._info.blind else half * -(-over // half)

    def unread(self) -> _Plies:
        """The plies that are not in the cache yet."""
        begin, end = self.base + self.filled, len(self.features)
        pieces, states = zip(*self.features[begin:end], strict=True)
        moves, ratings = [self._token(p) for p in range(begin, end)], [self._ratings(p) for p in range(begin, end)]
        return _Plies(np.array(moves), np.stack(pieces), np.stack(states), np.array(ratings))

    def _token(self, position: int) -> int:
        if position == self.base:
            return START
        mover = self._mover(position)
        return move_id(self.board.move_stack[position - 1], mover)

    def _mover(self, position: int) -> chess.Color:
        return self.board.turn ^ bool((len(self.board.move_stack) - position) % 2)

    def _ratings(self, position: int) -> tuple[int, int, int]:
        own, theirs = rating_bucket(self.players.white), rating_bucket(self.players.black)
        return (own, theirs, self.players.scale) if self._mover(position) else (theirs, own, self.players.scale)

    def append(self, keys: NDArray[np.float32], values: NDArray[np.float32]) -> None:
        """Keep (L, H, T, D) keys and values of the T plies that ``unread`` gave."""
        end = self.filled + keys.shape[2]
        while end > self.keys.shape[2]:  # a blind net is never re-based, so its games may outgrow the context
            self.keys = np.concatenate([self.keys, np.zeros_like(self.keys)], axis=2)
            self.values = np.concatenate([self.values, np.zeros_like(self.values)], axis=2)
        self.keys[:, :, self.filled : end], self.values[:, :, self.filled : end] = keys, values
        self.filled = end


@dataclass(frozen=True)
class Request:
    """One position to evaluate."""

    board: chess.Board
    """With its whole move stack: the net reads games."""
    cache: GameCache
    """This game's cache; requests of one call must not share one."""
    players: Players = Players()


class Evaluator:
    """Asks a net for positions of any number of games."""

    def __init__(self, net: Net, *, hash_mb: int = 4) -> None:
        self.net = net
        self._remembered = Remembered(hash_mb)

    def new_game(self) -> GameCache:
        """An empty cache."""
        return GameCache(self.net.info)

    def evaluate(self, requests: Sequence[Request]) -> list[Evaluation]:
        """An evaluation of each request, in as few calls of the net as their lengths allow.

        Raises PositionError when a blind net is asked about a game that did not begin at the initial position.
        """
        histories = [_history(request) for request in requests]
        found = [self._remembered.get(history) for history in histories]
        asked = [i for i, evaluation in enumerate(found) if evaluation is None]
        for i in asked:
            self._check(requests[i].board)
            requests[i].cache.follow(requests[i].board, requests[i].players)
        for group in _groups([requests[i].cache.unread() for i in asked]):
            numbers = [asked[i] for i, _ in group]
            answers = self._ask([requests[i] for i in numbers], [plies for _, plies in group])
            for i, evaluation in zip(numbers, answers, strict=True):
                found[i] = evaluation
                self._remembered.put(histories[i], evaluation)
        return [evaluation for evaluation in found if evaluation is not None]

    def _check(self, board: chess.Board) -> None:
        if self.net.info.blind and board.root().fen() != chess.STARTING_FEN:
            raise PositionError(
                f"the net {self.net.info.name} is blind: it knows positions only by the moves since the initial position, "
                f"and this game began at {board.root().fen()}; use a net with a board input"
            )

    def _ask(self, requests: Sequence[Request], plies: Sequence[_Plies]) -> Iterator[Evaluation]:
        caches = [request.cache for request in requests]
        lengths = [len(new) for new in plies]
        outputs = self.net.run(_joined(plies, self.net.info.board_input), _past(caches))
        for i, (request, new) in enumerate(zip(requests, lengths, strict=True)):
            request.cache.append(outputs.keys[:, i, :, :new], outputs.values[:, i, :, :new])
            yield _evaluation(request.board, outputs.logits[i, new - 1], outputs.wdl[i, new - 1])


def _history(request: Request) -> bytes:
    """The whole game, for the same position after other moves is another question; digested, for games are long."""
    root = request.board.root()
    moves = [packed_move(m) for m in request.board.move_stack]
    players = request.players
    head = repr((position_key(root), root.halfmove_clock, players.white, players.black, players.scale)).encode("ascii")
    return hashlib.blake2b(head + np.array(moves, np.uint16).tobytes(), digest_size=16).digest()


def _common(a: list[chess.Move], b: list[chess.Move]) -> int:
    """Length of the longest common beginning."""
    if a == b[: len(a)]:
        return len(a)
    return next(i for i, move in enumerate(a) if i >= len(b) or b[i] != move)


def _groups(plies: Sequence[_Plies]) -> list[list[tuple[int, _Plies]]]:
    """Requests by number of new plies, so that one long prefill does not pad all others."""
    groups: dict[int, list[tuple[int, _Plies]]] = {}
    for i, new in enumerate(plies):
        groups.setdefault(0 if len(new) <= _STEP_PLIES else len(new).bit_length(), []).append((i, new))
    return list(groups.values())


def _joined(plies: Sequence[_Plies], board_input: str) -> Tokens:
    """New plies of several games side by side, the shorter ones padded on the right."""
    lengths = [len(new) for new in plies]
    boards = board_codes(np.concatenate([new.pieces for new in plies]), board_input)
    at = np.concatenate([np.arange(max(lengths)) < length for length in lengths])

    def spread(flat: NDArray[Any]) -> NDArray[np.int64]:
        rows = np.zeros((len(at), *flat.shape[1:]), np.int64)
        rows[at] = flat
        return rows.reshape(len(lengths), -1, *flat.shape[1:])

    columns = (np.concatenate([getattr(new, name) for new in plies]) for name in ("moves", "state", "ratings"))
    moves, state, ratings = map(spread, columns)
    return Tokens(moves, spread(boards), state, ratings)


def _past(caches: Sequence[GameCache]) -> Past:
    lengths = np.array([cache.filled for cache in caches])
    longest = int(lengths.max())
    if len(caches) == 1:
        return Past(caches[0].keys[:, None, :, :longest], caches[0].values[:, None, :, :longest], lengths)
    first = caches[0].keys
    shape = (first.shape[0], len(caches), first.shape[1], longest, first.shape[3])
    keys, values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for i, cache in enumerate(caches):
        keys[:, i, :, : cache.filled] = cache.keys[:, :, : cache.filled]
        values[:, i, :, : cache.filled] = cache.values[:, :, : cache.filled]
    return Past(keys, values, lengths)


def _evaluation(board: chess.Board, logits: NDArray[np.float32], wdl: NDArray[np.float32]) -> Evaluation:
    moves = tuple(board.legal_moves)
    own = np.array([_logit(move, board.turn, logits) for move in moves], np.float64)
    odds = np.exp(wdl.astype(np.float64) - wdl.max())
    win, draw, loss = (odds / odds.sum()).tolist()
    return Evaluation(moves, own, (win, draw, loss))


def _logit(move: chess.Move, turn: chess.Color, logits: NDArray[np.float32]) -> float:
    try:
        return float(logits[move_id(move, turn)])
    except KeyError:
        return _OUTSIDE
