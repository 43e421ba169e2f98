"""Exported programs as networks, and `.pt2` files, opened only where nothing in them could run code."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from crosslens.errors import ModelError
from crosslens.model import InputSpec
from torch.export import ExportedProgram

from ..layers.module_network import ModuleNetwork
from .program_archive import checked_archive
from .program_module import program_arguments, program_module

__all__ = ["load_program", "program_network"]


def load_program(path: Path, trust: bool = False) -> ExportedProgram:
    """The program in a `.pt2` file.

    `torch.export.load` unpickles, evaluates strings and resolves any name below `torch`. So, without trust, the archive
    is read first, refused if it holds more than plain tensors, known operators and arithmetic on sizes, and what was
    read is loaded, without its example inputs, which are a pickle.

    Raises:
        ModelError: the file is not such an archive, cannot be read, or could run code.
        MemoryLimitError: what it holds would take more memory than the limit.
    """
    source = path if trust else checked_archive(path)
    with _torch_errors() as logged:
        try:
            return torch.export.load(source)
        except Exception as error:
            reason = _root(logged[0] if logged else error)
            raise ModelError(f"'{path}' cannot be opened by torch {torch.__version__}: {reason}") from error


@contextmanager
def _torch_errors() -> Iterator[list[BaseException]]:
    """The errors that torch writes to its log, with 40 lines each, instead of raising them."""
    errors: list[BaseException] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            errors.append(record.exc_info[1])
        return not record.exc_info

    log = logging.getLogger("torch.export")
    log.addFilter(keep)
    try:
        yield errors
    finally:
        log.removeFilter(keep)


def _root(error: BaseException) -> str:
    """The first line of the error that led to another."""
    while error.__cause__ is not None:
        error = error.__cause__
    line = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {line[:200]}" if isinstance(error, LookupError) or not line else line[:200]


def program_network(
    program: ExportedProgram,
    given: InputSpec | None,
    bounds: tuple[float, float] | None = None,
    held: dict[str, Any] | None = None,
) -> ModuleNetwork:
    """A program as a tree of modules under their original names.

    Args:
        program: of one input, or of several of which all others are held.
        given: the input asked for, None for the program's own.
        bounds: the least and the largest value of an image.
        held: what the other inputs hold, by name.

    Raises:
        ModelError: it was exported in train mode, or for another size than the one given; or inputs are not held.
    """
    _refuse_training(program)
    image, arguments = program_arguments(program, held)
    batch, *shape = (n if isinstance(n, int) else None for n in image.shape)
    spec = InputSpec(tuple(shape)) if len(shape) in {3, 4} else InputSpec.latent(tuple(n or 1 for n in shape))
    _refuse_other_size(given, tuple(shape))
    spec = given or spec.within(bounds)
    return ModuleNetwork(program_module(program), spec, kinds=_kinds(program), batch=batch, arguments=arguments)


def _refuse_other_size(given: InputSpec | None, own: tuple[int | None, ...]) -> None:
    if given is None:
        return
    same = len(given.shape) == len(own)
    if not same or any(None not in {a, b} and a != b for a, b in zip(given.shape, own, strict=True)):
        raise ModelError(
            f"input_shape is {given.shape}, but the program was exported for {own} (None = any); its constants hold "
            "for that size only: export it again, with dynamic_shapes for other sizes"
        )


def _refuse_training(program: ExportedProgram) -> None:
    flags = {"batch_norm": 5, "dropout": 2, "dropout_": 2}
    for node in program.graph.nodes:
        position = flags.get(getattr(node.target, "_opname", ""))
        if position is not None and len(node.args) > position and node.args[position] is True:
            raise ModelError("the program was exported in train mode; call net.eval() and export it again")


def _kinds(program: ExportedProgram) -> dict[str, str]:
    """The class that each module had, with the module that defines it, by its dotted name."""
    kinds = {}
    for node in program.graph.nodes:
        for path, kind in node.meta.get("nn_module_stack", {}).values():
            kinds[path] = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    return kinds
