"""The image input of a network (or latent code): reads its description from the graph, and prepends preprocessing."""

from collections.abc import Sequence
from math import prod

from crosslens.errors import ModelError
from crosslens.limits.memory import check_memory
from crosslens.model import INPUT, InputSpec
from crosslens.model.preprocessing import Preprocess

from ..ir.graph import FLOAT, Dim, Graph, Type
from ..ir.graph_input import GraphInput
from ..ir.tensor_values import known_type
from .fixed_inputs import written_type
from .integer_images import cast_image

__all__ = ["graph_input_of", "prepend_preprocessing"]

_CHANNELS = (1, 3, 4)
FLOAT_BYTES = 4


def graph_input_of(graph: Graph, wished: InputSpec | None, bounds: tuple[float, float] | None = None) -> GraphInput:
    """Describe the graph's only input from its declared shape, or from the user's `input_shape`.

    Args:
        graph: a graph of one input.
        wished: the user's description; None if there is none.
        bounds: the smallest and largest pixel value; [0, 1] if None.

    Raises:
        ModelError: the shape does not say where the channels are, or contradicts the user's.
    """
    ((name, kind),) = graph.inputs.items()
    spec, last = _spec(name, kind, wished, _channel_axis(graph, name))
    spec = spec.within(bounds)
    _refuse_size(name, kind, spec)
    batch = (kind.dims or ("N",))[0]
    return GraphInput(spec, name, last, batch if isinstance(batch, int) else None)


def _refuse_size(name: str, kind: Type, spec: InputSpec) -> None:
    """Refuse an image without pixels, and one that does not fit into memory."""
    if 0 in (kind.dims or ()) or known_type(kind.elem) in {None, "string"}:
        raise ModelError(
            f"the input {name!r} is {written_type(kind)}: an image has numbers, at least one along each axis. "
            "Export the network with the sizes that it takes"
        )
    rows = [size for size in (kind.dims or ())[:1] if isinstance(size, int)]
    needed = FLOAT_BYTES * prod((*rows, *spec.example_shape))
    check_memory(needed, f"an image for the input {name!r}, {written_type(kind)},", "export it for smaller images")


def _channel_axis(graph: Graph, name: str) -> int | None:
    """The channel axis that the nodes reading the image expect: 0 first, -1 last; None if they do not agree.

    A convolution expects channels first; a Transpose that makes them the first expects them last.
    """
    ends: set[int | None] = set()
    for node in graph.nodes:
        if name not in node.inputs:
            continue
        if node.op == "Conv":
            ends.add(0)
        elif node.op == "Transpose" and tuple(node.attr("perm") or ())[:2] in {(0, 3), (0, 4)}:
            ends.add(-1)
        else:
            ends.add(None)
    return ends.pop() if len(ends) == 1 else None


def _spec(name: str, kind: Type, wished: InputSpec | None, axis: int | None) -> tuple[InputSpec, bool]:
    dims = kind.dims or ("N", *(("?",) * (3 if wished is None else len(wished.shape))))
    rest = tuple(None if isinstance(d, str) else d for d in dims[1:])
    if wished is not None:
        return _from_user(name, kind, rest, wished)
    if len(rest) == 1 and rest[0] is not None:
        return InputSpec.latent(rest[:1]), False  # type: ignore[arg-type]  # not None
    first, last = (len(rest) in {3, 4} and rest[p] in _CHANNELS for p in (0, -1))
    if len(rest) in {3, 4} and axis is not None and rest[axis] is not None:
        first, last = axis == 0, axis == -1
    if first == last:
        raise ModelError(
            f"the input {name!r} is {written_type(kind)}: the shape does not say which axis has the channels. Give "
            "input_shape=(C, H, W), (C, D, H, W) for volumes, or InputSpec.latent(shape) for a generator's code"
        )
    return InputSpec((rest[-1], *rest[:-1]) if last else rest), last


def _from_user(name: str, kind: Type, rest: Sequence[int | None], wished: InputSpec) -> tuple[InputSpec, bool]:
    turned = (*wished.shape[1:], wished.shape[0])
    if _fits(wished.shape, rest):
        return _with_known_sizes(wished, rest), False
    if len(turned) in {3, 4} and _fits(turned, rest):
        return _with_known_sizes(wished, (rest[-1], *rest[:-1])), True
    raise ModelError(f"input_shape is {wished.shape}, but the network's input {name!r} is {written_type(kind)}")


def _fits(asked: Sequence[int | None], rest: Sequence[int | None]) -> bool:
    return len(asked) == len(rest) and all(a is None or b is None or a == b for a, b in zip(asked, rest, strict=True))


def _with_known_sizes(wished: InputSpec, rest: Sequence[int | None]) -> InputSpec:
    shape = tuple(a if b is None else b for a, b in zip(wished.shape, rest, strict=True))
    return InputSpec(shape, wished.bounds)


def prepend_preprocessing(graph: Graph, graph_input: GraphInput, preprocess: Preprocess) -> None:
    """Prepend, in place, preprocessing, layout and type: `INPUT` is float32 RGB (N, C, H, W) in [0, 1]."""
    kind = graph.inputs.pop(graph_input.tensor)
    body, graph.nodes = graph.nodes, []
    graph.inputs[INPUT] = Type(
        FLOAT, ("N" if graph_input.batch is None else graph_input.batch, *_size_names(graph_input.spec.shape))
    )
    graph.types[INPUT] = graph.inputs[INPUT]
    graph.taken.add(INPUT)
    x = _append_preprocessing(graph, graph_input, preprocess) if graph_input.spec.is_image else INPUT
    if graph_input.channels_last:
        x = graph.op("Transpose", x, perm=[0, *range(2, len(graph_input.spec.shape) + 1), 1])
    graph.nodes += [graph.node("Identity", cast_image(graph, x, kind.elem), outputs=[graph_input.tensor]), *body]


def _size_names(shape: Sequence[int | None]) -> tuple[Dim, ...]:
    return tuple(f"size{axis}" if n is None else n for axis, n in enumerate(shape))


def _append_preprocessing(graph: Graph, graph_input: GraphInput, preprocess: Preprocess) -> str:
    channels = graph_input.spec.shape[0] or 3
    ones = [1] * (len(graph_input.spec.shape) - 1)
    gain, offset = (v.reshape(1, channels, *ones) for v in preprocess.affine(channels))
    x = INPUT
    if preprocess.reverses:
        x = graph.op("Gather", x, graph.ints(range(channels - 1, -1, -1)), axis=1)
    if (gain != 1).any():
        x = graph.op("Mul", x, graph.const(gain))
    return graph.op("Add", x, graph.const(offset)) if offset.any() else x
