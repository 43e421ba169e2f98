"""Average drop and average increase (Chattopadhay et al., 2018, https://arxiv.org/abs/1710.11063, section 4.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array, namespace, relu, upsample
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.postprocess import unit_range
from crosslens.method.preset import Preset
from crosslens.method.target_function import target_functions
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution
from crosslens.result.scores import Scores

from ._metric import UNITS, Metric, class_probability, fix_choices
from ._ranks import TIE

MASKS = ("positive", "magnitude", "given")
SCALES = {"percent": 100.0, "share": 1.0, "difference": 1.0}


@dataclass(frozen=True, kw_only=True)
class AverageDrop(Metric):
    """Judge a method by what is left under its map.

    Judge a method: how much of the class is left of the image under its map; low drop, high increase are good.

    With Y the class's probability for the image and O for the image times the map, which is cut at zero, scaled to
    at most 1 and enlarged: the drop is 100 max(0, Y - O) / Y per cent, the increase 100 where O > Y by more
    than rounding, else 0; both are averaged over images. A map without a positive value hides the image completely.
    What `mask`, `unit` and `scale` change is what other libraries do. A share of a target that is not positive means
    nothing and is refused; under a preset it is given as the library does, and the result says so.
    """

    name = "average_drop"
    presets: ClassVar[Mapping[str, Preset]] = {
        "torchcam": Preset(
            {"mask": "given", "unit": "target", "scale": "share"},
            doc="ClassificationMetric; bug: it divides by the logit where that is negative too",
        ),
        "pytorch-grad-cam": Preset(
            {"mask": "given", "unit": "target", "scale": "difference"}, doc="DropInConfidence and IncreaseInConfidence"
        ),
        "xplique": Preset(
            {"mask": "magnitude", "unit": "target", "scale": "share"},
            doc="AverageDropMetric, AverageIncreaseMetric; bug: they divide by the logit where that is negative too",
        ),
    }
    mask: str = param(
        "positive", "the map's positive part over the largest, its magnitude from 0 to 1, or as given", choices=MASKS
    )
    unit: str = param("probability", "what of a class is followed: its probability, or the target", choices=UNITS)
    scale: str = param(
        "percent",
        "of the drop: a share of the image's value or the difference; an increase is 1",
        choices=tuple(SCALES),
    )

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Scores:
        """Drop and increase of each image in the scale asked for, (N, 2, 1)."""
        fixed = fix_choices(model, images, objective)
        result = self.attribution(model, images, fixed)
        black = (model.input.bounds or (0.0, 1.0))[0]
        shown = black + (images - black) * map_masks(result, images, self.mask)
        functions, whole = target_functions(
            model, images, class_probability(fixed) if self.unit == "probability" else fixed
        )
        xp = namespace(images)
        left = xp.concat([function.scores(shown[n : n + 1, ...]) for n, function in enumerate(functions)])
        below = 0 if self.scale == "difference" else int(xp.sum(xp.astype(whole <= 0, xp.int64)))
        if below and (self.preset is None or bool(xp.any(whole == 0))):
            raise ParameterError(
                f"average_drop is a share of the target's value, which must be positive; {functions[0].objective} is "
                f"{float(xp.min(whole)):.4g}. Give a class, whose probability is measured, or average a "
                "difference: scale='difference'"
            )
        full = SCALES[self.scale]
        drop = relu(whole - left) if self.scale == "difference" else full * relu(whole - left) / whole
        increase = full * xp.astype(left - whole > TIE * xp.abs(whole), whole.dtype)
        sign = ", %" if self.scale == "percent" else ""
        both = xp.stack([drop, increase], axis=1)[:, :, None]
        notes = (*result.notes, *_meaningless_note(below, whole.shape[0], self.preset))
        return Scores(both, series=(f"drop{sign}", f"increase{sign}"), notes=notes)


def _meaningless_note(below: int, count: int, preset: Preset | None) -> tuple[str, ...]:
    """A note on shares of a target that is not positive, which only a preset gives."""
    if not below or preset is None:
        return ()
    return (
        f"the target of {below} of {count} images is not positive, and {preset.library} divides by it all the same: "
        "these drops mean nothing; without the preset they are of the probability",
    )


def map_masks(result: Attribution, images: Array, mask: str) -> Array:
    """Maps (N, h, w) as masks (N, 1, H, W); "positive" ones are 1 at the largest value, "magnitude" from 0 to 1."""
    xp, size = namespace(images), images.shape[2:]
    if mask == "magnitude":
        magnitudes = xp.abs(result.values)
        maps = upsample(magnitudes if magnitudes.ndim == 3 else xp.mean(magnitudes, axis=1), size)
        return unit_range(1e-8)(maps, size)[:, None, :, :]
    maps = result.maps()
    if mask == "positive":
        maps = relu(maps)
        largest = xp.max(maps, axis=(1, 2), keepdims=True)
        maps = maps / xp.where(largest > 0, largest, xp.ones_like(largest))
    return upsample(maps, size)[:, None, :, :]


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [AverageDrop]
