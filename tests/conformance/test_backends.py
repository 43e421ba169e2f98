"""Every backend x every network of the zoo x every promise of a backend; and its values, against the oracle."""

import numpy as np
import pytest
from crosslens import INPUT, OUTPUT, testing
from crosslens.testing import same

from .plans import PLANS, forward, gradient, images, plan
from .zoo import BUILDERS, net, nets


@testing.parametrize(*nets())
def test_backend_keeps_its_promise(check):
    check()


@pytest.fixture(params=BUILDERS)
def backend(request):
    return request.param


@pytest.mark.parametrize("name", PLANS)
def test_every_activation_is_the_oracle_s(backend, name):
    steps, x = plan(name), images()
    expected = forward(steps, x)
    names = [step.name for step in steps]
    got = net(backend, name).model.forward(x, [*names, OUTPUT])
    for step in names:
        same(got[step].reshape(expected[step].shape), expected[step], rtol=1e-5, what=step)
    same(got[OUTPUT], expected[names[-1]], rtol=1e-5, what="output")


@pytest.mark.parametrize("name", PLANS)
def test_the_gradient_is_the_oracle_s(backend, name):
    x, c = images(1), np.linspace(-1, 2, 7, dtype=np.float32)
    got = net(backend, name).model.vjp(x, {OUTPUT: c[None]}).gradients[INPUT]
    same(got[0], gradient(plan(name), x[0], c.astype(np.float64)), rtol=1e-5)


@pytest.mark.parametrize("name", PLANS)
def test_weights_are_the_plan_s(backend, name):
    model = net(backend, name).model
    for step in plan(name):
        got = model.weights(step.name)
        assert set(got) == set(step.weights), step.name
        for key, values in step.weights.items():
            same(got[key], values, exact=True, what=f"{key} of {step.name}")


@pytest.mark.parametrize("name", PLANS)
def test_layers_run_in_the_plan_s_order(backend, name):
    listed = list(net(backend, name).model.layers)
    names = [step.name for step in plan(name)]
    assert [layer for layer in listed if layer in names] == names


def test_the_same_seed_draws_the_same_weights_on_every_backend():
    models = [net(backend, "smooth").model.randomised(["fc", "conv3"], 5) for backend in BUILDERS]
    for model in models[1:]:
        for layer in ("fc", "conv3"):
            same(model.weights(layer)["kernel"], models[0].weights(layer)["kernel"], exact=True)
        same(model.forward(images())[OUTPUT], models[0].forward(images())[OUTPUT], rtol=1e-5)
