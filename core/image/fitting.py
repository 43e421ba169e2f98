"""How a picture of one size becomes one of another: what is resized, what is cut off, what is added."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from numbers import Integral, Real
from typing import Any, NamedTuple

from PIL import Image

from ..errors import ImageError, unknown_name

__all__ = ["RESIZE", "SHARE", "Fitting", "check_fitting", "check_size", "fitting"]

RESIZE = {
    "short": "the short side to the size, aspect kept, and the centre cut out",
    "squash": "each side to the size, aspect not kept",
    "pad": "the long side to the size, aspect kept, the rest black",
    "none": "the picture's own size",
}
"""The ways, and what each does."""
SHARE = 0.875
"""What evaluation of ImageNet networks keeps of the short side, 224 of 256 pixels."""
LONG = 16
"""A picture that would be enlarged to more than this many times the pixels that are kept is cut before it."""
Size = tuple[int, int]


@dataclass(frozen=True)
class Fitting:
    """Resize to `resized`, then cut out, or lay on black, the centre of this `size`; all (H, W) in pixels."""

    resized: Size
    size: Size

    @property
    def share(self) -> float:
        """The share of the short side that is kept."""
        return min(1.0, round(max(n / m for n, m in zip(self.size, self.resized, strict=True)), 4))

    def apply(self, picture: Image.Image) -> Image.Image:
        """One of Pillow's images, resized with a bicubic filter that averages where it shrinks."""
        height, width = self.resized
        left, top = (width - self.size[1]) // 2, (height - self.size[0]) // 2
        if height * width > max(picture.width * picture.height, LONG * self.size[0] * self.size[1]):
            return self._cut_first(picture, left, top)
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        if (top, left) == (0, 0) and self.resized == self.size:
            return picture
        return picture.crop((left, top, left + self.size[1], top + self.size[0]))

    def _cut_first(self, picture: Image.Image, left: int, top: int) -> Image.Image:
        """The same of a long picture, within rounding of one step: only what is kept is enlarged."""
        x = _kept(picture.width, self.resized[1], left, self.size[1])
        y = _kept(picture.height, self.resized[0], top, self.size[0])
        cut = picture.crop((x.first, y.first, x.last, y.last))
        box = (x.start, y.start, x.stop, y.stop)
        return cut.resize(self.size[::-1], Image.Resampling.BICUBIC, box)


class _Kept(NamedTuple):
    """Along one axis, the pixels of a picture that are looked at, and the part of these that is kept."""

    first: int
    last: int
    start: float
    stop: float


def _kept(own: int, resized: int, start: int, size: int) -> _Kept:
    """What of `own` pixels is needed for `size` of `resized` ones from `start` on."""
    scale = own / resized
    reach = ceil(2 * max(1.0, scale)) + 1  # of the bicubic filter
    first = max(0, floor(start * scale) - reach)
    last = min(own, ceil((start + size) * scale) + reach)
    return _Kept(first, last, start * scale - first, min((start + size) * scale - first, last - first))


def check_fitting(resize: str, crop: float | None) -> None:
    """Refuse an unknown way to resize, and a crop that means nothing.

    Raises:
        ImageError: with what would be right.
    """
    if resize not in RESIZE:
        raise ImageError(unknown_name("resize", resize, RESIZE))
    if crop is not None and not (isinstance(crop, Real) and 0 < crop <= 1):
        raise ImageError(f"crop is {crop!r}; it is the share of the picture that stays, above 0 and at most 1")
    if crop is not None and resize in {"pad", "none"}:
        raise ImageError(f"crop={crop:g} means nothing with resize={resize!r}, which cuts nothing off; leave one out")


def check_size(size: Any) -> None:
    """Refuse what is neither None nor (H, W), whole numbers above 0.

    Raises:
        ImageError: with what would be right.
    """
    whole = isinstance(size, Sequence) and all(isinstance(n, Integral) and int(n) > 0 for n in size)
    if size is not None and not (whole and len(size) == 2):
        raise ImageError(f"size is {size!r}; it is (H, W) in pixels, (224, 224) for example")


def fitting(own: Size, size: Size, resize: str = "short", crop: float | None = None) -> Fitting:
    """How a picture of its own size gets to another.

    "short" without `crop` is the evaluation of ImageNet networks where a picture is large enough for it: 87.5 % of the
    short side make the size. A smaller picture is not enlarged for the cut: it keeps its pixels, and the centre is cut
    out, and one that is smaller than the size is enlarged until it just covers it.

    Args:
        own: (H, W) of the picture.
        size: (H, W) wanted.
        resize: one of `RESIZE`.
        crop: the share of the short side, of "squash" of both sides, that stays; 1 keeps all of it.

    Raises:
        ImageError: an unknown way, or a share that means nothing.
    """
    check_fitting(resize, crop)
    (h, w), (height, width) = own, size
    if resize == "none":
        return Fitting(own, own)
    if resize == "squash":
        return Fitting((round(height / (crop or 1)), round(width / (crop or 1))), size)
    if resize == "pad":
        scale = min(height / h, width / w)
        return Fitting((min(height, max(1, round(h * scale))), min(width, max(1, round(w * scale)))), size)
    scale = _scale(max(height / h, width / w), crop)
    return Fitting((max(height, round(h * scale)), max(width, round(w * scale))), size)


def _scale(covering: float, crop: float | None) -> float:
    """By how much to resize where `covering` makes the short side as long as the size."""
    return covering / crop if crop is not None else min(covering / SHARE, max(covering, 1.0))
