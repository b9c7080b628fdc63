"""How good a network is on held-out games: move and result losses, accuracy, strict legality.

Knows the validation split and legal moves (by python-chess). Does not know training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace

import chess
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from engine.encoding import move_id
from engine.errors import DataError
from engine.vocabulary import MOVE_COUNT, UCI_MOVES
from training.batches.rows import Rows, build_rows, join, packed, select, start_of
from training.config import DataConfig, ModelConfig
from training.data.store import Store
from training.net.model import Transformer

_ROWS_AT_ONCE = 16


@dataclass(frozen=True)
class Validation:
    """Rows of held-out games."""

    rows: Rows
    legal: NDArray[np.uint8] | None = field(default=None, repr=False)
    """(R, T, MOVE_COUNT / 8) bits of the legal moves, as their mover sees them; None when not asked for."""


@dataclass(frozen=True)
class Metrics:
    """Means over the validation plies; losses in nats."""

    plies: int
    move_nll: float
    """-log p(move played), illegal moves counted in."""
    top1: float
    """Share of plies where the likeliest move was played."""
    top3: float
    wdl_nll: float
    """-log p(result) of the mover's win, draw or loss."""
    legal_top1: float | None = None
    """Strict legality: share of plies where the likeliest of all moves is legal."""
    illegal_mass: float | None = None
    """Mean probability given to illegal moves."""
    legal_nll: float | None = None
    """-log p(move played) when only legal moves count."""


