"""What a backend promises about vector-Jacobian products."""

from collections.abc import Callable

import numpy as np

from ...arrays import Array, as_numpy
from ...errors import LayerError
from ...model.base import INPUT, OUTPUT, Model
from ...model.preprocessing import Preprocess
from ..assertions import refused, same
from ..net import Net
from ..promise import Unsuited, backend_promise

__all__: list[str] = []


@backend_promise
def gradient_is_the_slope(net: Net) -> None:
    """The gradient at `INPUT` is the slope of <cotangent, output> by central differences, in several directions."""
    x, c = net.images(), net.cotangent()
    gradient = net.model.vjp(x, {OUTPUT: c}).gradients[INPUT]
    _has_slope(net, gradient, x, lambda at: net.model.forward(at)[OUTPUT], c)


@backend_promise
def inner_gradient_is_the_slope(net: Net) -> None:
    """The gradient at a layer is the slope of <cotangent, output> when that layer's activation moves (`replace`)."""
    x, c = net.images(), net.cotangent()
    for name in dict.fromkeys((net.inner()[0].name, net.middle(), net.inner()[-2].name)):
        a = net.model.forward(x, [name])[name]
        gradient = net.model.vjp(x, {OUTPUT: c}, wrt=[name], replace={name: a}).gradients[name]
        _has_slope(net, gradient, a, lambda at, name=name: net.model.forward(x, replace={name: at})[OUTPUT], c)  # type: ignore[misc]


def _has_slope(net: Net, gradient: Array, x: Array, output: Callable[[Array], Array], c: Array) -> None:
    """Fourth-order central differences: their own error, about 1e-5 here, leaves 1e-3 as a safe allowance."""
    if not net.smooth:
        raise Unsuited("the network has kinks, where differences do not give a slope")
    g = as_numpy(gradient).astype(np.float64)
    assert g.any(), "the gradient is zero everywhere"
    rng = np.random.default_rng(2)
    for _ in range(3):
        noise = rng.standard_normal(g.shape)
        d = g / np.linalg.norm(g) + noise / np.linalg.norm(noise)
        step = 0.3 * max(float(np.abs(x).max()), 1e-3) / np.abs(d).max() * 0.1

        def along(t: float, d: Array = d, step: float = step) -> float:
            moved = (x + t * step * d).astype(np.float32)
            return float((as_numpy(output(moved)).astype(np.float64) * c).sum())

        slope = (8 * (along(1) - along(-1)) - (along(2) - along(-2))) / (12 * step)
        expected = float((g * d).sum())
        assert abs(slope - expected) <= 1e-3 * np.linalg.norm(g), f"slope {slope:.6g}, gradient says {expected:.6g}"


@backend_promise
def linear_in_cotangents(net: Net) -> None:
    """The product is linear in the cotangents: J'(2a - 3b) = 2J'a - 3J'b, also over several layers."""
    x, middle = net.images(), net.middle()
    a, b, m = net.cotangent(seed=1), net.cotangent(seed=2), net.cotangent(middle, seed=3)

    def product(cotangents: dict[str, Array]) -> Array:
        return as_numpy(net.model.vjp(x, cotangents).gradients[INPUT])

    same(product({OUTPUT: 2 * a - 3 * b}), 2 * product({OUTPUT: a}) - 3 * product({OUTPUT: b}), rtol=1e-5)
    same(product({OUTPUT: a, middle: m}), product({OUTPUT: a}) + product({middle: m}), rtol=1e-5)


@backend_promise
def linearize_is_vjp(net: Net) -> None:
    """`linearize(...).vjp` gives what `vjp` gives; again and again, with other cotangents in between."""
    x, middle = net.images(), net.middle()
    a, b = net.cotangent(seed=1), net.cotangent(seed=2)
    expected = net.model.vjp(x, {OUTPUT: a}, wrt=[INPUT, middle]).gradients
    with net.model.linearize(x, [middle, OUTPUT], wrt=[INPUT, middle]) as at:
        first = dict(at.vjp({OUTPUT: a}))
        other = dict(at.vjp({OUTPUT: b, middle: net.cotangent(middle)}))
        again = dict(at.vjp({OUTPUT: a}))
    for name in (INPUT, middle):
        same(first[name], expected[name], rtol=1e-5, what=f"at {name!r}")
        same(again[name], first[name], rtol=1e-6, what=f"the second time at {name!r}")
        assert not np.array_equal(as_numpy(other[name]), as_numpy(first[name])), "other cotangents, same gradients"


@backend_promise
def cotangent_at_the_layer_counts(net: Net) -> None:
    """A cotangent at the layer itself comes back unchanged, and adds to what flows in from behind."""
    x, middle = net.images(), net.middle()
    m, c = net.cotangent(middle, seed=3), net.cotangent()
    same(net.model.vjp(x, {middle: m}, wrt=[middle]).gradients[middle], m, rtol=1e-6)
    same(net.model.vjp(x, {OUTPUT: c}, wrt=[OUTPUT]).gradients[OUTPUT], c, rtol=1e-6)
    behind = as_numpy(net.model.vjp(x, {OUTPUT: c}, wrt=[middle]).gradients[middle])
    same(net.model.vjp(x, {OUTPUT: c, middle: m}, wrt=[middle]).gradients[middle], behind + m, rtol=1e-5)


