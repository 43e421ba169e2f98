"""A light, editable view of an ONNX graph: nodes, constants, types, and a builder for new nodes.

Constants are NumPy arrays under a name, shared by every copy of a graph and by every session that reads them. Nodes are
never changed once made: a copy of a graph shares them too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, defs, helper

from .module_names import Origin
from .tensor_index import TensorIndex
from .tensor_values import array_of

__all__ = [
    "BOOL",
    "DOUBLE",
    "FLOAT",
    "INLINE_BYTES",
    "INT64",
    "RESERVED",
    "DynamicShapeError",
    "Graph",
    "Node",
    "Type",
    "node_of",
]

FLOAT, BOOL, INT64 = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64
DOUBLE = TensorProto.DOUBLE
FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16})
INLINE_BYTES = 1024
"""Bytes up to which a constant is written into the model; a session reads larger ones from the arrays themselves."""
RESERVED = ("const:", "live:", "read:")
"""How names begin that are given without a look at those in use; no tensor of a file begins so once it is loaded."""
Dim = int | str


class DynamicShapeError(Exception):
    """A derivative needs a size that depends on the batch: build the graph again for that batch."""


@dataclass(frozen=True, slots=True)
class Type:
    """Element type (a TensorProto number) and sizes; a str names an unknown size, dims None is an unknown rank."""

    elem: int
    dims: tuple[Dim, ...] | None = None

    @property
    def is_float(self) -> bool:
        """Whether gradients can flow through such a tensor."""
        return self.elem in FLOATS

    @property
    def static(self) -> bool:
        """Whether every size is a number."""
        return self.dims is not None and all(isinstance(d, int) for d in self.dims)


@dataclass(frozen=True, eq=False)
class Node:
    """One operator: positional tensors, keyword attributes."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict)
    domain: str = ""
    name: str = ""
    version: int = 18
    origin: Origin = field(default_factory=Origin)
    """The modules and the function that it was exported from, if the exporter recorded them."""
    needs_gradient: tuple[bool, ...] = ()
    """For a derivative rule: which inputs need a gradient."""

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute's value; if not set, the one of the operator's schema, else `default`."""
        if name in self.attributes:
            return _plain(self.attributes[name])
        return self._defaults.get(name, default)

    @cached_property
    def _defaults(self) -> Mapping[str, Any]:
        if not defs.has(self.op, self.domain):
            return {}
        known = defs.get_schema(self.op, self.version, self.domain).attributes
        return {name: _plain(a.default_value) for name, a in known.items() if a.default_value.name}

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The inputs that are given, and the tensors outside that subgraphs (of If, Loop) read."""
        inner = [a.g for a in self.attributes.values() if a.type == AttributeProto.GRAPH]
        return (*(i for i in self.inputs if i), *(name for graph in inner for name in _free_names(graph)))

    @property
    def has_subgraphs(self) -> bool:
        """Whether an attribute holds a graph, as those of If, Loop and Scan do."""
        return any(a.type in {AttributeProto.GRAPH, AttributeProto.GRAPHS} for a in self.attributes.values())

    def has(self, position: int) -> bool:
        """Whether the optional input at this position is given."""
        return len(self.inputs) > position and bool(self.inputs[position])

    def proto(self) -> NodeProto:
        """The node as ONNX stores it."""
        made = NodeProto(op_type=self.op, domain=self.domain, name=self.name, input=self.inputs, output=self.outputs)
        made.attribute.extend(self.attributes.values())
        return made


@cache
def _like(op: str, version: int, domain: str) -> tuple[int | tuple[int] | None, ...]:
    """For each output of an operator: its element type if there is but one, or the input (position,) that has it."""
    if not defs.has(op, domain):
        return ()
    schema = defs.get_schema(op, version, domain)
    inputs = [i.type_str for i in schema.inputs]
    allowed = {c.type_param_str: tuple(c.allowed_type_strs) for c in schema.type_constraints}
    return tuple(
        (inputs.index(o.type_str),) if o.type_str in inputs else _ELEMS.get(allowed.get(o.type_str, (o.type_str,)))
        for o in schema.outputs
    )


_ELEMS = {("tensor(bool)",): BOOL, ("tensor(int64)",): INT64, ("tensor(float)",): FLOAT}


