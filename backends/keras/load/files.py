"""Opening `.keras` and `.h5` files without running code from them."""

import io
import json
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import keras
from crosslens.errors import CrosslensError, MemoryLimitError, ModelError
from crosslens.limits.archive import check_members, open_archive, read_member
from crosslens.limits.memory import check_memory
from crosslens.limits.regular_file import check_regular_file

from .config_check import refuse_unsafe_config
from .load_errors import reason
from .variable_sizes import checked_variables
from .weights_check import refuse_unsafe_weights

__all__ = ["load_keras"]

_ALLOW = "if you trust where it comes from, open it all the same: wrap(path, trust=True)"
_CONFIG, _WEIGHTS, _ARRAYS = "config.json", "model.weights.h5", "model.weights.npz"
_LONGEST_CONFIG = 100_000_000


def load_keras(path: Path, trust: bool) -> Any:
    """The `keras.Model` of a file; its code, if it holds any, is not run unless `trust` is given.

    Raises:
        ModelError: the file holds Python code or leads to other files, is truncated, or is not a model.
        MemoryLimitError: what it holds, or describes, would take more memory than the limit.
    """
    check_regular_file(path, ModelError, "model")
    with _complete(path):
        config = _read_archive(path) if path.suffix == ".keras" else _read_h5(path)
        if not trust:
            refuse_unsafe_config(config, path)
    try:
        with warnings.catch_warnings(), checked_variables(path):
            warnings.simplefilter("ignore")  # about optimizers and compilation, which play no part here
            return keras.models.load_model(path, compile=False, safe_mode=not trust)
    except CrosslensError:
        raise
    except Exception as error:
        if isinstance(error.__cause__, MemoryLimitError):
            raise error.__cause__ from error
        raise ModelError(f"Keras cannot load '{path}': {reason(error)}{_advice(error)}") from error


@contextmanager
def _complete(path: Path) -> Iterator[None]:
    """Raise what fails while the file is read as one error."""
    try:
        yield
    except CrosslensError:
        raise
    except Exception as error:
        raise ModelError(
            f"'{path}' is not a complete Keras model file ({reason(error)[:200]}); save it again with "
            "model.save('NAME.keras')"
        ) from error


def _read_archive(path: Path) -> Any:
    """The description of the layers in a `.keras` file, whose weights are checked too."""
    with open_archive(path, ModelError, "a complete Keras model file") as archive:
        members = {member.filename: member.file_size for member in archive.infolist()}
        check_memory(2 * sum(members.values()), f"opening '{path}'", "open it on a machine with more memory")
        if members.get(_CONFIG, 0) > _LONGEST_CONFIG:
            raise ModelError(f"'{path}' holds a {_CONFIG} of {members[_CONFIG]:,} bytes; that is no network's")
        config = json.loads(read_member(archive, _CONFIG, path, ModelError))
        if _WEIGHTS in members:
            with h5py.File(io.BytesIO(read_member(archive, _WEIGHTS, path, ModelError)), "r") as file:
                refuse_unsafe_weights(file, path)
        elif _ARRAYS in members:
            with zipfile.ZipFile(io.BytesIO(read_member(archive, _ARRAYS, path, ModelError))) as arrays:
                check_members(arrays, path, ModelError)
    return config


def _read_h5(path: Path) -> Any:
    """The description of the layers in an `.h5` file, whose weights are checked too."""
    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ModelError(
                f"'{path}' holds weights but no network; build it and call model.load_weights, then wrap it"
            )
        refuse_unsafe_weights(file, path)
        config = file.attrs["model_config"]
        if not isinstance(config, str | bytes):
            raise ModelError(f"'{path}' holds a {type(config).__name__} as its model_config, not JSON")
        return json.loads(config)


def _advice(error: BaseException) -> str:
    text = str(error)
    if "safe_mode" in text or "unsafe" in text.lower():
        return f"; {_ALLOW}"
    if "custom" in text.lower() or "Could not locate" in text or "Unknown layer" in text:
        return (
            "; it uses classes of its own: load it with keras.models.load_model(path, custom_objects=...) and wrap that"
        )
    return ""
