"""What a backend promises about weights, and about copies with other weights or another backward rule."""

from typing import Any

import numpy as np

from ...arrays import Array, as_numpy
from ...errors import LayerError, ModelError, ParameterError
from ...model.backward_rules import BACKWARD_RULES
from ...model.base import INPUT, OUTPUT
from ...model.kernel_rules import Branch, KernelRule
from ..assertions import refused, same
from ..net import Net
from ..promise import Unsuited, backend_promise

__all__ = ["apply_kernel"]


@backend_promise
def kernels_are_out_by_in(net: Net) -> None:
    """A kernel is (out, in / groups, kh, kw) or (out, in), out being the layer's channels; a bias is (out,)."""
    seen = 0
    for layer in net.inner():
        weights = net.model.weights(layer.name)
        unknown = set(weights) - {"kernel", "bias", "scale", "offset", "mean", "variance"}
        assert not unknown, f"weights of {layer.name!r} have other names: {sorted(unknown)}"
        channels = layer.shape[-1] if len(layer.shape) == 3 else layer.shape[1]
        for name, values in weights.items():
            assert values.shape[0] == channels, f"{name} of {layer.name!r}: {values.shape}, layer {layer.shape}"
            assert values.ndim == 1 or name == "kernel", f"{name} of {layer.name!r} has shape {values.shape}"
        seen += "kernel" in weights
    assert seen, "no layer with a kernel"


@backend_promise
def kernels_give_the_activations(net: Net) -> None:
    """Convolving (stride 1, padded to the same size) or multiplying with `weights` gives the layer's activation."""
    x, count = net.images(), 0
    for name, before in net.follows.items():
        weights = {key: as_numpy(v).astype(np.float64) for key, v in net.model.weights(name).items()}
        activations = {key: as_numpy(v) for key, v in net.model.forward(x, [before, name]).items()}
        flat = "kernel" in weights and weights["kernel"].ndim == 2
        if "kernel" not in weights or not (flat or activations[before].shape[2:] == activations[name].shape[2:]):
            continue
        y = apply_kernel(activations[before].astype(np.float64), weights["kernel"])
        bias = weights.get("bias", np.zeros(y.shape[1]))
        same(activations[name], y + bias.reshape(1, -1, *[1] * (y.ndim - 2)), rtol=1e-5, what=f"layer {name!r}")
        count += 1
    if not count:
        raise Unsuited("no layer of this kind is named in Net.follows")


def apply_kernel(x: Array, kernel: Array) -> Array:
    """A kernel on what it reads: a product, or a convolution of stride 1 with zeros around that keeps the size."""
    return _linear(x, kernel) if kernel.ndim == 2 else _convolution(x, kernel)


def _linear(x: Array, kernel: Array) -> Array:
    return x.reshape(x.shape[0], -1) @ kernel.T


def _convolution(x: Array, kernel: Array) -> Array:
    """Stride 1, odd kernels, zeros around, groups from the shapes; one tap at a time."""
    out, width, rows, columns = kernel.shape
    assert x.shape[1] % width == 0, f"a kernel {kernel.shape} cannot read {x.shape[1]} channels"
    groups = x.shape[1] // width
    padded = np.pad(x, ((0, 0), (0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2)))
    y = np.zeros((x.shape[0], out, *x.shape[2:]))
    for o in range(out):
        first = o // (out // groups) * width
        for i, p, q in np.ndindex(width, rows, columns):
            y[:, o] += kernel[o, i, p, q] * padded[:, first + i, p : p + x.shape[2], q : q + x.shape[3]]
    return y


@backend_promise
def randomised_is_seeded(net: Net) -> None:
    """`randomised` redraws the weights of the layers named: equal for equal seeds, other for others; others kept."""
    weighted = [layer.name for layer in net.inner() if "kernel" in net.model.weights(layer.name)]
    last, kept = weighted[-1], weighted[0]
    x = net.images()
    a, b, c = (net.model.randomised([last], seed) for seed in (1, 1, 2))
    same(a.weights(last)["kernel"], b.weights(last)["kernel"], exact=True)
    same(a.forward(x)[OUTPUT], b.forward(x)[OUTPUT], rtol=1e-6, what="output for the same seed")
    for other in (c, net.model):
        assert not np.allclose(as_numpy(a.forward(x)[OUTPUT]), as_numpy(other.forward(x)[OUTPUT])), "output unchanged"
    if kept != last:
        same(a.weights(kept)["kernel"], net.model.weights(kept)["kernel"], exact=True)
        same(a.forward(x, [kept])[kept], net.model.forward(x, [kept])[kept], rtol=1e-6)


