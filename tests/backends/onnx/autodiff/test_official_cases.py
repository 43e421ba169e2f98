"""Every derivative rule against central differences, on all official ONNX node cases.

The gradient runs on onnxruntime as a user's does; the differences are taken on ONNX's own reference implementation, in
float64, along a random direction for each input, at the case's point moved off its ties by 1 % noise.
"""

import warnings
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import onnxruntime as ort
import pytest
from crosslens.backends.onnx.autodiff.reverse import append_gradients
from crosslens.backends.onnx.ir.prune import prune
from crosslens.backends.onnx.ir.serialise import model_proto
from crosslens.backends.onnx.ir.session import open_session
from crosslens.backends.onnx.load.load import graph_of
from crosslens.backends.onnx.shapes.constant_folding import fold
from crosslens.errors import ModelError, UnsupportedOperators
from onnx import AttributeProto, ModelProto, TensorProto, defs, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

NEWEST = 26
"""The newest opset of onnxruntime 1.31; a newer case is run as this one where its operators exist there."""
STEP, FLOAT32_STEP = 1e-7, 5e-4
FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16}
TOLERANCE = {2: 2e-2, 4: 2e-4, 8: 2e-4}
"""By bytes of an element; of the gradient's size."""

DIFFERENTIATED = {("Clip", 1), ("Clip", 2), ("Pad", 2)}
"""(operator, input) that ONNX calls not differentiable, and that our rules differentiate."""
FIXED = {("Upsample", 1), ("QuantizeLinear", 1), ("DequantizeLinear", 1), ("RoiAlign", 1), ("DeformConv", 2)}
"""And those of which it does not say that they are not: scales and regions count as constants.

DeformConv reads at whole pixels there, where its derivative has a step: see rules/test_regions.py."""
CUT = {"test_averagepool_3d_default": 9, "test_maxpool_3d_default": 9}
"""Cases of 32^3 voxels, which take the reference seconds, cut to this size."""

BY_ONNXRUNTIME = {
    "test_resize_downsample_scales_linear_align_corners": "onnxruntime and ONNX differ in the forward pass",
    "test_resize_downsample_scales_cubic_align_corners": "onnxruntime and ONNX differ in the forward pass",
    "test_scatter_without_axis": "the reference has lost the operator",
    "test_scatter_with_axis": "the reference has lost the operator",
    "test_l1normalization_axis_last": "the reference adds up x, not |x|",
    "test_maxunpool_export_with_output_shape": "onnxruntime and ONNX differ in the forward pass",
    "test_mvn": "the reference computes in float32",
    "test_erf": "the reference computes in float32",
    "test_gelu_default_1": "the reference computes in float32",
    "test_gelu_default_2": "the reference computes in float32",
    "test_gelu_default_1_expanded": "the reference computes in float32",
    "test_gelu_default_2_expanded": "the reference computes in float32",
    "test_group_normalization_example": "the reference computes in float32",
    "test_group_normalization_epsilon": "the reference computes in float32",
    "test_dynamicquantizelinear": "the reference computes in float32",
    "test_dynamicquantizelinear_max_adjusted": "the reference computes in float32",
    "test_dynamicquantizelinear_min_adjusted": "the reference computes in float32",
    "test_linear_attention_linear_expanded": "the reference begins its Scan in float32",
    "test_linear_attention_gated_expanded": "the reference begins its Scan in float32",
    "test_linear_attention_gated_per_head_decay_expanded": "the reference begins its Scan in float32",
    "test_linear_attention_delta_expanded": "the reference begins its Scan in float32",
    "test_linear_attention_gated_delta_expanded": "the reference begins its Scan in float32",
    "test_linear_attention_gated_delta_beta_scalar_expanded": "the reference begins its Scan in float32",
    "test_linear_attention_gated_delta_gqa_expanded": "the reference begins its Scan in float32",
    "test_linear_attention_gated_delta_mqa_expanded": "the reference begins its Scan in float32",
    "test_linear_attention_explicit_scale_expanded": "the reference begins its Scan in float32",
    "test_linear_attention_linear_t1_no_past_expanded": "the reference begins its Scan in float32",
}
"""Cases whose differences are taken on onnxruntime, in float32."""

