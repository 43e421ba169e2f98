"""Damaged and hostile ONNX files from a seed: small sound networks, changed field by field or byte by byte.

A case is known by its seed and number alone, so that one that is found can be made again:
`file_case(seed, number, folder)`.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

__all__ = ["NETWORKS", "file_case", "file_cases", "model_case", "model_cases", "renamed"]

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
_INTEGERS = (
    *(0, 1, -1, 2, 3, 5, 7, 8, 16, 18, 127, 255, 999, 65_536, 60_000),
    *(2**31 - 1, -(2**31), 2**31, 2**32, 2**40, 2**62, 2**63 - 1, -(2**63)),
)
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 3e38, float("inf"), float("-inf"), float("nan"))
STRINGS = (
    *(
        "",
        " ",
        "a b",
        "a\nb",
        "a\rb",
        "\x1b[31mred",
        "a\0b",
        "x" * 10_000,
        "seed",
        "<input>",
        "<output>",
        "seed:<output>",
    ),
    *(
        "<absorbed>",
        "grad:x",
        "N",
        "../../etc/passwd",
        "/dev/zero",
        "é",
        "%s%n",
        "{0}",
        "'",
        '"',
        "ai.onnx",
        "com.microsoft",
    ),
    *("replace:conv", "const:int64[1]:0100000000000000", "-1", "nan"),
)
"""Names that are rare, among them those that crosslens gives to its own tensors and layers."""
_OPERATORS = (
    *(
        "Conv",
        "Relu",
        "Gemm",
        "MatMul",
        "Softmax",
        "If",
        "Loop",
        "Scan",
        "Constant",
        "Identity",
        "Resize",
        "Expand",
        "Tile",
    ),
    *(
        "Range",
        "ConstantOfShape",
        "Split",
        "Concat",
        "Reshape",
        "Cast",
        "Gather",
        "Pad",
        "SequenceAt",
        "Optional",
        "LSTM",
    ),
    *(
        "Einsum",
        "NonZero",
        "TopK",
        "RandomNormal",
        "Dropout",
        "BatchNormalization",
        "Upsample",
        "StringNormalizer",
        "Add",
    ),
)


def _weights(*shape: int) -> np.ndarray[Any, Any]:
    return (np.random.default_rng([1, *shape]).standard_normal(shape) / 4).astype(np.float32)


def _model(
    nodes: Sequence[NodeProto],
    constants: dict[str, np.ndarray[Any, Any]],
    *,
    shape: Sequence[int | str] = ("n", 3, 8, 8),
    opset: int = 18,
    domains: Sequence[str] = (),
    functions: Sequence[Any] = (),
) -> ModelProto:
    """A network from `x` to `y`."""
    image, output = (helper.make_tensor_value_info(n, FLOAT, s) for n, s in (("x", shape), ("y", None)))
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "network", [image], [output], tensors)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))
    model.metadata_props.add(key="author", value="Ultralytics")
    model.metadata_props.add(key="names", value="{0: 'cat', 1: 'dog'}")
    return model


_node = helper.make_node
_ints: Callable[..., np.ndarray[Any, Any]] = lambda *values: np.array(values, np.int64)  # noqa: E731


def convolutional() -> ModelProto:
    """A residual block with normalisation and pooling; its nodes say which module they are from."""
    nodes = [
        _node("Conv", ["x", "w", "b"], ["c"], name="conv", pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        _node("BatchNormalization", ["c", "scale", "b", "b", "scale"], ["bn"], name="norm"),
        _node("Relu", ["bn"], ["r"], name="relu"),
        _node("MaxPool", ["r"], ["m"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        _node("Conv", ["m", "w2"], ["c2"], name="conv2", group=2, pads=[1, 1, 1, 1]),
        _node("Add", ["c2", "m"], ["s"], name="add"),
        _node("AveragePool", ["s"], ["a"], name="average", kernel_shape=[2, 2]),
        _node("GlobalAveragePool", ["a"], ["p"], name="global"),
        _node("Flatten", ["p"], ["f"], name="flat"),
        _node("Gemm", ["f", "fc", "fb"], ["g"], name="fc", transB=1),
        _node("Softmax", ["g"], ["y"], name="softmax", axis=-1),
    ]
    for each in nodes:
        each.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=f"['', '{each.name}', '{each.name}']")
        each.metadata_props.add(
            key="pkg.torch.onnx.class_hierarchy", value="['net.Net', 'torch.nn.modules.X', 'aten.relu.default']"
        )
    ones = np.ones(4, np.float32)
    constants = {"w": _weights(4, 3, 3, 3), "b": _weights(4), "scale": ones, "w2": _weights(4, 2, 3, 3)}
    return _model(nodes, {**constants, "fc": _weights(5, 4), "fb": _weights(5)})


def tokens() -> ModelProto:
    """Patches, attention and normalisation, with shapes that are computed."""
    nodes = [
        _node("Conv", ["x", "w"], ["c"], name="patch", strides=[4, 4]),
        _node("Shape", ["c"], ["size"]),
        _node("Gather", ["size", "zero"], ["batch"]),
        _node("Unsqueeze", ["batch", "axes0"], ["batch1"]),
        _node("Concat", ["batch1", "rest"], ["to"], axis=0),
        _node("Reshape", ["c", "to"], ["flat"]),
        _node("Transpose", ["flat"], ["t"], perm=[0, 2, 1]),
        _node("LayerNormalization", ["t", "gain", "bias"], ["n"], name="norm", axis=-1),
        _node("MatMul", ["n", "qkv"], ["all"], name="qkv"),
        _node("Split", ["all", "parts"], ["q", "k", "v"], axis=-1),
        _node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        _node("MatMul", ["q", "kt"], ["scores"]),
        _node("Softmax", ["scores"], ["attention"], name="attention"),
        _node("MatMul", ["attention", "v"], ["mixed"]),
        _node("Add", ["mixed", "t"], ["added"]),
        _node("Slice", ["added", "start", "stop", "axes1"], ["first"], name="first"),
        _node("Einsum", ["first", "head"], ["y3"], equation="btd,dk->btk"),
        _node("Squeeze", ["y3", "axes1"], ["y"]),
    ]
    constants = {"w": _weights(6, 3, 4, 4), "gain": np.ones(6, np.float32), "bias": _weights(6), "qkv": _weights(6, 18)}
    constants |= {"zero": np.array(0), "axes0": _ints(0), "rest": _ints(6, 4), "parts": _ints(6, 6, 6)}
    constants |= {"start": _ints(0), "stop": _ints(1), "axes1": _ints(1), "head": _weights(6, 3)}
    return _model(nodes, constants)


def _body(name: str, nodes: Sequence[NodeProto], inputs: Sequence[Any], outputs: Sequence[str]) -> GraphProto:
    infos = [helper.make_tensor_value_info(*each) for each in inputs]
    return helper.make_graph(nodes, name, infos, [helper.make_tensor_value_info(o, e, None) for o, e in outputs])


def control_flow() -> ModelProto:
    """An If, a Loop, a Scan and a sequence."""
    yes = _body("yes", [_node("Relu", ["x"], ["t"])], [], [("t", FLOAT)])
    no = _body("no", [_node("Neg", ["x"], ["e"])], [], [("e", FLOAT)])
    step = _body(
        "step",
        [_node("Identity", ["go"], ["on"]), _node("Mul", ["h", "half"], ["h2"]), _node("Identity", ["h2"], ["row"])],
        [("i", INT64, []), ("go", TensorProto.BOOL, []), ("h", FLOAT, None)],
        [("on", TensorProto.BOOL), ("h2", FLOAT), ("row", FLOAT)],
    )
    scan = _body(
        "scan",
        [_node("Add", ["s", "each"], ["s2"]), _node("Tanh", ["s2"], ["out"])],
        [("s", FLOAT, None), ("each", FLOAT, None)],
        [("s2", FLOAT), ("out", FLOAT)],
    )
    nodes = [
        _node("If", ["flag"], ["chosen"], name="if", then_branch=yes, else_branch=no),
        _node("Loop", ["three", "", "chosen"], ["looped", "rows"], name="loop", body=step),
        _node("Scan", ["zeros", "rows"], ["state", "scanned"], name="scan", body=scan, num_scan_inputs=1),
        _node("SplitToSequence", ["looped", "one"], ["pieces"], axis=1),
        _node("SequenceAt", ["pieces", "zero"], ["piece"]),
        _node("ConcatFromSequence", ["pieces"], ["joined"], axis=1),
        _node("Add", ["joined", "piece"], ["added"]),
        _node("Add", ["added", "state"], ["more"]),
        _node("ReduceMean", ["more", "axes"], ["y"], keepdims=0),
    ]
    constants = {"flag": np.array(True), "three": np.array(3), "half": np.array(0.5, np.float32), "one": np.array(1)}
    zeros = np.zeros((1, 3, 8, 8), np.float32)
    return _model(nodes, {**constants, "zero": np.array(0), "zeros": zeros, "axes": _ints(2, 3)}, shape=(1, 3, 8, 8))


def with_functions() -> ModelProto:
    """Functions of the model's own that call each other."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    inner = helper.make_function("own", "Inner", ["a"], ["b"], [_node("Relu", ["a"], ["b"])], opsets)
    call = [_node("Inner", ["a"], ["t"], domain="own"), _node("Mul", ["t", "t"], ["b"])]
    outer = helper.make_function("own", "Outer", ["a"], ["b"], call, opsets)
    nodes = [
        _node("Conv", ["x", "w"], ["c"], name="conv"),
        _node("Outer", ["c"], ["o"], domain="own", name="outer"),
        _node("GlobalMaxPool", ["o"], ["p"]),
        _node("Reshape", ["p", "to"], ["y"]),
    ]
    constants = {"w": _weights(4, 3, 3, 3), "to": _ints(-1, 4)}
    return _model(nodes, constants, domains=["own"], functions=[inner, outer])


