"""The receptive field of layers: the pixels that a unit can depend on (Araujo et al. 2019, Distill)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array
from crosslens.errors import ImageError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.unit_layers import unit_layers
from crosslens.limits.whole_numbers import is_whole_number
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins import hookimpl
from crosslens.receptive.certificate import Field, field_at
from crosslens.sheets.receptive_fields import WHOLE_IMAGE, ReceptiveFields

__all__ = ["ReceptiveField"]

CERTIFICATE = 8
"""Random images whose gradients certify a field from below."""
FEW = 16
"""Layers of which that takes seconds, not minutes."""


@dataclass(frozen=True, kw_only=True)
class ReceptiveField(Method):
    """The pixels that a unit of a layer can depend on.

    The pixels that a unit of a layer can depend on, exact across branches, padding and sizes (Araujo, Norris and Sim
    2019, https://distill.pub/2019/computing-receptive-fields): its size, stride, padding and centre, and the rectangle
    of pixels at a position. Units that see the whole image wherever they stand (behind global pooling, attention, a
    dense layer, squeeze-and-excitation) are told apart.

    From above the field is worked out from the operators: no pixel outside can matter. From below it is certified by
    gradients at random images, rectifiers let through: every row and column at its edge does matter. Where both agree
    it is "exact". No picture is needed; given one, the fields are drawn on it, and its size counts.
    """

    name = "receptive_field"
    needs_images = False
    needs_target = False
    batched = False
    example: ClassVar[Mapping[str, Any]] = {"layers": ("conv2",)}

    layers: tuple[str, ...] = param((), 'layers by name, or "all" with units, or "rectified"; all if empty')
    positions: tuple[str, ...] = param(
        (), 'positions in the layer as "row,column", or the number of a token; the middle if empty'
    )
    unit: int | None = param(None, "one unit: behind branches they differ; all together if not given", minimum=0)
    gradients: int | None = param(
        None, f"random images for the certificate from below; {CERTIFICATE} for at most {FEW} layers, else 0", minimum=0
    )

    def check_parameters(self) -> None:
        """Positions are whole numbers."""
        super().check_parameters()
        for text in self.positions:
            _position(text)

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        """The layers by name."""
        layers = unit_layers(model, self.layers or ("all",))
        return {} if layers == self.layers else {"layers": layers}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> ReceptiveFields:
        if not model.input.is_image or len(model.input.example_shape) != 3:
            raise ImageError(
                f"receptive fields are of networks of pictures (C, H, W); this one takes {model.input.shape}"
            )
        size = model.input.example_shape[1:] if images is None else images.shape[2:]
        names = unit_layers(model, self.layers or ("all",))
        count = (CERTIFICATE if len(names) <= FEW else 0) if self.gradients is None else self.gradients
        rows = []
        for n, name in enumerate(names):
            rows += list(self._rows(model, name, (int(size[0]), int(size[1])), count))
            progress(n + 1, len(names), name)
        columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
        return ReceptiveFields(columns, (int(size[0]), int(size[1])), images=images)

    def _rows(self, model: Model, name: str, size: tuple[int, int], count: int) -> Iterator[Mapping[str, Any]]:
        for text in self.positions or ("",):
            position = _position(text) if text else None
            yield _row(model, name, field_at(model, name, position, unit=self.unit, size=size, images=count))


def _row(model: Model, name: str, found: Field) -> Mapping[str, Any]:
    whole = found.whole
    return {
        "layer": name,
        "kind": model.layers[name].kind,
        "position": ",".join(map(str, found.position)) or "-",
        "field": WHOLE_IMAGE if whole else " x ".join(map(str, found.size)),
        "stride": "-" if whole else _pair(found.strides),
        "padding": "-" if whole else _pair(found.padding),
        "centre": "-" if whole else _pair(found.centre),
        **dict(zip(("top", "left", "bottom", "right"), found.rectangle, strict=True)),
        "known": found.known,
    }


def _pair(values: Sequence[float]) -> str:
    """One number where both axes have the same."""
    texts = [f"{value:g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else " x ".join(texts)


def _position(text: str) -> tuple[int, ...]:
    """A position as it is written.

    Raises:
        ParameterError: it is no list of whole numbers.
    """
    parts = text.replace("x", ",").split(",")
    if not all(is_whole_number(part.strip()) for part in parts):
        raise ParameterError(f'a position is {text!r}; write "row,column", such as "3,4", or one number for a token')
    return tuple(int(part) for part in parts)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """The method of this module."""
    return [ReceptiveField]
