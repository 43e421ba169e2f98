"""Dense layers and rectifiers in plain arrays, for published values that are about such networks."""

import numpy as np
from crosslens import INPUT, OUTPUT, InputSpec
from crosslens.model.layer import Layer, Layers
from crosslens.testing import TinyModel
from crosslens.testing.tables import secant
from crosslens.testing.tiny import _TinyLinearization


class Perceptron(TinyModel):
    """An image (1, 1, D) - flat - dense1 - act1 - dense2 - ... ; the last layer is dense, every other one rectified.

    With `merged` the rectifiers are parts of the dense layers, as in Keras' Dense(activation="relu").
    """

    rules_for = frozenset({"slope"})

    def __init__(self, *layers, merged=False, bypass=False):
        super().__init__()
        self.input = InputSpec((1, 1, np.shape(layers[0][0])[1]), bounds=None)
        self.relu, self.merged, self.bypass = True, merged, bypass
        names = [f"dense{n}" for n in range(1, len(layers) + 1)]
        self._parameters = {
            name: {"kernel": np.array(kernel, np.float32), "bias": np.array(bias, np.float32)}
            for name, (kernel, bias) in zip(names, layers, strict=True)
        }
        acts = [] if merged else [name.replace("dense", "act") for name in names[:-1]]
        pairs = [name for n, dense in enumerate(names) for name in (dense, *acts[n : n + 1])]
        self._order = ("flat", *pairs)

    @property
    def layers(self):
        """Flat, dense and rectified ones."""
        kinds = {"flat": "Flatten", "dense": "Linear", "act": "Relu"}
        values = self._run(np.zeros((1, *self.input.shape), np.float32), {})
        shapes = {INPUT: (None, *self.input.shape), **{name: (None, *a.shape[1:]) for name, a in values.items()}}
        ends = {INPUT: "Input", OUTPUT: "Output"}
        kind = {name: kinds[name.rstrip("0123456789")] for name in self._order} | ends
        return Layers({name: Layer(name, kind[name], shapes[name]) for name in (INPUT, *self._order, OUTPUT)})

    def reads(self, layer):
        """The layer before; with `bypass` the last one reads the image as well."""
        before = super().reads(layer)
        return (*before, "flat") if self.bypass and layer == self._order[-1] else before

    def _affine(self, x):
        return np.ones((1, 1, 1, 1), x.dtype), np.zeros((1, 1, 1, 1), x.dtype)

    def _is_rectified(self, name):
        return name.startswith("act") or (self.merged and name.startswith("dense") and name != self._order[-1])

    def _run(self, x, replace):
        a, values = x.reshape(len(x), -1), {}
        for name in self._order:
            if name in self._parameters:
                a = a @ self._parameters[name]["kernel"].T + self._parameters[name]["bias"]
            a = values[name] = replace.get(name, np.maximum(a, 0) if self._is_rectified(name) else a)
        return {**values, OUTPUT: replace.get(OUTPUT, a)}

    def _linearize(self, x, capture, wrt, replace):
        return _Linearization(self, x, capture, wrt, replace)


class _Linearization(_TinyLinearization):
    def _back(self, name, dy):
        net, read = self._model, np.reshape(self._inputs[name], (len(dy), -1))
        dense = net._parameters.get(name)
        if net._is_rectified(name):
            z = read if dense is None else read @ dense["kernel"].T + dense["bias"]
            slope = (z > 0).astype(dy.dtype)
            dy = dy * (secant(z, np.maximum(z, 0), slope) if net.rules.slope == "secant" else slope)
        return np.reshape(dy @ dense["kernel"] if dense is not None else dy, self._inputs[name].shape)
