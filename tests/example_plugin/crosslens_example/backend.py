"""The backend for `Nano`: its activations by name, and its vector-Jacobian products."""

from copy import copy

import crosslens
import numpy as np
from crosslens import INPUT, OUTPUT, InputSpec, Layer, Linearization, Model
from crosslens.errors import ModelError

from .nano import Nano


class NanoModel(Model):
    """Layers `hidden` (N, 16) and `logits` (N, 5) between the image and the output."""

    backend = "nano"

    def __init__(self, net, options):
        self.net, self.preprocess = net, options["preprocess"]
        self.labels, self.batch_size = options["labels"], options["batch_size"]
        self.input = InputSpec((3, net.size, net.size))
        refused = [name for name in ("output", "device", "providers") if options[name] is not None]
        if refused or options["input"] not in (None, self.input):
            raise ModelError(f"a Nano takes no {refused or 'input_shape'}; leave it out")

    @property
    def versions(self):
        return {"nano": "1.0"}

    @property
    def layers(self):
        classes, hidden = self.net.logits.shape
        return {
            INPUT: Layer(INPUT, "Input", (None, *self.input.shape)),
            "hidden": Layer("hidden", "Tanh", (None, hidden)),
            "logits": Layer("logits", "Linear", (None, classes)),
            OUTPUT: Layer(OUTPUT, "Output", (None, classes)),
        }

    def weights(self, layer):
        found = {
            "hidden": {"kernel": self.net.hidden, "bias": self.net.bias},
            "logits": {"kernel": self.net.logits},
        }
        return found.get(self.layer(layer).name, {})

    def _with_weights(self, changed):
        net = copy(self.net)
        for layer, values in changed.items():
            setattr(net, layer, values["kernel"])
            net.bias = values.get("bias", net.bias)
        return self._copy(net=net)

    def _forward(self, x, capture, replace):
        gain, offset = (v[:, None, None] for v in self.preprocess.affine(3))
        y = gain * (x[:, ::-1] if self.preprocess.reverses else x) + offset
        hidden = replace.get("hidden", np.tanh(y.reshape(len(x), -1) @ self.net.hidden.T + self.net.bias))
        logits = replace.get("logits", hidden @ self.net.logits.T)
        found = {"hidden": hidden, "logits": logits, OUTPUT: replace.get(OUTPUT, logits)}
        return {name: found[name] for name in capture}

    def _linearize(self, x, capture, wrt, replace):
        return NanoLinearization(self, x, capture, wrt, replace)


class NanoLinearization(Linearization):
    """From the output back: at each layer, what flows in plus the cotangent there; nothing passes a replaced layer."""

    def __init__(self, model, x, capture, wrt, replace):
        self.model, self.wrt, self.replace, self.shape = model, wrt, replace, x.shape
        self.found = model._forward(x, ("hidden", "logits", OUTPUT), replace)
        self.activations = {name: self.found[name] for name in capture}

    def vjp(self, cotangents):
        net, preprocess = self.model.net, self.model.preprocess
        at = {OUTPUT: cotangents.get(OUTPUT, np.zeros_like(self.found[OUTPUT]))}
        at["logits"] = self._through(OUTPUT, at) + cotangents.get("logits", 0)
        at["hidden"] = self._through("logits", at) @ net.logits + cotangents.get("hidden", 0)
        dy = self._through("hidden", at) * (1 - self.found["hidden"] ** 2) @ net.hidden
        dx = preprocess.affine(3)[0][:, None, None] * dy.reshape(self.shape)
        at[INPUT] = dx[:, ::-1] if preprocess.reverses else dx
        return {name: at[name] for name in self.wrt}

    def _through(self, layer, at):
        return np.zeros_like(at[layer]) if layer in self.replace else at[layer]


@crosslens.hookimpl
def crosslens_wrap(network, options):
    return NanoModel(network, options) if isinstance(network, Nano) else None
