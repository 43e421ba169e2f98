"""What a method promises, checked on `TinyModel`, so that no framework is needed."""

import json
import random
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ...arrays import Array, as_numpy
from ...attack import AttackMethod
from ...errors import CrosslensError, LayerError, ModelError, TargetError
from ...method.base import Method
from ...method.dataset import AnyMethod
from ...method.no_target import NO_TARGET
from ...method.parameter import parameters
from ...method.provenance import layer_parameters, named_layers
from ...objective.target import resolve_target
from ...plugins.registry import METHODS, method, plugins
from ...result import Attribution, Result, Synthesis
from ..assertions import comes_back, refused, same
from ..promise import Unsuited, dataset_method_promise, method_promise
from ..tiny import TinyModel

__all__: list[str] = []

TARGET = 1


def _images(count: int = 3) -> Array:
    return np.random.default_rng(0).random((count, 3, 8, 8), dtype=np.float32)


def target_for(tried: Method | type[Method], target: Any) -> Any:
    """A target to try a method with: none where it takes none, and of an attack the predicted class.

    An attack that is to leave another class has nothing to do: the image is its answer.
    """
    attacks = issubclass(tried if isinstance(tried, type) else type(tried), AttackMethod)
    return target if tried.needs_target and not attacks else None


def _run(tried: Method, model: Any = None, images: Array = None, target: Any = None) -> Result:
    """The method on a batch, with images and target only where it takes them."""
    given = (_images() if images is None else images) if tried.needs_images else None
    target = target_for(tried, TARGET) if target is None else target
    result = tried(model or _model(tried), given, target)
    assert isinstance(result, Result), f"returned a {type(result).__name__}, not a Result"
    return result


def _model(tried: Method, seed: int = 0) -> TinyModel:
    if tried.needs_attention:
        raise Unsuited("it needs attention, which TinyModel does not have")
    return TinyModel(relu=tried.needs_rectifier, seed=seed, pictures=tried.needs_picture_output)


def values_of(result: Result) -> Array:
    """What a result is about: its `values`, as of an attribution or of scores, or a synthesis' images.

    Raises:
        Unsuited: a result of another kind, without `values`.
    """
    if isinstance(result, Synthesis):
        return result.images
    if (values := getattr(result, "values", None)) is not None:
        return values
    raise Unsuited(f"a {type(result).__name__} has neither values nor made images")


@method_promise
def values_are_raw_and_finite(tried: Method) -> None:
    """Values are finite floats, not all equal; an attribution holds one map per image, or one per channel of it."""
    result = _run(tried)
    values = as_numpy(values_of(result))
    assert values.dtype.kind == "f", f"values have dtype {values.dtype}"
    assert np.isfinite(values).all(), "values are not finite"
    assert values.min() < values.max(), "all values are equal"
    if isinstance(result, Attribution):
        assert values.shape[0] == 3, f"{values.shape[0]} maps for 3 images"
        assert values.ndim >= 2, f"values have shape {values.shape}"


@method_promise
def array_namespace_does_not_matter(tried: Method) -> None:
    """On arrays of `array_api_strict` it gives the same values, as arrays of that namespace."""
    try:
        strict = import_module("array_api_strict")
    except ImportError as error:
        raise Unsuited("array-api-strict is not installed: pip install array-api-strict") from error
    if not tried.needs_images:
        raise Unsuited("it takes no images, so no arrays either")
    got = values_of(_run(tried, images=strict.asarray(_images())))
    assert type(got).__module__.startswith("array_api_strict"), f"returned a {type(got).__module__} array"
    same(got, values_of(_run(tried)), rtol=1e-5)


@method_promise
def same_call_same_values(tried: Method) -> None:
    """The same call gives the same values, bit by bit: randomness comes from a parameter `seed` only."""
    same(values_of(_run(tried)), values_of(_run(tried)), exact=True)


@method_promise
def global_generators_stand_still(tried: Method) -> None:
    """It neither draws from nor seeds the global random generators of Python and NumPy."""
    before = (random.getstate(), repr(np.random.get_state()))
    _run(tried)
    assert before == (random.getstate(), repr(np.random.get_state())), "a global random generator moved"


