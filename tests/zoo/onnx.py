"""The zoo as ONNX graphs, written node by node (opset 17, NCHW, dynamic batch)."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def conv(step):
    attributes = {"strides": [step.stride] * 2, "pads": [step.pad] * 4, "group": step.groups}
    yield "Conv", [*step.reads, *parameters(step, "kernel", "bias")], attributes


def norm(step):
    yield (
        "BatchNormalization",
        [*step.reads, *parameters(step, "scale", "offset", "mean", "variance")],
        {"epsilon": 1e-3},
    )


def linear(step):
    yield "Gemm", [*step.reads, *parameters(step, "kernel", "bias")], {"transB": 1}


def silu(step):
    (x,) = step.reads
    yield "Sigmoid", [x], {}
    yield "Mul", [x, f"{step.name}_0"], {}


def gelu(step):
    """x (1 + erf(x / sqrt 2)) / 2, as torch exports it."""
    (x,) = step.reads
    yield "Div", [x, "sqrt2"], {}
    yield "Erf", [f"{step.name}_0"], {}
    yield "Add", [f"{step.name}_1", "one"], {}
    yield "Mul", [x, f"{step.name}_2"], {}
    yield "Mul", [f"{step.name}_3", "half"], {}


def gap(step):
    yield "GlobalAveragePool", [*step.reads], {}
    yield "Flatten", [f"{step.name}_0"], {}


def pool(operator):
    return lambda s: [(operator, s.reads, {"kernel_shape": [s.size] * 2, "strides": [s.stride] * 2})]


NODES = {
    "conv": conv,
    "norm": norm,
    "linear": linear,
    "silu": silu,
    "gelu": gelu,
    "gap": gap,
    "relu": lambda s: [("Relu", s.reads, {})],
    "relu6": lambda s: [("Clip", [*s.reads, "zero", "six"], {})],
    "leaky_relu": lambda s: [("LeakyRelu", s.reads, {"alpha": s.slope})],
    "add": lambda s: [("Add", s.reads, {})],
    "concat": lambda s: [("Concat", s.reads, {"axis": 1})],
    "avg_pool": pool("AveragePool"),
    "max_pool": pool("MaxPool"),
}
CONSTANTS = {"zero": 0.0, "half": 0.5, "one": 1.0, "six": 6.0, "sqrt2": 2**0.5}


def named(tensor):
    """The plan's name for the image is an odd one for a tensor."""
    return "image" if tensor == "<input>" else tensor


def parameters(step, *names):
    return [f"{step.name}.{name}" for name in names if name in step.weights]


def nodes(step):
    """A step's nodes; the last is called as the step, those before it get a number."""
    found = list(NODES[step.kind](step))
    for i, (operator, reads, attributes) in enumerate(found):
        name = step.name if i == len(found) - 1 else f"{step.name}_{i}"
        yield helper.make_node(operator, [named(each) for each in reads], [name], name=name, **attributes)


def build(plan, shape):
    """A checked ModelProto whose nodes are called as the plan's steps."""
    weights = {f"{s.name}.{name}": values for s in plan for name, values in s.weights.items()}
    constants = {name: np.array(value, np.float32) for name, value in CONSTANTS.items()}
    graph = [node for step in plan for node in nodes(step)]
    used = {name for node in graph for name in node.input}
    output = ["N", len(plan[-1].weights["bias"]), *([] if plan[-1].kind == "linear" else shape[1:])]
    net = helper.make_model(
        helper.make_graph(
            graph,
            "zoo",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *shape])],
            [helper.make_tensor_value_info(plan[-1].name, TensorProto.FLOAT, output)],
            [numpy_helper.from_array(v, k) for k, v in (weights | constants).items() if k in used],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    onnx.checker.check_model(net, full_check=True)
    return net


def state(net):
    """The whole graph, as bytes."""
    return net.SerializeToString(deterministic=True)
