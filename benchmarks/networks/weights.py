"""Random weights under which a deep network computes something: no activation dies, none outgrows float32."""

from collections.abc import Callable
from math import ceil

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def drawn(build: Callable[[], nn.Module], size: int, seed: int = 0) -> nn.Module:
    """The network in eval mode, the same for the same seed; the caller's random state stays as it is.

    Kaiming's normal weights for convolutions, LeCun's for linear layers, small biases; scales and shifts of batch
    normalisations scattered around one and zero, their statistics those of eight random pictures of `size` pixels, from
    smooth to noisy: of the size that the network will see, for at the border a kernel sees zeros.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build().eval()
        for module in net.modules():
            _draw(module)
        _gather_statistics(net, _pictures(size).to(next(net.parameters()).device))
    return net


def scaled(channels: int, width: float) -> int:
    """A multiple of eight near `channels * width`, at least eight."""
    return max(8, int(channels * width + 4) // 8 * 8)


def repeated(count: int, depth: float) -> int:
    """`count * depth` blocks, rounded up."""
    return ceil(count * depth)


@torch.no_grad()
def _draw(module: nn.Module) -> None:
    if isinstance(module, CONVOLUTIONS):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
    elif isinstance(module, NORMS):
        module.weight.uniform_(0.7, 1.3)
        module.bias.normal_(0, 0.2)
        return
    if isinstance(getattr(module, "bias", None), Tensor):
        module.bias.normal_(0, 0.1)


@torch.no_grad()
def _gather_statistics(net: nn.Module, pictures: Tensor) -> None:
    """One pass; each normalisation takes the statistics of what arrives, no variance below half the layer's mean."""
    norms = [module for module in net.modules() if isinstance(module, NORMS)]
    handles = [norm.register_forward_pre_hook(_take_statistics) for norm in norms]
    if norms:
        net(pictures)
    for handle in handles:
        handle.remove()


def _take_statistics(norm: nn.Module, arriving: tuple[Tensor]) -> None:
    (x,) = arriving
    axes = [axis for axis in range(x.ndim) if axis != 1]
    variance = x.var(axes)
    norm.running_mean.copy_(x.mean(axes))
    norm.running_var.copy_((variance + variance.mean()) / 2)


def _pictures(size: int) -> Tensor:
    coarse = nn.functional.interpolate(torch.randn(8, 3, 8, 8), size=(size, size), mode="bilinear")
    noise = torch.linspace(0.1, 1.3, 8).reshape(8, 1, 1, 1)
    return (1.3 - noise) * coarse + noise * torch.randn(8, 3, size, size)
