"""onnxruntime's fused operators against its own kernels (forward) and torch float64 (gradients), and saved networks."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from crosslens.errors import ModelError, UnsupportedOperators
from crosslens.model import InputSpec
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F  # noqa: N812

MICROSOFT = "com.microsoft"


def rand(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def net(nodes, shape, constants, *, opset=17, elem=TensorProto.FLOAT, outputs=("y",)):
    made = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", elem, ["n", *shape])],
        [helper.make_tensor_value_info(o, elem, None) for o in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(made, opset_imports=opsets, ir_version=8)


def run(proto, x):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(
        ["y"], {"x": x}
    )[0]


def run_alone(proto, x):
    """Image by image, as a network runs whose steps of quantisation are those of a whole batch."""
    return np.concatenate([run(proto, x[n : n + 1]) for n in range(len(x))])


def close(got, want, rtol=2e-5):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.abs(want).max())


def fused(op, inputs=("x",), *, outputs=("y",), name="fused", **attributes):
    given = {key: value for key, value in attributes.items() if value != ()}
    return helper.make_node(op, list(inputs), list(outputs), name=name, domain=MICROSOFT, **given)


W, B = rand(6, 4, 3, 3, seed=1) / 4, rand(6, seed=2)
ACTIVATIONS = {
    "Relu": ((), torch.relu),
    "LeakyRelu": ((0.2,), lambda y: F.leaky_relu(y, 0.2)),
    "Clip": ((0.0, 0.7), lambda y: y.clamp(0.0, 0.7)),
    "Sigmoid": ((), torch.sigmoid),
    "Tanh": ((), torch.tanh),
    "HardSigmoid": ((0.3, 0.4), lambda y: (0.3 * y + 0.4).clamp(0, 1)),
}
HIDDEN, HEADS = 12, 3
TOKENS = (5, HIDDEN)
Q, K, V = (rand(HIDDEN, HIDDEN, seed=s) / 3 for s in (11, 12, 13))
QB, KB, VB = (rand(HIDDEN, seed=s) for s in (14, 15, 16))
SCALE, OFFSET, BIAS, SKIP = (rand(HIDDEN, seed=s) for s in (21, 22, 23, 24))
MASK = rand(1, HEADS, 5, 5, seed=25)


def conv(x, act, z=False):
    y = F.conv2d(x, torch.tensor(W).to(x), torch.tensor(B).to(x), stride=2, padding=1)
    return act(y + x[:, :1, ::2, ::2] * 0 + 0.5 if z else y)


def t(value):
    return torch.tensor(value, dtype=torch.float64)


def layer_norm(x, epsilon):
    return F.layer_norm(x, (HIDDEN,), t(SCALE), t(OFFSET), epsilon)


def root_mean_square(x, epsilon):
    return x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt() * t(SCALE)


def heads(x):
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def attention(q, k, v, scale=None, mask=0.0):
    scores = heads(q) @ heads(k).transpose(-1, -2) * (scale or (HIDDEN // HEADS) ** -0.5) + mask
    return (torch.softmax(scores, -1) @ heads(v)).transpose(1, 2).flatten(2)


def projected(x):
    return x @ t(Q) + t(QB), x @ t(K) + t(KB), x @ t(V) + t(VB)


PACKED = {"w": np.concatenate([Q, K, V], 1), "b": np.concatenate([QB, KB, VB])}
SEPARATE = [helper.make_node("MatMul", ["x", k], [p]) for k, p in (("wq", "q"), ("wk", "k"), ("wv", "v"))]
KERNELS = {"wq": Q, "wk": K, "wv": V}

CASES = {
    **{
        f"FusedConv, {op}": (
            [fused("FusedConv", ["x", "w", "b"], activation=op, activation_params=params,
                   strides=[2, 2], pads=[1] * 4)],
            (4, 8, 8), {"w": W, "b": B}, lambda x, f=function: conv(x, f),
        )
        for op, (params, function) in ACTIVATIONS.items()
    },
    "FusedConv with a sum": (
        [helper.make_node("Conv", ["x", "none", "halves"], ["z"], strides=[2, 2], pads=[1] * 4),
         fused("FusedConv", ["x", "w", "b", "z"], activation="Relu", strides=[2, 2], pads=[1] * 4)],
        (4, 8, 8), {"w": W, "b": B, "none": 0 * W, "halves": np.full(6, 0.5, np.float32)},
        lambda x: conv(x, torch.relu, True),
    ),
    "FusedConv without activation or bias": (
        [fused("FusedConv", ["x", "w"], strides=[2, 2])], (4, 8, 8), {"w": W},
        lambda x: F.conv2d(x, t(W), stride=2),
    ),
    **{
        f"FusedGemm, {op}": (
            [fused("FusedGemm", ["x", "w", "b"], activation=op, transB=1, alpha=0.5, beta=2.0,
                   **{f"activation_{k}": v for k, v in attributes.items()})],
            (HIDDEN,), {"w": Q, "b": QB}, lambda x, f=function: f(0.5 * x @ t(Q).T + 2 * t(QB)),
        )
        for op, (attributes, function) in {
            "Relu": ({}, torch.relu), "LeakyRelu": ({"alpha": 0.3}, lambda y: F.leaky_relu(y, 0.3)),
            "HardSigmoid": ({"alpha": 0.3, "beta": 0.4}, ACTIVATIONS["HardSigmoid"][1]), "Tanh": ({}, torch.tanh),
        }.items()
    },
    "FusedMatMul, both turned": (
        [fused("FusedMatMul", ["x", "w"], transA=1, transB=1, alpha=0.25)],
        (2, 3, 5), {"w": rand(2, 7, 3)}, lambda x: 0.25 * x.transpose(-1, -2) @ t(rand(2, 7, 3)).transpose(-1, -2),
    ),
    "FusedMatMul, batch turned": (
        [helper.make_node("Tanh", ["x"], ["h"]),
         fused("FusedMatMul", ["h", "w"], outputs=["m"], transBatchA=1, transB=1, transBatchB=1, alpha=2.0),
         helper.make_node("Transpose", ["m"], ["y"], perm=[2, 0, 1, 3])],
        (3, 4, 5), {"w": rand(6, 3, 4, 5)},
        lambda x: 2 * torch.einsum("nbck,jbck->nbcj", torch.tanh(x), t(rand(6, 3, 4, 5))),
    ),
    "Gelu": ([fused("Gelu")], TOKENS, {}, F.gelu),
    "BiasGelu": ([fused("BiasGelu", ["x", "b"])], TOKENS, {"b": BIAS}, lambda x: F.gelu(x + t(BIAS))),
    "FastGelu": ([fused("FastGelu", ["x", "b"])], TOKENS, {"b": BIAS},
                 lambda x: F.gelu(x + t(BIAS), approximate="tanh")),
    "FastGelu without bias": ([fused("FastGelu")], TOKENS, {}, lambda x: F.gelu(x, approximate="tanh")),
    "QuickGelu": ([fused("QuickGelu", alpha=1.5)], TOKENS, {}, lambda x: x * torch.sigmoid(1.5 * x)),
    "QuickGelu by default": ([fused("QuickGelu")], TOKENS, {}, lambda x: x * torch.sigmoid(1.702 * x)),
    "LayerNormalization before opset 17": (
        [helper.make_node("LayerNormalization", ["x", "s", "o"], ["y"], axis=-1, epsilon=0.1, stash_type=1)],
        TOKENS, {"s": SCALE, "o": OFFSET}, lambda x: layer_norm(x, 0.1), 13,
    ),
    "SimplifiedLayerNormalization": (
        [helper.make_node("SimplifiedLayerNormalization", ["x", "s"], ["y"], axis=2, epsilon=0.1)],
        TOKENS, {"s": SCALE}, lambda x: root_mean_square(x, 0.1),
    ),
    "SkipLayerNormalization": (
        [helper.make_node("Sin", ["x"], ["h"]),
         fused("SkipLayerNormalization", ["x", "h", "s", "o", "b"], epsilon=0.1)],
        TOKENS, {"s": SCALE, "o": OFFSET, "b": BIAS}, lambda x: layer_norm(x + x.sin() + t(BIAS), 0.1),
    ),
    "SkipLayerNormalization, its sum used": (
        [helper.make_node("Sin", ["x"], ["h"]),
         fused("SkipLayerNormalization", ["x", "h", "s"], outputs=["n", "", "", "sum"], epsilon=0.1),
         helper.make_node("Mul", ["n", "sum"], ["y"])],
        TOKENS, {"s": SCALE},
        lambda x: (layer_norm(x + x.sin(), 0.1) - t(OFFSET)) * (x + x.sin()),
    ),
    "SkipSimplifiedLayerNormalization": (
        [helper.make_node("Sin", ["x"], ["h"]),
         fused("SkipSimplifiedLayerNormalization", ["x", "h", "s"], epsilon=0.1)],
        TOKENS, {"s": SCALE}, lambda x: root_mean_square(x + x.sin(), 0.1),
    ),
    "Attention": (
        [fused("Attention", ["x", "w", "b"], num_heads=HEADS)], TOKENS, PACKED, lambda x: attention(*projected(x)),
    ),
    "Attention with a scale and a bias on its weights": (
        [fused("Attention", ["x", "w", "b", "", "", "m"], num_heads=HEADS, scale=0.3)], TOKENS, {**PACKED, "m": MASK},
        lambda x: attention(*projected(x), 0.3, t(MASK)),
    ),
    "MultiHeadAttention": (
        [*SEPARATE, fused("MultiHeadAttention", ["q", "k", "v", "b"], num_heads=HEADS)],
        TOKENS, {**KERNELS, "b": PACKED["b"]}, lambda x: attention(*projected(x)),
    ),
    "MultiHeadAttention without bias": (
        [*SEPARATE, fused("MultiHeadAttention", ["q", "k", "v", "", "", "m"], num_heads=HEADS, scale=0.3)],
        TOKENS, {**KERNELS, "m": MASK}, lambda x: attention(x @ t(Q), x @ t(K), x @ t(V), 0.3, t(MASK)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_fused_operator_is_onnxruntimes_kernel_and_its_gradient_torchs(case):
    nodes, shape, constants, function, *opset = CASES[case]
    proto = net(nodes, shape, constants, **({"opset": opset[0]} if opset else {}))
    x = rand(2, *shape)
    model = wrap(proto, input_shape=InputSpec.latent(shape))
    exact = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = function(exact)
    dy = rand(*y.shape, seed=9)
    (want,) = torch.autograd.grad(y, exact, torch.tensor(dy, dtype=torch.float64))
    pull = model.vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    close(pull.activations[OUTPUT], run(proto, x))
    close(pull.activations[OUTPUT], y.detach().numpy())
    assert pull.gradients[INPUT].shape == x.shape
    np.testing.assert_allclose(pull.gradients[INPUT], want, rtol=1e-4, atol=1e-4 * max(float(want.abs().max()), 0.1))


GROUPS = {"s": rand(6, seed=21), "o": rand(6, seed=22)}


def first(x):
    return x.permute(0, 3, 1, 2)


def last(x):
    return x.permute(0, 2, 3, 1)


def grouped(x):
    return F.group_norm(x, 3, t(GROUPS["s"]), t(GROUPS["o"]), 1e-3)


def skipped(x):
    total = x + x.amax((1, 2), keepdim=True) + t(B)
    return last(grouped(first(total))) * total


GPU_ONLY = {
    "BiasSoftmax": (
        [helper.make_node("Identity", ["x"], ["h"]), fused("BiasSoftmax", ["h", "b"], axis=2, is_inner_broadcast=0)],
        TOKENS, {"b": rand(1, 5, HIDDEN)}, lambda x: torch.softmax(x + t(rand(1, 5, HIDDEN)), -1),
    ),
    "MultiHeadAttention, packed": (
        [fused("MultiHeadAttention", ["x"], num_heads=HEADS)], (5, HEADS, 3, 4), {},
        lambda x: attention(*(x[:, :, :, i].flatten(2) for i in range(3))),
    ),
    "GroupNorm": (
        [fused("GroupNorm", ["x", "s", "o"], groups=3, epsilon=1e-3, activation=1)], (4, 5, 6), GROUPS,
        lambda x: last(F.silu(grouped(first(x)))),
    ),
    "GroupNorm, channels first": (
        [fused("GroupNorm", ["x", "s", "o"], groups=3, epsilon=1e-3, channels_last=0)], (6, 4, 5), GROUPS, grouped,
    ),
    "SkipGroupNorm": (
        [helper.make_node("ReduceMax", ["x"], ["m"], axes=[1, 2], keepdims=0),
         fused("SkipGroupNorm", ["x", "s", "o", "m", "b"], outputs=["a", "t"], groups=3, epsilon=1e-3),
         helper.make_node("Mul", ["a", "t"], ["y"])],
        (4, 5, 6), {**GROUPS, "b": B}, skipped,
    ),
    "NhwcConv": (
        [fused("NhwcConv", ["x", "w", "b"], pads=[1, 0, 1, 2], strides=[2, 1])], (9, 8, 4), {"w": W, "b": B},
        lambda x: F.conv2d(F.pad(first(x), (0, 2, 1, 1)), t(W), t(B), (2, 1)),
    ),
    "NhwcFusedConv": (
        [fused("NhwcConv", ["x", "w"], name="one", outputs=["z"]),
         fused("NhwcFusedConv", ["x", "w", "b", "z"], activation="LeakyRelu", activation_params=[0.2])],
        (9, 8, 4), {"w": W, "b": B},
        lambda x: F.leaky_relu(F.conv2d(first(x), t(W), t(B)) + F.conv2d(first(x), t(W)), 0.2),
    ),
    "BiasSplitGelu": (
        [fused("BiasSplitGelu", ["x", "b"])], TOKENS, {"b": QB},
        lambda x: (x + t(QB))[..., :6] * F.gelu((x + t(QB))[..., 6:]),
    ),
    "BiasAdd": (
        [helper.make_node("Tanh", ["x"], ["h"]), fused("BiasAdd", ["h", "b", "x"])], TOKENS, {"b": QB},
        lambda x: torch.tanh(x) + t(QB) + x,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GPU_ONLY)
def test_a_fused_operator_without_a_kernel_for_the_cpu_is_its_formula(case):
    nodes, shape, constants, function = GPU_ONLY[case]
    model = wrap(net(nodes, shape, constants), input_shape=InputSpec.latent(shape))
    x = rand(2, *shape)
    exact = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = function(exact)
    dy = rand(*y.shape, seed=9)
    (want,) = torch.autograd.grad(y, exact, torch.tensor(dy, dtype=torch.float64))
    pull = model.vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    close(pull.activations[OUTPUT], y.detach().numpy())
    close(pull.gradients[INPUT], want.numpy(), 1e-4)


def convolutional(opset=13):
    """Relu, Relu6 and LeakyRelu after convolutions, a residual sum, Gemm and Relu; named as torch's exporter does."""
    node, chosen = helper.make_node, {"c1": (6, 4), "c2": (6, 6), "c3": (6, 6), "c4": (6, 6)}
    nodes = [
        node("Conv", ["x", "c1.weight", "b"], ["/c1/Conv_output_0"], name="/c1/Conv", pads=[1] * 4),
        node("Relu", ["/c1/Conv_output_0"], ["/r/Relu_output_0"], name="/r/Relu"),
        node("Conv", ["/r/Relu_output_0", "c2.weight"], ["/c2/Conv_output_0"], name="/c2/Conv", pads=[1] * 4),
        node("Add", ["/r/Relu_output_0", "/c2/Conv_output_0"], ["/Add_output_0"], name="/Add"),
        node("Relu", ["/Add_output_0"], ["/r_1/Relu_output_0"], name="/r_1/Relu"),
        node("Conv", ["/r_1/Relu_output_0", "c3.weight"], ["/c3/Conv_output_0"], name="/c3/Conv", strides=[2, 2]),
        node("LeakyRelu", ["/c3/Conv_output_0"], ["/l/LeakyRelu_output_0"], name="/l/LeakyRelu", alpha=0.2),
        node("Conv", ["/l/LeakyRelu_output_0", "c4.weight"], ["/c4/Conv_output_0"], name="/c4/Conv"),
        node("Clip", ["/c4/Conv_output_0", "zero", "six"], ["/Clip_output_0"], name="/Clip"),
        node("GlobalAveragePool", ["/Clip_output_0"], ["p"], name="/pool"), node("Flatten", ["p"], ["f"], name="/flat"),
        node("Gemm", ["f", "w5"], ["/f1/Gemm_output_0"], name="/f1/Gemm"),
        node("Relu", ["/f1/Gemm_output_0"], ["/r_2/Relu_output_0"], name="/r_2/Relu"),
        node("Gemm", ["/r_2/Relu_output_0", "w6"], ["y"], name="/f2/Gemm"),
    ]  # fmt: skip
    constants = {f"{name}.weight": rand(*size, 3, 3, seed=i) / 3 for i, (name, size) in enumerate(chosen.items())}
    constants |= {"b": B, "zero": np.float32(0), "six": np.float32(1), "w5": rand(6, 9), "w6": rand(9, 5)}
    return net(nodes, (4, 16, 16), constants, opset=opset)


