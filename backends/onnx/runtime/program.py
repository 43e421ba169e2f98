"""What is asked of a network, as graphs: forward, forward and backward fused, or the two apart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..autodiff.reverse import append_gradients
from ..ir.graph import BOOL, FLOAT, Graph, Node, Type
from ..ir.layers import Place
from ..ir.prune import prune
from ..shapes.inference import infer
from .faster_operators import faster_at_last, faster_copy
from .traced_array import Step
from .traced_objective import Written

__all__ = ["OBJECTIVE", "Program", "Request", "climbing", "forward", "fused", "seen", "split"]


OBJECTIVE = "<objective>"
"""Stands for an objective's value among activations; no layer is named so."""


@dataclass(frozen=True)
class Request:
    """What to compute, by names of layers."""

    capture: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    wrt: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    relu: str = "exact"


@dataclass
class Program:
    """A graph with what goes in and comes out, by layer; everything is float32 and channels-first at its border."""

    graph: Graph
    replaced: Mapping[str, str]
    seeds: Mapping[str, str]
    activations: Mapping[str, str]
    gradients: Mapping[str, str]
    kept: tuple[str, ...] = ()
    """Tensors that pass from a forward to a backward program."""


def forward(graph: Graph, places: Mapping[str, Place], request: Request) -> Program:
    """Activations only."""
    graph = faster_copy(graph)
    replaced = _cut(graph, places, request.replaced)
    activations = {name: _leave(graph, places[name]) for name in request.capture}
    return _finished(Program(graph, replaced, {}, activations, {}))


def fused(graph: Graph, places: Mapping[str, Place], request: Request) -> Program:
    """Activations and gradients in one graph."""
    made, _ = _with_gradients(graph, places, request)
    return _finished(made)


def climbing(graph: Graph, places: Mapping[str, Place], request: Request, written: Written) -> Program:
    """An objective, its gradients and activations in one graph; the value is the activation named `OBJECTIVE`.

    Shapes must be numbers. What the objective brings along is an input for each, as seeds by the place of its step.
    """
    graph = faster_copy(graph)
    replaced = _cut(graph, places, request.replaced)
    activations = {name: _leave(graph, places[name]) for name in request.capture}
    read = [_leave(graph, places[name]) for name in written.layers]
    tensors = _repeated(graph, written.steps, read)
    given = {str(place): tensors[place] for place, step in enumerate(written.steps) if not step.op}
    seeds: dict[str, str] = {}
    for name, place in written.cotangents:
        into, tensor = places[name].tensor, _entered(graph, places[name], tensors[place])
        seeds[into] = graph.op("Add", seeds[into], tensor) if into in seeds else tensor
    found = append_gradients(graph, seeds, [places[name].tensor for name in request.wrt], request.relu)
    gradients = {name: _leave(graph, places[name], found[places[name].tensor]) for name in request.wrt}
    return _finished(Program(graph, replaced, given, {**activations, OBJECTIVE: tensors[written.value]}, gradients))


def _repeated(graph: Graph, steps: Sequence[Step], seen: Sequence[str]) -> list[str]:
    """The tensor of each step, the first ones being there already."""
    tensors = list(seen)
    for place, step in enumerate(steps[len(seen) :], len(seen)):
        if step.op:
            ints = [graph.ints(values) for values in step.ints]
            made = graph.op(step.op, *(tensors[i] for i in step.inputs), *ints, **dict(step.settings))
        else:
            made = graph.unique(f"given:{place}")
            graph.inputs[made] = Type(FLOAT, step.shape)
        graph.types[made] = Type(step.elem, step.shape)
        tensors.append(made)
    return tensors


def split(graph: Graph, places: Mapping[str, Place], request: Request) -> tuple[Program, Program]:
    """A forward program that also gives what the backward program reads."""
    made, before = _with_gradients(graph, places, request)
    whole = made.graph
    whole.outputs = list(dict.fromkeys((*made.activations.values(), *made.gradients.values())))
    prune(whole)
    infer(whole)
    late = _late(whole, made.seeds.values(), before)
    given = set(made.gradients.values())  # zeros, where a layer has no influence, wait for no cotangent
    late |= {node for node in whole.nodes if node not in before and given.intersection(node.outputs)}
    early = [node for node in whole.nodes if node not in late]
    made_early = {*(o for node in early for o in node.outputs), *whole.inputs} - set(made.seeds.values())
    read = dict.fromkeys(i for node in whole.nodes if node in late for i in node.reads if i in made_early)
    first, second = whole.copy(), whole.copy()
    first.nodes = early
    second.nodes = [node for node in whole.nodes if node in late]
    second.inputs = {**whole.inputs, **{name: whole.types[name] for name in read}}
    ahead = replace(made, graph=first, seeds={}, gradients={}, kept=tuple(read))
    back = replace(made, graph=second, activations={}, replaced={}, kept=tuple(read))
    return _finished(ahead), _finished(back)


