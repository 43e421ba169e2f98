"""Words for functions: what torch calls the operators that its two exporters record."""

__all__ = ["ARITHMETIC", "FUNCTIONS", "NEVER_COMPOSED", "aten_function", "onnx_function"]

_ACTIVATIONS = """relu relu6 hardtanh leaky_relu elu selu celu prelu gelu silu mish hardswish hardsigmoid softplus
softmax log_softmax"""
_POOLS = " ".join(f"{kind}_pool{axes}d" for kind in ("max", "avg", "adaptive_avg") for axes in (1, 2, 3))
_LAYERS = """cat flatten conv1d conv2d conv3d linear layer_norm group_norm pixel_shuffle interpolate
scaled_dot_product_attention"""
FUNCTIONS = frozenset(f"{_ACTIVATIONS} {_POOLS} {_LAYERS}".split())
"""What only a function of the same name computes."""
_ARITHMETIC_WORDS = "add sub mul div mean sum exp log sqrt pow abs sigmoid tanh matmul"
ARITHMETIC = frozenset(_ARITHMETIC_WORDS.split())
"""What composed functions (`F.normalize`) compute too."""
_REARRANGES = """view reshape permute transpose t unsqueeze squeeze slice select split split_with_sizes chunk getitem
unbind clone contiguous dropout alias scalar_tensor constant_pad_nd expand"""
_ONNX_REARRANGES = "Constant Reshape Transpose Unsqueeze Squeeze Slice Split Gather Identity Cast Shape Conv Gemm Pad"
NEVER_COMPOSED = FUNCTIONS | ARITHMETIC | frozenset(f"{_REARRANGES} {_ONNX_REARRANGES}".split())
"""Whatever else a module computes may be part of a composed function, and so may the arithmetic beside it."""
_ATEN = {"max_pool2d_with_indices": "max_pool2d", "_softmax": "softmax", "_log_softmax": "log_softmax"}
_ONNX = {
    "Add": "add",
    "Concat": "cat",
    "Div": "div",
    "Elu": "elu",
    "Flatten": "flatten",
    "Gelu": "gelu",
    "GlobalAveragePool": "adaptive_avg_pool?d",
    "LeakyRelu": "leaky_relu",
    "LogSoftmax": "log_softmax",
    "MaxPool": "max_pool?d",
    "Mul": "mul",
    "PRelu": "prelu",
    "ReduceMean": "mean",
    "Relu": "relu",
    "Resize": "interpolate",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
    "Sub": "sub",
    "Tanh": "tanh",
}
"""Function by the one operator that the legacy exporter writes for it; `?` is the number of axes of positions."""


def aten_function(word: str) -> str:
    """The function that calls an aten operator; its own word where that is no other."""
    return "interpolate" if word.startswith("upsample_") else _ATEN.get(word, word)


def onnx_function(operator: str, axes: int) -> str:
    """The function that the legacy exporter writes as this operator; the operator's own word if none is known."""
    return _ONNX.get(operator, operator).replace("?", str(axes))
