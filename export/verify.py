"""Proof that an ONNX net is the network that was trained: the same logits from torch and from ONNX Runtime.

Knows how to ask both for the same plies in every way that play asks: a whole game at once, ply after ply, many games of
different lengths together, and by the engine's own evaluator games beyond the context and from the middle. Does not know
how the file came to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import chess
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from engine.encoding import move_ids
from engine.errors import NetError
from engine.inference.evaluator import Evaluation, Evaluator, Request
from engine.inference.game_cache import base_of
from engine.net import Net as EngineNet
from engine.net import in_sequence
from engine.vocabulary import MOVE_COUNT, START
from export.games import Arrays, Transcript, continued, from_half, random_games
from training.config import ModelConfig
from training.net.model import Transformer

TOLERANCE = 1e-4
"""Largest difference of a logit that still counts as agreement; float32 sums in another order stay far below."""
POSITIONS, GAMES = 1000, 50
"""What a proof should rest on; a report on less says so."""

_LONG_GAMES = 3  # games that are carried on beyond the context where played ones are too short
_HALVES = 10  # games that are begun anew from the middle

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
    rebased: float | None
    """Games longer than the context, by the engine; None for a blind net, which is never re-based."""
    fens: float | None
    """Games that begin at a FEN in the middle of another, by the engine; None for a blind net, which cannot."""

    @property
    def worst(self) -> float:
        ways = [self.prefill, self.step, self.batch, self.rebased or 0.0, self.fens or 0.0]
        return float(np.max(ways))  # NaN where one is: Python's own max would pass over it

    @property
    def enough(self) -> bool:
        """Whether it rests on as much as a proof should."""
        return self.positions >= POSITIONS and self.games >= GAMES


def verify(net: Transformer, path: Path, *, games: Sequence[Transcript]) -> Agreement:
    """Compare ``net`` with the ONNX file on every position of ``games``. Raises NetError when they disagree."""
    config = net.config
    cut = [Transcript(game.moves[: config.context], game.fen) for game in games]
    inputs = [game.inputs(config) for game in cut]
    wanted = [_torch_answer(net, game) for game in inputs]
    onnx_net, blind = OnnxNet(path, config), config.board_input == "none"
    pairs = list(zip(inputs, wanted, strict=True))
    agreement = Agreement(
        positions=sum(map(len, cut)),
        games=len(cut),
        prefill=max(_difference(_split(onnx_net, game, sizes=[len(want)]), want) for game, want in pairs),
        step=max(_difference(_split(onnx_net, game, sizes=[1] * len(want)), want) for game, want in pairs),
        batch=_batched(onnx_net, inputs, wanted),
        rebased=None if blind else _by_engine(net, path, _long_games(games, context=config.context), beyond=config.context),
        fens=None if blind else _by_engine(net, path, [from_half(game) for game in cut[:_HALVES]], beyond=0),
    )
    if not agreement.worst <= TOLERANCE:
        raise NetError(f"{path} disagrees with the network it came from: expected logits within {TOLERANCE}, got {agreement}")
    return agreement


@torch.inference_mode()
def _torch_answer(net: Transformer, game: Arrays) -> Floats:
    """(T, MOVE_COUNT + 3) by the training code path."""
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
        """(B, T, MOVE_COUNT + 3) logits, and the new plies' keys and values."""
        sequence = in_sequence(lengths, new=new["moves"].shape[1], past=keys.shape[3])
        feeds = new | {"past_keys": keys, "past_values": values} | vars(sequence)
        logits, wdl, new_keys, new_values = self._session.run(["logits", "wdl", "keys", "values"], feeds)
        return np.concatenate([logits, wdl], axis=-1), new_keys, new_values


def _split(onnx_net: OnnxNet, game: Arrays, *, sizes: list[int]) -> Floats:
    """(T, MOVE_COUNT + 3) for one game, asked for in calls of the given sizes."""
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
    return float(np.max(differences))


def _padded(games: Sequence[Arrays], begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Arrays:
    longest = max(1, int((ends - begins).max()))
    joined: Arrays = {}
    for name, array in games[0].items():
        joined[name] = np.zeros((len(games), longest, *array.shape[2:]), np.int64)
        for i, game in enumerate(games):
            joined[name][i, : ends[i] - begins[i]] = game[name][0, begins[i] : ends[i]]
    return joined


def _long_games(games: Sequence[Transcript], *, context: int) -> list[Transcript]:
    """Games well beyond the context: the longest ones, carried on by random moves; random games where all those were over."""
    random, plies = np.random.default_rng(1), context * 7 // 4
    longest = sorted(games, key=len, reverse=True)[:_LONG_GAMES]
    games_beyond = [continued(game, plies=plies, random=random) for game in longest]
    return [g for g in games_beyond if len(g) > context] or [
        g for g in random_games(8, plies=plies, seed=1) if len(g) > context
    ]


def _by_engine(net: Transformer, path: Path, games: Sequence[Transcript], *, beyond: int) -> float:
    """The largest difference when the engine follows ``games``, over all positions from number ``beyond`` on."""
    evaluator = Evaluator(EngineNet.open(path), hash_mb=0)
    differences = []
    for game in games:
        cache = evaluator.new_game()
        wanted = _rebased_answers(net, game)
        for ply, (board, want) in enumerate(zip(game.boards(), wanted, strict=True)):
            if ply >= beyond:
                evaluation = evaluator.evaluate([Request(board, cache)])[0]
                differences.append(_from_evaluation(evaluation, board.turn, want))
    if not differences:
        raise NetError(f"expected a game of more than {beyond} plies to verify {path} on; give longer games, or more")
    return float(np.max(differences))


def _rebased_answers(net: Transformer, game: Transcript) -> Iterator[Floats]:
    """(MOVE_COUNT + 3,) for each position in turn, read by torch from where the context has room for it."""
    context, whole = net.config.context, game.inputs(net.config)
    base, answers = 0, _torch_answer(net, {name: array[:, :context] for name, array in whole.items()})
    for ply in range(len(game)):
        if base_of(ply, context) != base:
            base = base_of(ply, context)
            part = {name: array[:, base : base + context].copy() for name, array in whole.items()}
            part["moves"][:, 0] = START
            answers = _torch_answer(net, part)
        yield answers[ply - base]


def _from_evaluation(evaluation: Evaluation, turn: chess.Color, want: Floats) -> float:
    """The largest difference of a legal move's logit, and of the result's probabilities."""
    odds = np.exp(want[MOVE_COUNT:].astype(np.float64) - want[MOVE_COUNT:].max())
    return max(
        _difference(evaluation.logits, want[move_ids(evaluation.moves, turn)]),
        _difference(np.array(evaluation.wdl), odds / odds.sum()),
    )


def _difference(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    return float(np.abs(a - b).max()) if a.size else 0.0
