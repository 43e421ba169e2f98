"""What layers are called: as the module or function whose value they are, where the exporter recorded that."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from itertools import pairwise, permutations

from .graph import Graph, Node
from .module_names import module_calls
from .torch_functions import ARITHMETIC, FUNCTIONS, NEVER_COMPOSED, aten_function, onnx_function

__all__ = ["RecordedNames"]

_OPERATION_SCOPES = frozenset({"batchnorm", "moments", "separable_conv2d", "conv_transpose"})
"""What TensorFlow's operations put around their parts, inside a layer."""
_MOVES = frozenset(
    {"Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Split", "Squeeze", "Transpose"}
)
"""What optimisers and exporters put between modules, unnamed; another node of theirs may be a module's last."""
_INSERTED = re.compile(r"__\d+$")
"""The end of the name of a node that tf2onnx added, named after a tensor next to it."""


class RecordedNames:
    """The names of modules and functions that the exporter recorded, for the layers whose values they are.

    A module's call gives a layer its name if the layer is the only one of it that is read outside.

    Args:
        graph: for what reads what.
        nodes: those of the network that compute layers, in execution order.
        layers: layer by tensor, called as its node; a tensor that only passes values on has its source's.
    """

    def __init__(self, graph: Graph, nodes: Sequence[Node], layers: Mapping[str, str]) -> None:
        self._graph, self._layers = graph, layers
        self._nodes = {node.outputs[0]: node for node in nodes if node.outputs[0] in layers}
        calls = module_calls([node.origin for node in self._nodes.values()])
        self._calls = dict(zip(self._nodes, calls, strict=True))
        self._containers = {call for around in self._calls.values() for call in around[:-1]}
        self.aliases = {call: layers[tensor] for tensor, around in self._calls.items() for call in around}
        """Layer by module name: the last layer of each call of a module."""

    def names(self) -> Mapping[str, str]:
        """Name by layer: of the innermost module that returns it, or else of the function that computes it."""
        names = {layer: name for name, layer in self.functions.items()}
        short = _layer_paths([call for call in self.aliases if "/" in call])
        exits, merged = self._layers_read_outside(), self._merged_modules()
        for tensor, around in self._calls.items():
            layer, origin = self._layers[tensor], self._nodes[tensor].origin
            if origin.is_path and _INSERTED.search(self._nodes[tensor].name):
                continue
            for call in around:
                is_value = self.aliases[call] == layer and exits[call] == {layer} and _module(call) not in merged
                if is_value and (call in short or not origin.is_path):
                    names[layer] = short.get(call, call)
        return names

    def _layers_read_outside(self) -> Mapping[str, set[str]]:
        """By call: its layers that are read outside it; "" among them where that shows the call to be incomplete."""
        exits: dict[str, set[str]] = defaultdict(set)
        sources: dict[str, str] = {}
        for tensor in self._nodes:
            sources.setdefault(self._layers[tensor], tensor)
        for tensor in self._graph.outputs:
            for call in self._calls.get(tensor, ()):
                exits[call].add(self._layers[tensor])
        for reader in self._graph.nodes:
            passes = self._layers.get(reader.outputs[0])
            for layer in {self._layers[each] for each in reader.reads if each in self._nodes} - {passes}:
                self._add_exits(exits, sources[layer], reader)
        return exits

    def _add_exits(self, exits: Mapping[str, set[str]], tensor: str, reader: Node) -> None:
        """Note the calls that the values of `tensor` leave to reach `reader`."""
        origin, inside = self._nodes[tensor].origin, self._calls.get(reader.outputs[0])
        if reader.op in {"Shape", "Size"}:
            return
        modules = {_module(call) for call in inside or ()}
        for call, scope in zip(self._calls[tensor], origin.scopes, strict=True):
            if call in (inside or ()) or (inside is None and scope in reader.origin.scopes):
                continue
            exits[call].add(self._layers[tensor])
            is_unsure = origin.is_path and not reader.origin.scopes and scope != origin.scopes[-1]
            is_unsure |= call in self._containers and not reader.origin.is_recorded and reader.op not in _MOVES
            if is_unsure or _module(call) in modules:
                exits[call].add("")

    def _merged_modules(self) -> set[str]:
        """Modules of which one call may be several, `block(block(x))`: all that it contains is there twice or more."""
        contents: dict[str, Counter[str]] = defaultdict(Counter)
        seen = set()
        for tensor, around in self._calls.items():
            origin = self._nodes[tensor].origin
            for call, inner in pairwise([*around, origin.call and f"/{origin.call}"]):
                if inner and (call, inner) not in seen:
                    seen.add((call, inner))
                    contents[call][f"/{origin.function}" if inner.startswith("/") else _module(inner)] += 1
        return {_module(call) for call, counts in contents.items() if min(counts.values()) > 1}

    @cached_property
    def functions(self) -> Mapping[str, str]:
        """Layer by "module/function", as the torch backend names it; for functions that are recorded or recognised."""
        words = {node: self._function(node) for node in self._nodes.values() if node.origin.function}
        modules = {node: self._module_of(node) for node in words}
        parents = {_module(call) for around in self._calls.values() for call in around[:-1]}
        composed = {modules[node] for node, word in words.items() if word not in NEVER_COMPOSED}
        counts: Counter[str] = Counter()
        functions = {}
        for node in {node.origin.call: node for node in words}.values():
            function, module = words[node], modules[node]
            is_closed = node.origin.in_library or (not node.origin.is_aten and module and module not in parents)
            is_part = module in composed and function not in FUNCTIONS
            if not is_closed and not is_part and function in FUNCTIONS | ARITHMETIC:
                counts[base := f"{module}/{function}"] += 1
                name = base if counts[base] == 1 else f"{base}#{counts[base]}"
                functions[name] = self._layers[node.outputs[0]]
        return functions

    def _module_of(self, node: Node) -> str:
        around = self._calls[node.outputs[0]]
        return _module(around[-1]) if around else ""

    def _function(self, node: Node) -> str:
        """The function's name in torch; of what else the exporter wrote, its own word."""
        word = node.origin.function
        if node.origin.is_aten:
            return aten_function(word)
        kind = self._graph.types.get(node.outputs[0])
        axes = len(kind.dims) - 2 if kind is not None and kind.dims else 0
        if word == "AveragePool":
            return f"{'' if 'count_include_pad' in node.attributes else 'adaptive_'}avg_pool{axes}d"
        word = self._parts_of_silu.get(node.outputs[0], word)
        return onnx_function(word, axes)

    @cached_property
    def _parts_of_silu(self) -> Mapping[str, str]:
        """Word by tensor for x * sigmoid(x), as the legacy exporter writes SiLU."""
        read = {node.outputs[0]: node.inputs[0] for node in self._nodes.values() if node.op == "Sigmoid"}
        products = [node for node in self._nodes.values() if node.op == "Mul"]
        found = [(a, node) for node in products for a, b in permutations(node.inputs) if read.get(a) == b]
        return {a: "Identity" for a, _ in found} | {node.outputs[0]: "silu" for _, node in found}


def _module(call: str) -> str:
    """The module of a call: "relu" of "relu#2"."""
    return call.partition("#")[0]


def _layer_paths(calls: Collection[str]) -> Mapping[str, str]:
    """Keras's name by call: without the model's own name, and without the `_1` that tracing appends to every layer.

    >>> _layer_paths(["net_1/conv_1", "net_1/norm_1_2", "net_1/norm_1_2/batchnorm"])
    {'net_1/conv_1': 'conv', 'net_1/norm_1_2': 'norm_1'}
    """
    parts = {call: call.split("/") for call in calls}
    if len({first for first, *_ in parts.values()}) > 1:
        return {}
    tracing = re.compile(r"_[12](?=#|$)")
    traced = [bool(tracing.search(each[1])) for each in parts.values()]
    if all(traced):
        layers = {call: each for call, each in parts.items() if all(map(tracing.search, each[1:]))}
        names = {call: "/".join(tracing.sub("", part) for part in each[1:]) for call, each in layers.items()}
        if len({*names.values()}) == len(names):
            return names
    return {call: "/".join(each[1:]) for call, each in parts.items() if each[-1] not in _OPERATION_SCOPES}
