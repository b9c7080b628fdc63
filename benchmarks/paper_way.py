"""The yardstick: a move as the paper's code makes it, with a character-level GPT in PyTorch and no cache.

A plain nanoGPT-style block stack of about as many parameters as the net it stands beside; weights are random, for only time
is measured. The prompt is the game's PGN text so far; each further character is sampled by running the whole prompt again.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.net import NetInfo

_CHARACTERS = 32
_CONTEXT = 1024
_CHARACTERS_A_PLY = 5.5  # "12.Nf3 Nc6 " is eleven for two


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, W = x.shape
        q, k, v = (y.view(B, T, self.heads, -1).transpose(1, 2) for y in self.qkv(self.ln1(x)).split(W, dim=2))
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(B, T, W))
        after: Tensor = x + self.down(F.gelu(self.up(self.ln2(x))))
        return after


class CharModel(nn.Module):
    """(1, T) characters -> logits of the next one."""

    def __init__(self, like: NetInfo, *, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        width = like.heads * like.head_width
        self.token, self.place = nn.Embedding(_CHARACTERS, width), nn.Embedding(_CONTEXT, width)
        self.blocks = nn.ModuleList(_Block(width, like.heads) for _ in range(like.layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, _CHARACTERS, bias=False)

    @property
    def size(self) -> int:
        return sum(p.numel() for p in self.parameters())

    def forward(self, characters: Tensor) -> Tensor:
        x = self.token(characters) + self.place(torch.arange(characters.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x)[:, -1])
        return logits

    @torch.inference_mode()
    def move_seconds(self, *, plies: int) -> float:
        """Seconds to sample one move of five characters ``plies`` into a game, one thread."""
        prompt = torch.randint(_CHARACTERS, (1, int(plies * _CHARACTERS_A_PLY)))
        started = time.perf_counter()
        for _ in range(5):
            probabilities = torch.softmax(self(prompt), dim=-1)
            prompt = torch.cat([prompt, torch.multinomial(probabilities, 1)], dim=1)
        return time.perf_counter() - started
