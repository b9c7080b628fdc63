"""From logits to a move: temperature, top-p, variety in the opening, no mate overlooked, no won game thrown away by repetition.

Knows probabilities over legal moves. Does not know the net, clocks or the protocol. All randomness comes from a
generator handed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import chess
import numpy as np
from numpy.typing import NDArray

from engine.inference.evaluator import Evaluation

_AHEAD = 0.6  # expected score above which a draw is worth avoiding
_FAR_AHEAD = 0.8  # … above which even a second occurrence is: nets without search shuffle in won positions
_PLAUSIBLE = 0.01  # a move that the net gives less than this is no alternative to a repetition
_IMPOSSIBLE = -1e9  # as a logit
_LARGEST_CP = 1500


@dataclass(frozen=True)
class Sampling:
    """How moves are chosen."""

    temperature: float = 0.001
    """p is proportional to exp(logit / temperature); 0 takes the likeliest move."""
    top_p: float = 1.0
    """Only the likeliest moves that together have this share are drawn from; 1 = all."""
    opening_temperature: float | None = None
    """Temperature at a game's first ply, falling linearly to ``temperature`` over ``opening_plies``; None = no difference."""
    opening_plies: int = 0
    """Length of the opening in plies."""
    avoid_repetition: bool = True
    """Whether a side that is ahead avoids threefold repetition and stalemate where it has another plausible move."""
    take_mate: bool = False
    """Whether a mate in one is played wherever there is one. Off in matches unless asked for: it is no choice of the net's."""

    def temperature_at(self, ply: int) -> float:
        """The temperature for the move after ``ply`` half-moves."""
        if self.opening_temperature is None or ply >= self.opening_plies:
            return self.temperature
        share = 1 - ply / self.opening_plies
        return self.temperature + (self.opening_temperature - self.temperature) * share


@dataclass(frozen=True)
class Choice:
    """A chosen move."""

    move: chess.Move
    probability: float
    """With which it was drawn."""
    probabilities: NDArray[np.float64]
    """(N,) of all legal moves, in the evaluation's order."""


def policy(evaluation: Evaluation, *, temperature: float, top_p: float = 1.0) -> NDArray[np.float64]:
    """(N,) probability of each legal move. At temperature 0 all of it goes to the likeliest, the first among equals."""
    logits = evaluation.logits
    if temperature <= 0:
        certain = np.zeros(len(logits))
        certain[int(logits.argmax())] = 1.0
        return certain
    odds = np.exp((logits - logits.max()) / temperature)
    probabilities: NDArray[np.float64] = odds / odds.sum()
    return probabilities if top_p >= 1 else nucleus(probabilities, top_p)


def nucleus(probabilities: NDArray[np.float64], top_p: float) -> NDArray[np.float64]:
    """Only the smallest set of likeliest moves whose share reaches ``top_p``; never empty."""
    order = np.argsort(-probabilities, kind="stable")
    before = np.cumsum(probabilities[order]) - probabilities[order]
    kept = np.zeros_like(probabilities)
    chosen = order[(before < top_p) | (np.arange(len(order)) == 0)]
    kept[chosen] = probabilities[chosen]
    return np.asarray(kept / kept.sum())


def choose(evaluation: Evaluation, board: chess.Board, sampling: Sampling, *, random: np.random.Generator) -> Choice:
    """Draw a move. Raises ValueError when there is none to draw."""
    if not evaluation.moves:
        raise ValueError("expected a position with a legal move")
    temperature = sampling.temperature_at(board.ply())
    allowed = _mating(evaluation, board) if sampling.take_mate else evaluation
    if sampling.avoid_repetition:
        allowed = _without_draws(allowed, board, temperature=temperature)
    probabilities = policy(allowed, temperature=temperature, top_p=sampling.top_p)
    i = int(probabilities.argmax()) if temperature <= 0 else drawn(probabilities, random)
    return Choice(evaluation.moves[i], float(probabilities[i]), probabilities)


def drawn(probabilities: NDArray[np.float64], random: np.random.Generator) -> int:
    """The place that is drawn: ``random.choice``, the same draw even, without its checks, which take ten times as long."""
    shares = probabilities.cumsum()
    return int((shares / shares[-1]).searchsorted(random.random(), side="right"))


def mates(board: chess.Board, move: chess.Move) -> bool:
    """Whether ``move`` is mate. ``board`` is left as it was."""
    if not board.gives_check(move):
        return False
    board.push(move)  # a copy would copy the whole game
    try:
        return board.is_checkmate()
    finally:
        board.pop()


def _mating(evaluation: Evaluation, board: chess.Board) -> Evaluation:
    """The evaluation with all moves but mates in one made impossible, where there is one."""
    others = [i for i, move in enumerate(evaluation.moves) if not mates(board, move)]
    if len(others) == len(evaluation.moves):
        return evaluation
    logits = evaluation.logits.copy()
    logits[others] = _IMPOSSIBLE
    return Evaluation(evaluation.moves, logits, evaluation.wdl)


def _without_draws(evaluation: Evaluation, board: chess.Board, *, temperature: float) -> Evaluation:
    """The evaluation with moves that throw a lead away by a draw made impossible, as far as others are plausible."""
    lead = expected_score(evaluation.wdl)
    if lead < _AHEAD:
        return evaluation
    logits = evaluation.logits.copy()
    alternatives = plausible(evaluation)
    drawn = [i for i in alternatives if draws(board, evaluation.moves[i], occurrences=2 if lead >= _FAR_AHEAD else 3)]
    if len(drawn) == len(alternatives):
        return evaluation
    logits[drawn] = _IMPOSSIBLE
    return Evaluation(evaluation.moves, logits, evaluation.wdl)


def plausible(evaluation: Evaluation) -> NDArray[np.intp]:
    """Places of the moves that are an alternative: those that the net gives a hundredth or more, or its likeliest."""
    share = policy(evaluation, temperature=1.0)
    return np.flatnonzero(share >= min(_PLAUSIBLE, share.max()))


def draws(board: chess.Board, move: chess.Move, *, occurrences: int) -> bool:
    """Whether ``move`` stalemates, leaves too little to mate with, or brings a position about for the given time."""
    board.push(move)
    try:
        return board.is_stalemate() or board.is_repetition(occurrences) or board.is_insufficient_material()
    finally:
        board.pop()


def expected_score(wdl: tuple[float, float, float]) -> float:
    """Points expected from the game, 0..1."""
    return wdl[0] + wdl[1] / 2


def score_cp(wdl: tuple[float, float, float]) -> int:
    """Centipawns by the usual logistic curve, 400 points for odds of ten to one; monotone in the expected score."""
    score = min(max(expected_score(wdl), 1e-9), 1 - 1e-9)
    return round(min(max(400 * math.log10(score / (1 - score)), -_LARGEST_CP), _LARGEST_CP))
