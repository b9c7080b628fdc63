"""A moving average of the weights: calmer than the last step's, at the price of a copy.

Knows weights and steps. Does not know when it is used.
"""

from __future__ import annotations

import copy

import torch

from training.net.model import Transformer
from training.net.sharding import local


class Average:
    """``net`` holds the mean of the trained weights, older steps fading by ``decay`` a step.

    The first steps fade faster, as 10 + step allows, so that the random beginning does not stay.
    """

    def __init__(self, net: Transformer, decay: float) -> None:
        self.net = copy.deepcopy(net).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, net: Transformer, *, step: int) -> None:
        """Count in the weights of one more step."""
        keep = min(self._decay, step / (10 + step))
        torch._foreach_lerp_([local(p) for p in self.net.parameters()], [local(p) for p in net.parameters()], 1 - keep)
