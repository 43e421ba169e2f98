"""What a method over a data set promises of its results, checked on `TinyModel`."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...data import ArraySource, PictureFolder
from ...errors import ImageError, LayerError
from ...image.io import save_image
from ...method.dataset import DatasetMethod
from ...method.parameter import parameters
from ...method.provenance import layer_parameters, named_layers
from ...result.formats import saved_arrays, saved_content
from ..assertions import comes_back, refused, same
from ..gathering import BAD, IMAGES, as_before, images, labelled, result_of, result_or_refusal, rounds, source
from ..promise import Unsuited, dataset_method_promise
from ..tiny import TinyModel

__all__: list[str] = []


@dataset_method_promise
def rounds_end(tried: DatasetMethod) -> None:
    """Asked again with all that was gathered, it soon asks for nothing new."""
    for number, _ in enumerate(rounds(tried), start=1):
        assert number <= 8, "after eight rounds it still asks for more"


@dataset_method_promise
def same_call_same_bits(tried: DatasetMethod) -> None:
    """The same call gives the same values, bit by bit."""
    as_before(result_of(tried), result_of(tried), "of the same call", exact=True)


@dataset_method_promise
def size_of_micro_batches_is_rounding(tried: DatasetMethod) -> None:
    """With micro-batches of another size the values are the same up to rounding."""
    whole = result_of(tried)
    for size in (1, 5):
        as_before(result_of(tried, batch_size=size), whole, f"in batches of {size}")


@dataset_method_promise
def failures_are_listed(tried: DatasetMethod) -> None:
    """An image that cannot be read is listed with its reason and left out; the result is that of the others."""
    result = result_of(tried, source(bad=True))
    (failure,) = result.provenance["source"]["failures"]
    assert failure["id"] == str(BAD), f"the failure is listed as {failure['id']!r}"
    assert "NaN" in failure["reason"], f"its reason is {failure['reason']!r}"
    assert result.provenance["source"]["read"] == IMAGES - 1
    assert any("1 of 12 images could not be read" in note for note in result.notes), "no note says so"
    refused(
        lambda: result_of(tried, labelled(ArraySource(np.full((2, 3, 8, 8), np.nan, np.float32)))), ImageError, "NaN"
    )


@dataset_method_promise
def folder_of_pictures_is_read(tried: DatasetMethod) -> None:
    """It runs over a folder of pictures, and lists a damaged one."""
    with TemporaryDirectory() as place:
        for image, name in zip(images(), ("cat/1.png", "cat/2.png", "dog/1.png"), strict=False):
            (Path(place) / name).parent.mkdir(exist_ok=True)
            save_image(image, Path(place) / name)
        (Path(place) / "dog/2.png").write_bytes(b"no picture")
        result = tried(TinyModel(), labelled(PictureFolder(place)))
    assert [each["id"] for each in result.provenance["source"]["failures"]] == ["dog/2.png"]


@dataset_method_promise
def provenance_is_complete(tried: DatasetMethod) -> None:
    """The result names method, every parameter, versions, model, source, counts, time: all of it as JSON."""
    given = source()
    result = result_of(tried, given)
    assert result.method == tried.name, f"method is {result.method!r}"
    assert list(result.parameters) == [f.name for f in parameters(tried)], f"parameters are {list(result.parameters)}"
    wanted = {"crosslens", "backend", "versions", "model", "preprocess", "seconds", "date", "source", "layers"}
    missing = wanted - set(result.provenance)
    assert not missing, f"the provenance lacks {sorted(missing)}"
    said = result.provenance["source"]
    assert (said["digest"], said["images"], said["read"]) == (given.digest, IMAGES, IMAGES), f"the source is {said}"
    json.dumps([result.parameters, result.provenance, result.notes])


@dataset_method_promise
def result_is_saved_whole(tried: DatasetMethod) -> None:
    """A saved `.npz` holds the values, bit by bit, and the record; `crosslens.load` gives the result back."""
    result = result_of(tried)
    comes_back(result)
    with TemporaryDirectory() as folder, np.load(result.save(Path(folder) / "result.npz")) as stored:
        record = json.loads(str(stored["record"]))
        for name, values in saved_content(result)[1].items():
            same(stored[name], values, exact=True, what=f"{name} as it was saved")
    assert record["method"] == tried.name
    assert record["provenance"]["source"]["digest"] == source().digest


@dataset_method_promise
def nan_is_refused(tried: DatasetMethod) -> None:
    """A network that gives NaN is an error that says so; its NaN never is part of a result."""
    model = TinyModel()
    weights = model.weights("conv1")
    broken = model._with_weights({"conv1": {"kernel": weights["kernel"] * np.nan, "bias": weights["bias"]}})
    result, refusal = result_or_refusal(tried, broken)
    if result is None:
        assert "NaN" in refusal, f"the message does not say NaN: {refusal}"
        return
    expected = saved_arrays(result_of(tried))
    for name, values in saved_arrays(result).items():
        if values.dtype.kind == "f":
            count = np.isnan(values).sum() - np.isnan(expected[name]).sum()
            assert count <= 0, f"{name} holds NaN {count} times, and no error says so"


@dataset_method_promise
def layer_must_exist(tried: DatasetMethod) -> None:
    """A layer that the network does not have is refused, and the nearest name offered."""
    if "layer" not in {f.name for f in parameters(tried)}:
        raise Unsuited("it has no parameter `layer`")
    wrong: Mapping[str, str] = {"layer": "conv3"}
    refused(lambda: result_of(replace(tried, **wrong)), LayerError, "no layer 'conv3'", "Did you mean 'conv")


@dataset_method_promise
def layers_are_recorded(tried: DatasetMethod) -> None:
    """The result names the layers that were used, and given these as parameters the method gives the same values."""
    named = layer_parameters(tried)
    if not named:
        raise Unsuited("it has no parameter that names layers")
    free = replace(tried, **{f.name: None for f in parameters(tried) if f.name in named and f.default is None})
    result, chosen = result_of(free), free.with_network_defaults(TinyModel())
    used = named_layers(chosen)
    assert used, f"no layer is recorded; override `network_defaults` to say what {' and '.join(named)} become"
    assert result.provenance["layers"] == list(used), f"recorded are {result.provenance['layers']}"
    again = result_of(chosen)
    as_before(again, result, "with its default layers by name", exact=True)
    assert not again.provenance["default_layer"], "layers that were named are no default"


@dataset_method_promise
def layers_of_every_kind(tried: DatasetMethod) -> None:
    """It runs on layers of maps, of tokens and of vectors, or refuses them by a clear error."""
    named = layer_parameters(tried)
    if not named:
        raise Unsuited("it has no parameter that names layers")
    model, several = TinyModel(tokens=True), {f.name for f in parameters(tried) if "tuple" in str(f.type)}
    for layer in ("conv1", "tokens", "pool"):
        chosen = replace(tried, **{name: (layer,) if name in several else layer for name in named})
        result, refusal = result_or_refusal(chosen, model)
        if result is None:
            shape = model.layer(layer).shape
            assert layer in refusal, f"layer {layer!r} {shape} is refused without its name: {refusal}"
        else:
            comes_back(result)
