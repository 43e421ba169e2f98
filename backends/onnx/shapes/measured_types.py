"""Measures types that inference cannot know by runs on examples; sizes that depend on the image stay unknown."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from crosslens.model import INPUT
from onnx import helper

from ..ir.graph import Dim, Graph, Type
from ..ir.interruptible_run import has_subgraphs, run_interruptibly
from ..ir.onnxruntime_errors import readable_errors
from ..ir.prune import prune
from ..ir.session import open_session
from .sequences import SEQUENCES

__all__ = ["measure"]

_COUNTING = frozenset({"NonZero", "NonMaxSuppression", "Unique", "Compress", "Loop"})
"""Operators whose output size depends on values of the image."""


def measure(graph: Graph, shape: tuple[Any, ...], providers: Sequence[Any] | None) -> None:
    """Set types that are not known yet, in place, by running the graph on images of this shape.

    Behind operators whose output size depends on values, a size is set only if two images of noise, one darker, agree
    on it and inference has no name for it.
    """
    made = (o for node in graph.nodes if node.op not in SEQUENCES for o in node.outputs if o)
    unknown = [o for o in made if o not in graph.types or not graph.types[o].static]
    if not unknown:
        return
    run = graph.copy()
    run.outputs = unknown
    prune(run)  # onnxruntime drops constants that nothing reads, and then misses them
    run.inputs = dict(graph.inputs)
    session = open_session(run, providers, optimise=False)
    value_dependent = _value_dependent(graph)
    images = [np.full(shape, 0.5, np.float32)]
    if value_dependent:
        noise = np.random.default_rng(0).random(shape, np.float32)
        images = [noise, noise**2]
    with readable_errors(f"run the network on images {shape}"):
        runs = [run_interruptibly(has_subgraphs(run), partial(session.run, None, {INPUT: image})) for image in images]
    for name, values in zip(unknown, zip(*runs, strict=True), strict=True):
        sizes: tuple[Dim, ...] = values[0].shape
        if name in value_dependent:
            sizes = _agreed_sizes(name, graph.types.get(name), [value.shape for value in values])
        graph.types[name] = Type(helper.np_dtype_to_tensor_dtype(values[0].dtype), sizes)


def _value_dependent(graph: Graph) -> set[str]:
    """The tensors behind operators whose output size depends on values."""
    names: set[str] = set()
    for node in graph.nodes:
        if node.op in _COUNTING or names.intersection(node.reads):
            names.update(node.outputs)
    return names


def _agreed_sizes(name: str, known: Type | None, shapes: list[tuple[int, ...]]) -> tuple[Dim, ...]:
    one, other = shapes
    named = known.dims if known is not None and known.dims is not None else one
    return tuple(
        a if a == b and isinstance(n, int) else n if isinstance(n, str) else f"?{name}:{axis}"
        for axis, (n, a, b) in enumerate(zip(named, one, other, strict=True))
    )
