"""What synthesis must reach with its defaults, on two small networks of different make trained on the same textures."""

from itertools import pairwise

import crosslens
import numpy as np
import pytest
import torch
from crosslens import OUTPUT, method
from crosslens.arrays import softmax
from torch import nn

from benchmarks.excited_units import GOAL, NEURON, line_of_units, risen
from benchmarks.photographs import photographs
from benchmarks.spectra import slope
from benchmarks.synthesis_quality import distance, rank

SMALL, SIZE, KINDS = 20, 64, 4
"""Pixels a side in training, pixels a side of the pictures made, and classes."""


def textures(count, rng):
    """Gratings of four directions; colours, frequencies and places at random."""
    labels = rng.integers(0, KINDS, count)
    y, x = np.mgrid[:SMALL, :SMALL]
    made = []
    for label in labels:
        step, phase = rng.uniform(1.0, 1.7), rng.uniform(0, 2 * np.pi)
        pattern = np.sin(step * (x, y, (x + y) / 1.4, (x - y) / 1.4)[label] + phase)
        colour = rng.uniform(0.2, 0.4, (3, 1, 1)) * rng.choice([-1, 1], (3, 1, 1))
        made.append(rng.uniform(0.4, 0.6, (3, 1, 1)) + colour * pattern + rng.normal(0, 0.03, (3, SMALL, SMALL)))
    return torch.from_numpy(np.clip(made, 0, 1).astype(np.float32)), torch.from_numpy(labels)


def pooling():
    """Small convolutions with ReLU, pooled, then the mean over places."""
    parts = [nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, KINDS))


def strided():
    """Larger convolutions with strides, normalisation and SiLU, then the mean over places."""
    first = [nn.Conv2d(3, 16, 5, stride=2, padding=2), nn.BatchNorm2d(16), nn.SiLU()]
    second = [nn.Conv2d(16, 32, 5, stride=2, padding=2), nn.BatchNorm2d(32), nn.SiLU()]
    return nn.Sequential(*first, *second, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, KINDS))


def trained(build):
    """Right on more than four of five textures that it has not seen."""
    torch.manual_seed(0)
    net, rng = build().train(), np.random.default_rng(0)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(160):
        images, labels = textures(48, rng)
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(images), labels).backward()
        optimiser.step()
    images, labels = textures(100, np.random.default_rng(1))
    with torch.no_grad():
        assert (net.eval()(images).argmax(1) == labels).float().mean() > 0.8
    return crosslens.wrap(net, preprocess=None, input_shape=(3, SIZE, SIZE))


@pytest.fixture(scope="module")
def network():
    return trained(pooling)


@pytest.fixture(scope="module")
def pictures(network):
    """One for each class."""
    return method("class_maximisation", steps=80)(network, None, tuple(range(KINDS))).images


def test_a_class_is_first_with_its_own_picture_and_all_but_certain(network, pictures):
    shares = softmax(network.forward(pictures)[OUTPUT])
    assert [rank(row, c) for c, row in enumerate(shares)] == [1] * KINDS
    assert np.diag(shares).min() > 0.99


def test_a_network_of_another_architecture_knows_the_classes_in_their_pictures(pictures):
    ranks = [rank(row, c) for c, row in enumerate(trained(strided).forward(pictures)[OUTPUT])]
    assert np.mean(ranks) < 2  # by chance (1 + 4) / 2


def test_neurons_before_their_rectifier_rise_tenfold_over_the_noise_they_began_with(network):
    before, after = risen(NEURON, network, "3", range(8), steps=60)
    _, times = line_of_units("small", "3", before, before, after)
    assert np.sum(times >= GOAL) >= 4


@pytest.mark.parametrize("decay", [0.8, 1.2, 1.6])
def test_the_slope_of_a_spectrum_is_minus_twice_the_power_by_which_amplitudes_fall(decay):
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(128))
    frequency[0, 0] = 1
    noise = np.fft.rfft2(np.random.default_rng(0).standard_normal((3, 128, 128)))
    assert slope(np.fft.irfft2(noise / frequency**decay)) == pytest.approx(-2 * decay, abs=0.2)


def test_the_fourier_prior_brings_the_spectrum_nearer_to_photographs_than_plain_pixels(network, pictures):
    plain = method("class_maximisation", steps=60, parameterisation="pixels")(network, None, tuple(range(KINDS))).images
    real, prior, without = (
        np.mean([slope(image) for image in images]) for images in (photographs((SIZE, SIZE)), pictures, plain)
    )
    assert abs(prior - real) < 0.8 * abs(without - real)


def test_what_an_inversion_gets_back_of_a_picture_falls_with_depth(network):
    photo = photographs((SIZE, SIZE))[1:2]
    found = [
        distance(method("feature_inversion", layer=name, steps=30)(network, photo).images, photo)
        for name in ("0", "4", "5")
    ]
    assert all(shallow < deep for shallow, deep in pairwise(found))
    assert found[0] < 0.5
