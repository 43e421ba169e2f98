"""ONNX files that are wrong in one known way each: declared sizes, functions that grow, odd metadata, odd graphs."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tests.hostile import onnx_files as files

__all__ = ["CASES", "named_cases"]

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
Made = ModelProto | bytes
CASES: dict[str, Callable[[Path], Made]] = {}
"""By name: a function that makes the file's content, and may put others into the folder beside it."""
_node = helper.make_node
SCOPES = "pkg.torch.onnx.name_scopes"


def named_cases(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each case as a file, in a folder of its own."""
    for name, make in CASES.items():
        inside = folder / name
        inside.mkdir(parents=True, exist_ok=True)
        made = make(inside)
        (inside / "model.onnx").write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
        yield name, inside / "model.onnx"


def _case(make: Callable[[Path], Made]) -> Callable[[Path], Made]:
    CASES[make.__name__] = make
    return make


def _variants(*values: Any) -> Callable[[Callable[[Any], Made]], Callable[[Any], Made]]:
    """One case for each value."""

    def register(make: Callable[[Any], Made]) -> Callable[[Any], Made]:
        for count, value in enumerate(values):
            CASES[f"{make.__name__}_{count}"] = lambda _, value=value: make(value)  # type: ignore[misc]
        return make

    return register


def network(
    *nodes: NodeProto,
    constants: dict[str, Any] | None = None,
    shape: tuple[Any, ...] = ("n", 3, 8, 8),
    opset: int = 18,
    domains: tuple[str, ...] = (),
) -> ModelProto:
    """A network from `x` to `y`; constants are arrays or TensorProtos."""
    made = files._model(nodes, {}, shape=shape, opset=opset, domains=domains)
    for name, value in (constants or {}).items():
        tensor = value if isinstance(value, TensorProto) else numpy_helper.from_array(value, name)
        made.graph.initializer.append(tensor)
    return made


def _with_metadata(key: str, value: str) -> ModelProto:
    model = files.convolutional()
    for node in model.graph.node:
        del node.metadata_props[:]
        node.metadata_props.add(key=key, value=value)
    return model


ODD_TEXT = (
    *(
        "",
        "[",
        "[]",
        "['']",
        "[1, 2]",
        "{}",
        "None",
        "'conv'",
        "('a', 'b')",
        "[['a'], ['b']]",
        "[b'a']",
        "1",
        "os.getcwd()",
    ),
    *("[" * 5000, "['a', 'b', 'c'] + ['d']", "\0", "[None, None]", "-" * 5000 + "1", "9**9**9", "['\\ud800', 'a']"),
)


@_variants(*ODD_TEXT)
def name_scopes(text: str) -> Made:
    """Exporters' metadata of any shape: it is decoration."""
    return _with_metadata(SCOPES, text)


@_variants(*ODD_TEXT)
def class_hierarchy(text: str) -> Made:
    """The same under the second key."""
    model = _with_metadata(SCOPES, "['', 'conv', 'conv']")
    for node in model.graph.node:
        node.metadata_props.add(key="pkg.torch.onnx.class_hierarchy", value=text)
    return model


@_variants("{", "{0: 'a'}" * 2, "[1, 2]", "{0: 1, 1: None}", "(" * 9000, "{0: 'a', 2: 'b'}", "9**9**9")
def ultralytics_names(text: str) -> Made:
    """Names of classes that are none."""
    model = files.convolutional()
    for entry in model.metadata_props:
        entry.value = text if entry.key == "names" else entry.value
    model.metadata_props.add(key="task", value="classify")
    return model


@_variants(
    "", "{", "[]", "null", "1", '{"labels": 3}', '{"labels": ["a"], "preprocess": [1]}', "[" * 90_000, '{"a": NaN}'
)
def own_metadata(text: str) -> Made:
    """What stands under crosslens' own key."""
    model = files.convolutional()
    model.metadata_props.add(key="crosslens", value=text)
    return model


@_case
def long_doc_strings(_: Path) -> Made:
    """Megabytes of text in every place for text."""
    model = files.convolutional()
    model.doc_string = model.graph.doc_string = model.producer_name = model.graph.name = "x" * (4 << 20)
    for node in model.graph.node:
        node.doc_string = "y" * (1 << 20)
    return model


@_case
def zeros(_: Path) -> Made:
    """40 MB of zeros."""
    return bytes(40_000_000)


@_case
def empty_nodes(_: Path) -> Made:
    """A graph of ten million nodes of two bytes each."""
    graph = b"\x0a\x00" * 10_000_000
    return b"\x08\x08" + b"\x3a" + _varint(len(graph)) + graph


@_case
def empty_attributes(_: Path) -> Made:
    """A node of ten million attributes."""
    node = b"\x2a\x00" * 10_000_000
    graph = b"\x0a" + _varint(len(node)) + node
    return b"\x08\x08" + b"\x3a" + _varint(len(graph)) + graph


@_case
def unknown_fields(_: Path) -> Made:
    """Ten million fields that ONNX does not know."""
    return files.convolutional().SerializeToString() + b"\xf8\x07\x01" * 10_000_000


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])


