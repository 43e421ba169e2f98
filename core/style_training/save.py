"""Writing a style network into a file of any framework, which `crosslens.wrap` then opens without options."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelError, ParameterError, PluginError
from ..metadata.metadata import Metadata
from ..plugins.carried import write_metadata
from ..plugins.registry import STYLE_FILES, load, plugin, plugins
from ..style_network.architecture import weight_shapes
from ..style_network.spec import StyleSpec

__all__ = ["check_style_file", "save_style_network"]


def save_style_network(spec: StyleSpec, weights: Mapping[str, np.ndarray[Any, Any]], path: str | Path) -> Path:
    """Write a style network as .onnx, .pt2 or .keras, for any number of pictures of any size.

    `crosslens.wrap(path)` and plain onnxruntime, PyTorch and Keras open it; images are (N, 3, H, W) in [0, 1], in Keras
    (N, H, W, 3), and what comes out are too. The three files agree to 1e-5. The description of the network stands in
    the .onnx file, beside the others in the side file: `crosslens.wrap(path).origin.carried.style`.

    Args:
        spec: the network.
        weights: by the names that PyTorch's state_dict gives them, and of its shapes: see
            `crosslens.style_network.architecture.weight_shapes`.
        path: the file; one that stands there is replaced, whole or not at all.

    Returns:
        The path.

    Raises:
        ParameterError: another ending.
        ModelError: weights of another network, or not finite; the file cannot be written.
        PluginError: what writes such a file is not installed.
    """
    if not isinstance(path, str | PathLike):
        raise ParameterError(f"a style network is saved in a file: give its path, not a {type(path).__name__}")
    path = Path(path)
    hooks = check_style_file(path)
    _check(spec, weights)
    own = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
    if not any(hooks.crosslens_save_style_network(spec=spec, weights=own, path=path)):
        raise ModelError(f"cannot write '{path}': its plugin wrote nothing")
    bounds = None if spec.is_decoder else (0.0, 1.0)
    write_metadata(path, Metadata(preprocess="none", bounds=bounds, style=spec))
    return path


_INSTALL = {".pt2": "crosslens[torch]", ".onnx": "crosslens[style]", ".keras": "crosslens[tensorflow]"}


def check_style_file(path: Path) -> Any:
    """The hooks of the plugin that writes files of this ending: what is missing is said before a training.

    Raises:
        ParameterError: another ending.
        PluginError: what it needs is not installed.
    """
    known = sorted({each.name for each in plugins(STYLE_FILES)})
    if path.suffix not in known:
        raise ParameterError(f"cannot write '{path}': a style network's file ends in {', '.join(known)}")
    entry = plugin(STYLE_FILES, path.suffix)
    try:
        return load(entry).hook
    except PluginError as error:
        if not isinstance(error.__cause__, ImportError) or entry.distribution != "crosslens":
            raise
        raise PluginError(
            f"writing {path.suffix} files takes what is not installed ({error.__cause__}): "
            f"pip install '{_INSTALL.get(path.suffix, 'crosslens[all]')}'"
        ) from error


def _check(spec: StyleSpec, weights: Mapping[str, Any]) -> None:
    """Refuse weights of another network, and such as are not finite.

    Raises:
        ModelError: names the first of them.
    """
    wanted = weight_shapes(spec)
    for name in [*wanted, *(name for name in weights if name not in wanted)]:
        shape = np.shape(weights[name]) if name in weights else None
        if shape != wanted.get(name):
            raise ModelError(
                f"these are not the weights of this style network: {name!r} has shape {shape}, and {wanted.get(name)} "
                "is wanted"
            )
        if not np.isfinite(weights[name]).all():
            raise ModelError(f"the weights {name!r} hold NaN or infinity; the training diverged before")
