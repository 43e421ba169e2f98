"""Every registered method: the promises; every backend x network of the zoo; equal values on the smooth one."""

from functools import cache

import crosslens
import numpy as np
import pytest
from crosslens import testing
from crosslens.arrays import as_numpy
from crosslens.errors import LayerError, ModelError
from crosslens.method import parameters
from crosslens.method.provenance import names_layers
from crosslens.plugins import image_methods, method_class
from crosslens.testing import same
from crosslens.testing.promises.method import target_for, values_of

from .plans import PLANS, images
from .zoo import BUILDERS, net

NAMES = image_methods()
TARGET = 2


@testing.parametrize(*NAMES)
def test_method_keeps_its_promise(check):
    check()


def layers(method):
    """Names for parameters such as `content_layer` and `style_layers`, whose defaults look for rectifiers."""
    named = [parameter.name for parameter in parameters(method) if names_layers(parameter.name)]
    several = {name: ("act1", "act3") for name in named if name.endswith("_layers")}
    return several | {name: "act3" for name in named if name.endswith("_layer")}


@cache
def run(name, backend, network):
    """Values of a result, computed once: the promises see to it that a method gives them again."""
    tried = method_class(name)
    method = crosslens.method(name, **tried.example, **(layers(tried) if network == "smooth" else {}))
    x, target = images() if tried.needs_images else None, target_for(tried, TARGET)
    result = method(net(backend, network).model, x, target)
    try:
        return as_numpy(values_of(result))
    except testing.Unsuited as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("backend", [name for name in BUILDERS if "functional" not in name])
@pytest.mark.parametrize("network", PLANS)
@pytest.mark.parametrize("name", NAMES)
def test_method_runs_on_every_backend(name, network, backend):
    if method_class(name).needs_rectifier and network == "smooth":
        with pytest.raises(ModelError):
            run(name, backend, network)
        return
    if method_class(name).needs_attention:
        with pytest.raises(LayerError, match="no attention is to be seen in this network"):
            run(name, backend, network)
        return
    if method_class(name).needs_picture_output:
        with pytest.raises(ModelError, match="makes pictures of pictures"):
            run(name, backend, network)
        values = run(name, backend, "pictures")
    else:
        values = run(name, backend, network)
    assert np.isfinite(values).all()
    assert values.min() < values.max()


def usual_network(name):
    """The network of the zoo on which a method's values on the backends are compared."""
    if method_class(name).needs_picture_output:
        return "pictures"
    return "relu" if method_class(name).needs_rectifier else "smooth"


ALLOWED = {"gradient": 1e-5, "deep_lift": 1e-5, "deep_lift_shap": 1e-5}


@pytest.mark.parametrize("backend", BUILDERS[1:])
@pytest.mark.parametrize("name", [name for name in NAMES if not method_class(name).needs_attention])
def test_values_agree_across_backends(name, backend):
    """On the smooth network; on the other, whose kinks no value here comes near, for methods that need rectifiers."""
    network = usual_network(name)
    allowed = ALLOWED.get(name, 1e-4)
    same(run(name, backend, network), run(name, BUILDERS[0], network), rtol=allowed, what=f"{name} on {backend}")