def sizes() -> ModelProto:
    """Constants that other constants decide the sizes of."""
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("sv", FLOAT, [2], [1.0, 2.0]), helper.make_tensor("si", INT64, [2], [0, 5]), [3, 4]
    )
    nodes = [
        _node("ConstantOfShape", ["to"], ["zeros"], value=helper.make_tensor("v", FLOAT, [1], [0.5])),
        _node("Expand", ["single", "to"], ["wide"]),
        _node("Tile", ["single", "times"], ["tiled"]),
        _node("Range", ["from", "until", "by"], ["counted"]),
        _node("Resize", ["x", "", "twice"], ["big"], mode="nearest"),
        _node("Pad", ["big", "pads"], ["padded"]),
        _node("Slice", ["padded", "starts", "ends"], ["cut"]),
        _node("Constant", [], ["sparse"], sparse_value=sparse),
        _node("ReduceSum", ["sparse"], ["weight"], keepdims=0),
        _node("Constant", [], ["literal"], value_float=2.0),
        _node("Mul", ["cut", "literal"], ["m1"]),
        _node("Add", ["m1", "zeros"], ["m2"]),
        _node("Mul", ["m2", "wide"], ["m3"]),
        _node("Add", ["m3", "tiled"], ["m4"]),
        _node("Add", ["m4", "counted"], ["m5"]),
        _node("Mul", ["m5", "weight"], ["m6"]),
        _node("OneHot", ["hot", "depth", "values"], ["hots"], axis=-1),
        _node("Add", ["m6", "hots"], ["y"]),
    ]
    constants = {"to": _ints(1, 3, 8, 8), "single": _weights(1, 3, 1, 1), "times": _ints(1, 1, 8, 8)}
    constants |= {name: np.array(v, np.float32) for name, v in (("from", 0), ("until", 8), ("by", 1))}
    constants |= {"twice": np.array([1, 1, 2, 2], np.float32), "pads": _ints(0, 0, 1, 1, 0, 0, 1, 1)}
    constants |= {"starts": _ints(0, 0, 0, 0), "ends": _ints(9, 9, 8, 8), "hot": np.array([[1]]), "depth": np.array(8)}
    return _model(nodes, {**constants, "values": np.array([0, 1], np.float32)})


