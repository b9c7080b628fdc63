"""Positions of a tree by the net: each ply of a line is read once, and lines of one game share what was read of it.

L layers, H heads, D head width, S plies of the game. Knows where keys and values of the tree's plies lie, and how a batch of
lines becomes one call with the masks of docs/onnx-contract.md. Does not know how lines are chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import chess
import numpy as np
from numpy.typing import NDArray

from engine.encoding import board_codes, move_id, rating_bucket, state_codes
from engine.inference.evaluation import Evaluation
from engine.inference.evaluator import Evaluator, Players, Request, evaluation_of
from engine.net import Lines, Net, NetInfo, Outputs, Past, Tokens
from engine.search.search import Limits, search
from engine.search.tree import Node, Tree

_LINE_ROOM = 32  # plies that a line may be longer than the game, in a net with a context for it
_ROOM_STEP = 32  # by which the room for the lines of one call grows
_SMALLEST = 64  # plies of lines that are remembered at least


def line_room(info: NetInfo) -> int:
    """Plies of a net's context that a search keeps for lines beyond the game."""
    return min(_LINE_ROOM, info.context // 4)


class NetLeaves:
    """The evaluate function of one tree at a time; ``begin`` says which.

    Lines that were read are kept in at most ``megabytes``; what finds no room is read again when it is needed.
    """

    def __init__(self, net: Net, *, megabytes: int) -> None:
        info = net.info
        self._net, self._info = net, info
        self._evaluator = Evaluator(net, hash_mb=0)  # a remembered answer would leave the game unread
        self._cache = self._evaluator.new_game(line_room=line_room(info))
        shape = (info.layers, info.heads, info.head_width)
        self._capacity = max(_SMALLEST, megabytes * 2**20 // (2 * 4 * int(np.prod(shape))))
        self._keys, self._values = np.zeros((2, 0, *shape), np.float32)
        self._free: list[int] = []
        self._players = Players()
        self._lay_out(0)

    @property
    def share_used(self) -> float:
        """Of the memory, 0..1."""
        return (len(self._keys) - len(self._free)) / self._capacity

    def begin(self, board: chess.Board, players: Players, nodes: Iterable[Node]) -> Evaluation:
        """Take up the tree whose root is ``board``, with its game on the stack; ``nodes`` are those that it has already.

        Returns the root's evaluation.
        """
        base = self._cache.base
        evaluation = self._evaluator.evaluate([Request(board, self._cache, players)])[0]
        self._players = players
        known = list(nodes)
        if self._cache.base != base:  # a long game is read anew from another ply on, so its lines must be as well
            for node in known:
                node.memory = -1
        kept = {node.memory for node in known}
        self._free = [slot for slot in range(len(self._keys)) if slot not in kept]
        self._lay_out(_ROOM_STEP)
        return evaluation

    def __call__(self, leaves: Sequence[Node]) -> list[Evaluation]:
        """Evaluations of nodes below the root, in their order."""
        new = list(dict.fromkeys(node for leaf in leaves for node in leaf.line() if node.memory < 0))
        outputs = self._net.run_tree(self._tokens(new), *self._past(new))
        for i, node in enumerate(new):
            self._keep(node, outputs.keys[:, 0, :, i], outputs.values[:, 0, :, i])
        places = {node: i for i, node in enumerate(new)}
        return [self._evaluation(leaf, outputs, places[leaf]) for leaf in leaves]

    def _evaluation(self, leaf: Node, outputs: Outputs, place: int) -> Evaluation:
        return evaluation_of(tuple(leaf.board.legal_moves), leaf.board.turn, outputs.logits[0, place], outputs.wdl[0, place])

    def _tokens(self, nodes: Sequence[Node]) -> Tokens:
        """(1, T) plies, one a node."""
        info, players = self._info, self._players
        white, black = rating_bucket(players.white), rating_bucket(players.black)
        led = [move_id(node.move, node.board.turn) for node in nodes if node.move is not None]
        board = [board_codes(node.board, info.board_input, checks=info.checks) for node in nodes]
        state = [state_codes(node.board, node.repetitions) for node in nodes]
        ratings = [(white, black, players.scale) if node.board.turn else (black, white, players.scale) for node in nodes]
        return Tokens(np.array([led]), np.array([board]).astype(np.int64), np.array([state]), np.array([ratings]))

    def _past(self, nodes: Sequence[Node]) -> tuple[Past, Lines]:
        """The game and what was read of the lines to ``nodes``, and which of it each of them attends to."""
        lines = [node.line() for node in nodes]
        read = list(dict.fromkeys(node for line in lines for node in line if node.memory >= 0))
        if len(read) > self._room:
            self._lay_out(_ROOM_STEP * -(-len(read) // _ROOM_STEP))
        slots, game = [node.memory for node in read], self._game
        for block, memory in ((self._joined[0], self._keys), (self._joined[1], self._values)):
            block[:, 0, :, game : game + len(slots)] = memory[slots].transpose(1, 2, 0, 3)
        column, place = {node: game + i for i, node in enumerate(read)}, {node: i for i, node in enumerate(nodes)}
        past_mask = np.zeros((1, len(nodes), game + self._room), np.bool_)
        past_mask[:, :, :game] = True
        new_mask = np.zeros((1, len(nodes), len(nodes)), np.bool_)
        for i, line in enumerate(lines):
            past_mask[0, i, [column[node] for node in line if node in column]] = True
            new_mask[0, i, [place[node] for node in line if node in place]] = True
        positions = np.array([[game + len(line) - 1 for line in lines]])
        return Past(self._joined[0], self._joined[1], np.array([game])), Lines(positions, past_mask, new_mask)

    def _lay_out(self, room: int) -> None:
        """Arrays for the game's keys and values with room for so many plies of lines behind them."""
        cache, info = self._cache, self._info
        self._game, self._room = cache.filled, room
        self._joined = np.zeros((2, info.layers, 1, info.heads, cache.filled + room, info.head_width), np.float32)
        if cache.shelf is not None:
            keys, values = cache.shelf.read(cache.row, cache.filled)
            self._joined[0, :, 0, :, : cache.filled], self._joined[1, :, 0, :, : cache.filled] = keys, values

    def _keep(self, node: Node, keys: NDArray[np.float32], values: NDArray[np.float32]) -> None:
        """Remember (L, H, D) keys and values of a node, where there is room."""
        if not self._free:
            self._grow()
        if self._free:
            node.memory = self._free.pop()
            self._keys[node.memory], self._values[node.memory] = keys, values

    def _grow(self) -> None:
        size = len(self._keys)
        more = min(max(_SMALLEST, size), self._capacity - size)
        if more > 0:
            added = np.zeros((more, *self._keys.shape[1:]), np.float32)
            self._keys, self._values = np.concatenate([self._keys, added]), np.concatenate([self._values, added])
            self._free = list(range(size + more - 1, size - 1, -1))


def searched(leaves: NetLeaves, board: chess.Board, players: Players, limits: Limits) -> Tree:
    """A tree of its own for one position, with its game on the stack, searched to its limits."""
    tree = Tree(board)
    root = leaves.begin(board, players, tree.walk())
    for node in tree.gather(1):
        tree.learn(node, root)
    search(tree, leaves, limits)
    return tree
