"""Sessions by what they compute: few enough to fit, opened once, used from any thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime as ort
from crosslens.arrays import Array, as_numpy
from crosslens.model import INPUT

from ..ir.onnxruntime_errors import explained
from ..ir.session import open_session
from .large_matrices import matrices_apart
from .program import Program

__all__ = ["Executable", "Pair"]


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
