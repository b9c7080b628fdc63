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
from engine.vocabulary import MOVE_COUNT, START
from training.config import ModelConfig
from training.net.move_head import SquarePairs

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
    board, so rare combinations start from something sensible; the exporter folds all three into one. Without ``own``
    the first two are all there is.
    """

    offsets: Tensor

    def __init__(self, board_input: str, width: int, *, own: bool = True) -> None:
        super().__init__()
        self.codes = BOARD_CODES[board_input]
        self.attacks = self.codes > PIECE_CODES
        self.register_buffer("offsets", torch.arange(64) * self.codes, persistent=False)
        self.square_piece = nn.Parameter(torch.randn(64, PIECE_CODES, 1, width) * 0.1)
        if self.attacks:
            classes = len(ATTACKER_CLASSES) ** 2
            self.piece_attack = nn.Parameter(torch.zeros(1, PIECE_CODES, classes, width))
            self.own = nn.Parameter(torch.zeros(64, PIECE_CODES, classes, width)) if own else None

    def table(self) -> Tensor:
        """(64 * codes, W) one row for each square and code."""
        rows: Tensor = self.square_piece
        if self.attacks:
            rows = rows + self.piece_attack
            rows = rows if self.own is None else rows + self.own
        return rows.reshape(64 * self.codes, -1)

    def forward(self, codes: Tensor) -> Tensor:
        rows = (codes + self.offsets).reshape(-1, 64)
        return F.embedding_bag(rows, self.table(), mode="sum").reshape(*codes.shape[:-1], -1)


class ConvBoard(nn.Module):
    """The attack table's bag, plus a small convolutional net over the 8 x 8 squares: (…, 64) codes -> (…, W).

    C = config.board_width channels. Weights are kept as matrices, so that Muon can have them.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        C, W = config.board_width, config.width
        self.bag = BoardTable(config.board_input, W, own=config.own_rows)
        self.squares = SquareTable(config.board_input, C)
        self.first = nn.ParameterList(torch.randn(C, C * 9) * (C * 9) ** -0.5 for _ in range(config.board_layers))
        self.second = nn.ParameterList(torch.zeros(C, C * 9) for _ in range(config.board_layers))
        self.out = nn.Parameter(torch.randn(W, C * 64) * (C * 64) ** -0.5)

    def matrices(self) -> list[nn.Parameter]:
        """What Muon changes."""
        return [*self.first, *self.second, self.out]

    def forward(self, codes: Tensor) -> Tensor:
        x = self.squares(codes.reshape(-1, 64))  # (N, 64, C)
        C = x.shape[-1]
        x = x.mT.reshape(-1, C, 8, 8)
        for first, second in zip(self.first, self.second, strict=True):
            inner = F.relu(F.conv2d(_rms_channels(x), first.view(C, C, 3, 3), padding=1))
            x = x + F.conv2d(inner, second.view(C, C, 3, 3), padding=1)
        seen = F.linear(_rms_channels(x).reshape(-1, C * 64), self.out)
        bag: Tensor = self.bag(codes)
        return bag + seen.reshape(bag.shape)


def _rms_channels(x: Tensor) -> Tensor:
    """(N, C, 8, 8), every square normalised over its channels."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6)


class SquaresBoard(nn.Module):
    """The attack table's bag, plus a small transformer whose tokens are the 64 squares: (…, 64) codes -> (…, W).

    C = config.board_width numbers a square, heads of 8. What squares see of each other depends on where both stand by a
    learnt bias of every head, for a rook's, a knight's and a bishop's geometry are not to be found out from content.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        C, W = config.board_width, config.width
        self.bag = BoardTable(config.board_input, W, own=config.own_rows)
        self.squares = SquareTable(config.board_input, C)
        self.blocks = nn.ModuleList(_SquaresBlock(C) for _ in range(config.board_layers))
        self.out = nn.Parameter(torch.randn(W, C * 64) * (C * 64) ** -0.5)

    def matrices(self) -> list[nn.Parameter]:
        """What Muon changes."""
        inner = [p for block in self.blocks for name, p in block.named_parameters() if name != "bias"]
        return [*inner, self.out]

    def forward(self, codes: Tensor) -> Tensor:
        x = self.squares(codes.reshape(-1, 64))  # (N, 64, C)
        for block in self.blocks:
            x = block(x)
        seen = F.linear(_rms(x).flatten(1), self.out)
        bag: Tensor = self.bag(codes)
        return bag + seen.reshape(bag.shape)


