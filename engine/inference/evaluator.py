"""Positions in, legal moves with logits and win/draw/loss out; each ply of a game is read once.

Knows batches of games of different lengths, and what to do while the net is at work. Does not know how a game becomes
tokens (``engine.inference.game_cache``), where its keys and values lie (``engine.inference.kv_pool``), or how a move is chosen.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import chess
import numpy as np
from numpy.typing import NDArray

from engine.encoding import move_ids
from engine.errors import PositionError
from engine.inference.evaluation import Evaluation as Evaluation
from engine.inference.evaluation import Remembered
from engine.inference.game_cache import GameCache as GameCache
from engine.inference.game_cache import Players as Players
from engine.inference.game_cache import Plies
from engine.inference.kv_pool import Shelves, copied
from engine.net import Net, Outputs, Past, Tokens

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_STEP_PLIES = 4  # a call takes games with at most this many new plies together; longer ones go by powers of two
_FEW = 4  # requests up to which handing the net's work to another thread costs more than it saves


@dataclass(frozen=True)
class Request:
    """One position to evaluate."""

    board: chess.Board
    """With its whole move stack: the net reads games."""
    cache: GameCache
    """This game's cache; requests of one call must not share one."""
    players: Players = field(default_factory=Players)


@dataclass(frozen=True)
class _Asked:
    """A call of the net that is under way."""

    numbers: list[int]
    """Of the requests, in the call's order."""
    rows: list[int]
    """Where each of them is in the batch."""
    lengths: list[int]
    """New plies of each."""
    outputs: Callable[[], Outputs]
    """Waits for the answer."""


class Evaluator:
    """Asks a net for positions of any number of games."""

    def __init__(self, net: Net, *, hash_mb: int = 4) -> None:
        self.net = net
        self._remembered = Remembered(hash_mb)
        self._shelves = Shelves(net.info)

    def new_game(self, *, line_room: int = 0) -> GameCache:
        """An empty cache; ``line_room``: plies that lines beyond the game need within the context."""
        return GameCache(self.net.info, line_room=line_room)

    def evaluate(self, requests: Sequence[Request]) -> list[Evaluation]:
        """An evaluation of each request, in as few calls of the net as their lengths allow; equal questions are asked once.

        Raises PositionError when a blind net is asked about a game that did not begin at the initial position.
        """
        for request in requests:
            self._check(request.board)
        evaluations_by_request: list[Evaluation | None] = [None] * len(requests)
        keys = [b""] * len(requests)
        first: dict[bytes, int] = {}  # who asks each question of the net
        asked: list[_Asked] = []
        for numbers in self._shelves.seat([request.cache for request in requests]):
            for i in numbers:
                requests[i].cache.follow(requests[i].board, requests[i].players)
                keys[i] = requests[i].cache.cache_key()
                evaluations_by_request[i] = self._remembered.get(keys[i])
                if evaluations_by_request[i] is None:
                    first.setdefault(keys[i], i)
            asked += self._ask(requests, [i for i in numbers if first.get(keys[i]) == i])
        legal = {i: tuple(requests[i].board.legal_moves) for call in asked for i in call.numbers}  # while the net is at work
        for call in asked:
            outputs = call.outputs()
            for i, row, new in zip(call.numbers, call.rows, call.lengths, strict=True):
                answer = outputs.logits[row, new - 1], outputs.wdl[row, new - 1]
                evaluation = evaluations_by_request[i] = evaluation_of(legal[i], requests[i].board.turn, *answer)
                self._remembered.put(keys[i], evaluation)
        for call in asked:  # only now is no call reading a shelf
            _keep(call, requests)
        evaluations = []
        for i, key in enumerate(keys):
            answered = evaluations_by_request[first.get(key, i)]
            if answered is None:
                raise RuntimeError(f"request {i} of {len(requests)} was not evaluated")
            evaluations.append(answered)
        return evaluations

    def _check(self, board: chess.Board) -> None:
        if self.net.info.blind and board.root().fen() != chess.STARTING_FEN:
            raise PositionError(
                f"the net {self.net.info.name} is blind: it knows positions only by the moves since the initial position, "
                f"and this game began at {board.root().fen()}; use a net with a board input"
            )

    def _ask(self, requests: Sequence[Request], numbers: Sequence[int]) -> Iterator[_Asked]:
        """Start the calls for requests whose games share a shelf."""
        new = {i: requests[i].cache.unread() for i in numbers}
        for group in _groups(new):
            caches = [requests[i].cache for i in group]
            shelf = caches[0].shelf
            if shelf is not None and shelf.mostly(caches):
                rows, size, past = [cache.row for cache in caches], shelf.rows, shelf.whole(caches)
            else:
                rows, size, past = list(range(len(group))), len(group), copied(caches)
            tokens = _joined([new[i] for i in group], rows=rows, size=size)
            lengths = [len(new[i]) for i in group]
            yield _Asked(group, rows, lengths, self._start(tokens, past, at_once=len(requests) > _FEW))

    def _start(self, tokens: Tokens, past: Past, *, at_once: bool) -> Callable[[], Outputs]:
        """A function that gives the net's answer; ``at_once`` another thread sees to it meanwhile."""
        if at_once:
            return self._workers.submit(self._shared.run, tokens, past).result
        answer: list[Outputs] = []

        def run_once() -> Outputs:
            if not answer:
                answer.append(self.net.run(tokens, past))
            return answer[0]

        return run_once

    @functools.cached_property
    def _shared(self) -> Net:
        return self.net.to_share()

    @functools.cached_property
    def _workers(self) -> ThreadPoolExecutor:
        """Threads that wait for the net: ONNX Runtime computes without the interpreter's lock."""
        from concurrent.futures import ThreadPoolExecutor  # here: a GUI asks for one game, and waits for our start

        return ThreadPoolExecutor(self.net.threads if self.net.info.device == "cpu" else 1)