def doubling_functions(depth: int, *, recursive: bool = False) -> ModelProto:
    """Functions that each call the next one twice: 2 ** depth nodes in a few kilobytes."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    model = network(_node("F0", ["x"], ["y"], domain="own"), domains=("own",))
    for number in range(depth):
        last = number == depth - 1
        name, domain = (f"F{0 if recursive else number + 1}", "own") if not last or recursive else ("Relu", "")
        calls = [_node(name, ["a"], ["t"], domain=domain), _node(name, ["t"], ["b"], domain=domain)]
        model.functions.append(helper.make_function("own", f"F{number}", ["a"], ["b"], calls, opsets))
    return model


@_case
def functions_40(_: Path) -> Made:
    """The 8 kB that took 8.5 GB."""
    return doubling_functions(40)


@_case
def functions_20(_: Path) -> Made:
    """A million nodes."""
    return doubling_functions(20)


@_case
def functions_recursive(_: Path) -> Made:
    """A function that calls itself."""
    return doubling_functions(1, recursive=True)


@_case
def functions_circle(_: Path) -> Made:
    """Three functions in a circle."""
    return doubling_functions(3, recursive=True)


@_case
def functions_in_subgraphs(_: Path) -> Made:
    """Functions that call the next one twice inside the branches of an If."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    model = network(_node("F0", ["x"], ["y"], domain="own"), domains=("own",))
    for number in range(40):
        name, domain = (f"F{number + 1}", "own") if number < 39 else ("Relu", "")
        branches = [
            helper.make_graph(
                [_node(name, ["a"], [o], domain=domain)], o, [], [helper.make_tensor_value_info(o, FLOAT, None)]
            )
            for o in ("t", "e")
        ]
        nodes = [
            _node("Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.BOOL, [], [True])),
            _node("If", ["c"], ["b"], then_branch=branches[0], else_branch=branches[1]),
        ]
        model.functions.append(helper.make_function("own", f"F{number}", ["a"], ["b"], nodes, opsets))
    return model


@_case
def function_with_the_name_of_relu(_: Path) -> Made:
    """A function called Relu in the standard's domain, which calls Relu."""
    model = network(_node("Relu", ["x"], ["y"]))
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("", "Relu", ["a"], ["b"], [_node("Relu", ["a"], ["b"])], opsets))
    return model


@_case
def function_that_replaces_relu(_: Path) -> Made:
    """A function called Relu in the standard's domain, which calls Neg."""
    model = network(_node("Relu", ["x"], ["y"]))
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("", "Relu", ["a"], ["b"], [_node("Neg", ["a"], ["b"])], opsets))
    return model


@_case
def many_constants(_: Path) -> Made:
    """Constants of 300 MB each that fit alone and not together."""
    nodes = [_node("ConstantOfShape", ["to"], [f"z{n}"]) for n in range(100)]
    nodes += [_node("ReduceMax", [f"z{n}"], [f"s{n}"], keepdims=0) for n in range(100)]
    nodes += [_node("Sum", ["x", *(f"s{n}" for n in range(100))], ["y"])]
    return network(*nodes, constants={"to": np.array([75_000_000])})


HUGE = (2**31, 2**40, 2**62)


@_variants(*HUGE)
def constant_of_shape(count: int) -> Made:
    """A constant with a size that no memory has."""
    nodes = [_node("ConstantOfShape", ["to"], ["z"]), _node("ReduceSum", ["z"], ["s"]), _node("Add", ["x", "s"], ["y"])]
    return network(*nodes, constants={"to": np.array([count])})


@_variants(*HUGE)
def expand(count: int) -> Made:
    """The same by Expand."""
    nodes = [_node("Expand", ["one", "to"], ["z"]), _node("ReduceMax", ["z"], ["s"]), _node("Add", ["x", "s"], ["y"])]
    return network(*nodes, constants={"one": np.ones(1, np.float32), "to": np.array([count])})


