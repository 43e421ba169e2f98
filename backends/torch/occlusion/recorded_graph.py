"""A torch network as a graph of aten operators, recorded from one forward pass on fake tensors: shapes, no numbers.

What is recorded is what autograd's C++ would call, in the same order, so that it gives the same bits. Each layer is a
node, so that any run between layers can be cut out. Control flow that reads numbers cannot be recorded, and one that
asks for the batch's size would hold for that size alone: both are refused.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, fx
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import get_proxy_mode, get_proxy_slot, make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

__all__ = [
    "RecordedGraph",
    "RunNetwork",
    "UnrecordableError",
    "copy_source",
    "first_output",
    "is_copy",
    "mark_layer",
    "record_graph",
    "required_nodes",
]

aten = torch.ops.aten
EXAMPLES = 5
"""Images in the run that is recorded; the batch's size stays a symbol."""
RunNetwork: TypeAlias = Callable[[Tensor], tuple[Tensor, Mapping[str, str]]]
"""Runs the network; gives its output, and the node of each layer by name."""


def mark_layer(y: Tensor) -> tuple[str, Tensor]:
    """A layer's output as a node of its own, by name, and what the network goes on with; while a graph is recorded.

    The node stays what it is where the network overwrites the tensor later.
    """
    mark = y.clone()
    mode = get_proxy_mode()
    assert mode is not None
    name: str = get_proxy_slot(mark, mode.tracer).proxy.node.name
    return name, mark


class UnrecordableError(Exception):
    """The network's forward pass cannot be recorded as a graph; the message says why."""


@dataclass
class RecordedGraph:
    """A graph from the image to each layer, `layers`; `tensors` are the parameters that it holds on to."""

    root: fx.GraphModule
    image: fx.Node
    layers: dict[str, fx.Node]
    tensors: tuple[Tensor, ...]

    def has_tensors(self, tensors: Iterable[Tensor]) -> bool:
        """Whether these are still the parameters that it was recorded with."""
        now = tuple(tensors)
        return len(now) == len(self.tensors) and all(a is b for a, b in zip(self.tensors, now, strict=True))


class Subgraph:
    """What computes some nodes of a graph from others, and from the image where these do not cover it."""

    def __init__(self, recorded: RecordedGraph, given: Sequence[fx.Node], requested: Sequence[fx.Node]) -> None:
        graph = fx.Graph()
        copies = {node: graph.placeholder(f"given_{i}") for i, node in enumerate(given)}
        image, batch = graph.placeholder("image"), graph.placeholder("batch")
        copies.setdefault(recorded.image, image)
        for node in required_nodes(requested, copies):
            if _is_batch(node):
                copies[node] = batch
            else:
                copies[node] = copies[node.args[0]] if is_copy(node) else graph.node_copy(node, copies.__getitem__)
        graph.output(tuple(copies[node] for node in requested))
        self.reads_image = bool(image.users)
        self._run = fx.GraphModule(recorded.root, graph)

    def __call__(self, given: Sequence[Tensor], image: Tensor | None, batch: int) -> Sequence[Tensor]:
        """The requested tensors, of given ones, the images where `reads_image`, and the number of images."""
        values: Sequence[Tensor] = self._run(*given, image, batch)
        return values


def required_nodes(requested: Sequence[fx.Node], known: Mapping[fx.Node, Any]) -> list[fx.Node]:
    """The nodes that must be computed for these, those known apart, in the graph's order."""
    required: set[fx.Node] = set()
    ahead = [node for node in requested if node not in known]
    while ahead:
        node = ahead.pop()
        if node not in required:
            required.add(node)
            if not _is_batch(node):
                ahead += [each for each in node.all_input_nodes if each not in known]
    return [node for node in requested[0].graph.nodes if node in required] if required else []


def _is_batch(node: fx.Node) -> bool:
    """Whether a node is the number of images itself, not a multiple of it."""
    size = node.meta.get("val")
    return node.target is aten.sym_size.int and isinstance(size, torch.SymInt) and size.node.expr.is_Symbol


