"""The move head that looks at squares: what a move is worth by the man that makes it and the square it goes to.

N positions, R = config.move_rank, W width, V moves. Knows squares' codes and the vocabulary. Does not know the trunk, or how a
hidden state came about.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.attacks import KING_CODES
from engine.encoding import BOARD_CODES, PIECE_CODES
from engine.vocabulary import ID_OF, MOVE_COUNT, PROMOTION, SOURCE, TARGET
from training.config import ModelConfig

_MEN = 16  # of one side at most: only their squares can be left
_FIRST_PROMOTION = int(np.flatnonzero((PROMOTION > 0) & (TARGET >= 56))[0])
_OWN = 6  # piece codes of the mover's men are 1..6


class SquarePairs(nn.Module):
    """Logits of moves from their two squares: ``R ** -0.5 * sum_r g_r(h) A_r(from) B_r(to) + kinds[piece, from, to]``.

    A and B are sums of a row for the place and one for the code of the square (and one for its king code, with checks); g is
    linear in the hidden state and begins at zero, and so does ``kinds``, which knows how each kind of man moves.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        R, C = config.move_rank, BOARD_CODES[config.board_input]
        self.codes, self.codes_a_piece, self.checks = C, C // PIECE_CODES, config.checks
        self.gate = nn.Parameter(torch.zeros(R, config.width))
        self.gate_bias = nn.Parameter(torch.zeros(R))
        self.place_from, self.place_to = _table(64, R), _table(64, R)
        self.code_from, self.code_to = _table(C, R), _table(C, R)
        if config.checks:
            self.king_from, self.king_to = _table(KING_CODES, R), _table(KING_CODES, R)
        self.kinds = nn.Parameter(torch.zeros(PIECE_CODES, 64, 64))
        pieces = torch.arange(KING_CODES * C if config.checks else C) % C // self.codes_a_piece
        moving = (torch.arange(PIECE_CODES) >= 1) & (torch.arange(PIECE_CODES) <= _OWN)
        tables = {"piece_of": pieces, "own": moving[pieces], "moving": moving[:, None].float(), "places": torch.arange(64)}
        for name, table in (tables | _move_tables()).items():
            self.register_buffer(name, table, persistent=False)

    piece_of: Tensor  # (whole codes,)
    own: Tensor  # (whole codes,) whether a man of the mover stands there
    moving: Tensor  # (PIECE_CODES, 1) likewise, as a factor
    places: Tensor
    plain: Tensor
    promotions: Tensor
    pair_of_move: Tensor

    def moves_of_pieces(self) -> Tensor:
        """(PIECE_CODES * 64, 64) what the kind of man on each square adds to its moves; nothing where the mover has none."""
        return (self.kinds * self.moving[..., None]).reshape(-1, 64)

    def rows(self) -> tuple[Tensor, Tensor]:
        """(whole codes, R) the rows of A and B, places left out."""
        if not self.checks:
            return self.code_from, self.code_to
        tables = (self.code_from, self.king_from), (self.code_to, self.king_to)
        a, b = ((codes + kings[:, None]).flatten(0, 1) for codes, kings in tables)
        return a, b

    def forward(self, h: Tensor, board: Tensor) -> Tensor:
        """(…, V) for (…, W) hidden states and (…, 64) board codes: training's way, through the 16 squares with own men."""
        g = F.linear(h, self.gate, self.gate_bias).reshape(-1, self.gate.shape[0])
        dtype = g.dtype
        codes = board.reshape(-1, 64)
        own = self.own[codes]
        squares = torch.argsort(own.to(torch.uint8), dim=1, descending=True, stable=True)[:, :_MEN]
        men = codes.gather(1, squares)
        leaving = self.own[men]
        rows_a, rows_b = self.rows()
        a = _rows(rows_a.to(dtype), men) + _rows(self.place_from.to(dtype), squares)
        a = a * (leaving[..., None] * g[:, None] * self.gate.shape[0] ** -0.5)
        scores: Tensor = _PairScores.apply(a, rows_b.to(dtype), self.place_to.to(dtype), codes)  # type: ignore[no-untyped-call]
        scores = scores + _rows(self.moves_of_pieces().to(dtype), self.piece_of[men] * 64 + squares)
        logits: Tensor = _ToMoves.apply(scores, squares, self.plain, self.promotions)  # type: ignore[no-untyped-call]
        return logits.reshape(*h.shape[:-1], MOVE_COUNT)

    def everywhere(self, h: Tensor, board: Tensor) -> Tensor:
        """The same from all 64 x 64 pairs of squares, in plain operations: play's way, for a few positions at a time."""
        g = F.linear(h, self.gate, self.gate_bias) * self.gate.shape[0] ** -0.5
        codes = board % self.codes
        pieces = codes // self.codes_a_piece
        a, b = F.embedding(codes, self.code_from), F.embedding(codes, self.code_to)
        if self.checks:
            kings = board // self.codes
            a, b = a + F.embedding(kings, self.king_from), b + F.embedding(kings, self.king_to)
        a = (a + self.place_from) * F.embedding(pieces, self.moving) * g.unsqueeze(-2)
        scores = a @ (b + self.place_to).mT  # (…, 64, 64)
        scores = scores + F.embedding(pieces * 64 + self.places, self.moves_of_pieces())
        return F.pad(scores.flatten(-2), (0, 1)).index_select(-1, self.pair_of_move)


