"""Grad-CAM (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crosslens.arrays import Array, namespace, relu
from crosslens.errors import LayerError
from crosslens.hookspecs import hookimpl
from crosslens.layout import tokens_to_maps
from crosslens.method import Method, param
from crosslens.model import Model, last_maps
from crosslens.objective import Objective, pullback
from crosslens.progress import Progress
from crosslens.result import Attribution


@dataclass(frozen=True, kw_only=True)
class GradCAM(Method):
    """Weight each channel of a layer by the mean gradient of the target, add up, keep the positive part.

    Equations 1 and 2 of the paper: w_k = mean_ij dy/dA_kij, L = relu(sum_k w_k A_k).
    """

    name = "grad_cam"
    layer: str | None = param(None, "layer with maps (N, C, H, W) or tokens; the last one with maps if not given")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the layer's resolution, nowhere negative."""
        layer = self.layer or last_maps(model)
        pull, scores = pullback(model, images, objective, wrt=[layer], capture=[layer])
        maps, gradient = as_maps(pull.activations[layer], layer), as_maps(pull.gradients[layer], layer)
        xp = namespace(maps)
        weights = xp.mean(gradient, axis=(2, 3), keepdims=True)
        values = relu(xp.sum(weights * maps, axis=1))
        return Attribution(values, scores=scores, notes=_empty(values, layer))


def as_maps(activation: Array, layer: str) -> Array:
    """(N, C, h, w) from maps or tokens.

    Raises:
        LayerError: the layer gives neither.
    """
    if activation.ndim == 3:
        return tokens_to_maps(activation)
    if activation.ndim != 4:
        shape = tuple(activation.shape)
        raise LayerError(f"layer {layer!r} gives {shape}, no maps (N, C, H, W); choose a layer before the pooling")
    return activation


def _empty(values: Array, layer: str) -> tuple[str, ...]:
    """What to say where a map is zero everywhere: the picture would look like an answer."""
    xp = namespace(values)
    blank = int(xp.sum(xp.astype(xp.max(values, axis=(1, 2)) <= 0, xp.int64)))
    if not blank:
        return ()
    return (f"{blank} of {values.shape[0]} maps are zero everywhere: no channel of {layer!r} speaks for the target",)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [GradCAM]