@_variants(*HUGE)
def tile(count: int) -> Made:
    """The same by Tile."""
    nodes = [_node("Tile", ["one", "to"], ["z"]), _node("ReduceMax", ["z"], ["s"]), _node("Add", ["x", "s"], ["y"])]
    return network(*nodes, constants={"one": np.ones(1, np.float32), "to": np.array([count])})


@_variants(2**31, 2**40, 2**62)
def range_of(count: int) -> Made:
    """The same by Range."""
    nodes = [
        _node("Range", ["zero", "count", "one"], ["i"]),
        _node("Cast", ["i"], ["f"], to=FLOAT),
        _node("ReduceMax", ["f"], ["s"]),
        _node("Add", ["x", "s"], ["y"]),
    ]
    return network(*nodes, constants={"zero": np.array(0), "one": np.array(1), "count": np.array(count)})


@_variants(1e4, 1e9, float("inf"), float("nan"), -1.0, 0.0)
def resize_of_a_constant(scale: float) -> Made:
    """A constant enlarged."""
    nodes = [_node("Resize", ["one", "", "s"], ["z"], mode="nearest"), _node("Add", ["x", "z"], ["y"])]
    constants = {"one": np.ones((1, 1, 1, 1), np.float32), "s": np.array([1, 1, scale, scale], np.float32)}
    return network(*nodes, constants=constants)


@_variants(1e4, 1e9, float("inf"), float("nan"), -1.0, 0.0)
def resize_of_the_image(scale: float) -> Made:
    """The image enlarged."""
    nodes = [_node("Resize", ["x", "", "s"], ["z"], mode="nearest"), _node("GlobalMaxPool", ["z"], ["y"])]
    return network(*nodes, constants={"s": np.array([1, 1, scale, scale], np.float32)})


@_case
def concat_doubles(_: Path) -> Made:
    """Forty Concats that each double a constant."""
    nodes = [_node("Concat", [f"c{n}", f"c{n}"], [f"c{n + 1}"], axis=0) for n in range(40)]
    nodes += [_node("ReduceMax", ["c40"], ["s"]), _node("Add", ["x", "s"], ["y"])]
    return network(*nodes, constants={"c0": np.ones(1, np.float32)})


@_case
def concat_doubles_the_image(_: Path) -> Made:
    """Forty Concats that each double the image."""
    nodes = [_node("Concat", [f"c{n}" if n else "x"] * 2, [f"c{n + 1}"], axis=2) for n in range(40)]
    return network(*nodes, _node("GlobalMaxPool", ["c40"], ["y"]))


@_case
def outer_product(_: Path) -> Made:
    """A product of a column and a row of 200,000 numbers each."""
    nodes = [_node("Mul", ["c", "r"], ["m"]), _node("ReduceMax", ["m"], ["s"]), _node("Add", ["x", "s"], ["y"])]
    ones = np.ones(200_000, np.float32)
    return network(*nodes, constants={"c": ones[:, None], "r": ones[None]})


@_variants((200_000, 3_000_000), (2**31, 2**31), (2**62, 4), (-1, 2))
def sparse(dims: tuple[int, int]) -> Made:
    """A sparse constant with two numbers and huge dims."""
    places = helper.make_tensor("i", INT64, [2], [0, 1])
    made = helper.make_sparse_tensor(helper.make_tensor("v", FLOAT, [2], [1.0, 2.0]), places, dims)
    nodes = [_node("Constant", [], ["c"], sparse_value=made), _node("ReduceMax", ["c"], ["s"])]
    return network(*nodes, _node("Add", ["x", "s"], ["y"]))


@_variants([99], [-1], [-99])
def sparse_index(places: list[int]) -> Made:
    """A sparse constant with an index that is not there."""
    indices = helper.make_tensor("i", INT64, [1], places)
    made = helper.make_sparse_tensor(helper.make_tensor("v", FLOAT, [1], [1.0]), indices, [8])
    return network(_node("Constant", [], ["c"], sparse_value=made), _node("Add", ["x", "c"], ["y"]))