def _table(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape) * 0.5)


def _move_tables() -> dict[str, Tensor]:
    """plain (64, 64): id of the move between two squares, V where there is none. promotions (22,): 64 x source + target of the
    moves to the last rank that promote, in the vocabulary's order, where each stands for four ids. pair_of_move (V,): 64 x
    source + target of a move, 4096 where the mover's men never make it: the opponent's promotions."""
    plain = np.where(ID_OF[:, :, 0] >= 0, ID_OF[:, :, 0], MOVE_COUNT).astype(np.int64)
    pairs = SOURCE.astype(np.int64) * 64 + TARGET
    pairs[(PROMOTION > 0) & (TARGET < 8)] = 64 * 64
    up = np.flatnonzero((PROMOTION == 1) & (TARGET >= 56))
    return {
        "plain": torch.from_numpy(plain),
        "promotions": torch.from_numpy(pairs[up]),
        "pair_of_move": torch.from_numpy(pairs),
    }


@torch.library.custom_op("transcendence::rows_gradient", mutates_args=())
def _rows_gradient(gradient: Tensor, rows: Tensor, count: int) -> Tensor:
    """(count, R) the sum of ``gradient`` (M, R) over equal ``rows`` (M,).

    An operator of its own, for torch.compile would add one number at a time, atomically: three times as slow on a CPU.
    """
    if gradient.device.type != "cpu":
        return _by_sorting(gradient, rows, count)
    out = torch.zeros(count, gradient.shape[1], dtype=gradient.dtype, device=gradient.device)
    return out.scatter_add_(0, rows[:, None].expand_as(gradient), gradient)


def _by_sorting(gradient: Tensor, rows: Tensor, count: int) -> Tensor:
    """The same on a GPU: scatter_add_ would round every single sum to bfloat16 there, and an empty square's row has a million
    of them; this one sorts the rows and adds in float32."""
    summed: Tensor = torch.ops.aten.embedding_dense_backward(gradient, rows, count, -1, False)
    return summed


@_rows_gradient.register_fake
def _(gradient: Tensor, rows: Tensor, count: int) -> Tensor:
    return gradient.new_empty(count, gradient.shape[1])


def _rows(table: Tensor, rows: Tensor) -> Tensor:
    """Rows of a table, as ``F.embedding``."""
    picked: Tensor = _Rows.apply(table, rows)  # type: ignore[no-untyped-call]
    return picked


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.count = table.shape[0]
        return F.embedding(rows, table)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (rows,) = ctx.saved_tensors
        (gradient,) = gradients
        return _rows_gradient(gradient.reshape(-1, gradient.shape[-1]).contiguous(), rows.reshape(-1), ctx.count), None


class _PairScores(torch.autograd.Function):
    """(N, 16, 64) products of a (N, 16, R) with B's rows: ``rows`` (codes, R) by code and ``places`` (64, R)."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, rows: Tensor, places: Tensor, codes: Tensor) -> Tensor:
        b = F.embedding(codes, rows).add_(places)
        ctx.save_for_backward(a, b, codes)
        ctx.count = len(rows)
        return torch.bmm(a, b.mT)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        a, b, codes = ctx.saved_tensors
        (scores,) = gradients
        by_square = torch.bmm(scores.mT, a)  # (N, 64, R)
        rows = _rows_gradient(by_square.reshape(-1, a.shape[-1]), codes.reshape(-1), ctx.count)
        return torch.bmm(scores, b), rows, by_square.sum(dim=0), None


class _ToMoves(torch.autograd.Function):
    """(N, V) from (N, 16, 64) scores of pairs of squares; 0 for moves from other squares."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, squares: Tensor, plain: Tensor, promotions: Tensor) -> Tensor:
        N = len(scores)
        ids = plain.index_select(0, squares.reshape(-1)).reshape(N, -1)
        slots = squares.new_full((N, 64), _MEN).scatter_(1, squares, torch.arange(_MEN, device=squares.device).expand(N, -1))
        places = slots[:, promotions // 64] * 64 + promotions % 64
        ctx.save_for_backward(ids, places)
        moves = scores.new_zeros(N, MOVE_COUNT + 1).scatter_(1, ids, scores.reshape(N, -1))
        last = F.pad(scores.reshape(N, -1), (0, 64)).gather(1, places)
        moves[:, _FIRST_PROMOTION : _FIRST_PROMOTION + 88] = last.repeat_interleave(4, dim=1)
        return moves[:, :MOVE_COUNT]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        ids, places = ctx.saved_tensors
        (gradient,) = gradients
        N = len(gradient)
        scores = F.pad(F.pad(gradient, (0, 1)).gather(1, ids), (0, 64))
        last = gradient[:, _FIRST_PROMOTION : _FIRST_PROMOTION + 88].reshape(N, 22, 4).sum(dim=-1)
        scores.scatter_add_(1, places, last)
        return scores[:, :-64].reshape(N, _MEN, 64), None, None, None