def _with_gradients(graph: Graph, places: Mapping[str, Place], request: Request) -> tuple[Program, set[Node]]:
    graph = faster_copy(graph)
    replaced = _cut(graph, places, request.replaced)
    activations = {name: _leave(graph, places[name]) for name in request.capture}
    before = set(graph.nodes)
    seeds = {name: f"seed:{name}" for name in request.seeds}
    entered = {places[name].tensor: _enter(graph, places[name], seed) for name, seed in seeds.items()}
    tensors = [places[name].tensor for name in request.wrt]
    found = append_gradients(graph, entered, tensors, request.relu)
    gradients = {name: _leave(graph, places[name], found[places[name].tensor]) for name in request.wrt}
    return Program(graph, replaced, seeds, activations, gradients), before


def _finished(program: Program) -> Program:
    graph = program.graph
    graph.outputs = list(dict.fromkeys((*program.activations.values(), *program.gradients.values())))
    if not program.gradients:
        graph.outputs += [k for k in program.kept if k not in graph.outputs and k not in graph.inputs]
    faster_at_last(graph)
    prune(graph)
    return program


def _cut(graph: Graph, places: Mapping[str, Place], names: Iterable[str]) -> dict[str, str]:
    """Let the graph run on from given activations, in place; what computed them is left to `prune`."""
    given = {}
    for name in names:
        tensor = places[name].tensor
        own = graph.unique(f"{tensor}:own")
        graph.nodes = [
            replace(node, outputs=tuple(own if o == tensor else o for o in node.outputs)) if tensor in node.outputs
            else node for node in graph.nodes
        ]  # fmt: skip
        body, graph.nodes = graph.nodes, []
        given[name] = f"replace:{name}"
        entered = _enter(graph, places[name], given[name])
        graph.nodes += [graph.node("Identity", entered, outputs=[tensor]), *body]
    return given


def _enter(graph: Graph, place: Place, name: str) -> str:
    """A new input of the graph, channels-first float32, as the layer's tensor lies."""
    graph.inputs[name] = graph.types[name] = seen(graph, place)
    graph.taken.add(name)
    return _entered(graph, place, name)


def _entered(graph: Graph, place: Place, name: str) -> str:
    """A tensor, channels-first float32, as the layer's lies."""
    rank = graph.rank(place.tensor)
    x = graph.op("Transpose", name, perm=[0, *range(2, rank), 1]) if place.channels_last else name
    elem = graph.elem(place.tensor)
    return x if elem == FLOAT else graph.op("Cast", x, to=elem)


def _leave(graph: Graph, place: Place, tensor: str | None = None) -> str:
    """A layer's tensor, or another of its kind, channels-first float32, to be an output of the graph."""
    x = tensor or place.tensor
    if graph.elem(place.tensor) != FLOAT:
        x = graph.op("Cast", x, to=FLOAT)
    if place.channels_last:
        rank = graph.rank(place.tensor)
        x = graph.op("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)])
    x = graph.op("Identity", x) if x in graph.inputs or x in graph.constants else x
    graph.types[x] = seen(graph, place)
    return x


def seen(graph: Graph, place: Place) -> Type:
    """The type of a layer at the border."""
    dims = graph.dims(place.tensor)
    return Type(FLOAT, (dims[0], dims[-1], *dims[1:-1]) if place.channels_last else dims)


def _late(graph: Graph, seeds: Iterable[str], before: set[Node]) -> set[Node]:
    """The nodes to run once the cotangents are there; a mask waits as bool, a quarter of its size as float32."""
    after, late = set(seeds), set()
    for node in graph.nodes:
        widens = node.op == "Cast" and node not in before and graph.elem(node.inputs[0]) == BOOL
        if widens or any(i in after for i in node.reads):
            after.update(node.outputs)
            late.add(node)
    return late | _turned_for(graph, late, before)


def _turned_for(graph: Graph, late: set[Node], before: set[Node]) -> set[Node]:
    """What is made of constants alone (a kernel turned round) for late nodes only."""
    fixed = set(graph.constants)
    for node in graph.nodes:
        if node not in before and fixed.issuperset(node.reads):
            fixed.update(node.outputs)
    found, early = set[Node](), set(graph.outputs)
    for node in reversed(graph.nodes):
        if node not in late and fixed.issuperset(node.outputs) and early.isdisjoint(node.outputs):
            found.add(node)
        elif node not in late:
            early.update(node.reads)
    return found
