"""Every step from an array to images for a network, in words and as code to paste, in one message."""

from collections.abc import Sequence
from dataclasses import dataclass

from array_api_compat import is_torch_array

from ..arrays import Array, namespace
from .array_layout import Layout, layouts, may_be_colours
from .unit import Unit, interval, type_name, unit_of

__all__ = ["Wanted", "refusal"]

_CAST, _TORCH_CAST = ".astype('float32')", ".float()"


@dataclass(frozen=True)
class Wanted:
    """What a network takes: (C, H, W), None for any length, and bounds of the values; None if it is no image."""

    shape: Sequence[int | None]
    bounds: tuple[float, float] | None

    @property
    def is_image(self) -> bool:
        """Whether it is a picture (C, H, W) or a volume (C, D, H, W)."""
        return len(self.shape) in {3, 4} and self.bounds is not None

    def __str__(self) -> str:
        sides = ", ".join("any" if n is None else str(n) for n in self.shape)
        return f"(N, {sides}) float32" + (f" in {interval(self.bounds)}" if self.bounds else "")

    def layouts(self, shape: Sequence[int]) -> list[Layout]:
        """As `array_layout.layouts`; two where grey images may as well be one picture in colours."""
        found = layouts(shape, self.shape, is_image=self.is_image)
        colours = [Layout("CHW")] if may_be_colours(shape, self.shape, found) else []
        return [*found, *colours]

    def could_be_loaded(self, shape: Sequence[int]) -> bool:
        """Whether it is a picture, or several, of another size or other channels, which `load_image` would take."""
        channels = {self.shape[0], 1, 3, 4} if self.shape[0] in {1, 3, None} else {self.shape[0]}
        flat = len(self.shape) == 3 and self.is_image
        return flat and any(layouts(shape, (each, None, None)) for each in channels)


def refusal(x: Array, wanted: Wanted, *, strict: bool) -> str:
    """Why an array cannot be used as it is, what the network takes, and all that is to be done, as code to paste.

    Args:
        x: what was given as images: finite numbers, at least one.
        wanted: what the network takes.
        strict: whether values must lie in the bounds, not merely near them.
    """
    unit, found = unit_of(x, wanted.bounds, strict=strict), wanted.layouts(x.shape)
    received = f"images have shape {tuple(x.shape)} and dtype {type_name(x)}{unit.reach}; this model takes {wanted}"
    if len(found) > 1:
        grey = wanted.shape[0] == 1  # so that one picture in colours needs more than another order of its axes
        meant = [
            f"{_loading('images') if grey and 'C' in each.axes else _code(each, unit, x)} if the axes are "
            f"({', '.join(each.axes)})"
            for each in found
        ]
        return f"{received}. Two readings of the axes fit: give {', or '.join(meant)}"
    advice = _advice(found[0], unit, x) if found else _advice_for_another_shape(unit, wanted, x)
    return f"{received}. {advice}" if advice else received


def _advice(layout: Layout, unit: Unit, x: Array) -> str:
    code = _code(layout, unit, x)
    words = _sentence(
        "move the channels to the front" if layout.moves else "",
        "add the batch axis" if 0 in layout.new_axes else "",
        "add the channel axis" if 1 in layout.new_axes else "",
        unit.words,
        "convert to float32" if code.endswith((_CAST, _TORCH_CAST)) else "",
    )
    return words if unit.kind == "unknown" else f"{words}: {code}"


def _advice_for_another_shape(unit: Unit, wanted: Wanted, x: Array) -> str:
    if not wanted.is_image or len(wanted.shape) > 3:
        return _sentence(unit.words, "resample volumes to that size" if wanted.is_image else "")
    loadable, by_hand = wanted.could_be_loaded(x.shape), unit.kind == "by_hand"
    words = _sentence(unit.words if by_hand or unit.kind == "unknown" else "", "load it for the model")
    given = unit.code.format("images") if by_hand else "images"
    return f"{words}: {_loading(given if loadable and unit.kind != 'unknown' else 'path')}"


def _loading(given: str) -> str:
    return f"crosslens.load_image({given}, like=model)"


def _code(layout: Layout, unit: Unit, x: Array) -> str:
    """Python that makes float32 images (N, C, ...) of an array called "images"."""
    torch = is_torch_array(x)
    moved = layout.code("images", "permute" if torch else "transpose")
    code = unit.code.format(moved) if unit.kind != "unknown" else moved
    if x.dtype == namespace(x).float32 or (torch and "/" in code and "int" in type_name(x)):
        return code
    whole = code if code == moved else f"({code})"
    return whole + (_TORCH_CAST if torch else _CAST)


def _sentence(*steps: str) -> str:
    """The steps that there are, in one line that begins with a capital letter."""
    text = ", ".join(step for step in steps if step)
    return text[:1].upper() + text[1:]
