"""Finds the batch axis of tensors: by shape inference with a named batch, else by runs on 1, 2 and 3 images.

An axis is the batch axis if its size is the number of images in every run: not a fixed number of steps, and not several
windows for each image.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from crosslens.arrays import Array
from crosslens.errors import ModelError
from crosslens.model import INPUT, OUTPUT

from ..ir.graph import FLOAT, Graph, Type
from ..ir.graph_input import GraphInput
from ..ir.interruptible_run import has_subgraphs, run_interruptibly
from ..ir.onnxruntime_errors import readable_errors
from ..ir.prune import prune
from ..ir.session import open_session
from .example_size import example_size_errors
from .free_batch import BATCH, with_named_batch

__all__ = ["move_batch_to_front", "tensors_with_batch_first", "tensors_with_fixed_batch_first"]

Shapes = Mapping[int, tuple[int, ...]]
"""Shapes of a tensor by the number of images."""


def tensors_with_batch_first(graph: Graph, tensors: Collection[str], providers: Sequence[Any] | None) -> set[str]:
    """Those of the tensors whose first axis is the batch; the shapes of `graph` are inferred for a free batch."""
    dims = {name: graph.types[name].dims if name in graph.types else None for name in tensors}
    names = _infer_batch_first(graph).intersection(tensors)
    unknown = [n for n, known in dims.items() if n not in names and (known is None or isinstance((*known, 0)[0], str))]
    if not unknown:
        return names
    run = _Runs(graph, unknown, providers)
    shapes = {count: run.shapes(count) for count in (2, 3)}
    return names | {name for name in unknown if 0 in _batch_axes({count: each[name] for count, each in shapes.items()})}


def _infer_batch_first(graph: Graph) -> set[str]:
    """The tensors whose first axis is the named batch, also behind operators that keep it whatever the other sizes.

    ONNX's own inference loses the batch where sizes are computed, as for Resize.
    """
    names = {name for name, kind in graph.types.items() if kind.dims and kind.dims[0] == BATCH} | {INPUT}
    for node in graph.nodes:
        read = [i for i in node.inputs if i and i not in graph.constants]
        if node.op in _KEEPING:
            keeps = node.inputs[0] in names
        else:
            along = node.op in _ELEMENTWISE or (node.op == "Concat" and node.attr("axis") > 0)
            keeps = along and bool(read) and names.issuperset(read)
        kind = graph.types.get(node.outputs[0])
        if keeps and not node.domain and (kind is None or not kind.dims or isinstance(kind.dims[0], str)):
            names.add(node.outputs[0])
    return names


_KEEPING = frozenset(
    {
        *(
            "Conv",
            "ConvTranspose",
            "MaxPool",
            "AveragePool",
            "GlobalAveragePool",
            "GlobalMaxPool",
            "Resize",
            "Upsample",
        ),
        *("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN", "DepthToSpace", "SpaceToDepth"),
    }
)
"""Operators on (N, C, ...) that keep the first axis of their first input."""
_ELEMENTWISE = frozenset(
    {
        *("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "Exp", "Log", "Sqrt", "Erf", "Neg", "Abs"),
        *("Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Selu", "Gelu"),
        *("Softplus", "Mish", "Cast", "Identity", "Dropout"),
    }
)


def tensors_with_fixed_batch_first(graph: Graph, tensors: Iterable[str], batch: int) -> frozenset[str]:
    """Those of the tensors whose first axis has the fixed batch's size, unless inference finds the batch elsewhere."""
    named = with_named_batch(graph).types
    return frozenset(
        name for name in tensors
        if graph.dims(name)[:1] == (batch,) and not (name in named and BATCH in (named[name].dims or ("",))[1:])
    )  # fmt: skip


def move_batch_to_front(graph: Graph, graph_input: GraphInput, providers: Sequence[Any] | None) -> GraphInput:
    """Make the batch the first axis of `OUTPUT`, and (N,) a column (N, 1), in place.

    A network that gives one row for any number of images, or that runs on one image only, is run on one image at a
    time: the description that is returned has batch 1.

    Raises:
        ModelError: no axis of the output is the batch axis, or several may be.
    """
    dims = graph.types[OUTPUT].dims if OUTPUT in graph.types else None
    if (dims and dims[0] == (graph_input.batch or BATCH)) or (
        graph_input.batch is None and OUTPUT in _infer_batch_first(graph)
    ):
        if dims and len(dims) == 1:
            _unsqueeze_output(graph)
        return graph_input
    sized = graph.copy()
    sized.inputs[INPUT] = Type(FLOAT, (graph_input.batch or BATCH, *graph_input.spec.example_shape))
    run = _Runs(sized, [OUTPUT], providers)
    many = run.of_many() if graph_input.batch is None else {}
    if axes := [axis for axis in _batch_axes(many) if run.moves_with_images(axis)]:
        return _move_batch_axis(graph, graph_input, axes, many)
    with example_size_errors(graph_input.spec):
        one = run.shapes(graph_input.batch or 1)[OUTPUT]
    if graph_input.batch is None:
        kind = graph.inputs[INPUT]
        graph.inputs[INPUT] = graph.types[INPUT] = replace(kind, dims=(1, *(kind.dims or ())[1:]))
        graph_input = replace(graph_input, batch=1)
    axes = _batch_axes({graph_input.batch or 1: one})
    return _move_batch_axis(
        graph, graph_input, axes[:1] if axes[:1] == [0] else axes, {graph_input.batch or 1: one, **many}
    )


