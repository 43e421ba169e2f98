"""Graphs for a request: forward only, forward and backward in one graph, or forward and backward in two graphs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from crosslens.model import ABSORBED, INPUT
from crosslens.model.reduction import Reduction

from ..autodiff.relevance.graph_rules import EXACT, GraphRules
from ..autodiff.reverse import append_gradients
from ..ir.graph import BOOL, FLOAT, Graph, Node, Type
from ..ir.layers import LayerTensor
from ..ir.prune import prune
from ..shapes.inference import infer
from .faster_operators import faster_at_last, faster_copy
from .traced_array import Operation
from .traced_objective import TracedObjective

__all__ = [
    "OBJECTIVE",
    "Program",
    "Request",
    "finish",
    "forward_program",
    "fused_program",
    "layer_type",
    "objective_program",
    "public_layout",
    "split_programs",
]


OBJECTIVE = "<objective>"
"""Name of an objective's value among the activations; no layer has this name."""


@dataclass(frozen=True)
class Request:
    """What to compute, by names of layers; `replaced` ones get given activations, `rules` are those of `modified`."""

    capture: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    wrt: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    rules: GraphRules = EXACT
    reductions: tuple[Reduction, ...] = ()


@dataclass
class Program:
    """A graph, and its input and output tensors by layer; inputs and outputs are float32 and channels-first."""

    graph: Graph
    replaced: Mapping[str, str]
    seeds: Mapping[str, str]
    activations: Mapping[str, str]
    gradients: Mapping[str, str]
    saved: tuple[str, ...] = ()
    """Tensors that a backward program reads from its forward program."""


def forward_program(graph: Graph, layers: Mapping[str, LayerTensor], request: Request) -> Program:
    """Activations only."""
    graph = faster_copy(graph)
    replaced = _replace_activations(graph, layers, request.replaced)
    activations = {name: public_layout(graph, layers[name]) for name in request.capture}
    return finish(Program(graph, replaced, {}, activations, {}))


def fused_program(graph: Graph, layers: Mapping[str, LayerTensor], request: Request) -> Program:
    """Activations and gradients in one graph."""
    program, _ = _with_gradients(graph, layers, request)
    return finish(program)


def objective_program(
    graph: Graph, layers: Mapping[str, LayerTensor], request: Request, objective: TracedObjective
) -> Program:
    """An objective, its gradients and activations in one graph; the value is the activation named `OBJECTIVE`.

    Args:
        graph: the network, all shapes known as numbers.
        layers: the layers' tensors by name.
        request: activations to capture, layers to differentiate with respect to.
        objective: its arrays become inputs of the graph, among the seeds, named by the index of their operation.
    """
    graph = faster_copy(graph)
    replaced = _replace_activations(graph, layers, request.replaced)
    activations = {name: public_layout(graph, layers[name]) for name in request.capture}
    inputs = [public_layout(graph, layers[name]) for name in objective.layers]
    tensors = _append_operations(graph, objective.operations, inputs)
    arrays = {str(index): tensors[index] for index, each in enumerate(objective.operations) if not each.op}
    seeds: dict[str, str] = {}
    for name, index in objective.cotangents:
        tensor, dy = layers[name].tensor, _to_layer_layout(graph, layers[name], tensors[index])
        seeds[tensor] = graph.op("Add", seeds[tensor], dy) if tensor in seeds else dy
    gradients = _append_gradients(graph, layers, seeds, request)
    return finish(Program(graph, replaced, arrays, {**activations, OBJECTIVE: tensors[objective.value]}, gradients))


def _append_operations(graph: Graph, operations: Sequence[Operation], layers: Sequence[str]) -> list[str]:
    """Append the operations and return the tensor of each; the first ones stand for `layers`."""
    tensors = list(layers)
    for index, each in enumerate(operations[len(layers) :], len(layers)):
        if each.op:
            ints = [graph.ints(values) for values in each.ints]
            tensor = graph.op(each.op, *(tensors[i] for i in each.inputs), *ints, **dict(each.settings))
        else:
            tensor = graph.unique_name(f"given:{index}")
            graph.inputs[tensor] = Type(FLOAT, each.shape)
        graph.types[tensor] = Type(each.elem, each.shape)
        tensors.append(tensor)
    return tensors


def split_programs(graph: Graph, layers: Mapping[str, LayerTensor], request: Request) -> tuple[Program, Program]:
    """A forward program, and a backward program that reads tensors which the forward program saves."""
    program, network = _with_gradients(graph, layers, request)
    whole = program.graph
    whole.outputs = list(dict.fromkeys((*program.activations.values(), *program.gradients.values())))
    prune(whole)
    infer(whole)
    late = _backward_nodes(whole, program.seeds.values(), network)
    gradients = set(program.gradients.values())  # zeros of a layer without influence do not depend on a cotangent
    late |= {node for node in whole.nodes if node not in network and gradients.intersection(node.outputs)}
    early = [node for node in whole.nodes if node not in late]
    computed = {*(o for node in early for o in node.outputs), *whole.inputs} - set(program.seeds.values())
    saved = dict.fromkeys(i for node in whole.nodes if node in late for i in node.reads if i in computed)
    forward, backward = whole.copy(), whole.copy()
    forward.nodes = early
    backward.nodes = [node for node in whole.nodes if node in late]
    backward.inputs = {**whole.inputs, **{name: whole.types[name] for name in saved}}
    return (
        finish(replace(program, graph=forward, seeds={}, gradients={}, saved=tuple(saved))),
        finish(replace(program, graph=backward, activations={}, replaced={}, saved=tuple(saved))),
    )


