"""Every method over a data set: the promises; each backend against a slow oracle; equal values across backends."""

from functools import cache

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.arrays import as_numpy
from crosslens.method import DatasetMethod
from crosslens.plugins import method_class, methods
from crosslens.result.formats import saved_arrays
from crosslens.testing import same

from .plans import PLANS, images
from .zoo import BUILDERS, net

NAMES = [name for name in methods() if issubclass(method_class(name), DatasetMethod)]
COUNT = 5


@testing.parametrize(*NAMES)
def test_method_keeps_its_promise(check):
    check()


@cache
def arrays(name, backend, network):
    """What a method gives over the zoo's images: all arrays that a file of its result holds."""
    method = crosslens.method(name, **method_class(name).example)
    return saved_arrays(method(net(backend, network).model, labelled(images(COUNT))))


def labelled(pictures):
    """With a label each, and with those of pixels: a square elsewhere in each picture, in one of two colours."""
    y, x = np.indices(pictures.shape[2:])
    number = np.arange(len(pictures))[:, None, None]
    inside = (abs(y - 4 - 2 * number) < 4) & (abs(x - 14 + 2 * number) < 5)
    masks = {"shape": inside.astype(int), "colour": inside * (1 + number % 2)}
    classes = crosslens.data((pictures, np.arange(len(pictures)) % 3))
    return crosslens.concept_data((classes, masks, {"shape": ["square"], "colour": ["red", "blue"]}))


@pytest.mark.parametrize("network", PLANS)
@pytest.mark.parametrize("backend", BUILDERS)
def test_mean_activation_is_the_mean_of_single_forward_passes(backend, network):
    model = net(backend, network).model
    result = crosslens.method("mean_activation")(model, images(COUNT))
    (layer,) = result.provenance["layers"]
    maps = [as_numpy(model.forward(image[None], [layer])[layer]).astype(np.float64) for image in images(COUNT)]
    same(result.columns["mean"], np.concatenate(maps).mean(axis=(0, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("backend", BUILDERS[1:])
@pytest.mark.parametrize("name", NAMES)
def test_values_agree_across_backends(name, backend):
    ours, theirs = arrays(name, backend, "smooth"), arrays(name, BUILDERS[0], "smooth")
    assert ours.keys() == theirs.keys()
    for each, values in ours.items():
        if values.dtype.kind in "US":
            assert values.tolist() == theirs[each].tolist(), f"{each} of {name} on {backend}"
        else:
            rtol = 0.01 if values.dtype == np.uint8 else 1e-5  # pixels are rounded
            same(np.float64(values), np.float64(theirs[each]), rtol=rtol, what=f"{each} of {name} on {backend}")


@pytest.mark.parametrize("metric", ["cosine", "euclid"])
@pytest.mark.parametrize("backend", BUILDERS)
def test_nearest_neighbours_are_those_of_brute_force_in_float64(backend, metric):
    model = net(backend, "smooth").model
    pictures = images(12)
    result = crosslens.method("nearest_neighbours", count=5, metric=metric)(model, pictures)
    (layer,) = result.provenance["layers"]
    maps = [as_numpy(model.forward(image[None], [layer])[layer]).astype(np.float64) for image in pictures]
    rows = np.concatenate(maps).mean(axis=(2, 3))
    if metric == "cosine":
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    squared = np.square(rows[:, None] - rows).sum(axis=2)
    distances = squared / 2 if metric == "cosine" else np.sqrt(squared)
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :5]
    assert result["neighbour"].tolist() == order.tolist()
    same(result["distance"], np.take_along_axis(distances, order, 1), rtol=1e-3)