TOO_COARSE = {
    "test_attention_24_qk_matmul_output_mode3_softmax_precision",
    "test_linear_attention_fp16_expanded",
    "test_rnn_seq_length",
    "test_simple_rnn_bidirectional",
}
"""float16 where the reference computes in float32: neither of them tells; the first one's body written out is checked.

And tanh so near to 1 that in float32 hardly anything is left of its slope."""

LEFT_OUT = {
    "no float input": 294,
    "no float output": 182,
    "floats only where ONNX says that nothing is differentiable": 86,
    "newer than onnxruntime": 30,
    "sequences or optionals": 29,
    "bfloat16: no arrays of it go in or out of onnxruntime": 27,
    "strings": 22,
    "domain ai.onnx.ml": 8,
    "domain ai.onnx.preview.training": 7,
    "exported in training mode": 8,
    "random": 6,
    "no differences to trust": 4,
    "Scan of opset 8": 1,
}

NO_RULE = {
    "GRU": 1,
    "LSTM": 2,
    "Loop": 2,
    "OptionalGetElement": 1,
    "RNN": 1,
    "RoiAlign": 1,
    "TensorScatter": 3,
}
"""Operators without a rule, or without one for a rare form, and with no body of others: cases that need them."""


class LeftOutError(Exception):
    """Why a case has no gradient to check."""


@dataclass
class Outcomes:
    """What became of each case."""

    checked: list = field(default_factory=list)
    wrong: dict = field(default_factory=dict)
    left_out: dict = field(default_factory=lambda: defaultdict(list))
    no_rule: dict = field(default_factory=lambda: defaultdict(list))
    by_reference: list = field(default_factory=list)


@pytest.fixture(scope="module")
def outcomes():
    found = Outcomes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = np.random.get_state()
        np.random.seed(0)
        cases = load_model_tests(kind="node")
        np.random.set_state(before)
        for case in cases:
            judge(case, found)
    return found


def judge(case, found):
    try:
        wrong = compare(case, found)
    except LeftOutError as reason:
        found.left_out[str(reason)].append(case.name)
    except UnsupportedOperators as error:
        found.no_rule[str(error).split()[4].rstrip(";")].append(case.name)
    else:
        found.checked.append(case.name)
        if wrong:
            found.wrong[case.name] = wrong


def compare(case, found):
    """What is wrong with the gradients of a case: nothing, hopefully."""
    model, arrays = prepared(case)
    point = differentiated(model, arrays)
    fixed = {name: value for name, value in arrays.items() if name not in point}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in fixed.items())
    try:
        graph = graph_of(model)
        fold(graph)
    except ModelError as error:
        reasons = {"training mode": "exported in training mode", "Scan of opset 8": "Scan of opset 8"}
        known_reason = next((reason for words, reason in reasons.items() if words in str(error)), None)
        if known_reason is None:
            raise
        raise LeftOutError(known_reason) from error
    outputs = [o for o in graph.outputs if graph.types[o].elem in FLOATS]
    seeds = {o: f"seed:{o}" for o in outputs}
    for o, seed in seeds.items():
        graph.inputs[seed] = graph.types[seed] = graph.types[o]
    gradients = append_gradients(graph, seeds, point)
    graph.outputs = [gradients[name] for name in point]
    prune(graph)
    for name, tensor in gradients.items():
        graph.types[tensor] = graph.types[name]
    function = (in_float32 if case.name in BY_ONNXRUNTIME else in_float64)(model, point, outputs)
    rng = np.random.default_rng(0)
    dys = {
        o: np.where(np.isfinite(y), rng.standard_normal(y.shape), 0) for o, y in zip(outputs, function({}), strict=True)
    }
    dys = {o: dy.astype(helper.tensor_dtype_to_np_dtype(graph.types[seeds[o]].elem)) for o, dy in dys.items()}
    got = run(case, graph, {**point, **{seeds[o]: dy for o, dy in dys.items()}}, found)
    wrong = {}
    for name, gradient in zip(point, got, strict=True):
        said = against_differences(gradient, name, point[name], function, list(dys.values()), rng)
        if said:
            wrong[name] = said
    return wrong


