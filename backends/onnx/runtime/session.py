"""Sessions by what they compute: few enough to fit, opened once, used from any thread."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime as ort
from crosslens.arrays import Array, as_numpy
from crosslens.model import INPUT
from onnx import helper

from ..ir.graph import Graph, Type
from ..ir.serialise import explained, open_session
from .program import Program

__all__ = ["Executable", "Pair", "Sessions", "filled"]

MOST = 16
"""Sessions kept open per network; the one unused for longest is closed first."""
MOST_BYTES = 4 << 30
"""Bytes of constants that open sessions may read in sum; onnxruntime keeps a rearranged copy of most of them.

VGG-16 alone, whose forward pass, gradient and linearisation are four sessions, comes to 3 GiB.
"""
HEAVY = 16 << 20
"""Bytes from which the matrix of a fully connected layer is handed to each run instead of to the session."""

LARGE, ROWS = 4 << 20, 128
"""Bytes from which the matrix of a product with so many rows is handed to each run where gradients are asked for.

With 197 rows (ViT-B/16) arranging it on the way takes a gradient 1.05 times as long, and saves half of its memory.
"""


class Executable:
    """A program in open sessions, one for each number of threads that it was asked to run on."""

    def __init__(self, program: Program, providers: Sequence[Any] | None) -> None:
        self.program, self._providers = program, providers
        self._graph, self._fed = matrices_apart(program.graph, twice=bool(program.gradients or program.kept))
        self._open: dict[int, ort.InferenceSession] = {}
        self._ran: set[tuple[Any, ...]] = set()
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of the constants that the open sessions read."""
        return len(self._open) * sum(value.nbytes for value in self.program.graph.constants.values())

    def session(self, threads: int) -> ort.InferenceSession:
        """The open session on so many threads, 0 for as many as onnxruntime takes by itself."""
        with self._lock:
            if threads not in self._open:
                self._open[threads] = open_session(self._graph, self._providers, threads=threads)
            return self._open[threads]

    def feeds(self, x: Array, replace: Mapping[str, Array], cotangents: Mapping[str, Array]) -> dict[str, Any]:
        """Arrays by the session's own input names; what its graph does not need is left out."""
        program = self.program
        given = {INPUT: x}
        given |= {tensor: replace[name] for name, tensor in program.replaced.items()}
        given |= {tensor: cotangents[name] for name, tensor in program.seeds.items()}
        return self._fed | {name: _float32(value) for name, value in given.items() if name in self._graph.inputs}

    def run(
        self, x: Array, replace: Mapping[str, Array], cotangents: Mapping[str, Array], threads: int = 0
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Activations and gradients by layer."""
        names = self.program.graph.outputs
        feeds = self.feeds(x, replace, cotangents)
        session = self.session(threads)
        with explained(f"run the network on images {x.shape}"):
            found = dict(zip(names, session.run(names, feeds, self._how(feeds, threads)), strict=True))
        return self._by_layer(found)

    def bound(
        self, feeds: Mapping[str, Any], kept: Mapping[str, ort.OrtValue], threads: int = 0
    ) -> dict[str, ort.OrtValue]:
        """All outputs, as values that stay where onnxruntime put them."""
        session = self.session(threads)
        binding = session.io_binding()
        for name, value in feeds.items():
            binding.bind_cpu_input(name, value)
        for name, value in kept.items():
            if name in self._graph.inputs:
                binding.bind_ortvalue_input(name, value)
        names = self.program.graph.outputs
        for name in names:
            binding.bind_output(name, "cpu")
        with explained("run the network"):
            session.run_with_iobinding(binding, self._how(feeds, threads))
        return dict(zip(names, binding.get_outputs(), strict=True))

    def _how(self, feeds: Mapping[str, Any], threads: int) -> ort.RunOptions | None:
        """At new sizes onnxruntime learns what it needs, later it takes that in one piece; what it took first goes."""
        sizes = (threads, *(value.shape for value in feeds.values()))
        if sizes in self._ran:
            return None
        self._ran.add(sizes)
        options = ort.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        return options

    def _by_layer(self, found: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        program = self.program
        activations = {name: found[tensor] for name, tensor in program.activations.items()}
        return activations, {name: found[tensor] for name, tensor in program.gradients.items()}


def matrices_apart(graph: Graph, *, twice: bool) -> tuple[Graph, dict[str, np.ndarray[Any, Any]]]:
    """A copy that takes large matrices as inputs, and these matrices: onnxruntime rearranges a copy of its constants.

    Fully connected layers have as few rows as there are images: VGG-16's gradient took as long without, and 1.1 GB
    less. Where a matrix is needed `twice`, forward and backward, two arranged copies are saved, for many rows too.
    """
    made = graph.copy()
    found = _of_heads(graph) | (_of_many_rows(graph) if twice else set())
    fed = {name: made.constants.pop(name) for name in graph.constants if name in found}
    made.inputs |= {n: Type(helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in fed.items()}
    return made, fed


def _of_heads(graph: Graph) -> set[str]:
    """Matrices of fully connected layers."""
    heads = {node.inputs[1] for node in graph.nodes if node.op == "Gemm" and not node.domain}
    return {name for name in heads.intersection(graph.constants) if graph.constants[name].nbytes >= HEAVY}


def _of_many_rows(graph: Graph) -> set[str]:
    """Matrices of products with enough rows for arranging the matrix on the way to cost little."""
    turned = {node.outputs[0]: node.inputs[0] for node in graph.nodes if node.op == "Transpose"}
    rows = {
        turned.get(node.inputs[1], node.inputs[1]): _rows(graph, node.inputs[0])
        for node in reversed(graph.nodes)  # the sizes of a backward product, which comes later, may be unknown
        if node.op == "MatMul"
    }
    values = graph.constants
    matrices = {name for name in rows if name in values and values[name].ndim == 2 and values[name].nbytes >= LARGE}
    return {name for name in matrices if rows[name] >= ROWS}


def _rows(graph: Graph, tensor: str) -> int:
    """Rows of a tensor's matrices for one image, sizes known by name counted as one; 0 if nothing is known."""
    known = graph.types.get(tensor)
    return prod(n for n in known.dims[:-1] if isinstance(n, int)) if known and known.dims else 0


@dataclass(frozen=True)
class Pair:
    """A forward and a backward executable; the first leaves in place what the second reads."""

    ahead: Executable
    back: Executable

    @property
    def nbytes(self) -> int:
        """Bytes of both ones' constants."""
        return self.ahead.nbytes + self.back.nbytes


def _float32(value: Array) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(as_numpy(value), dtype=np.float32)


def filled(values: Array, start: int, size: int) -> Array:
    """`size` rows from `start` on; where there are too few, the last is repeated (its results are cut off again)."""
    part = as_numpy(values)[start : start + size]
    missing = size - len(part)
    return np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part


class Sessions:
    """A bounded cache; what is not in it is built by the caller's function, by one thread at a time."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._open: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()
        self._most, self._most_bytes = most, most_bytes

    def __len__(self) -> int:
        return len(self._open)

    def get(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """What stands under `key`; built if it is not there, and the oldest let go where there are too many."""
        with self._lock:
            if key not in self._open:
                self._open[key] = build()
            self._open.move_to_end(key)
            while len(self._open) > 1 and self._too_much():
                self._open.popitem(last=False)
            return self._open[key]

    def _too_much(self) -> bool:
        return (
            len(self._open) > self._most or sum(getattr(e, "nbytes", 0) for e in self._open.values()) > self._most_bytes
        )
