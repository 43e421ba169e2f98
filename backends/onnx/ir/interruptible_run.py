"""Runs that ctrl-C and the memory limit end: a Loop in a network may go on, and gather rows, for ever."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import onnxruntime as ort
from crosslens.limits.memory import check_memory

from .graph import Graph

__all__ = ["has_subgraphs", "run_interruptibly"]

Result = TypeVar("Result")


def has_subgraphs(graph: Graph) -> bool:
    """Whether an If, Loop or Scan is left in the graph."""
    return any(node.has_subgraphs for node in graph.nodes)


def run_interruptibly(
    apart: bool, run: Callable[[ort.RunOptions | None], Result], options: ort.RunOptions | None = None
) -> Result:
    """The result of `run(options)`, `apart` in a thread of its own: for a graph that has subgraphs.

    Python hears no signal while onnxruntime runs in the main thread. A KeyboardInterrupt ends the run before its next
    node.

    Args:
        apart: whether the run may go on for ever.
        run: calls onnxruntime with these options.
        options: of the run.

    Raises:
        MemoryLimitError: the process grew beyond the limit.
    """
    if not apart:
        return run(options)
    options = options or ort.RunOptions()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, options)
        try:
            while not wait([running], timeout=0.5).done:
                check_memory(0, "the network's Loop", "it has no end, or gathers too much")
        except BaseException:
            options.terminate = True
            raise
    return running.result()
