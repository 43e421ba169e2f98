"""Passes of a wrapped torch network: arrays of the contract to its tensors, the run, and its tensors back to arrays."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any

import torch
from crosslens.arrays import Array
from crosslens.errors import CrosslensError, ModelError
from crosslens.model import ABSORBED, INPUT, OUTPUT
from crosslens.model.backward_rules import BackwardRules
from crosslens.model.preprocessing import Preprocess
from crosslens.model.reduction import Reduction
from torch import Tensor

from .autograd.isolation import isolation
from .autograd.recording import Recording, StopForward
from .autograd.rectifiers import Rectifiers
from .autograd.relevance.kernels.kernel_tables import Table
from .autograd.relevance.kernels.linear_calls import CallKey
from .autograd.relevance.rules_mode import RulesMode
from .autograd.relevance.secant.secants import Secants
from .layers.layer_table import LayerTable, layer_table
from .layers.listing import LayerOutput, Listing
from .layers.memory_layout import InputLayout, memory_format, min_images
from .layers.module_network import LOCK, select_output
from .load.run_error import run_error
from .reduction import Reducing
from .tensors import channels_first, channels_last, to_array, to_tensor

__all__ = ["Runner"]


@dataclass
class Runner:
    """A network with all that a pass needs: its device and types, the layout of its images, the chosen output."""

    network: Any
    output: int | str | None
    device: torch.device
    dtype: torch.dtype
    """Of the weights."""
    layout: InputLayout
    rules: BackwardRules = field(default_factory=BackwardRules)
    tables: Mapping[CallKey, Table] = field(default_factory=dict)
    """Those of `rules.kernels`, by the call of a linear map."""
    channel_axes: Mapping[str, int] = field(default_factory=dict)
    """Of layers; 1 where a layer is missing."""
    _reaches: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Any, preprocess: Preprocess, output: int | str | None) -> "Runner":
        """The network runs where its weights are, in their type."""
        weights = _first_weights(network)
        device = torch.device("cpu") if weights is None else weights.device
        dtype = torch.float32 if weights is None else weights.dtype
        like = torch.empty(0, device=device, dtype=_image_dtype(dtype))
        return cls(network, output, device, dtype, InputLayout(preprocess, network, like, dtype))

    @property
    def image_dtype(self) -> torch.dtype:
        """Of images and of all that is given out: float64 for a float64 network, else float32."""
        return _image_dtype(self.dtype)

    def example(self, more: int = 0) -> Tensor:
        """Black images: as many as the network takes, or two; and `more`."""
        batch = self.network.batch or 2
        return torch.zeros((batch + more, *self.network.input.example_shape), dtype=torch.float32)

    def list_layers(self) -> LayerTable:
        """The network's layers, by one pass, or by two on different numbers of images where it takes any."""
        examples = [self.example()] if self.network.batch else [self.example(), self.example(1)]
        return layer_table([len(x) for x in examples], [self._list_once(x) for x in examples], self.output)

    def _list_once(self, x: Tensor) -> Listing:
        with self.running(x, grad=False):
            listing: Listing = self.network.list_layers(self._prepare(x.to(self.device, self.image_dtype)))
            return listing

    def choose_memory_format(self, elements: int) -> None:
        """Lay images out in memory as the network runs fastest; `elements` are the activations of one image.

        Tried on noise: a `view` of one layout may succeed on equal numbers. On two images: it may also do for one.
        """
        shape = (self.network.batch or 2, *self.network.input.example_shape)
        images = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(self.device, self.dtype)
        with self.running(images, grad=True):
            run = lambda x: select_output(self.network.run(x, (), lambda _: None), self.output)  # noqa: E731
            self.layout.memory = memory_format(self.network, run, images)
        self.layout.min_images = min_images(self.network, elements)

    @contextmanager
    def running(self, x: Array, *, grad: bool) -> Iterator[RulesMode | None]:
        """Alone, with gradients on or off whatever the caller has, and with errors that say what was run.

        Yields the mode of the backward rules other than those for rectifiers, where there are such rules.
        """
        with LOCK, isolation(grad=grad), ExitStack() as stack:
            if grad and self.rules.relu != "exact":
                stack.enter_context(Rectifiers(self.rules.relu))
            mode = (
                stack.enter_context(RulesMode(self.rules, self.tables, x.shape[0]))
                if grad and RulesMode.is_needed(self.rules)
                else None
            )
            try:
                self.refuse_changed()
                yield mode
            except CrosslensError:
                raise
            except (Exception, SystemExit) as error:
                raise run_error(self.network, tuple(x.shape), error) from error

    def refuse_changed(self) -> None:
        """Refuse a network that is not the one that was wrapped but for the values of its weights.

        Raises:
            ModelError: modules were exchanged, or the weights moved to another type or device.
        """
        self.network.refuse_changed()
        now = _first_weights(self.network)
        if now is not None and (now.dtype, now.device) != (self.dtype, self.device):
            raise ModelError(
                f"the network's weights are now {now.dtype} on {now.device}, at crosslens.wrap they were "
                f"{self.dtype} on {self.device}; wrap it again: crosslens.wrap(net)"
            )

    def run(self, x: Array, recording: Recording, *, grad: bool) -> Tensor:
        """One pass over images of the contract, as far as `recording` needs it; the images as the network's leaf."""
        names = recording.layers - {OUTPUT}
        with self.running(x, grad=grad) as rules:
            image = to_tensor(x, self.device, self.image_dtype, own=False)
            if rules is not None and rules.pairs is not None:
                rules.pairs.begin(image)
            if INPUT in recording.wrt:
                recording.add_target(INPUT, image.requires_grad_())
            if ABSORBED in recording.wrt:
                absorbed = torch.zeros((len(x), 2), device=self.device, dtype=self.image_dtype, requires_grad=True)
                recording.add_target(ABSORBED, absorbed)
                if rules is not None:
                    rules.absorbed = absorbed
                if recording.wrt == {ABSORBED}:
                    image.requires_grad_()
            try:
                y = self.network.run(
                    self._prepare(image), names, lambda layer: _record(recording, layer), recording.changed
                )
            except StopForward:
                recording.check()
                return image
            y = select_output(y, self.output)
            if image.requires_grad and not y.requires_grad and not recording.replace:
                raise self.no_way(
                    "the output",
                    "the network's forward method runs under torch.no_grad, detaches, or ignores its input",
                )
            recording.record(OUTPUT, y)
        recording.check()
        return image

    def forward(self, x: Array, capture: Collection[str], replace: Mapping[str, Array]) -> dict[str, Array]:
        """Activations of these layers by one pass."""
        recording = Recording(capture=frozenset(capture), replace=self.to_tensors(replace))
        self.run(x, recording, grad=False)
        return self.to_arrays({name: recording.values[name] for name in capture}, x)

    def reduce(
        self, x: Array, reductions: Sequence[Reduction], capture: Collection[str]
    ) -> tuple[dict[Reduction, Array], dict[str, Array]]:
        """Reductions of layers, and the activations of others, by one pass."""
        kinds = {layer: [r.kind for r in group] for layer, group in groupby(sorted(reductions), lambda r: r.layer)}
        recording = Reducing(capture=frozenset(capture), kinds=kinds, to_channels_first=self.to_channels_first)
        self.run(x, recording, grad=False)
        return recording.results(), self.to_arrays({name: recording.values[name] for name in capture}, x)

    def reaches_image(self, name: str) -> bool:
        """Whether autograd gets from a layer to the image, or has no need to: noise changes nothing in the layer."""
        if name not in self._reaches:
            dark = self.example()
            noise = torch.rand(dark.shape, generator=torch.Generator().manual_seed(0))
            recording = Recording(frozenset({name}), frozenset({INPUT}), frozenset({name}))
            self.run(noise, recording, grad=True)
            y = recording.values[name]
            recording.gradients({name: torch.ones_like(y)}, keep=False)
            if recording.is_disconnected:
                self.run(dark, other := Recording(frozenset({name})), grad=False)
            self._reaches[name] = not recording.is_disconnected or torch.equal(y, other.values[name])
        return self._reaches[name]

    def no_way(self, place: str, why: str) -> ModelError:
        """The error where no gradient gets from somewhere to the image, and why that is with gradients as they are."""
        if self.rules.norms == "stop":
            why = (
                "these rules take roots and deviations (sqrt, norm, std) as constants (norms='stop'), and nothing gets "
                f"past them; integrated_gradients does. Where the network has none, {why}"
            )
        return ModelError(f"no gradient gets from {place} to the image: {why}")

    def without_secant(self) -> tuple[str, ...]:
        """The names of functions that are not linear and keep their derivative, where gradients are secants."""
        noise = torch.rand(self.example().shape, generator=torch.Generator().manual_seed(0))
        with self.running(noise, grad=True) as rules:
            slopes = rules.slopes if rules is not None else None
            if not isinstance(slopes, Secants):
                return ()
            slopes.without_secant = Counter()
            image = noise.to(self.device, self.image_dtype).requires_grad_()
            if rules is not None and rules.pairs is not None:
                rules.pairs.begin(image)
            self.network.run(self._prepare(image), (), lambda _: None)
            return tuple(sorted(slopes.without_secant))

    def to_tensors(self, values: Mapping[str, Array], *, own: bool = True) -> dict[str, Tensor]:
        """Activations or cotangents of the contract as the layers have them; their own, or perhaps the caller's."""
        tensors = {}
        with torch.inference_mode(False):
            for name, each in values.items():
                tensor = to_tensor(each, self.device, self.dtype, own=own)
                axis = self.channel_axes.get(name, 1)
                tensors[name] = self.layout.in_memory_format(tensor) if axis == 1 else channels_last(tensor, axis)
        return tensors

    def to_channels_first(self, name: str, value: Tensor) -> Tensor:
        """A layer's values, float32 or float64, where the network computes."""
        return channels_first(value, self.channel_axes.get(name, 1)).to(self.image_dtype)

    def to_arrays(self, values: Mapping[str, Tensor], x: Array) -> dict[str, Array]:
        """Values of layers as arrays of the contract, of the kind that the images `x` are."""
        return {name: to_array(self.to_channels_first(name, each), x) for name, each in values.items()}

    def normalise(self, x: Array) -> Tensor:
        """Images as a recorded graph reads them, in the memory layout of as many as there may be."""
        image = self.layout.normalise(to_tensor(x, self.device, self.image_dtype, own=False))
        return image.contiguous(memory_format=self.layout.memory)

    def _prepare(self, image: Tensor) -> Tensor:
        """What the network takes, of a leaf that nothing may overwrite."""
        return self.layout.arrange(self.layout.normalise(image))


def _first_weights(network: Any) -> Tensor | None:
    """The network's first floating parameter or buffer."""
    tensors = chain(network.net.parameters(), network.net.buffers())
    return next((tensor for tensor in tensors if tensor.is_floating_point()), None)


def _image_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _record(recording: Recording, layer: LayerOutput) -> Tensor:
    """A layer's output, which must be a tensor as it was when the layers were listed; kept as `recording` needs it.

    Raises:
        ModelError: it is not a tensor any more.
        StopForward: all that was asked for has been computed.
    """
    if not isinstance(layer.output, Tensor):
        kind = type(layer.output).__name__
        raise ModelError(f"layer {layer.name!r} now returns a {kind}; when it was wrapped it returned a tensor")
    y = recording.record(layer.name, layer.output)
    if recording.complete:
        raise StopForward
    return y
