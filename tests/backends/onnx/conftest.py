"""One operator as a graph: its derivative by our rules, in float32 on onnxruntime."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
import pytest
import torch
from crosslens import INPUT, OUTPUT
from crosslens.backends.onnx.autodiff.reverse import append_gradients
from crosslens.backends.onnx.ir.prune import prune
from crosslens.backends.onnx.ir.serialise import model_proto
from crosslens.backends.onnx.ir.session import open_session
from crosslens.backends.onnx.load.load import graph_of
from crosslens.backends.onnx.shapes.constant_folding import fold
from onnx import checker, helper, shape_inference

NodeVjp = Callable[..., dict[str, np.ndarray]]


def node_vjp(
    op: str,
    inputs: Mapping[str, np.ndarray | None],
    dys: Mapping[str, np.ndarray],
    *,
    wrt: Sequence[str] = ("x",),
    constants: Sequence[str] = (),
    opset: int = 18,
    domain: str = "",
    **attributes: object,
) -> dict[str, np.ndarray]:
    """Gradients of one node's outputs (named as in `dys`, empty names for others) at the inputs in `wrt`."""
    names = ["" if value is None else name for name, value in inputs.items()]
    given = {name: value for name, value in inputs.items() if value is not None}
    node = helper.make_node(op, names, list(dys), domain=domain, **attributes)
    infos = {
        n: helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in given.items()
    }
    tensors = [onnx.numpy_helper.from_array(given[n], n) for n in constants]
    outputs = [onnx.ValueInfoProto(name=name) for name in dys if name]
    made = helper.make_graph([node], "one", [infos[n] for n in given if n not in constants], outputs, tensors)
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(domain, 1)] * bool(domain)
    graph = graph_of(helper.make_model(made, opset_imports=opsets, ir_version=10))
    fold(graph)
    return gradients_of(
        graph,
        {n: v for n, v in given.items() if n not in constants},
        {n: d for n, d in dys.items() if d is not None},
        wrt,
    )


def gradients_of(graph, feeds, dys, wrt):
    """Append gradients, check the graph as onnx does, run it."""
    seeds = {}
    for name in dys:
        seeds[name] = f"seed:{name}"
        graph.inputs[seeds[name]] = graph.types[name]
        graph.types[seeds[name]] = graph.types[name]
    found = append_gradients(graph, seeds, wrt)
    graph.outputs = [found[name] for name in wrt]
    prune(graph)
    for name, tensor in found.items():
        graph.types[tensor] = graph.types[name]
    model = model_proto(graph)
    checker.check_model(model)
    shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    session = open_session(graph)
    needed = {i.name for i in session.get_inputs()}
    everything = {**feeds, **{seeds[name]: dy for name, dy in dys.items()}}
    values = session.run(graph.outputs, {k: v for k, v in everything.items() if k in needed})
    return dict(zip(wrt, values, strict=True))


@pytest.fixture(scope="session")
def vjp_of_node() -> NodeVjp:
    return node_vjp


def relative(got, want):
    """L2 distance over the L2 norm of what is wanted."""
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


def by_torch(net, x, dy, dtype, inner=None):
    """Output, gradient at the images and at a module's output, by torch's autograd in `dtype`."""
    kept = []
    hook = net.get_submodule(inner).register_forward_hook(lambda m, i, o: kept.append(o)) if inner else None
    t = torch.tensor(x, dtype=dtype, requires_grad=True)
    y = net.to(dtype)(t)
    y = y[0] if isinstance(y, tuple) else y
    found = torch.autograd.grad(y, [t, *kept[:1]], torch.tensor(dy, dtype=dtype))
    net.float()
    if hook:
        hook.remove()
    return [v.detach().double().numpy() for v in (y, *found)]


def errors_against_torch(net, model, x, *, inner=None):
    """Of output, gradients and linearize: (name, distance from float64, three times that of torch float32 or 2e-5)."""
    y = model.forward(x)[OUTPUT]
    dy = np.random.default_rng(5).standard_normal(y.shape).astype(np.float32)
    wrt = [INPUT, *([inner] if inner else [])]
    pull = model.vjp(x, {OUTPUT: dy}, wrt=wrt, capture=[OUTPUT])
    with model.linearize(x, [OUTPUT], wrt=wrt) as at:
        again = at.vjp({OUTPUT: dy})
    found = {"forward": y, "captured": pull.activations[OUTPUT]}
    found |= {f"vjp {k}": pull.gradients[k] for k in wrt} | {f"linearize {k}": again[k] for k in wrt}
    exact, single = (by_torch(net, x, dy, dtype, inner) for dtype in (torch.float64, torch.float32))
    for (name, got), place in zip(found.items(), [0, 0, *range(1, 1 + len(wrt)), *range(1, 1 + len(wrt))], strict=True):
        bound = max(2e-5, 3 * relative(single[place], exact[place]))
        yield name, relative(got, exact[place]), bound


@pytest.fixture(scope="session")
def agrees_with_torch(somewhere_close):
    """agrees_with_torch(net, model, n, shape, inner=None): outputs of n images; gradients, flipped rectifiers aside."""

    def agree(net, model, n, shape, *, inner=None):
        def error(seed):
            x = np.random.default_rng([n, seed]).random((n, *shape), np.float32)
            found = list(errors_against_torch(net, model, x, inner=inner))
            for name, distance, bound in found[:2]:
                assert distance < bound, f"{name}, batch {n}: torch's own error is {bound / 3:.1e}"
            return max(distance * 2e-5 / bound for _, distance, bound in found[2:])

        somewhere_close(error, 2e-5, pictures=4)

    return agree