@_variants(
    ("n", 3, 60_000, 60_000),
    (1, 3, 2**31, 2**31),
    ("n", 3, 0, 0),
    ("n", 3, -1, -1),
    (2**40, 3, 8, 8),
    (0, 3, 8, 8),
    (),
    (1,),
)
def input_shape(shape: tuple[Any, ...]) -> Made:
    """Declared sizes of the image."""
    return network(_node("Relu", ["x"], ["y"]), shape=shape)


@_variants([2**40], [2**62, 2**62], [-1], [0], [4, 0, 2**62], [1] * 1000)
def initializer_dims(dims: list[int]) -> Made:
    """A weight with other dims than bytes."""
    tensor = TensorProto(name="w", data_type=FLOAT, dims=dims, raw_data=bytes(4))
    return network(_node("Add", ["x", "w"], ["y"]), constants={"w": tensor})


@_variants(0, 8, 17, 21, 25, 99, -1)
def element_type(elem: int) -> Made:
    """A weight of a type that is unknown, text, or rare."""
    tensor = TensorProto(name="w", dims=[1], raw_data=bytes(4))
    content = network(_node("Add", ["x", "w"], ["y"]), constants={"w": tensor})
    content.graph.initializer[0].data_type = elem
    return content


@_variants(b"\xff\xfe", b"\xc3\x28")
def names_that_are_not_utf8(text: bytes) -> Made:
    """A tensor's and a node's name."""
    model = network(_node("Relu", ["x"], ["QQ"], name="QQ"), _node("Neg", ["QQ"], ["y"]))
    return model.SerializeToString().replace(b"QQ", text)


@_case
def no_outputs(_: Path) -> Made:
    """A graph without outputs."""
    model = files.convolutional()
    del model.graph.output[:]
    return model


@_case
def no_inputs(_: Path) -> Made:
    """A graph without inputs."""
    model = network(_node("Constant", [], ["y"], value_float=1.0))
    del model.graph.input[:]
    return model


@_case
def constant_without_value(_: Path) -> Made:
    """A Constant without an attribute."""
    return network(_node("Constant", [], ["c"]), _node("Add", ["x", "c"], ["y"]))


@_variants(5, 0, -1, 3, 2**40)
def conv_group(group: int) -> Made:
    """Groups that do not divide the channels."""
    return network(
        _node("Conv", ["x", "w"], ["y"], group=group, name="conv"), constants={"w": np.ones((4, 3, 3, 3), np.float32)}
    )


@_variants([0, 0], [-1, 1], [2**40, 1], [1], [1, 1, 1])
def conv_strides(strides: list[int]) -> Made:
    """Strides that are none."""
    return network(
        _node("Conv", ["x", "w"], ["y"], strides=strides), constants={"w": np.ones((4, 3, 3, 3), np.float32)}
    )


@_variants([2**31] * 4, [-9] * 4, [2**62] * 4, [1])
def conv_pads(pads: list[int]) -> Made:
    """Padding beyond all memory."""
    return network(_node("Conv", ["x", "w"], ["y"], pads=pads), constants={"w": np.ones((4, 3, 3, 3), np.float32)})


@_variants(0, -1, 2, 5)
def scan_inputs(count: int) -> Made:
    """A Scan with another number of inputs than its body."""
    model = files.control_flow()
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "num_scan_inputs":
                attribute.i = count
    return model


@_variants("If", "Loop", "Scan")
def without_body(op: str) -> Made:
    """Control flow without its graphs."""
    model = files.control_flow()
    for node in model.graph.node:
        if node.op_type == op:
            del node.attribute[:]
    return model


@_variants(2**62, -1, 10**6)
def loop_count(count: int) -> Made:
    """A Loop that runs for ever."""
    model = files.control_flow()
    for tensor in model.graph.initializer:
        if tensor.name == "three":
            tensor.CopyFrom(numpy_helper.from_array(np.array(count), "three"))
    return model


@_variants("in", "across", "self")
def cycle(kind: str) -> Made:
    """Nodes that read each other."""
    a, b = ("b", "a") if kind != "self" else ("a", "b")
    nodes = [_node("Add", ["x", a], ["a"], name="one"), _node("Add", ["x", b], ["b"], name="two")]
    return network(*nodes, _node("Add", ["a", "b"], ["y"]))


@_case
def duplicate_outputs(_: Path) -> Made:
    """Two nodes that compute one tensor."""
    return network(_node("Relu", ["x"], ["a"]), _node("Neg", ["x"], ["a"]), _node("Abs", ["a"], ["y"]))


