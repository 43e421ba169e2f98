"""Style transfer as one writes it in torch alone, beside which crosslens is measured: Gatys et al. 2016 with Adam.

Gram matrices and losses are torch's, gradients autograd's, the network ends at the deepest layer that is read, and its
weights need no gradient.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Losses", "style_transfer"]


class Losses:
    """Equations 1, 3, 4, 5 and 7 of the paper for one content and one style."""

    def __init__(
        self, net: nn.Sequential, content: Tensor, style: Tensor, content_layer: str, style_layers: Sequence[str]
    ) -> None:
        """`net` takes images (1, 3, H, W) in [0, 1]; layers are names of its parts."""
        wanted = {content_layer, *style_layers}
        parts = list(net.named_children())
        last = max(place for place, (name, _) in enumerate(parts) if name in wanted)
        self._parts, self._wanted = parts[: last + 1], wanted
        self._content_layer, self._style_layers = content_layer, style_layers
        with torch.no_grad():
            self._content = self._activations(content)[content_layer]
            seen = self._activations(style)
            self._grams = {name: gram(seen[name]) for name in style_layers}

    def _activations(self, x: Tensor) -> Mapping[str, Tensor]:
        found = {}
        for name, part in self._parts:
            x = part(x)
            if name in self._wanted:
                found[name] = x
        return found

    def __call__(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of the content and that of the style, each without its weight."""
        found = self._activations(picture)
        content = ((found[self._content_layer] - self._content) ** 2).sum() / 2
        style = torch.zeros(())
        for name in self._style_layers:
            _, channels, height, width = found[name].shape
            apart = ((gram(found[name]) - self._grams[name]) ** 2).sum()
            style = style + apart / (4 * channels**2 * (height * width) ** 2) / len(self._style_layers)
        return content, style


def gram(maps: Tensor) -> Tensor:
    """Equation 3."""
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2)


def style_transfer(
    losses: Losses,
    start: Tensor,
    steps: int,
    learning_rate: float,
    content_weight: float,
    style_weight: float,
    *,
    told: Callable[[], None] = lambda: None,
) -> tuple[Tensor, list[Any]]:
    """The picture after so many steps of torch's Adam, kept within [0, 1], and the loss before each; `told` after."""
    picture = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([picture], lr=learning_rate)
    history = []
    for _ in range(steps):
        optimiser.zero_grad()
        content, style = losses(picture)
        loss = content_weight * content + style_weight * style
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            picture.clamp_(0, 1)
        history.append(loss.detach())
        told()
    return picture.detach(), history
