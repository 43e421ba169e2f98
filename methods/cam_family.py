"""What Grad-CAM and its successors share: maps and gradients of a layer, or of several, from one pass."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from crosslens.anatomy import attention_maps, last_maps
from crosslens.arrays import Array, namespace, upsample
from crosslens.errors import LayerError
from crosslens.layout import SPARE_TOKENS, tokens_to_maps
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, pullback
from crosslens.progress import Progress
from crosslens.result import Attribution


@dataclass(frozen=True, kw_only=True)
class GradientCAM(Method):
    """A map (N, h, w) made of a layer's maps A and of the target's gradient there, dy/dA."""

    layer: str | tuple[str, ...] | None = param(
        None, "layer with maps (N, C, H, W) or tokens; the last one with maps if not given; several are fused"
    )
    counterfactual: bool = param(False, "what speaks against the target: its negative is explained")

    @abstractmethod
    def combine(self, maps: Array, gradient: Array) -> Array:
        """The paper's map (N, h, w) from maps and gradient, both (N, C, h, w)."""

    def fuse(self, found: Sequence[Array]) -> Array:
        """One map (N, h, w) for several layers: enlarged to the finest, then averaged; all in the target's unit."""
        return namespace(found[0]).mean(enlarged(found), axis=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the resolution of the layer, or of the finest of several."""
        layers = [self.layer] if isinstance(self.layer, str) else self.layer or [chosen_layer(model, None, objective)]
        pull, scores = pullback(model, images, facing(objective, self.counterfactual), wrt=layers, capture=layers)
        size = images.shape[2], images.shape[3]
        found = [
            self.combine(as_maps(pull.activations[name], name, size), as_maps(pull.gradients[name], name, size))
            for name in layers
        ]
        values = found[0] if len(found) == 1 else self.fuse(found)
        return Attribution(values, scores=-scores if self.counterfactual else scores, notes=empty_note(values, layers))


def facing(objective: Objective, counterfactual: bool) -> Objective:
    """The objective, or its negative: what speaks against it (Selvaraju et al. 2017, section 3.3)."""
    return -objective if counterfactual else objective


def enlarged(found: Sequence[Array]) -> Array:
    """Maps (N, h, w) of several layers at the finest of their resolutions, (layers, N, h, w)."""
    size = max(m.shape[1] for m in found), max(m.shape[2] for m in found)
    return namespace(found[0]).stack([upsample(m, size) for m in found], axis=0)


def as_maps(activation: Array, layer: str, size: tuple[int, int]) -> Array:
    """(N, C, h, w) from maps or tokens; the image's size (H, W) says how tokens lie.

    Raises:
        LayerError: the layer gives neither, or a single position, as after a global pooling.
    """
    if activation.ndim == 3:
        return tokens_to_maps(activation, size)
    shape = tuple(activation.shape)
    if activation.ndim != 4:
        raise LayerError(f"layer {layer!r} gives {shape}, no maps (N, C, H, W); choose a layer before the pooling")
    if shape[2:] == (1, 1):
        raise LayerError(f"layer {layer!r} gives {shape}: one position is no map; choose a layer before the pooling")
    return activation


def chosen_layer(model: Model, layer: str | None, objective: Objective) -> str:
    """The layer given, or else the last with maps before the target; in a transformer what attention reads last.

    A class token reads the others there for the last time: on what comes behind, nothing but its own token counts.

    Raises:
        LayerError: this network has no maps, or they are cut into tokens afterwards, so that the last maps are its
            first layer, and its attention is not to be seen.
    """
    if layer is not None:
        return layer
    last = last_maps(model, objective.layers)
    tokens = _tokens_after(model, last)
    read = _read_by_last_attention(model, tokens) if tokens else None
    if read:
        return read
    if tokens:
        raise LayerError(
            f"this network cuts its last maps, {last!r}, into tokens: name the layer to explain, layer=. Where a class "
            f"token is read, that is one before the last attention; tokens are given by {', '.join(tokens[-6:])}"
        )
    return last


def _read_by_last_attention(model: Model, tokens: Sequence[str]) -> str | None:
    """The last normalised layer of tokens before the last attention; None where the backend shows none."""
    try:
        attention = attention_maps(model)[-1]
    except LayerError:
        return None
    names = list(model.layers)
    before = [name for name in tokens if names.index(name) < names.index(attention)]
    normalised = [name for name in before if model.layers[name].kind.startswith("LayerNorm")]
    return normalised[-1] if normalised else None


def _tokens_after(model: Model, layer: str) -> list[str]:
    """The layers after `layer` with one token for each of its positions, if any of them works on tokens.

    Maps that are only laid out anew, to be pooled or as a detector's anchors, stay maps.
    """
    names = list(model.layers)
    rows, columns = (n or 1 for n in model.layer(layer).shape[2:])
    counts = range(rows * columns, rows * columns + SPARE_TOKENS + 1)
    after = [model.layers[name] for name in names[names.index(layer) + 1 :]]
    tokens = [found for found in after if len(found.shape) == 3 and found.shape[1] in counts]
    working = any(word in found.kind.lower() for found in tokens for word in _ON_TOKENS)
    return [found.name for found in tokens] if working else []


_ON_TOKENS = ("norm", "linear", "dense", "matmul", "gemm", "einsum", "attention")
"""In the kinds of layers that each framework has for tokens."""


def empty_note(values: Array, layers: Sequence[str]) -> tuple[str, ...]:
    """What to say where a map is zero everywhere: the picture would look like an answer."""
    xp = namespace(values)
    blank = int(xp.sum(xp.astype(xp.max(xp.abs(values), axis=(1, 2)) == 0, xp.int64)))
    if not blank:
        return ()
    names = " or ".join(map(repr, layers))
    return (f"{blank} of {values.shape[0]} maps are zero everywhere: no channel of {names} speaks for the target",)
