"""The contract of a backend on torch: hooks for the layers asked for, autograd from and to edges in the graph."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace as replaced
from functools import cached_property
from typing import Any, Self

import torch
from crosslens.arrays import Array
from crosslens.errors import CrosslensError, ModelError
from crosslens.model import INPUT, OUTPUT, Layer, Linearization, Model, Pullback
from crosslens.model.backward_rules import BackwardRules, no_rectifier
from crosslens.model.preprocessing import Preprocess
from crosslens.occlusion import NoStagesError, cost
from torch import Tensor

from .autograd.isolation import isolation
from .autograd.recording import Reads, Recording, StopForward, direct_inputs, upstream
from .autograd.rectifiers import Rectifiers
from .autograd.tape import Tape, record_layer
from .layers.layer_table import Layers, layer_table
from .layers.listing import LayerOutput, Listing
from .layers.memory_layout import InputLayout, memory_format, min_images
from .layers.module_network import ATTENTION_SUFFIX, LOCK, select_output
from .load.fixed_batch import FixedBatch, concatenate, padded_batches
from .load.run_error import run_error
from .occlusion.local_share import local_share
from .occlusion.recorded_graph import mark_layer
from .occlusion.recorded_graphs import RecordedGraphs
from .occlusion.stages import TorchStagedNetwork
from .tensors import channels_first, channels_last, max_batch, placed, stays_on_gpu, to_array, to_tensor

__all__ = ["TorchModel"]

MIN_BOXES = 64
"""An occlusion by fewer boxes does not pay for recording the network's graph, which takes one to four seconds, once."""


