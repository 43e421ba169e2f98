"""One forward pass with its graph: activations where the network computes, and gradients until it is closed."""

from collections.abc import Collection, Iterable, Mapping

from crosslens.arrays import Array
from crosslens.model import INPUT, Linearization

from .autograd.recording import Recording
from .runner import Runner

__all__ = ["Tape"]


class Tape(Linearization):
    """A pass with its graph; activations of `capture`, gradients of cotangents at `sources`."""

    def __init__(
        self,
        runner: Runner,
        x: Array,
        capture: Collection[str],
        sources: Collection[str],
        wrt: Collection[str],
        replace: Mapping[str, Array],
    ) -> None:
        self._runner, self._x = runner, x
        self._recording = Recording(frozenset(capture), frozenset(wrt), frozenset(sources), runner.to_tensors(replace))
        self._image = runner.run(x, self._recording, grad=True).detach()
        self.activations = runner.to_arrays({name: self._recording.values[name] for name in capture}, x)

    @property
    def inside(self) -> Mapping[str, Array]:
        """Tensors where the network computes, channels-first; the images among them."""
        values = self._recording.values.items()
        return {INPUT: self._image, **{name: self._runner.to_channels_first(name, value) for name, value in values}}

    def vjp(self, cotangents: Mapping[str, Array], *, keep: bool = True) -> Mapping[str, Array]:
        """Gradients at the `wrt` layers; `keep` the graph for another call, or free it."""
        gradients = self._recording.gradients(self._runner.to_tensors(cotangents, own=False), keep=keep)
        if self._recording.is_disconnected:
            _refuse_disconnected(self._runner, cotangents)
        return self._runner.to_arrays(gradients, self._x)

    def last_vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        """The graph is freed layer by layer on the way back, which halves what a step allocates."""
        return self.vjp(cotangents, keep=False)

    def close(self) -> None:
        """Free the graph."""
        self._recording.release()


def _refuse_disconnected(runner: Runner, names: Iterable[str]) -> None:
    """Zeros are right where a layer has no influence, and wrong where autograd cannot get to the image.

    Raises:
        ModelError: a layer of the names depends on the image, and no gradient gets from it to the image.
    """
    for name in names:
        if not runner.reaches_image(name):
            raise runner.no_way(
                f"layer {name!r}",
                "between them the network detaches, runs under torch.no_grad, or calls what torch cannot differentiate"
                "; occlusion, rise and lime need no gradient",
            )
