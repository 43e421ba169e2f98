"""An affine network with any output, in plain NumPy: what attacks do on it can be said in closed form."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from crosslens.model import INPUT, OUTPUT, InputSpec, Layer, Linearization, Model
from crosslens.model.preprocessing import Preprocess

Values = np.ndarray[Any, Any]


def identity(z: Values) -> Values:
    """Logits as they are."""
    return z


def softmax(z: Values) -> Values:
    """Probabilities of classes that exclude each other."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def sigmoid(z: Values) -> Values:
    """Independent probabilities; of one number that of the positive class of two."""
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -700, 700))))


_KINDS = {identity: "Identity", softmax: "Softmax", sigmoid: "Sigmoid"}


class AffineModel(Model):
    """z = weights . y + bias, y the preprocessed image; the output is a link of z. Float64 inside, float32 outside.

    Layers: "fc" gives z and "link" the output; with `sealed` only "link" is there, and nothing holds the logits.
    """

    backend = "affine"
    versions: Mapping[str, str] = {}
    layers: Mapping[str, Layer] = {}

    def __init__(
        self,
        weights: Values,
        bias: Values,
        *,
        link: Callable[[Values], Values] = identity,
        sealed: bool = False,
        bounds: tuple[float, float] = (0.0, 1.0),
        preprocess: Preprocess | None = None,
    ) -> None:
        """Weights (K, C, H, W) and bias (K,); `preprocess` acts on images within `bounds`."""
        self.matrix, self.bias, self.link = weights.reshape(len(weights), -1), bias, link
        self.input = InputSpec(weights.shape[1:], bounds)
        self.preprocess = preprocess or Preprocess()
        ends = (None, len(weights))
        inner = [Layer("fc", "Linear", ends)] * (not sealed) + [Layer("link", _KINDS[link], ends)]
        every = [Layer(INPUT, "Input", (None, *weights.shape[1:])), *inner, Layer(OUTPUT, "Output", ends)]
        self.layers = {layer.name: layer for layer in every}

    def in_unit_range(self) -> tuple[Values, Values]:
        """(K, D) and (K,): the weights and the bias of the same network for images in [0, 1]."""
        (low, high), (gain, offset) = self.input.bounds, self._gain_and_offset()
        return self.matrix * gain * (high - low), self.bias + self.matrix @ (gain * low + offset)

    def reads(self, layer: str) -> tuple[str, ...]:
        """The layer before."""
        names = list(self.layers)
        return tuple(names[max(0, names.index(layer) - 1) : names.index(layer)])

    def weights(self, layer: str) -> Mapping[str, Any]:
        """None: they are not for changing."""
        return {}

    def _with_weights(self, changed: Any) -> Model:
        raise AssertionError

    def _gain_and_offset(self) -> tuple[Values, Values]:
        """(D,) each: of the preprocessing, for every number of an image."""
        channels, height, width = self.input.shape
        gain, offset = self.preprocess.affine(channels)
        return tuple(np.repeat(each.astype(np.float64), height * width) for each in (gain, offset))

    def _run(self, x: Values) -> dict[str, Values]:
        gain, offset = self._gain_and_offset()
        z = (gain * x.reshape(len(x), -1) + offset) @ self.matrix.T + self.bias
        output = self.link(z).astype(np.float32)
        return {INPUT: x, "fc": z.astype(np.float32), "link": output, OUTPUT: output}

    def _forward(self, x: Any, capture: Any, replace: Any) -> Mapping[str, Any]:
        activations = self._run(np.asarray(x))
        return {name: activations[name] for name in capture}

    def _linearize(self, x: Any, capture: Any, wrt: Any, replace: Any) -> Linearization:
        return _AffineLinearization(self, np.asarray(x), capture)


class _AffineLinearization(Linearization):
    def __init__(self, model: AffineModel, x: Values, capture: tuple[str, ...]) -> None:
        self._model, self._x = model, x
        self._values = model._run(x)
        self.activations = {name: self._values[name] for name in capture}

    def vjp(self, cotangents: Mapping[str, Any]) -> Mapping[str, Any]:
        """The gradient at the image."""
        dz = np.zeros(self._values["fc"].shape)
        for name, given in cotangents.items():
            dz += given if name == "fc" else self._before_link(given.astype(np.float64))
        gain, _ = self._model._gain_and_offset()
        return {INPUT: (gain * (dz @ self._model.matrix)).astype(np.float32).reshape(self._x.shape)}

    def _before_link(self, dy: Values) -> Values:
        y = self._values[OUTPUT].astype(np.float64)
        if self._model.link is softmax:
            return np.asarray(y * (dy - (y * dy).sum(axis=1, keepdims=True)))
        return dy * y * (1 - y) if self._model.link is sigmoid else dy