@_case
def duplicate_node_names(_: Path) -> Made:
    """Nodes of one name."""
    nodes = [_node("Relu", ["x"], ["a"], name="same"), _node("Neg", ["a"], ["b"], name="same")]
    return network(*nodes, _node("Abs", ["b"], ["y"], name="Neg:b"))


@_case
def output_is_the_input(_: Path) -> Made:
    """An output that no node computes."""
    model = network(_node("Relu", ["x"], ["unused"]))
    model.graph.output[0].name = "x"
    return model


@_case
def output_is_a_constant(_: Path) -> Made:
    """An output that does not depend on the image."""
    return network(_node("Relu", ["x"], ["unused"]), constants={"y": np.ones((1, 3), np.float32)})


@_variants(0, 1, 6, 999, -1, 2**40)
def opset(version: int) -> Made:
    """Opsets that do not exist."""
    return network(_node("Relu", ["x"], ["y"]), opset=version)


@_case
def no_opset(_: Path) -> Made:
    """No opset at all."""
    model = network(_node("Relu", ["x"], ["y"]))
    del model.opset_import[:]
    return model


@_case
def two_opsets(_: Path) -> Made:
    """Two opsets of one domain."""
    model = network(_node("Relu", ["x"], ["y"]))
    model.opset_import.extend([helper.make_opsetid("", 9), helper.make_opsetid("ai.onnx", 13)])
    return model


@_variants(0, -1, 99, 2**40)
def ir_version(version: int) -> Made:
    """Versions of the format."""
    model = network(_node("Relu", ["x"], ["y"]))
    model.ir_version = version
    return model


@_case
def custom_domain(_: Path) -> Made:
    """An operator of a library that is not there."""
    return network(_node("Run", ["x"], ["y"], domain="evil", library="./evil.so"), domains=("evil",))


@_case
def ep_context(_: Path) -> Made:
    """onnxruntime's operator that loads a file for an execution provider."""
    how = {"ep_cache_context": "../../etc/passwd", "embed_mode": 0, "source": "QNN", "main_context": 1}
    return network(_node("EPContext", ["x"], ["y"], domain="com.microsoft", **how), domains=("com.microsoft",))


@_case
def providers_in_metadata(_: Path) -> Made:
    """Settings for onnxruntime in the file."""
    model = network(_node("Relu", ["x"], ["y"]))
    model.metadata_props.add(
        key="ort_config", value='{"session_options": {"enable_profiling": true, "providers": ["X"]}}'
    )
    model.metadata_props.add(key="providers", value='["CUDAExecutionProvider"]')
    return model


@_case
def training_info(_: Path) -> Made:
    """Training steps."""
    model = files.convolutional()
    info = model.training_info.add()
    info.algorithm.CopyFrom(model.graph)
    info.update_binding.add(key="w", value="c")
    return model


@_variants("seq", "optional", "map", "string")
def kind_of_input(kind: str) -> Made:
    """An input that is no tensor of numbers."""
    model = network(_node("Identity", ["x"], ["y"]))
    made = model.graph.input[0].type
    made.Clear()
    if kind == "seq":
        made.sequence_type.elem_type.tensor_type.elem_type = FLOAT
    elif kind == "optional":
        made.optional_type.elem_type.tensor_type.elem_type = FLOAT
    elif kind == "map":
        made.map_type.key_type = INT64
        made.map_type.value_type.tensor_type.elem_type = FLOAT
    else:
        made.tensor_type.elem_type = TensorProto.STRING
        for size in (1, 3, 8, 8):
            made.tensor_type.shape.dim.add(dim_value=size)
    return model


@_variants("SequenceConstruct", "Optional", "ZipMap", "Shape", "Bool", "String")
def kind_of_output(op: str) -> Made:
    """An output that is no tensor of floats."""
    if op == "ZipMap":
        flat = _node("Flatten", ["x"], ["f"])
        return network(
            flat, _node("ZipMap", ["f"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0]), domains=("ai.onnx.ml",)
        )
    if op in {"Bool", "String"}:
        to = TensorProto.BOOL if op == "Bool" else TensorProto.STRING
        return network(_node("Cast", ["x"], ["y"], to=to))
    return network(_node(op, ["x"], ["y"]))


