"""How good a network is on held-out games: move and result losses, accuracy, strict legality.

Knows the validation split and legal moves (by python-chess). Does not know training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import chess
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from engine.encoding import move_id
from engine.vocabulary import MOVES, UCI_MOVES
from training.batches import Rows, build_rows, join, select, start_of
from training.config import DataConfig, ModelConfig
from training.model import Net
from training.store import Store

_ROWS_AT_ONCE = 16


@dataclass(frozen=True)
class Validation:
    """Rows of held-out games."""

    rows: Rows
    legal: NDArray[np.uint8] | None = field(default=None, repr=False)
    """(R, T, MOVES / 8) bits of the legal moves, as their mover sees them; None when not asked for."""


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
    """The first ``plies`` or so plies of the validation split, the same ones for every run on this store."""
    chosen = select(store, data, validation=True)
    total = sum(len(c) for c in chosen)
    starts = [start_of(fen) for fen in store.starts]
    parts, masks, left = [], [], plies
    for shard, games in zip(store.shards, chosen, strict=True):
        share = games[: _games_for(shard.offsets, games, max(1, left * len(games) // max(total, 1)))]
        total -= len(games)
        if not len(share):
            continue
        begin = [starts[i] if i >= 0 else None for i in shard.games["start"][share]]
        rows = build_rows(shard, share, starts=begin, model=model, dropout=np.zeros(len(share), np.bool_))
        parts.append(rows)
        left -= rows.moves.size
        if legal:
            fens = [store.starts[i] if i >= 0 else None for i in shard.games["start"][share]]
            games_moves = [shard.moves[shard.offsets[g] : shard.offsets[g + 1]] for g in share]
            flat = np.concatenate([legal_bits(m, fen) for m, fen in zip(games_moves, fens, strict=True)])
            masks.append(flat[: rows.moves.size].reshape(*rows.moves.shape, -1))
    rows = join(parts)
    return Validation(rows, np.concatenate(masks) if legal and model.board_input != "none" else None)


def _games_for(offsets: NDArray[np.int64], games: NDArray[np.int64], plies: int) -> int:
    lengths = (offsets[games + 1] - offsets[games]).cumsum()
    return int(np.searchsorted(lengths, plies)) + 1


def legal_bits(moves: NDArray[np.uint16], fen: str | None) -> NDArray[np.uint8]:
    """(P, MOVES / 8) packed legal moves before each ply of a game, as the mover sees them."""
    board = chess.Board(fen) if fen else chess.Board()
    bits = np.zeros((len(moves), MOVES), dtype=np.bool_)
    for row, move in zip(bits, moves, strict=True):
        row[[move_id(m, board.turn) for m in board.legal_moves]] = True
        board.push(chess.Move.from_uci(UCI_MOVES[move]))
    return np.packbits(bits, axis=1)


@torch.inference_mode()
def evaluate(net: Net, validation: Validation) -> Metrics:
    """All metrics; the net is left in the mode it was in."""
    sums: dict[str, float] = {}
    for name, total in _sums(net, validation):
        sums[name] = sums.get(name, 0.0) + total
    plies, known = int(sums["plies"]), max(1.0, sums["known"])
    mean = {
        name: sums[name] / plies
        for name in ("move_nll", "top1", "top3", "legal_top1", "illegal_mass", "legal_nll")
        if name in sums
    }
    return Metrics(plies=plies, wdl_nll=sums["wdl_nll"] / known, **mean)


def _sums(net: Net, validation: Validation) -> Iterator[tuple[str, float]]:
    device = net.move_head.device
    for begin in range(0, len(validation.rows), _ROWS_AT_ONCE):
        rows = validation.rows.take(slice(begin, begin + _ROWS_AT_ONCE))
        logits, wdl = net(*inputs_of(rows, device))
        logits, wdl = logits.float().flatten(0, 1), wdl.float().flatten(0, 1)
        targets = torch.from_numpy(rows.targets).to(device).flatten()
        results = torch.from_numpy(rows.results).to(device).flatten()
        log_p = F.log_softmax(logits, dim=-1)
        yield "plies", float(len(targets))
        yield "move_nll", float(F.nll_loss(log_p, targets, reduction="sum"))
        top = log_p.topk(3).indices == targets[:, None]
        yield "top1", float(top[:, 0].sum())
        yield "top3", float(top.sum())
        yield "known", float((results >= 0).sum())
        yield "wdl_nll", float(F.cross_entropy(wdl, results, ignore_index=-100, reduction="sum"))
        if validation.legal is not None:
            bits = np.unpackbits(validation.legal[begin : begin + _ROWS_AT_ONCE], axis=-1).reshape(-1, MOVES)
            yield from _legal_sums(log_p, targets, torch.from_numpy(bits.astype(np.bool_)).to(device))


def _legal_sums(log_p: torch.Tensor, targets: torch.Tensor, legal: torch.Tensor) -> Iterator[tuple[str, float]]:
    yield "legal_top1", float(legal.gather(1, log_p.argmax(-1, keepdim=True)).sum())
    mass = log_p.masked_fill(~legal, -torch.inf).logsumexp(-1)
    yield "illegal_mass", float((1 - mass.exp()).sum())
    yield "legal_nll", float((mass - log_p.gather(1, targets[:, None])[:, 0]).sum())


def inputs_of(rows: Rows, device: torch.device) -> tuple[torch.Tensor, ...]:
    """The network's inputs as int64 tensors on ``device``."""
    arrays = (rows.moves, rows.board, rows.state, rows.ratings, rows.segments)
    return tuple(torch.from_numpy(a.astype(np.int64)).to(device) for a in arrays)
