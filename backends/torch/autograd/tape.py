"""One pass of a network with its graph: activations where it computes, and gradients until it is closed."""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from crosslens.arrays import Array
from crosslens.errors import ModelError
from crosslens.model import INPUT, Linearization
from torch import Tensor

from ..layers.listing import LayerOutput
from .recording import Recording, StopForward

__all__ = ["Tape", "record_layer"]


class RecordableModel(Protocol):
    """What a tape needs of a model: recorded passes, and values on their way to the network and back."""

    def run_recorded(self, x: Array, recording: Recording, *, grad: bool) -> Tensor:
        """Run the network on images until `recording` has what it wants; the images as a tensor."""

    def to_tensors(self, values: Mapping[str, Array], *, own: bool = True) -> dict[str, Tensor]:
        """Activations or cotangents by layer, in the layout of the layers; `own` copies what the caller may change."""

    def to_arrays(self, values: Mapping[str, Tensor], x: Array) -> dict[str, Array]:
        """Values of layers, channels-first, as arrays of the kind of `x`."""

    def channels_first(self, name: str, value: Tensor) -> Tensor:
        """The values of one layer, channels-first, where the network computes."""

    def reaches_image(self, name: str) -> bool:
        """Whether a gradient gets from this layer to the image, or the layer does not depend on the image."""


class Tape(Linearization):
    """A pass with its graph. `capture` is handed out, cotangents may be given at `sources`."""

    def __init__(
        self,
        model: RecordableModel,
        x: Array,
        capture: Collection[str],
        sources: Collection[str],
        wrt: Collection[str],
        replace: Mapping[str, Array],
    ) -> None:
        self._model, self._x = model, x
        self._recording = Recording(frozenset(capture), frozenset(wrt), frozenset(sources), model.to_tensors(replace))
        self._image = model.run_recorded(x, self._recording, grad=True).detach()
        self.activations = model.to_arrays({name: self._recording.values[name] for name in capture}, x)

    @property
    def inside(self) -> Mapping[str, Array]:
        """Tensors where the network computes, channels-first; the images among them."""
        found = {name: self._model.channels_first(name, value) for name, value in self._recording.values.items()}
        return {INPUT: self._image, **found}

    def vjp(self, cotangents: Mapping[str, Array], *, keep: bool = True) -> Mapping[str, Array]:
        """Gradients at the `wrt` layers; the graph is freed unless it shall be kept."""
        given = self._model.to_tensors(cotangents, own=False)
        gradients = self._recording.gradients(given, keep=keep)
        if self._recording.unreached:
            _refuse_cut(self._model, cotangents)
        return self._model.to_arrays(gradients, self._x)

    def last_vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        """The graph is freed layer by layer on the way back, which halves what a step allocates."""
        return self.vjp(cotangents, keep=False)

    def close(self) -> None:
        """Free the graph."""
        self._recording.release()


def _refuse_cut(model: RecordableModel, names: Iterable[str]) -> None:
    """Zeros are right where a layer has no influence, and wrong where autograd lost its way to the image.

    Raises:
        ModelError: a layer of the names follows the image, and no gradient gets from it to the image.
    """
    for name in names:
        if not model.reaches_image(name):
            raise ModelError(
                f"no gradient gets from layer {name!r} to the image: between them the network detaches, runs under "
                "torch.no_grad, or calls what torch cannot differentiate; occlusion, rise and lime need no gradient"
            )


def record_layer(recording: Recording, place: LayerOutput) -> Tensor:
    """A layer's output, which must be what it was when the layers were listed; kept as `recording` wants it.

    Raises:
        ModelError: it is no tensor any more.
        StopForward: all that was asked for has been seen.
    """
    if not isinstance(place.output, Tensor):
        raise ModelError(f"layer {place.name!r} now returns a {type(place.output).__name__}, no tensor as before")
    y = recording.record(place.name, place.output)
    if recording.complete:
        raise StopForward
    return y
