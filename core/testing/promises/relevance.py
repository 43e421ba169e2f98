"""What a backend promises about kernel rules and slopes: the equations of `crosslens.model.kernel_rules`, slowly."""

from collections.abc import Iterator

import numpy as np

from ...arrays import Array, as_numpy
from ...model.base import INPUT, OUTPUT
from ...model.kernel_rules import Branch, KernelRule
from ...model.layer import ABSORBED
from ..assertions import same
from ..net import Net
from ..promise import Unsuited, backend_promise
from .copies import apply_kernel

__all__: list[str] = []

_ACTIVATIONS = ("relu", "clip", "softplus", "sigmoid", "tanh", "elu", "silu", "gelu", "swish", "mish")


@backend_promise
def own_kernels_without_a_stabiliser_change_nothing(net: Net) -> None:
    """A rule of the layer's own kernel, stabiliser 0, is the exact gradient."""
    _needs(net, "kernels")
    names = [layer.name for layer in net.inner() if "kernel" in net.model.weights(layer.name)]
    x, c = net.images(), net.cotangent()
    model = net.model.modified(kernels={name: KernelRule((Branch(),)) for name in names})
    same(model.vjp(x, {OUTPUT: c}).gradients[INPUT], net.model.vjp(x, {OUTPUT: c}).gradients[INPUT], rtol=1e-5)


@backend_promise
def kernel_rules_are_their_equations(net: Net) -> None:
    """Own kernels, parts of the input by sign, constants, sides, a folded gain, biases, the accounts at `ABSORBED`."""
    _needs(net, "kernels")
    for before, name in _linear_layers(net):
        kernel = as_numpy(net.model.weights(name)["kernel"])
        direct = (net.model.reads(name) or (before,)) == (before,)  # else a layer of zeros around lies in between
        for rule in _rules(kernel, net.model.layer(before).shape[1] or 1):
            if direct or not rule.local:
                _check_rule(net, before, name, rule)


def _rules(kernel: Array, channels: int) -> Iterator[KernelRule]:
    rng = np.random.default_rng(4)
    above, below = kernel.clip(min=0), kernel.clip(max=0)
    bias, gain, shift = (rng.uniform(-1, 1, len(kernel)).astype(kernel.dtype) for _ in range(3))
    by_sign = Branch((("positive", above), ("negative", below)), bias=bias)
    other = Branch((("positive", below), ("negative", above)), weight=-0.5)
    yield KernelRule((Branch(bias=shift),), 0.1, gain, shift)
    yield KernelRule((by_sign, other), 0.1)
    yield KernelRule((by_sign, other), 0.1, gain, shift)
    yield KernelRule((Branch((("any", above),), side="positive"), Branch((("any", below),), side="negative")), 0.1)
    if kernel.ndim > 2:
        low = rng.uniform(-1, 0, channels).astype(kernel.dtype)
        yield KernelRule((Branch((("any", kernel), (low, -above))),), 0.1, gain, shift, local=True)


def _check_rule(net: Net, before: str, name: str, rule: KernelRule) -> None:
    x, c = net.images(), net.cotangent(name)
    pull = net.model.modified(kernels={name: rule}).vjp(x, {name: c}, wrt=[before, ABSORBED], capture=[before, name])
    u, y = (as_numpy(pull.activations[each]).astype(np.float64) for each in (before, name))
    directions = np.random.default_rng(5).standard_normal((3, *u.shape))
    own = as_numpy(net.model.weights(name)["kernel"])
    along, absorbed, size = _slowly(rule, u, y, c.astype(np.float64), own, directions)
    dx = as_numpy(pull.gradients[before]).astype(np.float64)
    got = np.stack([_total(dx * v) for v in directions])
    same(got, along, rtol=1e-4, what=f"the gradient before {name!r}")
    shares = as_numpy(pull.gradients[ABSORBED]) / size
    same(1 + shares, 1 + absorbed / size, rtol=1e-4, what=f"what {name!r} absorbs")


