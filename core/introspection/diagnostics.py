"""What can be said of a network before any work: layers with maps, parameters, and the memory that a gradient takes."""

from collections.abc import Iterator
from typing import NamedTuple

from ..arrays import as_numpy
from ..errors import CrosslensError
from ..model.base import Model
from ..model.repeatability import repeatability
from .default_layer import spatial_layers
from .double_normalisation import normalised_twice

__all__ = ["Finding", "diagnose", "parameters", "step_memory"]


class Finding(NamedTuple):
    """One thing that was looked at; `ok` is None where it is a fact and no test."""

    name: str
    ok: bool | None
    detail: str


def diagnose(model: Model) -> Iterator[Finding]:
    """Facts that the layers give, on any backend, then what the backend has to say (`Model.diagnosis`)."""
    maps = [layer.name for layer in spatial_layers(model)]
    last = f"; the last ones: {', '.join(maps[-3:])}" if maps else ""
    yield Finding("layers", None, f"{len(model.layers)}, {len(maps)} of them with maps{last}")
    yield Finding("parameters", None, f"{parameters(model):,}")
    needed = step_memory(model) / (1 << 20)
    yield Finding("memory", None, f"about {needed:.0f} MiB for a forward and gradient step, batch 1")
    yield Finding("preprocessing", None, f"{model.preprocess} ({model.origin.in_words})")
    own = [Finding(*finding) for finding in model.diagnosis()]
    yield from own
    if "preprocess" not in {finding.name for finding in own}:
        yield from _normalisation(model)
    yield _repeatable(model)


def _normalisation(model: Model) -> Iterator[Finding]:
    try:
        twice = normalised_twice(model)
    except CrosslensError:
        return  # a network that does not run says so where it is run
    if twice:
        name = f"preprocess={model.preprocess.preset!r}" if model.preprocess.preset else "the preprocessing given"
        where = f"the network itself normalises its images (layer {twice[0]!r}) and {name} does too"
        yield Finding("preprocess", False, f"{where}; wrap(preprocess={twice[1]})")


def _repeatable(model: Model) -> Finding:
    """Being random is a property of the network, not a failure."""
    known = repeatability(model)
    if notes := known.notes:
        return Finding("repeatable", None, "; ".join(notes))
    if not known.tried:
        return Finding("repeatable", None, "not known: the network does not run on two images of noise")
    return Finding("repeatable", True, "two runs agree, and no image's result depends on the others of its batch")


def parameters(model: Model) -> int:
    """Numbers in the weights of all layers."""
    return sum(int(as_numpy(value).size) for name in model.layers for value in model.weights(name).values())


def step_memory(model: Model) -> int:
    """Bytes that a forward pass and a gradient of one image in float32 need beside the framework, estimated.

    Each activation and about as many gradients; each weight twice: as it lies in the file, and arranged. Measured on
    onnxruntime 1.31.1: ResNet-50 419 MiB (398 estimated), MobileNetV2 115 (127), DenseNet-121 271 (396); too much for
    VGG-16, 871 (1275), whose heads are not arranged, and ViT-B/16, 563 (1336), of which less is kept.
    """
    return 4 * (2 * model.elements + 2 * parameters(model))
