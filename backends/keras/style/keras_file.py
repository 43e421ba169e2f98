"""Style networks as .keras files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosslens.errors import ModelError
from crosslens.files.whole_file import whole_file
from crosslens.plugins.hookspecs import hookimpl
from crosslens.style_network.spec import StyleSpec

from .network import build

__all__ = ["crosslens_save_style_network"]


@hookimpl
def crosslens_save_style_network(spec: StyleSpec, weights: Mapping[str, Any], path: Path) -> bool | None:
    """By `keras.Model.save`."""
    if path.suffix != ".keras":
        return None
    network = build(spec, weights)
    with whole_file(path, ModelError) as temporary:
        network.save(temporary)
    return True
