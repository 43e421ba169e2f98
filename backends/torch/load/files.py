"""Opening files of torch: exported programs, TorchScript, pickled modules; those that could run code need consent."""

import pickle
import re
import struct
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from crosslens.errors import ModelError
from crosslens.limits.archive import open_archive
from torch import Tensor, nn

from .exported_program import load_program

__all__ = ["SUFFIXES", "load_file"]

SUFFIXES = frozenset({".pt2", ".pt", ".pth", ".ts"})
_CONSENT = "if you trust where it comes from, open it with wrap(path, trust=True)"
_UNREADABLE = (
    AssertionError,
    OSError,
    EOFError,
    MemoryError,
    RuntimeError,
    OverflowError,
    ValueError,
    LookupError,
    AttributeError,
    ImportError,
    TypeError,
    struct.error,
)


def load_file(path: Path, trust: bool) -> Any:
    """The network in a file: an exported program, a TorchScript module or a pickled `nn.Module`.

    What an archive is, its table of contents says. Without trust nothing is unpickled but what
    `torch.load(weights_only=True)` takes, and no TorchScript is opened: it is code.

    Raises:
        ModelError: the file could run code and is not trusted, holds weights or something else than a network, or
            cannot be read.
    """
    names = _members(path)
    if path.suffix == ".pt2" or "models/model.json" in names:
        return load_program(path, trust)
    if "constants.pkl" in names or any(name.startswith("code/") for name in names):
        return _script(path, trust)
    if names and "data.pkl" not in names:
        raise ModelError(
            f"'{path}' is an archive that torch did not write; torch.export.save and torch.save write them"
        )
    return _load_pickle(path, trust)


def _members(path: Path) -> Collection[str]:
    """Names in an archive without its outer folder; none where the file is not an archive.

    Raises:
        ModelError: it is a folder, or a damaged or hostile archive.
    """
    if not path.is_file():
        raise ModelError(f"'{path}' is a folder; a model of torch is one file, {', '.join(sorted(SUFFIXES))}")
    if not zipfile.is_zipfile(path):
        return ()
    with open_archive(path, ModelError, "an archive of torch") as archive:
        return {name.partition("/")[2] for name in archive.namelist()}


def _script(path: Path, trust: bool) -> nn.Module:
    if not trust:
        raise ModelError(f"'{path}' is a TorchScript file, which is code; {_CONSENT}")
    try:
        module: nn.Module = torch.jit.load(path, map_location="cpu")
    except _UNREADABLE as error:
        raise ModelError(f"'{path}' is TorchScript that torch cannot open: {_first_line(error)}") from error
    return module


def _load_pickle(path: Path, trust: bool) -> nn.Module:
    try:
        network = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trust:
            raise ModelError(
                f"'{path}' is a pickle{_classes(error)}, which runs code when it is opened; {_CONSENT}"
            ) from (error)
        network = _unpickle(path)
    except _UNREADABLE as error:
        raise ModelError(f"'{path}' is not a file that torch wrote, or is truncated: {_first_line(error)}") from error
    if isinstance(network, nn.Module):
        return network
    raise ModelError(f"'{path}' holds {_describe_other(network)}")


def _unpickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except (*_UNREADABLE, pickle.UnpicklingError) as error:
        hint = "; import the code of its classes first" if isinstance(error, AttributeError | ImportError) else ""
        raise ModelError(f"'{path}' cannot be unpickled here: {_first_line(error)}{hint}") from error


def _classes(error: Exception) -> str:
    """What is pickled, where torch says it."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f" of {named[1]}" if named else ""


def _describe_other(content: Any) -> str:
    """What a file holds instead of a network, and what to do with it."""
    build = "no network; build the module, load_state_dict, then wrap it"
    if isinstance(content, Tensor):
        return f"a tensor of shape {tuple(content.shape)}, {build}"
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}, no network; wrap an nn.Module"
    tensors = sum(isinstance(value, Tensor) for value in content.values())
    if tensors and tensors >= len(content) - 1:
        return f"weights only (a state_dict of {tensors} tensors), {build}"
    inner = {str(k): v for k, v in content.items() if isinstance(v, Mapping | nn.Module)}
    for name, value in inner.items():
        if isinstance(value, nn.Module):
            return f"a dict with a network under {name!r}; wrap(torch.load(path, weights_only=False)[{name!r}])"
        if value and all(isinstance(each, Tensor) for each in value.values()):
            return f"a checkpoint: weights only ({name!r}, a state_dict of {len(value)} tensors), {build}"
    return f"a dict of {', '.join(sorted(map(str, content))[:5]) or 'nothing'}, no network; wrap an nn.Module"


def _first_line(error: Exception) -> str:
    text = (str(error).strip().splitlines() or [""])[0].partition(". ")[0].rstrip(".")
    return f"{type(error).__name__} {text}".strip() if isinstance(error, LookupError) or not text else text