def quantised() -> ModelProto:
    """Quantised convolution, and operators of onnxruntime."""
    nodes = [
        _node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        _node("QLinearConv", ["q", "s", "z", "w", "sw", "zw", "s", "z"], ["c"], name="conv"),
        _node("DequantizeLinear", ["c", "s", "z"], ["d"]),
        _node("Gelu", ["d"], ["g"], domain="com.microsoft", name="gelu"),
        _node("FusedConv", ["g", "w2"], ["f"], domain="com.microsoft", activation="Relu", name="fused"),
        _node("ReduceMean", ["f"], ["y"], axes=[2, 3], keepdims=0),
    ]
    w = np.random.default_rng(0).integers(-99, 99, (4, 3, 3, 3)).astype(np.int8)
    constants = {"s": np.array(0.1, np.float32), "z": np.array(128, np.uint8), "w": w, "w2": _weights(4, 4, 3, 3)}
    scale, zero = np.array(0.01, np.float32), np.array(0, np.int8)
    return _model(nodes, {**constants, "sw": scale, "zw": zero}, opset=13, domains=["com.microsoft"])


def old() -> ModelProto:
    """Opset 9, with attributes where there are inputs today, channels last."""
    nodes = [
        _node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        _node("Pad", ["t"], ["p"], pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="constant"),
        _node("Conv", ["p", "w"], ["c"], name="model/conv/Conv2D"),
        _node("Clip", ["c"], ["r"], min=0.0, max=6.0),
        _node("Upsample", ["r", "scales"], ["u"], mode="nearest"),
        _node("Slice", ["u"], ["s"], starts=[0, 0], ends=[4, 4], axes=[2, 3]),
        _node("Dropout", ["s"], ["d"], ratio=0.5),
        _node("ReduceSum", ["d"], ["sum"], axes=[2, 3], keepdims=0),
        _node("Unsqueeze", ["sum"], ["un"], axes=[1]),
        _node("Squeeze", ["un"], ["sq"], axes=[1]),
        _node("Softmax", ["sq"], ["y"]),
    ]
    constants = {"w": _weights(4, 3, 3, 3), "scales": np.array([1, 1, 2, 2], np.float32)}
    return _model(nodes, constants, shape=("n", 8, 8, 3), opset=9)


