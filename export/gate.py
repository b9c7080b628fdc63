"""The gates that a smaller twin must pass before it may be shipped: held-out loss, best moves, and games against fp32.

Knows how far int8 and fp16 nets may stray from their fp32 twin, and how a match is asked for: ``match`` is run as a program,
only its statistics are imported. Does not know how twins are made.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import NetError
from export.games import Transcript
from export.verify import Floats, OnnxNet
from match.statistics.scores import WHITE_POINTS, Difference, Score, difference, pentanomial
from training.config import ModelConfig

NLL_TOLERANCE = 0.01
"""Largest rise, in nats, of the loss on the moves that were played."""
AGREEMENT_FLOOR = 0.98
"""Smallest share of positions where both nets like the same move best."""
MATCH_GAMES = 400
"""Games against the fp32 twin that tell a loss of some 30 Elo from none."""

FEWEST_GAMES = 4
"""Two pairs: fewer have no error."""


@dataclass(frozen=True)
class Fidelity:
    """How a twin compares with its fp32 net on played games."""

    positions: int
    move_nll_fp32: float
    move_nll: float
    """The twin's."""
    top1_agreement: float

    @property
    def passes(self) -> bool:
        return self.move_nll - self.move_nll_fp32 <= NLL_TOLERANCE and self.top1_agreement >= AGREEMENT_FLOOR


@dataclass(frozen=True)
class TwinMatch:
    """A match of a twin with its fp32 net."""

    games: int
    difference: Difference
    """Twin less fp32."""

    @property
    def passes(self) -> bool:
        """False when the twin is weaker beyond the error."""
        return self.difference.score + 1.96 * self.difference.error >= 0.5


def compare(fp32: Path, twin: Path, *, config: ModelConfig, games: Sequence[Transcript]) -> Fidelity:
    """Ask both nets for every position of ``games``."""
    nets = OnnxNet(fp32, config), OnnxNet(twin, config)
    nll, agree, positions = [0.0, 0.0], 0, 0
    for game in games:
        cut = Transcript(game.moves[: config.context], game.fen)
        answers = [log_probabilities(net, cut) for net in nets]
        for i, log_p in enumerate(answers):
            nll[i] -= float(log_p[np.arange(len(cut)), cut.played()].sum())
        agree += int((answers[0].argmax(-1) == answers[1].argmax(-1)).sum())
        positions += len(cut)
    return Fidelity(positions, nll[0] / positions, nll[1] / positions, agree / positions)


def check(result: Fidelity | TwinMatch, path: Path) -> None:
    """Raise NetError when the twin may not be shipped."""
    if result.passes:
        return
    if isinstance(result, TwinMatch):
        raise NetError(
            f"{path} is weaker than its fp32 twin beyond the error of the match: {summary(result)}; export without this twin"
        )
    raise NetError(
        f"{path} strays too far from its fp32 twin: expected a move loss within {NLL_TOLERANCE} nats and the same best "
        f"move in {AGREEMENT_FLOOR:.0%} of positions, got {result}; export without this twin"
    )


def summary(match: TwinMatch) -> str:
    """A match in a line."""
    low, high = match.difference.interval
    elo = f"Elo {match.difference.elo:+.0f} (95 %: {low:+.0f} to {high:+.0f})"
    return f"{match.games} games, {match.difference.score:.1%} of the points, {elo}"


def play_twins(fp32: Path, twin: Path, *, games: int, threads: int) -> TwinMatch:
    """Play ``twin`` against ``fp32``, opening pairs from the book. Raises NetError when the match cannot be played."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        players = folder / "twins.toml"
        players.write_text(
            "".join(
                f"[[player]]\nname = {json.dumps(n)}\nnet = {json.dumps(str(path.resolve()))}\n\n"
                for n, path in (("twin", twin), ("fp32", fp32))
            ),
            encoding="utf-8",
        )
        command = [
            sys.executable,
            "-P",
            "-m",
            "match",
            "versus",
            f"{players}:twin",
            f"{players}:fp32",
            "--games",
            str(games),
            "--threads",
            str(threads),
            "--out",
            str(folder / "match"),
            "--no-page",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NetError(f"the match of {twin} with its fp32 twin was not played: {done.stderr.strip()[-400:]}")
        lines = (folder / "match" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    return scored([json.loads(line) for line in lines])


def scored(games: Sequence[dict[str, str]]) -> TwinMatch:
    """The match of ``twin`` from its results. Raises NetError where there are no two opening pairs."""
    scores = [Score(game["white"], game["black"], WHITE_POINTS[game["result"]], game["pair"]) for game in games]
    twin_less_fp32 = difference(pentanomial(scores, "twin").tolist())
    if twin_less_fp32.pairs < 2:
        raise NetError(
            f"expected at least two opening pairs to tell a difference from chance, got {twin_less_fp32.pairs}; play more games"
        )
    return TwinMatch(len(games), twin_less_fp32)


def log_probabilities(net: OnnxNet, game: Transcript) -> NDArray[np.float32]:
    """(T, MOVE_COUNT) log-probabilities of all moves at every position of one game."""
    empty = net.empty(1)
    answer, _, _ = net(game.inputs(net.config), empty, empty, np.zeros(1, np.int64))
    logits = answer[0, :, :-3].astype(np.float64)
    top = logits.max(axis=-1, keepdims=True)
    log_p: Floats = (logits - top - np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))).astype(np.float32)
    return log_p
