"""The pictures of a comparison as arrays: each image, the maps of all models on one scale, and their differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np

from ..arrays import as_numpy
from ..attack import Adversarial
from ..errors import ImageError
from ..image.colormap import full_scale
from ..image.false_colour import pixels, side_by_side
from ..result import Attribution, Result, Synthesis
from ..result.display import magnitude_limit
from .attacks import attack_drawings

__all__ = ["Difference", "Drawing", "ImagePictures", "MethodPictures", "Scale", "pictures_of", "previews_of"]

Pixels = np.ndarray[Any, Any]
Results = Mapping[tuple[str, str], Result]
"""By (method, model)."""


@dataclass(frozen=True)
class Scale:
    """The colour scale that all models' maps of one image share."""

    limit: float
    """The magnitude at its end; see `crosslens.image.full_scale`."""
    signed: bool
    """Whether it has two sides, zero in the middle."""
    grey: bool = False
    """Whether it goes from black to white and hides the image, as for magnitudes of single pixels."""
    start: float = 0.0
    """The value at its beginning, where it has one side: 0, but for maps that lie far from zero their least value."""


@dataclass(frozen=True)
class Drawing:
    """One model's map of an image, or the image that a method made on it."""

    model: str
    values: Pixels
    """(h, w) float64, to be drawn on the method's scale; (H, W, 3) uint8 where the method makes images."""


@dataclass(frozen=True)
class Difference:
    """Where two models' maps of an image differ."""

    models: tuple[str, str]
    values: Pixels
    """(h, w), the first model's map minus the second's."""
    limit: float
    """The magnitude to draw in full colour; 0 where the maps are equal."""
    magnification: float
    """How much stronger than the maps' colours, on a scale of all models, the difference's are; 0 likewise."""


@dataclass(frozen=True)
class MethodPictures:
    """What one method gives for an image, by model; `scale` and what follows only where it can be drawn."""

    method: str
    kind: Literal["maps", "images", "attack", "values"]
    """Maps to lay over the image; images that the method made; for an attack each model's change of the image and its
    picture, two drawings; or values that cannot be drawn."""
    scale: Scale = Scale(1.0, False)
    drawings: tuple[Drawing, ...] = ()
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class ImagePictures:
    """An image and what each method gives for it."""

    image: Pixels
    """(H, W, 3) uint8: the image explained, or, where methods make images, the first one made."""
    methods: tuple[MethodPictures, ...]

    @property
    def is_made(self) -> bool:
        """Whether methods made the images, so that there is no other to explain."""
        return any(each.kind == "images" for each in self.methods[:1])


def pictures_of(results: Results, methods: Sequence[str], models: Sequence[str], index: int) -> ImagePictures:
    """The pictures of image `index`.

    Args:
        results: by method and model.
        methods: in the order to show them; those without a result for this image are left out.
        models: in the order to show them; the scale is one for all.
        index: which of the images.
    """
    rows = {
        method: {model: results[method, model] for model in models if (method, model) in results} for method in methods
    }
    first = next(iter(rows[methods[0]].values()))
    shown = [(method, row) for method, row in rows.items() if index < len(next(iter(row.values())).images)]
    return ImagePictures(
        _image(first, index), tuple(_method(method, [*row], [*row.values()], index) for method, row in shown)
    )


def previews_of(results: Results, index: int) -> dict[tuple[str, str], Pixels]:
    """Image `index` of each result that can be drawn, as the result itself draws it: (H, W, 3) uint8."""
    previews = {}
    for key, result in results.items():
        try:
            if isinstance(result, Attribution | Synthesis):
                previews[key] = result.drawn(index)
        except ImageError:
            continue
    return previews


def _method(method: str, models: Sequence[str], results: Sequence[Result], index: int) -> MethodPictures:
    if attacked := [result for result in results if isinstance(result, Adversarial)]:
        drawn = attack_drawings(models, attacked, index)
        return MethodPictures(method, "attack", drawings=tuple(Drawing(*each) for each in drawn))
    if not all(map(_can_be_drawn, results)):
        return MethodPictures(method, "values")
    made = isinstance(results[0], Synthesis)
    values = [_image(r, index) if isinstance(r, Synthesis) else _map_to_draw(r, index) for r in results]
    maps = {model: _map(result, index) for model, result in zip(models, results, strict=True)}
    common = full_scale(np.stack([*maps.values()]))
    return MethodPictures(
        method,
        "images" if made else "maps",
        _scale(results, index),
        tuple(Drawing(model, each) for model, each in zip(models, values, strict=True)),
        tuple(_difference((a, b), maps[a] - maps[b], common) for a, b in combinations(models, 2)),
    )


def _difference(models: tuple[str, str], values: Pixels, common: float) -> Difference:
    """The scale is the difference's own, so that it shows where, not how much; `common` is that of the maps."""
    limit = full_scale(values) if values.any() else 0.0
    return Difference(models, values, limit, common / limit if limit else 0.0)


def _can_be_drawn(result: Result) -> bool:
    return isinstance(result, Synthesis) or (isinstance(result, Attribution) and result.values.ndim in {3, 4, 5})


def _scale(results: Sequence[Result], index: int) -> Scale:
    maps = np.stack([_map_to_draw(result, index) for result in results])
    if any(map(_is_per_pixel, results)):
        return Scale(magnitude_limit(maps), False, grey=True)
    limit, least = full_scale(maps), float(maps.min())
    return Scale(limit, least < 0, start=least if limit / 2 < least < limit else 0.0)


def _is_per_pixel(result: Result) -> bool:
    return isinstance(result, Attribution) and result.is_per_pixel


def _image(result: Result, index: int) -> Pixels:
    images = result.starts if isinstance(result, Adversarial) else result.images
    return np.asarray(pixels(as_numpy(images)[index], result.bounds, result.bands))


def _map_to_draw(result: Result, index: int) -> Pixels:
    """(h, w): magnitudes where each pixel has values of its own, else the map."""
    if isinstance(result, Attribution) and result.is_per_pixel:
        return _flat(as_numpy(_one(result, index).magnitudes())[0])
    return _map(result, index)


def _one(result: Attribution, index: int) -> Attribution:
    return replace(result, values=result.values[index : index + 1, ...])


def _map(result: Result, index: int) -> Pixels:
    """(h, w) that is compared: the map, or the mean over the channels of an image that was made."""
    if isinstance(result, Synthesis):
        return _flat(as_numpy(result.images)[index].mean(axis=0))
    assert isinstance(result, Attribution)
    return _flat(as_numpy(_one(result, index).maps())[0])


def _flat(values: Pixels) -> Pixels:
    """(h, w), float64; the slices of a volume side by side, as its picture shows them."""
    return np.asarray(side_by_side(values) if values.ndim == 3 else values, np.float64)