def transformer(opset=13):
    """A block of a vision transformer, LayerNormalization and Gelu in parts, as exporters write before opset 17."""
    node, nodes = helper.make_node, []
    constants = {"two": np.float32(2), "eps": np.float32(1e-5), "root": np.float32(2**0.5), "one": np.float32(1),
                 "half": np.float32(0.5), "scale": np.float32(0.5), "heads": np.array([0, -1, 3, 4]),
                 "flat": np.array([0, -1, 12])}  # fmt: skip

    def add(op, inputs, out, **how):
        nodes.append(node(op, inputs, [out], name=f"/{out}", **how))
        return out

    def linear(x, name, i, o):
        constants[f"{name}.weight"], constants[f"{name}.bias"] = rand(i, o, seed=len(constants)) / 3, rand(o)
        return add("Add", [f"{name}.bias", add("MatMul", [x, f"{name}.weight"], f"{name}.product")], name)

    def norm(x, name):
        constants[f"{name}.weight"], constants[f"{name}.bias"] = rand(12, seed=len(constants)) + 1, rand(12, seed=3)
        centred = add("Sub", [x, add("ReduceMean", [x], f"{name}.mean", axes=[-1])], f"{name}.centred")
        square = add("Pow", [centred, "two"], f"{name}.square")
        spread = add("Add", [add("ReduceMean", [square], f"{name}.var", axes=[-1]), "eps"], f"{name}.eps")
        h = add("Div", [centred, add("Sqrt", [spread], f"{name}.deviation")], f"{name}.h")
        return add("Add", [add("Mul", [h, f"{name}.weight"], f"{name}.scaled"), f"{name}.bias"], name)

    def head(x, name, perm):
        return add("Transpose", [add("Reshape", [linear(x, name, 12, 12), "heads"], f"{name}.split")], f"{name}.t",
                   perm=perm)  # fmt: skip

    a = norm("x", "n1")
    q, k, v = head(a, "q", [0, 2, 1, 3]), head(a, "k", [0, 2, 3, 1]), head(a, "v", [0, 2, 1, 3])
    scores = add("Div", [add("MatMul", [q, k], "qk"), "two"], "scores")
    mixed = add("MatMul", [add("Softmax", [scores], "weights", axis=-1), v], "mixed")
    a = add("Reshape", [add("Transpose", [mixed], "back", perm=[0, 2, 1, 3]), "flat"], "joined")
    x = add("Add", ["x", linear(a, "o", 12, 12)], "first")
    h = linear(norm(x, "n2"), "m1", 12, 20)
    share = add("Add", [add("Erf", [add("Div", [h, "root"], "g1")], "g2"), "one"], "g3")
    h = add("Mul", [add("Mul", [h, share], "g4"), "half"], "gelu")
    x = add("Add", [x, linear(h, "m2", 20, 12)], "second")
    nodes.append(node("ReduceMean", [norm(x, "n3")], ["y"], name="/y", axes=[1], keepdims=0))
    return net(nodes, (5, 12), constants, opset=opset)


