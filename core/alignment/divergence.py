"""`diverge`: the first layer at which two versions of a network differ by more than rounding, and the cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ComparisonError
from ..execution.progress import Progress, shows_progress, silent
from ..html_table import html_table
from ..image.batch import image_batch
from ..model.base import INPUT, OUTPUT, Model
from ..plugins.models import ModelLike, ModelsLike, is_one_model, named_models
from ..result.data_frame import data_frame
from ..result.display import counted, one_line
from .align import Alignment, alignment_of
from .causes import find_cause
from .compatibility import refuse_different_inputs, refuse_different_outputs
from .matcher import match_layers
from .model_pair import LayerPair, ModelPair, activations_of
from .preprocessing_faults import find_cause_in_images
from .probe_images import probes
from .similarity import Values, pearson, relative_l2
from .suspect import Cause

__all__ = ["Cause", "Divergence", "LayerDifference", "diverge"]

ROUNDING = 2.0**-23
"""The distance from 1 to the next float32."""
FACTOR = 32
"""How many times the effect of one rounding a layer's own error may be: thousands of terms added in another order."""
FLOOR = 2e-6
"""Relative error below which no float32 layer counts as different, however smooth it is."""
MOST_CHECKED = 12
"""Number of layers above the noise that are run once more, alone, with all others replaced."""
NOISE = (
    "a layer's own error is set against rounding: the reference runs again with every value that its layers read "
    f"moved by one float32 rounding (2^-23, up or down by chance), and a layer may differ by {FACTOR} times what that "
    f"does to it, at least by {FLOOR:g}"
)


@dataclass(frozen=True)
class LayerDifference:
    """How far a layer differs between the two networks."""

    a: str
    b: str
    error: float
    """Relative L2 difference |a - b| / |a|, both networks run as they are: all errors up to this layer."""
    own: float
    """The same with the first one's activations put before this layer in the second: what the layer itself adds."""
    noise: float
    """What `own` may be from rounding alone; see `Divergence.noise`."""
    agreement: float
    """Pearson's correlation of the activations, both networks run as they are."""

    @property
    def leaves_noise(self) -> bool:
        """Whether this layer itself computes something else."""
        return not self.own <= self.noise


@dataclass(frozen=True)
class Divergence:
    """The differences of two aligned networks, layer by layer."""

    models: tuple[str, str]
    steps: tuple[LayerDifference, ...]
    """In execution order of the second model, `INPUT` first and `OUTPUT` last."""
    first: LayerDifference | None
    """The first layer that leaves the noise; None if none does."""
    cause: Cause | None
    """What is wrong there; None where nothing is."""
    noise: str
    """How the noise was estimated, in words."""
    alignment: Alignment

    def __repr__(self) -> str:
        a, b = self.models
        where = f"{b} parts from {a} at {self.first.b!r}" if self.first else "they do not part"
        return one_line(f"Divergence of {a} and {b}", [where, counted(len(self.steps), "pair") + " of layers"])

    def _repr_html_(self) -> str:
        """The finding, and the layers side by side, in a notebook."""
        rows = [
            (step.a, step.b, f"{step.error:.1e}", f"{step.own:.1e}", f"{step.noise:.1e}", "differs" * step.leaves_noise)
            for step in self.steps
        ]
        header = (*self.models, "error up to here", "own error", "rounding", "")
        return html_table(header, rows, above=self.text)

    @property
    def faults(self) -> tuple[LayerDifference, ...]:
        """Every layer that computes something else by itself."""
        return tuple(step for step in self.steps if step.leaves_noise)

    @property
    def text(self) -> str:
        """The finding in a few sentences."""
        a, b = self.models
        end = self.steps[-1].error
        if self.first is None or self.cause is None:
            return f"{a} and {b} do not part: no layer's own error leaves rounding; the outputs differ by {end:.1e}"
        more = len(self.faults) - 1
        others = f"; {more} more layers add an error of their own" if more else "; no other layer adds an error"
        there = f" (there {self.first.a!r})" * (self.first.a != self.first.b)
        return (
            f"{b} parts from {a} at {self.first.b!r}{there}: it adds a relative error of "
            f"{self.first.own:.1e}, rounding explains {self.first.noise:.1e}; at the output it is {end:.1e}{others}. "
            f"Cause: {self.cause.text}"
        )

    def to_dataframe(self) -> Any:
        """One row for each layer as a `pandas.DataFrame`: its name in both models, and the figures of `steps`.

        Raises:
            ParameterError: pandas is not installed.
        """
        a, b = self.models
        rows = [vars(step) | {"leaves_noise": step.leaves_noise} for step in self.steps]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return data_frame({a: columns.pop("a"), b: columns.pop("b"), **columns})

    def as_json(self) -> dict[str, Any]:
        """Everything in it, for a file."""
        return {
            "models": list(self.models),
            "text": self.text,
            "first": vars(self.first) if self.first else None,
            "cause": vars(self.cause) if self.cause else None,
            "noise": self.noise,
            "steps": [vars(step) | {"leaves_noise": step.leaves_noise} for step in self.steps],
            "unmatched": {model: list(self.alignment.unmatched(model)) for model in self.models},
        }


