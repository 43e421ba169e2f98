"""`OnnxModel`: a `Model` on plain onnxruntime, with gradients by reverse-mode differentiation of the graph."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from math import prod
from typing import Any, Self

from crosslens.arrays import Array, as_numpy
from crosslens.errors import ModelError
from crosslens.model import ABSORBED, INPUT, OUTPUT, Layer, Layers, Linearization, Model, Pullback
from crosslens.model.backend import Differentiable
from crosslens.model.backward_rules import BackwardRules, no_rectifier
from crosslens.model.preprocessing import Preprocess
from crosslens.model.reduction import Reduction, as_reduced
from crosslens.occlusion import NoStagesError
from crosslens.receptive.fields import Fields

from .autodiff.differentiability import caveats_of, diagnosis_of
from .autodiff.disconnected import refuse_disconnected
from .autodiff.layer_reads import direct_reads
from .autodiff.rectifiers import activation_functions, is_rectifier, rectified_tensors
from .autodiff.relevance.graph_rules import EXACT, graph_rules
from .autodiff.reverse import path_of
from .autodiff.secant_caveats import secant_caveats
from .boundary import one_line_errors
from .ir.graph import DynamicShapeError, Graph, Type
from .ir.graph_input import GraphInput
from .ir.layer_weights import unnamed_constants, weights_of, with_weights
from .ir.layers import LayerTensor, channels_last_tensors, layer_tensors
from .ir.session import limited_threads
from .occlusion.engine import OnnxStagedNetwork
from .other_size import OtherSizes, with_graph
from .receptive.fields import fields_of_graph
from .runtime.batch_split import CPU_PROVIDER, BatchSplit, cores, map_batches, parts_of, split_batch
from .runtime.build import build_executable
from .runtime.executable import Executable
from .runtime.linearization import OnnxLinearization
from .runtime.program import OBJECTIVE, Request, layer_type, objective_program
from .runtime.reductions import reduction_name
from .runtime.session_cache import SessionCache
from .runtime.traced_array import NotTraceableError
from .runtime.traced_objective import TracedObjective, trace
from .shapes.batch_axis import tensors_with_batch_first, tensors_with_fixed_batch_first
from .shapes.constant_folding import fold
from .shapes.example_size import example_size_errors
from .shapes.free_batch import BATCH, keep_batch_in_reshapes, mixes_images
from .shapes.measured_types import measure

__all__ = ["OnnxModel"]


@one_line_errors("work with the network", but={"_compiled_pullback"})
class OnnxModel(OtherSizes, Model):
    """An ONNX network. `crosslens.wrap` makes one from a file or a ModelProto."""

    backend = "onnx"
    frozen_weights = True
    rules_for = frozenset({"relu", "kernels", "slope", "norms", "products"})
    pickles_whole = True
    threads = staticmethod(limited_threads)

    def __init__(
        self,
        graph: Graph,
        graph_input: GraphInput,
        preprocess: Preprocess,
        network_tensors: frozenset[str],
        *,
        labels: Sequence[str] | None = None,
        batch_size: int | None = None,
        providers: Sequence[Any] | None = None,
    ) -> None:
        """Use `crosslens.wrap`. `network_tensors` names the tensors of the network itself, without preprocessing."""
        self.input, self.preprocess = graph_input.spec, preprocess
        self.labels, self.batch_size = labels, batch_size
        self._graph, self._input = graph, graph_input
        self._network_tensors, self._providers = network_tensors, providers
        self._graph_rules = EXACT
        self._sessions, self._graphs = SessionCache(), SessionCache(most=8)
        self._needs_fixed_batch: set[Any] = set()
        self._mixes_images: dict[tuple[int, ...], bool] = {}

    @property
    def versions(self) -> Mapping[str, str]:
        """Those of onnx and onnxruntime."""
        return {"onnx": version("onnx"), "onnxruntime": version("onnxruntime")}

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        """One layer per node with a floating output, called as its module or function where that is recorded."""
        ends = Layer(INPUT, "Input", (None, *self.input.shape))
        return Layers({INPUT: ends} | {name: each.layer for name, each in self._layer_tensors.items() if name != INPUT})

    @cached_property
    def _layer_tensors(self) -> Mapping[str, LayerTensor]:
        with example_size_errors(self.input):
            graph = self._at_example()
        last = channels_last_tensors(graph, self._input.tensor, self._input.channels_last)
        tensors = [o for node in graph.nodes for o in node.outputs if o in graph.types]
        sizes = {o: tuple(n if isinstance(n, int) else None for n in graph.dims(o)) for o in tensors}
        batch_first = self._with_batch_first(graph, self._network_tensors.intersection(tensors))
        layers = layer_tensors(graph, last, batch_first, sizes)
        return {INPUT: LayerTensor(Layer(INPUT, "Input", (None, *self.input.shape)), INPUT, False), **layers}

    def _with_batch_first(self, graph: Graph, tensors: Collection[str]) -> frozenset[str]:
        if batch := self._input.batch:
            return tensors_with_fixed_batch_first(graph, tensors, batch)
        free = self._inferred_at((BATCH, *self.input.example_shape))
        floats = [name for name in tensors if graph.types[name].is_float and name not in graph.constants]
        return frozenset(tensors_with_batch_first(free, floats, self._providers))

    def _at_example(self) -> Graph:
        return self._inferred_at((self._input.batch or 1, *self.input.example_shape))

    def _inferred_at(self, shape: tuple[int | str, ...]) -> Graph:
        """The graph with constants folded and shapes inferred for an input of this shape."""

        def build() -> Graph:
            graph = self._graph.copy()
            graph.inputs[INPUT] = Type(graph.inputs[INPUT].elem, shape)
            fold(graph)
            if graph.constants.keys() - self._graph.constants.keys():
                graph.store = {}  # constants computed from sizes have the same name and other values at other sizes
            keep_batch_in_reshapes(graph)
            if all(isinstance(n, int) for n in shape):
                measure(graph, shape, self._providers)
            return graph

        return self._graphs.get(shape, build)  # type: ignore[no-any-return]

    def upstream(self, names: Iterable[str]) -> frozenset[str]:
        """By the paths that gradients take through the graph: indices and sizes do not count."""
        graph = self._at_example()
        needed = {self._layer_tensors[name].tensor for name in names}
        needed.update(name for node in path_of(graph, needed, [INPUT]) for name in node.reads)
        return frozenset(name for name, each in self._layer_tensors.items() if each.tensor in needed)

    def reads(self, layer: str) -> tuple[str, ...]:
        """By the paths that gradients take, as for `upstream`."""
        return self._reads[self.layer(layer).name]

    @cached_property
    def _reads(self) -> Mapping[str, tuple[str, ...]]:
        return direct_reads(self._at_example(), self._layer_tensors)

    def diagnosis(self) -> Iterator[tuple[str, bool | None, str]]:
        yield from diagnosis_of(self._at_example(), self._graph)

    def caveats(self) -> tuple[str, ...]:
        """Quantisation that gradients pass straight through, and operators without a secant where one is asked for."""
        graph = self._at_example()
        return (*caveats_of(graph), *(secant_caveats(graph) if self._graph_rules.pairs else ()))

    def weights(self, layer: str) -> Mapping[str, Array]:
        """Kernel and bias of linear layers (of an Add behind MatMul: bias); scales and statistics of normalisations."""
        return weights_of(self._graph, self._layer_tensors[self.layer(layer).name].tensor)

    @property
    def nonlinearities(self) -> Mapping[str, int]:
        """The number of activation functions of each kind; `modified` changes those of kind "rectifier"."""
        return activation_functions(self._graph)

    @cached_property
    def rectified_layers(self) -> tuple[str, ...]:
        """The layers whose tensor is a rectifier's output."""
        tensors = set(rectified_tensors(self._at_example()))
        return tuple(name for name, each in self._layer_tensors.items() if each.tensor in tensors and name != OUTPUT)

    def other_weights(self) -> Iterable[Array]:
        """Floating constants that belong to no layer by a name of `weights`: the second term of an Add, for example."""
        return unnamed_constants(self._graph, self._network_tensors)

    def _modified(self, rules: BackwardRules) -> Self:
        """In the reverse sweep over the graph: `autodiff.relevance`."""
        if rules.relu != "exact" and not any(is_rectifier(self._graph, node) for node in self._graph.nodes):
            raise no_rectifier()
        return self._copy(_graph_rules=graph_rules(rules, self._layer_tensors, self._input.batch))

    def _with_weights(self, changed: Mapping[str, Mapping[str, Array]]) -> Self:
        by_tensor = {self._layer_tensors[name].tensor: values for name, values in changed.items()}
        return with_graph(self, with_weights(self._graph, by_tensor))

    def _forward(self, x: Array, capture: tuple[str, ...], replace: Mapping[str, Array]) -> Mapping[str, Array]:
        request = Request(capture, replaced=tuple(replace))
        split = self._split(x, (*capture, *replace))

        def run(x: Array, replace: Mapping[str, Array], _: Mapping[str, Array]) -> dict[str, Array]:
            executable: Executable = self._executable("forward", request, x)
            return executable.run(x, replace, {}, split.threads)[0]

        return map_batches(split, self._input.batch, run, x, replace, {})

    def _reduce(
        self, x: Array, reductions: Sequence[Reduction], capture: tuple[str, ...]
    ) -> tuple[Mapping[Reduction, Array], Mapping[str, Array]] | None:
        split = self._split(x, (*capture, *(each.layer for each in reductions)))
        try:
            executable: Executable = self._executable("reduce", Request(capture, reductions=tuple(reductions)), x)
        except ModelError:  # sizes that are not known before they are computed
            return None
        results = map_batches(
            split, self._input.batch, lambda x, *_: executable.run(x, {}, {}, split.threads)[0], x, {}, {}
        )
        reduced = {each: as_reduced(each.kind, results[reduction_name(each)]) for each in reductions}
        return reduced, {name: results[name] for name in capture}

    def _vjp(
        self,
        x: Array,
        cotangents: Mapping[str, Array],
        wrt: tuple[str, ...],
        capture: tuple[str, ...],
        replace: Mapping[str, Array],
    ) -> Pullback:
        request = Request(capture, tuple(cotangents), wrt, tuple(replace), self._graph_rules)
        split = self._split(x, (*cotangents, *wrt, *capture, *replace), pairs=self._graph_rules.pairs)

        def run(x: Array, replace: Mapping[str, Array], dys: Mapping[str, Array]) -> dict[tuple[str, str], Array]:
            executable: Executable = self._executable("fused", request, x)
            activations, gradients = executable.run(x, replace, dys, split.threads)
            return {("a", k): v for k, v in activations.items()} | {("g", k): v for k, v in gradients.items()}

        results = map_batches(split, self._input.batch, run, x, replace, cotangents)
        gradients = {name: results["g", name] for name in wrt}
        if not replace:
            self._refuse_disconnected(gradients, cotangents)
        return Pullback(gradients, {name: results["a", name] for name in capture})

    def _linearize(
        self, x: Array, capture: tuple[str, ...], wrt: tuple[str, ...], replace: Mapping[str, Array]
    ) -> Linearization:
        request = Request(capture, capture, wrt, tuple(replace), self._graph_rules)
        split = self._split(x, (*capture, *wrt, *replace), pairs=self._graph_rules.pairs)
        parts = list(parts_of(split, self._input.batch, x, replace, {}))
        check = (lambda *_: None) if replace else self._refuse_disconnected
        return OnnxLinearization(self._executable, request, parts, len(x), split, check)

    def _refuse_disconnected(self, gradients: Mapping[str, Array], cotangents: Mapping[str, Array]) -> None:
        """If a gradient is zero everywhere, refuse it unless zero is right."""
        if all(gradient.any() for name, gradient in gradients.items() if name != ABSORBED):
            return
        graph = self._at_example()
        names = [name for name, values in cotangents.items() if as_numpy(values).any()]
        refuse_disconnected(names, self._layer_tensors, graph, lambda x, name: self._forward(x, (name,), {})[name])

    def _compiled_pullback(
        self,
        x: Array,
        objective: Differentiable,
        layers: Mapping[str, str],
        wrt: tuple[str, ...],
        capture: tuple[str, ...],
        replace: Mapping[str, Array],
    ) -> tuple[Pullback, Array] | None:
        if self._input.batch not in {None, len(x)}:
            return None
        try:
            shapes = {alias: self._shape_of(name, x) for alias, name in layers.items()}
            traced, arrays = trace(objective, shapes, layers)
            request = Request(capture, (), wrt, tuple(replace), self._graph_rules)
            opened = self._sessions.get(
                (request, traced, x.shape), lambda: self._objective_executable(request, traced, x.shape)
            )
        except (NotTraceableError, DynamicShapeError):
            return None
        activations, gradients = opened.run(as_numpy(x), replace, arrays)
        return Pullback(gradients, activations), activations[OBJECTIVE]

    def _shape_of(self, name: str, x: Array) -> tuple[int, ...]:
        shape = tuple(x.shape)
        dims = shape if name == INPUT else layer_type(self._inferred_at(shape), self._layer_tensors[name]).dims
        if dims is None or not all(isinstance(n, int) for n in dims):
            raise DynamicShapeError(f"the shape of {name!r} is not known before it is computed")
        return tuple(int(n) for n in dims)

    def _objective_executable(self, request: Request, traced: TracedObjective, shape: tuple[int, ...]) -> Executable:
        program = objective_program(self._inferred_at(shape), self._layer_tensors, request, traced)
        return Executable(program, self._providers)

    def staged_network(
        self, size: tuple[int, int], capture: tuple[str, ...], boxes: int | None = None
    ) -> OnnxStagedNetwork:
        """A session for each stage and one for the nodes after them, each opened when first needed."""
        if self._input.batch is not None or not self.input.is_image or self.input.is_volume:
            raise NoStagesError("stages need a network of images with a free batch size")
        graph = self._inferred_at((BATCH, self.input.example_shape[0], *size))
        places, providers = self._layer_tensors, self._providers
        try:
            for name in capture:
                layer_type(graph, places[name])
        except DynamicShapeError as error:
            raise NoStagesError(str(error)) from error
        network: OnnxStagedNetwork = self._sessions.get(
            ("staged", size, capture, cores()), lambda: OnnxStagedNetwork(graph, places, capture, providers)
        )
        return network

    def receptive_fields(self, shape: tuple[int, ...]) -> Fields:
        """By the graph's operators, each with its shapes for one image of this shape."""
        images = (self._input.batch or 1, *shape)
        return fields_of_graph(self._inferred_at(images), self._layer_tensors, images)

    def _executable(self, kind: str, request: Request, x: Array) -> Any:
        """The executable, or the pair of them, for a request at images of this shape.

        One serves all batch sizes, unless shapes inside the network depend on the batch: then each size has its own.
        """
        shape = (self._input.batch or BATCH, *x.shape[1:])
        if kind == "forward":
            shape = self._graph.inputs[INPUT].dims or shape
        if (request, shape) not in self._needs_fixed_batch:
            try:
                return self._cached(kind, request, shape)
            except DynamicShapeError:
                self._needs_fixed_batch.add((request, shape))
        try:
            return self._cached(kind, request, tuple(x.shape))
        except DynamicShapeError as error:
            raise ModelError(
                f"the gradient of this network cannot be built: {error}. Export it for a fixed image size"
            ) from error

    def _cached(self, kind: str, request: Request, shape: Any) -> Any:
        return self._sessions.get((kind, request, shape), lambda: self._build(kind, request, shape))

    def _build(self, kind: str, request: Request, shape: tuple[int | str, ...]) -> Any:
        graph = self._inferred_at(shape)
        if kind in {"fused", "split"} and BATCH in shape and any(node.op in {"Shape", "Size"} for node in graph.nodes):
            raise DynamicShapeError("the graph computes with the batch size")
        return build_executable(kind, graph, self._layer_tensors, request, self._providers)

    def _split(self, x: Array, names: Iterable[str], *, pairs: bool = False) -> BatchSplit:
        """Parts of the only batch size that the network takes; else, on the processor, a part for each core."""
        fixed = self._input.batch
        split = split_batch(len(x), prod(x.shape[2:]), fixed, pairs=pairs)
        if not self.input.is_image or list(self._providers or [CPU_PROVIDER]) != [CPU_PROVIDER]:
            return split.in_turn if fixed else BatchSplit(len(x), 0)
        whole = not fixed and split.images < len(x) and not self._keeps_images_apart(x, names)
        return BatchSplit(len(x), 0) if whole else split

    def _keeps_images_apart(self, x: Array, names: Iterable[str]) -> bool:
        """Whether these layers and the output have one row per image, and no image influences another."""
        graph = self._inferred_at((BATCH, *x.shape[1:]))
        known = [graph.types.get(self._layer_tensors[name].tensor) for name in (OUTPUT, *names) if name != ABSORBED]
        if not all(kind is not None and (kind.dims or ("",))[0] == BATCH for kind in known):
            return False
        if x.shape[1:] not in self._mixes_images:
            self._mixes_images[x.shape[1:]] = mixes_images(graph)
        return not self._mixes_images[x.shape[1:]]
