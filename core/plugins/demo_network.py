"""A network to try things with, under the name that "demo:NAME" takes: what a plugin says of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["DemoNetwork"]


@dataclass(frozen=True)
class DemoNetwork:
    """A network that a plugin offers; its framework is imported when one of the functions is called."""

    name: str
    """What stands after "demo:"; "lite0_onnx" for example."""
    architecture: str
    """The same for all frameworks' versions of one network, "lite0"."""
    framework: str
    """"onnx" for example."""
    extra: str
    """The extra of the plugin's distribution that installs the framework."""
    build: Callable[[], Any]
    """Makes the framework's own object, or a `Model`."""
    save: Callable[[Path], Path]
    """Write the network as its framework's own file into a folder, with preprocessing and labels (`write_metadata` of
    crosslens.plugins.carried); gives the file."""
    options: Callable[[], Mapping[str, Any]] = dict
    """What `crosslens.wrap` must know of it: preprocess, labels, input_shape. What a user gives goes before it."""