def recurrent() -> ModelProto:
    """An LSTM over the rows of an image, and Gather, Where, TopK behind it."""
    nodes = [
        _node("ReduceMean", ["x", "one"], ["rows"], keepdims=0),
        _node("Transpose", ["rows"], ["t"], perm=[1, 0, 2]),
        _node("LSTM", ["t", "w", "r"], ["", "h"], hidden_size=4, name="lstm"),
        _node("Squeeze", ["h", "zero"], ["s"]),
        _node("Greater", ["s", "nought"], ["above"]),
        _node("Where", ["above", "s", "nought"], ["chosen"]),
        _node("TopK", ["chosen", "two"], ["top", "which"], axis=1),
        _node("Gather", ["chosen", "picked"], ["few"], axis=1),
        _node("Concat", ["top", "few"], ["y"], axis=1),
    ]
    constants = {"w": _weights(1, 16, 8), "r": _weights(1, 16, 4), "one": _ints(1), "zero": _ints(0), "two": _ints(2)}
    return _model(nodes, {**constants, "nought": np.array(0, np.float32), "picked": _ints(0, 2)})


NETWORKS: tuple[Callable[[], ModelProto], ...] = (
    *(convolutional, tokens, control_flow, with_functions),
    *(sizes, quantised, old, recurrent),
)
"""Sound networks that run and have gradients."""


def renamed(model: ModelProto, names: dict[str, str]) -> ModelProto:
    """A copy with other names of tensors, inside subgraphs too."""
    copy = ModelProto()
    copy.CopyFrom(model)
    waiting = [copy.graph]
    while waiting:
        graph = waiting.pop()
        for each in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
            each.name = names.get(each.name, each.name)
        for node in graph.node:
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names.get(name, name) for name in node.output]
            waiting += [attribute.g for attribute in node.attribute if attribute.type == AttributeProto.GRAPH]
    return copy


def _messages(message: Any) -> Iterator[Any]:
    """A message and all messages inside it, without the numbers of weights."""
    yield message
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if field.is_repeated else [value]:
                yield from _messages(inner)


def _tensors(model: ModelProto) -> list[str]:
    return [*(o for n in model.graph.node for o in n.output), *(t.name for t in model.graph.initializer), "x"]


def _scalar(random: Random, field: FieldDescriptor, model: ModelProto, old: Any) -> Any:
    """A rare value of a field's type, or one near the old one."""
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_STRING:
        text = random.choice([*STRINGS, *_tensors(model), *_OPERATORS])
        return (
            text if field.type == FieldDescriptor.TYPE_STRING else random.choice([text.encode(), random.randbytes(9)])
        )
    if kind in {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}:
        return random.choice(_FLOATS)
    if kind == FieldDescriptor.CPPTYPE_ENUM:
        return random.choice([value.number for value in field.enum_type.values])
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return not old
    value = random.choice([*_INTEGERS, (old or 0) + 1, (old or 0) - 1, 2 * (old or 0)])
    small = kind in {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32}
    unsigned = kind in {FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64}
    low, high = (-(2**31), 2**31) if small else (-(2**63), 2**63)
    return min(max(value, 0 if unsigned else low), high - 1)


