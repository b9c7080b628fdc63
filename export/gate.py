"""The gates that a smaller twin must pass before it may be shipped: held-out loss, best moves, and games against fp32.

Knows how far int8 and fp16 nets may stray from their fp32 twin, and how a match is asked for: ``match`` is run as a program,
for export does not import it. Does not know how twins are made.
"""

from __future__ import annotations

import json
import math
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
from training.config import ModelConfig

NLL_TOLERANCE = 0.01
"""Largest rise, in nats, of the loss on the moves that were played."""
AGREEMENT_FLOOR = 0.98
"""Smallest share of positions where both nets like the same move best."""
MATCH_GAMES = 400
"""Games against the fp32 twin that tell a loss of some 30 Elo from none."""

_POINTS = {"1-0": 1.0, "1/2-1/2": 0.5, "0-1": 0.0}


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
class Contest:
    """What a match of a twin with its fp32 net came to."""

    games: int
    score: float
    """The twin's points a game."""
    error: float
    """Standard error of the score, over opening pairs."""

    @property
    def elo(self) -> tuple[float, float, float]:
        """Twin less fp32: likeliest, and the ends of the 95 % interval."""
        ends = (self.score, self.score - 1.96 * self.error, self.score + 1.96 * self.error)
        likeliest, low, high = (_elo(score) for score in ends)
        return likeliest, low, high

    @property
    def passes(self) -> bool:
        """False when the twin is weaker beyond the error."""
        return self.score + 1.96 * self.error >= 0.5


def compare(fp32: Path, twin: Path, *, config: ModelConfig, games: Sequence[Transcript]) -> Fidelity:
    """Ask both nets for every position of ``games``."""
    nets = OnnxNet(fp32, config), OnnxNet(twin, config)
    nll, agree, positions = [0.0, 0.0], 0, 0
    for game in games:
        cut = Transcript(game.moves[: config.context], game.fen)
        answers = [_log_p(net, cut) for net in nets]
        for i, log_p in enumerate(answers):
            nll[i] -= float(log_p[np.arange(len(cut)), cut.played()].sum())
        agree += int((answers[0].argmax(-1) == answers[1].argmax(-1)).sum())
        positions += len(cut)
    return Fidelity(positions, nll[0] / positions, nll[1] / positions, agree / positions)


def check(found: Fidelity | Contest, path: Path) -> None:
    """Raise NetError when the twin may not be shipped."""
    if found.passes:
        return
    if isinstance(found, Contest):
        raise NetError(
            f"{path} is weaker than its fp32 twin beyond the error of the match: {told(found)}; export without this twin"
        )
    raise NetError(
        f"{path} strays too far from its fp32 twin: expected a move loss within {NLL_TOLERANCE} nats and the same best "
        f"move in {AGREEMENT_FLOOR:.0%} of positions, got {found}; export without this twin"
    )


def told(found: Contest) -> str:
    """A match in a line."""
    elo, low, high = found.elo
    return f"{found.games} games, {found.score:.1%} of the points, Elo {elo:+.0f} (95 %: {low:+.0f} to {high:+.0f})"


def contest(fp32: Path, twin: Path, *, games: int, threads: int) -> Contest:
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


def scored(games: Sequence[dict[str, str]]) -> Contest:
    """The score of ``twin`` from a match's results; games of an opening pair count together, for they are no two draws."""
    pairs: dict[str, list[float]] = {}
    for game in games:
        white = _POINTS[game["result"]]
        pairs.setdefault(game["pair"], []).append(white if game["white"] == "twin" else 1 - white)
    points = np.array([np.mean(pair) for pair in pairs.values()])
    count = len(points)
    if count < 2:
        raise NetError(f"expected at least two opening pairs to tell a difference from chance, got {count}; play more games")
    spread = max(float(points.var(ddof=1)), 0.25 / count)  # pairs that were all alike do not prove that all will be
    return Contest(len(games), float(points.mean()), math.sqrt(spread / count))


def _elo(score: float) -> float:
    return 400 * math.log10(score / (1 - score)) if 0 < score < 1 else math.copysign(math.inf, score - 0.5)


def _log_p(net: OnnxNet, game: Transcript) -> NDArray[np.float32]:
    """(T, MOVE_COUNT) log-probabilities of all moves at every position of one game."""
    empty = net.empty(1)
    answer, _, _ = net(game.inputs(net.config), empty, empty, np.zeros(1, np.int64))
    logits = answer[0, :, :-3].astype(np.float64)
    top = logits.max(axis=-1, keepdims=True)
    log_p: Floats = (logits - top - np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))).astype(np.float32)
    return log_p
