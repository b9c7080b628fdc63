"""Proof that an ONNX net is the network that was trained: the same logits from torch and from ONNX Runtime.

Knows how to ask both for the same plies in every way that play asks: a whole game at once, ply after ply, many games
of different lengths together. Does not know how the file came to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chess
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from engine.encoding import board_codes
from engine.errors import NetError
from engine.vocabulary import FLIP, MOVE_ID, START
from training.config import ModelConfig
from training.model import Net
from training.replay import replay

TOLERANCE = 1e-4
"""Largest difference of a logit that still counts as agreement; float32 sums in another order stay far below."""

Arrays = dict[str, NDArray[Any]]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Agreement:
    """The largest difference of any logit (moves and WDL) between torch and ONNX Runtime, by way of asking."""

    positions: int
    games: int
    prefill: float
    """A whole game in one call."""
    step: float
    """One ply a call, with the cache."""
    batch: float
    """Games of different lengths in one call, then some plies more, with the cache."""

    @property
    def worst(self) -> float:
        return max(self.prefill, self.step, self.batch)


def random_games(count: int, *, plies: int, seed: int) -> list[NDArray[np.uint16]]:
    """Games of random legal moves, as ids from White's side: for nets that have no games at hand."""
    random = np.random.default_rng(seed)
    games = []
    for _ in range(count):
        board = chess.Board()
        moves: list[int] = []
        while len(moves) < plies and not board.is_game_over():
            legal = list(board.legal_moves)
            board.push(legal[int(random.integers(len(legal)))])
            moves.append(MOVE_ID[board.peek().uci()])
        games.append(np.array(moves, np.uint16))
    return games


def game_inputs(moves: NDArray[np.uint16], board_input: str) -> Arrays:
    """The inputs of one game from the initial position, batch dimension 1, ratings unknown."""
    positions = replay(moves, np.array([0, len(moves)]))
    led = np.append(np.uint16(START), moves[:-1])
    tokens = np.where(positions.black, FLIP[led], led)
    arrays = {"moves": tokens, "board": board_codes(positions.pieces, board_input), "state": positions.state}
    arrays["ratings"] = np.zeros((len(moves), 3), np.int64)
    return {name: array[None].astype(np.int64) for name, array in arrays.items()}


def verify(net: Net, path: Path, *, games: Sequence[NDArray[np.uint16]]) -> Agreement:
    """Compare ``net`` with the ONNX file on every position of ``games``. Raises NetError when they disagree."""
    limit = net.config.context
    onnx_net = OnnxNet(path, net.config)
    inputs = [game_inputs(g[:limit], net.config.board_input) for g in games]
    lengths = [game["moves"].shape[1] for game in inputs]
    wanted = [_torch_answer(net, game) for game in inputs]
    pairs = list(zip(inputs, wanted, lengths, strict=True))
    found = Agreement(
        positions=sum(lengths),
        games=len(inputs),
        prefill=max(_difference(_split(onnx_net, game, sizes=[n]), want) for game, want, n in pairs),
        step=max(_difference(_split(onnx_net, game, sizes=[1] * n), want) for game, want, n in pairs),
        batch=_batched(onnx_net, inputs, wanted),
    )
    if not found.worst <= TOLERANCE:
        raise NetError(f"{path} disagrees with the network it came from: expected logits within {TOLERANCE}, got {found}")
    return found


@torch.inference_mode()
def _torch_answer(net: Net, game: Arrays) -> Floats:
    """(T, MOVES + 3) by the training code path."""
    T = game["moves"].shape[1]
    tensors = [torch.from_numpy(game[name]) for name in ("moves", "board", "state", "ratings")]
    logits, wdl = net(*tensors, torch.zeros(1, T, dtype=torch.long))
    return np.asarray(torch.cat([logits, wdl], dim=-1)[0])


class OnnxNet:
    """The ONNX file, asked by the names of docs/onnx-contract.md."""

    def __init__(self, path: Path, config: ModelConfig) -> None:
        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.config = config

    def empty(self, games: int) -> Floats:
        """A cache with nothing in it."""
        config = self.config
        return np.zeros((config.layers, games, config.heads, 0, config.head_width), np.float32)

    def __call__(self, new: Arrays, keys: Floats, values: Floats, lengths: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """(B, T, MOVES + 3) logits, and the new plies' keys and values."""
        feeds = new | {"past_keys": keys, "past_values": values, "past_lengths": lengths}
        logits, wdl, new_keys, new_values = self._session.run(["logits", "wdl", "keys", "values"], feeds)
        return np.concatenate([logits, wdl], axis=-1), new_keys, new_values


def _split(onnx_net: OnnxNet, game: Arrays, *, sizes: list[int]) -> Floats:
    """(T, MOVES + 3) for one game, asked for in calls of the given sizes."""
    keys = values = onnx_net.empty(1)
    answers, at = [], 0
    for size in sizes:
        new = {name: array[:, at : at + size] for name, array in game.items()}
        answer, k, v = onnx_net(new, keys, values, np.array([at]))
        keys, values = np.concatenate([keys, k], axis=3), np.concatenate([values, v], axis=3)
        answers.append(answer[0])
        at += size
    return np.concatenate(answers)


def _batched(onnx_net: OnnxNet, games: Sequence[Arrays], wanted: Sequence[Floats]) -> float:
    """All games together: each a different share of its plies first, then the rest, both padded on the right."""
    lengths = np.array([g["moves"].shape[1] for g in games])
    first = np.maximum(1, lengths * (1 + np.arange(len(games)) % 5) // 6)
    empty, none = onnx_net.empty(len(games)), np.zeros_like(lengths)
    early, keys, values = onnx_net(_padded(games, none, first), empty, empty, none)
    late, _, _ = onnx_net(_padded(games, first, lengths), keys, values, first)
    differences = []
    for i, want in enumerate(wanted):
        differences.append(_difference(early[i, : first[i]], want[: first[i]]))
        differences.append(_difference(late[i, : lengths[i] - first[i]], want[first[i] :]))
    return max(differences)


def _padded(games: Sequence[Arrays], begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Arrays:
    longest = max(1, int((ends - begins).max()))
    joined: Arrays = {}
    for name, array in games[0].items():
        joined[name] = np.zeros((len(games), longest, *array.shape[2:]), np.int64)
        for i, game in enumerate(games):
            joined[name][i, : ends[i] - begins[i]] = game[name][0, begins[i] : ends[i]]
    return joined


def _difference(a: Floats, b: Floats) -> float:
    return float(np.abs(a - b).max()) if a.size else 0.0
