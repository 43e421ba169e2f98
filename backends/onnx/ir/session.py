"""Opens onnxruntime sessions of graphs; they read large constants from our arrays, without a copy."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from ctypes import CDLL
from typing import Any
from weakref import finalize

import numpy as np
import onnxruntime as ort

from .graph import Graph
from .node_order import depth_first
from .onnxruntime_errors import readable_errors
from .serialise import external_constants, external_name, model_proto

__all__ = ["limited_threads", "open_session", "thread_count"]

_limits: list[int] = []
"""The numbers of threads of the `limited_threads` that are entered; the last one counts, in the whole process."""

_CHANGE_VALUES = ["WeightBiasQuantization"]
"""onnxruntime's optimisers that change results by more than rounding: it quantises float weights between quantised
activations, with scales of its own. Dequantised weights, folded into constants, would be quantised a second time."""
LARGE_GRAPH = 1000
"""Nodes above which a graph is opened without a plan of which tensors share memory: onnxruntime compares each tensor
with all that are free, which takes a time that grows with the square of their number."""
_TRIM = getattr(CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
"""glibc's function that returns freed memory to the system: without it 90 MiB stay when ResNet-50's gradient opens."""


def thread_count() -> int:
    """Threads of a session: of `limited_threads`, else OMP_NUM_THREADS; 0, onnxruntime's own choice, without either.

    Of a list for nested teams, such as 2,1, the first counts; what is no number of threads is left alone.
    """
    if _limits:
        return _limits[-1]
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and len(first) < 5 else 0


@contextmanager
def limited_threads(count: int) -> Iterator[int]:
    """Run sessions with this number of threads within the block, those that are open with others excepted."""
    _limits.append(count)
    try:
        yield count
    finally:
        _limits.remove(count)


def _lend(options: ort.SessionOptions, values: dict[str, np.ndarray[Any, Any]]) -> None:
    """Pass constants to onnxruntime without a copy; versions before 1.24 copy them."""
    if not hasattr(options, "add_external_initializers_from_files_in_memory"):
        options.add_external_initializers(list(values), [ort.OrtValue.ortvalue_from_numpy(v) for v in values.values()])
        return
    buffers = [value.data.cast("B") for value in values.values()]
    options.add_external_initializers_from_files_in_memory(
        [external_name(name) for name in values], buffers, [buffer.nbytes for buffer in buffers]
    )
    options.add_session_config_entry("session.use_external_initializer_file_buffers_directly", "1")


def open_session(
    graph: Graph,
    providers: Sequence[Any] | None = None,
    *,
    optimise: bool = True,
    noted: Iterable[str] = (),
    threads: int = 0,
) -> ort.InferenceSession:
    """A session that computes `graph.outputs`; the graph's constants live as long as it does, and must not change.

    Args:
        graph: what to compute.
        providers: onnxruntime's execution providers; the CPU's if None.
        optimise: whether onnxruntime optimises the graph first.
        noted: tensors whose types are written into the model because onnxruntime cannot infer them.
        threads: of the session; 0 for `thread_count`.

    Raises:
        ModelError: onnxruntime cannot open the network.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or thread_count()
    options.add_session_config_entry(
        "session.force_spinning_stop", "1"
    )  # else its idle threads slow the next session down
    if not optimise:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if lent := external_constants(graph):
        _lend(options, lent)
    if len(graph.nodes) > LARGE_GRAPH:
        options.enable_mem_reuse = False
        graph = graph.copy()
        graph.nodes = depth_first(graph.nodes)
    content = model_proto(graph, external=True, noted=noted).SerializeToString()
    with readable_errors("open the network"):
        session = ort.InferenceSession(
            content, options, providers=list(providers or ["CPUExecutionProvider"]), disabled_optimizers=_CHANGE_VALUES
        )
    finalize(session, lent.clear).atexit = False
    if lent and _TRIM:
        _TRIM(0)
    return session