def prepared(case):
    """The model in an opset that onnxruntime knows, and its inputs as arrays."""
    model = ModelProto()
    model.CopyFrom(case.model)
    for opset in model.opset_import:
        if opset.domain not in {"", "ai.onnx.preview"}:
            raise LeftOutError(f"domain {opset.domain}")
        opset.version = min(opset.version, NEWEST)
    version = {o.domain: o.version for o in model.opset_import}
    inputs = case.data_sets[0][0]
    if {v.type.WhichOneof("value") for v in (*model.graph.input, *model.graph.output)} != {"tensor_type"}:
        raise LeftOutError("sequences or optionals")
    arrays = {i.name: as_array(v) for i, v in zip(model.graph.input, inputs, strict=True)}
    if case.name in TOO_COARSE:
        raise LeftOutError("no differences to trust")
    types = [v.type.tensor_type.elem_type for v in (*model.graph.input, *model.graph.output)]
    for elem, reason in (
        (TensorProto.STRING, "strings"),
        (TensorProto.BFLOAT16, "bfloat16: no arrays of it go in or out of onnxruntime"),
    ):
        if elem in types:
            raise LeftOutError(reason)
    half = len(model.graph.input)
    for part, reason in ((types[:half], "no float input"), (types[half:], "no float output")):
        if not FLOATS.intersection(part):
            raise LeftOutError(reason)
    for node in model.graph.node:
        if not known(node, version):
            raise LeftOutError("newer than onnxruntime")
        if node.op_type in {"Bernoulli", "RandomUniformLike", "RandomNormalLike"}:
            raise LeftOutError("random")
    if case.name in CUT:
        ((name, value),) = arrays.items()
        arrays[name] = value[..., : CUT[case.name], : CUT[case.name], : CUT[case.name]]
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, arrays[name].shape))
        model.graph.output[0].type.tensor_type.ClearField("shape")
    return model, arrays


def as_array(value):
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def known(node, version):
    try:
        defs.get_schema(node.op_type, version[node.domain], node.domain)
    except defs.SchemaError:
        return False
    return True


def differentiated(model, arrays):
    """The inputs to differentiate with respect to, moved off their ties."""
    version = {o.domain: o.version for o in model.opset_import}
    said = defaultdict(list)
    for node in model.graph.node:
        schema = defs.get_schema(node.op_type, version[node.domain], node.domain)
        for position, name in enumerate(node.input):
            category = schema.inputs[min(position, len(schema.inputs) - 1)].differentiation_category
            never = category == defs.OpSchema.DifferentiationCategory.NonDifferentiable
            key = (node.op_type, position)
            said[name].append(key in FIXED or (never and key not in DIFFERENTIATED))
    rng = np.random.default_rng(1)
    point = {}
    for name, value in arrays.items():
        if value.dtype.kind == "f" and value.dtype.itemsize > 1 and not all(said[name]):
            noise = 0.01 * rng.standard_normal(value.shape)
            point[name] = np.asarray(np.where(np.isfinite(value), value + noise, value), value.dtype)
    if not point:
        raise LeftOutError("floats only where ONNX says that nothing is differentiable")
    return point


