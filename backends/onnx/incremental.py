"""Occlusion by stages on onnxruntime: a session for each stage, one for what follows them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import onnxruntime as ort
from crosslens.arrays import Array
from crosslens.incremental import Read, Staged
from crosslens.model import INPUT
from crosslens.patches import POINTWISE

from .batch import BATCH
from .emit import explained, open_session, prune
from .graph import FLOAT, Graph, Node, Type
from .layers import Place
from .program import Program, Request, forward
from .stages import Cut, Part, cut

__all__ = ["OnnxStaged"]


_BLOCKED = frozenset({"Add", "BatchNormalization", "Concat", "Mul", "Sum"})
"""Operators that onnxruntime computes otherwise, to the last bit, where their inputs are in its blocked layout."""


class OnnxStaged(Staged):
    """A graph for one size of images; sessions open when they are first needed."""

    def __init__(
        self, graph: Graph, places: Mapping[str, Place], capture: Sequence[str], providers: Sequence[Any] | None
    ) -> None:
        """`graph` has its shapes worked out, the batch left open; `capture` are layers without `INPUT`."""
        self._graph, self._places, self._providers = graph, places, providers
        self._request = Request(tuple(capture))
        self._cut: Cut[Node] = cut(graph, [places[name].tensor for name in capture])
        self.stages, self.rest, self.leaves = self._cut.stages, self._cut.rest, self._cut.leaves
        self.channels, self.axes = self._cut.channels, self._cut.axes
        height, width = graph.sizes(INPUT)
        self.image_size = height, width
        self._open: dict[int, ort.InferenceSession] = {}
        self._last: dict[int, tuple[Program, ort.InferenceSession]] = {}

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the constants that the sessions may read."""
        return sum(value.nbytes for value in self._graph.constants.values())

    def run(self, stage: int, crops: Sequence[Array]) -> Sequence[Array]:
        """A stage's own session."""
        if stage not in self._open:
            made = _program(self._graph, self._cut.parts[stage], self.stages[stage].writes, self.axes)
            noted = [o for node in made.nodes for o in node.outputs[:1] if o not in made.outputs]
            self._open[stage] = open_session(made, self._providers, noted=noted)
        with explained("run a part of the network"):
            found: list[Array] = self._open[stage].run(
                list(self.stages[stage].writes), {_name(i): crop for i, crop in enumerate(crops)}
            )
        return found

    def finish(self, done: int, wholes: Mapping[str, Array]) -> Mapping[str, Array]:
        """The graph from these tensors on."""
        if done not in self._last:
            program = forward(_from(self._graph, self.live(done), self.axes), self._places, self._request)
            self._last[done] = program, open_session(program.graph, self._providers)
        program, session = self._last[done]
        given = {f"live:{name}": maps for name, maps in wholes.items() if f"live:{name}" in program.graph.inputs}
        with explained("run the network"):
            found = dict(zip(program.graph.outputs, session.run(program.graph.outputs, given), strict=True))
        return {name: found[tensor] for name, tensor in program.activations.items()}


def _name(read: int) -> str:
    return f"read:{read}"


def _program(graph: Graph, part: Part[Node], writes: Sequence[str], axes: Mapping[str, int]) -> Graph:
    """A stage on crops that hold all that its windows read, padding included.

    Its rows and columns have one name in all tensors: then onnxruntime adds up within a convolution where it does so
    on whole maps, in the same order, to the same bit.
    """
    made = graph.copy()
    names = {read: _name(i) for i, read in enumerate(part.reads)}
    made.inputs = {name: _cropped(graph, read, name, axes) for read, name in names.items()}
    made.types |= {o: _named(graph, o, "stage", axes[o]) for node in part.nodes for o in node.outputs[:1]}
    made.nodes = []
    blocked = {read: _blocked(made, name) for read, name in names.items() if _is_blocked(graph, part, read, axes)}
    made.nodes += [_unpadded(_given(node, given, names | blocked)) for node, given in part.nodes.items()]
    made.outputs = list(writes)
    prune(made)
    return made


def _is_blocked(graph: Graph, part: Part[Node], read: Read, axes: Mapping[str, int]) -> bool:
    """Whether maps come from outside to an operator that must see them blocked."""
    readers = [node for node, given in part.nodes.items() if read in given.values()]
    first = axes[read.tensor] == 2 and graph.elem(read.tensor) == FLOAT
    return first and read.sliding == POINTWISE and any(node.op in _BLOCKED for node in readers)


def _blocked(graph: Graph, name: str) -> str:
    """The same maps by a node that onnxruntime runs in its blocked layout, where it adds within a convolution."""
    same = graph.op("MaxPool", name, kernel_shape=[1, 1])
    graph.types[same] = graph.inputs[name]
    return same


def _cropped(graph: Graph, read: Read, name: str, axes: Mapping[str, int]) -> Type:
    return _named(graph, read.tensor, "stage" if read.sliding == POINTWISE else name, axes[read.tensor])


def _named(graph: Graph, tensor: str, size: str, axis: int) -> Type:
    """The type of a crop, its rows and columns named after `size`."""
    dims: list[int | str] = [BATCH, *graph.dims(tensor)[1:]]
    dims[axis : axis + 2] = [f"{size}:rows", f"{size}:columns"]
    return Type(graph.elem(tensor), tuple(dims))


def _given(node: Node, given: Mapping[int, Read], names: Mapping[Read, str]) -> Node:
    inputs = (names[given[position]] if position in given else name for position, name in enumerate(node.inputs))
    return replace(node, inputs=tuple(inputs))


def _unpadded(node: Node) -> Node:
    if node.op == "Pad":
        return replace(node, op="Identity", inputs=node.inputs[:1], attributes={})
    if node.op not in {"Conv", "MaxPool", "AveragePool"}:
        return node
    kept = {k: v for k, v in node.attributes.items() if k not in {"pads", "auto_pad", "ceil_mode", "count_include_pad"}}
    return replace(node, attributes=kept)


def _from(graph: Graph, given: Sequence[str], axes: Mapping[str, int]) -> Graph:
    """The graph with these tensors as inputs, called `live:` and their names."""
    made = graph.copy()
    after = [node for node in graph.nodes if not set(given).intersection(node.outputs)]
    blocked = {name for node in after if node.op in _BLOCKED for name in node.inputs}
    made.nodes = []
    for name in given:
        made.inputs[f"live:{name}"] = made.types[f"live:{name}"] = graph.types[name]
        turned = name in blocked and axes[name] == 2 and graph.elem(name) == FLOAT
        op, kernel = ("MaxPool", [1, 1]) if turned else ("Identity", None)
        made.nodes.append(graph.node(op, f"live:{name}", outputs=[name], kernel_shape=kernel))
    made.nodes += after
    return made
