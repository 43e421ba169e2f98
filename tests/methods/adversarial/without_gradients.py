"""Networks that attacks without gradients are tried on: they refuse every gradient, and count what they are asked."""

from collections.abc import Mapping

import numpy as np
from crosslens.arrays import like
from crosslens.model import INPUT, OUTPUT, Layer
from crosslens.model.input_spec import InputSpec
from crosslens.model.layer import Layers
from crosslens.testing import TinyModel


class Classifier(TinyModel):
    """logits(x) of NumPy images (N, C, H, W) as a model whose gradient is an error."""

    def __init__(self, logits, shape, classes=2, kind="logits", bounds=(0.0, 1.0)):
        super().__init__(classes=classes)
        self.input, self.output_kind = InputSpec(shape, bounds), kind
        self._logits, self._classes, self.asked = logits, classes, 0
        self.labels = [f"class {k}" for k in range(classes)]

    @property
    def layers(self) -> Mapping[str, Layer]:
        last = Layer("fc", "Linear", (None, self._classes))
        ends = Layer(INPUT, "Input", (None, *self.input.shape)), Layer(OUTPUT, "Output", last.shape)
        return Layers({layer.name: layer for layer in (ends[0], last, ends[1])})

    def _run(self, x, replace):
        self.asked += len(x)
        values = like(np.asarray(self._logits(np.asarray(x, np.float64)), np.float32), x)
        return {"fc": values, OUTPUT: values}

    def _linearize(self, *arguments):
        raise AssertionError("an attack without gradients asked for one")


def affine(weights, bias, **settings):
    """Two classes: the logits are (0, w x + b), so that an image's distance from the boundary is |w x + b| / |w|."""
    w = np.asarray(weights, np.float64)

    def logits(x):
        z = np.tensordot(x, w, axes=w.ndim) + bias
        return np.stack([np.zeros_like(z), z], axis=1)

    model = Classifier(logits, w.shape, **settings)
    model.w, model.b = w, bias
    return model


def argmax_alone(model):
    """The same network, of which nothing is to be seen but the class: 1 for the predicted one, 0 for all others."""

    def decisions(x):
        z = model._logits(x)
        return np.eye(z.shape[1])[z.argmax(axis=1)]

    return Classifier(decisions, model.input.shape, model._classes, kind=None)