def _slowly(
    rule: KernelRule, x: Array, y: Array, dy: Array, own: Array, directions: Array
) -> tuple[Array, Array, Array]:
    """<dx, v> for each direction v, the accounts (N, 2), and their size; the transposed map by <K'g, v> = <g, K v>.

    Args:
        rule: the table.
        x: what the layer reads, float64.
        y: what it gives.
        dy: the gradient there.
        own: its kernel.
        directions: (count, *x.shape).
    """
    wide = (1, -1, *[1] * (y.ndim - 2))
    gain = np.ones(y.shape[1]) if rule.gain is None else rule.gain.astype(np.float64)
    shift = np.zeros(y.shape[1]) if rule.shift is None else rule.shift.astype(np.float64)
    z = gain.reshape(wide) * y + shift.reshape(wide)
    relevance = z * dy / gain.reshape(wide)
    along, absorbed = np.zeros((len(directions), len(x))), np.zeros((len(x), 2))
    absorbed[:, 1] = _total(relevance)
    size = np.abs(relevance).reshape(len(x), -1).sum(axis=1, keepdims=True)
    for branch in rule.branches:
        bias = (np.zeros(y.shape[1]) if branch.bias is None else branch.bias.astype(np.float64)).reshape(wide)
        terms = [(*_read(inputs, x), kernel.astype(np.float64)) for inputs, kernel in branch.kernels]
        out = sum((apply_kernel(u, kernel) for u, _, kernel in terms), np.zeros(y.shape)) + bias if terms else z
        stable = out + rule.stabiliser * np.where(out < 0, -1, 1)
        kept = {"any": np.ones(z.shape, bool), "positive": z > 0, "negative": z < 0}[branch.side]
        g = branch.weight * np.where(kept & (stable != 0), relevance / np.where(stable == 0, 1, stable), 0)
        terms = terms or [(x, np.ones(x.shape), own * gain.reshape(-1, *[1] * (own.ndim - 1)))]
        for u, mask, kernel in terms:
            weighting = u if rule.local else mask
            along += np.stack([_total(g * apply_kernel(weighting * v, kernel)) for v in directions])
        absorbed += np.stack([_total(g * bias), -_total(g * out)], axis=1)
    return along, absorbed, size


def _read(inputs: str | Array, x: Array) -> tuple[Array, Array]:
    """What a kernel reads, and its mask."""
    if not isinstance(inputs, str):
        return np.zeros(x.shape) + inputs.astype(np.float64).reshape(1, -1, *[1] * (x.ndim - 2)), np.zeros(x.shape)
    kept = {"any": np.ones(x.shape, bool), "positive": x > 0, "negative": x < 0}[inputs]
    return np.where(kept, x, 0), kept.astype(np.float64)


def _total(values: Array) -> Array:
    return values.reshape(len(values), -1).sum(axis=1)


@backend_promise
def ratio_passes_relevance_unchanged(net: Net) -> None:
    """With slope="ratio", activation times gradient is the same before and behind an activation function."""
    _needs(net, "slope")
    found = [(before, name) for name, before in net.follows.items() if _is_activation(net, name)]
    if not found:
        raise Unsuited("no activation function is named in Net.follows")
    model, x, c = net.model.modified(slope="ratio"), net.images(), net.cotangent()
    for before, name in found:
        pull = model.vjp(x, {OUTPUT: c}, wrt=[before, name], capture=[before, name])
        a, y, da, dy = (as_numpy(v) for v in (*pull.activations.values(), *pull.gradients.values()))
        far = np.abs(a) > 1e-6
        same(np.where(far, a * da, 0), np.where(far, y * dy, 0), rtol=1e-5, what=f"relevance before {name!r}")


@backend_promise
def secants_are_complete(net: Net) -> None:
    """With slope="secant", gradients times x - x' add up to the difference of what the target is at x and at x'."""
    _needs(net, "slope")
    x, c = net.images(4), net.cotangent(count=4)
    c[2:] = c[:2]
    pull = net.model.modified(slope="secant").vjp(x, {OUTPUT: c}, capture=[OUTPUT])
    target = (as_numpy(pull.activations[OUTPUT]) * c).reshape(4, -1).sum(axis=1, dtype=np.float64)
    for half in (pull.gradients[INPUT][:2], pull.gradients[INPUT][2:]):
        shares = (as_numpy(half).astype(np.float64) * (x[:2] - x[2:])).reshape(2, -1).sum(axis=1)
        same(shares, target[:2] - target[2:], rtol=1e-4, what="the sum of the shares")


def _is_activation(net: Net, name: str) -> bool:
    kind = net.model.layers[name].kind.lower()
    return any(word in kind for word in _ACTIVATIONS)


def _linear_layers(net: Net) -> list[tuple[str, str]]:
    """(layer before, layer with a kernel), where `apply_kernel` does what the layer does."""
    found = []
    x = net.images()
    for name, before in net.follows.items():
        weights = net.model.weights(name)
        if "kernel" in weights:
            a, y = (as_numpy(v) for v in net.model.forward(x, [before, name]).values())
            flat = weights["kernel"].ndim == 2 and a.ndim == 2
            if flat or (a.ndim == 4 and a.shape[2:] == y.shape[2:] and weights["kernel"].ndim == 4):
                found.append((before, name))
    if not found:
        raise Unsuited("no layer of this kind is named in Net.follows")
    return found


def _needs(net: Net, option: str) -> None:
    if option not in net.model.rules_for:
        raise Unsuited(f"the backend has no rules for {option}=, which it refuses")
