"""What a backend promises to leave alone: the network, its framework's settings, the caller's arrays."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np

from ...errors import LayerError
from ...model.base import INPUT, OUTPUT
from ..assertions import refused, same
from ..net import Net
from ..promise import Unsuited, backend_promise

__all__: list[str] = []


@backend_promise
def network_untouched(net: Net) -> None:
    """Wrapping, passes, weights and copies leave the network and its framework's settings as they were."""
    network, before = _fresh(net)
    model = net.wrapped(network)
    last = next(layer.name for layer in reversed(net.inner()) if model.weights(layer.name))
    x, c = net.images(), net.cotangent()
    model.vjp(x, {OUTPUT: c}, capture=[net.middle()])
    with model.linearize(x, [OUTPUT]) as at:
        at.vjp({OUTPUT: c})
    model.randomised([last], 0).vjp(x, {OUTPUT: c})
    if not net.smooth:
        model.modified(relu="guided").vjp(x, {OUTPUT: c})
    _check_unchanged(net, network, before)


@backend_promise
def network_untouched_after_an_error(net: Net) -> None:
    """An error in the middle of a pass leaves no hook, mode or setting behind, and the next pass is right."""
    network, before = _fresh(net)
    model = net.wrapped(network)
    x, c = net.images(), net.cotangent()
    with suppress(KeyboardInterrupt), model.linearize(x, [OUTPUT]) as at:
        at.vjp({OUTPUT: c})
        raise KeyboardInterrupt
    refused(lambda: model.vjp(x, {OUTPUT: c[:1]}), LayerError, "the cotangent")
    _check_unchanged(net, network, before)
    same(model.vjp(x, {OUTPUT: c}).gradients[INPUT], net.model.vjp(x, {OUTPUT: c}).gradients[INPUT], rtol=1e-6)


def _fresh(net: Net) -> tuple[object, object]:
    if net.state is None:
        raise Unsuited("Net.state is not given, so there is nothing to compare")
    network = net.build()
    return network, net.state(network)


def _check_unchanged(net: Net, network: object, before: object) -> None:
    assert net.state is not None
    after = net.state(network)
    assert before == after, f"it was {before!r}, it is {after!r}"


@backend_promise
def arrays_given_are_not_written_to(net: Net) -> None:
    """Images, cotangents and replacements are read only: arrays that refuse writing do, and keep their values."""
    x, c, middle = net.images(), net.cotangent(), net.middle()
    a = np.array(net.model.forward(net.images(seed=5), [middle])[middle])
    copies = [v.copy() for v in (x, c, a)]
    for values in (x, c, a):
        values.flags.writeable = False
    net.model.vjp(x, {OUTPUT: c}, capture=[OUTPUT])
    net.model.vjp(x, {OUTPUT: c, middle: a}, wrt=[middle, INPUT], replace={middle: a})
    for values, copy in zip((x, c, a), copies, strict=True):
        same(values, copy, exact=True)


@backend_promise
def results_outlive_the_next_pass(net: Net) -> None:
    """What was handed out is not overwritten by later passes: no buffer is reused under the caller's feet."""
    x, c = net.images(), net.cotangent()
    pull = net.model.vjp(x, {OUTPUT: c}, capture=[net.middle(), OUTPUT])
    results = {**pull.activations, INPUT: pull.gradients[INPUT], "forward": net.model.forward(x)[OUTPUT]}
    copies = {name: np.array(values) for name, values in results.items()}
    net.model.vjp(net.images(seed=7), {OUTPUT: -c}, capture=[net.middle(), OUTPUT])
    net.model.forward(net.images(seed=8), [net.middle(), OUTPUT])
    for name, values in results.items():
        same(values, copies[name], exact=True, what=f"what was handed out for {name!r}")


@backend_promise
def linearizations_do_not_share(net: Net) -> None:
    """Two linearisations open at once keep their own activations."""
    x, y, c = net.images(), net.images(seed=7), net.cotangent()
    expected = [net.model.vjp(v, {OUTPUT: c}).gradients[INPUT] for v in (x, y)]
    with net.model.linearize(x, [OUTPUT]) as first, net.model.linearize(y, [OUTPUT]) as second:
        same(second.vjp({OUTPUT: c})[INPUT], expected[1], rtol=1e-5, what="the second")
        same(first.vjp({OUTPUT: c})[INPUT], expected[0], rtol=1e-5, what="the first")


@backend_promise
def same_values_every_time(net: Net) -> None:
    """The same call gives the same values: no dropout, no statistics of the batch, no state from pass to pass."""
    x, c = net.images(), net.cotangent()
    first, second = (net.model.vjp(x, {OUTPUT: c}, capture=[OUTPUT]) for _ in range(2))
    same(first.activations[OUTPUT], second.activations[OUTPUT], rtol=1e-6)
    same(first.gradients[INPUT], second.gradients[INPUT], rtol=1e-6)


@backend_promise
def threads_do_not_mix(net: Net) -> None:
    """Called from several threads at once, each gets the gradient of its own images."""
    c = net.cotangent()
    batches = [net.images(seed=seed) for seed in range(6)]
    expected = [net.model.vjp(x, {OUTPUT: c}).gradients[INPUT] for x in batches]
    with ThreadPoolExecutor(3) as pool:
        got = list(pool.map(lambda x: net.model.vjp(x, {OUTPUT: c}).gradients[INPUT], batches))
    for n, (a, b) in enumerate(zip(got, expected, strict=True)):
        same(a, b, rtol=1e-5, what=f"thread {n}")
