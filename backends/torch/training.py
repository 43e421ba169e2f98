"""A model of any backend as the loss of a torch training loop: perceptual losses (Johnson et al. 2016) through it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from crosslens.errors import ImageError, ModelError, TargetError
from crosslens.model import Model
from crosslens.model.base import refuse_unwrapped
from crosslens.objective import Objective
from crosslens.objective.loss import checked_loss, compares_images, loss_and_gradient
from torch import Tensor

from .autograd.isolation import without_autocast
from .tensors import to_tensor

__all__ = ["Loss", "loss"]


@torch.compiler.disable  # type: ignore[untyped-decorator]
def loss(model: Model, objective: Objective) -> "Loss":
    """An objective through a model as a loss with gradients: `loss(model, objective)(images).mean().backward()`.

    The model may be of any backend; its gradient is `crosslens.objective.pullback`, in torch's autograd one function.
    A torch model on a GPU takes the images there, all others as NumPy arrays; give targets as tensors on that GPU. A
    step that `torch.compile` compiles calls the loss as it is. Making a loss costs next to nothing: with a target for
    each image, make one per batch.

    Args:
        model: the network that measures, from `crosslens.wrap`; it is never changed, and it runs in eval mode.
        objective: what is minimised, for example `gram(...) + match(...)` of `crosslens.objective`.

    Returns:
        A function of images (N, C, H, W) that gives the losses (N,).

    Raises:
        ModelError, TargetError, LayerError: the model is not wrapped, or has not what the objective reads.
    """
    refuse_unwrapped(model, "loss")
    placed = model.placed(np.empty(0, np.float32))
    return Loss(model, checked_loss(model, objective), placed.device if isinstance(placed, Tensor) else None)


@dataclass(frozen=True, eq=False)
class Loss:
    """Images of a network under training to losses; see `loss`."""

    model: Model
    objective: Objective
    device: torch.device | None
    """Where the model takes tensors; None where it takes NumPy arrays."""

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(self, images: Tensor) -> Tensor:
        """The losses of images.

        The gradient is computed together with the losses, and only where the images need one. It agrees with
        autograd's through the same network written in torch to 1e-5 (tests/backends/torch/test_training.py).

        Args:
            images: (N, C, H, W) in the model's bounds, of any floating type, layout and device. Values outside the
                bounds are taken as they are, with a warning.

        Returns:
            Losses (N,) on the images' device, float64 for float64 images, else float32, since sums of squares pass
            float16's range. An image that is not finite has the loss NaN.

        Raises:
            ImageError: wrong shape or type, or values far outside the bounds.
        """
        if not isinstance(images, Tensor) or not images.is_floating_point():
            kind = images.dtype if isinstance(images, Tensor) else f"a {type(images).__name__}"
            raise ImageError(f"the images of a loss are {kind}; give a torch tensor (N, C, H, W) of a floating type")
        if images.requires_grad and torch.is_grad_enabled():
            losses: Tensor = _Pullback.apply(images, self)
            return losses
        return self.compute(images, gradient=False)[0]

    def compute(self, images: Tensor, *, gradient: bool) -> tuple[Tensor, Tensor | None]:
        """The losses, and the gradient of their sum, where the images are; no graph."""
        with torch.inference_mode(False), torch.no_grad(), without_autocast():
            x = images.detach().to(self.device or "cpu", torch.float32).contiguous()
            losses, gradients = loss_and_gradient(
                self.model, x.numpy() if self.device is None else x, self.objective, gradient=gradient
            )
            of_losses = torch.float64 if images.dtype == torch.float64 else torch.float32
            returned = None if gradients is None else to_tensor(gradients, images.device, images.dtype, own=False)
            return to_tensor(losses, images.device, of_losses), returned


class _Pullback(torch.autograd.Function):
    """Images to losses; the gradient at the images is computed on the way forward."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, loss: Loss) -> Tensor:
        losses, gradient = loss.compute(images, gradient=True)
        ctx.objective = loss.objective
        ctx.save_for_backward(gradient)
        return losses

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        weighted = _weighted(ctx.objective, gradient, dy)
        if torch.is_grad_enabled():  # create_graph=True
            weighted = _NoSecondDerivative.apply(weighted.detach(), torch.zeros((), requires_grad=True))
        return weighted, None


def _weighted(objective: Objective, gradient: Tensor, dy: Tensor) -> Tensor:
    """The gradient of sum_n dy_n loss_n, from that of the sum of the losses.

    Raises:
        TargetError: the losses depend on each other's images and have different weights.
    """
    if len(dy) > 1 and compares_images(objective) and not bool((dy == dy[0]).all()):
        raise TargetError(
            f"{objective} compares the images of a batch with each other, so its losses have a gradient only "
            "together: take their sum or mean, without weights for single images"
        )
    return (dy.reshape(-1, *[1] * (gradient.ndim - 1)) * gradient).to(gradient.dtype)


class _NoSecondDerivative(torch.autograd.Function):
    """A gradient as it is; refuses to be differentiated."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, _: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[None, None]:
        raise ModelError(
            "a crosslens loss has no second derivative: leave its gradient out of gradient penalties and of "
            "create_graph=True"
        )
