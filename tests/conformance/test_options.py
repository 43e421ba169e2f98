"""Each option of `crosslens.wrap` changes what it should on each kind of network, or is refused; none is dropped."""

import contextlib
import sys
from pathlib import Path

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import ModelError
from crosslens.model import OUTPUT

sys.path.insert(0, str(Path(__file__).parent))
import three_ways
from three_ways import WAYS, torch_net

PICTURE, VOLUME = (3, 10, 12), (2, 8, 10, 12)
UNIT = np.random.default_rng(1).random((2, *PICTURE), dtype=np.float32)
VOXELS = np.random.default_rng(2).random((2, *VOLUME), dtype=np.float32)


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """By way and shape; files are written once."""
    made = {}

    def get(way, shape=PICTURE):
        if (way, shape) not in made:
            made[way, shape] = three_ways.network(way, shape, tmp_path_factory.mktemp("net"))
        return made[way, shape]

    return get


def plain(x):
    """The network itself, without any preprocessing, by torch."""
    with torch.no_grad():
        return torch_net(x.shape[1], x.ndim - 2)(torch.from_numpy(np.asarray(x, np.float32))).numpy()


def close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def output(model, x):
    return np.asarray(model.forward(np.asarray(x, np.float32))[OUTPUT])


def sized(shape, way):
    """What a factory's network does not say: the size of its images."""
    return {"input_shape": shape} if way in {"torch", "factory"} else {}


@pytest.mark.parametrize("way", WAYS)
def test_preprocess_in_numbers_is_applied_to_pictures(networks, way):
    model = crosslens.wrap(networks(way), preprocess={"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]})
    mean, std = np.reshape([0.5, 0.4, 0.3], (3, 1, 1)), np.reshape([0.2, 0.3, 0.4], (3, 1, 1))
    close(output(model, UNIT), plain((UNIT - mean) / std))


@pytest.mark.parametrize("way", WAYS)
def test_preprocess_in_numbers_is_applied_to_volumes(networks, way):
    preprocess = {"mean": [0.5, 0.4], "std": [0.2, 0.3]}
    model = crosslens.wrap(networks(way, VOLUME), preprocess=preprocess, **sized(VOLUME, way))
    assert model.input.shape[-3:] == VOLUME[1:] or model.input.shape[0] == VOLUME[0]
    mean, std = np.reshape([0.5, 0.4], (2, 1, 1, 1)), np.reshape([0.2, 0.3], (2, 1, 1, 1))
    close(output(model, VOXELS), plain((VOXELS - mean) / std))
    close(crosslens.method("gradient")(model, VOXELS, 1).scores, plain((VOXELS - mean) / std)[:, 1])


@pytest.mark.parametrize("way", WAYS)
def test_a_volume_of_one_channel_refuses_the_default_preset_and_says_what_to_type(networks, way):
    with pytest.raises(crosslens.errors.ParameterError) as told:
        crosslens.wrap(networks(way, (1, *VOLUME[1:])), **sized((1, *VOLUME[1:]), way)).forward(VOXELS[:, :1])
    assert str(told.value) == (
        'preprocess "imagenet" is for 3 channels; this model\'s images have 1: give preprocess=None or "mean=m1,std=s1"'
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("given", ["bounds", "shape"])
def test_within_other_bounds_a_preset_sees_the_unit_range_and_numbers_the_values_as_given(networks, way, given):
    asked = {"bounds": (-1, 3)} if given == "bounds" else {"input_shape": crosslens.InputSpec(PICTURE, (-1.0, 3.0))}
    own = 4 * UNIT - 1
    by_name = crosslens.wrap(networks(way), preprocess="imagenet", **asked)
    assert by_name.input.bounds == (-1.0, 3.0)
    mean, std = np.reshape([0.485, 0.456, 0.406], (3, 1, 1)), np.reshape([0.229, 0.224, 0.225], (3, 1, 1))
    close(output(by_name, own), plain((UNIT - mean) / std))
    in_numbers = crosslens.wrap(networks(way), preprocess={"scale": 2, "mean": 0.5, "std": 4}, **asked)
    close(output(in_numbers, own), plain((2 * own - 0.5) / 4))
    close(output(crosslens.wrap(networks(way), preprocess=None, **asked), own), plain(own))
    copy = by_name.randomised([by_name_layer(by_name)], 0)
    assert copy.input.bounds == (-1.0, 3.0)


def by_name_layer(model):
    return next(name for name in model.layers if model.weights(name))


@pytest.mark.parametrize("way", WAYS)
def test_labels_and_batch_size_are_the_models_own(networks, way):
    model = crosslens.wrap(networks(way), labels=["a", "b", "c"], batch_size=1, **sized(PICTURE, way))
    assert list(model.labels) == ["a", "b", "c"]
    assert model.batch_size == 1
    assert crosslens.execution.batching.batch_limit(model) == 1


@pytest.mark.parametrize("way", WAYS)
def test_an_input_shape_is_obeyed_or_refused(networks, way):
    if way not in {"torch", "factory"}:
        with pytest.raises(ModelError, match=r"\(3, 16, 16\)"):
            crosslens.wrap(networks(way), input_shape=(3, 16, 16))
        return
    model = crosslens.wrap(networks(way), input_shape=(3, 16, 16))
    assert model.input.shape == (3, 16, 16)
    assert output(model, np.zeros((1, 3, 16, 16))).shape == (1, 3)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("output", 7),
        ("output", "no such output"),
        ("inputs", {"no such input": np.zeros(3, np.float32)}),
        ("device", "no such device"),
        ("providers", ["NoSuchProvider"]),
        ("bounds", (1.0, 0.0)),
        ("bounds", (0.0, float("inf"))),
        ("bounds", 255),
        ("labels", ["a", "b"]),
        ("batch_size", 0),
    ],
)
def test_what_cannot_be_obeyed_is_refused(networks, way, option, value):
    with pytest.raises(crosslens.errors.CrosslensError):
        output(crosslens.wrap(networks(way), **{option: value}, **sized(PICTURE, way)), UNIT)


@pytest.mark.parametrize("way", WAYS)
def test_trust_changes_no_number_of_a_network_that_needs_none(networks, way):
    with contextlib.suppress(ModelError):  # refused where nobody reads it
        close(output(crosslens.wrap(networks(way), trust=True, preprocess=None), UNIT), plain(UNIT))


def test_bounds_given_twice_must_agree():
    net = torch_net(3, 2)
    with pytest.raises(ModelError, match="leave one of the two out"):
        crosslens.wrap(net, input_shape=crosslens.InputSpec(PICTURE, (0.0, 9.0)), bounds=(0, 255))
    with pytest.raises(ModelError, match="bounds= are for images"):
        crosslens.wrap(net, input_shape=crosslens.InputSpec.latent((100,)), bounds=(0, 255))


def test_images_in_the_unit_range_are_refused_where_0_to_255_is_meant():
    model = crosslens.wrap(torch_net(3, 2), bounds=(0, 255))
    with pytest.raises(crosslens.errors.ImageError, match=r"Multiply by 255: images \* 255"):
        crosslens.method("gradient")(model, UNIT)
