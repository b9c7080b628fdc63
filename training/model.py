"""The network: a causal transformer over plies that sees the board at every one.

B rows, T plies, S cached plies, L layers, H heads, D head width, W width. Knows the arithmetic and, through
``step``, the ONNX contract (docs/onnx-contract.md). Does not know data, losses or optimisers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.attacks import ATTACKER_CLASSES
from engine.encoding import BOARD_CODES, PIECE_CODES, RATINGS_SIZES, STATE_SIZES
from engine.vocabulary import MOVES, START
from training.config import ModelConfig

_ROPE_BASE = 1000.0  # contexts are a few hundred plies


def _rms(x: Tensor) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],), eps=1e-6)


class Columns(nn.Module):
    """Sum of one embedding per column: (…, C) codes with their own ranges -> (…, W)."""

    offsets: Tensor

    def __init__(self, sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        starts = torch.tensor([sum(sizes[:i]) for i in range(len(sizes))])
        self.register_buffer("offsets", starts, persistent=False)
        self.weight = nn.Parameter(torch.randn(sum(sizes), width) * 0.1)

    def forward(self, codes: Tensor) -> Tensor:
        return F.embedding(codes + self.offsets, self.weight).sum(dim=-2)


class BoardTable(nn.Module):
    """The board as a bag of one row a square: (…, 64) codes -> (…, W).

    With attacks the row of (square, piece, own attacker, enemy attacker) is the sum of three tables: what is
    common to the (square, piece), to the (piece, attackers), and what is its own. The first two are met on every
    board, so rare combinations start from something sensible; the exporter folds all three into one.
    """

    offsets: Tensor

    def __init__(self, board_input: str, width: int) -> None:
        super().__init__()
        self.codes = BOARD_CODES[board_input]
        self.attacks = self.codes > PIECE_CODES
        self.register_buffer("offsets", torch.arange(64) * self.codes, persistent=False)
        self.square_piece = nn.Parameter(torch.randn(64, PIECE_CODES, 1, width) * 0.1)
        if self.attacks:
            classes = len(ATTACKER_CLASSES) ** 2
            self.piece_attack = nn.Parameter(torch.zeros(1, PIECE_CODES, classes, width))
            self.own = nn.Parameter(torch.zeros(64, PIECE_CODES, classes, width))

    def table(self) -> Tensor:
        """(64 * codes, W) one row for each square and code."""
        rows: Tensor = self.square_piece
        if self.attacks:
            rows = rows + self.piece_attack + self.own
        return rows.reshape(64 * self.codes, -1)

    def forward(self, codes: Tensor) -> Tensor:
        rows = (codes + self.offsets).reshape(-1, 64)
        return F.embedding_bag(rows, self.table(), mode="sum").reshape(*codes.shape[:-1], -1)


def rotate(x: Tensor, positions: Tensor) -> Tensor:
    """RoPE: (B, H, T, D) turned by ``positions`` (B, T) or (1, T)."""
    half = x.shape[-1] // 2
    speed = _ROPE_BASE ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = positions[:, None, :, None].float() * speed
    cos, sin = torch.cos(angle).to(x.dtype), torch.sin(angle).to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Attention of (B, H, T, D) queries over (B, H, S, D) keys and values; ``mask`` (B, 1, T, S) is True where one may look.

    PyTorch's fused attention has no fast bfloat16 backward on CPU: two plain products take a quarter of its time there.
    """
    if q.device.type != "cpu" or v.dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    B, H, T, D = q.shape
    hidden = torch.zeros(mask.shape, dtype=v.dtype).masked_fill(~mask, -3e4).expand(B, H, -1, -1)
    q, k, v, hidden = (x.to(v.dtype).reshape(B * H, *x.shape[2:]) for x in (q, k, v, hidden))
    weights = torch.softmax(torch.baddbmm(hidden, q, k.mT, alpha=D**-0.5), dim=-1)
    return torch.bmm(weights, v).reshape(B, H, T, D)