def _keep(call: _Asked, requests: Sequence[Request]) -> None:
    """Each cache takes what was read of its game."""
    outputs = call.outputs()
    for i, row, new in zip(call.numbers, call.rows, call.lengths, strict=True):
        requests[i].cache.append(outputs.keys[:, row, :, :new], outputs.values[:, row, :, :new])


def _groups(new: dict[int, Plies]) -> list[list[int]]:
    """Requests by number of new plies, so that one long prefill does not pad all others."""
    groups: dict[int, list[int]] = {}
    for i, plies in new.items():
        groups.setdefault(0 if len(plies) <= _STEP_PLIES else len(plies).bit_length(), []).append(i)
    return list(groups.values())


def _joined(plies: Sequence[Plies], *, rows: Sequence[int], size: int) -> Tokens:
    """New plies of several games as rows of a batch of ``size``, padded on the right; the other rows hold nothing."""
    lengths = [len(new) for new in plies]
    longest = max(lengths)
    at = np.concatenate([row * longest + np.arange(length) for row, length in zip(rows, lengths, strict=True)])

    def spread(flat: NDArray[Any]) -> NDArray[np.int64]:
        spaced = np.zeros((size * longest, *flat.shape[1:]), np.int64)
        spaced[at] = flat
        return spaced.reshape(size, longest, *flat.shape[1:])

    columns = (np.concatenate([getattr(new, name) for new in plies]) for name in ("moves", "board", "state", "ratings"))
    return Tokens(*map(spread, columns))


def evaluation_of(
    moves: tuple[chess.Move, ...], turn: chess.Color, logits: NDArray[np.float32], wdl: NDArray[np.float32]
) -> Evaluation:
    """What the net's answer, (MOVE_COUNT,) and (3,), says of a position with these legal moves."""
    ids = move_ids(moves, turn)  # the vocabulary has every legal move, castling of Chess960 included
    own = logits[ids].astype(np.float64) if ids else np.zeros(0)
    odds = np.exp(wdl.astype(np.float64) - wdl.max())
    win, draw, loss = (odds / odds.sum()).tolist()
    return Evaluation(moves, own, (win, draw, loss))
