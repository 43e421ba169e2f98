"""prune: only what the outputs need stays in a graph."""

import numpy as np
from crosslens.backends.onnx.ir.graph import FLOAT, Graph, Type
from crosslens.backends.onnx.ir.prune import prune


def test_nodes_constants_and_inputs_that_no_output_needs_are_removed():
    graph = Graph([], {"c": np.ones(2), "unused": np.ones(2)}, {"x": Type(FLOAT), "other": Type(FLOAT)}, [], {"": 18})
    graph.nodes = [
        graph.node("Add", "x", "c", outputs=["a"]),
        graph.node("Mul", "a", "other", outputs=["b"]),
        graph.node("Neg", "a", outputs=["y"]),
    ]
    graph.outputs = ["y"]
    prune(graph)
    assert [node.op for node in graph.nodes] == ["Add", "Neg"]
    assert list(graph.constants) == ["c"]
    assert list(graph.inputs) == ["x"]
