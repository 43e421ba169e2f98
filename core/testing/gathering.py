"""What promises about data sets share: images, a source, batches of `TinyModel`, states, results."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..arrays import Array, as_numpy
from ..data import ArraySource, Batch, Shard, Source, State, Statistic, concept_data, run_shard
from ..errors import CrosslensError
from ..method.dataset import DatasetMethod
from ..model.base import Model
from ..model.reduction import reduced
from ..result import Result
from ..result.formats import saved_arrays
from .assertions import same
from .promise import Unsuited
from .tiny import TinyModel

__all__ = [
    "BAD",
    "IMAGES",
    "as_before",
    "batch_of",
    "images",
    "labelled",
    "result_of",
    "result_or_refusal",
    "rounds",
    "same_state",
    "source",
    "state_of",
    "statistics_of",
]

IMAGES = 12
BAD = 4
"""The index of the image that holds NaN."""


def images() -> Array:
    """(12, 3, 8, 8)"""
    return np.random.default_rng(0).random((IMAGES, 3, 8, 8), dtype=np.float32)


def source(bad: bool = False) -> Source:
    """The images, labelled with three classes of `TinyModel`, and pixels; if told, one of them cannot be read."""
    made = images()
    if bad:
        made[BAD, 0, 0, 0] = np.nan
    return labelled(ArraySource(made, [f"class {n % 3}" for n in range(IMAGES)]))


def labelled(pictures: Source) -> Source:
    """Pictures of 8 x 8 pixels with labels of two categories, one of pixels and one of whole pictures."""
    rng, count = np.random.default_rng(1), len(pictures)
    halves = (np.indices((8, 8))[1] >= 4) + 1
    parts = np.where(rng.random((count, 8, 8)) < 0.6, (halves + np.arange(count)[:, None, None]) % 3, 0)
    scenes = np.broadcast_to((np.arange(count) % 2)[:, None, None] + 1, parts.shape)
    names = {"part": ["left", "right"], "scene": ["even", "odd"]}
    return concept_data((pictures, {"part": parts, "scene": scenes}, names))


def result_of(
    tried: DatasetMethod, of: Source | None = None, batch_size: int | None = None, model: Model | None = None
) -> Result:
    """The result of a call.

    Args:
        tried: the method.
        of: the images; `source()` if not given.
        batch_size: images in a micro-batch.
        model: the network; `TinyModel()` if not given.
    """
    model = model or TinyModel()
    model.batch_size = batch_size
    result = tried(model, of or source())
    assert isinstance(result, Result), f"returned a {type(result).__name__}, not a Result"
    return result


def result_or_refusal(tried: DatasetMethod, model: Model) -> tuple[Result | None, str]:
    """The result of a call on this model and "", or None and the error's text."""
    try:
        return result_of(tried, model=model), ""
    except CrosslensError as error:
        return None, str(error)


def as_before(result: Result, expected: Result, what: str, *, exact: bool = False) -> None:
    """Assert that two results hold the same arrays.

    Args:
        result: the one to test.
        expected: what it should hold.
        what: what it is, for the message.
        exact: whether fractions must be the same bits, and not only up to rounding.
    """
    same_state(saved_arrays(result), saved_arrays(expected), what, exact=exact, rtol=1e-5)


def same_state(got: State, expected: State, what: str, *, exact: bool, rtol: float = 1e-12) -> None:
    """Assert that two mappings hold the same arrays.

    Args:
        got: arrays by name.
        expected: what they should be.
        what: what they are of, for the message.
        exact: whether fractions must be the same bits; text and whole numbers always are.
        rtol: else the largest difference, as a share of the largest value.
    """
    assert got.keys() == expected.keys(), f"{what}: it holds {sorted(got)}, not {sorted(expected)}"
    for name, values in got.items():
        found, wanted = np.asarray(values), np.asarray(expected[name])
        if found.dtype.kind not in "biuf":
            assert found.tolist() == wanted.tolist(), f"{name} {what} is {found.tolist()}, not {wanted.tolist()}"
        else:
            same(found, wanted, exact=exact or found.dtype.kind != "f", rtol=rtol, what=f"{name} {what}")


def rounds(
    tried: DatasetMethod, model: Model | None = None
) -> Iterator[tuple[Sequence[Statistic], Mapping[Statistic, State]]]:
    """The statistics of each round, and all states gathered before it."""
    model, of, gathered = model or TinyModel(), source(), dict[Statistic, State]()
    settled = tried.with_network_defaults(model)
    while asked := [s for s in settled.statistics(model, of, gathered or None) if s not in gathered]:
        yield asked, gathered
        gathered = {**gathered, **run_shard(model, of, asked, Shard(0, 0, IMAGES)).states}


def statistics_of(tried: DatasetMethod) -> list[Statistic]:
    """The statistics of all rounds.

    Raises:
        Unsuited: there is none.
    """
    found = [statistic for asked, _ in rounds(tried) for statistic in asked]
    if not found:
        raise Unsuited("it asks for no statistic")
    return found


def batch_of(statistic: Statistic, start: int, stop: int) -> Batch:
    """Images of a range, with what the statistic reads cut out of one pass over all: other batches are other bits."""
    model, of = TinyModel(), source()
    layers = statistic.layers | {each.layer for each in statistic.reductions}
    activations = model.forward(images(), layers) if layers else {}
    everything = of.read(0, IMAGES, model)
    quantities = {each: as_numpy(each.compute(model, everything)) for each in statistic.quantities}
    return Batch(
        of.read(start, stop, model),
        {name: activations[name][start:stop, ...] for name in statistic.layers},
        {each: reduced(each, activations)[start:stop] for each in statistic.reductions},
        {each: values[start:stop] for each, values in quantities.items()},
    )


def state_of(statistic: Statistic, start: int, stop: int) -> State:
    """The state of one shard, in micro-batches of at most four images."""
    state = statistic.empty()
    for first, last in Shard(0, start, stop).micro_batches(4):
        state = statistic.add(state, batch_of(statistic, first, last))
    return state
