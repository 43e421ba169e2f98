"""Rules of operators that read or write at places, against torch's float64 autograd or the definition in a loop."""

import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from onnx import TensorProto, helper, numpy_helper


def rand(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def check(vjp_of_node, op, inputs, function, *, wrt=("x",), constants=(), **how):
    """The rule's gradients are those of `function` in torch float64, for a random cotangent."""
    exact = {n: torch.tensor(v, dtype=torch.float64 if n in wrt else None, requires_grad=n in wrt)
             for n, v in inputs.items()}  # fmt: skip
    y = function(*exact.values())
    dy = rand(*y.shape, seed=len(op))
    want = torch.autograd.grad(y, [exact[n] for n in wrt], torch.tensor(dy, dtype=torch.float64))
    got = vjp_of_node(op, inputs, {"y": dy}, wrt=wrt, constants=constants, **how)
    for name, gradient in zip(wrt, want, strict=True):
        np.testing.assert_allclose(got[name], gradient.numpy(), rtol=1e-5, atol=1e-5)


fixed = pytest.mark.parametrize("constants", [("i",), ()], ids=["constant places", "computed places"])


@fixed
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gather_elements_adds_up_copies_and_counts_from_the_end(vjp_of_node, axis, constants):
    x = rand(3, 4, 5)
    places = np.random.default_rng(1).integers(-x.shape[axis], x.shape[axis], (2, 3, 4))

    def function(x, i):
        return torch.gather(x, axis, i % x.shape[axis])

    check(vjp_of_node, "GatherElements", {"x": x, "i": places}, function, constants=constants, axis=axis)


def gathered(x, i, batch):
    """ONNX's definition, one tuple at a time."""
    if batch:
        return torch.stack([gathered(one, places, batch - 1) for one, places in zip(x, i, strict=True)])
    if i.ndim > 1:
        return torch.stack([gathered(x, places, 0) for places in i])
    return x[tuple(i.tolist())]


@fixed
@pytest.mark.parametrize(
    ("shape", "places", "batch"),
    [((3, 4), (5, 2), 0), ((3, 4, 5), (2, 3, 1), 0), ((3, 4, 5), (3, 6, 1), 1), ((3, 4, 5), (3, 6, 2), 1),
     ((2, 3, 4, 5), (2, 3, 2), 2), ((2, 3, 4), (2, 3, 7, 1), 2)],
)  # fmt: skip
def test_gather_nd_adds_up_copies_with_and_without_batch_axes(vjp_of_node, shape, places, batch, constants):
    sizes = shape[batch:][: places[-1]]
    i = np.random.default_rng(2).integers([-s for s in sizes], sizes, places)
    check(
        vjp_of_node, "GatherND", {"x": rand(*shape), "i": i}, lambda x, i: gathered(x, i, batch), constants=constants,
        batch_dims=batch,
    )  # fmt: skip


REDUCE = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@fixed
@pytest.mark.parametrize("axis", [0, -1])
def test_scatter_elements_overwrites(vjp_of_node, axis, constants):
    x, u = rand(3, 6, 4), rand(2, 3, 2, seed=1)
    i = np.stack([np.random.default_rng(3).permutation(x.shape[axis])[: u.shape[axis]] for _ in range(6)], -1)
    i = np.moveaxis(i.reshape(u.shape[axis], *np.delete(u.shape, axis)), 0, axis) - (1 if constants else 0)

    def function(x, i, u):
        return x.scatter(axis, i % x.shape[axis], u)

    check(
        vjp_of_node, "ScatterElements", {"x": x, "i": i, "u": u}, function, wrt=("x", "u"), constants=constants,
        axis=axis,
    )  # fmt: skip


@fixed
@pytest.mark.parametrize("how", REDUCE)
@pytest.mark.parametrize("ties", [False, True])
def test_scatter_elements_combines_also_ties_and_zeros(vjp_of_node, how, ties, constants):
    """torch's gradient of a product is wrong where two factors are 0 (it says so): there central products decide."""
    x, u = rand(3, 4), rand(3, 7, seed=1)
    i = np.random.default_rng(4).integers(-4, 4, u.shape)
    if ties:
        x, u = np.round(x), np.round(u)
    inputs = {"x": x, "i": i, "u": u}
    how_torch = REDUCE[how]

    def function(x, i, u):
        if how == "mul":
            return torch.stack([torch.stack([(torch.cat([x[r, c : c + 1], u[r, i[r] % 4 == c]])).prod()
                                             for c in range(4)]) for r in range(3)])  # fmt: skip
        return x.scatter_reduce(1, i % 4, u, how_torch)

    check(vjp_of_node, "ScatterElements", inputs, function, wrt=("x", "u"), constants=constants, axis=1, reduction=how)


@fixed
@pytest.mark.parametrize("how", ["none", *REDUCE])
@pytest.mark.parametrize("whole", [False, True], ids=["elements", "rows"])
def test_scatter_nd(vjp_of_node, how, whole, constants):
    x = rand(4, 3)
    rng = np.random.default_rng(5)
    if how == "none":
        i = rng.permutation(12)[:6]
        i = np.array([[2], [-4], [3]]) if whole else np.stack([i // 3 - 4, i % 3], -1)
    else:
        i = rng.integers(-3, 3, (6, 1 if whole else 2))
    u = rand(len(i), *(3,) * whole, seed=1)

    def function(x, i, u):
        flat = (i[:, :1] % 4 * 3 + torch.arange(3)) if whole else (i[:, :1] % 4 * 3 + i[:, 1:] % 3)
        wide, new = x.reshape(-1), u.reshape(-1)
        if how == "none":
            return wide.scatter(0, flat.reshape(-1), new).reshape(x.shape)
        return wide.scatter_reduce(0, flat.reshape(-1), new, REDUCE[how]).reshape(x.shape)

    check(
        vjp_of_node, "ScatterND", {"x": x, "i": i, "u": u}, function, wrt=("x", "u"), constants=constants, reduction=how
    )


@fixed
@pytest.mark.parametrize("op", ["ScatterElements", "ScatterND"])
def test_of_updates_for_one_place_only_that_which_onnxruntime_kept_gets_its_gradient(vjp_of_node, op, constants):
    i = np.array([1, 0, -3, 2])
    inputs = {"x": rand(4), "i": i if op == "ScatterElements" else i[:, None], "u": rand(4, seed=1)}
    dy = np.arange(1, 5, dtype=np.float32)
    got = vjp_of_node(op, inputs, {"y": dy}, wrt=["x", "u"], constants=constants)
    np.testing.assert_array_equal(got["x"], [0, 0, 0, 4])
    np.testing.assert_array_equal(got["u"], [0, 1, 2, 3])


def test_zeros_around_a_cotangent_stay_where_onnxruntime_moves_transposes_across():
    """Reading every other pixel between Transposes, as torch's exporter writes slices of slices."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[2, 1, 0, 3]),
        helper.make_node("Slice", ["t", "zero", "many", "axis", "step"], ["s"]),
        helper.make_node("Transpose", ["s"], ["u"], perm=[2, 1, 0, 3]),
        helper.make_node("Tanh", ["u"], ["y"]),
    ]
    constants = {"zero": [0], "many": [2**62], "axis": [3], "step": [2]}
    tensors = [numpy_helper.from_array(np.array(v), k) for k, v in constants.items()]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 3, 6, w]) for n, w in (("x", 8), ("y", 4))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    model = wrap(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), preprocess=None)
    x, dy = rand(2, 3, 6, 8), rand(2, 3, 6, 4)
    want = np.zeros_like(x)
    want[..., ::2] = dy * (1 - np.tanh(x[..., ::2]) ** 2)
    np.testing.assert_allclose(model.vjp(x, {OUTPUT: dy}).gradients[INPUT], want, rtol=1e-5, atol=1e-6)
