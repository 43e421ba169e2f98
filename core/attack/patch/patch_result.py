"""`PatchResult`: a patch that makes a network see one class, and how often it does in pictures that it never saw."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from PIL import Image

from ...arrays import Array, as_numpy
from ...errors import ImageError, ParameterError
from ...image.false_colour import pixels
from ...image.io import load_image
from ...input.as_array import as_array
from ...operators import Paste, Placement
from ...operators.paste import patch_mask
from ...result import Synthesis
from ...result.display import Pixels, enlarged
from ...result.formats import PICTURES, write_picture
from ...result.table import Table
from ...sheets.grid import sheet
from ...sheets.tile import Tile
from ..shown_on_pictures import ShownOnPictures
from .random_placement import patch_width
from .trials import Rate, Trials

__all__ = ["PatchResult"]

HELD_OUT, TRAINING, GREY, NOISE = "held out", "training", "grey patch", "patch of noise"
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Grey of red, green and blue (ITU-R BT.601), as pictures are read for a network of one channel."""
REACHED, KEPT = (40, 150, 60), (200, 40, 40)
"""Frames of pictures whose class became the one wanted, and of others."""


@dataclass(frozen=True, kw_only=True)
class PatchResult(ShownOnPictures, Synthesis):
    """A patch (1, C, h, w), its history, and trials in pictures that took no part in its training.

    `history` is the loss of each step, (steps,): the cross-entropy of the class wanted and the weighted regularisers,
    means over the step's pictures.
    """

    shape: str = "circle"
    area: float = 0.1
    """Share of a picture's area that it covers at scale 1."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Least and largest width in training and trials, as a share of that at `area`."""
    rotation: float = 0.0
    """Degrees either way."""
    towards: int = -1
    """The class wanted."""
    trials: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    """By what was tried, "held out", "training", "grey patch", "patch of noise": the arrays of `Trials`."""
    held_out: tuple[str, ...] = ()
    """The ids of the pictures of "held out", in order."""
    before: Array = None
    """(n,): the predicted class of each of these without a patch."""
    trained_on: Array = None
    """Digests of the pictures that took part in training."""
    examples: Array = None
    """(M, C, H, W): some of the held-out pictures."""
    example_rows: Array = None
    """(M,): which of `held_out` they are."""
    example_confidence: Array = None
    """(M,): the probability of their class before."""
    labels: tuple[str, ...] = ()
    """Names of the classes; none where the model has none."""
    _kind: ClassVar[str] = "patch"
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".npz")
    _choices: ClassVar[str] = (
        ".png or .webp for the patch, clear outside its shape, .jpg for it on white, .npz for everything"
    )

    def trials_of(self, what: str = HELD_OUT) -> Trials:
        """What became of pictures: "held out", "training", or of those held out "grey patch", "patch of noise".

        Raises:
            ParameterError: there are no such trials.
        """
        if what not in self.trials:
            raise ParameterError(f"there are no trials of {what!r}; there are {', '.join(map(repr, self.trials))}")
        return Trials.of(self.trials[what])

    @property
    def rate(self) -> Rate:
        """How often the class wanted is predicted in held-out pictures, with its 95 % interval."""
        return self.trials_of().rate()

    def rates_by(self, what: str) -> Table:
        """The rate in held-out pictures by thirds of "rotation", "scale" or "location", a row for each."""
        return _table(self._parts(what))

    def _parts(self, what: str) -> Sequence[tuple[str, Rate]]:
        limits = {"rotation": (-self.rotation, self.rotation), "scale": self.scale, "location": (0.0, 1.0)}
        if what not in limits:
            raise ParameterError(f"rates are by {', '.join(limits)}, not by {what!r}")
        return self.trials_of().parts(what, *limits[what])

    @property
    def summary(self) -> Table:
        """The rate in pictures held out, in those of the training, with other patches; by rotation, scale and place."""
        rows = [(what, Trials.of(each).rate()) for what, each in self.trials.items()]
        for what in ("rotation", "scale", "location"):
            rows += [(f"{HELD_OUT}, {name}", each) for name, each in self._parts(what)]
        return _table(rows)

    def figures(self) -> Mapping[str, Any]:
        """The rate in held-out pictures with its interval, and that of each of the other trials."""
        rate = self.rate
        return {
            "towards": self.label(self.towards),
            "success": rate.success,
            "low": rate.low,
            "high": rate.high,
            "confidence": rate.confidence,
            **{name: Trials.of(each).rate().success for name, each in self.trials.items() if name != HELD_OUT},
        }

    def _facts(self) -> Iterator[str]:
        rate, (height, width) = self.rate, self.images.shape[-2:]
        yield f"{height} x {width} pixels, {self.area:.3g} of the area, towards {self.label(self.towards)}"
        yield f"{rate.success:.1%} [{rate.low:.1%}, {rate.high:.1%}] of {rate.pictures} pictures held out"

    def _per_image(self) -> tuple[str, ...]:
        return ("images",)

    def paste(
        self,
        images: Any,
        *,
        location: tuple[float, float] = (0.5, 0.5),
        rotation: float = 0.0,
        area: float | None = None,
    ) -> Array:
        """Pictures with the patch in them, at any size of theirs.

        Args:
            images: (N, C, H, W) or (C, H, W), within `bounds`; or files, Pillow's images, or a list of these of one
                size, which are taken whole.
            location: of the patch's middle, as shares of the picture's height and width.
            rotation: degrees, anticlockwise.
            area: share of the picture's area that the patch covers; that of the training if not given.

        Returns:
            (N, C, H, W), within `bounds`.

        Raises:
            ImageError: the pictures have other channels than the patch.
        """
        x = self._batch(images)
        if x.ndim != 4 or x.shape[1] != self.images.shape[1]:
            raise ImageError(f"the patch has {self.images.shape[1]} channels, and the pictures are {tuple(x.shape)}")
        size, side = (x.shape[2], x.shape[3]), self.images.shape[-1]
        width = patch_width(self.area if area is None else area, self.shape, size)
        place = Placement(location[0] * size[0], location[1] * size[1], rotation, width / side)
        return self._pasted(x, [place] * x.shape[0])

    def _batch(self, images: Any) -> Array:
        several = isinstance(images, list | tuple) and bool(images)
        if isinstance(images[0] if several else images, str | Path | Image.Image):
            low, high = self.bounds
            x = load_image(images, whole=True)
            x = np.tensordot(x, LUMA, axes=(1, 0))[:, None] if self.images.shape[1] == 1 else x
            return np.asarray(low + (high - low) * x, np.float32)
        x = as_array(images)
        return x[None, ...] if x.ndim == 3 else x

    def _pasted(self, pictures: Array, placements: Sequence[Placement]) -> Array:
        size = self.images.shape[-2], self.images.shape[-1]
        return Paste(pictures, placements, size, self.shape).apply(self.images[0, ...])

    def picture(self) -> Pixels:
        """The patch on white, (h, w, 3)."""
        clear = self._with_alpha()
        opaque = clear[..., 3:] / 255
        return np.asarray((opaque * clear[..., :3] + (1 - opaque) * 255).round(), np.uint8)

    def _with_alpha(self) -> Pixels:
        """(h, w, 4): clear outside the patch's shape."""
        shown = pixels(as_numpy(self.images)[0], self.bounds, self.bands)
        mask = patch_mask((shown.shape[0], shown.shape[1]), self.shape)
        return np.concatenate([shown, (255 * mask).round().astype(np.uint8)[..., None]], axis=-1)

    def _write(self, file: IO[bytes], suffix: str, form: str | None, scale: int | None, quality: int) -> None:
        if suffix in {".png", ".webp"} and form is None:
            write_picture(enlarged(self._with_alpha(), scale or 1), suffix, file, quality)
        else:
            super()._write(file, suffix, form, scale, quality)

    def _moves(self, suffix: str) -> bool:
        return False

    def save_into(self, folder: Path) -> Sequence[Path]:
        """As `Result.save_into`: the patch in held-out pictures, and the patch itself."""
        patch = self.save(folder / "patch.png")
        shown = folder / "patch-on-pictures.png"
        return [shown, patch] if self.examples is not None else [patch]

    def on_pictures(self) -> Pixels:
        """Held-out pictures without and with the patch, and the prediction below, (H, W, 3); red where it failed.

        Raises:
            ImageError: the result holds no examples.
        """
        if self.examples is None:
            raise ImageError("this result holds no pictures to show the patch in")
        pictures, trials, rate = as_numpy(self.examples), self.trials_of(), self.rate
        rows = as_numpy(self.example_rows)
        places = [self._placement(trials.placement[row, 0], pictures.shape[2:]) for row in rows]
        pasted = as_numpy(self._pasted(pictures, places))
        above, below = [], []
        for n, row in enumerate(rows):
            before = self.label(int(as_numpy(self.before)[row]))
            above.append(Tile(self._drawn(pictures[n]), f"{before}\n{as_numpy(self.example_confidence)[n]:.2f}"))
            after, done = self.label(int(trials.classes[row, 0])), bool(trials.success[row, 0])
            wanted = f"{self.label(self.towards)} {trials.confidence[row, 0]:.2f}"
            said = wanted if done else f"{after}\n{wanted}"
            below.append(Tile(self._drawn(pasted[n]), said, REACHED if done else KEPT))
        heading = (
            f"{self.label(self.towards)} in {rate.success:.1%} [{rate.low:.1%}, {rate.high:.1%}] of {rate.trials} "
            f"placements in {rate.pictures} held-out pictures, {self.area:.3g} of the area"
        )
        return sheet([above, below], ["without the patch", "with the patch"], heading)

    def _drawn(self, picture: Pixels) -> Pixels:
        return pixels(picture, self.bounds, self.bands)

    def _placement(self, at: Any, size: Sequence[int]) -> Placement:
        """A placement of the trials, in pixels of a picture of this size."""
        row, column, degrees, scale = (float(each) for each in at)
        width = scale * patch_width(self.area, self.shape, (size[0], size[1]))
        return Placement(row * size[0], column * size[1], degrees, width / self.images.shape[-1])


def _table(rows: Sequence[tuple[str, Rate]]) -> Table:
    columns = {name: np.array([asdict(rate)[name] for _, rate in rows]) for name in asdict(rows[0][1])} if rows else {}
    return Table({"of": np.array([name for name, _ in rows]), **columns})
