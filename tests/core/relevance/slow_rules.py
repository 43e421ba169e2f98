"""Rules of relevance as their papers write them, one output and one input at a time; slow on purpose.

A rule takes one output's weights w, the inputs x, the bias b, the output z, and what the rule needs besides; it gives
terms: (share of the relevance, contribution of each input, what the bias adds to their sum).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Dense:
    """A linear map as a matrix: z[j] = sum_i weights[j, i] x[i] + bias[j]."""

    weights: np.ndarray
    connected: np.ndarray
    """Whether input i lies in the window of output j, its weight may be 0 or not."""
    bias: np.ndarray
    channel: np.ndarray
    """Of each input."""

    def outputs(self, x):
        return self.weights @ x + self.bias


def dense(kernel, bias=None):
    """The map of a dense layer, kernel (out, in)."""
    kernel = np.asarray(kernel, np.float64)
    bias = np.zeros(len(kernel)) if bias is None else np.asarray(bias, np.float64)
    return Dense(kernel, np.ones(kernel.shape, bool), bias, np.arange(kernel.shape[1]))


def convolution(kernel, bias, shape, *, pad=0, stride=1, groups=1):
    """The map of a convolution of images (C, H, W), outputs (O, H', W') and inputs in the order of memory."""
    kernel = np.asarray(kernel, np.float64)
    (out, per_group, kh, kw), (channels, height, width) = kernel.shape, shape
    rows, columns = (height + 2 * pad - kh) // stride + 1, (width + 2 * pad - kw) // stride + 1
    weights = np.zeros((out, rows, columns, channels, height, width))
    connected = np.zeros(weights.shape, bool)
    for o in range(out):
        first = o // (out // groups) * per_group
        for y, x in np.ndindex(rows, columns):
            for c, i, j in np.ndindex(per_group, kh, kw):
                row, column = y * stride + i - pad, x * stride + j - pad
                if 0 <= row < height and 0 <= column < width:
                    weights[o, y, x, first + c, row, column] = kernel[o, c, i, j]
                    connected[o, y, x, first + c, row, column] = True
    outputs, inputs = out * rows * columns, channels * height * width
    biases = np.zeros(out) if bias is None else np.asarray(bias, np.float64)
    return Dense(
        weights.reshape(outputs, inputs),
        connected.reshape(outputs, inputs),
        np.repeat(biases, rows * columns),
        np.repeat(np.arange(channels), height * width),
    )


def epsilon(w, x, b, z, **rest):
    """Bach et al. 2015, equations 56 to 58."""
    return [(1.0, [xi * wi for xi, wi in zip(x, w, strict=True)], b)]


def alpha_beta(w, x, b, z, alpha=2.0, beta=1.0, biased=True, **rest):
    """Bach et al. 2015, equation 60: contributions of either sign over their sum, the bias of that sign among them."""
    b = b if biased else 0.0
    contributions = [xi * wi for xi, wi in zip(x, w, strict=True)]
    return [
        (alpha, [max(each, 0) for each in contributions], max(b, 0)),
        (-beta, [min(each, 0) for each in contributions], min(b, 0)),
    ]


def z_plus(w, x, b, z, **rest):
    """Montavon et al. 2017, in the form for inputs of either sign: alpha 1, beta 0."""
    return alpha_beta(w, x, b, z, **{**rest, "alpha": 1.0, "beta": 0.0})[:1]


def gamma(w, x, b, z, gamma=0.25, **rest):
    """Montavon et al. 2019, section 10.2.1; Andeol et al. 2021 for any sign: what has z's sign counts 1 + gamma."""

    def favoured(value):
        return value * (1 + gamma) if value * z > 0 else value

    return [(1.0, [favoured(xi * wi) for xi, wi in zip(x, w, strict=True)], favoured(b))]


def excitation(w, x, b, z, **rest):
    """Zhang et al. 2018, equation 4: P(i | j) by x_i w+_ij, excitatory inputs being those above 0."""
    return [(1.0, [max(xi, 0) * max(wi, 0) for xi, wi in zip(x, w, strict=True)], 0.0)]


def flat(w, x, b, z, connected=None, **rest):
    """Lapuschkin et al. 2019: one and the same share for all inputs in the window."""
    return [(1.0, [1.0 if each else 0.0 for each in connected], 0.0)]


def w_square(w, x, b, z, **rest):
    """Montavon et al. 2017, the w^2 rule."""
    return [(1.0, [wi * wi for wi in w], 0.0)]


def box(w, x, b, z, low=None, high=None, channel=None, **rest):
    """Montavon et al. 2017, the z^B rule: x w - l w+ - h w-."""
    return [
        (
            1.0,
            [xi * wi - low[c] * max(wi, 0) - high[c] * min(wi, 0) for xi, wi, c in zip(x, w, channel, strict=True)],
            0.0,
        )
    ]


def passed_on(rule, linear, x, relevance, stabiliser, **settings):
    """Relevance of each input, and what biases and the stabiliser took, of one image.

    Args:
        rule: one of this file's.
        linear: the map.
        x: its inputs, (I,).
        relevance: of its outputs, (J,).
        stabiliser: by which denominators grow, away from 0.
        settings: what the rule takes besides.
    """
    found, biases, stabilisers = np.zeros(len(x)), 0.0, 0.0
    for j, z in enumerate(linear.outputs(x)):
        given = {"connected": linear.connected[j], "channel": linear.channel, **settings}
        left = relevance[j]
        for share, contributions, bias in rule(linear.weights[j], x, linear.bias[j], z, **given):
            total = sum(contributions) + bias
            below = total + (stabiliser if total >= 0 else -stabiliser)
            if below == 0:
                continue
            for i, each in enumerate(contributions):
                found[i] += share * each / below * relevance[j]
            biases += share * bias / below * relevance[j]
            left -= share * total / below * relevance[j]
        stabilisers += left
    return found, np.array([biases, stabilisers])