@method_promise
def images_are_not_written_to(tried: Method) -> None:
    """The caller's images stay as they are, and are what the result of an attribution holds."""
    if not tried.needs_images:
        raise Unsuited("it takes no images")
    images = _images()
    images.flags.writeable = False
    result = _run(tried, images=images)
    same(images, _images(), exact=True)
    if isinstance(result, Attribution):
        same(result.images, images, exact=True, what="Result.images")


@method_promise
def batch_is_its_images_one_by_one(tried: Method) -> None:
    """Where `batched`, a batch gives what its images give one by one, however it is split."""
    if not tried.batched or not tried.needs_images:
        raise Unsuited("it is not batched")
    whole = _run(tried)
    split = _model(tried)
    split.batch_size = 2
    same(values_of(_run(tried, split)), values_of(whole), rtol=1e-5, what="split in two")
    for n in range(3):
        one = _run(tried, images=_images()[n : n + 1])
        same(values_of(one), values_of(whole)[n : n + 1], rtol=1e-5, what=f"image {n} alone")


@method_promise
def one_object_any_number_of_models(tried: Method) -> None:
    """One configured object serves several networks, and is not changed by running."""
    before = {f.name: getattr(tried, f.name) for f in parameters(tried)}
    other, first = _model(tried, seed=4), _model(tried)
    expected = values_of(_run(replace(tried), first))
    _run(tried, other)
    same(values_of(_run(tried, first)), expected, exact=True, what="after another network")
    changed = [name for name, value in before.items() if getattr(tried, name) is not value]
    assert not changed, f"running changed the parameters {changed}"


@method_promise
@dataset_method_promise
def parameters_are_documented(tried: AnyMethod) -> None:
    """It is a frozen dataclass whose parameters each carry a line of text: `param(default, "what it is")`."""
    assert is_dataclass(tried), "not a dataclass"
    assert type(tried).__dataclass_params__.frozen, "not frozen: @dataclass(frozen=True, kw_only=True)"  # type: ignore[union-attr]
    bare = [f.name for f in parameters(tried) if not f.metadata.get("doc")]
    assert not bare, f"without a text: {bare}"
    assert (type(tried).__doc__ or "").strip(), "the class has no docstring"
    assert not (type(tried).__doc__ or "").startswith(f"{type(tried).__name__}("), "the docstring is dataclass's own"


@method_promise
@dataset_method_promise
def one_name_everywhere(tried: AnyMethod) -> None:
    """Its `name` is a lower-case word, the name of its entry point and, in crosslens itself, of its module."""
    name = type(tried).name
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name), f"{name!r} is not lower case with underscores"
    lines = [p for p in plugins(METHODS) if p.name == name]
    advice = f'add {name} = "{type(tried).__module__}" to [project.entry-points."{METHODS}"] and install it again'
    assert lines, f"no entry point is called {name!r}: {advice}"
    assert type(method(name, **tried.example)) is type(tried), f"entry point {lines[0]} brings another class"
    if lines[0].distribution == "crosslens":
        assert lines[0].module.rpartition(".")[2] == name, f"{name!r} lives in {lines[0].module}"


@method_promise
def provenance_is_complete(tried: Method) -> None:
    """The result names method, every parameter, versions, model, preprocessing, objective, time: all of it as JSON."""
    result = _run(tried)
    assert result.method == tried.name, f"method is {result.method!r}"
    assert list(result.parameters) == [f.name for f in parameters(tried)], f"parameters are {list(result.parameters)}"
    wanted = {"crosslens", "backend", "versions", "model", "preprocess", "objective", "seconds", "date"}
    missing = wanted - set(result.provenance)
    assert not missing, f"the provenance lacks {sorted(missing)}"
    json.dumps([result.parameters, result.provenance, result.notes])


