"""The array helpers against PyTorch, which we did not write."""

from hashlib import blake2b

import array_api_strict
import numpy as np
import pytest
import torch
from crosslens.arrays import array_digest, as_numpy, interpolation, like, one_hot, relu, softmax, upsample


@pytest.fixture
def maps():
    return np.random.default_rng(0).normal(size=(2, 5, 7)).astype(np.float32)


@pytest.mark.parametrize("size", [(5, 7), (10, 14), (11, 23), (224, 224)])
def test_upsample_is_torch_bilinear(maps, size):
    expected = torch.nn.functional.interpolate(
        torch.tensor(maps)[None], size=size, mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(upsample(maps, size), expected[0].numpy(), rtol=2e-6, atol=1e-6)


def test_upsample_never_leaves_the_range_of_its_maps(maps):
    enlarged = upsample(maps, (50, 60))
    assert enlarged.min() >= maps.min() - 1e-6
    assert enlarged.max() <= maps.max() + 1e-6


def test_upsample_refuses_to_shrink(maps):
    with pytest.raises(ValueError, match=r"upsample enlarges: maps are \(5, 7\), the size asked for is \(4, 7\)"):
        upsample(maps, (4, 7))


@pytest.mark.parametrize(("n", "m"), [(224, 97), (30, 7), (9, 9), (5, 16)])
def test_interpolation_is_torch_antialiased_bilinear(n, m):
    x = np.random.default_rng(1).normal(size=(1, 1, 1, n))
    expected = torch.nn.functional.interpolate(
        torch.tensor(x), size=(1, m), mode="bilinear", align_corners=False, antialias=True
    )
    np.testing.assert_allclose(interpolation(n, m) @ x[0, 0, 0], expected[0, 0, 0].numpy(), atol=1e-6)


def test_softmax_and_relu_are_torchs(maps):
    np.testing.assert_allclose(softmax(maps), torch.softmax(torch.tensor(maps), -1).numpy(), rtol=1e-5)
    np.testing.assert_array_equal(relu(maps), torch.relu(torch.tensor(maps)).numpy())


def test_softmax_survives_large_logits():
    np.testing.assert_allclose(softmax(np.array([[1000.0, 0.0]])), [[1.0, 0.0]])


def test_one_hot_marks_one_column_per_row():
    x = np.zeros((2, 3), np.float32)
    np.testing.assert_array_equal(one_hot(np.array([2, 0]), x), [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("make", [np.asarray, torch.asarray, array_api_strict.asarray])
def test_arrays_go_to_numpy_and_back(make, maps):
    there = make(maps)
    np.testing.assert_array_equal(as_numpy(there), maps)
    assert type(like(maps, there)) is type(there)
    assert like(there, there).dtype == there.dtype


def test_a_digest_reads_the_values_in_c_order_whatever_their_layout_and_namespace(maps):
    want = blake2b(maps.tobytes(order="C"), digest_size=16).hexdigest()
    transposed = np.asfortranarray(maps)
    for same in (maps, transposed, np.flip(np.flip(maps)), torch.tensor(maps), array_api_strict.asarray(maps)):
        assert array_digest(same) == want
    assert array_digest(maps + 1) != want
