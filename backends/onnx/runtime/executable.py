"""A program that can be run: its onnxruntime sessions, one for each number of threads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime as ort
from crosslens.arrays import Array, as_numpy
from crosslens.model import INPUT

from ..ir.interruptible_run import has_subgraphs, run_interruptibly
from ..ir.onnxruntime_errors import readable_errors
from ..ir.session import open_session, thread_count
from .large_matrices import large_matrices_as_inputs
from .program import Program

__all__ = ["Executable", "SplitExecutable"]


class Executable:
    """A program and its open sessions, which several threads may use."""

    def __init__(self, program: Program, providers: Sequence[Any] | None) -> None:
        self.program, self._providers = program, providers
        self._graph, self._matrices = large_matrices_as_inputs(
            program.graph, twice=bool(program.gradients or program.saved)
        )
        self._apart = has_subgraphs(self._graph)
        self._open: dict[int, ort.InferenceSession] = {}
        self._ran: set[tuple[Any, ...]] = set()
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of the constants that the open sessions read."""
        return len(self._open) * sum(value.nbytes for value in self.program.graph.constants.values())

    def session(self, threads: int) -> ort.InferenceSession:
        """The session with this number of threads, 0 for `thread_count`; opened when first used."""
        threads = threads or thread_count()
        with self._lock:
            if threads not in self._open:
                self._open[threads] = open_session(self._graph, self._providers, threads=threads)
            return self._open[threads]

    def feeds(self, x: Array, replace: Mapping[str, Array], cotangents: Mapping[str, Array]) -> dict[str, Any]:
        """The session's inputs, by the names of its graph; arrays that the graph does not need are left out."""
        program = self.program
        arrays = {INPUT: x}
        arrays |= {tensor: replace[name] for name, tensor in program.replaced.items()}
        arrays |= {tensor: cotangents[name] for name, tensor in program.seeds.items()}
        return self._matrices | {name: _float32(value) for name, value in arrays.items() if name in self._graph.inputs}

    def run(
        self, x: Array, replace: Mapping[str, Array], cotangents: Mapping[str, Array], threads: int = 0
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Activations and gradients by layer.

        Args:
            x: images.
            replace: activations by layer that replace the network's own.
            cotangents: by layer (or index, for an objective's arrays).
            threads: of the session; 0 for `thread_count`.

        Raises:
            ModelError: onnxruntime cannot run the network on these images.
        """
        names = self.program.graph.outputs
        feeds = self.feeds(x, replace, cotangents)
        session = self.session(threads)
        with readable_errors(f"run the network on images {x.shape}"):
            values = run_interruptibly(
                self._apart, lambda options: session.run(names, feeds, options), self._options(feeds, threads)
            )
        outputs = dict(zip(names, values, strict=True))
        return self._by_layer(outputs)

    def run_bound(
        self, feeds: Mapping[str, Any], saved: Mapping[str, ort.OrtValue], threads: int = 0
    ) -> dict[str, ort.OrtValue]:
        """All outputs as onnxruntime's own values, not copied; `saved` are such values of a forward program."""
        session = self.session(threads)
        binding = session.io_binding()
        for name, value in feeds.items():
            binding.bind_cpu_input(name, value)
        for name, value in saved.items():
            if name in self._graph.inputs:
                binding.bind_ortvalue_input(name, value)
        names = self.program.graph.outputs
        for name in names:
            binding.bind_output(name, "cpu")
        with readable_errors("run the network"):
            run_interruptibly(
                self._apart,
                lambda options: session.run_with_iobinding(binding, options),
                self._options(feeds, threads),
            )
        return dict(zip(names, binding.get_outputs(), strict=True))

    def _options(self, feeds: Mapping[str, Any], threads: int) -> ort.RunOptions | None:
        """Free memory after the first run at new sizes: then onnxruntime plans its memory, and allocates it anew."""
        sizes = (threads or thread_count(), *(value.shape for value in feeds.values()))
        if sizes in self._ran:
            return None
        self._ran.add(sizes)
        options = ort.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        return options

    def _by_layer(self, outputs: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
        program = self.program
        activations = {name: outputs[tensor] for name, tensor in program.activations.items()}
        return activations, {name: outputs[tensor] for name, tensor in program.gradients.items()}


@dataclass(frozen=True)
class SplitExecutable:
    """A forward executable, and a backward one that reads the values that the first saves."""

    forward: Executable
    backward: Executable

    @property
    def nbytes(self) -> int:
        """Bytes of the constants of both."""
        return self.forward.nbytes + self.backward.nbytes


def _float32(value: Array) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(as_numpy(value), dtype=np.float32)