@method_promise
def saves_and_shows(tried: Method) -> None:
    """`save` writes a picture and everything, which `crosslens.load` gives back; the values stay raw."""
    result = _run(tried)
    comes_back(result)
    before = np.array(as_numpy(values_of(result)))
    with TemporaryDirectory() as folder:
        png, npz = (result.save(Path(folder) / f"result{suffix}") for suffix in (".png", ".npz"))
        assert png.read_bytes().startswith(b"\x89PNG"), "the file ends in .png and is not a PNG"
        with np.load(npz) as stored:
            record = json.loads(str(stored["record"]))
            name = "images" if isinstance(result, Synthesis) else "values"
            if name in stored:
                same(stored[name], before, exact=True, what="what was saved")
    assert record["method"] == tried.name
    same(values_of(result), before, exact=True, what="after the picture")


@method_promise
def target_must_exist(tried: Method) -> None:
    """A class that the network does not have is refused, with the number of classes."""
    if not tried.needs_target:
        raise Unsuited("it takes no target")
    text = "target 99 is out of range; this model has 5 classes, 0 to 4"
    refused(lambda: _run(tried, target=99), TargetError, text)


@method_promise
def layer_must_exist(tried: Method) -> None:
    """A layer that the network does not have is refused, and the nearest name offered."""
    if not _field(tried, "layer"):
        raise Unsuited("it has no parameter `layer`")
    wrong: Mapping[str, Any] = {"layer": "conv3"}
    refused(lambda: _run(replace(tried, **wrong)), LayerError, "no layer 'conv3'", "Did you mean 'conv")


@method_promise
def layers_are_recorded(tried: Method) -> None:
    """The result names the layers that were used, and given these as parameters the method gives the same values."""
    named = layer_parameters(tried)
    if not named:
        raise Unsuited("it has no parameter that names layers")
    free = replace(tried, **{name: f.default for f in parameters(tried) if (name := f.name) in named})
    result = _run(free)
    chosen = free.with_network_defaults(_model(free), _images() if free.needs_images else None, _objective(free))
    default = any(getattr(free, name) in (None, ()) for name in named)
    used = named_layers(chosen)
    assert used, f"no layer is recorded; override `network_defaults` to say what {' and '.join(named)} become"
    assert result.provenance["layers"] == list(used), f"recorded are {result.provenance['layers']}"
    assert result.provenance["default_layer"] is default, "whether the layer was the default is recorded wrongly"
    again = _run(chosen)
    same(values_of(again), values_of(result), exact=True, what="with its default layers by name")
    assert again.provenance["layers"] == list(used)
    assert not again.provenance["default_layer"], "the layers were named, and the result says that they are the default"


def _objective(tried: Method) -> Any:
    return resolve_target(TARGET, _model(tried), 3) if tried.needs_target else NO_TARGET


@method_promise
def a_network_without_rectifiers_is_refused(tried: Method) -> None:
    """Where it `needs_rectifier`, another network is refused: its values would look like an answer."""
    if not tried.needs_rectifier:
        raise Unsuited("it takes any network")
    refused(lambda: _run(tried, TinyModel()), ModelError)


@method_promise
def a_network_that_makes_no_pictures_is_refused(tried: Method) -> None:
    """Where it `needs_picture_output`, a network with another output is refused."""
    if not tried.needs_picture_output:
        raise Unsuited("it takes networks of any output")
    refused(lambda: _run(tried, TinyModel()), ModelError, "makes pictures of pictures")


@method_promise
def bad_images_are_refused(tried: Method) -> None:
    """NaN, values of 0..255 and no images at all are refused before any work."""
    if not tried.needs_images:
        raise Unsuited("it takes no images")
    nan = _images()
    nan[0, 0, 0, 0] = np.nan
    refused(lambda: _run(tried, images=nan), CrosslensError, "NaN")
    refused(lambda: _run(tried, images=_images() * 255), CrosslensError, "Divide by 255: images / 255")
    refused(lambda: tried(_model(tried), None), CrosslensError, f"{tried.name} explains images")


def _field(tried: Method, name: str) -> bool:
    return any(f.name == name for f in fields(tried))