@backend_promise
def randomised_leaves_the_original(net: Net) -> None:
    """The original keeps its weights, its digest and its output; the copy has another digest and its own gradient."""
    x, c = net.images(), net.cotangent()
    last = next(layer.name for layer in reversed(net.inner()) if "kernel" in net.model.weights(layer.name))
    before = {name: np.array(as_numpy(v)) for name, v in net.model.weights(last).items()}
    output, digest = np.array(as_numpy(net.model.forward(x)[OUTPUT])), net.model.digest
    copy = net.model.randomised([last], 3)
    gradient = copy.vjp(x, {OUTPUT: c}).gradients[INPUT]
    assert not np.allclose(as_numpy(gradient), as_numpy(net.model.vjp(x, {OUTPUT: c}).gradients[INPUT])), (
        "same gradient"
    )
    for name, values in before.items():
        same(net.model.weights(last)[name], values, exact=True, what=f"{name} of {last!r}")
    same(net.model.forward(x)[OUTPUT], output, rtol=1e-6, what="the original's output")
    assert copy.digest != digest, "the copy has the original's digest"
    assert net.wrapped().digest == digest, "wrapped anew, the network has another digest"


@backend_promise
def only_weights_can_be_redrawn(net: Net) -> None:
    """A layer without weights cannot be randomised; the message lists layers that can."""
    bare = [layer.name for layer in net.inner() if not net.model.weights(layer.name)]
    if not bare:
        raise Unsuited("every layer has weights")
    text = f"layer {bare[0]!r} has no weights to redraw; layers with weights: "
    refused(lambda: net.model.randomised([bare[0]], 0), LayerError, text)


@backend_promise
def exact_is_no_modification(net: Net) -> None:
    """`modified` with "exact" rules and no kernel rules gives the network's own gradient."""
    x, c = net.images(), net.cotangent()
    expected = net.model.vjp(x, {OUTPUT: c}).gradients[INPUT]
    same(net.model.modified(relu="exact").vjp(x, {OUTPUT: c}).gradients[INPUT], expected, rtol=1e-6)
    others = net.model.modified(slope="exact", kernels={}, norms="exact", products="exact")
    same(others.vjp(x, {OUTPUT: c}).gradients[INPUT], expected, rtol=1e-6)


@backend_promise
def unknown_rule_is_refused(net: Net) -> None:
    """An unknown backward rule is refused, and the message names the rules that there are."""
    text = f"no relu rule 'gided'; there are {', '.join(BACKWARD_RULES)}"
    refused(lambda: net.model.modified(relu="gided"), ParameterError, text)
    refused(
        lambda: net.model.modified(slope="tangent"), ParameterError, "no slope rule 'tangent'", "exact, secant, ratio"
    )
    refused(lambda: net.model.modified(norms="go"), ParameterError, "no norms rule 'go'; there are exact, stop")
    refused(lambda: net.model.modified(products="double"), ParameterError, "no products rule", "exact, half")


@backend_promise
def kernel_rules_must_fit(net: Net) -> None:
    """A kernel rule is refused for an unknown layer, a layer without a kernel, and a kernel of another shape."""
    kernels = {layer.name: net.model.weights(layer.name).get("kernel") for layer in net.inner()}
    name = next(name for name, kernel in kernels.items() if kernel is not None)
    rule = KernelRule((Branch((("any", np.zeros((1, 1, 1), np.float32)),)),))
    refused(lambda: net.model.modified(kernels={name + "x": rule}), LayerError, f"no layer {name + 'x'!r}")
    refused(lambda: net.model.modified(kernels={name: rule}), ParameterError, repr(name), "has shape (1, 1, 1); give ")
    bare = next((name for name, kernel in kernels.items() if kernel is None), None)
    if bare is not None:
        refused(lambda: net.model.modified(kernels={bare: rule}), LayerError, f"layer {bare!r} has no kernel")