def saved(proto, path, level=ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED):
    options = ort.SessionOptions()
    options.log_severity_level, options.graph_optimization_level = 3, level
    options.optimized_model_filepath = str(path)
    ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return path


def operators(path):
    return {node.op_type for node in onnx.load(path).graph.node}


NETWORKS = {
    "convolutional": (convolutional, (4, 16, 16), {"FusedConv", "FusedGemm"}),
    "transformer": (transformer, (5, 12), {"LayerNormalization", "BiasGelu"}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_saved_by_onnxruntime_is_the_one_it_was_made_from(name, tmp_path):
    build, shape, expected = NETWORKS[name]
    path = saved(build(), tmp_path / "saved.onnx")
    assert expected <= operators(path)
    how = {"input_shape": InputSpec.latent(shape)}
    original, model = wrap(build(), **how), wrap(path, **how)
    x = rand(2, *shape)
    dy = rand(*original.forward(x)[OUTPUT].shape, seed=4)
    want, got = (each.vjp(x, {OUTPUT: dy}, capture=[OUTPUT]) for each in (original, model))
    close(got.activations[OUTPUT], want.activations[OUTPUT])
    close(got.gradients[INPUT], want.gradients[INPUT])


@pytest.mark.parametrize("kind", ["vit", "bert"])
def test_a_network_of_the_transformers_optimizer_is_the_one_it_was_made_from(kind, tmp_path):
    optimizer = pytest.importorskip("onnxruntime.transformers.optimizer")
    onnx.save(transformer(), tmp_path / "net.onnx")
    how = {"model_type": kind, "num_heads": 3, "hidden_size": 12, "opt_level": 0}
    optimizer.optimize_model(str(tmp_path / "net.onnx"), **how).save_model_to_file(str(tmp_path / "saved.onnx"))
    expected = {"SkipLayerNormalization", "BiasGelu"}
    assert expected | {"Attention"} <= operators(tmp_path / "saved.onnx")
    how = {"input_shape": InputSpec.latent((5, 12))}
    original, model = wrap(transformer(), **how), wrap(tmp_path / "saved.onnx", **how)
    x, dy = rand(2, 5, 12), rand(2, 12)
    want, got = (each.vjp(x, {OUTPUT: dy}, capture=[OUTPUT]) for each in (original, model))
    close(got.activations[OUTPUT], want.activations[OUTPUT])
    close(got.gradients[INPUT], want.gradients[INPUT])


@pytest.mark.parametrize("rule", ["guided", "deconvnet", "linear"])
def test_the_rectifiers_inside_of_fused_operators_are_seen(rule, tmp_path):
    path = saved(convolutional(), tmp_path / "saved.onnx")
    original, model = wrap(convolutional(), preprocess=None), wrap(path, preprocess=None)
    x, dy = np.abs(rand(2, 4, 16, 16)).clip(0, 1), rand(2, 5)
    want, got = (each.modified(relu=rule).vjp(x, {OUTPUT: dy}).gradients[INPUT] for each in (original, model))
    close(got, want)
    assert np.abs(want - original.vjp(x, {OUTPUT: dy}).gradients[INPUT]).max() > 0.1 * np.abs(want).max()


def test_layers_of_a_saved_network_keep_their_names_tensors_modules_and_weights(tmp_path):
    original = wrap(convolutional(), preprocess=None)
    model = wrap(saved(convolutional(), tmp_path / "saved.onnx"), preprocess=None)
    x = np.abs(rand(2, 4, 16, 16)).clip(0, 1)
    names = ["/c1/Conv", "/c3/Conv", "/r/Relu_output_0", "/l/LeakyRelu_output_0", "/Clip_output_0", "c1", "l", "c4"]
    want, got = original.forward(x, names), model.forward(x, names)
    for name in names:
        close(got[name], want[name])
    np.testing.assert_array_equal(model.weights("c3")["kernel"], original.weights("c3")["kernel"])
    close(model.forward(x, ["f1"])["f1"], original.forward(x, ["f1"])["f1"])


def of_every_blocked_kind():
    """Kernels on three channels, depthwise, on whole blocks and in groups of them; a sum, poolings, an enlargement."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b"], ["a"], pads=[1] * 4),
        node("Relu", ["a"], ["r"]),
        node("Conv", ["r", "w2"], ["d"], pads=[1] * 4, group=12),
        node("Clip", ["d", "zero", "six"], ["c"]),
        node("Conv", ["c", "w3"], ["e"]),
        node("Add", ["e", "r"], ["s"]),
        node("Sigmoid", ["s"], ["t"]),
        node("Conv", ["t", "w4"], ["f"], strides=[2, 2]),
        node("MaxPool", ["f"], ["m"], kernel_shape=[3, 3], pads=[1] * 4),
        node("Conv", ["m", "w5"], ["g"], group=2),
        node("LeakyRelu", ["g"], ["l"], alpha=0.2),
        node("Resize", ["l", "", "twice"], ["u"], mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
        node("AveragePool", ["u"], ["v"], kernel_shape=[2, 2], strides=[2, 1]),
        node("GlobalAveragePool", ["v"], ["p"]),
        node("Flatten", ["p"], ["y"]),
    ]  # fmt: skip
    sizes = {"w1": (12, 3, 3, 3), "w2": (12, 1, 3, 3), "w3": (12, 12, 1, 1), "w4": (32, 12, 3, 3), "w5": (32, 16, 1, 1)}
    constants = {name: rand(*size) for name, size in sizes.items()}
    constants |= {"b": rand(12), "zero": np.float32(0), "six": np.float32(3), "twice": np.float32([1, 1, 2, 2])}
    return net(nodes, (3, 15, 16), constants)


BLOCKED = {"convolutional": (convolutional, (4, 16, 16)), "of every kind": (of_every_blocked_kind, (3, 15, 16))}


@pytest.mark.parametrize("name", BLOCKED)
def test_a_network_saved_in_blocks_for_this_processor_is_the_one_it_was_made_from(name, tmp_path):
    """onnxruntime's default level; the file's own run is what says how its kernels lie."""
    build, shape = BLOCKED[name]
    path = saved(build(), tmp_path / "saved.onnx", ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    if not any(node.domain == "com.microsoft.nchwc" for node in onnx.load(path).graph.node):
        pytest.skip("onnxruntime has no blocked layout for this processor")
    original, model = wrap(build(), preprocess=None), wrap(path, preprocess=None)
    x = np.abs(rand(2, *shape)).clip(0, 1)
    dy = rand(*original.forward(x)[OUTPUT].shape, seed=4)
    want, got = (each.vjp(x, {OUTPUT: dy}, capture=[OUTPUT]) for each in (original, model))
    close(got.activations[OUTPUT], run(onnx.load(path), x))
    close(got.activations[OUTPUT], want.activations[OUTPUT])
    close(got.gradients[INPUT], want.gradients[INPUT])


def test_a_network_saved_in_blocks_of_another_width_is_refused():
    kernel = helper.make_node("Conv", ["x", "w"], ["y"], domain="com.microsoft.nchwc", name="conv")
    model = net([kernel], (4, 8, 8), {"w": W})
    model.opset_import.append(helper.make_opsetid("com.microsoft.nchwc", 1))
    with pytest.raises(
        ModelError, match=r"for another kind of processor: a kernel \(6, 4, 3, 3\) does not fit blocks of"
    ):
        wrap(model, preprocess=None)


def test_attention_that_looks_back_only_runs_forward_and_is_named_backward():
    nodes, shape, constants, _ = CASES["Attention"]
    one_way = fused("Attention", ["x", "w", "b"], num_heads=HEADS, unidirectional=1)
    proto, x = net([one_way], shape, constants), rand(2, *shape)
    model = wrap(proto, input_shape=InputSpec.latent(shape))
    close(model.forward(x)[OUTPUT], run(proto, x))
    with pytest.raises(UnsupportedOperators, match=r"com\.microsoft\.Attention \(opset 1\) at node 'fused'"):
        model.vjp(x, {OUTPUT: x})
    assert nodes


def test_half_precision_is_written_out_in_half_precision():
    nodes = [fused("FusedMatMul", ["x", "w"], outputs=["h"], alpha=0.5, name="one"),
             fused("QuickGelu", ["h"], outputs=["q"], name="two"),
             fused("SimplifiedLayerNormalization", ["q", "s"], epsilon=0.1, name="three")]  # fmt: skip
    w, s = Q.astype(np.float16), SCALE.astype(np.float16)
    proto = net(nodes, TOKENS, {"w": w, "s": s}, elem=TensorProto.FLOAT16)
    model, x = wrap(proto, input_shape=InputSpec.latent(TOKENS)), rand(2, *TOKENS)
    h = torch.tensor(x, dtype=torch.float64) @ torch.tensor(w, dtype=torch.float64) / 2
    close(model.forward(x)[OUTPUT], root_mean_square(h * torch.sigmoid(1.702 * h), 0.1).numpy(), 1e-2)


@pytest.mark.parametrize("op", ["DynamicQuantizeMatMul", "MatMulIntegerToFloat"])
def test_a_matrix_product_quantised_as_it_runs_is_that_of_the_floats_backward(op):
    """onnxruntime writes both when it saves a dynamically quantised network; straight through, dx = dy B'."""
    steps = np.random.default_rng(0).integers(-120, 120, (HIDDEN, 7)).astype(np.int8)
    constants = {"b": steps, "of_b": np.float32(0.02), "zero_b": np.int8(3), "bias": rand(7)}
    if op == "DynamicQuantizeMatMul":
        nodes = [fused(op, ["x", "b", "of_b", "zero_b", "bias"])]
    else:
        nodes = [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "of_q", "zero_q"]),
                 fused(op, ["q", "b", "of_q", "of_b", "zero_q", "zero_b", "bias"])]  # fmt: skip
    proto = net(nodes, TOKENS, constants)
    x, dy = rand(2, *TOKENS), rand(2, 5, 7, seed=3)
    model = wrap(proto, input_shape=InputSpec.latent(TOKENS))
    pull = model.vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    close(pull.activations[OUTPUT], run_alone(proto, x), 1e-4)
    close(pull.gradients[INPUT], dy @ ((steps.astype(np.float32) - 3) * 0.02).T, 1e-4)


