"""How much players differ in the same position: the paper's measure of a data set's diversity, by rating cap.

For every position that is reached more than N times, the entropy of the moves played in it divided by the logarithm of
the number of legal moves: 0 = all play the same, 1 = as if at random (Zhang et al. 2024, section 5; they leave open which
moves |Y| counts, here the legal ones). Positions count as the same by pieces, mover, castling rights and en passant,
however they came about. Every cap is measured on equally many games, for more games bring rarer positions above N.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import chess
import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.figures import new_figure, save_figure
from engine.vocabulary import UCI_MOVES
from training.batches.replay import replay
from training.batches.rows import start_of
from training.data.store import Store

DEFAULT_CAPS = (1000, 1300, 1500, 0)
_GAMES_AT_ONCE = 4096


@dataclass(frozen=True)
class CapDiversity:
    """One rating cap's positions."""

    cap: int
    """No player above it; 0 = all games."""
    games: int
    plies: int
    keys: NDArray[np.uint64]
    """(K,) positions seen more than N times, sorted."""
    visits: NDArray[np.int64]
    """(K,) how often each was seen."""
    entropies: NDArray[np.float64]
    """(K,) normalised entropy of the moves played in each, 0 to 1."""

    @property
    def mean(self) -> float:
        return float(self.entropies.mean()) if len(self.entropies) else math.nan

    @property
    def mean_by_visits(self) -> float:
        return float(np.average(self.entropies, weights=self.visits)) if len(self.entropies) else math.nan


@dataclass(frozen=True)
class Diversity:
    """All caps of one store."""

    store: str
    more_than: int
    first_plies: int
    caps: Sequence[CapDiversity]

    def shared(self) -> list[float]:
        """Each cap's mean over the positions that all caps have: the same questions to all."""
        common = self.caps[0].keys
        for cap in self.caps[1:]:
            common = np.intersect1d(common, cap.keys)
        chosen = [cap.entropies[np.isin(cap.keys, common)] for cap in self.caps]
        return [float(values.mean()) if len(values) else math.nan for values in chosen]


def measure(
    store: Store, *, caps: Sequence[int] = DEFAULT_CAPS, more_than: int = 100, plies: int = 40, games: int = 0, seed: int = 1
) -> Diversity:
    """The diversity under each cap, on the first ``plies`` of ``games`` random games each (0 = all, see the command's help).

    Raises DataError for a cap that leaves no game.
    """
    under = [_under(store, cap) for cap in caps]
    for cap, (_, positions) in zip(caps, under, strict=True):
        if not len(positions):
            raise DataError(f"store {store.path} has no game with both players known and none above {cap}; choose other --caps")
    most = min(len(positions) for _, positions in under)
    count = min(games, most) if games else most
    measured = []
    for cap, (shards, positions) in zip(caps, under, strict=True):
        drawn = np.sort(np.random.default_rng([seed, cap]).permutation(len(positions))[:count])
        measured.append(_measure(store, cap, shards[drawn], positions[drawn], plies=plies, more_than=more_than))
    return Diversity(store.path.name, more_than, plies, measured)