def node_of(proto: NodeProto, opsets: Mapping[str, int], origin: Origin | None = None) -> Node:
    """A `Node` from its protobuf form."""
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    attributes = {a.name: _alone(a) for a in proto.attribute}
    return Node(
        proto.op_type, tuple(proto.input), tuple(proto.output), attributes, domain, proto.name,
        opsets.get(domain, 1), origin or Origin(),
    )  # fmt: skip


def _alone(attribute: AttributeProto) -> AttributeProto:
    """A copy of its own: a part of a protobuf message keeps the whole message, all weights included, in memory."""
    copy = AttributeProto()
    copy.CopyFrom(attribute)
    return copy


def _plain(attribute: AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    if attribute.type == AttributeProto.TENSOR:
        return array_of(value)
    return tuple(value) if attribute.type in {AttributeProto.INTS, AttributeProto.FLOATS} else value


def _free_names(graph: Any) -> list[str]:
    inside = {t.name for t in graph.initializer} | {i.name for i in graph.input}
    free: list[str] = []
    for proto in graph.node:
        free += [name for name in node_of(proto, {}).reads if name not in inside]
        inside.update(proto.output)
    return free + [o.name for o in graph.output if o.name not in inside]


@dataclass
class Graph:
    """Nodes in execution order, with the constants and inputs that they read."""

    nodes: list[Node]
    constants: dict[str, np.ndarray[Any, Any]]
    inputs: dict[str, Type]
    outputs: list[str]
    opsets: Mapping[str, int]
    types: dict[str, Type] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    """Names of tensors that are in use; none is ever given back."""
    store: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    """Constants computed from the network's own, shared by all graphs of one network."""
    wrt: frozenset[str] = frozenset()
    """While gradients are appended: the tensors to differentiate with respect to; no rule may skip one of them."""
    exact_rectifiers: bool = False
    """While gradients are appended: whether rectifiers have their own derivative, no other rule."""
    masked: dict[str, str] = field(default_factory=dict)
    """Cotangents that are zero wherever a rectified tensor is, and that tensor."""
    before_scores: frozenset[str] = frozenset()
    """While gradients are appended: all tensors but those after the network's last scores (see `quantised`)."""

    def __post_init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._index: TensorIndex[Node] = TensorIndex()
        self.taken |= {*self.constants, *self.inputs, *(o for n in self.nodes for o in n.outputs)}

    def copy(self) -> "Graph":
        """A copy to add to: it has containers of its own, and shares the nodes and the values of constants."""
        return Graph(
            list(self.nodes), dict(self.constants), dict(self.inputs), list(self.outputs), self.opsets,
            dict(self.types), set(self.taken), self.store,
        )  # fmt: skip

    def producer(self, tensor: str) -> Node | None:
        """The node that computes a tensor; None for inputs, constants and unknown names."""
        return self._index.of(self.nodes).producers.get(tensor)

    def readers(self, tensor: str) -> Sequence[Node]:
        """The nodes that have a tensor among their inputs, in their order."""
        return self._index.of(self.nodes).readers.get(tensor, ())

    def unique_name(self, wish: str) -> str:
        """A tensor name that is not used yet: `wish`, or `wish` with a number."""
        wish = f"file:{wish}" if wish.startswith(RESERVED) else wish
        name, count = wish, self._counts.get(wish, 1)
        while name in self.taken:
            name, count = f"{wish}:{count}", count + 1
        self.taken.add(name)
        self._counts[wish] = count
        return name

    def node(self, op: str, *inputs: str | None, domain: str = "", outputs: Sequence[str], **attributes: Any) -> Node:
        """A node that is not yet part of the graph."""
        made = {key: helper.make_attribute(key, value) for key, value in attributes.items() if value is not None}
        named = tuple(i or "" for i in inputs)
        return Node(op, named, tuple(outputs), made, domain, outputs[0], self.opsets.get(domain, 1))

    def op(self, op: str, *inputs: str | None, domain: str = "", **attributes: Any) -> str:
        """Append a node with one output and return that output's name."""
        return self.ops(op, 1, *inputs, domain=domain, **attributes)[0]

    def ops(self, op: str, outputs: int, *inputs: str | None, domain: str = "", **attributes: Any) -> tuple[str, ...]:
        """Append a node with several outputs and return their names."""
        names = tuple(self.unique_name(f"{op}:d") for _ in range(outputs))
        made = self.node(op, *inputs, domain=domain, outputs=names, **attributes)
        self.nodes.append(made)
        for name, elem in zip(names, self._elems(made), strict=False):
            if elem is not None:
                self.types[name] = Type(elem)
        return names

    def _elems(self, node: Node) -> Iterator[int | None]:
        """Element types of a new node's outputs, None where its schema leaves them open."""
        if node.op in {"Cast", "ConstantOfShape"}:
            yield node.attr("to") or node.attributes["value"].t.data_type
            return
        sources = _like(node.op, node.version, node.domain)
        for source in (*sources, *sources[-1:] * (len(node.outputs) - len(sources))):
            if isinstance(source, tuple):
                yield self.elem(node.inputs[source[0]]) if node.has(source[0]) else None
            else:
                yield source

    def const(self, value: Any, dtype: Any = None) -> str:
        """A constant, named after its values: equal constants are one, also in other graphs of the network."""
        array = np.asarray(value, dtype)
        held = array.tobytes()
        named = held.hex() if len(held) <= 64 else blake2b(held, digest_size=16).hexdigest()
        return self.derived_constant(f"const:{array.dtype}{list(array.shape)}:{named}", lambda: array)

    def ints(self, values: Iterable[int]) -> str:
        """A constant vector of int64, as axes and shapes are."""
        return self.const(list(values), np.int64)

    def scalar(self, value: float, like: str) -> str:
        """A constant number of the element type of the tensor `like`."""
        return self.const(value, helper.tensor_dtype_to_np_dtype(self.elem(like)))

    def derived_constant(self, name: str, make: Callable[[], np.ndarray[Any, Any]]) -> str:
        """A constant that is computed once for this name: a flipped kernel, for example."""
        name = name if name.startswith("const:") else f"const:{name}"
        if name not in self.constants:
            made = self.store[name] if name in self.store else np.asarray(make(), order="C")
            self.constants[name] = made
            self.taken.add(name)
            if made.nbytes > INLINE_BYTES:
                self.store[name] = made
        return name

    def value(self, name: str) -> np.ndarray[Any, Any] | None:
        """The values of a constant; None if the tensor is computed."""
        return self.constants.get(name)

    def elem(self, name: str) -> int:
        """A tensor's element type."""
        if name in self.constants:
            return int(helper.np_dtype_to_tensor_dtype(self.constants[name].dtype))
        return self.types[name].elem if name in self.types else FLOAT

    def rank(self, name: str) -> int:
        """A tensor's number of axes."""
        return len(self.dims(name))

    def dims(self, name: str) -> tuple[Dim, ...]:
        """A tensor's sizes: numbers where they are known, else names."""
        if name in self.constants:
            return tuple(self.constants[name].shape)
        known = self.types.get(name)
        if known is None or known.dims is None:
            raise DynamicShapeError(f"the shape of {name!r} is not known before it is computed")
        return known.dims

    def sizes(self, name: str, axes: Iterable[int] | slice = slice(2, None)) -> tuple[int, ...]:
        """A tensor's sizes along these axes, as numbers; the spatial ones if not given."""
        dims = self.dims(name)
        chosen = dims[axes] if isinstance(axes, slice) else tuple(dims[a] for a in axes)
        if any(isinstance(d, str) for d in chosen):
            raise DynamicShapeError(f"{name!r} has sizes {dims}")
        return tuple(int(d) for d in chosen)

    def shape_of(self, name: str) -> str:
        """A tensor's shape as a tensor: a constant where it is known."""
        dims = self.dims(name)
        return self.ints(int(d) for d in dims) if all(isinstance(d, int) for d in dims) else self.op("Shape", name)

    def reshape_like(self, dy: str, x: str) -> str:
        """`dy` in the shape of `x`."""
        dims = self.dims(x)
        unknown = sum(isinstance(d, str) for d in dims)
        if unknown > 1 or 0 in dims:
            return self.op("Reshape", dy, self.op("Shape", x), allowzero=1)
        return self.op("Reshape", dy, self.ints(-1 if isinstance(d, str) else d for d in dims))

    def zeros_like(self, name: str) -> str:
        """Zeros of a tensor's shape and element type."""
        zero = TensorProto(data_type=self.elem(name), dims=[1])
        zero.raw_data = bytes(helper.tensor_dtype_to_np_dtype(self.elem(name)).itemsize)
        return self.op("ConstantOfShape", self.shape_of(name), value=zero)
