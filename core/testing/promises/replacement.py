"""What a backend promises about running on from a given activation."""

import numpy as np

from ...arrays import as_numpy
from ...errors import LayerError
from ...model.base import INPUT, OUTPUT
from ..assertions import refused, same
from ..net import Net
from ..promise import Unsuited, backend_promise

__all__: list[str] = []


@backend_promise
def own_activation_changes_nothing(net: Net) -> None:
    """Replacing any layer with its own activation changes no later activation."""
    x = net.images()
    activations = net.model.forward(x, list(net.model.layers))
    for layer in net.inner():
        again = net.model.forward(x, [layer.name, OUTPUT], replace={layer.name: activations[layer.name]})
        same(again[OUTPUT], activations[OUTPUT], rtol=1e-5, what=f"output after replacing {layer.name!r}")


@backend_promise
def replaced_layer_gives_the_replacement(net: Net) -> None:
    """Capturing a replaced layer gives the replacement, with what came before unchanged and what follows changed."""
    x, middle, first = net.images(), net.middle(), net.inner()[0].name
    other = net.model.forward(net.images(seed=5), [middle])[middle]
    plain = net.model.forward(x, [first, OUTPUT])
    activations = net.model.forward(x, [first, middle, OUTPUT], replace={middle: other})
    same(activations[middle], other, exact=True)
    same(activations[first], plain[first], rtol=1e-6, what="a layer before the replaced one")
    assert not np.allclose(as_numpy(activations[OUTPUT]), as_numpy(plain[OUTPUT])), "the output did not change"


@backend_promise
def runs_on_from_the_replacement(net: Net) -> None:
    """With the activation that another image gives at a cut of the network, the output is that image's output."""
    x, other, cut = net.images(), net.images(seed=5), _bottleneck(net)
    activations = net.model.forward(other, [cut, OUTPUT])
    same(net.model.forward(x, replace={cut: activations[cut]})[OUTPUT], activations[OUTPUT], rtol=1e-5)
    c = net.cotangent()
    expected = net.model.vjp(other, {OUTPUT: c}, wrt=[cut]).gradients[cut]
    got = net.model.vjp(x, {OUTPUT: c}, wrt=[cut], replace={cut: activations[cut]}).gradients[cut]
    same(got, expected, rtol=1e-5, what=f"the gradient at the replaced {cut!r}")


@backend_promise
def nothing_flows_through_a_replaced_cut(net: Net) -> None:
    """Behind a replaced layer that is a cut the image has no influence: its gradient is zero, the layer's is not."""
    x, cut = net.images(), _bottleneck(net)
    other = net.model.forward(net.images(seed=5), [cut])[cut]
    seeds = {OUTPUT: net.cotangent(), cut: net.cotangent(cut, seed=3)}
    gradients = net.model.vjp(x, seeds, wrt=[INPUT, cut], replace={cut: other}).gradients
    assert not as_numpy(gradients[INPUT]).any(), f"a gradient came through {cut!r}, which was replaced"
    behind = net.model.vjp(x, {OUTPUT: seeds[OUTPUT]}, wrt=[cut], replace={cut: other}).gradients[cut]
    same(gradients[cut], as_numpy(behind) + seeds[cut], rtol=1e-5, what="with a cotangent at the replaced layer")


@backend_promise
def output_and_image_can_be_replaced(net: Net) -> None:
    """`OUTPUT` and `INPUT` are layers for `replace` too."""
    x, other, c = net.images(), net.images(seed=5), net.cotangent()
    same(net.model.forward(x, replace={OUTPUT: c})[OUTPUT], c, exact=True)
    same(net.model.forward(x, replace={INPUT: other})[OUTPUT], net.model.forward(other)[OUTPUT], rtol=1e-6)


@backend_promise
def linearize_replaces_too(net: Net) -> None:
    """`linearize(replace=)` gives what `vjp(replace=)` gives."""
    x, middle, c = net.images(), net.middle(), net.cotangent()
    other = net.model.forward(net.images(seed=5), [middle])[middle]
    expected = net.model.vjp(x, {OUTPUT: c}, wrt=[INPUT, middle], capture=[OUTPUT], replace={middle: other})
    with net.model.linearize(x, [middle, OUTPUT], wrt=[INPUT, middle], replace={middle: other}) as at:
        same(at.activations[middle], other, exact=True)
        same(at.activations[OUTPUT], expected.activations[OUTPUT], rtol=1e-5, what="output")
        gradients = at.vjp({OUTPUT: c})
        same(gradients[middle], expected.gradients[middle], rtol=1e-5, what="gradient")
        same(as_numpy(gradients[INPUT]) + 1, as_numpy(expected.gradients[INPUT]) + 1, rtol=1e-5, what="at the image")


@backend_promise
def replacement_must_fit(net: Net) -> None:
    """A replacement for another number of images, or of another shape, is refused, naming the layer."""
    x, middle = net.images(3), net.middle()
    wrong = {middle: net.cotangent(middle, count=2)}
    text = f"replace[{middle!r}] holds 2 activations for 3 images"
    refused(lambda: net.model.forward(x, replace=wrong), LayerError, text)
    wide = {middle: np.concatenate([net.cotangent(middle, 3)] * 2, axis=1)}
    refused(lambda: net.model.forward(x, replace=wide), LayerError, f"replace[{middle!r}] has shape (3, ")


def _bottleneck(net: Net) -> str:
    """A layer that everything passes through: its own activation decides the output whatever the image is."""
    for layer in reversed(net.inner()[: len(net.inner()) * 3 // 4]):
        if len(layer.shape) == 4 and _decides(net, layer.name):
            return layer.name
    raise Unsuited("no layer with maps decides the output alone")


def _decides(net: Net, name: str) -> bool:
    """Whether two images give one output when this layer is replaced in both. Forward passes only."""
    a, b = net.images(seed=8), net.images(seed=9)
    given = net.model.forward(net.images(seed=10), [name])[name]
    first, second = (as_numpy(net.model.forward(x, replace={name: given})[OUTPUT]) for x in (a, b))
    return bool(np.array_equal(first, second))
