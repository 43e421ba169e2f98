"""Which axis of an array is which, for a network that takes (C, H, W): channels first or last, one image or many."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..arrays import Array, namespace

__all__ = ["Layout", "layouts", "may_be_colours"]

Sides = Sequence[int | None]
COLOURS = 3
"""Length of an axis that may be red, green and blue."""


@dataclass(frozen=True)
class Layout:
    """The axes of an array by their letters, "NHWC" for example: N images, C channels, D, H and W places."""

    axes: str

    @property
    def order(self) -> tuple[int, ...]:
        """The axes in the order N, C, then places, those that there are."""
        return tuple(sorted(range(len(self.axes)), key=lambda n: {"N": 0, "C": 1}.get(self.axes[n], 2)))

    @property
    def new_axes(self) -> tuple[int, ...]:
        """Where axes of length one must be added after that: 0 for the batch, 1 for the channels."""
        return tuple(n for n, letter in enumerate("NC") if letter not in self.axes)

    @property
    def moves(self) -> bool:
        """Whether the channels stand elsewhere than in front."""
        return self.order != tuple(range(len(self.axes)))

    def apply(self, x: Array) -> Array:
        """The array as (N, C, ...); a view where its namespace allows."""
        xp = namespace(x)
        x = xp.permute_dims(x, self.order) if self.moves else x
        for axis in self.new_axes:
            x = xp.expand_dims(x, axis=axis)
        return x

    def code(self, name: str, permute: str = "transpose") -> str:
        """Python that does the same to the array called `name`.

        >>> Layout("HWC").code("images")
        'images.transpose(2, 0, 1)[None]'
        """
        moved = f"{name}.{permute}({', '.join(map(str, self.order))})" if self.moves else name
        return moved + {(): "", (0,): "[None]", (1,): "[:, None]", (0, 1): "[None, None]"}[self.new_axes]


def layouts(shape: Sequence[int], wanted: Sides, *, is_image: bool = True) -> list[Layout]:
    """The ways in which an array of this shape is one image (C, ...) or several; more than one where it is ambiguous.

    Args:
        shape: of the array.
        wanted: of an image, (C, H, W) or (C, D, H, W); None for any length.
        is_image: whether its axes are channels and places, so that channels may stand last; else they keep their order.

    Returns:
        (N, C, ...) alone where that fits: it is what networks are documented to take.
    """
    places = "DHW"[-(len(wanted) - 1) :] if is_image else "abdefgh"[: len(wanted) - 1]
    length = dict(zip("C" + places, wanted, strict=True))
    if is_image and length["C"] is None:
        length["C"] = 3
    names = [f"NC{places}", f"C{places}"]
    names += [f"N{places}C", f"{places}C"] if is_image and places else []
    names += [f"N{places}", places] if is_image and length["C"] == 1 else []
    fitting = [name for name in names if _fits(shape, name, length)]
    if fitting and fitting[0] == names[0]:
        return [Layout(fitting[0])]
    several = f"N{places}"  # grey images in a row; (1, H, W) and (N, H, 1) are rather one
    return [Layout(name) for name in fitting if name != several or len(fitting) == 1]


def _fits(shape: Sequence[int], axes: str, length: dict[str, Any]) -> bool:
    return len(shape) == len(axes) and all(
        length.get(letter) in {None, n} for letter, n in zip(axes, shape, strict=True)
    )


def may_be_colours(shape: Sequence[int], wanted: Sides, found: Sequence[Layout]) -> bool:
    """Whether (3, H, W) is read as three grey images but may as well be one picture in colours."""
    return [each.axes for each in found] == ["NHW"] and wanted[0] == 1 and shape[0] == COLOURS