def test_a_maximum_of_integers_with_channels_last_is_one_of_floats():
    """As onnxruntime's quantiser writes it for unsigned bytes; an ExpandDims behind it."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        fused("NhwcMaxPool", ["q"], outputs=["m"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("DequantizeLinear", ["m", "scale", "zero"], ["d"]),
        fused("ExpandDims", ["d", "place"], name="expand"),
    ]
    constants = {"scale": np.float32(1 / 255), "zero": np.uint8(0), "place": np.int32(-1)}
    proto, x = net(nodes, (8, 8, 3), constants), np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    model = wrap(proto, input_shape=InputSpec.latent((8, 8, 3)))
    exact = torch.tensor((x * 255).round() / 255, requires_grad=True)
    y = last(F.max_pool2d(first(exact), 3, 2, 1)).unsqueeze(-1)
    dy = rand(*y.shape, seed=9)
    (want,) = torch.autograd.grad(y, exact, torch.tensor(dy))
    pull = model.vjp(x, {OUTPUT: dy}, capture=[OUTPUT])
    close(pull.activations[OUTPUT], run(proto, x))
    np.testing.assert_allclose(pull.gradients[INPUT].sum((1, 2)), want.numpy().sum((1, 2)), rtol=1e-4)


@pytest.mark.parametrize(("dtype", "axis"), [(np.uint8, None), (np.int8, 2)])
def test_onnxruntimes_own_quantisation_to_bytes_is_the_standards(dtype, axis):
    scale = np.float32(1 / 100) if axis is None else np.float32([0.01, 0.02, 0.04, 0.005])
    constants = {"scale": scale, "zero": np.full(scale.shape, 3, dtype), "nothing": np.float32(0)}
    how = {} if axis is None else {"axis": axis}
    nodes = [
        fused("QuantizeLinear", ["x", "scale", "zero"], outputs=["q"], name="q", **how),
        fused("DequantizeLinear", ["q", "scale", "zero"], outputs=["d"], name="d", **how),
        helper.make_node("Add", ["d", "nothing"], ["y"]),  # at a network's own end nothing would be cut off
    ]
    proto, x = net(nodes, (5, 4), constants), np.random.default_rng(0).random((2, 5, 4), np.float32)
    model = wrap(proto, input_shape=InputSpec.latent((5, 4)))
    close(model.forward(x)[OUTPUT], run(proto, x))
    ends = (np.iinfo(dtype).max - 3) * scale
    np.testing.assert_allclose(model.vjp(x, {OUTPUT: x}).gradients[INPUT], np.where(x < ends, x, 0), rtol=1e-5)


def test_onnxruntimes_own_quantisation_to_sixteen_bits_is_named():
    constants = {"scale": np.float32(1e-4), "zero": np.uint16(0)}
    nodes = [
        fused("QuantizeLinear", ["x", "scale", "zero"], outputs=["q"], name="q"),
        fused("DequantizeLinear", ["q", "scale", "zero"], name="d"),
    ]
    model = wrap(net(nodes, (5, 4), constants), input_shape=InputSpec.latent((5, 4)))
    x = np.zeros((1, 5, 4), np.float32)
    with pytest.raises(UnsupportedOperators, match=r"com\.microsoft\.(De)?[qQ]uantizeLinear \(opset 1\) at node"):
        model.vjp(x, {OUTPUT: x})
