"""Batches: as few and as even as can be, and on torch no larger than the C library keeps the memory of."""

import crosslens
import pytest
import torch
from crosslens.backends.torch.tensors import max_batch
from crosslens.execution.batching import BOXES_PER_IMAGE, MAX_BOXES, batch_limit, box_limit, forward_limit, slices
from crosslens.model.layer import Layer
from crosslens.testing import TinyModel
from torch import nn

CPU = torch.device("cpu")


@pytest.mark.parametrize(("count", "limit"), [(1, 8), (8, 8), (9, 8), (50, 4), (5, 1), (17, 6)])
def test_slices_cover_every_item_once_in_as_few_runs_as_can_be_and_differ_by_one_at_most(count, limit):
    runs = list(slices(count, limit))
    assert [item for start, stop in runs for item in range(start, stop)] == list(range(count))
    sizes = [stop - start for start, stop in runs]
    assert max(sizes) <= limit
    assert max(sizes) - min(sizes) <= 1
    assert len(runs) * limit - count < limit


def test_no_items_are_no_slices():
    assert list(slices(0, 4)) == []


@pytest.mark.parametrize(
    ("shape", "dtype", "most"),
    [
        ((None, 96, 112, 112), torch.float32, 5),
        ((None, 96, 112, 112), torch.float64, 2),
        ((None, 64, 224, 224), torch.float32, 2),
        ((None, 256, 512, 512), torch.float32, 1),
        ((None, 16, 8, 8), torch.float32, 8),
    ],
)
def test_on_a_processor_a_batch_of_torch_holds_25_mebibytes_in_its_largest_layer(shape, dtype, most):
    layers = [Layer("small", "Linear", (None, 10)), Layer("large", "Conv2d", shape)]
    assert max_batch(layers, dtype, CPU) == most


def test_a_wrapped_network_of_torch_is_given_no_more_images_at_once_than_that():
    net = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4))
    net(torch.zeros(1, 3, 256, 256))
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 256, 256))
    assert batch_limit(model) == 3
    assert batch_limit(crosslens.wrap(net, preprocess=None, input_shape=(3, 256, 256), batch_size=5)) == 5


def test_boxes_at_once_hold_the_memory_of_the_images_that_fit_or_that_were_asked_for():
    net, size = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.Flatten()), (3, 224, 224)
    model = crosslens.wrap(net, preprocess=None, input_shape=size)
    assert batch_limit(model) == 2, "a passing batch is held small for its gradient"
    assert box_limit(model) == MAX_BOXES
    assert box_limit(model, 3) == 3 * BOXES_PER_IMAGE
    assert box_limit(crosslens.wrap(net, preprocess=None, input_shape=size, batch_size=5)) == 5 * BOXES_PER_IMAGE
    large = crosslens.wrap(net, preprocess=None, input_shape=(3, 1300, 1300))
    images = (2 << 30) // (8 * 2 * 64 * 1300 * 1300)
    assert box_limit(large) == max(images, 1) * BOXES_PER_IMAGE < MAX_BOXES


@pytest.mark.parametrize(
    ("elements", "at_once"), [(1_000, 256), (44_052, 256), (1_000_000, 16), (22_508_339, 8), (100_000_000, 2)]
)
def test_sweeps_take_more_images_of_a_small_network_at_once(elements, at_once):
    model = TinyModel()
    vars(model)["elements"] = elements
    assert forward_limit(model) == at_once
    model.batch_size = 5
    assert forward_limit(model) == 5, "as many as were set"


def test_sweeps_take_images_one_by_one_where_the_network_mixes_them():
    mixing = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Softmax(dim=0))
    assert forward_limit(crosslens.wrap(mixing, preprocess=None, input_shape=(1, 8, 8))) == 1