def _change_field(random: Random, model: ModelProto) -> str:
    """Change one field of one message anywhere: drop it, repeat, swap or replace an element, give another value."""
    messages = [each for each in _messages(model) if each.ListFields()]
    message = random.choice(messages)
    field, value = random.choice(message.ListFields())
    where = f"{message.DESCRIPTOR.name}.{field.name}"
    if not field.is_repeated:
        if field.type == FieldDescriptor.TYPE_MESSAGE or random.random() < 0.3:
            message.ClearField(field.name)
            return f"drop {where}"
        setattr(message, field.name, _scalar(random, field, model, value))
        return f"set {where}"
    place, other = random.randrange(len(value)), random.randrange(len(value))
    how = random.choice(["drop", "repeat", "swap", "clear", "set", "set"])
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        parts = [type(value[0]).FromString(each.SerializeToString()) for each in value]
        if how == "set":
            same = [m for m in _messages(model) if m.DESCRIPTOR.name == parts[place].DESCRIPTOR.name]
            parts[place].CopyFrom(random.choice(same))
    else:
        parts = list(value)
        if how == "set":
            parts[place] = _scalar(random, field, model, parts[place])
    if how == "drop":
        del parts[place]
    elif how == "repeat":
        parts[other:other] = [parts[place]] * random.choice([1, 1, 2, 50])
    elif how == "swap":
        parts[place], parts[other] = parts[other], parts[place]
    elif how == "clear":
        parts = []
    message.ClearField(field.name)
    getattr(message, field.name).extend(parts)
    return f"{how} {where}"


def _rewire(random: Random, model: ModelProto) -> str:
    """Let a node read another tensor: cycles, tensors of other types, tensors that nobody makes."""
    node = random.choice(model.graph.node)
    if not node.input:
        node.input.append("x")
    place = random.randrange(len(node.input))
    node.input[place] = random.choice([*_tensors(model), "", "nobody"])
    return f"rewire {node.op_type}"


def _rename(random: Random, model: ModelProto) -> str:
    """A legal change: another name for a tensor, everywhere."""
    old, new = random.choice(_tensors(model)), random.choice(STRINGS)
    model.CopyFrom(renamed(model, {old: new}))
    return f"rename {old} {new[:20]!r}"


def _operator(random: Random, model: ModelProto) -> str:
    node = random.choice(model.graph.node)
    node.op_type = random.choice([*_OPERATORS, *(n.op_type for n in model.graph.node)])
    return f"operator {node.op_type}"


def _attribute(random: Random, model: ModelProto) -> str:
    """An attribute of another type, or one that the operator does not have."""
    node = random.choice(model.graph.node)
    values: list[Any] = [1, -1, 2**40, 0.5, "text", [1, 2], [0.5], ["a"], [2**62], np.float32(1)]
    known = [a.name for a in node.attribute] or ["axis", "value", "body", "to", "perm", "pads", "mode", "axes"]
    made = helper.make_attribute(random.choice(known), random.choice(values))
    kept = [a for a in node.attribute if a.name != made.name]
    if random.random() < 0.2:
        made.type = random.choice(list(AttributeProto.AttributeType.values()))
    attributes = [AttributeProto.FromString(a.SerializeToString()) for a in kept]
    del node.attribute[:]
    node.attribute.extend([*attributes, made])
    return f"attribute {node.op_type}.{made.name}"


def _numbers(random: Random, model: ModelProto) -> str:
    """Other numbers in a constant of integers: sizes, axes, indices, counts."""
    small = [t for t in model.graph.initializer if t.data_type == INT64]
    if not small:
        return _change_field(random, model)
    tensor = random.choice(small)
    values = numpy_helper.to_array(tensor).copy()
    values.reshape(-1)[random.randrange(values.size)] = random.choice(_INTEGERS)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return f"numbers {tensor.name}"