def record_graph(
    run: RunNetwork, example: tuple[int, ...], like: Tensor, memory: torch.memory_format, tensors: Sequence[Tensor]
) -> RecordedGraph:
    """Record a network.

    Args:
        run: the network.
        example: (C, H, W) of the images.
        like: a tensor of the images' type and device.
        memory: the images' layout in memory.
        tensors: the network's parameters and buffers.

    Raises:
        UnrecordableError: its path depends on values, or on the number of images; or torch cannot record it.
    """
    shapes = ShapeEnv()
    mode = FakeTensorMode(shape_env=shapes, allow_non_fake_inputs=True)
    sizes = StatelessSymbolicContext([DimDynamic.DYNAMIC, *[DimDynamic.STATIC] * len(example)])
    names: dict[str, str] = {}

    def listed(image: Tensor) -> Tensor:
        y, nodes = run(image)
        names.update(nodes)
        return y

    empty = torch.empty((EXAMPLES, *example), dtype=like.dtype, device=like.device, memory_format=memory)
    image = mode.from_tensor(empty, symbolic_context=sizes)
    try:
        with mode, torch.no_grad(), enable_python_dispatcher(), _without_torch_log():
            root = make_fx(listed, tracing_mode="real", _allow_non_fake_inputs=True)(image)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnrecordableError(f"its forward pass cannot be recorded: {reason}") from error
    _refuse_batch_sizes(shapes)
    _replace_writes(root.graph)
    (first,) = (node for node in root.graph.nodes if node.op == "placeholder")
    nodes = {node.name: node for node in root.graph.nodes}
    return RecordedGraph(
        root, first, {layer: nodes[name] for layer, name in names.items() if name in nodes}, tuple(tensors)
    )


@contextmanager
def _without_torch_log() -> Iterator[None]:
    """Torch logs nothing of a failure: it is raised as an error."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _refuse_batch_sizes(shapes: ShapeEnv) -> None:
    """Refuse code that depends on the batch size; torch's own, which guesses a fake tensor's layout, does no harm."""
    if shapes.replacements:
        raise UnrecordableError("what it computes depends on the number of images")
    for guard in shapes.guards:
        file = getattr(guard.sloc.framework_loc, "filename", "") or ""
        if not file.endswith("fake_impls.py"):
            raise UnrecordableError(f"its code asks how many images there are ({guard.expr})")


def _replace_writes(graph: fx.Graph) -> None:
    """Replace operators that overwrite a tensor by those that do not; later readers of the tensor read their output.

    Raises:
        UnrecordableError: another name of the tensor would still show the write.
    """
    order = {node: position for position, node in enumerate(graph.nodes)}
    roots: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if schema is None or not node.args or not isinstance(node.args[0], fx.Node):
            continue
        first = node.args[0]
        if schema.is_mutable:
            twin = _functional_overload(node)
            aliases = [other for other in (*roots, *roots.values()) if _root(roots, other) is _root(roots, first)]
            late = any(order[user] > order[node] for other in {*aliases} - {first} for user in other.users)
            if twin is None or late or _root(roots, first).op != "call_function":
                raise UnrecordableError(f"{node.target} overwrites a tensor that has other names")
            node.target = twin
            now = node.args[1] if _copies_all(node) else node
            first.replace_all_uses_with(now, lambda user, node=node: order[user] > order[node])
            node.replace_all_uses_with(now)
        elif any(value.alias_info is not None for value in schema.returns):
            roots[node] = first


def _copies_all(node: fx.Node) -> bool:
    """Whether a node writes one tensor over another of its shape and type: what reads it reads the other."""
    if node.target is not aten.copy.default:
        return False
    old, new = (first_output(each) if isinstance(each, fx.Node) else None for each in node.args[:2])
    if old is None or new is None:
        return False
    return old.dtype == new.dtype and str((old.shape, old.stride())) == str((new.shape, new.stride()))


def _root(roots: Mapping[fx.Node, fx.Node], node: fx.Node) -> fx.Node:
    while node in roots:
        node = roots[node]
    return node


def _functional_overload(node: fx.Node) -> Any:
    """The overload without a write: relu for relu_."""
    packet, _, overload = str(node.target).removeprefix("aten.").rpartition(".")
    if not packet.endswith("_") or not str(node.target).startswith("aten."):
        return None
    return getattr(getattr(aten, packet[:-1], None), overload, None)


def is_copy(node: fx.Node) -> bool:
    """Whether a node returns its input unchanged: a clone or a detached tensor of the same layout."""
    if node.target not in {aten.clone.default, aten.detach.default} or node.kwargs:
        return False
    return str(node.meta["val"].stride()) == str(node.args[0].meta["val"].stride())


def copy_source(node: fx.Node) -> fx.Node:
    """The node at the start of a chain of copies."""
    while is_copy(node):
        node = node.args[0]
    return node


def first_output(node: fx.Node) -> Tensor | None:
    """The fake tensor of a node's first output, which has its shape; None where that is not a tensor."""
    value = node.meta.get("val")
    value = value[0] if isinstance(value, tuple | list) and value else value
    return value if isinstance(value, Tensor) else None
