"""What a backend promises about layers and their activations."""

import numpy as np

from ...arrays import as_numpy
from ...model.base import INPUT, OUTPUT
from ...model.repeatability import repeatability
from ..assertions import same
from ..net import Net
from ..promise import backend_promise

__all__: list[str] = []


@backend_promise
def layers_in_order(net: Net) -> None:
    """`INPUT` is the first layer, `OUTPUT` the last, and each is listed under its own name."""
    names = list(net.model.layers)
    assert names[0] == INPUT, f"the first layer is {names[0]!r}"
    assert names[-1] == OUTPUT, f"the last layer is {names[-1]!r}"
    assert len(names) > 2, "no layer between INPUT and OUTPUT"
    wrong = {name: layer.name for name, layer in net.model.layers.items() if layer.name != name}
    assert not wrong, f"listed under another name: {wrong}"
    assert all(layer.kind for layer in net.model.layers.values()), "a layer without a kind"


@backend_promise
def shapes_as_listed(net: Net) -> None:
    """Each activation has the shape of its `Layer`, batch axis None, and is finite."""
    activations = net.model.forward(net.images(2), list(net.model.layers))
    for name, layer in net.model.layers.items():
        expected = (2, *(net.model.input.example_shape if name == INPUT else layer.shape[1:]))
        assert layer.shape[0] is None, f"the batch axis of {name!r} is {layer.shape[0]}, not None"
        assert tuple(activations[name].shape) == expected, (
            f"{name!r} gives {tuple(activations[name].shape)}, listed {layer.shape}"
        )
        assert np.isfinite(as_numpy(activations[name])).all(), f"{name!r} gives values that are not finite"


@backend_promise
def arrays_are_numpy_or_standard(net: Net) -> None:
    """Activations and gradients are NumPy arrays for NumPy images, float32, and own no framework's graph."""
    pull = net.model.vjp(net.images(), {OUTPUT: net.cotangent()}, wrt=[INPUT], capture=[net.middle(), OUTPUT])
    for name, values in {**pull.activations, "gradient": pull.gradients[INPUT]}.items():
        assert isinstance(values, np.ndarray), f"{name!r} is a {type(values).__name__}"
        assert values.dtype == np.float32, f"{name!r} has dtype {values.dtype}"


@backend_promise
def input_is_a_layer(net: Net) -> None:
    """Capturing `INPUT` gives the image as the user sees it, before any preprocessing."""
    x = net.images()
    same(net.model.forward(x, [INPUT])[INPUT], x, exact=True)
    same(net.model.forward(x, [OUTPUT, INPUT])[INPUT], x, exact=True)


@backend_promise
def batch_of_n_is_n_singles(net: Net) -> None:
    """A batch gives what its images give one by one: activations and gradients; the network itself mixes no images."""
    mixed = repeatability(net.model).mixed_at
    assert mixed is None, f"an image's values depend on its batch, first at layer {mixed!r}"
    x, c, middle = net.images(3), net.cotangent(count=3), net.middle()
    whole = net.model.vjp(x, {OUTPUT: c}, wrt=[INPUT], capture=[middle])
    for n in range(3):
        one = net.model.vjp(x[n : n + 1], {OUTPUT: c[n : n + 1]}, wrt=[INPUT], capture=[middle])
        same(one.activations[middle], whole.activations[middle][n : n + 1], rtol=1e-5)
        same(one.gradients[INPUT], whole.gradients[INPUT][n : n + 1], rtol=1e-5)


@backend_promise
def capture_does_not_change_values(net: Net) -> None:
    """A layer's activation does not depend on what else is captured, in which order, or by which call."""
    x = net.images()
    everything = net.model.forward(x, list(net.model.layers))
    for name in (net.middle(), net.inner()[0].name, OUTPUT):
        same(net.model.forward(x, [name])[name], everything[name], rtol=1e-6)
    with net.model.linearize(x, [net.middle(), OUTPUT], wrt=[INPUT]) as at:
        assert list(at.activations) == [net.middle(), OUTPUT], "activations come under other names, or in another order"
        same(at.activations[net.middle()], everything[net.middle()], rtol=1e-6)


@backend_promise
def aliases_name_their_layer(net: Net) -> None:
    """An alias gives the same values as the layer's name, returned under the name that was asked for."""
    x = net.images(1)
    for layer in [layer for layer in net.inner() if layer.aliases][:3]:
        activations = net.model.forward(x, [*layer.aliases, layer.name])
        for alias in layer.aliases:
            same(activations[alias], activations[layer.name], exact=True)
