"""Presets: what another library returns by default, as other values of parameters and a postprocessing of values.

A method declares its presets beside itself, `presets = {"captum": Preset(...)}`; nothing else lists them.
They reproduce a library's numbers for the same network with its preprocessing inside: what is differentiated or covered
is the image in [0, 1]. Which layer a library takes by default is not copied: name it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass, replace
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar

from ..arrays import Array
from ..errors import ParameterError, unknown_name
from .parameter import parameters
from .postprocess import Postprocess, Size

__all__ = ["HasPresets", "Preset", "with_preset"]


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


class HasPresets(Protocol):
    """A class of methods, on single images or over a data set."""

    name: ClassVar[str]
    presets: ClassVar[Mapping[str, Preset]]


T = TypeVar("T", bound=HasPresets)


@cache
def with_preset(kind: type[T], library: str) -> type[T]:
    """A method's class with the defaults of another library, and with what that library does to values after it.

    Raises:
        ParameterError: the method has no preset of that name.
    """
    preset = kind.presets.get(library)
    if preset is None:
        raise ParameterError(unknown_name("preset", library, kind.presets, of=kind.name))
    known = {f.name: f for f in parameters(kind)}
    return make_dataclass(
        kind.__name__,
        [
            (name, known[name].type, field(default=value, metadata=known[name].metadata))
            for name, value in preset.parameters.items()
        ],
        bases=(kind,),
        namespace={"__doc__": kind.__doc__, "preset": replace(preset, library=library)},
        frozen=True,
        kw_only=True,
    )