@shows_progress
def diverge(
    a: ModelLike | ModelsLike,
    b: ModelLike | Array = None,
    images: Any = None,
    *,
    others: Any = None,
    names: Sequence[str] = (),
    progress: Progress = silent,
) -> Divergence:
    """Compare two models layer by layer and name the first one where they part.

    Every layer is judged twice: by the error of all layers up to it, and by its own, measured with the first model's
    activations put into the second before it (`replace=`), so that a fault is seen where it is and nowhere else.

    Args:
        a: the reference: a `Model`, or whatever `crosslens.wrap` takes; or both models in a list or by a name to show,
            the reference first, as `crosslens.compare` takes them: diverge([a, b], images).
        b: what should be the same.
        images: (N, C, H, W) float32 in [0, 1], or what a method takes, files for example; two photographs that come
            with scikit-image if not given.
        others: the same pictures as `b` gets them, where its own pipeline loads and resizes them.
        names: what to call the models; their files' or backends' names if not given.
        progress: called after each part of the work with (done, total, what); a bar in a notebook if not given.

    Raises:
        ComparisonError: not two models; or they take different images, or have different classes.
        ModelError: what is not a model.
    """
    named, images = _two_models(a, b, images, names)
    refuse_different_inputs(named)
    refuse_different_outputs(named)
    first_model, second_model = named.values()
    x = probes(first_model) if images is None else image_batch(images, first_model, strict=False)
    others = None if others is None else image_batch(others, second_model, strict=False)
    models = ModelPair(first_model, second_model, x)
    matches = match_layers(models)
    pairs = [pair for pair in matches if not _is_padding(models.a, pair.a) and not _is_padding(models.b, pair.b)]
    progress(1, 3, "comparing layers")
    steps = _differences(models, pairs, x if others is None else others)
    progress(2, 3, "comparing layers")
    first = next((step for step in steps if step.leaves_noise), None)
    cause = None
    if first is not None and first.a == INPUT:
        cause = find_cause_in_images(as_numpy(x), as_numpy(others))
    elif first is not None:
        cause = find_cause(models, pairs, [(pair.a, pair.b) for pair in pairs].index((first.a, first.b)))
    progress(3, 3, "comparing layers")
    one, other = named
    return Divergence((one, other), steps, first, cause, NOISE, alignment_of((one, other), models, matches))


