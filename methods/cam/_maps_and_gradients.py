"""What Grad-CAM and its successors share: maps and gradients of a layer, or of several, from one pass."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crosslens.arrays import Array, namespace, upsample
from crosslens.errors import LayerError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.model.layout import tokens_to_maps
from crosslens.objective import Objective, pullback
from crosslens.result import Attribution


@dataclass(frozen=True, kw_only=True)
class OnMaps(Method):
    """A method that explains one layer with maps, or with tokens that are laid out as maps."""

    layer: str | None = param(None, "layer with maps (N, C, H, W) or tokens; the last one with maps if not given")

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": default_layer(model, objective, images)}


@dataclass(frozen=True, kw_only=True)
class GradientCAM(OnMaps):
    """A map (N, h, w) made of a layer's maps A and of the target's gradient there, dy/dA; (N, d, h, w) of volumes."""

    volumes = True
    layer: str | tuple[str, ...] | None = param(  # type: ignore[assignment]
        None, "layer with maps (N, C, H, W) or tokens; the last one with maps if not given; several are fused"
    )
    counterfactual: bool = param(False, "what speaks against the target: its negative is explained")

    @abstractmethod
    def combine(self, maps: Array, gradient: Array) -> Array:
        """The paper's map (N, h, w) from maps and gradient, both (N, C, h, w)."""

    def fuse(self, found: Sequence[Array]) -> Array:
        """One map (N, h, w) for several layers: enlarged to the finest, then averaged; all in the target's unit."""
        return namespace(found[0]).mean(at_finest_resolution(found), axis=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the resolution of the layer, or of the finest of several."""
        layers = (
            [self.layer] if isinstance(self.layer, str) else self.layer or [default_layer(model, objective, images)]
        )
        pull, scores = pullback(model, images, facing(objective, self.counterfactual), wrt=layers, capture=layers)
        size = tuple(images.shape[2:])
        found = [
            self.combine(as_maps(pull.activations[name], name, size), as_maps(pull.gradients[name], name, size))
            for name in layers
        ]
        values = found[0] if len(found) == 1 else self.fuse(found)
        notes = (*empty_note(values, layers), *self.gradient_notes(pull.gradients))
        return Attribution(values, scores=-scores if self.counterfactual else scores, notes=notes)

    def gradient_notes(self, gradients: Mapping[str, Array]) -> tuple[str, ...]:
        """What a reader must know of the gradient, by layer, that this method makes its map of."""
        return ()


def facing(objective: Objective, counterfactual: bool) -> Objective:
    """The objective, or its negative: what speaks against it (Selvaraju et al. 2017, section 3.3)."""
    return -objective if counterfactual else objective


def at_finest_resolution(found: Sequence[Array]) -> Array:
    """Maps (N, h, w) of several layers at the finest of their resolutions, (layers, N, h, w)."""
    size = tuple(max(sides) for sides in zip(*(m.shape[1:] for m in found), strict=True))
    return namespace(found[0]).stack([upsample(m, size) for m in found], axis=0)


def places(maps: Array) -> tuple[int, ...]:
    """The axes of maps (N, C, h, w), or of a volume's (N, C, d, h, w), along which positions lie."""
    return tuple(range(2, maps.ndim))


def weighted_sum(weights: Array, maps: Array) -> Array:
    """sum_k w_k A_k of weights (C,) and maps (C, h, w), or a volume's (C, d, h, w)."""
    xp = namespace(maps)
    return xp.sum(xp.reshape(weights, (-1, *[1] * (maps.ndim - 1))) * maps, axis=0)


def as_maps(activation: Array, layer: str, size: tuple[int, ...]) -> Array:
    """(N, C, h, w) from maps or tokens; the image's size (H, W) says how tokens lie. (N, C, d, h, w) of volumes.

    Raises:
        LayerError: the layer gives neither, or a single position, as after a global pooling.
    """
    if activation.ndim == 3 and len(size) == 2:
        return tokens_to_maps(activation, (size[0], size[1]))
    shape = tuple(activation.shape)
    if activation.ndim != len(size) + 2:
        axes = "(N, C, H, W)" if len(size) == 2 else "(N, C, D, H, W)"
        raise LayerError(f"layer {layer!r} gives {shape}, no maps {axes}; choose a layer before the pooling")
    if set(shape[2:]) == {1}:
        raise LayerError(f"layer {layer!r} gives {shape}: one position is no map; choose a layer before the pooling")
    return activation


def empty_note(values: Array, layers: Sequence[str]) -> tuple[str, ...]:
    """What to say where a map is zero everywhere: the picture would look like an answer."""
    xp = namespace(values)
    blank = int(xp.sum(xp.astype(xp.max(xp.abs(values), axis=tuple(range(1, values.ndim))) == 0, xp.int64)))
    if not blank:
        return ()
    names = " or ".join(map(repr, layers))
    return (f"{blank} of {values.shape[0]} maps are zero everywhere: no channel of {names} speaks for the target",)