def _with_gradients(graph: Graph, layers: Mapping[str, LayerTensor], request: Request) -> tuple[Program, set[Node]]:
    """Forward and backward in one program, and the nodes of the network itself."""
    graph = faster_copy(graph)
    replaced = _replace_activations(graph, layers, request.replaced)
    activations = {name: public_layout(graph, layers[name]) for name in request.capture}
    network = set(graph.nodes)
    seeds = {name: graph.unique_name(f"seed:{name}") for name in request.seeds}
    dys = {layers[name].tensor: _add_layer_input(graph, layers[name], seed) for name, seed in seeds.items()}
    return Program(graph, replaced, seeds, activations, _append_gradients(graph, layers, dys, request)), network


def _append_gradients(
    graph: Graph, layers: Mapping[str, LayerTensor], seeds: Mapping[str, str], request: Request
) -> dict[str, str]:
    """Append the backward pass from these cotangents by tensor; gradients by layer, in the public layout."""
    tensors = {name: layers[name].tensor if name != ABSORBED else ABSORBED for name in request.wrt}
    gradients = append_gradients(graph, seeds, tensors.values(), request.rules)
    found = {
        name: public_layout(graph, layers[name], gradients[tensor])
        for name, tensor in tensors.items()
        if name != ABSORBED
    }
    if ABSORBED in tensors:
        found[ABSORBED] = gradients[ABSORBED]
        graph.types[found[ABSORBED]] = Type(FLOAT, (graph.dims(INPUT)[0], 2))
    return found


def finish(program: Program) -> Program:
    """The program with its outputs declared and without nodes that none of them needs."""
    graph = program.graph
    graph.outputs = list(dict.fromkeys((*program.activations.values(), *program.gradients.values())))
    if not program.gradients:
        graph.outputs += [k for k in program.saved if k not in graph.outputs and k not in graph.inputs]
    faster_at_last(graph)
    prune(graph)
    return program


def _replace_activations(graph: Graph, layers: Mapping[str, LayerTensor], names: Iterable[str]) -> dict[str, str]:
    """Replace layers' tensors by inputs of the graph, in place; nodes that only they needed are left to `prune`."""
    inputs = {}
    for name in names:
        tensor = layers[name].tensor
        unused = graph.unique_name(f"{tensor}:own")
        graph.nodes = [
            replace(node, outputs=tuple(unused if o == tensor else o for o in node.outputs)) if tensor in node.outputs
            else node for node in graph.nodes
        ]  # fmt: skip
        body, graph.nodes = graph.nodes, []
        inputs[name] = graph.unique_name(f"replace:{name}")
        value = _add_layer_input(graph, layers[name], inputs[name])
        graph.nodes += [graph.node("Identity", value, outputs=[tensor]), *body]
    return inputs


def _add_layer_input(graph: Graph, layer: LayerTensor, name: str) -> str:
    """Add an input of the graph in the public layout, and return it in the layer's own layout and type."""
    graph.inputs[name] = graph.types[name] = layer_type(graph, layer)
    graph.taken.add(name)
    return _to_layer_layout(graph, layer, name)


def _to_layer_layout(graph: Graph, layer: LayerTensor, name: str) -> str:
    """A channels-first float32 tensor in the layer's own layout and type."""
    rank = graph.rank(layer.tensor)
    x = graph.op("Transpose", name, perm=[0, *range(2, rank), 1]) if layer.channels_last else name
    elem = graph.elem(layer.tensor)
    return x if elem == FLOAT else graph.op("Cast", x, to=elem)


def public_layout(graph: Graph, layer: LayerTensor, tensor: str | None = None) -> str:
    """The layer's tensor, or another in its layout, channels-first and float32, as an output of the graph."""
    x = tensor or layer.tensor
    if graph.elem(layer.tensor) != FLOAT:
        x = graph.op("Cast", x, to=FLOAT)
    if layer.channels_last:
        rank = graph.rank(layer.tensor)
        x = graph.op("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)])
    x = graph.op("Identity", x) if x in graph.inputs or x in graph.constants else x
    graph.types[x] = layer_type(graph, layer)
    return x


def layer_type(graph: Graph, layer: LayerTensor) -> Type:
    """The type of a layer in the public layout: float32, channels first."""
    dims = graph.dims(layer.tensor)
    return Type(FLOAT, (dims[0], dims[-1], *dims[1:-1]) if layer.channels_last else dims)


def _backward_nodes(graph: Graph, seeds: Iterable[str], network: set[Node]) -> set[Node]:
    """The nodes that depend on cotangents, and casts of masks: a mask is saved as bool, a quarter of float32's size."""
    after, late = set(seeds), set()
    for node in graph.nodes:
        widens = node.op == "Cast" and node not in network and graph.elem(node.inputs[0]) == BOOL
        if widens or any(i in after for i in node.reads):
            after.update(node.outputs)
            late.add(node)
    return late | _constant_nodes_for(graph, late, network)


def _constant_nodes_for(graph: Graph, late: set[Node], network: set[Node]) -> set[Node]:
    """The nodes that compute from constants (a flipped kernel) what only late nodes read."""
    fixed = set(graph.constants)
    for node in graph.nodes:
        if node not in network and fixed.issuperset(node.reads):
            fixed.update(node.outputs)
    nodes, read_early = set[Node](), set(graph.outputs)
    for node in reversed(graph.nodes):
        if node not in late and fixed.issuperset(node.outputs) and read_early.isdisjoint(node.outputs):
            nodes.add(node)
        elif node not in late:
            read_early.update(node.reads)
    return nodes