class TorchModel(Model):
    """A torch network. NumPy arrays in, NumPy arrays out; tensors on a GPU in, tensors on that GPU out.

    The module runs in eval mode, each part's own mode is restored afterwards. It computes in the type of its weights
    and answers in float32, a float64 module in float64. Layers are what modules return and functions compute, floating
    and with the batch as first axis, in the order in which they finish; a module that only passes its last child's
    output on is a layer too ("layer4"). Threads take turns: one network runs at a time.
    """

    backend = "torch"
    rules_for = frozenset({"relu"})

    def __init__(self, network: Any, options: Mapping[str, Any]) -> None:
        self.network = network
        self.input = network.input
        self.preprocess = options["preprocess"] if self.input.is_image else Preprocess()
        self.labels = options["labels"]
        self.batch_size = options["batch_size"]
        self._output = options["output"]
        self._rule = "exact"
        self._reaching: dict[str, bool] = {}
        self._settle()
        like = torch.empty(0, device=self._device, dtype=self._leaf_type)
        self._input_layout = InputLayout(self.preprocess, self.network, like, self._dtype)
        found = self._list_layers()
        self._layers = {INPUT: Layer(INPUT, "Input", (None, *self.input.shape)), **found.layers}
        self._places, self._axes, self.elements = found.places, found.axes, found.elements
        self._input_layout.memory, self._input_layout.min_images = (
            self._memory_format(),
            min_images(self.network, self.elements),
        )
        self.largest_batch = max_batch(self._layers.values(), self._dtype, self._device)

    def _settle(self) -> None:
        """Where and in which type the weights are."""
        tensors = [t for t in (*self.network.net.parameters(), *self.network.net.buffers()) if t.is_floating_point()]
        self._device = tensors[0].device if tensors else torch.device("cpu")
        self._dtype = tensors[0].dtype if tensors else torch.float32
        self._leaf_type = torch.float64 if self._dtype == torch.float64 else torch.float32

    @property
    def layers(self) -> Mapping[str, Layer]:
        """Modules by dotted name, functions as "layer1.0/add", second calls as "relu#2"; shapes at the example's."""
        return self._layers

    def upstream(self, names: Iterable[str]) -> frozenset[str]:
        """By the graph of one pass."""
        return upstream(self._reads, names) - {INPUT}

    def reads(self, layer: str) -> tuple[str, ...]:
        """By the graph of one pass; () too for what no gradient gets through to."""
        return self._reads.get(self.layer(layer).name, ())

    @cached_property
    def _reads(self) -> Reads:
        recording = Recording(wrt=frozenset({INPUT}), sources=frozenset({*self._places, OUTPUT}))
        self.run_recorded(self._example(), recording, grad=True)
        return direct_inputs({INPUT: recording.targets[INPUT].edge, **recording.edges})

    def reaches_image(self, name: str) -> bool:
        """Whether autograd gets from a layer to the image, or has no need to: noise changes nothing in the layer."""
        if name not in self._reaching:
            dark = self._example()
            noise = torch.rand(dark.shape, generator=torch.Generator().manual_seed(0))
            recording = Recording(frozenset({name}), frozenset({INPUT}), frozenset({name}))
            self.run_recorded(noise, recording, grad=True)
            y = recording.values[name]
            recording.gradients({name: torch.ones_like(y)}, keep=False)
            if recording.unreached:
                self.run_recorded(dark, other := Recording(frozenset({name})), grad=False)
            self._reaching[name] = not recording.unreached or torch.equal(y, other.values[name])
        return self._reaching[name]

    def placed(self, x: Array) -> Array:
        """A tensor on the network's GPU, if it is on one."""
        return placed(x, self._device, self._leaf_type)

    @property
    def versions(self) -> Mapping[str, str]:
        """torch's, and Keras' where it is one of its models."""
        versions: Mapping[str, str] = self.network.versions
        return versions

    def weights(self, layer: str) -> Mapping[str, Array]:
        """Kernels (out, in / groups, kh, kw) or (out, in), biases, normalisations as scale, offset, mean, variance.

        A PReLU has a "slope"; parameters of other modules keep torch's name and layout. Copies, as NumPy arrays.
        """
        place = self._places.get(self.layer(layer).name)
        found: Mapping[str, Array] = self.network.weights(place.source) if place else {}
        return found

    def _modified(self, rules: BackwardRules) -> Self:
        """Changes modules, functions (`F.relu`, `Tensor.relu_`, `clamp(min=0)`) and operators of exported programs."""
        if rules.relu != "exact" and not self.nonlinearities["rectifier"]:
            raise no_rectifier()
        return self._copy("_graphs", _rule=rules.relu)

    @cached_property
    def nonlinearities(self) -> Mapping[str, int]:
        """How many activation functions of each kind a pass meets; "rectifier" are those that `modified` changes."""
        with Rectifiers("exact") as met:
            self.run_recorded(self._example(), Recording(), grad=False)
        return {"rectifier": met.count, **met.others}

    def _with_weights(self, changed: Mapping[str, Mapping[str, Array]]) -> Self:
        by_source = {self._places[layer].source: values for layer, values in changed.items()}
        network = self.network.with_weights(by_source)
        places = {n: replaced(p, source=network.counterpart(self.network, p.source)) for n, p in self._places.items()}
        return self._copy("_graphs", network=network, _places=places)

    def _example(self, more: int = 0) -> Tensor:
        batch = self.network.batch or 2
        return torch.zeros((batch + more, *self.input.example_shape), dtype=torch.float32)

    def _list_layers(self) -> Layers:
        examples = [self._example()] if self.network.batch else [self._example(), self._example(1)]
        return layer_table([len(x) for x in examples], [self._list_once(x) for x in examples], self._output)

    def _list_once(self, x: Tensor) -> Listing:
        with self._running(x, grad=False):
            image = x.to(self._device, self._leaf_type)
            listing: Listing = self.network.list_layers(self._prepared(image))
            return listing

    def _memory_format(self) -> torch.memory_format:
        """As the network takes it, tried on two images of noise, for a `view` may do for one."""
        shape = (self.network.batch or 2, *self.input.example_shape)
        images = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(self._device, self._dtype)
        with self._running(images, grad=True):
            run = lambda x: select_output(self.network.run(x, (), lambda _: None), self._output)  # noqa: E731
            return memory_format(self.network, run, images)

    @contextmanager
    def _running(self, x: Array, *, grad: bool) -> Iterator[None]:
        """Alone, with gradients on or off whatever the caller has, and with errors that say what was run."""
        with LOCK, isolation(grad=grad), ExitStack() as stack:
            if grad and self._rule != "exact":
                stack.enter_context(Rectifiers(self._rule))
            try:
                yield
            except CrosslensError:
                raise
            except Exception as error:
                raise run_error(self.network, tuple(x.shape), error) from error

    def _prepared(self, image: Tensor) -> Tensor:
        """What the network takes, of a leaf that nothing may overwrite."""
        return self._input_layout.arrange(self._input_layout.normalise(image))

    def run_recorded(self, x: Array, recording: Recording, *, grad: bool) -> Tensor:
        """One pass over native images, as far as `recording` wants it; the images as the network's own tensor."""
        names = recording.layers - {OUTPUT}
        with self._running(x, grad=grad):
            image = to_tensor(x, self._device, self._leaf_type, own=False)
            if INPUT in recording.wrt:
                recording.watch(INPUT, image.requires_grad_())
            try:
                y = self.network.run(
                    self._prepared(image), names, lambda place: record_layer(recording, place), recording.changed
                )
            except StopForward:
                recording.check()
                return image
            y = select_output(y, self._output)
            if image.requires_grad and not y.requires_grad and not recording.replace:
                raise ModelError(
                    "no gradient gets from the output to the image: the network's forward method runs "
                    "under torch.no_grad, detaches, or ignores its input"
                )
            recording.record(OUTPUT, y)
        recording.check()
        return image

    def to_tensors(self, values: Mapping[str, Array], *, own: bool = True) -> dict[str, Tensor]:
        """Activations or cotangents from outside as the layers have them."""
        found = {}
        with torch.inference_mode(False):
            for name, each in values.items():
                tensor = to_tensor(each, self._device, self._dtype, own=own)
                axis = self._channel_axis(name)
                found[name] = self._input_layout.in_memory_format(tensor) if axis == 1 else channels_last(tensor, axis)
        return found

    def channels_first(self, name: str, value: Tensor) -> Tensor:
        """A layer's values channels-first, float32 or float64."""
        return channels_first(value, self._channel_axis(name)).to(self._leaf_type)

    def to_arrays(self, values: Mapping[str, Tensor], x: Array) -> dict[str, Array]:
        return {name: to_array(self.channels_first(name, each), x) for name, each in values.items()}

    def _channel_axis(self, name: str) -> int:
        return self._axes.get(name, 1)

    def _forward(self, x: Array, capture: tuple[str, ...], replace: Mapping[str, Array]) -> Mapping[str, Array]:
        if self.network.batch:
            parts = [
                {name: a[:count] for name, a in self._once(piece, capture, given).items()}
                for count, piece, given in padded_batches(x, replace, self.network.batch)
            ]
            return concatenate(parts)
        found = self._onwards(x, capture, replace) if replace else None
        return found or self._once(x, capture, replace)

    @cached_property
    def _graphs(self) -> RecordedGraphs:
        net = self.network.net
        like = torch.empty(0, dtype=self._dtype, device=self._device)
        return RecordedGraphs(
            self._run_marked, like, self._input_layout.memory, lambda: (*net.parameters(), *net.buffers())
        )

    def _run_marked(self, image: Tensor) -> tuple[Tensor, dict[str, str]]:
        """The output for normalised images, and each layer's node in the graph that is being recorded."""
        found: dict[str, str] = {}

        def see(place: LayerOutput) -> Tensor:
            found[place.name], goes_on = mark_layer(place.output)
            return goes_on

        names = frozenset(n for n, place in self._places.items() if ATTENTION_SUFFIX not in n and not place.is_view)
        y = select_output(self.network.run(self._input_layout.arrange(image), names, see, names), self._output)
        found[OUTPUT], y = mark_layer(y)
        return y, found

    def staged_network(
        self, size: tuple[int, int], capture: tuple[str, ...], boxes: int | None = None
    ) -> TorchStagedNetwork:
        """By the recorded graph; refused where recording it, one to four seconds, would not pay."""
        if boxes is not None and boxes < MIN_BOXES:
            raise NoStagesError(f"recording the network's graph takes longer than {boxes} of them")
        if boxes is not None and local_share(self._layers, self._sources) <= 1 - cost.MAX_COST_SHARE:
            raise NoStagesError("layers that see all of the image come before most of the work")
        pictures = self.input.is_image and not self.input.is_volume
        if self.network.batch or not pictures or self._dtype not in {torch.float32, torch.float64}:
            raise NoStagesError("stages need a network of images in float32 or float64, and of any number of them")
        with LOCK, isolation(grad=False):
            return self._graphs.staged_network(
                (self.input.example_shape[0], *size), capture, self._normalised_array, self.to_arrays
            )

    @property
    def _sources(self) -> dict[str, Any]:
        return {name: place.source for name, place in self._places.items()}

    def _normalised(self, x: Array) -> Tensor:
        """Where a recorded graph begins, for as many images as there may be."""
        image = self._input_layout.normalise(to_tensor(x, self._device, self._leaf_type, own=False))
        return image.contiguous(memory_format=self._input_layout.memory)

    def _normalised_array(self, x: Array) -> Array:
        with isolation(grad=False):
            image = self._normalised(x)
        return image if stays_on_gpu(x) else image.cpu().numpy()

    def _onwards(self, x: Array, capture: tuple[str, ...], replace: Mapping[str, Array]) -> dict[str, Array] | None:
        """What follows replaced layers, without what leads up to them; None where the whole network runs."""
        with self._running(x, grad=False):
            given, shape = self.to_tensors(replace), tuple(x.shape[1:])
            run = self._graphs.subgraph(given, capture, shape)
            if run is None:
                return None
            image = self._normalised(x) if run.reads_image else None
            found = run(list(given.values()), image, x.shape[0])
        return self.to_arrays(dict(zip(capture, found, strict=True)), x)

    def _once(self, x: Array, capture: Collection[str], replace: Mapping[str, Array]) -> dict[str, Array]:
        recording = Recording(capture=frozenset(capture), replace=self.to_tensors(replace))
        self.run_recorded(x, recording, grad=False)
        return self.to_arrays({name: recording.values[name] for name in capture}, x)

    def _linearize(
        self, x: Array, capture: tuple[str, ...], wrt: tuple[str, ...], replace: Mapping[str, Array]
    ) -> Linearization:
        if self.network.batch:
            return FixedBatch(
                [
                    (count, Tape(self, piece, capture, capture, wrt, given))
                    for count, piece, given in padded_batches(x, replace, self.network.batch)
                ],
                self.network.batch,
            )
        return Tape(self, x, capture, capture, wrt, replace)

    def _vjp(
        self,
        x: Array,
        cotangents: Mapping[str, Array],
        wrt: tuple[str, ...],
        capture: tuple[str, ...],
        replace: Mapping[str, Array],
    ) -> Pullback:
        if self.network.batch:
            return super()._vjp(x, cotangents, wrt, capture, replace)
        tape = Tape(self, x, capture, tuple(cotangents), wrt, replace)
        return Pullback(tape.vjp(cotangents, keep=False), tape.activations)
