"""Presets: what another library returns by default, as other values of parameters and a postprocessing of values.

A method declares its presets beside itself, `presets = {"captum": Preset(...)}`; nothing else lists them.
They reproduce a library's numbers for the same network with its preprocessing inside: what is differentiated or covered
is the image in [0, 1]. Which layer a library takes by default is not copied: name it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..arrays import Array
from .postprocess import Postprocess, Size

__all__ = ["Preset"]


@dataclass(frozen=True)
class Preset:
    """Parameters that differ from the method's own defaults, and what the library does to the values."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    postprocess: tuple[Postprocess, ...] = ()
    doc: str = ""
    """One line: what is peculiar, a known bug among it."""
    library: str = ""

    def apply(self, values: Array, size: Size) -> Array:
        """Raw values as the library would return them; `size` is the image's (H, W)."""
        for postprocess in self.postprocess:
            values = postprocess(values, size)
        return values

    def record(self) -> dict[str, Any]:
        """What the provenance says of it."""
        return {"preset": self.library, "steps": [each.name for each in self.postprocess]}

    def summary(self) -> str:
        """Its parameters and its postprocessing in one line."""
        changed = [f"{name}={value}" for name, value in self.parameters.items()]
        return ", ".join([*changed, *map(str, self.postprocess)]) or "raw, as here"