class _SquaresBlock(nn.Module):
    """Attention among 64 squares without a mask, then an MLP; as ``Block`` but for the bias."""

    def __init__(self, width: int, head_width: int = 8) -> None:
        super().__init__()
        self.heads = width // head_width
        self.qkv = nn.Parameter(torch.randn(3, width, width) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(self.heads, 64, 64))
        self.mix = nn.Parameter(torch.zeros(width, width))
        self.up = nn.Parameter(torch.randn(2 * width, width) * width**-0.5)
        self.down = nn.Parameter(torch.zeros(width, 2 * width))

    def forward(self, x: Tensor) -> Tensor:
        N, C = x.shape[0], x.shape[2]
        qkv = F.linear(_rms(x), self.qkv.reshape(3 * C, C)).view(N, 64, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (N, H, 64, D)
        scores = q @ k.mT * q.shape[-1] ** -0.5 + self.bias
        seen = torch.softmax(scores, dim=-1).to(v.dtype) @ v
        x = x + F.linear(seen.transpose(1, 2).reshape(N, 64, C), self.mix)
        return x + F.linear(F.relu(F.linear(_rms(x), self.up)).square(), self.down)


class SquareTable(nn.Module):
    """A row for each square: (N, 64) codes -> (N, 64, C), the sum of its place's, its piece's and its attackers' rows."""

    def __init__(self, board_input: str, width: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(64, width) * 0.3)
        self.code = nn.Parameter(torch.randn(BOARD_CODES[board_input], width) * 0.3)

    def forward(self, codes: Tensor) -> Tensor:
        return F.embedding(codes, self.code) + self.place


BoardEmbedding = BoardTable | ConvBoard | SquaresBoard


def board_of(config: ModelConfig) -> BoardEmbedding | None:
    """What reads the board in a net of this ``board_input``; None in a blind one."""
    match config.board_input:
        case "none":
            return None
        case "conv":
            return ConvBoard(config)
        case "squares":
            return SquaresBoard(config)
        case _:
            return BoardTable(config.board_input, config.width, own=config.own_rows)


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


class Transformer(nn.Module):
    """Moves, boards, state and ratings in; move logits and WDL logits out."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        W = config.width
        self.config = config
        self.move = nn.Parameter(torch.randn(START + 1, W) * 0.5)
        self.board = board_of(config)
        self.state = Columns(STATE_SIZES, W) if config.board_input != "none" else None
        self.ratings = Columns(RATINGS_SIZES, W) if config.rating_input else None
        self.blocks: Sequence[Block] = nn.ModuleList(Block(config) for _ in range(config.layers))  # type: ignore[assignment]
        self.move_head = nn.Parameter(torch.zeros(MOVE_COUNT, W))
        self.pairs = SquarePairs(config) if config.move_rank else None
        self.wdl_head = nn.Parameter(torch.zeros(3, W))

    def matrices(self) -> list[nn.Parameter]:
        """The weights that are multiplied with activations inside the net: what Muon changes."""
        inside = [p for block in self.blocks for p in block.parameters()]
        return inside if self.board is None or isinstance(self.board, BoardTable) else [*self.board.matrices(), *inside]

    def embed(self, moves: Tensor, board: Tensor, state: Tensor, ratings: Tensor) -> Tensor:
        """The residual stream before the first block: (B, T, W)."""
        x = F.embedding(moves, self.move)
        if self.board is not None and self.state is not None:
            x = x + self.board(board % BOARD_CODES[self.config.board_input]) + self.state(state)
        if self.ratings is not None:
            x = x + self.ratings(ratings)
        return _rms(x)

    def heads_of(self, x: Tensor, board: Tensor, *, playing: bool = False) -> tuple[Tensor, Tensor]:
        """Move logits (B, T, MOVE_COUNT) and WDL logits (B, T, 3); ``playing`` chooses what suits few positions and
        the exporter."""
        x = _rms(x)
        logits = F.linear(x, self.move_head)
        if self.pairs is not None:
            logits = logits + (self.pairs.everywhere(x, board) if playing else self.pairs(x, board))
        return logits, F.linear(x, self.wdl_head)

    def forward(self, moves: Tensor, board: Tensor, state: Tensor, ratings: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Training: rows packed with several games; ``segments`` (B, T) numbers them, and none looks into another."""
        T = moves.shape[1]
        causal = torch.ones(T, T, dtype=torch.bool, device=moves.device).tril()
        mask = (causal & (segments[:, :, None] == segments[:, None, :]))[:, None]
        positions = torch.arange(T, device=moves.device)[None]
        x = self.embed(moves, board, state, ratings)
        for block in self.blocks:
            x = block.finish(x, attend(*block.project(x, positions), mask))
        return self.heads_of(x, board)

    def step(
        self,
        moves: Tensor,
        board: Tensor,
        state: Tensor,
        ratings: Tensor,
        past_keys: Tensor,
        past_values: Tensor,
        positions: Tensor,
        past_mask: Tensor,
        new_mask: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Play: T new plies after S cached ones, as docs/onnx-contract.md says; returns logits, wdl, keys, values."""
        mask = torch.cat([past_mask, new_mask], dim=2)[:, None]
        x = self.embed(moves, board, state, ratings)
        keys, values = [], []
        for i, block in enumerate(self.blocks):
            q, k, v = block.project(x, positions)
            keys.append(k)
            values.append(v)
            x = block.finish(x, attend_cached(q, (k, v), (past_keys[i], past_values[i]), mask))
        logits, wdl = self.heads_of(x, board, playing=True)
        return logits, wdl, torch.stack(keys), torch.stack(values)


def flops_per_ply(config: ModelConfig) -> float:
    """Model FLOPs of training on one ply, by the usual count: 6 for each weight that is multiplied, 12 L W T for attention
    over the whole context. Tables are looked up, not multiplied; pairs of squares count from the mover's 16. The small net of
    conv and squares has its own tokens."""
    W, C = config.width, config.board_width
    trunk = config.layers * (4 + 2 * config.mlp_ratio) * W * W + (MOVE_COUNT + 3) * W + config.move_rank * (W + 16 * 64)
    board = 0
    if config.board_input == "conv":
        board = config.board_layers * 64 * 18 * C * C + 64 * C * W
    elif config.board_input == "squares":
        board = config.board_layers * 64 * (8 * C * C + 2 * 64 * C) + 64 * C * W
    return 6.0 * (trunk + board) + 12.0 * config.layers * W * config.context
