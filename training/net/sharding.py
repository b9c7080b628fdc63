"""A net in pieces: every process keeps a part of each weight and puts whole ones together where they are needed (FSDP2).

Knows which modules go together and how a whole tensor becomes pieces and the pieces a whole one. All functions leave
ordinary tensors alone, so that callers need not ask which kind they have. Does not know steps or files.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from training.net.model import Transformer


def shard(net: Transformer, *, device: torch.device, world: int) -> None:
    """Leave this process its part of every weight, on ``device``. All processes hold the same net when they call this.

    Blocks are moved and cut one by one: the whole net need not fit on the device.
    """
    mesh = init_device_mesh(device.type, (world,))
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor")  # nothing changes them in place
    for block in net.blocks:
        fully_shard(block, mesh=mesh)
        for method in ("project", "finish"):  # the net calls these, not the block itself
            register_fsdp_forward_method(block, method)
    fully_shard(net, mesh=mesh)
    net.to(device)


def is_sharded(net: Transformer) -> bool:
    """Whether ``shard`` was called on it."""
    return isinstance(net.move_head, DTensor)


def local(tensor: Tensor) -> Tensor:
    """This process's part; a change of it changes the tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """The tensor put together from all processes, each of which must call this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def part_of(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor as this process keeps it, cut as ``like`` is."""
    if not isinstance(like, DTensor):
        return tensor
    tensor = tensor.to(like.device)
    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)  # all have it: nothing is sent


def whole_weights(net: Transformer, *, kept: bool = True) -> dict[str, Tensor]:
    """The whole weights by name. All processes must call this; those that do not keep them get an empty dict."""
    weights = {}
    for name, tensor in net.state_dict().items():
        value = whole(tensor.detach())
        if kept:
            weights[name] = value.contiguous().cpu()
    return weights


def load_weights(net: Transformer, weights: dict[str, Tensor]) -> None:
    """Give whole weights to a net that may be in pieces."""
    own = net.state_dict()
    net.load_state_dict({name: part_of(value, own[name]) if name in own else value for name, value in weights.items()})


def whole_state(optimizer: torch.optim.Optimizer, *, kept: bool = True) -> dict[str, Any]:
    """An optimiser's ``state_dict`` with whole tensors, as one process would have it; called by all, as ``whole_weights``."""
    found: dict[str, Any] = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for number, values in found["state"].items():
        together = {k: whole(v) for k, v in values.items()}
        if kept:
            state[number] = {k: v.cpu() for k, v in together.items()}
    return found | {"state": state}


def load_state(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Give an optimiser what ``whole_state`` made. What has a weight's shape is cut as the weight is, a count is not."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    state = {
        number: {k: part_of(v, params[number]) if v.shape == params[number].shape else v for k, v in values.items()}
        for number, values in saved["state"].items()
    }
    optimizer.load_state_dict(saved | {"state": state})
