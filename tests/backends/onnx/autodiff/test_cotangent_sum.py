"""sum_cotangents: slices that tile a tensor are concatenated, others are added up; the values are the sum."""

import numpy as np
import pytest
from crosslens.backends.onnx.autodiff.cotangent_sum import sum_cotangents
from crosslens.backends.onnx.ir.graph import FLOAT, Graph, Type
from crosslens.backends.onnx.ir.session import open_session


def total(slices):
    """The sum of padded slices (start, stop) of 6 numbers, the operator that computes it, and the sum by NumPy."""
    graph = Graph([], {}, {}, [], {"": 18})
    graph.types["x"] = Type(FLOAT, (2, 6))
    feeds, want = {}, np.zeros((2, 6), np.float32)
    parts = []
    for start, stop in slices:
        name = f"s{start}_{stop}"
        feeds[name] = np.random.default_rng(start).random((2, stop - start), np.float32)
        graph.inputs[name] = graph.types[name] = Type(FLOAT, (2, stop - start))
        parts.append(graph.op("Pad", name, graph.ints([0, start, 0, 6 - stop])))
        want[:, start:stop] += feeds[name]
    graph.outputs = [sum_cotangents(graph, "x", parts)]
    return open_session(graph).run(None, feeds)[0], graph.nodes[-1].op, want


@pytest.mark.parametrize(
    ("slices", "operator"),
    [
        ([(4, 6), (0, 1), (1, 4)], "Concat"),
        ([(0, 3), (2, 6)], "Add"),
        ([(0, 2), (3, 6)], "Add"),
        ([(0, 2), (2, 4), (4, 5)], "Sum"),
    ],
    ids=["tiles", "overlap", "gap", "gap at the end"],
)
def test_slices_that_tile_the_tensor_are_concatenated(slices, operator):
    got, used, want = total(slices)
    assert used == operator
    np.testing.assert_allclose(got, want, rtol=1e-6)