def _tensor(random: Random, model: ModelProto) -> str:
    """Dims, type and bytes of a constant that do not belong together."""
    tensor = random.choice([m for m in _messages(model) if isinstance(m, TensorProto)])
    how = random.randrange(5)
    if how == 0:
        tensor.dims[:] = [random.choice(_INTEGERS) for _ in range(random.randrange(6))]
    elif how == 1:
        tensor.data_type = random.choice([*TensorProto.DataType.values(), 99])
    elif how == 2:
        tensor.raw_data = random.randbytes(random.choice([0, 1, 3, 4, 8, 2000]))
    elif how == 3:
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(
            key="location", value=random.choice([*STRINGS, "weights", "model.onnx", "/etc/passwd"])
        )
        for key in ("offset", "length"):
            tensor.external_data.add(key=key, value=str(random.choice([*_INTEGERS, "x"])))
    else:
        tensor.ClearField("raw_data")
        tensor.float_data.extend([0.5] * random.randrange(5))
    return f"tensor {tensor.name} {how}"


def _function(random: Random, model: ModelProto) -> str:
    """Functions that call themselves, each other, or carry the name of an operator of the standard."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    name = random.choice(["Relu", "F", "Conv", "Inner"])
    domain = random.choice(["", "own"])
    calls = [_node(random.choice([name, "Outer", "Relu", "Neg"]), ["a"], ["b"], domain=random.choice(["", "own"]))]
    model.functions.append(helper.make_function(domain, name, ["a"], ["b"], calls, opsets))
    node = random.choice(model.graph.node)
    if random.random() < 0.5:
        node.op_type, node.domain = name, domain
    return f"function {domain}.{name}"


_CHANGES = (
    *[_change_field] * 10, *[_rewire] * 2, *[_rename] * 2, *[_operator] * 2, *[_attribute] * 2,
    *[_numbers] * 2, *[_tensor] * 2, _function,
)  # fmt: skip


def model_case(seed: int, number: int) -> tuple[str, ModelProto]:
    """A case with changed fields: what was changed, and the network."""
    random = Random(f"{seed}:{number}")
    network = NETWORKS[number % len(NETWORKS)]
    model, changes = network(), []
    for _ in range(random.choice([1, 1, 1, 2, 3, 5])):
        try:
            changes.append(random.choice(_CHANGES)(random, model))
        except (ValueError, LookupError, TypeError, checker.ValidationError) as error:
            changes.append(f"no change ({type(error).__name__})")
    return f"{network.__name__}: {', '.join(changes)}", model


def _damage(random: Random, content: bytes) -> tuple[str, bytes]:
    """Flipped bits, cut, inserted, repeated or zeroed bytes, and text that is not UTF-8."""
    data, at = bytearray(content), random.randrange(len(content))
    size = random.choice([1, 1, 2, 4, 16, 100])
    how = random.choice(["flip", "flip", "flip", "cut", "insert", "repeat", "zeros", "text", "end"])
    if how == "flip":
        for _ in range(random.choice([1, 1, 2, 8])):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    elif how == "cut":
        del data[at : at + size]
    elif how == "insert":
        data[at:at] = random.randbytes(size)
    elif how == "repeat":
        data[at:at] = data[at : at + size] * random.choice([1, 10])
    elif how == "zeros":
        data[at : at + size] = bytes(size)
    elif how == "text":
        letters = [place for place, byte in enumerate(data) if chr(byte).isalpha()]
        for place in random.sample(letters, min(3, len(letters))):
            data[place] = 0xFF
    else:
        del data[at:]
    return how, bytes(data)


def file_case(seed: int, number: int, folder: Path) -> tuple[str, Path]:
    """A case as a file; two of five have damaged bytes."""
    random = Random(f"{seed}:{number}:bytes")
    path = folder / "model.onnx"
    if random.random() < 0.6:
        name, model = model_case(seed, number)
        content = model.SerializeToString()
    else:
        network = NETWORKS[number % len(NETWORKS)]
        how, content = _damage(random, network().SerializeToString())
        name = f"{network.__name__}: bytes, {how}"
    path.write_bytes(content)
    return f"{seed}:{number} {name}", path


def model_cases(seed: int, count: int) -> Iterator[tuple[str, ModelProto]]:
    """Cases as messages in memory."""
    for number in range(count):
        name, model = model_case(seed, number)
        yield f"{seed}:{number} {name}", model


def file_cases(seed: int, count: int, folder: Path) -> Iterator[tuple[str, Path]]:
    """Cases as files; each replaces the one before it."""
    for number in range(count):
        yield file_case(seed, number, folder)
