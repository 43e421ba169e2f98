"""Where two versions of a network part: the first layer whose error is more than rounding, and what is wrong there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..execution.progress import Progress, silent
from ..model.base import INPUT, OUTPUT, Model
from ..result.display import counted, one_line
from .align import Alignment, aligned
from .causes import Cause, cause_at, cause_of_pictures
from .compatibility import numbered, same_input, same_output
from .matcher import Pair, Twins, captured, paired
from .probe_images import probes
from .similarity import Values, agreement

__all__ = ["Cause", "Divergence", "Step", "diverge"]

ROUNDING = 2.0**-23
"""The distance from 1 to the next float32."""
FACTOR = 32
"""How many times the spread from one rounding an own error may be: thousands of terms added up in another order."""
FLOOR = 2e-6
"""Below this relative error no float32 layer is called different, however smooth it is."""
CHECKED = 12
"""So many layers that leave the noise are looked at again one by one, with everything else handed over."""
NOISE = (
    "a layer's own error is set against rounding: the reference runs again with every value that its layers read "
    f"moved by one float32 rounding (2^-23, up or down by chance), and a layer may differ by {FACTOR} times what that "
    f"does to it, at least by {FLOOR:g}"
)


@dataclass(frozen=True)
class Step:
    """One pair of layers on the way from the image to the output."""

    a: str
    b: str
    error: float
    """Relative L2 difference |a - b| / |a|, both networks run as they are: what has grown up to here."""
    own: float
    """The same where the second network is handed the first one's activations before this layer: what it adds."""
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
    """The walk through two aligned networks."""

    models: tuple[str, str]
    steps: tuple[Step, ...]
    """In execution order of the second model, `INPUT` first and `OUTPUT` last."""
    first: Step | None
    """The first layer that leaves the noise; None if none does."""
    cause: Cause | None
    """What is wrong there; None where nothing is."""
    noise: str
    """How the noise was estimated, in words."""
    alignment: Alignment

    def __repr__(self) -> str:
        a, b = self.models
        found = f"{b} parts from {a} at {self.first.b!r}" if self.first else "they do not part"
        return one_line(f"Divergence of {a} and {b}", [found, counted(len(self.steps), "pair") + " of layers"])

    @property
    def faults(self) -> tuple[Step, ...]:
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
        return (
            f"{b} parts from {a} at {self.first.b!r} (there {self.first.a!r}): it adds a relative error of "
            f"{self.first.own:.1e}, rounding explains {self.first.noise:.1e}; at the output it is {end:.1e}{others}. "
            f"Cause: {self.cause.text}"
        )

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


def diverge(
    a: Model,
    b: Model,
    images: Array = None,
    *,
    others: Array = None,
    names: Sequence[str] = (),
    progress: Progress = silent,
) -> Divergence:
    """Walk the aligned layers of two models and name the first one where they part.

    Every layer is judged twice: by the error that has grown up to it, and by its own, measured with the first model's
    activations handed to the second before it (`replace=`), so that a fault is seen where it is and nowhere else.

    Args:
        a: the reference.
        b: what should be the same.
        images: (N, C, H, W), float32 in [0, 1]; two photographs that come with scikit-image if not given.
        others: the same pictures as `b` gets them, where its own pipeline loads and resizes them.
        names: what to call the models; their backends' names if not given.
        progress: called after each part of the work with (done, total, what).

    Raises:
        ComparisonError: the models take different images, or have different classes.
    """
    called = tuple(names) or numbered((a, b))
    same_input(dict(zip(called, (a, b), strict=True)))
    same_output(dict(zip(called, (a, b), strict=True)))
    x = probes(a) if images is None else images
    twins = Twins(a, b, x)
    found = paired(twins)
    pairs = [pair for pair in found if not _pads(a, pair.a) and not _pads(b, pair.b)]
    progress(1, 3, "walking")
    steps = _steps(twins, pairs, x if others is None else others)
    progress(2, 3, "walking")
    first = next((step for step in steps if step.leaves_noise), None)
    cause = None
    if first is not None and first.a == INPUT:
        cause = cause_of_pictures(as_numpy(x), as_numpy(others))
    elif first is not None:
        cause = cause_at(twins, pairs, [(pair.a, pair.b) for pair in pairs].index((first.a, first.b)))
    progress(3, 3, "walking")
    return Divergence((called[0], called[1]), steps, first, cause, NOISE, aligned(called, twins, found))


def _pads(model: Model, layer: str) -> bool:
    """Whether a layer only pads: a fault there is one of the convolution behind it, where its cause is looked for."""
    return model.layer(layer).kind.lower() == "pad"


def _steps(twins: Twins, pairs: list[Pair], others: Array) -> tuple[Step, ...]:
    seen = twins.of_b if others is twins.x else captured(twins.b, others)
    own, noise = _own(twins, pairs), _noise(twins, pairs)
    start, at_input = agreement(as_numpy(twins.x), as_numpy(others))
    steps = [Step(INPUT, INPUT, at_input, at_input, FLOOR, start)]
    for pair in pairs:
        correlation, error = twins.agree(pair, seen[pair.b])
        steps.append(Step(pair.a, pair.b, error, own[pair.b], noise[pair.a], correlation))
    end = twins.ends[1] if others is twins.x else as_numpy(twins.b.forward(others)[OUTPUT])
    correlation, error = agreement(twins.ends[0], end)
    steps.append(Step(OUTPUT, OUTPUT, error, 0.0, FLOOR, correlation))
    return _checked(twins, pairs, steps)


def _own(twins: Twins, pairs: list[Pair]) -> dict[str, float]:
    """What each layer adds: every second one is handed over and the others are looked at, then the other way round."""
    own: dict[str, float] = {}
    for given, looked in ((pairs[0::2], pairs[1::2]), (pairs[1::2], pairs[0::2])):
        found = twins.healed(given, [pair.b for pair in looked])
        own |= {pair.b: twins.agree(pair, found[pair.b])[1] for pair in looked}
    return own


def _checked(twins: Twins, pairs: list[Pair], steps: list[Step]) -> tuple[Step, ...]:
    """The first few layers that leave the noise, each again with all others handed over: a sum also reads a branch."""
    by_name = {pair.b: pair for pair in pairs}
    suspects = [n for n, step in enumerate(steps) if step.leaves_noise and step.b in by_name][:CHECKED]
    for n in suspects:
        pair = by_name[steps[n].b]
        alone = twins.healed([p for p in pairs if p is not pair], [pair.b])[pair.b]
        steps[n] = Step(**vars(steps[n]) | {"own": twins.agree(pair, alone)[1]})
    return tuple(steps)


def _noise(twins: Twins, pairs: list[Pair]) -> dict[str, float]:
    """What rounding may do to each layer of the reference; see `NOISE`."""
    noise: dict[str, float] = {}
    x = _moved(as_numpy(twins.x))
    for given, looked in ((pairs[0::2], pairs[1::2]), (pairs[1::2], pairs[0::2])):
        replace: Mapping[str, Values] = {pair.a: _moved(twins.of_a[pair.a]) for pair in given}
        found = twins.a.forward(x, [pair.a for pair in looked], replace=replace)
        for pair in looked:
            spread = agreement(twins.of_a[pair.a], as_numpy(found[pair.a]))[1]
            noise[pair.a] = max(FLOOR, FACTOR * spread)
    return noise


def _moved(values: Values) -> Values:
    """Every value by one rounding, up or down by chance."""
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), values.shape)
    return np.asarray(values * (1 + np.float32(ROUNDING) * signs), np.float32)
