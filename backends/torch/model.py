"""The contract of a backend on torch: hooks for the layers asked for, autograd from and to edges in the graph."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace as replaced
from functools import cached_property
from typing import Any, Self

import torch
from crosslens.arrays import Array
from crosslens.errors import ModelError
from crosslens.model import INPUT, OUTPUT, Layer, Layers, Linearization, Model, Pullback
from crosslens.model.backward_rules import BackwardRules, no_rectifier
from crosslens.model.preprocessing import Preprocess
from crosslens.model.reduction import Reduction
from crosslens.occlusion import NoStagesError, cost
from crosslens.receptive.fields import Fields, NoFieldsError
from torch import Tensor

from .autograd.functions import differentiate
from .autograd.isolation import isolation
from .autograd.layer_graph import Reads, direct_inputs, upstream
from .autograd.recording import Recording
from .autograd.rectified_layers import RectifiedLayers
from .autograd.rectifiers import Rectifiers
from .autograd.relevance.kernels.function_kernels import FunctionKernel, FunctionKernels
from .autograd.relevance.kernels.kernel_calls import KernelCalls
from .autograd.relevance.kernels.kernel_tables import Table
from .autograd.relevance.kernels.linear_calls import FUNCTIONS, CallKey
from .layers.listing import LayerOutput
from .layers.module_network import ATTENTION_SUFFIX, LOCK, ModuleNetwork, select_output
from .load.fixed_batch import FixedBatch, concatenate, fixed_batches, padded_batches
from .occlusion.local_share import local_share
from .occlusion.recorded_graph import UnrecordableError, mark_layer
from .occlusion.recorded_graphs import RecordedGraphs
from .occlusion.stages import TorchStagedNetwork
from .receptive.fields import fields_of_graph
from .runner import Runner
from .tape import Tape
from .tensors import max_batch, on_device, stays_on_gpu
from .weights_mark import weights_mark

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
    rules_for = frozenset({"relu", "kernels", "slope", "norms", "products"})

    def __init__(self, network: Any, options: Mapping[str, Any]) -> None:
        self.network = network
        self.input = network.input
        self.preprocess = options["preprocess"] if self.input.is_image else Preprocess()
        self.labels = options["labels"]
        self.batch_size = options["batch_size"]
        self._runner = Runner.of(network, self.preprocess, options["output"])
        listed = self._runner.list_layers()
        self._layers = Layers({INPUT: Layer(INPUT, "Input", (None, *self.input.shape)), **listed.layers})
        self._outputs, self.elements = listed.outputs, listed.elements
        self._runner.channel_axes = listed.axes
        self._runner.choose_memory_format(self.elements)
        self.largest_batch = max_batch(self._layers.values(), self._runner.dtype, self._runner.device)

    @property
    def layers(self) -> Mapping[str, Layer]:
        """Modules by dotted name, functions as "layer1.0/add", second calls as "relu#2"; shapes at the example's."""
        return self._layers

    def layers_of(self, layer: object) -> tuple[str, ...] | None:
        """Of a module of the network that was wrapped, a Keras layer or a tensor of a functional Keras model."""
        part = self.network.part(layer)
        if part is None:
            return None
        return tuple(name for name, output in self._outputs.items() if output.source is part)

    def differentiate(
        self, function: Callable[..., Any], arrays: Sequence[Array], *, gradient: bool
    ) -> tuple[Array, Sequence[Array]] | None:
        """By autograd."""
        return differentiate(function, arrays, self._runner.device, gradient=gradient)

    def upstream(self, names: Iterable[str]) -> frozenset[str]:
        """By the graph of one pass."""
        return upstream(self._reads, names) - {INPUT}

    def reads(self, layer: str) -> tuple[str, ...]:
        """By the graph of one pass; () too for what no gradient gets through to."""
        return self._reads.get(self.layer(layer).name, ())

    @cached_property
    def _reads(self) -> Reads:
        recording = Recording(wrt=frozenset({INPUT}), sources=frozenset({*self._outputs, OUTPUT}))
        self._runner.run(self._runner.example(), recording, grad=True)
        return direct_inputs({INPUT: recording.targets[INPUT].edge, **recording.edges})

    def placed(self, x: Array) -> Array:
        """A tensor on the network's GPU, if it is on one."""
        return on_device(x, self._runner.device, self._runner.image_dtype)

    @contextmanager
    def threads(self, count: int) -> Iterator[int]:
        """By `torch.set_num_threads`."""
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield count
        finally:
            torch.set_num_threads(before)

    def of_size(self, size: tuple[int, int]) -> Self:
        """The same network; its layers keep the shapes that they have at its own size."""
        made = self._copy("_graphs", input=replaced(self.input, shape=(self.input.shape[0], *size)))
        return self._remember(made, "of_size", size)

    @property
    def versions(self) -> Mapping[str, str]:
        """torch's, and Keras' where it is one of its models."""
        versions: Mapping[str, str] = self.network.versions
        return versions

    def weights(self, layer: str) -> Mapping[str, Array]:
        """Kernels (out, in / groups, kh, kw) or (out, in), biases, normalisations as scale, offset, mean, variance.

        A PReLU has a "slope"; parameters of other modules keep torch's name and layout. Copies, as NumPy arrays.
        """
        output = self._outputs.get(self.layer(layer).name)
        if output is not None and output.source is None and output.name in self._function_kernels:
            return self._function_kernels[output.name].read(self.network.net)
        weights: Mapping[str, Array] = self.network.weights(output.source) if output else {}
        return weights

    @cached_property
    def _function_kernels(self) -> Mapping[str, FunctionKernel]:
        """Of functions that the network calls with its own parameters, by the layer; found by one pass."""
        functions = {name for name, each in self._outputs.items() if each.source is None and each.kind in FUNCTIONS}
        if not functions or not isinstance(self.network, ModuleNetwork):
            return {}
        modules = {id(output.source) for output in self._outputs.values() if output.source is not None}
        recording = FunctionKernels(sources=frozenset(functions), net=self.network.net, of_layers=modules)
        with recording.mode:
            self._runner.run(self._runner.example(), recording, grad=False)
        return recording.found

    def other_weights(self) -> Iterable[Array]:
        """Parameters and buffers of modules that are no layers: of the network itself, for example."""
        weights: Iterable[Array] = self.network.other_weights([output.source for output in self._outputs.values()])
        return weights

    def weights_mark(self) -> Hashable:
        """By torch's own counters of writes to a tensor, and its content."""
        return weights_mark(self.network.net)

    def _modified(self, rules: BackwardRules) -> Self:
        """Changes modules, functions (`F.relu`, `Tensor.relu_`, `clamp(min=0)`) and operators of exported programs.

        Raises:
            LayerError: a layer of `rules.kernels` does not compute its output with its kernel alone.
        """
        if rules.relu != "exact" and not self.nonlinearities["rectifier"]:
            raise no_rectifier()
        if rules.slope == "secant" and (self.network.batch or 2) % 2:
            raise ModelError(
                f"slope='secant' takes images and as many references in one batch, and this network takes "
                f"{self.network.batch} image{'s' * (self.network.batch > 1)}; export it for an even number, or for any"
            )
        return self._copy(
            "_graphs", "_without_secant", _runner=replaced(self._runner, rules=rules, tables=self._tables(rules))
        )

    def _tables(self, rules: BackwardRules) -> Mapping[CallKey, Table]:
        """The tables of layers by the call, found by one pass."""
        if not rules.kernels:
            return {}
        weights = {name: self.weights(name) for name in rules.kernels}
        recording = KernelCalls(sources=frozenset(weights), rules=rules.kernels, weights=weights)
        with recording.mode:
            self._runner.run(self._runner.example(), recording, grad=False)
        return recording.tables

    @cached_property
    def nonlinearities(self) -> Mapping[str, int]:
        """How many activation functions of each kind a pass meets; "rectifier" are those that `modified` changes."""
        with Rectifiers("exact") as rectifiers:
            self._runner.run(self._runner.example(), Recording(), grad=False)
        return {"rectifier": rectifiers.count, **rectifiers.others}

    def caveats(self) -> tuple[str, ...]:
        """Functions without a secant, where gradients are secants; found by one pass."""
        if self.rules.slope != "secant" or not self._without_secant:
            return ()
        several = len(self._without_secant) > 1
        return (
            f"operator{'s' * several} {', '.join(self._without_secant)} {'have' if several else 'has'} no secant and "
            f"{'keep their' if several else 'keeps its'} derivative, so contributions do not add up to the difference "
            "of the outputs",
        )

    @cached_property
    def _without_secant(self) -> tuple[str, ...]:
        return self._runner.without_secant()

    @cached_property
    def rectified_layers(self) -> tuple[str, ...]:
        """By one pass; of a module and the modules that end in it, the module itself."""
        recording = RectifiedLayers(sources=frozenset(self._outputs))
        with recording.outputs:
            self._runner.run(self._runner.example(), recording, grad=False)
        return tuple(recording.names)

    def _with_weights(self, changed: Mapping[str, Mapping[str, Array]]) -> Self:
        functions = {layer: values for layer, values in changed.items() if self._outputs[layer].source is None}
        by_source = {self._outputs[layer].source: values for layer, values in changed.items() if layer not in functions}
        network = self.network.with_weights(by_source)
        for layer, values in functions.items():
            self._function_kernels[layer].write(network.net, values)
        outputs = {
            name: replaced(output, source=network.counterpart(self.network, output.source))
            for name, output in self._outputs.items()
        }
        runner = replaced(self._runner, network=network)
        return self._copy("_graphs", network=network, _outputs=outputs, _runner=runner)

    def _forward(self, x: Array, capture: tuple[str, ...], replace: Mapping[str, Array]) -> Mapping[str, Array]:
        if self.network.batch:
            parts = [
                {name: a[:count] for name, a in self._runner.forward(piece, capture, given).items()}
                for count, piece, given in padded_batches(x, replace, self.network.batch)
            ]
            return concatenate(parts)
        activations = self._forward_from(x, capture, replace) if replace else None
        return activations or self._runner.forward(x, capture, replace)

    def _reduce(
        self, x: Array, reductions: Sequence[Reduction], capture: tuple[str, ...]
    ) -> tuple[Mapping[Reduction, Array], Mapping[str, Array]]:
        if not self.network.batch:
            return self._runner.reduce(x, reductions, capture)
        done = [
            (count, self._runner.reduce(piece, reductions, capture))
            for count, piece, _ in padded_batches(x, {}, self.network.batch)
        ]
        reduced = concatenate([{each: a[:count] for each, a in part.items()} for count, (part, _) in done])
        return reduced, concatenate([{name: a[:count] for name, a in part.items()} for count, (_, part) in done])

    @cached_property
    def _graphs(self) -> RecordedGraphs:
        net = self.network.net
        like = torch.empty(0, dtype=self._runner.dtype, device=self._runner.device)
        return RecordedGraphs(
            self._run_marked, like, self._runner.layout.memory, lambda: (*net.parameters(), *net.buffers())
        )

    def _run_marked(self, image: Tensor) -> tuple[Tensor, dict[str, str]]:
        """The output for normalised images, and each layer's node in the graph that is being recorded."""
        nodes: dict[str, str] = {}

        def mark(layer: LayerOutput) -> Tensor:
            nodes[layer.name], marked = mark_layer(layer.output)
            return marked

        names = frozenset(n for n, output in self._outputs.items() if ATTENTION_SUFFIX not in n and not output.is_view)
        y = select_output(self.network.run(self._runner.layout.arrange(image), names, mark, names), self._runner.output)
        nodes[OUTPUT], y = mark_layer(y)
        return y, nodes

    def staged_network(
        self, size: tuple[int, int], capture: tuple[str, ...], boxes: int | None = None
    ) -> TorchStagedNetwork:
        """By the recorded graph; refused where recording it, one to four seconds, would not pay."""
        if boxes is not None and boxes < MIN_BOXES:
            raise NoStagesError(f"recording the network's graph takes longer than {boxes} of them")
        sources = {name: output.source for name, output in self._outputs.items()}
        if boxes is not None and local_share(self._layers, sources) <= 1 - cost.MAX_COST_SHARE:
            raise NoStagesError("layers that see all of the image come before most of the work")
        pictures = self.input.is_image and not self.input.is_volume
        if self.network.batch or not pictures or self._runner.dtype not in {torch.float32, torch.float64}:
            raise NoStagesError("stages need a network of images in float32 or float64, and of any number of them")
        with LOCK, isolation(grad=False):
            self._runner.refuse_changed()
            return self._graphs.staged_network(
                (self.input.example_shape[0], *size), capture, self._normalise, self._runner.to_arrays
            )

    def receptive_fields(self, shape: tuple[int, ...]) -> Fields:
        """By the recorded graph, which takes one to four seconds, once."""
        if self.network.batch:
            raise NoFieldsError("a network for a fixed number of images is not recorded")
        with LOCK, isolation(grad=False):
            self._runner.refuse_changed()
            try:
                graph = self._graphs.graph(shape)
            except UnrecordableError as error:
                raise NoFieldsError(str(error)) from error
        return fields_of_graph(graph, shape, self._runner.channel_axes)

    def _normalise(self, x: Array) -> Array:
        with isolation(grad=False):
            image = self._runner.normalise(x)
        return image if stays_on_gpu(x) else image.cpu().numpy()

    def _forward_from(
        self, x: Array, capture: tuple[str, ...], replace: Mapping[str, Array]
    ) -> dict[str, Array] | None:
        """The layers behind replaced ones, without what leads up to these; None where the whole network runs."""
        with self._runner.running(x, grad=False):
            given, shape = self._runner.to_tensors(replace), tuple(x.shape[1:])
            run = self._graphs.subgraph(given, capture, shape)
            if run is None:
                return None
            image = self._runner.normalise(x) if run.reads_image else None
            values = run(list(given.values()), image, x.shape[0])
        return self._runner.to_arrays(dict(zip(capture, values, strict=True)), x)

    def _linearize(
        self, x: Array, capture: tuple[str, ...], wrt: tuple[str, ...], replace: Mapping[str, Array]
    ) -> Linearization:
        if self.network.batch:
            batches = fixed_batches(x.shape[0], self.network.batch, paired=self.rules.slope == "secant")
            runs = ((rows.take_array(x), rows.take(replace)) for rows in batches)
            tapes = [Tape(self._runner, piece, capture, capture, wrt, given) for piece, given in runs]
            return FixedBatch([*zip(batches, tapes, strict=True)])
        return Tape(self._runner, x, capture, capture, wrt, replace)

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
        tape = Tape(self._runner, x, capture, tuple(cotangents), wrt, replace)
        return Pullback(tape.vjp(cotangents, keep=False), tape.activations)
