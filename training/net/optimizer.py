"""Muon for the blocks' matrices, AdamW for all else, and the schedule that both follow.

Knows parameters by their place in ``training.net.model.Net``. Does not know gradients' origin, processes or files.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.optim import AdamW, Optimizer

from training.config import OptimizerConfig
from training.net.model import Transformer
from training.net.sharding import part_of, whole

# Quintic Newton-Schulz coefficients of Keller Jordan's Muon: singular values end between about 0.7 and 1.2.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_ITERATIONS = 5


def orthogonalized(matrix: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """The nearest (roughly) orthogonal matrix to each of a (…, n, m) stack: keeps the directions, levels their sizes.

    The iteration bears bfloat16 as ``precision``, as its authors use it; the result has the dtype of ``matrix``.
    """
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    x = (x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)).to(precision)
    # At four times as wide as high it takes half the time. The products of products are too much for bfloat16 and TF32.
    by_gram = x.shape[-1] >= 3 * x.shape[-2] and precision == torch.float32 and x.device.type == "cpu"
    x = _iterated_by_gram(x) if by_gram else _iterated(x)
    result: Tensor = (x.mT if tall else x).to(matrix.dtype)
    return result


def _iterated(x: Tensor) -> Tensor:
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x


def _iterated_by_gram(x: Tensor) -> Tensor:
    """The same by products of (n, n) matrices, but for the first and the last: each step multiplies x from the left by a
    polynomial of its gram matrix, and so the gram matrix from both sides."""
    gram = x @ x.mT
    steps: Tensor | None = None
    for left in reversed(range(_ITERATIONS)):
        step = _B * gram + _C * gram @ gram
        step.diagonal(dim1=-2, dim2=-1).add_(_A)
        steps = step if steps is None else step @ steps
        if left:
            gram = step @ gram @ step
    assert steps is not None
    return steps @ x


class Muon(Optimizer):
    """Momentum, Nesterov step, orthogonalised; source: Keller Jordan et al., "Muon" (2024).

    Not torch.optim.Muon, which takes parameters of two dimensions alone: query, key and value are a stack of three matrices
    here. Ours also shares the work out among processes.

    The update of an n x m matrix is scaled by sqrt(max(1, n / m)), so that one rate suits every shape. Where several
    processes train together each orthogonalises its share of the matrices and hands the result to the others, for on
    CPU this work is a tenth of a small batch's. Of a net in pieces as many matrices are whole at once as there are
    processes.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        precision: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self._precision = precision

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every parameter."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            at_once = dist.get_world_size() if any(isinstance(p, DTensor) for p in params) else len(params)
            for begin in range(0, len(params), max(1, at_once)):
                self._change(params[begin : begin + at_once], group)

    def _change(self, params: list[Tensor], group: dict[str, float]) -> None:
        world = dist.get_world_size() if dist.is_initialized() else 1
        updates, handed = [], []
        for i, p in enumerate(params):
            update = whole(self._direction(p, group))
            if world == 1 or i % world == dist.get_rank():
                update = orthogonalized(update, self._precision)
            if world > 1:
                handed.append(dist.broadcast(update := update.contiguous(), i % world, async_op=True))
            updates.append(update)
        for work in handed:
            work.wait()
        for p, update in zip(params, updates, strict=True):
            scale = max(1.0, p.shape[-2] / p.shape[-1]) ** 0.5
            p.mul_(1 - group["lr"] * group["weight_decay"]).add_(part_of(update, p), alpha=-group["lr"] * scale)

    def _direction(self, p: Tensor, group: dict[str, float]) -> Tensor:
        """Where Nesterov's momentum points. Every process keeps every momentum, so any of them can save the whole state."""
        state, gradient = self.state[p], p.grad
        assert gradient is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        momentum: Tensor = state["momentum"]
        return gradient.lerp(momentum.lerp_(gradient, 1 - group["momentum"]), group["momentum"])


def make_optimizers(net: Transformer, config: OptimizerConfig, precision: torch.dtype = torch.float32) -> list[Optimizer]:
    """The optimisers of a run; each group remembers its peak rate as ``peak_lr``. ``precision`` is Muon's."""
    matrices = net.matrices()
    inside = {id(p) for p in matrices}
    tables = [p for p in net.parameters() if id(p) not in inside]
    betas = (0.9, 0.95)
    groups = [{"params": tables, "lr": config.adam_lr, "weight_decay": 0.0}]
    optimizers: list[Optimizer] = []
    if config.kind == "muon":
        optimizers.append(Muon(matrices, lr=config.matrix_lr, weight_decay=config.weight_decay, precision=precision))
    else:
        groups.append({"params": matrices, "lr": config.adam_lr, "weight_decay": config.weight_decay})
    optimizers.append(AdamW(groups, betas=betas, fused=True))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return optimizers


def rate_at(progress: float, warmup: float) -> float:
    """Share of the peak learning rate when ``progress`` (0..1) of the run is done: up during warm-up, then to 0."""
    if progress < warmup:
        return min(1.0, max(progress, 1e-3) / warmup)
    return max(0.0, (1 - progress) / (1 - warmup))


def set_rate(optimizers: list[Optimizer], factor: float) -> None:
    """Give every group ``factor`` x its peak rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak_lr"] * factor
