"""What a method over a data set promises, and each statistic that it asks for, checked on `TinyModel`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...arrays import Array
from ...data import ArraySource, Batch, PictureFolder, Shard, State, Statistic, run_shard
from ...errors import ImageError, LayerError
from ...image.io import save_image
from ...method.dataset import DatasetMethod
from ...method.parameter import parameters
from ...method.provenance import layer_parameters, named_layers
from ...result import Result
from ...result.formats import saved_content
from ..assertions import comes_back, refused, same
from ..promise import Unsuited, dataset_method_promise
from ..tiny import TinyModel

__all__: list[str] = []

IMAGES = 12
BAD = 4
"""The index of the image that holds NaN."""


def _images() -> Array:
    return np.random.default_rng(0).random((IMAGES, 3, 8, 8), dtype=np.float32)


def _source(bad: bool = False) -> ArraySource:
    images = _images()
    if bad:
        images[BAD, 0, 0, 0] = np.nan
    return ArraySource(images, [f"class {n % 3}" for n in range(IMAGES)])


def _run(tried: DatasetMethod, source: ArraySource | None = None, batch_size: int | None = None) -> Result:
    model = TinyModel()
    model.batch_size = batch_size
    result = tried(model, source or _source())
    assert isinstance(result, Result), f"returned a {type(result).__name__}, not a Result"
    return result


def _same(result: Result, expected: Result, what: str, *, exact: bool = False) -> None:
    got, wanted = saved_content(result)[1], saved_content(expected)[1]
    assert got.keys() == wanted.keys(), f"{what}: it holds {sorted(got)}, not {sorted(wanted)}"
    for name, values in got.items():
        numbers = values.dtype.kind == "f"
        same(values, wanted[name], exact=exact or not numbers, rtol=1e-5, what=f"{name} {what}")


def _rounds(tried: DatasetMethod) -> Iterator[tuple[Sequence[Statistic], Mapping[Statistic, State]]]:
    """The statistics of each round, and all states gathered before it."""
    model, source, gathered = TinyModel(), _source(), dict[Statistic, State]()
    settled = tried.with_network_defaults(model)
    while asked := [s for s in settled.statistics(model, source, gathered or None) if s not in gathered]:
        yield asked, gathered
        gathered = {**gathered, **run_shard(model, source, asked, Shard(0, 0, IMAGES)).states}


def _statistics(tried: DatasetMethod) -> list[Statistic]:
    found = [statistic for asked, _ in _rounds(tried) for statistic in asked]
    if not found:
        raise Unsuited("it asks for no statistic")
    return found


def _batch(statistic: Statistic, start: int, stop: int) -> Batch:
    """Images of a range, with activations cut out of one forward pass: other batches are other bits in some kernels."""
    model = TinyModel()
    layers = statistic.layers
    activations = model.forward(_images(), layers) if layers else {}
    return Batch(_source().read(start, stop, model), {name: a[start:stop, ...] for name, a in activations.items()})


def _state(statistic: Statistic, start: int, stop: int) -> State:
    """The state of one shard, in micro-batches of at most four images."""
    state = statistic.empty()
    for first, last in Shard(0, start, stop).micro_batches(4):
        state = statistic.add(state, _batch(statistic, first, last))
    return state


def _same_state(got: State, expected: State, what: str, *, exact: bool) -> None:
    assert got.keys() == expected.keys(), f"{what}: it holds {sorted(got)}, not {sorted(expected)}"
    for name, values in got.items():
        floating = values.dtype.kind == "f"
        got_values, wanted = np.asarray(values), np.asarray(expected[name])
        same(got_values, wanted, exact=exact or not floating, rtol=1e-12, what=f"{name} {what}")


@dataset_method_promise
def states_are_arrays(tried: DatasetMethod) -> None:
    """A state is a mapping of names to arrays and numbers of NumPy; floats are float64 unless `any_grouping`."""
    for statistic in _statistics(tried):
        for name, values in _state(statistic, 0, 5).items():
            assert isinstance(values, np.ndarray | np.generic), f"{statistic}: {name} is a {type(values).__name__}"
            assert values.dtype != object, f"{statistic}: {name} holds Python objects"
            coarse = values.dtype.kind == "f" and values.dtype != np.float64 and not statistic.any_grouping
            assert not coarse, f"{statistic}: {name} is {values.dtype}; sums are float64"


@dataset_method_promise
def statistics_are_values(tried: DatasetMethod) -> None:
    """The same configuration asks for equal statistics, so that a sweep gathers them once."""
    first, again = _statistics(tried), _statistics(replace(tried))
    assert first == again, f"asked again it asks for {again}, not {first}"
    assert [hash(each) for each in first] == [hash(each) for each in again], "equal statistics have other hashes"


@dataset_method_promise
def empty_state_is_neutral(tried: DatasetMethod) -> None:
    """Merging the empty state from either side gives the other one, bit by bit."""
    for statistic in _statistics(tried):
        state = _state(statistic, 0, 5)
        _same_state(statistic.merge(statistic.empty(), state), state, "after the empty one", exact=True)
        _same_state(statistic.merge(state, statistic.empty()), state, "before the empty one", exact=True)


@dataset_method_promise
def merged_states_are_one_pass(tried: DatasetMethod) -> None:
    """However the images are cut, merged states equal one pass: bit by bit where `any_grouping`, else to rounding."""
    for statistic in _statistics(tried):
        whole, exact = _state(statistic, 0, IMAGES), statistic.any_grouping
        for cut in (1, 5, IMAGES - 1):
            merged = statistic.merge(_state(statistic, 0, cut), _state(statistic, cut, IMAGES))
            _same_state(merged, whole, f"of {statistic} cut at image {cut}", exact=exact)
        a, b, c = (_state(statistic, start, start + 4) for start in (0, 4, 8))
        left, right = statistic.merge(statistic.merge(a, b), c), statistic.merge(a, statistic.merge(b, c))
        _same_state(left, right, f"of {statistic} in another grouping", exact=exact)


@dataset_method_promise
def states_are_not_changed(tried: DatasetMethod) -> None:
    """`add` and `merge` leave the states that they are given as they are, and the same call gives the same bits."""
    for statistic in _statistics(tried):
        state, batch = _state(statistic, 0, 5), _batch(statistic, 5, 8)
        before = {name: values.copy() for name, values in state.items()}
        once, again = statistic.add(state, batch), statistic.add(state, batch)
        merged = statistic.merge(state, once)
        _same_state(state, before, "after add and merge", exact=True)
        _same_state(again, once, "added again", exact=True)
        _same_state(statistic.merge(state, once), merged, "merged again", exact=True)


@dataset_method_promise
def rounds_end(tried: DatasetMethod) -> None:
    """Asked again with all that was gathered, it soon asks for nothing new."""
    for number, _ in enumerate(_rounds(tried), start=1):
        assert number <= 8, "after eight rounds it still asks for more"


@dataset_method_promise
def same_call_same_bits(tried: DatasetMethod) -> None:
    """The same call gives the same values, bit by bit."""
    _same(_run(tried), _run(tried), "of the same call", exact=True)


@dataset_method_promise
def size_of_micro_batches_is_rounding(tried: DatasetMethod) -> None:
    """With micro-batches of another size the values are the same up to rounding."""
    whole = _run(tried)
    for size in (1, 5):
        _same(_run(tried, batch_size=size), whole, f"in batches of {size}")


@dataset_method_promise
def failures_are_listed(tried: DatasetMethod) -> None:
    """An image that cannot be read is listed with its reason and left out; the result is that of the others."""
    result = _run(tried, _source(bad=True))
    (failure,) = result.provenance["source"]["failures"]
    assert failure["id"] == str(BAD), f"the failure is listed as {failure['id']!r}"
    assert "NaN" in failure["reason"], f"its reason is {failure['reason']!r}"
    assert result.provenance["source"]["read"] == IMAGES - 1
    assert any("1 of 12 images could not be read" in note for note in result.notes), "no note says so"
    refused(lambda: _run(tried, ArraySource(np.full((2, 3, 8, 8), np.nan, np.float32))), ImageError, "none of the 2")


@dataset_method_promise
def folder_of_pictures_is_read(tried: DatasetMethod) -> None:
    """It runs over a folder of pictures, and lists a damaged one."""
    with TemporaryDirectory() as place:
        for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
            (Path(place) / name).parent.mkdir(exist_ok=True)
            save_image(_images()[len(name) % 3], Path(place) / name)
        (Path(place) / "dog/2.png").write_bytes(b"no picture")
        result = tried(TinyModel(), PictureFolder(place))
    assert [each["id"] for each in result.provenance["source"]["failures"]] == ["dog/2.png"]


@dataset_method_promise
def provenance_is_complete(tried: DatasetMethod) -> None:
    """The result names method, every parameter, versions, model, source, counts, time: all of it as JSON."""
    source = _source()
    result = _run(tried, source)
    assert result.method == tried.name, f"method is {result.method!r}"
    assert list(result.parameters) == [f.name for f in parameters(tried)], f"parameters are {list(result.parameters)}"
    wanted = {"crosslens", "backend", "versions", "model", "preprocess", "seconds", "date", "source", "layers"}
    missing = wanted - set(result.provenance)
    assert not missing, f"the provenance lacks {sorted(missing)}"
    said = result.provenance["source"]
    assert (said["digest"], said["images"], said["read"]) == (source.digest, IMAGES, IMAGES), f"the source is {said}"
    json.dumps([result.parameters, result.provenance, result.notes])


@dataset_method_promise
def result_is_saved_whole(tried: DatasetMethod) -> None:
    """A saved `.npz` holds the values, bit by bit, and the record; `crosslens.load` gives the result back."""
    result = _run(tried)
    comes_back(result)
    with TemporaryDirectory() as folder, np.load(result.save(Path(folder) / "result.npz")) as stored:
        record = json.loads(str(stored["record"]))
        for name, values in saved_content(result)[1].items():
            same(stored[name], values, exact=True, what=f"{name} as it was saved")
    assert record["method"] == tried.name
    assert record["provenance"]["source"]["digest"] == _source().digest


@dataset_method_promise
def layer_must_exist(tried: DatasetMethod) -> None:
    """A layer that the network does not have is refused, and the nearest name offered."""
    if "layer" not in {f.name for f in parameters(tried)}:
        raise Unsuited("it has no parameter `layer`")
    wrong: Mapping[str, str] = {"layer": "conv3"}
    refused(lambda: _run(replace(tried, **wrong)), LayerError, "no layer 'conv3'", "Did you mean 'conv")


@dataset_method_promise
def layers_are_recorded(tried: DatasetMethod) -> None:
    """The result names the layers that were used, and given these as parameters the method gives the same values."""
    named = layer_parameters(tried)
    if not named:
        raise Unsuited("it has no parameter that names layers")
    free = replace(tried, **{f.name: None for f in parameters(tried) if f.name in named and f.default is None})
    result, chosen = _run(free), free.with_network_defaults(TinyModel())
    used = named_layers(chosen)
    assert used, f"no layer is recorded; override `network_defaults` to say what {' and '.join(named)} become"
    assert result.provenance["layers"] == list(used), f"recorded are {result.provenance['layers']}"
    again = _run(chosen)
    _same(again, result, "with its default layers by name", exact=True)
    assert not again.provenance["default_layer"], "layers that were named are no default"