class _Runs:
    """Runs of a network on batches of noise, in one session."""

    def __init__(self, graph: Graph, tensors: Sequence[str], providers: Sequence[Any] | None) -> None:
        part = graph.copy()
        part.outputs = list(tensors)
        prune(part)
        part.inputs = {INPUT: graph.inputs[INPUT]}
        self._tensors, self._sizes = tensors, tuple(int(n) for n in (graph.inputs[INPUT].dims or ())[1:])
        self._apart, self._session = has_subgraphs(part), open_session(part, providers, optimise=False)

    def values(self, images: Array) -> dict[str, Array]:
        with readable_errors(f"run the network on images {images.shape}"):
            values = run_interruptibly(self._apart, lambda options: self._session.run(None, {INPUT: images}, options))
        return dict(zip(self._tensors, values, strict=True))

    def shapes(self, count: int) -> dict[str, tuple[int, ...]]:
        return {name: tuple(value.shape) for name, value in self.values(self._noise(count)).items()}

    def of_many(self) -> dict[int, tuple[int, ...]]:
        """Shapes of the output for two and three images; empty if the network runs on one image only."""
        try:
            return {count: self.shapes(count)[OUTPUT] for count in (2, 3)}
        except ModelError:
            return {}

    def moves_with_images(self, axis: int) -> bool:
        """Whether swapping two images swaps the output's entries along the axis: a Reshape can mix images."""
        images = self._noise(2)
        one, other = (self.values(x)[OUTPUT].astype(np.float64) for x in (images, images[::-1].copy()))
        largest = float(np.abs(one[np.isfinite(one)]).max(initial=0))
        return bool(np.allclose(np.flip(one, axis), other, rtol=1e-3, atol=1e-4 * largest, equal_nan=True))

    def _noise(self, count: int) -> Array:
        return np.random.default_rng(0).random((count, *self._sizes), np.float32)


def _batch_axes(shapes: Shapes) -> list[int]:
    """The axes whose size is the number of images in all runs."""
    ranks = {len(shape) for shape in shapes.values()}  # none at all if there are no shapes
    axes = range(ranks.pop()) if len(ranks) == 1 else ()
    return [axis for axis in axes if all(shape[axis] == count for count, shape in shapes.items())]


def _move_batch_axis(graph: Graph, graph_input: GraphInput, axes: Sequence[int], shapes: Shapes) -> GraphInput:
    if len(axes) != 1:
        seen = ", ".join(f"{shape} for {count} image{'s' * (count > 1)}" for count, shape in sorted(shapes.items()))
        raise ModelError(
            f"the output has shape {seen}: {'several axes may be' if axes else 'no axis is'} the batch axis. Choose "
            "another output or a tensor before it, output=NAME"
        )
    rank = len(next(iter(shapes.values())))
    if axes[0]:
        _transpose_output(graph, axes[0], rank)
    elif rank == 1:
        _unsqueeze_output(graph)
    return graph_input


def _transpose_output(graph: Graph, axis: int, rank: int) -> None:
    renamed, known = _rename_output(graph)
    order = [axis, *(a for a in range(rank) if a != axis)]
    graph.nodes.append(graph.node("Transpose", renamed, outputs=[OUTPUT], perm=order))
    graph.types[OUTPUT] = Type(known.elem, known.dims and tuple(known.dims[a] for a in order))


def _unsqueeze_output(graph: Graph) -> None:
    """(N,) becomes (N, 1)."""
    renamed, known = _rename_output(graph)
    axis = graph.unique_name(f"{OUTPUT}:axis")
    graph.constants[axis] = np.asarray([1], np.int64)
    graph.nodes.append(graph.node("Unsqueeze", renamed, axis, outputs=[OUTPUT]))
    graph.types[OUTPUT] = Type(known.elem, known.dims and (*known.dims, 1))


def _rename_output(graph: Graph) -> tuple[str, Type]:
    """Rename the tensor `OUTPUT`, in place; return its new name and its type."""
    renamed = graph.unique_name(f"{OUTPUT}:as in the file")
    graph.nodes = [
        replace(node, name=renamed, outputs=tuple(renamed if o == OUTPUT else o for o in node.outputs))
        if OUTPUT in node.outputs else node for node in graph.nodes
    ]  # fmt: skip
    graph.types[renamed] = graph.types.pop(OUTPUT, Type(FLOAT))
    return renamed, graph.types[renamed]
