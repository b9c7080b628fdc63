"""Where low temperature gains: the expected reward of a net's moves in single states, by Stockfish's win/draw/loss.

S states, K temperatures. Knows how states are drawn from games, what a move is worth (all legal moves as MultiPV lines of one
search), and how the gain over temperature 1 is spread over states (Zhang et al. 2024, section 5: most states gain nothing,
a few gain much). Does not know how games are played, or the command line.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import chess
import numpy as np
from numpy.typing import NDArray

from engine.errors import MatchError
from engine.figures import new_figure
from engine.inference.evaluation import Evaluation
from engine.inference.sampling import policy
from match.play.game import Played
from match.players.client import Engine, EngineLine

TEMPERATURES = (0.001, 0.75, 1.0)
"""The paper's of this analysis; the last is what the others are compared with."""
_TOPS = (1, 3, 5)
_FEW = 0.1  # share of the states whose share of the gain is reported
_NOTHING = 0.001  # a smaller difference in expected points is none

Floats = NDArray[np.float64]
AskAllMoves = Callable[[chess.Board, int], list[EngineLine]]
"""Lines of so many best moves, with win/draw/loss."""


@dataclass(frozen=True)
class Advantage:
    """What moves of different temperatures are worth in the same states."""

    temperatures: tuple[float, ...]
    """(K,), the reference last."""
    rewards: Floats
    """(S, K) expected points (win + draw / 2) of a move drawn at each temperature, 0 to 1."""
    tops: Floats
    """(K, 3) probability that such a move is among Stockfish's 1, 3, 5 best, mean over states."""

    @property
    def gains(self) -> Floats:
        """(S, K - 1) over the reference."""
        return self.rewards[:, :-1] - self.rewards[:, -1:]


def draw_states(games: Sequence[Played], *, count: int, seed: int) -> list[chess.Board]:
    """One position of each of ``count`` games drawn at random, none of the opening's, each with a choice of moves: states of
    different games are independent. Fewer where there are not so many games. Raises MatchError when there is none."""
    draws = np.random.default_rng(seed)
    states: list[chess.Board] = []
    for i in draws.permutation(len(games)):
        if len(states) == count:
            break
        game = games[i]
        if game.plies > game.opening_plies:
            board = game.position(int(draws.integers(game.opening_plies, game.plies)))
            if board.legal_moves.count() > 1:
                states.append(board)
    if not states:
        raise MatchError("expected games with moves of the players' own, found none")
    return states


def asks(engine: Engine, go: str) -> AskAllMoves:
    """A running engine as the judge; ``go`` is the whole command."""
    return lambda board, count: engine.best_lines(f"position fen {board.fen()}", go, count)


def rewards_of(board: chess.Board, ask: AskAllMoves) -> dict[chess.Move, float]:
    """Expected points of each legal move, best first by the judge's own order. Raises MatchError when the judge tells no
    win/draw/loss, or not of every move."""
    count = board.legal_moves.count()
    lines = ask(board, count)
    rewards = {chess.Move.from_uci(line.move): _points(line) for line in lines}
    if len(rewards) != count:
        raise MatchError(f"expected {count} lines with a move each, got {len(rewards)}, at {board.fen()}")
    return rewards


def _points(line: EngineLine) -> float:
    if line.wdl_permille is None:
        raise MatchError("expected win/draw/loss of every line, got none: the engine needs the option UCI_ShowWDL (Stockfish)")
    win, draw, _ = line.wdl_permille
    return (win + draw / 2) / 1000