@backend_promise
def cotangent_at_the_image_counts(net: Net) -> None:
    """A cotangent at `INPUT` adds to the gradient there, and reaches no other layer."""
    x, middle, c = net.images(), net.middle(), net.cotangent()
    own = net.cotangent(INPUT) if None not in net.model.input.shape else np.ones_like(x)
    through = net.model.vjp(x, {OUTPUT: c}, wrt=[INPUT, middle]).gradients
    both = net.model.vjp(x, {OUTPUT: c, INPUT: own}, wrt=[INPUT, middle]).gradients
    same(both[INPUT], as_numpy(through[INPUT]) + own, rtol=1e-5)
    same(both[middle], through[middle], rtol=1e-6)
    alone = net.model.vjp(x, {INPUT: own}, wrt=[INPUT, middle]).gradients
    same(alone[INPUT], own, rtol=1e-6)
    assert not as_numpy(alone[middle]).any(), "a cotangent at the image reached a layer behind it"


@backend_promise
def no_influence_is_zero(net: Net) -> None:
    """A layer behind the one that the cotangent is at has no influence on it: zeros of the layer's shape."""
    x, first, middle = net.images(), net.inner()[0].name, net.middle()
    seeds = {first: net.cotangent(first)}
    with net.model.linearize(x, [first], wrt=[middle, OUTPUT, INPUT]) as at:
        apart = at.vjp(seeds)
    for gradients in (net.model.vjp(x, seeds, wrt=[middle, OUTPUT, INPUT]).gradients, apart):
        for name in (middle, OUTPUT):
            shape = (2, *net.model.layers[name].shape[1:])
            assert tuple(gradients[name].shape) == shape, f"wrong shape at {name!r}"
            assert not as_numpy(gradients[name]).any(), f"{name!r} runs after {first!r} and got a gradient"
        assert as_numpy(gradients[INPUT]).any(), "the image has influence, but got zeros"


@backend_promise
def no_cotangents_are_zeros(net: Net) -> None:
    """No cotangents at all give zeros, from `vjp` and from `linearize`."""
    x, middle = net.images(), net.middle()
    with net.model.linearize(x, [OUTPUT], wrt=[INPUT, middle]) as at:
        empty = at.vjp({})
    for gradients in (net.model.vjp(x, {}, wrt=[INPUT, middle]).gradients, empty):
        assert tuple(gradients[INPUT].shape) == x.shape, "zeros of another shape than the image"
        assert not any(as_numpy(g).any() for g in gradients.values()), "not zero"


@backend_promise
def several_layers_at_once(net: Net) -> None:
    """Gradients at several layers in one pass are those of one pass each, in the order asked for."""
    x, c = net.images(), net.cotangent()
    names = list(dict.fromkeys([net.middle(), INPUT, net.inner()[0].name, net.inner()[-1].name]))
    together = net.model.vjp(x, {OUTPUT: c}, wrt=names).gradients
    assert list(together) == names, f"asked for {names}, got {list(together)}"
    for name in names:
        same(together[name], net.model.vjp(x, {OUTPUT: c}, wrt=[name]).gradients[name], what=f"at {name!r}")


@backend_promise
def vjp_captures_too(net: Net) -> None:
    """What `vjp` captures is what `forward` gives."""
    x, middle = net.images(), net.middle()
    pull = net.model.vjp(x, {OUTPUT: net.cotangent()}, capture=[middle, OUTPUT])
    found = net.model.forward(x, [middle, OUTPUT])
    for name in (middle, OUTPUT):
        same(pull.activations[name], found[name], rtol=1e-6, what=f"at {name!r}")


@backend_promise
def preprocessing_has_its_adjoint(net: Net) -> None:
    """y = (scale x - mean) / std in BGR order is applied inside, and gradients at `INPUT` are with respect to x."""
    if isinstance(net.network, Model):
        raise Unsuited("the network was built as a Model, which has its preprocessing")
    spec = Preprocess(scale=2.0, mean=(0.9, 1.0, 1.1), std=(1.5, 2.0, 2.5), order="BGR")
    plain, inside = net.wrapped(preprocess=None), net.wrapped(preprocess=spec)
    if inside.preprocess != spec or plain.input.shape[0] != 3:
        raise Unsuited("the network has no such preprocessing, or does not take three channels")
    x, c = net.images(), net.cotangent()
    mean, std = (np.array(v, np.float32)[None, :, None, None] for v in (spec.mean, spec.std))
    y = (spec.scale * x[:, ::-1] - mean) / std
    expected = plain.vjp(y, {OUTPUT: c}, capture=[OUTPUT])
    got = inside.vjp(x, {OUTPUT: c}, capture=[OUTPUT])
    same(got.activations[OUTPUT], expected.activations[OUTPUT], rtol=1e-5, what="output")
    same(got.gradients[INPUT], (spec.scale / std * as_numpy(expected.gradients[INPUT]))[:, ::-1], what="gradient")


@backend_promise
def cotangent_must_fit(net: Net) -> None:
    """A cotangent of another shape, which might be broadcast in silence, or at a layer not captured, is refused."""
    x, middle = net.images(), net.middle()
    with net.model.linearize(x, [OUTPUT]) as at:
        short, elsewhere = {OUTPUT: net.cotangent(count=1)}, {middle: net.cotangent(middle)}
        refused(lambda: at.vjp(short), LayerError, f"the cotangent at {OUTPUT!r} has shape (1, ")
        refused(lambda: net.model.vjp(x, short), LayerError, f"the cotangent at {OUTPUT!r} has shape (1, ")
        refused(lambda: at.vjp(elsewhere), LayerError, f"cotangents at {[middle]}, but only {[OUTPUT]} were captured")