def _under(store: Store, cap: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shard and place of the games without a player above the cap."""
    chosen = []
    for shard in store.shards:
        elo = np.stack([shard.games["white_elo"], shard.games["black_elo"]])
        keep = np.diff(shard.offsets) > 0
        if cap:
            keep &= (elo.min(axis=0) > 0) & (elo.max(axis=0) <= cap)
        chosen.append(np.flatnonzero(keep))
    return np.repeat(np.arange(len(chosen)), [len(c) for c in chosen]), np.concatenate(chosen)


def _measure(
    store: Store, cap: int, shards: NDArray[np.int64], games: NDArray[np.int64], *, plies: int, more_than: int
) -> CapDiversity:
    parts = [
        _positions(store, int(shard), games[shards == shard][begin : begin + _GAMES_AT_ONCE], plies)
        for shard in np.unique(shards)
        for begin in range(0, int((shards == shard).sum()), _GAMES_AT_ONCE)
    ]
    keys, moves, lengths = (np.concatenate(column) for column in zip(*parts, strict=True))
    distinct, counts = np.unique(keys, return_counts=True)
    often, visits = distinct[counts > more_than], counts[counts > more_than]
    place = np.minimum(np.searchsorted(often, keys), max(len(often) - 1, 0))
    seen = np.flatnonzero(often[place] == keys) if len(often) else np.zeros(0, np.int64)
    entropy = _entropies(place[seen], moves[seen], len(often))
    legal = _legal_moves(store, shards, games, first=_first(place[seen], seen, len(often)), lengths=lengths)
    free = legal > 1  # with one legal move there is nothing to differ in
    return CapDiversity(cap, len(games), len(keys), often[free], visits[free], entropy[free] / np.log(legal[free]))


def _positions(
    store: Store, number: int, games: NDArray[np.int64], plies: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint16], NDArray[np.int64]]:
    """Key and move of each of the games' first plies, and how many plies each game gives."""
    shard = store.shards[number]
    begins = shard.offsets[games]
    lengths = np.asarray(shard.offsets[games + 1] - begins)
    if plies:
        lengths = np.minimum(lengths, plies)
    moves = np.concatenate([shard.moves[b : b + n] for b, n in zip(begins.tolist(), lengths.tolist(), strict=True)])
    special = {g: start_of(store.starts[i]) for g, i in enumerate(shard.games["start"][games].tolist()) if i >= 0}
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return replay(moves, offsets, special).keys, moves, lengths


def _entropies(place: NDArray[np.int64], moves: NDArray[np.uint16], positions: int) -> NDArray[np.float64]:
    """(K,) entropy in nats of the moves played in each position."""
    pairs, counts = np.unique(place * (1 << 16) + moves, return_counts=True)
    position = pairs >> 16
    total = np.bincount(position, weights=counts, minlength=positions)
    share = counts / total[position]
    return np.bincount(position, weights=-share * np.log(share), minlength=positions).astype(np.float64)


def _first(place: NDArray[np.int64], seen: NDArray[np.int64], positions: int) -> NDArray[np.int64]:
    """(K,) the first ply at which each position stands."""
    first = np.zeros(positions, np.int64)
    first[place[::-1]] = seen[::-1]
    return first


def _legal_moves(
    store: Store, shards: NDArray[np.int64], games: NDArray[np.int64], *, first: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(K,) number of legal moves, by python-chess, in the positions at these plies."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    counts = []
    for ply in first.tolist():
        g = int(np.searchsorted(offsets, ply, side="right")) - 1
        shard = store.shards[int(shards[g])]
        begin, start = int(shard.offsets[games[g]]), int(shard.games["start"][games[g]])
        board = chess.Board(store.starts[start]) if start >= 0 else chess.Board()
        for move in shard.moves[begin : begin + ply - int(offsets[g])].tolist():
            board.push(chess.Move.from_uci(UCI_MOVES[move]))
        counts.append(board.legal_moves.count())
    return np.array(counts, np.int64)


def _name(cap: int) -> str:
    return f"≤ {cap}" if cap else "all"


def diversity_table(result: Diversity) -> str:
    """For people."""
    plies = f"the first {result.first_plies} plies of each game" if result.first_plies else "all plies"
    lines = [
        f"normalised entropy of the moves in positions seen more than {result.more_than} times, {plies}, store {result.store}",
        f"{'cap':>7} {'games':>9} {'positions':>10} {'mean':>7} {'by visits':>10} {'shared':>7}",
    ]
    for cap, shared in zip(result.caps, result.shared(), strict=True):
        means = f"{cap.mean:>7.3f} {cap.mean_by_visits:>10.3f} {shared:>7.3f}"
        lines.append(f"{_name(cap.cap):>7} {cap.games:>9,} {len(cap.keys):>10,} {means}")
    return "\n".join([*lines, "shared = mean over the positions that every cap has"])


def draw(result: Diversity, path: Path) -> None:
    """The distribution of each cap as a figure. Raises ConfigError without matplotlib, or when it cannot be written."""
    figure = new_figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.add_subplot()
    edges = np.linspace(0, 1, 26)
    for cap in result.caps:
        if len(cap.entropies):
            share = np.histogram(cap.entropies, bins=edges)[0] / len(cap.entropies)
            label = f"{_name(cap.cap)}: mean {cap.mean:.3f}, {len(cap.keys):,} positions"
            axes.stairs(share, edges, label=label, linewidth=1.6)
            axes.axvline(cap.mean, color=axes.patches[-1].get_edgecolor(), linestyle=":", linewidth=1)
    axes.set(xlabel="normalised entropy of the moves played in a position", ylabel="share of positions", xlim=(0, 1))
    axes.set_title(f"{result.caps[0].games:,} games a cap, positions seen more than {result.more_than} times", fontsize=10)
    if axes.patches:
        figure.legend(title="no player above", frameon=False, loc="outside lower center", ncols=2)
    save_figure(figure, path, dpi=150)