def _two_models(
    a: ModelLike | ModelsLike, b: ModelLike | Array, images: Array, names: Sequence[str]
) -> tuple[dict[str, Model], Array]:
    """Both models by name, and the images, which stand in the place of `b` where `a` holds both models."""
    several = not is_one_model(a)
    if (b is None and not several) or (several and b is not None and images is not None):
        raise ComparisonError("two models are compared: diverge(a, b, images), or diverge([a, b], images)")
    named = named_models(a if several else [a, b], names)
    if len(named) != 2:
        raise ComparisonError(f"two models are compared layer by layer; there are {len(named)}")
    return named, b if several and images is None else images


def _is_padding(model: Model, layer: str) -> bool:
    """Whether a layer only pads: a fault there is one of the convolution after it, where its cause is looked for."""
    return model.layer(layer).kind.lower() == "pad"


def _differences(models: ModelPair, pairs: list[LayerPair], others: Array) -> tuple[LayerDifference, ...]:
    of_b = models.of_b if others is models.x else activations_of(models.b, others)
    own, noise = _own_errors(models, pairs), _noise(models, pairs)
    images, other_images = as_numpy(models.x), as_numpy(others)
    at_input = relative_l2(images, other_images)
    steps = [LayerDifference(INPUT, INPUT, at_input, at_input, FLOOR, pearson(images, other_images))]
    for pair in pairs:
        correlation, error = models.layer_agreement(pair, of_b[pair.b])
        steps.append(LayerDifference(pair.a, pair.b, error, own[pair.b], noise[pair.a], correlation))
    first, second = models.outputs
    if others is not models.x:
        second = as_numpy(models.b.forward(others)[OUTPUT])
    steps.append(LayerDifference(OUTPUT, OUTPUT, relative_l2(first, second), 0.0, FLOOR, pearson(first, second)))
    return _with_suspects_alone(models, pairs, steps)


def _own_errors(models: ModelPair, pairs: list[LayerPair]) -> dict[str, float]:
    """What each layer adds: every second one is replaced and the others are measured, then the other way round."""
    own: dict[str, float] = {}
    for replaced, measured in ((pairs[0::2], pairs[1::2]), (pairs[1::2], pairs[0::2])):
        activations = models.run_b_from_a(replaced, [pair.b for pair in measured])
        own |= {pair.b: models.layer_error(pair, activations[pair.b]) for pair in measured}
    return own


def _with_suspects_alone(
    models: ModelPair, pairs: list[LayerPair], steps: list[LayerDifference]
) -> tuple[LayerDifference, ...]:
    """The first few layers above the noise, each measured again with all others replaced: a sum also reads a branch."""
    by_name = {pair.b: pair for pair in pairs}
    suspects = [n for n, step in enumerate(steps) if step.leaves_noise and step.b in by_name][:MOST_CHECKED]
    for n in suspects:
        pair = by_name[steps[n].b]
        alone = models.run_b_from_a([p for p in pairs if p is not pair], [pair.b])[pair.b]
        steps[n] = replace(steps[n], own=models.layer_error(pair, alone))
    return tuple(steps)


def _noise(models: ModelPair, pairs: list[LayerPair]) -> dict[str, float]:
    """What rounding may do to each layer of the reference; see `NOISE`."""
    noise: dict[str, float] = {}
    x = _rounded_at_random(as_numpy(models.x))
    for replaced, measured in ((pairs[0::2], pairs[1::2]), (pairs[1::2], pairs[0::2])):
        values: Mapping[str, Values] = {pair.a: _rounded_at_random(models.of_a[pair.a]) for pair in replaced}
        activations = models.a.forward(x, [pair.a for pair in measured], replace=values)
        for pair in measured:
            effect = relative_l2(models.of_a[pair.a], as_numpy(activations[pair.a]))
            noise[pair.a] = max(FLOOR, FACTOR * effect)
    return noise


def _rounded_at_random(values: Values) -> Values:
    """Every value moved by one rounding, up or down by chance."""
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), values.shape)
    return np.asarray(values * (1 + np.float32(ROUNDING) * signs), np.float32)
