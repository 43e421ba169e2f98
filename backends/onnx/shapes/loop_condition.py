"""Whether a Loop goes on: its condition before each iteration, computed by one session for all of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import GraphProto, helper, numpy_helper

from ..ir.graph import Graph, Node, Type, node_of
from ..ir.onnxruntime_errors import readable_errors
from ..ir.prune import prune
from ..ir.session import open_session

__all__ = ["loop_conditions"]


def loop_conditions(graph: Graph, node: Node) -> Iterator[bool | None]:
    """The condition before the first iteration, before the second, and so on; None where the image decides it."""
    first = np.asarray(True) if not node.has(1) else graph.value(node.inputs[1])
    if first is None:
        yield None
        return
    yield bool(first.all())
    state = _State(graph, node, first)
    while state.known:
        yield state.after_next_iteration()
    yield None


class _State:
    """What the condition depends on, after some iterations: itself, and those of the carried values that it needs."""

    def __init__(self, graph: Graph, node: Node, first: np.ndarray[Any, Any]) -> None:
        body: GraphProto = node.attributes["body"].g
        names, outputs = [i.name for i in body.input], [o.name for o in body.output]
        nodes = [node_of(proto, graph.opsets) for proto in body.node]
        own = {t.name: numpy_helper.to_array(t) for t in body.initializer}
        carried = dict(zip(names[2:], node.inputs[2:], strict=True))
        kept = _needed(nodes, dict(zip(names[1:], outputs, strict=False)), outputs[0])
        outside = kept - {*own, *names} - {o for each in nodes for o in each.outputs}
        given = {name: graph.value(carried[name]) for name in carried if name in kept}
        free = {name: graph.value(name) for name in outside}
        self.known = all(value is not None for value in (*given.values(), *free.values()))
        if self.known:
            self._number, self._names = 0, [names[1], *given]
            self._values: dict[str, Any] = {names[0]: np.asarray(0, np.int64), names[1]: first, **given}
            self._counter = names[0]
            wanted = [outputs[names.index(name) - 1] for name in self._names]
            self._open(graph, nodes, {**free, **own}, wanted)  # type: ignore[dict-item]

    def _open(
        self, graph: Graph, nodes: list[Node], constants: dict[str, np.ndarray[Any, Any]], wanted: list[str]
    ) -> None:
        kinds = {n: Type(helper.np_dtype_to_tensor_dtype(v.dtype)) for n, v in self._values.items()}
        part = Graph(nodes, constants, kinds, [], graph.opsets)
        part.outputs = [part.unique_name(f"{name}:next") for name in wanted]
        part.nodes += [part.node("Identity", w, outputs=[o]) for w, o in zip(wanted, part.outputs, strict=True)]
        prune(part)
        self._session, self._inputs = open_session(part, optimise=False), part.inputs

    def after_next_iteration(self) -> bool:
        with readable_errors("compute the condition of a Loop"):
            made = self._session.run(None, {name: self._values[name] for name in self._inputs})
        self._values.update(zip(self._names, made, strict=True))
        self._number += 1
        self._values[self._counter] = np.asarray(self._number, np.int64)
        return bool(made[0].all())


def _needed(nodes: list[Node], carried_to: dict[str, str], condition: str) -> set[str]:
    """The tensors of a body that its condition depends on, in this iteration or in an earlier one."""
    needed, before = {condition}, 0
    while len(needed) > before:
        before = len(needed)
        needed |= {made for name, made in carried_to.items() if name in needed}
        for node in reversed(nodes):
            if needed.intersection(node.outputs):
                needed.update(node.reads)
    return needed