def judge_states(states: Sequence[chess.Board], judges: Sequence[AskAllMoves]) -> list[dict[chess.Move, float]]:
    """Rewards in every state, the judges side by side."""
    shares = [range(i, len(states), len(judges)) for i in range(len(judges))]

    def work(share: Sequence[int], ask: AskAllMoves) -> list[dict[chess.Move, float]]:
        return [rewards_of(states[i], ask) for i in share]

    with ThreadPoolExecutor(len(judges)) as pool:
        parts = list(pool.map(work, shares, judges))
    return [parts[i % len(judges)][i // len(judges)] for i in range(len(states))]


def measure(
    evaluations: Sequence[Evaluation], rewards: Sequence[Mapping[chess.Move, float]], temperatures: Sequence[float]
) -> Advantage:
    """What the net's moves are worth in the judged states."""
    rewards_by_state = np.zeros((len(evaluations), len(temperatures)))
    tops = np.zeros((len(temperatures), len(_TOPS)))
    for s, (evaluation, reward) in enumerate(zip(evaluations, rewards, strict=True)):
        values = np.array([reward[move] for move in evaluation.moves])
        rank = {move: place for place, move in enumerate(reward)}
        places = np.array([rank[move] for move in evaluation.moves])
        for k, temperature in enumerate(temperatures):
            p = policy(evaluation, temperature=temperature)
            rewards_by_state[s, k] = p @ values
            tops[k] += [p[places < top].sum() for top in _TOPS]
    return Advantage(tuple(temperatures), rewards_by_state, tops / len(evaluations))


def share_of_few(gains: Floats) -> float:
    """Which part of the whole gain the tenth of the states with the largest gains has; above 1 where other states lose.
    NaN when there is no gain."""
    total = float(gains.sum())
    few = np.sort(gains)[::-1][: max(1, round(_FEW * len(gains)))]
    return float(few.sum()) / total if total > _NOTHING else math.nan


def advantage_table(advantage: Advantage) -> str:
    """For people: rewards in percent of a point."""
    S = len(advantage.rewards)
    lines = [
        f"{S} states, one a game; reward = expected points of a move by Stockfish's win/draw/loss, in percent",
        f"{'T':>6} {'reward':>7} {'gain over T=' + format(advantage.temperatures[-1], 'g'):>22} {'top 10 % have':>14} "
        f"{'gain':>6} {'lose':>6} {'top-1':>6} {'top-3':>6} {'top-5':>6}",
    ]
    for k, temperature in enumerate(advantage.temperatures):
        gains = advantage.rewards[:, k] - advantage.rewards[:, -1]
        tops = " ".join(f"{share:6.1%}" for share in advantage.tops[k])
        lines.append(f"{temperature:6g} {advantage.rewards[:, k].mean():7.2%} {_gain_text(gains)} {tops}")
    return "\n".join(
        [*lines, "gain, lose: states where the difference is above 0.1 % of a point; intervals: 95 %, over states"]
    )


def _gain_text(gains: Floats) -> str:
    error = 1.96 * gains.std(ddof=1) / math.sqrt(len(gains)) if len(gains) > 1 else math.inf
    if not gains.any():
        return f"{'':>22} {'':>14} {'':>6} {'':>6}"
    few = share_of_few(gains)
    carried = "" if math.isnan(few) else f"{few:.0%}"
    mean = f"{gains.mean():+.2%} +- {error:.2%}"
    return f"{mean:>22} {carried:>14} {np.mean(gains > _NOTHING):6.1%} {np.mean(gains < -_NOTHING):6.1%}"


def as_json(advantage: Advantage, **notes: object) -> dict[str, Any]:
    """Everything, for a result file."""
    return {
        "temperatures": list(advantage.temperatures),
        "tops": advantage.tops.round(5).tolist(),
        "rewards": advantage.rewards.round(5).tolist(),
        "notes": notes,
    }


def from_json(values: Mapping[str, Any]) -> Advantage:
    """What ``as_json`` wrote."""
    return Advantage(tuple(values["temperatures"]), np.array(values["rewards"]), np.array(values["tops"]))


def figure(advantage: Advantage) -> bytes:
    """PNG: how the gain is distributed over states, and how few states carry it."""
    picture = new_figure(figsize=(9, 3.8), dpi=110, layout="constrained")
    left, right = picture.subplots(1, 2)
    edges = np.linspace(-30, 60, 61)
    share = np.arange(1, len(advantage.rewards) + 1) / len(advantage.rewards) * 100
    for k, temperature in enumerate(advantage.temperatures[:-1]):
        gains = advantage.gains[:, k] * 100
        left.hist(np.clip(gains, edges[0], edges[-1]), bins=edges, histtype="step", label=f"T={temperature:g}")
        right.plot(share, np.sort(gains)[::-1].cumsum() / len(gains), label=f"T={temperature:g}: {gains.mean():+.2f} in all")
    left.set(yscale="log", xlabel=f"gain over T={advantage.temperatures[-1]:g}, % of a point", ylabel="states")
    right.set(xlabel="states with the largest gains, %", ylabel="their part of the mean gain, % of a point")
    for axes in (left, right):
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png")
    return buffer.getvalue()
