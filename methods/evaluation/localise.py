"""Boxes from a map: weakly supervised localisation (Zhou et al., 2016, https://arxiv.org/abs/1512.04150, section 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from crosslens.arrays import Array, as_numpy, like
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ._boxes import Box, best_iou, otsu, pointing_game
from ._metric import Metric

Values: TypeAlias = np.ndarray[Any, Any]
OTSU = ("otsu",)
COMPONENTS = ("largest", "all")


@dataclass(frozen=True)
class Localisation(Attribution):
    """The map, at the image's size, with boxes around its parts."""

    boxes: tuple[tuple[Box, ...], ...] = field(default=(), kw_only=True)
    """For each image, the one around the largest sum of values first."""
    ious: Array = field(default=None, kw_only=True)
    """(N,): intersection over union of the first box with the right one it overlaps most; None without a `truth`."""
    hits: Array = field(default=None, kw_only=True)
    """(N,): 1 where the largest value lies in a right box or within `tolerance`, else 0; None without `truth`."""

    def _per_image(self) -> tuple[str, ...]:
        return (*super()._per_image(), "boxes", "ious", "hits")

    def details(self) -> Mapping[str, Any]:
        """The boxes."""
        return {"boxes": self.boxes}

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> Self:
        """The boxes as `Box`es, which a file holds as tuples."""
        return super().from_saved({**saved, "boxes": tuple(tuple(Box(*b) for b in row) for row in saved["boxes"])})

    def figures(self) -> Mapping[str, Any]:
        """Boxes as (left, top, right, bottom); IoU and the pointing game's share of hits, means over images."""
        figures: dict[str, Any] = {
            "boxes (left, top, right, bottom)": [[list(box) for box in row] for row in self.boxes]
        }
        if self.ious is not None:
            figures |= {"IoU": float(as_numpy(self.ious).mean()), "pointing game": float(as_numpy(self.hits).mean())}
        return figures

    def drawn(self, index: int, form: str | None = None) -> Values:
        """Image `index` with its map, laid over it if no other form is given, and the boxes."""
        from PIL import Image, ImageDraw

        page = Image.fromarray(super().drawn(index, form or "overlay"))
        for rank, (left, top, right, bottom) in enumerate(self.boxes[index]):
            edge = (left, top, right - 1, bottom - 1)
            ImageDraw.Draw(page).rectangle(edge, outline="lime" if rank == 0 else "green", width=2)
        return np.asarray(page)


@dataclass(frozen=True, kw_only=True)
class Localise(Metric):
    """Boxes around what another method's map holds.

    Where the object is: boxes around what another method's map holds above a threshold.

    The map at image size is cut at `threshold` of its largest value (20 % in the paper; or where Otsu's method parts
    it), and a box is put around the largest connected component, or around each. Given the right boxes, the result says
    their IoU and plays the pointing game (Zhang et al. 2018, https://arxiv.org/abs/1608.00507, section 4.1).
    """

    name = "localise"
    aliases: ClassVar[Mapping[str, str]] = {
        "localize": "",
        "localization": "",
        "localisation": "",
    }
    batched: ClassVar[bool] = False
    threshold: float | str = param(
        0.2, "share of the map's largest value from which on a pixel counts, or otsu", above=0, maximum=1, choices=OTSU
    )
    components: str = param("largest", "which connected parts get a box", choices=COMPONENTS)
    truth: tuple[int, ...] | Any | None = param(
        None, "the right boxes in pixels, left,top,right,bottom; in Python one such list for each image, or several"
    )
    tolerance: int = param(15, "pixels around a right box that still count as a hit, as in the paper", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Localisation:
        """The map (N, H, W), raw, with boxes."""
        right = self._truth(images.shape[0], images.shape[2:])
        result = self.judged(model, images, objective, progress=progress)
        if not isinstance(result, Attribution):
            raise ParameterError(f"{self.judged.name} gives a {type(result).__name__}, not a map to put boxes on")
        raw = result.upsampled(images.shape[2:])
        maps = as_numpy(raw)
        boxes = tuple(self._boxes(each) for each in maps)
        empty = sum(not each for each in boxes)
        figures: dict[str, Any] = {}
        if right is not None:
            figures["ious"] = like(np.array([best_iou(b, r) for b, r in zip(boxes, right, strict=True)]), images)
            hits = [pointing_game(m, r, self.tolerance) for m, r in zip(maps, right, strict=True)]
            figures["hits"] = like(np.array(hits), images)
        notes = (f"{empty} of {len(boxes)} images got no box: no value of their map is positive",) * bool(empty)
        return Localisation(raw, scores=result.scores, boxes=boxes, notes=(*result.notes, *notes), **figures)

    def _boxes(self, values: Values) -> tuple[Box, ...]:
        """Of one map (H, W); none where nothing is positive."""
        from scipy.ndimage import find_objects, label

        if not values.max() > 0:
            return ()
        parts, _ = label(values >= self._threshold(values), structure=np.ones((3, 3)))
        slices = find_objects(parts)
        weights = [float(values[each][parts[each] == n].sum()) for n, each in enumerate(slices, start=1)]
        order = sorted(range(len(slices)), key=lambda n: -weights[n])
        boxes = [Box(slices[n][1].start, slices[n][0].start, slices[n][1].stop, slices[n][0].stop) for n in order]
        return tuple(boxes if self.components == "all" else boxes[:1])

    def _threshold(self, values: Values) -> float:
        if self.threshold == "otsu":
            return otsu(values)
        return float(float(self.threshold) * values.max())

    def _truth(self, count: int, size: tuple[int, int]) -> list[list[Box]] | None:
        """The right boxes of each image, all within `size`, (H, W)."""
        if self.truth is None:
            return None
        rows = [self.truth] if len(self.truth) and np.ndim(self.truth[0]) == 0 else list(self.truth)
        whole = [row for row in rows if np.size(row) % 4 == 0 and np.all(np.equal(row, row))]  # NaN equals nothing
        boxes = [[Box(*map(int, four)) for four in np.reshape(row, (-1, 4))] for row in whole]
        good = all(b.left < b.right and b.top < b.bottom for row in boxes for b in row)
        if len(boxes) != count or not all(boxes) or not good:
            raise ParameterError(
                f"truth is {self.truth!r}; give left,top,right,bottom in pixels, left < right and top < bottom, "
                f"and such a list for each of the {count} images"
            )
        height, width = size
        if any(b.left < 0 or b.top < 0 or b.right > width or b.bottom > height for row in boxes for b in row):
            raise ParameterError(
                f"truth is {self.truth!r}, beyond the image of {width} x {height} pixels; give boxes in pixels of the "
                "picture as the network sees it, resized and cut (crosslens.load_image)"
            )
        return boxes


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Localise]