def load_validation(store: Store, data: DataConfig, *, model: ModelConfig, plies: int, legal: bool = False) -> Validation:
    """The first ``plies`` or so plies of the validation split, the same ones for every run on this store.

    A split of a few short games gets rows as short as they are. Raises DataError when it has no game.
    """
    if plies < 1:
        raise DataError(f"expected 1 or more validation plies, got {plies}")
    chosen = select(store, data, validation=True)
    longest = max(int(np.diff(s.offsets)[games].max()) for s, games in zip(store.shards, chosen, strict=True) if len(games))
    model = replace(model, context=min(model.context, longest))
    total = sum(len(c) for c in chosen)
    starts = [start_of(fen) for fen in store.starts]
    parts, masks, left = [], [], plies
    for shard, games in zip(store.shards, chosen, strict=True):
        if left <= 0:
            break
        # Of many shards the first ones, a row from each at least: what does not fill one is left out.
        share = games[: _games_for(shard.offsets, games, max(model.context, left * len(games) // max(total, 1)))]
        total -= len(games)
        if not len(share):
            continue
        begin = [starts[i] if i >= 0 else None for i in shard.games["start"][share]]
        rows = build_rows(shard, share, starts=begin, model=model, dropout=np.zeros(len(share), np.bool_))
        if not len(rows):  # too few plies for one row
            continue
        parts.append(rows)
        left -= rows.moves.size
        if legal:
            fens = [store.starts[i] if i >= 0 else None for i in shard.games["start"][share]]
            games_moves = [shard.moves[shard.offsets[g] : shard.offsets[g + 1]] for g in share]
            flat = np.concatenate([legal_bits(m, fen) for m, fen in zip(games_moves, fens, strict=True)])
            lengths = np.array([len(m) for m in games_moves])
            masks.append(flat[packed(np.concatenate([[0], np.cumsum(lengths)]), model)])
    rows = join(parts)
    return Validation(rows, np.concatenate(masks) if legal else None)


def _games_for(offsets: NDArray[np.int64], games: NDArray[np.int64], plies: int) -> int:
    lengths = (offsets[games + 1] - offsets[games]).cumsum()
    return int(np.searchsorted(lengths, plies)) + 1


def legal_bits(moves: NDArray[np.uint16], fen: str | None) -> NDArray[np.uint8]:
    """(P, MOVE_COUNT / 8) packed legal moves before each ply of a game, as the mover sees them."""
    board = chess.Board(fen) if fen else chess.Board()
    bits = np.zeros((len(moves), MOVE_COUNT), dtype=np.bool_)
    for row, move in zip(bits, moves, strict=True):
        row[[move_id(m, board.turn) for m in board.legal_moves]] = True
        board.push(chess.Move.from_uci(UCI_MOVES[move]))
    return np.packbits(bits, axis=1)


Losses = dict[str, NDArray[np.float32]]
"""What a net made of each validation ply: one array (P,) for each metric, NaN where it has no meaning, and the three
probabilities ``win``, ``draw``, ``loss`` with the ``result`` (0, 1, 2; NaN unknown) that followed."""


def evaluate(net: Transformer, validation: Validation) -> Metrics:
    """Means of all metrics."""
    return metrics_of(judge(net, validation))


def metrics_of(judged: Losses, chosen: NDArray[np.bool_] | None = None) -> Metrics:
    """Means over the ``chosen`` plies (by default all); what no ply has is None, or NaN for the result."""
    picked = judged if chosen is None else {name: values[chosen] for name, values in judged.items()}
    names = [f.name for f in fields(Metrics) if f.name in picked]
    means = {name: float(np.nanmean(picked[name])) if np.isfinite(picked[name]).any() else math.nan for name in names}
    return Metrics(plies=len(picked["move_nll"]), **means)


@torch.inference_mode()
def judge(net: Transformer, validation: Validation) -> Losses:
    """Every ply's metrics; the net is left in the mode it was in."""
    parts = [
        _judge_rows(net, validation.rows.take(rows), None if validation.legal is None else validation.legal[rows])
        for begin in range(0, len(validation.rows), _ROWS_AT_ONCE)
        for rows in [slice(begin, begin + _ROWS_AT_ONCE)]
    ]
    return {name: np.concatenate([part[name].float().cpu().numpy() for part in parts]) for name in parts[0]}


def _judge_rows(net: Transformer, rows: Rows, legal: NDArray[np.uint8] | None) -> dict[str, torch.Tensor]:
    device = net.move_head.device
    logits, wdl = net(*inputs_of(rows, device))
    log_p = F.log_softmax(logits.float().flatten(0, 1), dim=-1)
    odds = F.log_softmax(wdl.float().flatten(0, 1), dim=-1)
    targets = torch.from_numpy(rows.targets).to(device).flatten()
    results = torch.from_numpy(rows.results).to(device).flatten()
    top = log_p.topk(3).indices == targets[:, None]
    known = results >= 0
    sums = {
        "move_nll": F.nll_loss(log_p, targets, reduction="none"),
        "top1": top[:, 0],
        "top3": top.any(dim=1),
        "wdl_nll": F.nll_loss(odds, results.clamp(min=0), reduction="none").masked_fill(~known, torch.nan),
        "result": results.float().masked_fill(~known, torch.nan),
        **{name: odds[:, i].exp() for i, name in enumerate(("win", "draw", "loss"))},
    }
    if legal is not None:
        bits = np.unpackbits(legal, axis=-1).reshape(-1, MOVE_COUNT)
        sums |= _legal_metrics(log_p, targets, torch.from_numpy(bits.astype(np.bool_)).to(device))
    return sums


def _legal_metrics(log_p: torch.Tensor, targets: torch.Tensor, legal: torch.Tensor) -> dict[str, torch.Tensor]:
    mass = log_p.masked_fill(~legal, -torch.inf).logsumexp(-1)
    return {
        "legal_top1": legal.gather(1, log_p.argmax(-1, keepdim=True))[:, 0],
        "illegal_mass": 1 - mass.exp(),
        "legal_nll": mass - log_p.gather(1, targets[:, None])[:, 0],
    }


def inputs_of(rows: Rows, device: torch.device) -> tuple[torch.Tensor, ...]:
    """The network's inputs as int64 tensors on ``device``."""
    arrays = (rows.moves, rows.board, rows.state, rows.ratings, rows.segments)
    return tuple(torch.from_numpy(a.astype(np.int64)).to(device) for a in arrays)