def in_float64(model, point, outputs):
    """The model as a function of changed inputs, on the reference implementation."""
    wide = ModelProto()
    wide.CopyFrom(model)
    widen(wide.graph)
    evaluator = ReferenceEvaluator(wide)
    base = {name: value.astype(np.float64) for name, value in point.items()}

    def function(moved):
        return [np.asarray(y) for y in evaluator.run(outputs, {**base, **{n: base[n] + d for n, d in moved.items()}})]

    function.step = STEP
    return function


def widen(graph):
    """All constants, and all casts to floats, become float64."""
    for tensor in graph.initializer:
        tensor.CopyFrom(widened(tensor))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                attribute.t.CopyFrom(widened(attribute.t))
            if attribute.type == AttributeProto.GRAPH:
                widen(attribute.g)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i in FLOATS:
                attribute.i = TensorProto.DOUBLE
            if node.op_type == "Constant" and attribute.name in {"value_float", "value_floats"}:
                value = np.asarray(helper.get_attribute_value(attribute), np.float64)
                attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(value)))


def widened(tensor):
    if tensor.data_type not in FLOATS:
        return tensor
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name)


def in_float32(model, point, outputs):
    """The model as a function of changed inputs, on onnxruntime."""
    session = ort.InferenceSession(model.SerializeToString())

    def function(moved):
        return session.run(outputs, {**point, **{n: np.asarray(point[n] + d, np.float32) for n, d in moved.items()}})

    function.step = FLOAT32_STEP
    return function


def run(case, graph, feeds, found):
    """The gradients by onnxruntime; by the reference where onnxruntime has no kernel for such elements."""
    feeds = {name: value for name, value in feeds.items() if name in graph.inputs}
    try:
        return open_session(graph).run(graph.outputs, feeds)
    except ModelError as error:
        if "NOT_IMPLEMENTED" not in str(error.__cause__) and "INVALID_GRAPH" not in str(error.__cause__):
            raise
        found.by_reference.append(case.name)
        return ReferenceEvaluator(model_proto(graph)).run(graph.outputs, feeds)


def against_differences(gradient, name, x, function, dys, rng):
    """<gradient, v> and (f(x + h v) - f(x - h v)) / 2h, where they differ."""
    if gradient.shape != x.shape or gradient.dtype != x.dtype:
        return f"{gradient.dtype} {gradient.shape} for {x.dtype} {x.shape}"
    v = np.where(np.isfinite(x), rng.standard_normal(x.shape), 0)
    h = function.step
    ahead, behind = (function({name: sign * h * v}) for sign in (1, -1))
    want = 0.0
    for up, down, dy in zip(ahead, behind, dys, strict=True):
        rise = np.where(np.isfinite(up) & np.isfinite(down), up.astype(np.float64) - down, 0)
        want += float((rise * dy).sum()) / (2 * h)
    have = float((gradient.astype(np.float64) * v).sum())
    size = np.sqrt((gradient.astype(np.float64) ** 2 * v**2).sum()) + 1e-3
    bound = TOLERANCE[x.itemsize] * size * (10 if h == FLOAT32_STEP else 1)
    return None if abs(have - want) <= bound else f"{have} instead of {want}, size {size}"


def test_the_gradient_of_every_official_case_is_its_central_difference(outcomes):
    assert outcomes.wrong == {}
    assert len(outcomes.checked) >= 1000


def test_whatever_is_left_out_has_a_reason(outcomes):
    assert {reason: len(names) for reason, names in outcomes.left_out.items()} == LEFT_OUT


def test_operators_without_a_rule_are_these(outcomes):
    assert {operator: len(names) for operator, names in outcomes.no_rule.items()} == NO_RULE


def test_onnxruntime_runs_the_gradients_but_for_these(outcomes):
    assert outcomes.by_reference == [
        "test_celu_float16",
        "test_range_float16_type_positive_delta",
        "test_swiglu_expanded",
        "test_swiglu_alpha_expanded",
        "test_swiglu_float16_expanded",
    ]