def attend_cached(q: Tensor, new: tuple[Tensor, Tensor], past: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
    """As ``attend``, over past keys and values followed by new ones.

    Only the scores are joined: joining the keys and values themselves would copy the whole cache in every block.
    """
    keys, values = new
    past_keys, past_values = past
    S = past_keys.shape[2]
    q = q * q.shape[-1] ** -0.5
    scores = torch.cat([q @ past_keys.mT, q @ keys.mT], dim=-1)
    weights = torch.softmax(scores.masked_fill(~mask, -1e9), dim=-1)
    return weights[..., :S] @ past_values + weights[..., S:] @ values


class Block(nn.Module):
    """Attention, then an MLP with squared ReLU; both on normalised input, both added to the stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        W, hidden = config.width, config.mlp_ratio * config.width
        self.heads, self.head_width = config.heads, config.head_width
        self.qkv = nn.Parameter(torch.randn(3, W, W) * W**-0.5)
        self.out = nn.Parameter(torch.zeros(W, W))
        self.up = nn.Parameter(torch.randn(hidden, W) * W**-0.5)
        self.down = nn.Parameter(torch.zeros(W, hidden))

    def project(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, W) -> queries, keys, values (B, H, T, D); queries and keys normalised and rotated."""
        B, T, W = x.shape
        qkv = F.linear(_rms(x), self.qkv.reshape(3 * W, W)).view(B, T, 3, self.heads, self.head_width)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return rotate(_rms(q), positions), rotate(_rms(k), positions), v

    def finish(self, x: Tensor, seen: Tensor) -> Tensor:
        """Add what attention has seen, (B, H, T, D), to the stream, and what the MLP makes of it."""
        B, T, W = x.shape
        x = x + F.linear(seen.transpose(1, 2).reshape(B, T, W), self.out)
        return x + F.linear(F.relu(F.linear(_rms(x), self.up)).square(), self.down)


class Net(nn.Module):
    """Moves, boards, state and ratings in; move logits and WDL logits out."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        W = config.width
        self.config = config
        self.move = nn.Parameter(torch.randn(START + 1, W) * 0.5)
        self.board = BoardTable(config.board_input, W) if config.board_input != "none" else None
        self.state = Columns(STATE_SIZES, W) if config.board_input != "none" else None
        self.ratings = Columns(RATINGS_SIZES, W) if config.rating_input else None
        self.blocks: Sequence[Block] = nn.ModuleList(Block(config) for _ in range(config.layers))  # type: ignore[assignment]
        self.move_head = nn.Parameter(torch.zeros(MOVES, W))
        self.wdl_head = nn.Parameter(torch.zeros(3, W))

    def embed(self, moves: Tensor, board: Tensor, state: Tensor, ratings: Tensor) -> Tensor:
        """The residual stream before the first block: (B, T, W)."""
        x = F.embedding(moves, self.move)
        if self.board is not None and self.state is not None:
            x = x + self.board(board) + self.state(state)
        if self.ratings is not None:
            x = x + self.ratings(ratings)
        return _rms(x)

    def heads_of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Move logits (B, T, MOVES) and WDL logits (B, T, 3)."""
        x = _rms(x)
        return F.linear(x, self.move_head), F.linear(x, self.wdl_head)

    def forward(self, moves: Tensor, board: Tensor, state: Tensor, ratings: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Training: rows packed with several games; ``segments`` (B, T) numbers them, and none looks into another."""
        T = moves.shape[1]
        causal = torch.ones(T, T, dtype=torch.bool, device=moves.device).tril()
        mask = (causal & (segments[:, :, None] == segments[:, None, :]))[:, None]
        positions = torch.arange(T, device=moves.device)[None]
        x = self.embed(moves, board, state, ratings)
        for block in self.blocks:
            x = block.finish(x, attend(*block.project(x, positions), mask))
        return self.heads_of(x)

    def step(
        self,
        moves: Tensor,
        board: Tensor,
        state: Tensor,
        ratings: Tensor,
        past_keys: Tensor,
        past_values: Tensor,
        past_lengths: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Play: T new plies after S cached ones, as docs/onnx-contract.md says; returns logits, wdl, keys, values."""
        T, S = moves.shape[1], past_keys.shape[3]
        new = torch.arange(T, device=moves.device)
        old = torch.arange(S, device=moves.device)[None, :] < past_lengths[:, None]
        causal = new[None, :] <= new[:, None]
        B = moves.shape[0]
        mask = torch.cat([old[:, None, :].expand(B, T, S), causal[None].expand(B, T, T)], dim=2)[:, None]
        positions = past_lengths[:, None] + new[None]
        x = self.embed(moves, board, state, ratings)
        keys, values = [], []
        for i, block in enumerate(self.blocks):
            q, k, v = block.project(x, positions)
            keys.append(k)
            values.append(v)
            x = block.finish(x, attend_cached(q, (k, v), (past_keys[i], past_values[i]), mask))
        logits, wdl = self.heads_of(x)
        return logits, wdl, torch.stack(keys), torch.stack(values)