def nested(depth: int) -> ModelProto:
    """Ifs inside each other."""
    inner = [_node("Relu", ["x"], ["y"])]
    for _ in range(depth):
        info = [helper.make_tensor_value_info("y", FLOAT, None)]
        branches = [
            helper.make_graph(inner, "b", [], info),
            helper.make_graph([_node("Neg", ["x"], ["y"])], "c", [], info),
        ]
        inner = [_node("If", ["flag"], ["y"], then_branch=branches[0], else_branch=branches[1])]
    return network(*inner, constants={"flag": np.array(True)})


@_variants(10, 30)
def nesting(depth: int) -> Made:
    """Branches inside branches."""
    return nested(depth)


@_case
def missing_attribute(_: Path) -> Made:
    """A Concat without its axis, behind a node that is sound."""
    return network(_node("Relu", ["x"], ["r"]), _node("Concat", ["r", "r"], ["y"], name="join"))


@_case
def empty_graph_name(_: Path) -> Made:
    """No name of the graph: the checker wants one, nothing else needs it."""
    model = network(_node("Relu", ["x"], ["y"]))
    model.graph.name = ""
    return model


@_case
def optional_input_missing(_: Path) -> Made:
    """An input that is left out where it is needed."""
    return network(_node("Conv", ["", "w"], ["y"], name="conv"), constants={"w": np.ones((4, 3, 3, 3), np.float32)})


@_case
def reference_attribute(_: Path) -> Made:
    """An attribute that refers to a function's, outside any function."""
    node = _node("LeakyRelu", ["x"], ["y"])
    node.attribute.append(AttributeProto(name="alpha", type=AttributeProto.FLOAT, ref_attr_name="alpha"))
    return network(node)


def _external(folder: Path, location: str, **entries: Any) -> ModelProto:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[4, 3, 3, 3], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    (folder / "weights").write_bytes(np.ones(108, np.float32).tobytes())
    return network(_node("Conv", ["x", "w"], ["y"]), constants={"w": tensor})


@_case
def external_absolute(folder: Path) -> Made:
    """Weights at an absolute path."""
    return _external(folder, str((folder / "weights").absolute()))


@_case
def external_parent(folder: Path) -> Made:
    """Weights outside the folder."""
    (folder.parent / "outside").write_bytes(bytes(432))
    return _external(folder, "../outside")


@_case
def external_symlink(folder: Path) -> Made:
    """Weights by a symbolic link to a file elsewhere."""
    (folder.parent / "outside").write_bytes(bytes(432))
    (folder / "link").unlink(missing_ok=True)
    (folder / "link").symlink_to("../outside")
    return _external(folder, "link")


@_case
def external_symlinked_folder(folder: Path) -> Made:
    """Weights in a folder that is a symbolic link."""
    (folder / "in").unlink(missing_ok=True)
    (folder / "in").symlink_to("/etc")
    return _external(folder, "in/passwd")


@_case
def external_device(folder: Path) -> Made:
    """Weights from /dev/zero."""
    (folder / "link").unlink(missing_ok=True)
    (folder / "link").symlink_to("/dev/zero")
    return _external(folder, "link")


@_case
def external_fifo(folder: Path) -> Made:
    """Weights from a FIFO that nobody writes to."""
    if not (folder / "fifo").exists():
        os.mkfifo(folder / "fifo")
    return _external(folder, "fifo")


@_case
def external_folder(folder: Path) -> Made:
    """Weights that are a folder."""
    (folder / "deep").mkdir(exist_ok=True)
    return _external(folder, "deep")


@_case
def external_sparse_file(folder: Path) -> Made:
    """Weights of 200 GB, none of them written."""
    made = _external(folder, "hole")
    with (folder / "hole").open("wb") as file:
        file.truncate(200_000_000_000)
    return made


RANGES = ((0, 2**62), (2**62, 4), (400, 432), (-4, 432), (0, 4), ("x", "y"), (0, ""))


def _external_range(offset: Any, length: Any) -> Callable[[Path], Made]:
    return lambda folder: _external(folder, "weights", offset=offset, length=length)


CASES |= {f"external_range_{count}": _external_range(*given) for count, given in enumerate(RANGES)}


@_case
def external_in_attribute(folder: Path) -> Made:
    """A Constant's weights in a file elsewhere."""
    model = _external(folder, "../../../../etc/passwd")
    tensor = TensorProto()
    tensor.CopyFrom(model.graph.initializer[0])
    del model.graph.initializer[:]
    constant = _node("Constant", [], ["w"])
    constant.attribute.append(AttributeProto(name="value", type=AttributeProto.TENSOR, t=tensor))
    nodes = [constant, *model.graph.node]
    return network(*nodes)
