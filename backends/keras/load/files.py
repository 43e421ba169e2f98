"""Opening `.keras` and `.h5` files without running code from them."""

import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
from crosslens.errors import ModelError

from .load_errors import reason

__all__ = ["load_keras"]

_ALLOW = "if you trust where it comes from, open it all the same: wrap(path, trust=True)"


def load_keras(path: Path, trust: bool) -> Any:
    """The `keras.Model` of a file; its code, if it holds any, is not run unless `trust` is given.

    Raises:
        ModelError: the file holds Python code, is truncated, or is not a model.
    """
    if _holds_code(_config(path)) and not trust:
        raise ModelError(f"'{path}' holds a Lambda layer, Python code that loading would run; {_ALLOW}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about optimizers and compilation, which play no part here
            return keras.models.load_model(path, compile=False, safe_mode=not trust)
    except Exception as error:
        raise ModelError(f"Keras cannot load '{path}': {reason(error)}{_advice(error)}") from error


def _config(path: Path) -> Any:
    """The description of the layers that the file carries beside its weights."""
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read("config.json"))
        return _h5_config(path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        line = reason(error)
        raise ModelError(
            f"'{path}' is not a complete Keras model file ({line}); save it again with model.save('NAME.keras')"
        ) from error


def _h5_config(path: Path) -> Any:
    import h5py  # type: ignore[import-untyped]

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise ModelError(
                f"'{path}' holds weights but no network; build it and call model.load_weights, then wrap it"
            )
        config = file.attrs["model_config"]
        return json.loads(config)


def _holds_code(config: Any) -> bool:
    """Whether a Lambda layer is described whose function is Python byte code."""
    return any(
        node.get("class_name") == "__lambda__"
        or (node.get("class_name") == "Lambda" and not _named_function(node.get("config", {}).get("function")))
        for node in _nodes(config)
    )


def _named_function(function: Any) -> bool:
    """A function stored by its registered name carries no code; Keras finds it only if the user registered it."""
    return isinstance(function, str) or (isinstance(function, dict) and function.get("class_name") == "function")


def _nodes(config: Any) -> Iterator[dict[str, Any]]:
    if isinstance(config, dict):
        yield config
        config = list(config.values())
    if isinstance(config, list):
        for item in config:
            yield from _nodes(item)


def _advice(error: BaseException) -> str:
    text = str(error)
    if "safe_mode" in text or "unsafe" in text.lower():
        return f"; {_ALLOW}"
    if "custom" in text.lower() or "Could not locate" in text or "Unknown layer" in text:
        return (
            "; it uses classes of its own: load it with keras.models.load_model(path, custom_objects=...) and wrap that"
        )
    return ""