@backend_promise
def rules_are_obeyed_or_refused(net: Net) -> None:
    """A backward rule that the backend lacks is refused, never ignored; one that it has keeps the activations."""
    name = next(layer.name for layer in net.inner() if "kernel" in net.model.weights(layer.name))
    rule = KernelRule((Branch((("any", net.model.weights(name)["kernel"]),)),))
    x = net.images()
    for option, value, shown in (
        ("slope", "secant", "slope='secant'"),
        ("slope", "ratio", "slope='ratio'"),
        ("norms", "stop", "norms='stop'"),
        ("products", "half", "products='half'"),
        ("kernels", {name: rule}, f"kernels= (layers {name!r})"),
    ):
        change: dict[str, Any] = {option: value}
        if option in net.model.rules_for:
            same(net.model.modified(**change).forward(x)[OUTPUT], net.model.forward(x)[OUTPUT], rtol=1e-6)
        else:
            texts = (f"the {net.model.backend} backend has no backward rule for {shown}", "it has rules for")
            refused(lambda change=change: net.model.modified(**change), ModelError, *texts)  # type: ignore[misc]


@backend_promise
def no_rectifier_no_modification(net: Net) -> None:
    """Where the network has no rectifier, a rule for rectifiers would silently be the exact one: it is refused."""
    if not net.smooth:
        raise Unsuited("the network may have rectifiers")
    for rule in BACKWARD_RULES[1:]:
        refused(lambda rule=rule: net.model.modified(relu=rule), ModelError)  # type: ignore[misc]


@backend_promise
def modified_rules_follow_their_papers(net: Net) -> None:
    """With slope f' and gradient dy behind a rectifier: guided f' max(dy, 0), deconvnet max(dy, 0), linear dy."""
    rectifiers = _rectifiers(net)
    x, c = net.images(), net.cotangent()
    for rule in BACKWARD_RULES:
        model = net.model if rule == "exact" else net.model.modified(relu=rule)
        for before, name in rectifiers:
            pull = model.vjp(x, {OUTPUT: c}, wrt=[before, name], capture=[before, name])
            a, y, dy = (as_numpy(v) for v in (*pull.activations.values(), pull.gradients[name]))
            same(pull.gradients[before], _pulled_back(rule, a, y, dy), rtol=1e-6, what=f"{rule} before {name!r}")


def _pulled_back(rule: str, a: Array, y: Array, dy: Array) -> Array:
    """The slope of a rectifier, read off input and output: 1 where y = a, y / a where a < 0, 0 where it is clipped."""
    slope = np.where(y == a, 1.0, np.where(a < 0, y / np.where(a == 0, 1, a), 0.0))
    positive = np.maximum(dy, 0)
    return {"exact": slope * dy, "guided": slope * positive, "deconvnet": positive, "linear": dy}[rule]


@backend_promise
def modified_keeps_activations_and_original(net: Net) -> None:
    """Another backward rule changes gradients only, and those of the copy only."""
    _rectifiers(net)
    x, c = net.images(), net.cotangent()
    expected = net.model.vjp(x, {OUTPUT: c}, capture=[OUTPUT])
    got = net.model.modified(relu="guided").vjp(x, {OUTPUT: c}, capture=[OUTPUT])
    same(got.activations[OUTPUT], expected.activations[OUTPUT], rtol=1e-6)
    assert not np.allclose(as_numpy(got.gradients[INPUT]), as_numpy(expected.gradients[INPUT])), "no other gradient"
    same(net.model.vjp(x, {OUTPUT: c}).gradients[INPUT], expected.gradients[INPUT], exact=True)


def _rectifiers(net: Net) -> list[tuple[str, str]]:
    """(layer before, rectifier) among `Net.follows`: what is never negative more than its input, and loses values."""
    words = ("relu", "clip")
    kinds = {name: net.model.layers[name].kind.lower() for name in net.follows}
    rectifiers = [(before, name) for name, before in net.follows.items() if any(word in kinds[name] for word in words)]
    if not rectifiers:
        raise Unsuited("no rectifier is named in Net.follows")
    return rectifiers
